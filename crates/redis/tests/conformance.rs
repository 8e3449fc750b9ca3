//! The Redis store, held to the contract that all stores are held to, over real servers of each kind.
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::ops::Deref;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use larder_redis::{Coherence, Place, RedisStore};
use larder_store::{
    Answer, Capture, Entry, Forgotten, Key, Lookup, Put, SharedEntry, Size, Store, StoreError, Strength, Tag,
    Validity,
};
use larder_testkit::{RedisCluster, RedisSentinel, RedisServer};

/// A store with the server that it is on, and what the suite must not be disturbed by: a machine that is busy.
#[derive(Debug)]
struct WithServer {
    store: RedisStore,
    _server: Option<RedisServer>,
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

/// As all tests here make their stores.
fn instance(place: impl Into<Place>, memory: u64) -> larder_redis::Builder {
    let builder = RedisStore::builder(place).budget(Duration::from_secs(20));
    builder.memory(memory)
}

async fn alone() -> WithServer {
    let server = RedisServer::start();
    WithServer {
        store: instance(server.url(), 8 << 20).connect().await.unwrap(),
        _server: Some(server),
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
        store: instance(server.url(), 8 << 20).connect().await.unwrap(),
        other: Some(instance(server.url(), 0).connect().await.unwrap()),
        _server: Some(server),
        many: false,
    }
}

/// In memory without asking, wherever the server is heard to tell of every change.
async fn bounded() -> WithServer {
    let server = RedisServer::start();
    let store = instance(server.url(), 8 << 20).coherence(Coherence::Bounded(Duration::from_secs(20)));
    let store = store.connect().await.unwrap();
    // From its first look-up on it listens; and once it is heard, nothing is amiss there.
    let listens = async || {
        store.lookup(b"").wait().await.unwrap();
        let amiss = store.doctor().wait().await;
        amiss.iter().all(|finding| finding.name != "listening")
    };
    let begun = Instant::now();
    while !listens().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is not heard");
    }
    WithServer {
        store,
        _server: Some(server),
        other: None,
        many: false,
    }
}

/// Two instances at a place that other tests use too.
async fn shared(place: Place) -> WithServer {
    static SPACES: AtomicUsize = AtomicUsize::new(0);
    let space = format!("space-{}", SPACES.fetch_add(1, Ordering::Relaxed));
    let one = instance(place.clone(), 8 << 20).namespace(&space);
    let other = instance(place, 0).namespace(&space);
    WithServer {
        store: one.connect().await.unwrap(),
        other: Some(other.connect().await.unwrap()),
        _server: None,
        many: false,
    }
}

async fn by_cluster() -> WithServer {
    shared(Place::cluster(RedisCluster::shared().urls())).await
}

async fn by_sentinel() -> WithServer {
    static SHARED: LazyLock<RedisSentinel> = LazyLock::new(RedisSentinel::start);
    shared(Place::sentinel(SHARED.name(), SHARED.urls())).await
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

/// Hits that ask nobody.
mod bounded_coherence {
    larder_testkit::store_conformance!(shared: super::bounded);
}

/// Records on one node, entries on three.
mod cluster {
    larder_testkit::store_conformance!(shared: super::by_cluster);
}

/// The primary that a Sentinel names.
mod sentinel {
    larder_testkit::store_conformance!(shared: super::by_sentinel);
}
