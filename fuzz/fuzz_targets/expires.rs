//! The fuzz target for `Expires` and dates.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| larder_cache_layer::fuzzing::expires(data));
