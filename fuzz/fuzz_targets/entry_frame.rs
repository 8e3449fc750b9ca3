//! The fuzz target for entries as bytes.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| larder_store::fuzzing::entry_frame(data));
