//! The fuzz target for `Range`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| larder_etag::fuzzing::range(data));
