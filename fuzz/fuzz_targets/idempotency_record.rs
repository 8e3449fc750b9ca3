//! The fuzz target for results of operations as bytes.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| larder_idempotency::fuzzing::idempotency_record(data));
