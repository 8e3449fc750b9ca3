//! Fills, look-ups and waiting, for the tests over several servers.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests; each suite uses a part of them"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use larder_redis::{Builder, Place, RedisStore};
use larder_store::{
    Answer, Capture, Clock, Content, Entry, Kept, Key, Lifetime, Lookup, Store, StoreError, StoredResponse,
    Strength, Tag, Wanted,
};
use larder_testkit::RedisServer;

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A store in the namespace of the tests, on a machine that may be busy.
pub fn shop(place: impl Into<Place>) -> Builder {
    let builder = RedisStore::builder(place).namespace("shop");
    builder.budget(Duration::from_secs(10))
}

pub fn tags() -> Vec<Tag> {
    vec![Tag::layer("shop"), Tag::new("jars")]
}

pub async fn capture(store: &RedisStore) -> Result<Capture, StoreError> {
    store.capture(&tags()).wait().await
}

pub async fn put(store: &RedisStore, key: &str, body: &str, capture: Capture) -> Kept {
    let lifetime = Lifetime::fresh(Clock::system().now(), Duration::from_secs(600));
    let body = Bytes::copy_from_slice(body.as_bytes());
    let response = StoredResponse::new(StatusCode::OK, &HeaderMap::new(), body);
    let entry = Entry::new(lifetime, Content::Response(response), tags());
    let put = store.put(Key::from(key.as_bytes()), entry, capture).wait().await;
    store.flush().await;
    put.kept
}

pub async fn fill(store: &RedisStore, key: &str, body: &str) {
    let capture = capture(store).await.unwrap();
    assert_eq!(put(store, key, body, capture).await, Kept::Stored);
}

/// A fill that is tried again until the store is there and the entry found on it.
pub async fn fill_in_time(store: &RedisStore, key: &str, body: &str) {
    eventually("an entry is kept", async || {
        if let Ok(capture) = capture(store).await {
            put(store, key, body, capture).await;
        }
        hit(store, key).await.as_deref() == Some(body)
    })
    .await;
}

pub async fn lookup(store: &RedisStore, key: &str) -> Result<Lookup, StoreError> {
    store.lookup(key.as_bytes()).wait().await
}

pub fn text(found: &Lookup) -> Option<String> {
    match found {
        Lookup::Found(entry) | Lookup::Fetched(entry) => {
            Some(String::from_utf8(entry.response()?.body.to_vec()).unwrap())
        }
        _ => None,
    }
}

/// The body that a look-up finds, if any.
pub async fn hit(store: &RedisStore, key: &str) -> Option<String> {
    text(&lookup(store, key).await.ok()?)
}

/// What a look-up finds without asking, if it finds anything so.
pub fn at_once(store: &RedisStore, key: &str) -> Option<String> {
    match store.lookup(key.as_bytes()) {
        Answer::Ready(Ok(found)) => text(&found),
        _ => None,
    }
}

pub async fn forget(store: &RedisStore) -> Result<(), StoreError> {
    let forgetting = store.forget(&[Tag::new("jars")], Strength::Hard);
    forgetting.wait().await.map(drop)
}

/// The tags that entries carry, and how many entries were looked at: all that there are.
pub async fn survey(store: &RedisStore) -> (Vec<Tag>, usize) {
    let wanted: Wanted = Arc::new(|_| true);
    let (mut tags, mut seen, mut from) = (Vec::new(), 0, Some(0));
    while let Some(place) = from {
        let found = store.survey(&wanted, place, 10).wait().await.unwrap();
        tags.extend(
            found
                .tags
                .into_iter()
                .filter(|tag| !tags.contains(tag))
                .collect::<Vec<_>>(),
        );
        seen += found.seen;
        from = found.next;
    }
    (tags, seen)
}

/// Waits until the store answers again.
pub async fn answers(store: &RedisStore) {
    eventually("the store answers", async || lookup(store, "key").await.is_ok()).await;
}

pub async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "it did not come to be that {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until the replica has all that the primary was told.
pub async fn caught_up(replica: &RedisServer, primary: &RedisServer) {
    let offset = |server: &RedisServer, name: &str| replication(server, name).parse::<u64>();
    let written = offset(primary, "master_repl_offset:").unwrap();
    eventually("the replica has all records", async || {
        offset(replica, "slave_repl_offset:").is_ok_and(|read| read >= written)
    })
    .await;
}

fn replication(server: &RedisServer, name: &str) -> String {
    let info = server.cli(&["INFO", "replication"]);
    let value = info.lines().find_map(|line| line.strip_prefix(name));
    value.unwrap_or_default().trim().to_owned()
}

/// Waits until the replica has all that the primary was told, and cuts it off: it hears of nothing that is written later.
pub async fn cut_off(replica: &RedisServer, primary: &RedisServer) {
    caught_up(replica, primary).await;
    // Its next connection to the primary is refused, by itself.
    replica.cli(&["CONFIG", "SET", "masterauth", "wrong"]);
    primary.cli(&["CLIENT", "KILL", "TYPE", "replica"]);
    eventually("the replica is cut off", async || {
        replication(replica, "master_link_status:") == "down"
    })
    .await;
}
