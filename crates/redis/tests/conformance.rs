//! The Redis store, held to the contract that all stores are held to, over a real server.
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::ops::Deref;
use std::time::Duration;

use larder_redis::RedisStore;
use larder_store::{
    Answer, Capture, Entry, Forgotten, Key, Lookup, Put, SharedEntry, Size, Store, StoreError, Strength, Tag,
    Validity,
};
use larder_testkit::RedisServer;

/// A store with the server that it is on, and what the suite must not be disturbed by: a machine that is busy.
#[derive(Debug)]
struct WithServer {
    store: RedisStore,
    _server: RedisServer,
    /// Whether a look-up goes to another instance, which has nothing in memory.
    other: Option<RedisStore>,
}

impl Deref for WithServer {
    type Target = RedisStore;

    fn deref(&self) -> &RedisStore {
        &self.store
    }
}

async fn instance(server: &RedisServer, memory: u64) -> RedisStore {
    let builder = RedisStore::builder(server.url()).budget(Duration::from_secs(20));
    builder.memory(memory).connect().await.unwrap()
}

async fn alone() -> WithServer {
    let server = RedisServer::start();
    WithServer {
        store: instance(&server, 8 << 20).await,
        _server: server,
        other: None,
    }
}

async fn two_instances() -> WithServer {
    let server = RedisServer::start();
    WithServer {
        store: instance(&server, 8 << 20).await,
        other: Some(instance(&server, 0).await),
        _server: server,
    }
}

impl Store for WithServer {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn lookup(&self, key: &[u8]) -> Answer<Result<Lookup, StoreError>> {
        let Some(other) = self.other.clone() else {
            return self.store.lookup(key);
        };
        let (store, key) = (self.store.clone(), key.to_vec());
        Answer::Later(Box::pin(async move {
            // What is on its way is no hit for the other yet, and need not be.
            store.flush().await;
            other.lookup(&key).wait().await
        }))
    }

    fn capture(&self, tags: &[Tag]) -> Answer<Result<Capture, StoreError>> {
        self.store.capture(tags)
    }

    fn put(&self, key: Key, entry: Entry, capture: Capture) -> Answer<Put> {
        self.store.put(key, entry, capture)
    }

    fn validity(&self, entry: &SharedEntry) -> Answer<Result<Validity, StoreError>> {
        self.other.as_ref().unwrap_or(&self.store).validity(entry)
    }

    fn forget(&self, tags: &[Tag], strength: Strength) -> Answer<Result<Forgotten, StoreError>> {
        self.store.forget(tags, strength)
    }

    fn forget_everything(&self, strength: Strength) -> Answer<Result<Forgotten, StoreError>> {
        self.store.forget_everything(strength)
    }

    fn size(&self) -> Size {
        self.store.size()
    }
}

mod one_instance {
    larder_testkit::store_conformance!(shared: super::alone);
}

/// One fills and forgets, and another looks.
mod another_instance {
    larder_testkit::store_conformance!(shared: super::two_instances);
}
