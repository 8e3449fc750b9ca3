//! Turns: one of several processes makes what is missing, and the others are told how that ended, not left to find out.
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use larder_redis::{Place, RedisStore};
use larder_store::{
    Capture, Clock, Content, Entry, Kept, Key, Lease, Lifetime, Lookup, Store, StoredResponse, Strength, Tag,
    Turn, TurnEnd,
};
use larder_testkit::{Fault, FaultProxy, RedisSentinel, RedisServer};

const PATIENCE: Duration = Duration::from_secs(20);
const KEY: &[u8] = b"key";

async fn store(server: &RedisServer) -> RedisStore {
    let builder = RedisStore::builder(server.url())
        .namespace("shop")
        .budget(PATIENCE);
    builder.memory(0).connect().await.unwrap()
}

/// One that reaches the server through a proxy, and waits for `budget` for it.
async fn behind(proxy: &FaultProxy, server: &RedisServer, budget: Duration) -> RedisStore {
    let builder = RedisStore::builder(server.url_at(proxy.addr())).namespace("shop");
    builder.budget(budget).connect().await.unwrap()
}

fn tags() -> Vec<Tag> {
    vec![Tag::layer("shop"), Tag::new("jam")]
}

async fn capture(store: &RedisStore) -> Capture {
    store.capture(&tags()).wait().await.unwrap()
}

async fn turn(store: &RedisStore, capture: &Capture) -> Turn {
    store.turn(KEY, capture).wait().await.unwrap()
}

