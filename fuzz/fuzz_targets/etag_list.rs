//! The fuzz target for lists of entity tags.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| larder_etag::fuzzing::etag_list(data));
