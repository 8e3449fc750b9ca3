//! What becomes of entries and callers when a Cluster fails over, moves slots, or has a node that hangs.
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

mod support;

use std::time::{Duration, Instant};

use larder_redis::{Coherence, Place, RedisStore};
use larder_store::{Breaker, Lookup, Store, StoreError, StoreErrorKind, Useless};
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

/// The names of all entries, wherever they lie.
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

/// Some records are with the one node and some with the other: what needs both is not answered, and the connection is as good
/// as before for what does not.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(larder_mutant = "redis_ignores_run_id", should_panic)]
async fn records_that_are_apart_are_no_failure_of_the_node() {
    let cluster = RedisCluster::start();
    let store = shop(place(&cluster)).invalidation_budget(Duration::from_millis(300));
    let store = store.connect().await.unwrap();
    fill(&store, "key", "old").await;
    let (from, to) = (cluster.owner_of(ROOT), (cluster.owner_of(ROOT) + 1) % 3);
    begin_to_move_the_records(&cluster, from, to);
    for _ in 0..20 {
        let error = lookup(&store, "key").await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("TryAgain"), "{error}");
        assert!(matches!(lookup(&store, "none").await, Ok(Lookup::Absent)));
        assert_eq!(store.condition().breaker, Some(Breaker::Closed));
    }
    let runtime = tokio::runtime::Handle::current();
    let mut steps = 0;
    tokio::task::block_in_place(|| {
        cluster.move_slot(ROOT, to, || {
            steps += 1;
            for _ in 0..5 {
                let found = runtime.block_on(lookup(&store, "none"));
                match steps {
                    1 => assert!(found.is_ok(), "the root is where it was: {found:?}"),
                    _ => assert!(found.unwrap_err().message().contains("Ask")),
                }
                assert_eq!(store.condition().breaker, Some(Breaker::Closed));
            }
        });
    });
    assert_eq!(steps, 2);
    let error = lookup(&store, "none").await.unwrap_err();
    assert!(error.message().contains("Moved"), "{error}");
    eventually("the node is left at once", async || {
        let found = lookup(&store, "none").await;
        let kind = found.as_ref().err().map(StoreError::kind);
        assert!(
            matches!(kind, None | Some(StoreErrorKind::Unavailable)),
            "{kind:?}"
        );
        found.is_ok()
    })
    .await;
    assert_eq!(hit(&store, "key").await, None);
    fill_in_time(&store, "key", "new").await;
}

/// Has the slot of the records be on its way, and all records but the root and the sequence where they are to be.
fn begin_to_move_the_records(cluster: &RedisCluster, from: usize, to: usize) {
    let (source, target) = (cluster.node(from), cluster.node(to));
    let slot = source.cli(&["CLUSTER", "KEYSLOT", ROOT]);
    let (source_id, target_id) = (source.cli(&["CLUSTER", "MYID"]), target.cli(&["CLUSTER", "MYID"]));
    target.cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source_id]);
    source.cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target_id]);
    let port = target.addr().port().to_string();
    let records = source.cli(&["KEYS", "{shop}:*"]);
    let tags = records.lines().filter(|name| name.contains(":t:"));
    let moved = tags.map(|name| source.cli(&["MIGRATE", "127.0.0.1", &port, name, "0", "10000"]));
    assert_eq!(moved.collect::<Vec<_>>(), ["OK", "OK"], "{records}");
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
    let from = cluster.owner_of(&name);
    let to = (from + 1) % 3;
    let runtime = tokio::runtime::Handle::current();
    let bodies = ["jam", "jelly"];
    let mut steps = 0;
    tokio::task::block_in_place(|| {
        cluster.move_slot(&name, to, || {
            assert_eq!(runtime.block_on(hit(&reader, "key")).as_deref(), Some("jam"));
            if steps == 1 {
                runtime.block_on(fill(&store, "key", bodies[steps]));
            }
            assert_eq!(
                runtime.block_on(hit(&reader, "key")).as_deref(),
                Some(bodies[steps])
            );
            steps += 1;
        });
    });
    assert_eq!(steps, 2);
    assert_eq!(hit(&reader, "key").await.as_deref(), Some("jelly"));
    fill(&store, "key", "more").await;
    assert_eq!(hit(&reader, "key").await.as_deref(), Some("more"));
    assert_eq!(cluster.node(to).cli(&["EXISTS", &name]), "1");
    // Who was sent on asks where the slots are, and goes there at once from then on.
    eventually("nobody is sent on any more", async || {
        let before = sent_on(&cluster, from);
        assert_eq!(hit(&reader, "key").await.as_deref(), Some("more"));
        sent_on(&cluster, from) == before
    })
    .await;
}

/// How often a node has named another one.
fn sent_on(cluster: &RedisCluster, node: usize) -> String {
    let info = cluster.node(node).cli(&["INFO", "errorstats"]);
    let moved = info.lines().find(|line| line.starts_with("errorstat_MOVED"));
    moved.unwrap_or_default().to_owned()
}

/// Nodes with entries alone: one gives its place to its replica and says so, the other is lost and says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_takes_over_entries_is_found() {
    let mut cluster = RedisCluster::builder().replicated().start();
    let store = store(&cluster).await;
    for n in 0..60 {
        fill(&store, &n.to_string(), "jam").await;
    }
    let reader = shop(place(&cluster)).memory(0).connect().await.unwrap();
    eventually("all nodes are connected", async || hits(&reader).await == 60).await;
    let owner = cluster.owner_of(ROOT);
    let (told, lost) = ((owner + 1) % 3, (owner + 2) % 3);
    support::caught_up(cluster.replica(lost), cluster.node(lost)).await;
    tokio::task::block_in_place(|| cluster.swap(told));
    eventually("the replica that was named is asked", async || {
        hits(&reader).await == 60
    })
    .await;
    tokio::task::block_in_place(|| cluster.lose(lost));
    eventually("the replica that nobody named is asked", async || {
        hits(&reader).await == 60
    })
    .await;
    eventually("the other instance fills there too", async || {
        let mut seen = 0;
        for n in 0..60 {
            fill(&store, &n.to_string(), "more").await;
            seen += usize::from(hit(&reader, &n.to_string()).await.as_deref() == Some("more"));
        }
        seen == 60
    })
    .await;
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
