//! The fuzz target for targeted cache control and cache groups.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| larder_cache_layer::fuzzing::structured_fields(data));
