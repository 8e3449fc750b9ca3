//! The fuzz target for `Location` of answers to unsafe methods.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| larder_cache_layer::fuzzing::location(data));
