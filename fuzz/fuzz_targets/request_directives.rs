//! The fuzz target for `Cache-Control` of requests.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| larder_cache_layer::fuzzing::request_directives(data));
