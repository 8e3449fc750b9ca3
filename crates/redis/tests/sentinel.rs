//! What becomes of entries and callers when Sentinels make another server the primary.
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

mod support;

use std::time::{Duration, Instant};

use larder_redis::{Coherence, Place, RedisStore};
use larder_store::{Lookup, StoreErrorKind, Useless};
use larder_testkit::{Fault, FaultProxy, RedisSentinel};
use support::{answers, at_once, capture, eventually, fill, fill_in_time, forget, hit, lookup, put, shop};

const ROOT: &str = "{shop}:root";

fn place(redis: &RedisSentinel) -> Place {
    Place::sentinel(redis.name(), redis.urls())
}

async fn store(redis: &RedisSentinel) -> RedisStore {
    shop(place(redis)).connect().await.unwrap()
}

/// Waits until what the primary of before knew is a miss.
async fn is_of_another_life(store: &RedisStore) {
    eventually("the entry is of another life", async || {
        matches!(
            lookup(store, "key").await,
            Ok(Lookup::Useless(Useless::Epoch) | Lookup::Absent)
        )
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(larder_mutant = "redis_ignores_run_id", should_panic)]
async fn a_replica_that_takes_over_brings_nothing_back() {
    let mut redis = RedisSentinel::start();
    let (store, other) = (store(&redis).await, store(&redis).await);
    let before = redis.primary();
    fill(&store, "key", "old").await;
    assert_eq!(hit(&other, "key").await.as_deref(), Some("old"));
    support::cut_off(redis.server(1 - before), redis.server(before)).await;
    forget(&store).await.unwrap();
    assert_eq!(hit(&other, "key").await, None);
    let captured = capture(&store).await.unwrap();
    let after = tokio::task::block_in_place(|| redis.lose_primary());
    is_of_another_life(&store).await;
    is_of_another_life(&other).await;
    let there = redis.server(after).cli(&["EXISTS", ROOT]);
    assert_eq!(
        there, "1",
        "the records of before are there, and the old entry with them"
    );
    put(&store, "key", "old", captured).await;
    assert_eq!(hit(&other, "key").await, None, "a fill of before was taken in");
    fill_in_time(&store, "key", "new").await;
    assert_eq!(hit(&other, "key").await.as_deref(), Some("new"));
}

/// The same process is the primary again.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(
    any(
        larder_mutant = "redis_ignores_promotions",
        larder_mutant = "redis_ignores_run_id"
    ),
    should_panic
)]
async fn a_primary_that_was_none_in_between_is_another_one() {
    let mut redis = RedisSentinel::start();
    let store = store(&redis).await;
    let first = redis.primary();
    fill(&store, "key", "old").await;
    drop(store);
    tokio::task::block_in_place(|| {
        redis.failover();
        redis.failover();
    });
    assert_eq!(redis.primary(), first);
    let store = shop(place(&redis)).open().unwrap();
    answers(&store).await;
    is_of_another_life(&store).await;
    fill_in_time(&store, "key", "new").await;
}

/// A primary that answers its clients and is no primary any more for most Sentinels.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(larder_mutant = "redis_believes_any_primary", should_panic)]
async fn a_primary_that_was_replaced_is_not_read_from() {
    for coherence in [Coherence::Strict, Coherence::Bounded(Duration::from_secs(600))] {
        let redis = RedisSentinel::builder().sentinels(3).start();
        let store = shop(place(&redis)).coherence(coherence).connect().await.unwrap();
        let old = redis.primary();
        fill(&store, "key", "old").await;
        settle(&store, coherence).await;
        let _ = redis.replace_primary();
        // Who asks now finds the new one, and forgets there.
        let writer = shop(place(&redis)).open().unwrap();
        eventually("the new primary is used", async || forget(&writer).await.is_ok()).await;
        let role = redis.server(old).cli(&["ROLE"]);
        eventually("the old one is left", async || hit(&store, "key").await.is_none()).await;
        assert!(role.starts_with("master"), "it was not told: {role}");
        for _ in 0..50 {
            assert_eq!(hit(&store, "key").await, None);
        }
        fill_in_time(&store, "key", "new").await;
        assert_eq!(hit(&writer, "key").await.as_deref(), Some("new"));
        // Who listens has left the old one too.
        settle(&store, coherence).await;
    }
}

async fn settle(store: &RedisStore, coherence: Coherence) {
    eventually("it is settled", async || {
        hit(store, "key").await;
        coherence == Coherence::Strict || at_once(store, "key").is_some()
    })
    .await;
}

