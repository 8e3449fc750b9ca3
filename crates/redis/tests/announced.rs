//! A change that is announced before it is made leaves nothing stale behind, even if its writer dies.
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use larder_redis::{Coherence, RedisStore};
use larder_store::{
    Announcement, Clock, Content, Entry, Key, Lifetime, Lookup, Store, StoredResponse, Strength, Tag, Useless,
};
use larder_testkit::RedisServer;

const PATIENCE: Duration = Duration::from_secs(20);
/// Longer than the test.
const LONG: Duration = Duration::from_secs(600);

fn tags() -> [Tag; 2] {
    [Tag::layer("shop"), Tag::new("jars")]
}

async fn store(server: &RedisServer, coherence: Coherence) -> RedisStore {
    let builder = RedisStore::builder(server.url())
        .budget(PATIENCE)
        .coherence(coherence);
    builder.connect().await.unwrap()
}

async fn fill(store: &RedisStore, body: &str) {
    let capture = store.capture(&tags()).wait().await.unwrap();
    let lifetime = Lifetime::fresh(Clock::system().now(), Duration::from_secs(600));
    let body = Bytes::copy_from_slice(body.as_bytes());
    let response = StoredResponse::new(StatusCode::OK, &HeaderMap::new(), body);
    let entry = Entry::new(lifetime, Content::Response(response), tags().to_vec());
    store.put(Key::from(&b"key"[..]), entry, capture).wait().await;
    store.flush().await;
}

async fn lookup(store: &RedisStore) -> Lookup {
    store.lookup(b"key").wait().await.unwrap()
}

async fn hit(store: &RedisStore) -> Option<String> {
    match lookup(store).await {
        Lookup::Found(entry) | Lookup::Fetched(entry) => {
            Some(String::from_utf8(entry.response()?.body.to_vec()).unwrap())
        }
        _ => None,
    }
}

async fn announce(store: &RedisStore, lasts: Duration) -> Announcement {
    store.announce(&[Tag::new("jars")], lasts).wait().await.unwrap()
}

async fn finish(store: &RedisStore, announcement: Announcement) {
    store
        .finish(&[Tag::new("jars")], announcement)
        .wait()
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn between_announcement_and_end_nothing_is_served_or_kept() {
    let server = RedisServer::start();
    for coherence in [Coherence::Strict, Coherence::Bounded(Duration::from_secs(2))] {
        let (one, two) = (
            store(&server, coherence).await,
            store(&server, Coherence::Strict).await,
        );
        fill(&one, "old").await;
        assert_eq!(hit(&two).await.as_deref(), Some("old"));
        let (first, second) = (announce(&one, LONG).await, announce(&two, LONG).await);
        for store in [&one, &two] {
            assert!(matches!(lookup(store).await, Lookup::Useless(Useless::Intent)));
            fill(store, "of the meantime").await;
            assert_eq!(hit(store).await, None);
        }
        finish(&one, first).await;
        // What one ends, and what anybody forgets, leaves the other's announcement.
        one.forget(&[Tag::new("jars")], Strength::Hard)
            .wait()
            .await
            .unwrap();
        fill(&one, "of the meantime").await;
        assert_eq!((hit(&one).await, hit(&two).await), (None, None));
        finish(&two, second).await;
        assert_eq!(
            (hit(&one).await, hit(&two).await),
            (None, None),
            "what was kept meanwhile is forgotten"
        );
        fill(&two, "new").await;
        assert_eq!(hit(&one).await.as_deref(), Some("new"));
        one.forget_everything(Strength::Hard).wait().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_writer_that_died_had_announced_is_forgotten_in_the_end() {
    let server = RedisServer::start();
    let (one, two) = (
        store(&server, Coherence::Strict).await,
        store(&server, Coherence::Strict).await,
    );
    fill(&one, "old").await;
    announce(&one, Duration::from_millis(50)).await;
    drop(one);
    let begun = Instant::now();
    while hit(&two).await.as_deref() != Some("new") {
        assert_ne!(hit(&two).await.as_deref(), Some("old"), "it came back");
        assert!(begun.elapsed() < PATIENCE, "nothing is kept any more");
        fill(&two, "new").await;
    }
}
