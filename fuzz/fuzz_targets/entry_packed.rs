//! The fuzz target for entries as they lie on a Redis server in less room.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| larder_redis::fuzzing::entry_packed(data));
