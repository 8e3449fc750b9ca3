//! What the store tells those who look: what it holds in this process, how it is, and whether its server answers.
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use larder_redis::{Coherence, RedisStore};
use larder_store::{
    Breaker, Clock, Content, Entry, Key, Lifetime, Store, StoreErrorKind, StoredResponse, Strength, Tag,
};
use larder_testkit::RedisServer;

const PATIENCE: Duration = Duration::from_secs(20);

async fn fill(store: &RedisStore, key: &[u8]) {
    let tags = [Tag::layer("shop")];
    let capture = store.capture(&tags).wait().await.unwrap();
    let lifetime = Lifetime::fresh(Clock::system().now(), Duration::from_secs(600));
    let response = StoredResponse::new(StatusCode::OK, &HeaderMap::new(), Bytes::from_static(b"jam"));
    let entry = Entry::new(lifetime, Content::Response(response), tags.to_vec());
    store.put(Key::from(key), entry, capture).wait().await;
}

/// The keys that it shows, until it has shown `most`.
fn shown(store: &RedisStore, most: usize) -> Option<Vec<Vec<u8>>> {
    let mut keys = Vec::new();
    let can = store.visit(&mut |key, _| {
        keys.push(key.as_bytes().to_vec());
        if keys.len() == most {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    keys.sort();
    can.then_some(keys)
}

async fn until(what: &str, is: impl AsyncFn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is().await {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_is_in_this_process_is_shown_until_it_is_enough() {
    let server = RedisServer::start();
    let builder = || RedisStore::builder(server.url()).budget(PATIENCE);
    let store = builder().connect().await.unwrap();
    for key in [b"a", b"b", b"c"] {
        fill(&store, key).await;
    }
    assert_eq!(shown(&store, 9).unwrap(), [b"a", b"b", b"c"]);
    assert_eq!(shown(&store, 2).unwrap().len(), 2);
    let mut stamps = Vec::new();
    store.visit(&mut |_, entry| {
        stamps.push(store.stamp(entry).unwrap());
        ControlFlow::Continue(())
    });
    stamps.dedup();
    assert_eq!(stamps.len(), 1, "nothing was forgotten between them: {stamps:?}");
    assert!(stamps[0].contains(" of "), "a number of a generation: {stamps:?}");
    let without = builder().memory(0).connect().await.unwrap();
    assert_eq!(shown(&without, 9), None, "it has nothing that it could show");
}

#[tokio::test]
async fn it_tells_how_it_is_while_its_server_goes_and_comes() {
    let mut server = RedisServer::start();
    let store = RedisStore::builder(server.url())
        .coherence(Coherence::Bounded(Duration::from_millis(100)))
        .connect()
        .await
        .unwrap();
    assert_eq!(store.condition().breaker, Some(Breaker::Closed));
    store.probe().wait().await.unwrap();
    fill(&store, b"a").await;
    // The feed is begun by the first look-up.
    until("the feed is not heard", async || {
        drop(store.lookup(b"a").wait().await);
        store.condition().feed == Some(true)
    })
    .await;

    server.kill();
    let answer = store.forget(&[Tag::layer("shop")], Strength::Hard).wait().await;
    assert!(answer.is_err());
    let down = store.condition();
    assert_eq!((down.breaker, down.owed), (Some(Breaker::Open), 1));
    assert!(down.failure.is_some());
    let error = store.probe().wait().await.unwrap_err();
    assert_eq!(
        error.kind(),
        StoreErrorKind::Unavailable,
        "it does not wait for a server that is down"
    );
    until("the feed is heard of a dead server", async || {
        store.condition().feed == Some(false)
    })
    .await;

    server.restart();
    until("it is not used again", async || {
        store.probe().wait().await.is_ok()
    })
    .await;
    let back = store.condition();
    assert_eq!(
        (back.breaker, back.owed, back.failure),
        (Some(Breaker::Closed), 0, None)
    );
}
