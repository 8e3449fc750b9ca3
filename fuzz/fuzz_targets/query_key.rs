//! The fuzz target for queries as a part of the key.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| larder_cache_layer::fuzzing::query_key(data));
