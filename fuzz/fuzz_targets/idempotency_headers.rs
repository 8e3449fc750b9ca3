//! The fuzz target for idempotency keys and signatures in headers.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| larder_idempotency::fuzzing::idempotency_headers(data));
