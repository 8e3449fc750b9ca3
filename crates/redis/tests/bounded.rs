//! `Coherence::Bounded`: a hit asks nobody, and is never older than the bound after an invalidation completed.
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use larder_redis::{Coherence, RedisStore};
use larder_store::{
    Answer, Clock, Content, Entry, Kept, Key, Lifetime, Lookup, Store, StoredResponse, Strength, Tag,
};
use larder_testkit::RedisServer;

const PATIENCE: Duration = Duration::from_secs(20);
/// Long, so that a busy machine has time to hear itself; what must be seen at once is waited for.
const BOUND: Duration = Duration::from_secs(2);

async fn store(server: &RedisServer, coherence: Coherence) -> RedisStore {
    let builder = RedisStore::builder(server.url())
        .namespace("shop")
        .budget(PATIENCE);
    builder.coherence(coherence).connect().await.unwrap()
}

async fn fill(store: &RedisStore, key: &str, body: &str, tag: &str) {
    let tags = [Tag::layer("shop"), Tag::new(tag)];
    let capture = store.capture(&tags).wait().await.unwrap();
    let lifetime = Lifetime::fresh(Clock::system().now(), Duration::from_secs(600));
    let response = StoredResponse::new(
        StatusCode::OK,
        &HeaderMap::new(),
        Bytes::copy_from_slice(body.as_bytes()),
    );
    let entry = Entry::new(lifetime, Content::Response(response), tags.to_vec());
    let put = store.put(Key::from(key.as_bytes()), entry, capture).wait().await;
    assert_eq!(put.kept, Kept::Stored);
    store.flush().await;
}

fn text(found: &Lookup) -> Option<String> {
    match found {
        Lookup::Found(entry) | Lookup::Fetched(entry) => {
            Some(String::from_utf8(entry.response()?.body.to_vec()).unwrap())
        }
        _ => None,
    }
}

/// What a look-up finds without asking, if it finds anything so.
fn at_once(store: &RedisStore, key: &str) -> Option<String> {
    match store.lookup(key.as_bytes()) {
        Answer::Ready(Ok(found)) => text(&found),
        _ => None,
    }
}

async fn asked(store: &RedisStore, key: &str) -> Option<String> {
    text(&store.lookup(key.as_bytes()).wait().await.ok()?)
}

async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "it did not come to be that {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until a hit asks nobody.
async fn settled(store: &RedisStore, key: &str) {
    eventually("a hit asks nobody", async || {
        asked(store, key).await;
        at_once(store, key).is_some()
    })
    .await;
}

async fn forget(store: &RedisStore, tag: &str) {
    store
        .forget(&[Tag::new(tag)], Strength::Hard)
        .wait()
        .await
        .unwrap();
}

