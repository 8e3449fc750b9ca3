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
    /// Whether it is one of many that are looked up together.
    many: bool,
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
        many: false,
    }
}

async fn many_of_one() -> WithServer {
    WithServer {
        many: true,
        ..alone().await
    }
}

async fn many_of_two() -> WithServer {
    WithServer {
        many: true,
        ..two_instances().await
    }
}

async fn two_instances() -> WithServer {
    let server = RedisServer::start();
    WithServer {
        store: instance(&server, 8 << 20).await,
        other: Some(instance(&server, 0).await),
        _server: server,
        many: false,
    }
}

/// The answer for `key` where it is one of several that are looked up at once, one of them twice.
async fn look(store: RedisStore, key: Key, many: bool) -> Result<Lookup, StoreError> {
    if !many {
        return store.lookup(key.as_bytes()).wait().await;
    }
    let other = |text: &str| Key::from(text.as_bytes());
    let keys = [other("some"), key.clone(), other("others"), key];
    let mut found = store.lookup_many(&keys).wait().await;
    assert_eq!(found.len(), keys.len());
    found.swap_remove(1)
}

impl Store for WithServer {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn lookup(&self, key: &[u8]) -> Answer<Result<Lookup, StoreError>> {
        let (store, key, many) = (self.store.clone(), Key::from(key), self.many);
        let Some(other) = self.other.clone() else {
            return Answer::Later(Box::pin(look(store, key, many)));
        };
        Answer::Later(Box::pin(async move {
            // What is on its way is no hit for the other yet, and need not be.
            store.flush().await;
            look(other, key, many).await
        }))
    }

    fn capture(&self, tags: &[Tag]) -> Answer<Result<Capture, StoreError>> {
        self.store.capture(tags)
    }

    fn put(&self, key: Key, entry: Entry, capture: Capture) -> Answer<Put> {
        let put = self.store.put(key, entry, capture);
        if self.other.is_none() {
            return put;
        }
        let store = self.store.clone();
        Answer::Later(Box::pin(async move {
            let put = put.wait().await;
            // What is forgotten softly while it is on its way is not sent, and the other has nothing stale.
            store.flush().await;
            put
        }))
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

mod many_at_once {
    larder_testkit::store_conformance!(shared: super::many_of_one);
}

mod many_at_once_on_another_instance {
    larder_testkit::store_conformance!(shared: super::many_of_two);
}

/// One fills and forgets, and another looks.
mod another_instance {
    larder_testkit::store_conformance!(shared: super::two_instances);
}