/// The turn, when it is nobody else's: an end that was told may not have reached the server yet.
async fn own(store: &RedisStore, capture: &Capture) -> Lease {
    let begun = Instant::now();
    loop {
        match turn(store, capture).await {
            Turn::Own(Some(lease)) => return lease,
            Turn::Others(waiting) if begun.elapsed() < PATIENCE => {
                let _ = waiting.await;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_is_told_how_the_turn_ended() {
    let server = RedisServer::start();
    let (one, two) = (store(&server).await, store(&server).await);
    let (first, second) = (capture(&one).await, capture(&two).await);
    for end in [TurnEnd::Made, TurnEnd::Unshared] {
        let begun = Instant::now();
        loop {
            let lease = own(&one, &first).await;
            let Turn::Others(waiting) = turn(&two, &second).await else {
                panic!("two have one turn");
            };
            lease.end(end);
            match waiting.await {
                // Nobody tells who does not listen yet: that one asks again.
                TurnEnd::Left => assert!(begun.elapsed() < PATIENCE, "nobody is told"),
                told => break assert_eq!(told, end),
            }
        }
    }
    let lease = own(&one, &first).await;
    let Turn::Others(waiting) = turn(&two, &second).await else {
        panic!("two have one turn");
    };
    drop(lease);
    assert_eq!(waiting.await, TurnEnd::Left);
    drop(own(&two, &second).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_told_when_the_entry_is_there_and_not_before() {
    let server = RedisServer::start();
    let (proxy, two) = (FaultProxy::before(server.addr()), store(&server).await);
    let one = behind(&proxy, &server, PATIENCE).await;
    // The entry is sent when a question before it was answered; what needs no answer overtakes it.
    proxy.set(Fault::Delay(Duration::from_millis(100)));
    for round in 0..4 {
        let (first, second) = (capture(&one).await, capture(&two).await);
        let lease = own(&one, &first).await;
        let body = format!("{round} {}", "x".repeat(1 << 18));
        let lifetime = Lifetime::fresh(Clock::system().now(), Duration::from_secs(600));
        let response = StoredResponse::new(StatusCode::OK, &HeaderMap::new(), Bytes::from(body.clone()));
        let entry = Entry::new(lifetime, Content::Response(response), tags());
        let put = async {
            let put = one.put(Key::from(KEY), entry, first.clone()).wait().await;
            assert_eq!(put.kept, Kept::Stored);
            lease.end(TurnEnd::Made);
        };
        let waits = async {
            let begun = Instant::now();
            loop {
                assert!(begun.elapsed() < PATIENCE, "it is never made");
                // The lease is not over before the entry is there: neither is its turn.
                let Turn::Others(waiting) = turn(&two, &second).await else {
                    return;
                };
                if waiting.await == TurnEnd::Made {
                    return;
                }
            }
        };
        tokio::join!(put, waits);
        let found = two.lookup(KEY).wait().await.unwrap();
        let Lookup::Fetched(entry) = found else {
            panic!("{found:?}");
        };
        assert_eq!(entry.response().unwrap().body, body.as_bytes());
        one.forget(&tags()[1..], Strength::Hard).wait().await.unwrap();
    }
}

#[tokio::test]
async fn who_saw_other_stamps_has_a_turn_of_its_own() {
    let server = RedisServer::start();
    let (one, two) = (store(&server).await, store(&server).await);
    let old = capture(&one).await;
    let lease = own(&one, &old).await;
    two.forget(&tags()[1..], Strength::Hard).wait().await.unwrap();
    // It does not wait for what an invalidation has made worthless.
    let new = capture(&two).await;
    drop(own(&two, &new).await);
    drop(lease);
}

#[tokio::test]
async fn a_turn_is_held_while_its_process_lives_and_lapses_with_it() {
    let server = RedisServer::start();
    let two = store(&server).await;
    let second = capture(&two).await;
    let dying = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let url = server.url();
    let lease = dying.spawn(async move {
        let one = RedisStore::builder(url).namespace("shop").budget(PATIENCE);
        let one = one.connect().await.unwrap();
        let first = capture(&one).await;
        own(&one, &first).await
    });
    let lease = lease.await.unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        assert!(
            matches!(turn(&two, &second).await, Turn::Others(_)),
            "it is renewed"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    dying.shutdown_background();
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "nobody else ever has the turn");
        match turn(&two, &second).await {
            Turn::Own(Some(own)) => break drop(own),
            Turn::Others(waiting) => assert_eq!(waiting.await, TurnEnd::Left),
            other => panic!("{other:?}"),
        }
    }
    drop(lease);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_could_not_be_told_is_told_when_the_server_is_reached_again() {
    let server = RedisServer::start();
    let (proxy, two) = (FaultProxy::before(server.addr()), store(&server).await);
    let one = behind(&proxy, &server, PATIENCE).await;
    let (first, second) = (capture(&one).await, capture(&two).await);
    let lease = own(&one, &first).await;
    proxy.set(Fault::Refuse);
    // It would not lapse by itself while this test waits.
    let name = server.cli(&["KEYS", "{shop}:f1:*"]);
    server.cli(&["PEXPIRE", name.trim(), "600000"]);
    lease.end(TurnEnd::Made);
    assert!(matches!(turn(&two, &second).await, Turn::Others(_)));
    proxy.set(Fault::None);
    drop(own(&two, &second).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_is_told_also_where_the_server_lost_the_lease() {
    let server = RedisServer::start();
    let (one, two) = (store(&server).await, store(&server).await);
    let (first, second) = (capture(&one).await, capture(&two).await);
    let begun = Instant::now();
    loop {
        let lease = own(&one, &first).await;
        let Turn::Others(waiting) = turn(&two, &second).await else {
            panic!("two have one turn");
        };
        server.cli(&["DEL", server.cli(&["KEYS", "{shop}:f1:*"]).trim()]);
        lease.end(TurnEnd::Made);
        match waiting.await {
            // Nobody tells who does not listen yet: that one asks again.
            TurnEnd::Left => assert!(begun.elapsed() < PATIENCE, "nobody is told"),
            told => break assert_eq!(told, TurnEnd::Made),
        }
    }
}

/// The channel follows the records: the primary of before answers on, and tells of nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_is_told_by_the_primary_of_now() {
    let redis = RedisSentinel::builder().sentinels(3).start();
    let shop = async || {
        let place = Place::sentinel(redis.name(), redis.urls());
        let builder = RedisStore::builder(place).namespace("shop").budget(PATIENCE);
        builder.memory(0).connect().await.unwrap()
    };
    let (one, two) = (shop().await, shop().await);
    is_told(&one, &two).await;
    let new = redis.replace_primary();
    for (store, name) in [(&one, "one"), (&two, "two")] {
        let begun = Instant::now();
        // It makes a record of each tag where it asks.
        let keys = || redis.server(new).cli(&["DBSIZE"]);
        let before = keys();
        for number in 0.. {
            assert!(begun.elapsed() < PATIENCE, "the new primary is not asked");
            let _ = store.capture(&[Tag::new(format!("{name}{number}"))]).wait().await;
            if keys() != before {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    is_told(&one, &two).await;
}

/// Waits until one of two processes is told by the other how its turn ended.
async fn is_told(one: &RedisStore, two: &RedisStore) {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "nobody is told");
        let first = one.capture(&tags()).wait().await;
        let second = two.capture(&tags()).wait().await;
        let (Ok(first), Ok(second)) = (first, second) else {
            continue;
        };
        let Ok(Turn::Own(Some(lease))) = one.turn(KEY, &first).wait().await else {
            continue;
        };
        // They may be of two servers, for a moment.
        let Ok(Turn::Others(waiting)) = two.turn(KEY, &second).wait().await else {
            continue;
        };
        lease.end(TurnEnd::Made);
        if waiting.await == TurnEnd::Made {
            return;
        }
    }
}

/// A turn that the server gave, and that who asked for it never heard of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_turn_that_nobody_knows_of() {
    for fault in [Fault::LoseAnswers, Fault::Delay(Duration::from_secs(1))] {
        let server = RedisServer::start();
        let (proxy, two) = (FaultProxy::before(server.addr()), store(&server).await);
        let one = behind(&proxy, &server, Duration::from_millis(500)).await;
        let (first, second) = (capture(&one).await, capture(&two).await);
        proxy.set(fault.clone());
        // It fails for one of them, and the other is asked for by who goes away.
        let asked = tokio::time::timeout(
            if matches!(fault, Fault::LoseAnswers) {
                PATIENCE
            } else {
                Duration::from_millis(200)
            },
            one.turn(KEY, &first).wait(),
        );
        assert!(!matches!(asked.await, Ok(Ok(_))));
        // It would not lapse by itself while this test waits.
        server.cli(&["PEXPIRE", server.cli(&["KEYS", "{shop}:f1:*"]).trim(), "600000"]);
        proxy.set(Fault::None);
        drop(own(&two, &second).await);
    }
}

/// Whoever cannot be told of others goes on without them.
#[tokio::test]
async fn a_server_that_is_gone_or_holds_nonsense_is_no_reason_to_wait() {
    let mut server = RedisServer::start();
    let one = store(&server).await;
    let first = capture(&one).await;
    let lease = own(&one, &first).await;
    let name = server.cli(&["KEYS", "{shop}:f1:*"]);
    server.cli(&["SET", name.trim(), "nonsense"]);
    // It lasts no longer than a lease, and nobody else's is ended.
    assert!(matches!(turn(&one, &first).await, Turn::Others(_)));
    let left: i64 = server.cli(&["PTTL", name.trim()]).trim().parse().unwrap();
    assert!((1..=2_000).contains(&left), "{left} ms");
    drop(lease);
    server.cli(&["DEL", name.trim()]);
    server.cli(&["LPUSH", name.trim(), "a list"]);
    one.turn(KEY, &first).wait().await.unwrap_err();
    server.kill();
    one.turn(KEY, &first).wait().await.unwrap_err();
}
