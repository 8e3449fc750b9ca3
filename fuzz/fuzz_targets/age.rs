//! The fuzz target for `Age`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| larder_cache_layer::fuzzing::age(data));