/// An instance that is cut off from most Sentinels may be cut off together with a primary that is none any more.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(larder_mutant = "redis_believes_any_primary", should_panic)]
async fn who_hears_a_minority_of_sentinels_reads_nothing() {
    let redis = RedisSentinel::builder().sentinels(3).start();
    let proxies: Vec<FaultProxy> = redis
        .sentinels()
        .iter()
        .map(|sentinel| FaultProxy::before(sentinel.addr()))
        .collect();
    let urls = proxies.iter().map(|proxy| format!("redis://{}/", proxy.addr()));
    let place = Place::sentinel(redis.name(), urls);
    let bounded = Coherence::Bounded(Duration::from_secs(600));
    let open = async |coherence| shop(place.clone()).coherence(coherence).connect().await.unwrap();
    let (strict, told) = (open(Coherence::Strict).await, open(bounded).await);
    fill_in_time(&strict, "key", "jam").await;
    for fault in [Fault::Stall, Fault::Refuse] {
        settle(&told, bounded).await;
        proxies[0].set(fault.clone());
        // For longer than a confirmation is believed.
        tokio::time::sleep(Duration::from_secs(3)).await;
        settle(&told, bounded).await;
        for store in [&strict, &told] {
            let body = hit(store, "key").await;
            assert_eq!(body.as_deref(), Some("jam"), "two of three are enough");
        }
        proxies[1].set(fault.clone());
        let cut = Instant::now();
        tokio::join!(
            reads_nothing_once_the_lease_is_over(&strict, cut),
            reads_nothing_once_the_lease_is_over(&told, cut)
        );
        for store in [&strict, &told] {
            let error = lookup(store, "key").await.unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Unavailable);
            assert_eq!(at_once(store, "key"), None);
        }
        proxies[0].set(Fault::None);
        proxies[1].set(Fault::None);
        for store in [&strict, &told] {
            eventually("it is the same life", async || {
                hit(store, "key").await.as_deref() == Some("jam")
            })
            .await;
        }
    }
}

/// For how long it is believed who the primary is, after most Sentinels have said so.
const LEASE: Duration = Duration::from_secs(2);

/// Looks up until nothing is read: whatever begins later than the lease allows, at the latest, finds nothing.
async fn reads_nothing_once_the_lease_is_over(store: &RedisStore, cut: Instant) {
    eventually("nothing is read", async || {
        let may_read = cut.elapsed() <= LEASE;
        let read = at_once(store, "key").is_some() || lookup(store, "key").await.is_ok();
        assert!(may_read || !read, "it is believed for longer than {LEASE:?}");
        !may_read
    })
    .await;
}

/// Nothing runs in the background any more, as in a process that has no time for it: nobody is there to end the lease.
#[test]
fn a_lease_is_over_by_itself() {
    let redis = RedisSentinel::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.unwrap();
    let bounded = Coherence::Bounded(Duration::from_secs(600));
    let store = runtime.block_on(async {
        let store = shop(place(&redis)).coherence(bounded).connect().await.unwrap();
        fill(&store, "key", "jam").await;
        settle(&store, bounded).await;
        store
    });
    let begun = Instant::now();
    while begun.elapsed() <= LEASE {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(at_once(&store, "key"), None);
    runtime.block_on(settle(&store, bounded));
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_for_the_servers_and_a_url_says_it_all() {
    let redis = RedisSentinel::builder().password("s3cret").start();
    let hosts = redis.urls().join(",").replace("redis://", "").replace('/', "");
    let url = format!("redis+sentinel://:s3cret@{hosts}/{}/2", redis.name());
    let store = shop(&url).connect().await.unwrap();
    fill(&store, "key", "jam").await;
    let place = place(&redis).servers("redis://:s3cret@localhost/2");
    let other = shop(place).connect().await.unwrap();
    assert_eq!(hit(&other, "key").await.as_deref(), Some("jam"));
    assert!(!format!("{other:?}").contains("s3cret"));
    let wrong = format!("redis+sentinel://:s3cret@{hosts}/another");
    let error = RedisStore::connect(wrong).await.unwrap_err().to_string();
    assert!(error.contains("Sentinels"), "{error}");
    for nothing in ["redis+sentinel://a:1/", "redis+cluster://"] {
        assert!(RedisStore::builder(nothing).open().is_err(), "{nothing}");
    }
    let none = Place::cluster(Vec::<String>::new());
    assert!(RedisStore::builder(none).open().is_err());
}
