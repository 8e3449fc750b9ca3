//! What becomes of entries and callers when the server is down, hung, full, flushed, back in time, or holds nonsense.
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use larder_redis::RedisStore;
use larder_store::{
    Breaker, Capture, Clock, Content, Entry, Kept, Key, Lifetime, Lookup, Store, StoreError, StoreErrorKind,
    StoredResponse, Strength, Tag, Useless, Validity,
};
use larder_testkit::RedisServer;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);
/// What an operation may take where the server is healthy and the machine busy.
const GENEROUS: Duration = Duration::from_secs(10);

fn tags() -> Vec<Tag> {
    vec![Tag::layer("shop"), Tag::new("jars")]
}

fn entry(body: &str) -> Entry {
    let lifetime = Lifetime::fresh(Clock::system().now(), Duration::from_secs(600));
    let body = Bytes::copy_from_slice(body.as_bytes());
    let response = StoredResponse::new(StatusCode::OK, &HeaderMap::new(), body);
    Entry::new(lifetime, Content::Response(response), tags())
}

async fn capture(store: &RedisStore) -> Result<Capture, StoreError> {
    store.capture(&tags()).wait().await
}

async fn put(store: &RedisStore, body: &str, capture: Capture) -> Kept {
    let put = store
        .put(Key::from(&b"key"[..]), entry(body), capture)
        .wait()
        .await;
    store.flush().await;
    put.kept
}

async fn fill(store: &RedisStore, body: &str) {
    let capture = capture(store).await.unwrap();
    assert_eq!(put(store, body, capture).await, Kept::Stored);
}

async fn lookup(store: &RedisStore) -> Result<Lookup, StoreError> {
    store.lookup(b"key").wait().await
}

/// The body that a look-up finds, if any.
async fn hit(store: &RedisStore) -> Option<String> {
    match lookup(store).await {
        Ok(Lookup::Found(entry) | Lookup::Fetched(entry)) => {
            Some(String::from_utf8(entry.response().unwrap().body.to_vec()).unwrap())
        }
        _ => None,
    }
}

async fn forget(store: &RedisStore) -> Result<(), StoreError> {
    store
        .forget(&[Tag::new("jars")], Strength::Hard)
        .wait()
        .await
        .map(drop)
}

