//! What an invalidation costs: as much for one entry as for many, in memory and on a server.
//!
//! As a test it is small; `cargo x load` takes a million entries, in release, and prints how long it took.
#![allow(clippy::unwrap_used, reason = "a test ends with the first surprise")]

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use larder::store::{Answer, Content, Entry, Kept, Key, Lifetime, Lookup, StoredResponse};
use larder::{ActionRule, Actions, Clock, Larder, MemoryStore, RedisStore, Store, Tag};
use larder_testkit::{FailingStore, RedisServer};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

fn many() -> u32 {
    if std::env::var_os("LARDER_LOAD_FULL").is_some() {
        1_000_000
    } else {
        10_000
    }
}

#[tokio::test]
async fn one_entry_and_many_are_forgotten_by_one_number() {
    let _alone = ALONE.lock().await;
    let many = many();
    // Never told to fail: a store that the test can look into beside the handle.
    let store = FailingStore::new(MemoryStore::with_capacity(4 << 30));
    let actions = Actions::new().with(ActionRule::new("team.rename").tag("team:{id}"));
    let larder = Larder::new(store.clone()).with_actions(actions);
    for (id, entries) in [("one", 1), ("many", many)] {
        for number in 0..entries {
            assert_eq!(put(&store, id, number).await, Kept::Stored);
        }
        // The fastest of some, since others use the machine too: the first has entries to forget.
        let mut first = Duration::ZERO;
        let mut fastest = Duration::MAX;
        for round in 0..20 {
            let began = Instant::now();
            let done = larder
                .invalidate_for_action("team.rename", [("id", id)])
                .await
                .unwrap();
            let took = began.elapsed();
            assert_eq!(done.known, 1);
            fastest = fastest.min(took);
            if round == 0 {
                first = took;
            }
        }
        println!("forgetting {entries} entries by one tag: {first:?} the first time, {fastest:?} at best");
        for number in [0, entries / 2, entries - 1] {
            let found = now(store.lookup(&key(id, number))).unwrap();
            assert!(
                !matches!(found, Lookup::Found(_) | Lookup::Stale(_)),
                "{id} {number}: {found:?}"
            );
        }
    }
    assert_eq!(larder.size().entries, many as usize + 1, "nothing was looked for");
}

/// What a server did for a run of the same commands.
struct Bill {
    calls: Vec<(String, u64)>,
    script_usec: f64,
}

fn bill(server: &RedisServer) -> Bill {
    let stats = server.cli(&["INFO", "commandstats"]);
    let mut bill = Bill {
        calls: Vec::new(),
        script_usec: 0.0,
    };
    for line in stats.lines().filter_map(|line| line.strip_prefix("cmdstat_")) {
        let (name, numbers) = line.split_once(':').unwrap();
        let number = |field: &str| {
            let mut fields = numbers.split(',').filter_map(|pair| pair.split_once('='));
            fields.find(|(name, _)| *name == field).unwrap().1.trim()
        };
        if name == "evalsha" {
            bill.script_usec = number("usec_per_call").parse().unwrap();
        }
        // Those that ask for the bill, and the heartbeat of the connection, come when they like.
        if !matches!(name, "info" | "config|resetstat" | "ping") {
            bill.calls
                .push((name.to_owned(), number("calls").parse().unwrap()));
        }
    }
    bill.calls.sort();
    bill
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_entry_and_many_cost_a_server_the_same_and_what_nobody_cached_leaves_nothing() {
    let _alone = ALONE.lock().await;
    let (many, server) = (many(), RedisServer::start());
    let builder = RedisStore::builder(server.url()).budget(Duration::from_secs(10));
    let store = builder.connect().await.unwrap();
    let larder = Larder::new(store.clone());
    for (id, entries) in [("one", 1), ("many", many)] {
        for number in 0..entries {
            put(&store, id, number).await;
            if number % 1000 == 0 {
                // What waits to be written has a bound.
                store.flush().await;
            }
        }
    }
    store.flush().await;
    let keys = || server.cli(&["DBSIZE"]).trim().parse::<u32>().unwrap();
    assert!(keys() > many, "the entries are there: {}", keys());
    let mut bills = Vec::new();
    for id in ["one", "many"] {
        server.cli(&["CONFIG", "RESETSTAT"]);
        for _ in 0..500 {
            larder.invalidate_tag(format!("team:{id}")).await.unwrap();
        }
        bills.push(bill(&server));
    }
    assert_eq!(bills[0].calls, bills[1].calls, "the same commands");
    println!(
        "forgetting by one tag on a server: {} µs for 1 entry, {} µs for {many}",
        bills[0].script_usec, bills[1].script_usec
    );

    let memory = || {
        let info = server.cli(&["INFO", "memory"]);
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        used.unwrap().trim().parse::<i64>().unwrap()
    };
    let (keys_before, before, resident_before) = (keys(), memory(), resident());
    let mut running = JoinSet::new();
    for number in 0..many {
        while running.len() >= 64 {
            running.join_next().await;
        }
        let forgetting = larder.invalidate_tag(format!("nobody:{number}"));
        running.spawn(async { forgetting.await.unwrap() });
    }
    running.join_all().await;
    assert_eq!(keys(), keys_before, "no record is made of what nobody cached");
    let grown = memory() - before;
    let own = resident() - resident_before;
    println!(
        "{many} tags that nobody cached: the server has grown by {grown} bytes, this process by {own} KiB"
    );
    assert!(grown < 1 << 20, "{grown} bytes");
    assert!(own < CAP_KIB, "{own} KiB");
    let lookup = store.lookup(&key("many", 0)).wait().await.unwrap();
    assert!(
        !matches!(lookup, Lookup::Found(_) | Lookup::Fetched(_)),
        "{lookup:?}"
    );
}

#[tokio::test]
async fn what_nobody_cached_leaves_nothing_in_memory() {
    let _alone = ALONE.lock().await;
    let many = many();
    let larder = Larder::in_memory(64 << 20);
    let before = resident();
    for number in 0..many {
        larder.invalidate_tag(format!("nobody:{number}")).await.unwrap();
    }
    let grown = resident() - before;
    println!("{many} tags that nobody cached: this process has grown by {grown} KiB");
    assert_eq!(larder.size().tags, 0);
    assert!(grown < CAP_KIB, "{grown} KiB");
}

/// What a million invalidations may leave in this process.
const CAP_KIB: i64 = 16 << 10;

/// One test at a time: what another keeps would be taken for this one's.
static ALONE: Mutex<()> = Mutex::const_new(());

/// The resident memory of this process, in KiB.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
}

fn key(id: &str, number: u32) -> Vec<u8> {
    format!("{id} {number}").into_bytes()
}

async fn put(store: &impl Store, id: &str, number: u32) -> Kept {
    let tags = [Tag::new(format!("team:{id}"))];
    let capture = store.capture(&tags).wait().await.unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/plain"));
    let response = StoredResponse::new(StatusCode::OK, &headers, "jam".into());
    let lifetime = Lifetime::fresh(Clock::system().now(), Duration::from_secs(600));
    let entry = Entry::new(lifetime, Content::Response(response), tags.to_vec());
    let key = Key::from(key(id, number).as_slice());
    store.put(key, entry, capture).wait().await.kept
}

fn now<T>(answer: Answer<T>) -> T {
    match answer {
        Answer::Ready(value) => value,
        Answer::Later(_) => panic!("the memory answers at once"),
    }
}
