//! The fuzz target for request headers that a response varies by.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| larder_cache_layer::fuzzing::negotiation(data));