/// Waits until the store answers again.
async fn answers(store: &RedisStore) {
    let begun = Instant::now();
    while lookup(store).await.is_err() {
        assert!(
            begun.elapsed() < PATIENCE,
            "the store does not come back: {:?}",
            lookup(store).await
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn store(server: &RedisServer) -> RedisStore {
    let builder = RedisStore::builder(server.url())
        .namespace("shop")
        .budget(GENEROUS);
    builder.connect().await.unwrap()
}

fn keys(server: &RedisServer) -> usize {
    server.cli(&["DBSIZE"]).parse().unwrap()
}

fn entry_key(server: &RedisServer) -> String {
    server.cli(&["KEYS", "shop:e1:*"])
}

#[tokio::test]
async fn every_key_has_a_name_of_the_namespace_and_a_time_to_live() {
    let server = RedisServer::start();
    let store = store(&server).await;
    fill(&store, "jam").await;
    let all = server.cli(&["KEYS", "*"]);
    assert_eq!(
        all.lines().count(),
        5,
        "root, sequence, two tags, one entry: {all}"
    );
    for key in all.lines() {
        assert!(key.starts_with("{shop}:") || key.starts_with("shop:e1:"), "{key}");
        let left: i64 = server.cli(&["PTTL", key]).parse().unwrap();
        assert!(left > 0, "{key} lives for {left}");
    }
    let left: u64 = server.cli(&["PTTL", &entry_key(&server)]).parse().unwrap();
    assert!(
        (600_000..=1_200_000).contains(&left),
        "as long as the entry is of use, and 10 min: {left}"
    );
    // Another namespace on the same server has nothing to do with it.
    let other = RedisStore::builder(server.url())
        .namespace("other")
        .budget(GENEROUS)
        .connect()
        .await
        .unwrap();
    assert_eq!(hit(&other).await, None);
    other.forget_everything(Strength::Hard).wait().await.unwrap();
    assert_eq!(hit(&store).await.as_deref(), Some("jam"));
}

#[tokio::test]
async fn forgetting_what_nobody_cached_leaves_nothing_behind_and_costs_no_scan() {
    let server = RedisServer::start();
    let store = store(&server).await;
    fill(&store, "jam").await;
    let before = keys(&server);
    let many: Vec<Tag> = (0..5_000).map(|n| Tag::new(format!("tag {n}"))).collect();
    let done = store.forget(&many, Strength::Hard).wait().await.unwrap();
    assert_eq!((done.known, keys(&server)), (0, before));
    assert_eq!(hit(&store).await.as_deref(), Some("jam"));
    server.cli(&["CONFIG", "RESETSTAT"]);
    forget(&store).await.unwrap();
    let stats = server.cli(&["INFO", "commandstats"]);
    for word in ["cmdstat_keys", "cmdstat_scan", "cmdstat_smembers", "cmdstat_del"] {
        assert!(!stats.contains(word), "{stats}");
    }
}

#[tokio::test]
#[cfg_attr(larder_mutant = "redis_missing_is_valid", should_panic)]
async fn what_the_server_loses_is_a_miss_and_never_comes_back() {
    let server = RedisServer::start();
    let store = store(&server).await;
    for pattern in ["{shop}:root", "{shop}:seq", "{shop}:t:*"] {
        fill(&store, "old").await;
        let old = capture(&store).await.unwrap();
        let names = server.cli(&["KEYS", pattern]);
        for name in names.lines() {
            server.cli(&["DEL", name]);
        }
        if pattern == "{shop}:seq" {
            // Nothing is found out until a number is needed.
            forget(&store).await.unwrap();
        }
        assert_eq!(hit(&store).await, None, "{pattern}");
        assert_eq!(
            hit(&self::store(&server).await).await,
            None,
            "{pattern}, another instance"
        );
        // Its records made anew, the entry of before stays dead, and so does one that is still being made.
        capture(&store).await.unwrap();
        assert_eq!(hit(&store).await, None, "{pattern}: it came back");
        put(&store, "old", old).await;
        assert_eq!(
            hit(&store).await,
            None,
            "{pattern}: a fill of before was taken in"
        );
        fill(&store, "new").await;
        assert_eq!(hit(&store).await.as_deref(), Some("new"));
    }
    server.cli(&["FLUSHALL"]);
    assert!(matches!(
        lookup(&store).await,
        Ok(Lookup::Useless(Useless::Epoch) | Lookup::Absent)
    ));
    fill(&store, "newer").await;
    assert_eq!(hit(&store).await.as_deref(), Some("newer"));
}

#[tokio::test]
#[cfg_attr(larder_mutant = "redis_ignores_run_id", should_panic)]
async fn a_restart_from_a_snapshot_brings_no_entry_back() {
    let mut server = RedisServer::start();
    let (store, other) = (store(&server).await, store(&server).await);
    fill(&store, "old").await;
    assert_eq!(hit(&other).await.as_deref(), Some("old"));
    server.cli(&["SAVE"]);
    forget(&store).await.unwrap();
    assert_eq!(hit(&other).await, None);
    server.kill();
    server.restart();
    answers(&store).await;
    answers(&other).await;
    assert!(
        entry_key(&server).starts_with("shop:e1:"),
        "the old entry is back, and so are its records"
    );
    for store in [&store, &other] {
        assert!(matches!(lookup(store).await, Ok(Lookup::Useless(Useless::Epoch))));
    }
    capture(&store).await.unwrap();
    assert_eq!(hit(&other).await, None);
    fill(&store, "new").await;
    assert_eq!(hit(&other).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_server_that_is_down_costs_nothing_and_is_used_when_it_is_back() {
    let mut server = RedisServer::start();
    let store = store(&server).await;
    fill(&store, "jam").await;
    server.kill();
    let begun = Instant::now();
    while lookup(&store).await.err().map(|error| error.kind()) != Some(StoreErrorKind::Unavailable) {
        assert!(begun.elapsed() < PATIENCE);
    }
    // No waiting: some thousand operations take no more than the time of the machine.
    let begun = Instant::now();
    for _ in 0..2_000 {
        assert_eq!(
            lookup(&store).await.unwrap_err().kind(),
            StoreErrorKind::Unavailable
        );
        assert_eq!(
            capture(&store).await.unwrap_err().kind(),
            StoreErrorKind::Unavailable
        );
    }
    assert!(begun.elapsed() < PATIENCE);
    server.restart();
    answers(&store).await;
    fill(&store, "more").await;
    assert_eq!(hit(&store).await.as_deref(), Some("more"));
}

#[tokio::test]
async fn a_service_starts_without_a_server_and_is_told_so_where_it_asks() {
    let mut server = RedisServer::start();
    server.kill();
    let store = RedisStore::builder(server.url()).budget(GENEROUS).open().unwrap();
    assert_eq!(
        lookup(&store).await.unwrap_err().kind(),
        StoreErrorKind::Unavailable
    );
    let error = RedisStore::connect(server.url()).await.unwrap_err().to_string();
    assert!(error.contains("cannot be used"), "{error}");
    server.restart();
    answers(&store).await;
    fill(&store, "jam").await;
    assert!(RedisStore::builder("http://example.org").open().is_err());
    let secret = RedisStore::builder("redis://:secret@127.0.0.1");
    assert!(!format!("{secret:?} {:?}", secret.clone().open()).contains("secret"));
    let tls = RedisStore::builder("rediss://example.org").open();
    assert_eq!(tls.is_ok(), cfg!(feature = "tls"));
}

#[tokio::test]
async fn a_server_that_hangs_is_left_alone_after_a_few_operations() {
    let server = RedisServer::start();
    let budget = Duration::from_millis(100);
    let store = RedisStore::builder(server.url())
        .namespace("shop")
        .budget(budget)
        .open()
        .unwrap();
    answers(&store).await;
    fill_in_time(&store, "jam").await;
    server.stop();
    let mut kinds = Vec::new();
    let begun = Instant::now();
    for _ in 0..50 {
        kinds.push(lookup(&store).await.unwrap_err().kind());
    }
    let late = kinds
        .iter()
        .filter(|kind| **kind == StoreErrorKind::Timeout)
        .count();
    assert!((1..=3).contains(&late), "{kinds:?}");
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!(kinds.last(), Some(&StoreErrorKind::Unavailable));
    server.cont();
    answers(&store).await;
    fill_in_time(&store, "more").await;
}

/// More than may be under way are turned away at once, which is nobody's failure: the server is not left alone for it.
#[tokio::test]
async fn no_more_operations_are_under_way_than_allowed() {
    let server = RedisServer::start();
    let builder = RedisStore::builder(server.url())
        .namespace("shop")
        .budget(GENEROUS)
        .in_flight(2);
    let store = builder.connect().await.unwrap();
    server.stop();
    let look = || {
        let store = store.clone();
        tokio::spawn(async move { lookup(&store).await })
    };
    let (one, two) = (look(), look());
    // Both wait before the third comes: there is one thread.
    tokio::task::yield_now().await;
    for _ in 0..10 {
        let error = lookup(&store).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert!(error.message().contains("2 operations are under way"), "{error}");
    }
    assert_eq!(store.condition().breaker, Some(Breaker::Closed));
    server.cont();
    assert!(one.await.unwrap().is_ok() && two.await.unwrap().is_ok());
    assert!(lookup(&store).await.is_ok());
}

/// Each change of a record is told to all who listen, so that a fill changes as little as it can; and who finds a dead entry
/// leaves it where it is, since a younger one may take its place.
#[tokio::test]
async fn records_are_kept_longer_below_half_their_time_and_dead_entries_are_left() {
    let server = RedisServer::start();
    let store = store(&server).await;
    fill(&store, "jam").await;
    let all = server.cli(&["KEYS", "{shop}:*"]);
    let left = |name: &str| server.cli(&["PTTL", name]).parse::<u64>().unwrap();
    let whole = all.lines().map(left).min().unwrap();
    let lives = |part: u64| {
        for name in all.lines() {
            server.cli(&["PEXPIRE", name, &(whole / 100 * part).to_string()]);
        }
    };
    lives(60);
    capture(&store).await.unwrap();
    assert!(all.lines().all(|name| left(name) <= whole / 100 * 60), "{all}");
    lives(40);
    capture(&store).await.unwrap();
    assert!(all.lines().all(|name| left(name) > whole / 100 * 90), "{all}");
    forget(&store).await.unwrap();
    let reader = self::store(&server).await;
    assert_eq!((hit(&store).await, hit(&reader).await), (None, None));
    assert_ne!(entry_key(&server), "", "the dead entry is deleted");
}

/// A fill that is tried again where the machine was too busy for the budget.
async fn fill_in_time(store: &RedisStore, body: &str) {
    let begun = Instant::now();
    loop {
        if let Ok(capture) = capture(store).await {
            put(store, body, capture).await;
            if hit(store).await.as_deref() == Some(body) {
                return;
            }
        }
        assert!(begun.elapsed() < PATIENCE, "nothing is kept");
    }
}

#[tokio::test]
async fn an_invalidation_that_failed_goes_out_before_anything_is_read_again() {
    let mut server = RedisServer::start();
    let builder = RedisStore::builder(server.url())
        .namespace("shop")
        .budget(GENEROUS);
    let store = builder
        .invalidation_budget(Duration::from_millis(100))
        .connect()
        .await
        .unwrap();
    let other = self::store(&server).await;
    fill(&store, "old").await;
    server.stop();
    let error = forget(&store).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Timeout);
    assert_eq!(
        lookup(&store).await.unwrap_err().kind(),
        StoreErrorKind::Unavailable,
        "what is owed comes first"
    );
    server.cont();
    answers(&store).await;
    assert_eq!(hit(&store).await, None);
    assert_eq!(hit(&other).await, None, "on the other instance as well");
    // One that finds no server at all, and one whose caller is gone.
    fill(&store, "old").await;
    server.kill();
    assert!(forget(&store).await.is_err());
    drop(store.forget(&[Tag::layer("shop")], Strength::Hard));
    server.restart();
    answers(&store).await;
    answers(&other).await;
    fill(&store, "new").await;
    assert_eq!(hit(&other).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn an_invalidation_outlasts_a_short_outage() {
    let mut server = RedisServer::start();
    let builder = RedisStore::builder(server.url())
        .namespace("shop")
        .budget(GENEROUS);
    let store = builder.invalidation_budget(PATIENCE).connect().await.unwrap();
    fill(&store, "old").await;
    server.cli(&["SAVE"]);
    server.kill();
    let forgetting = tokio::spawn({
        let store = store.clone();
        async move { forget(&store).await }
    });
    while lookup(&store).await.is_ok() {
        tokio::task::yield_now().await;
    }
    server.restart();
    forgetting.await.unwrap().unwrap();
    assert_eq!(hit(&store).await, None);
}

#[tokio::test]
async fn a_full_server_forgets_all_the_same() {
    let server = RedisServer::start();
    let (store, other) = (store(&server).await, store(&server).await);
    fill(&store, "jam").await;
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(
        hit(&other).await.as_deref(),
        Some("jam"),
        "what is there can be read"
    );
    forget(&store).await.unwrap();
    assert_eq!((hit(&store).await, hit(&other).await), (None, None));
    server.cli(&["DEL", "{shop}:root"]);
    assert_eq!(capture(&store).await.unwrap_err().kind(), StoreErrorKind::Full);
    assert!(
        lookup(&store).await.is_ok(),
        "which is no reason to leave it alone"
    );
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    fill(&store, "more").await;
    assert_eq!(hit(&other).await.as_deref(), Some("more"));
}

#[tokio::test]
#[cfg_attr(larder_mutant = "redis_missing_is_valid", should_panic)]
async fn nonsense_on_the_server_is_a_miss_with_its_reason() {
    let server = RedisServer::start();
    let (store, reader) = (
        store(&server).await,
        RedisStore::builder(server.url()).namespace("shop").memory(0),
    );
    let reader = reader.budget(GENEROUS).connect().await.unwrap();
    fill(&store, "jam").await;
    let key = entry_key(&server);
    let useless = |found: Result<Lookup, StoreError>| match found {
        Ok(Lookup::Useless(useless)) => useless,
        other => panic!("{other:?}"),
    };
    server.cli(&["SETRANGE", &key, "60", "xx"]);
    assert_eq!(useless(lookup(&reader).await), Useless::Decode);
    server.cli(&["SETRANGE", &key, "4", "9"]);
    assert_eq!(useless(lookup(&reader).await), Useless::Schema);
    for junk in ["", "x", "LRDR"] {
        server.cli(&["SET", &key, junk]);
        assert_eq!(useless(lookup(&reader).await), Useless::Decode, "{junk:?}");
    }
    server.cli(&["DEL", &key]);
    server.cli(&["LPUSH", &key, "another type"]);
    for _ in 0..10 {
        assert_eq!(
            useless(lookup(&reader).await),
            Useless::Decode,
            "and the server is well"
        );
    }
    fill(&store, "jam").await;
    assert_eq!(hit(&reader).await.as_deref(), Some("jam"), "it was replaced");
    server.cli(&["DEL", &key]);
    fill(&store, "jam").await;
    for name in server.cli(&["KEYS", "{shop}:*"]).lines() {
        server.cli(&["SET", name, "junk"]);
        if name.ends_with(":seq") {
            // Nobody looks at it until a number is needed.
            forget(&store).await.unwrap();
        }
        assert_eq!(hit(&reader).await, None, "{name}");
        fill(&store, "jam").await;
        assert_eq!(hit(&reader).await.as_deref(), Some("jam"), "{name}");
    }
}

#[tokio::test]
async fn a_replica_is_not_read_from() {
    let (primary, replica) = (RedisServer::start(), RedisServer::start());
    let port = primary.addr().port().to_string();
    let store = store(&replica).await;
    fill(&store, "old").await;
    replica.cli(&["REPLICAOF", "127.0.0.1", &port]);
    // It learns of it with its first write, and then finds no server that it may read from.
    let begun = Instant::now();
    while capture(&store).await.err().map(|error| error.kind()) != Some(StoreErrorKind::Unavailable) {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(
        lookup(&store).await.unwrap_err().kind(),
        StoreErrorKind::Unavailable
    );
    assert!(RedisStore::connect(replica.url()).await.is_err());
    replica.cli(&["REPLICAOF", "NO", "ONE"]);
    answers(&store).await;
}

#[tokio::test]
async fn a_hit_is_one_round_trip() {
    let server = RedisServer::start();
    let (store, reader) = (
        store(&server).await,
        RedisStore::builder(server.url()).namespace("shop").memory(0),
    );
    let reader = reader.budget(GENEROUS).connect().await.unwrap();
    fill(&store, "jam").await;
    let entry = match lookup(&reader).await {
        Ok(Lookup::Fetched(entry)) => entry,
        other => panic!("{other:?}"),
    };
    let calls = |command: &str| -> u64 {
        let stats = server.cli(&["INFO", "commandstats"]);
        let line = stats
            .lines()
            .find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
    };
    server.cli(&["CONFIG", "RESETSTAT"]);
    for _ in 0..10 {
        assert!(matches!(lookup(&store).await, Ok(Lookup::Found(_))));
    }
    assert_eq!(
        (calls("get"), calls("mget")),
        (0, 10),
        "with the body in memory, the stamps alone"
    );
    for _ in 0..10 {
        assert!(matches!(lookup(&reader).await, Ok(Lookup::Fetched(_))));
    }
    assert_eq!(
        (calls("get"), calls("mget")),
        (10, 20),
        "entry and stamps together"
    );
    assert_eq!(
        (calls("eval"), calls("evalsha")),
        (0, 0),
        "no body goes through a script"
    );
    assert_eq!(store.validity(&entry).wait().await.unwrap(), Validity::Valid);
}
