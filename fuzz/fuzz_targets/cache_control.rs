//! The fuzz target for `Cache-Control` of responses.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| larder_cache_layer::fuzzing::cache_control(data));
