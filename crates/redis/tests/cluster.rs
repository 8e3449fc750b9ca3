//! What becomes of entries and callers when a Cluster fails over, moves slots, or has a node that hangs.
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

mod support;

use std::time::{Duration, Instant};

use larder_redis::{Coherence, Place, RedisStore};
use larder_store::{Lookup, Store, StoreErrorKind, Useless};
use larder_testkit::RedisCluster;
use support::{
    PATIENCE, answers, at_once, capture, eventually, fill, fill_in_time, forget, hit, lookup, put, shop,
};

const ROOT: &str = "{shop}:root";

fn place(cluster: &RedisCluster) -> Place {
    Place::cluster(cluster.urls())
}

async fn store(cluster: &RedisCluster) -> RedisStore {
    shop(place(cluster)).connect().await.unwrap()
}

/// The name of the entry under `key`, wherever it lies.
fn entries(cluster: &RedisCluster) -> Vec<String> {
    let all = cluster
        .nodes()
        .iter()
        .map(|node| node.cli(&["KEYS", "shop:e1:*"]));
    all.flat_map(|names| names.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_on_one_node_and_entries_on_all() {
    let cluster = RedisCluster::start();
    // One of the URLs is enough to begin with, whichever it is.
    for url in cluster.urls() {
        let store = shop(Place::cluster([url.clone()])).connect().await.unwrap();
        fill(&store, "key", &url).await;
        assert_eq!(hit(&store, "key").await, Some(url));
    }
    let hosts = cluster.urls().join(",").replace("redis://", "").replace('/', "");
    let store = shop(format!("redis+cluster://{hosts}")).connect().await.unwrap();
    for n in 0..60 {
        fill(&store, &n.to_string(), "jam").await;
    }
    let count = |node: usize, pattern: &str| cluster.node(node).cli(&["KEYS", pattern]).lines().count();
    let owner = cluster.owner_of(ROOT);
    for node in 0..3 {
        assert_eq!(count(node, "{shop}:*"), if node == owner { 4 } else { 0 });
        assert!(count(node, "shop:e1:*") > 5, "entries are spread");
    }
    let (tags, seen) = support::survey(&store).await;
    // The one from above as well.
    assert_eq!((seen, tags.len()), (61, 2));
    assert!(support::tags().iter().all(|tag| tags.contains(tag)));
    let reader = shop(place(&cluster)).memory(0).connect().await.unwrap();
    for n in 0..60 {
        assert_eq!(hit(&reader, &n.to_string()).await.as_deref(), Some("jam"));
    }
    forget(&store).await.unwrap();
    for n in 0..60 {
        assert_eq!(hit(&reader, &n.to_string()).await, None);
    }
}

/// The replica that takes over was never told of an invalidation that was acknowledged.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(larder_mutant = "redis_ignores_run_id", should_panic)]
async fn a_replica_that_takes_over_brings_nothing_back() {
    let mut cluster = RedisCluster::builder().replicated().start();
    let (store, other) = (store(&cluster).await, store(&cluster).await);
    let owner = cluster.owner_of(ROOT);
    fill(&store, "key", "old").await;
    assert_eq!(hit(&other, "key").await.as_deref(), Some("old"));
    support::cut_off(cluster.replica(owner), cluster.node(owner)).await;
    forget(&store).await.unwrap();
    assert_eq!(hit(&other, "key").await, None);
    let before = capture(&store).await.unwrap();
    cluster.lose(owner);
    for store in [&store, &other] {
        answers(store).await;
        assert!(matches!(
            lookup(store, "key").await,
            Ok(Lookup::Useless(Useless::Epoch) | Lookup::Absent)
        ));
    }
    let names = cluster.replica(owner).cli(&["EXISTS", ROOT]);
    assert_eq!(
        names, "1",
        "the records of before are there, and the old entry with them"
    );
    fill_in_time(&store, "other", "new").await;
    assert_eq!(hit(&store, "key").await, None);
    assert_eq!(hit(&other, "key").await, None);
    put(&store, "key", "old", before).await;
    assert_eq!(hit(&other, "key").await, None, "a fill of before was taken in");
    fill_in_time(&store, "key", "new").await;
    eventually("the other sees it", async || {
        hit(&other, "key").await.as_deref() == Some("new")
    })
    .await;
}

/// The same process is the primary again, and nobody asked while it was not.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(
    any(
        larder_mutant = "redis_ignores_promotions",
        larder_mutant = "redis_ignores_run_id"
    ),
    should_panic
)]
async fn a_primary_that_was_none_in_between_is_another_one() {
    let cluster = RedisCluster::builder().replicated().start();
    let store = store(&cluster).await;
    let owner = cluster.owner_of(ROOT);
    fill(&store, "key", "old").await;
    cluster.swap(owner);
    cluster.swap(owner);
    eventually("it is noticed", async || {
        matches!(
            lookup(&store, "key").await,
            Ok(Lookup::Useless(Useless::Epoch) | Lookup::Absent)
        )
    })
    .await;
    let fresh = self::store(&cluster).await;
    assert!(matches!(
        lookup(&fresh, "key").await,
        Ok(Lookup::Useless(Useless::Epoch) | Lookup::Absent)
    ));
    fill_in_time(&store, "key", "new").await;
    assert_eq!(hit(&fresh, "key").await.as_deref(), Some("new"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_records_move_to_another_node_under_load() {
    let cluster = RedisCluster::start();
    let builder = shop(place(&cluster)).invalidation_budget(Duration::from_millis(300));
    let store = builder.connect().await.unwrap();
    let other = self::store(&cluster).await;
    fill(&store, "key", "old").await;
    let to = (cluster.owner_of(ROOT) + 1) % 3;
    let runtime = tokio::runtime::Handle::current();
    let mut steps = 0;
    tokio::task::block_in_place(|| {
        cluster.move_slot(ROOT, to, || {
            steps += 1;
            if steps == 1 {
                // All records are still where they were.
                assert_eq!(runtime.block_on(hit(&other, "key")).as_deref(), Some("old"));
                return;
            }
            // They are together on no node: nothing is served, and an invalidation is owed.
            assert_eq!(runtime.block_on(hit(&other, "key")), None);
            assert!(runtime.block_on(forget(&store)).is_err());
            assert!(runtime.block_on(lookup(&store, "key")).is_err());
        });
    });
    assert_eq!(steps, 2);
    answers(&store).await;
    answers(&other).await;
    assert_eq!(hit(&other, "key").await, None);
    fill_in_time(&store, "key", "new").await;
    eventually("the other sees it", async || {
        hit(&other, "key").await.as_deref() == Some("new")
    })
    .await;
    assert_eq!(cluster.node(to).cli(&["EXISTS", ROOT]), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_found_while_and_after_it_moves() {
    let cluster = RedisCluster::start();
    let (store, reader) = (
        store(&cluster).await,
        shop(place(&cluster)).memory(0).connect().await.unwrap(),
    );
    fill(&store, "key", "jam").await;
    let name = entries(&cluster).pop().unwrap();
    let to = (cluster.owner_of(&name) + 1) % 3;
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        cluster.move_slot(&name, to, || {
            assert_eq!(runtime.block_on(hit(&reader, "key")).as_deref(), Some("jam"));
        });
    });
    assert_eq!(hit(&reader, "key").await.as_deref(), Some("jam"));
    fill(&store, "key", "more").await;
    assert_eq!(hit(&reader, "key").await.as_deref(), Some("more"));
    assert_eq!(cluster.node(to).cli(&["EXISTS", &name]), "1");
}

/// A node with entries alone hangs: its entries are misses, which cost nothing after a few, and the others are hits.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_hangs_costs_its_entries_alone() {
    let cluster = RedisCluster::start();
    let store = store(&cluster).await;
    for n in 0..60 {
        fill(&store, &n.to_string(), "jam").await;
    }
    let budget = Duration::from_millis(400);
    let reader = shop(place(&cluster)).memory(0).budget(budget).open().unwrap();
    answers(&reader).await;
    eventually("all nodes are connected", async || hits(&reader).await == 60).await;
    let hung = (cluster.owner_of(ROOT) + 1) % 3;
    let lost = cluster.node(hung).cli(&["KEYS", "shop:e1:*"]).lines().count();
    cluster.node(hung).stop();
    // Some wait for it, until it is left alone.
    hits(&reader).await;
    let begun = Instant::now();
    eventually("all others are hits", async || hits(&reader).await == 60 - lost).await;
    let before = begun.elapsed();
    for _ in 0..5 {
        assert_eq!(hits(&reader).await, 60 - lost);
    }
    let asked = begun.elapsed() - before;
    assert!(asked < Duration::from_secs(10), "each waits for it: {asked:?}");
    println!(
        "{lost} entries lost; {before:?}, then 300 look-ups in {:?}",
        asked
    );
    // What this process has in its memory needs the records alone.
    assert_eq!(hits(&store).await, 60);
    fill_in_time(&store, "more", "jam").await;
    cluster.node(hung).cont();
    eventually("it is used again", async || hits(&reader).await == 60).await;
}

async fn hits(store: &RedisStore) -> usize {
    let mut hits = 0;
    for n in 0..60 {
        let found = lookup(store, &n.to_string()).await;
        assert!(found.is_ok(), "the node with the records is well: {found:?}");
        hits += usize::from(support::text(&found.unwrap()).is_some());
    }
    hits
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_the_records_that_hangs_is_left_alone() {
    let cluster = RedisCluster::start();
    let store = shop(place(&cluster))
        .budget(Duration::from_millis(300))
        .open()
        .unwrap();
    answers(&store).await;
    fill_in_time(&store, "key", "jam").await;
    let node = cluster.node(cluster.owner_of(ROOT));
    node.stop();
    let mut kinds = Vec::new();
    for _ in 0..50 {
        kinds.push(lookup(&store, "key").await.unwrap_err().kind());
    }
    let late = kinds
        .iter()
        .filter(|kind| **kind == StoreErrorKind::Timeout)
        .count();
    assert!((1..=3).contains(&late), "{kinds:?}");
    assert_eq!(kinds.last(), Some(&StoreErrorKind::Unavailable));
    node.cont();
    answers(&store).await;
    fill_in_time(&store, "key", "more").await;
}

/// Who listens hears of a change on the node with the records, and hears nothing any more when that is lost.
#[tokio::test(flavor = "multi_thread")]
async fn hits_ask_nobody_until_the_records_are_elsewhere() {
    let mut cluster = RedisCluster::builder().replicated().start();
    let writer = store(&cluster).await;
    let bound = Duration::from_millis(1500);
    let reader = shop(place(&cluster)).coherence(Coherence::Bounded(bound));
    let reader = reader.connect().await.unwrap();
    let settled = async |body: &str| {
        fill_in_time(&writer, "key", body).await;
        eventually("a hit asks nobody", async || {
            hit(&reader, "key").await;
            at_once(&reader, "key").as_deref() == Some(body)
        })
        .await;
    };
    settled("1").await;
    forget(&writer).await.unwrap();
    eventually("the change is told", async || at_once(&reader, "key").is_none()).await;
    settled("2").await;
    let owner = cluster.owner_of(ROOT);
    let lost = Instant::now();
    tokio::task::block_in_place(|| cluster.lose(owner));
    assert!(lost.elapsed() > bound);
    assert_eq!(at_once(&reader, "key"), None);
    eventually("an invalidation is carried out", async || {
        forget(&writer).await.is_ok()
    })
    .await;
    assert_eq!(hit(&reader, "key").await, None);
    settled("3").await;
    assert!(lost.elapsed() < 2 * PATIENCE);
    assert!(reader.size().entries > 0);
}
