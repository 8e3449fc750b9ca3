//! The fuzz target for `No-Vary-Search`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| larder_cache_layer::fuzzing::no_vary_search(data));