fn calls(server: &RedisServer, command: &str) -> u64 {
    let stats = server.cli(&["INFO", "commandstats"]);
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_asks_nobody_and_an_invalidation_elsewhere_is_told() {
    let server = RedisServer::start();
    let (writer, reader) = (
        store(&server, Coherence::Strict).await,
        store(&server, Coherence::Bounded(BOUND)).await,
    );
    fill(&writer, "key", "0", "jars").await;
    fill(&writer, "other", "other", "bread").await;
    for version in 1..20 {
        settled(&reader, "key").await;
        settled(&reader, "other").await;
        let before = calls(&server, "mget");
        for _ in 0..1_000 {
            at_once(&reader, "other");
        }
        assert_eq!(
            calls(&server, "mget"),
            before,
            "a thousand hits, and the server was asked nothing"
        );
        forget(&writer, "jars").await;
        let body = version.to_string();
        eventually("the change is told", async || at_once(&reader, "key").is_none()).await;
        assert_eq!(
            asked(&reader, "key").await,
            None,
            "the entry is dead, not merely doubted"
        );
        fill(&writer, "key", &body, "jars").await;
        assert_eq!(asked(&reader, "key").await, Some(body));
    }
    assert_eq!(
        calls(&server, "get"),
        40,
        "the other body was fetched once, and each version of this one twice"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_look_up_knows_of_every_invalidation_that_was_complete() {
    let server = RedisServer::start();
    let (writer, reader) = (
        store(&server, Coherence::Strict).await,
        store(&server, Coherence::Bounded(BOUND)).await,
    );
    let strictly = async || text(&reader.lookup_strictly(b"key").wait().await.unwrap());
    for version in 0..50 {
        let version = version.to_string();
        fill(&writer, "key", &version, "jars").await;
        settled(&reader, "key").await;
        assert_eq!(strictly().await, Some(version));
        forget(&writer, "jars").await;
        // Whether it was told of it by now or not.
        assert_eq!(strictly().await, None);
    }
}

/// Whatever is lost on the way: the feed of the reader is closed, or hangs with its server, at any moment.
#[tokio::test(flavor = "multi_thread")]
async fn no_hit_is_older_than_the_bound() {
    let server = RedisServer::start();
    let bound = Duration::from_millis(300);
    let (writer, reader) = (
        store(&server, Coherence::Strict).await,
        store(&server, Coherence::Bounded(bound)).await,
    );
    fill(&writer, "key", "0", "jars").await;
    let (mut at_once_hits, mut served) = (0, 0);
    for version in 1..=12 {
        settled(&reader, "key").await;
        match version % 3 {
            0 => drop(server.cli(&["CLIENT", "KILL", "TYPE", "pubsub"])),
            1 => drop(server.cli(&["FLUSHALL"])),
            _ => {}
        }
        forget(&writer, "jars").await;
        let done = Instant::now();
        while done.elapsed() < 2 * bound {
            let began = Instant::now();
            if let Some(seen) = at_once(&reader, "key") {
                at_once_hits += 1;
                assert!(
                    began < done + bound,
                    "{seen} was served {:?} after it was forgotten",
                    began - done
                );
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        fill(&writer, "key", &version.to_string(), "jars").await;
        settled(&reader, "key").await;
        served += usize::from(at_once(&reader, "key") == Some(version.to_string()));
    }
    assert!(
        served >= 6,
        "it is of use between the faults: {served}, and {at_once_hits} within the bound"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_ends_what_is_proved() {
    let server = RedisServer::start();
    let bound = Duration::from_millis(300);
    let builder = RedisStore::builder(server.url())
        .namespace("shop")
        .coherence(Coherence::Bounded(bound));
    let reader = builder.budget(Duration::from_millis(200)).open().unwrap();
    eventually("it connects", async || reader.lookup(b"key").wait().await.is_ok()).await;
    fill(&reader, "key", "0", "jars").await;
    settled(&reader, "key").await;
    server.stop();
    let stopped = Instant::now();
    eventually("nothing is served without asking", async || {
        let hit = at_once(&reader, "key").is_some();
        assert!(!hit || stopped.elapsed() < bound + PATIENCE / 10);
        !hit
    })
    .await;
    tokio::time::sleep(bound).await;
    assert_eq!(at_once(&reader, "key"), None, "and it stays so");
    assert!(reader.lookup(b"key").wait().await.is_err());
    server.cont();
    settled(&reader, "key").await;
}

/// A reconnect puts everything in doubt and throws no body away.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_outlive_a_lapse() {
    let server = RedisServer::start();
    let reader = store(&server, Coherence::Bounded(BOUND)).await;
    for n in 0..50 {
        fill(&reader, &n.to_string(), "jam", &format!("tag {n}")).await;
    }
    settled(&reader, "0").await;
    server.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    eventually("the lapse is noticed", async || at_once(&reader, "0").is_none()).await;
    let fetched = calls(&server, "get");
    for n in 0..50 {
        settled(&reader, &n.to_string()).await;
        assert_eq!(at_once(&reader, &n.to_string()).as_deref(), Some("jam"));
    }
    assert_eq!(calls(&server, "get"), fetched, "each asked for its stamps alone");
}

/// Who forgets sees it here at once, whatever the feed has told by then.
#[tokio::test(flavor = "multi_thread")]
async fn the_writer_sees_its_own_invalidation() {
    let server = RedisServer::start();
    let one = store(&server, Coherence::Bounded(BOUND)).await;
    for version in 0..100 {
        fill(&one, "key", &version.to_string(), "jars").await;
        settled(&one, "key").await;
        if version % 10 == 9 {
            one.forget_everything(Strength::Hard).wait().await.unwrap();
        } else {
            forget(&one, "jars").await;
        }
        assert_eq!(asked(&one, "key").await, None);
    }
}

/// Fills race invalidations on three instances; whatever is proved on one is never older than the bound.
#[tokio::test(flavor = "multi_thread")]
async fn installs_that_race_invalidations_leave_nothing_stale_for_good() {
    let server = RedisServer::start();
    let writer = store(&server, Coherence::Strict).await;
    let reader = store(&server, Coherence::Bounded(BOUND)).await;
    fill(&writer, "key", "0", "jars").await;
    settled(&reader, "key").await;
    let mut proved = 0;
    for version in 1..=300 {
        let reading = tokio::spawn({
            let reader = reader.clone();
            async move {
                for _ in 0..4 {
                    asked(&reader, "key").await;
                }
            }
        });
        forget(&writer, "jars").await;
        fill(&writer, "key", &version.to_string(), "jars").await;
        reading.await.unwrap();
        // The push of this invalidation has been sent before the answer to it; when the reader's next beat is heard, it was
        // told. Till then what is proved may be old; from then on it must not.
        if version % 20 == 0 {
            eventually("the new version is seen", async || {
                asked(&reader, "key").await;
                at_once(&reader, "key") == Some(version.to_string())
            })
            .await;
            for _ in 0..100 {
                assert_eq!(
                    at_once(&reader, "key").unwrap_or_else(|| version.to_string()),
                    version.to_string()
                );
            }
            proved += 1;
        }
    }
    assert_eq!(proved, 15);
}
