//! The memory store, held to the contract; and stores broken on purpose, which the suite must find out.
#![cfg(not(shuttle))]

larder_testkit::store_conformance!(|| async { larder_store::MemoryStore::with_capacity(1 << 20) });
