//! Readers and writers together: what the cache spares, and that it shows every change all the while.
//!
//! As a test it is short; `cargo x load` runs it in full and in release, prints what it measured, and demands it.
#![allow(clippy::unwrap_used, reason = "a test ends with the first surprise")]

mod support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use support::{Answer, Client, Folder, Instance};

const CLIENTS: usize = 50;
const USERS: usize = 200;
/// One request in so many changes something: on a busy site, and on one where most come to read.
const BUSY: usize = 100;
const CALM: usize = 1000;

/// How much is asked: in full or, as a test, a little.
struct Amount {
    full: bool,
    samples: usize,
    mix: usize,
    seconds: u64,
}

impl Amount {
    fn asked() -> Self {
        if std::env::var_os("LARDER_LOAD_FULL").is_some() {
            Self {
                full: true,
                samples: 50,
                mix: 200_000,
                seconds: 10,
            }
        } else {
            Self {
                full: false,
                samples: 5,
                mix: 3_000,
                seconds: 1,
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cache_spares_work_and_shows_every_change() {
    let amount = Amount::asked();
    let folder = Folder::new("load");
    let instance = Instance::start(&folder.database(), &[]).await;
    latency(instance.address, &amount).await;
    for writes in [BUSY, CALM] {
        mix(instance.address, &amount, writes).await;
    }
    flood(instance.address, &amount).await;
}

/// How long a handler of 120 ms takes, and a hit in its place.
async fn latency(address: SocketAddr, amount: &Amount) {
    let mut client = Client::new(address);
    let (mut uncached, mut cached) = (Vec::new(), Vec::new());
    for number in 0..amount.samples {
        let path = format!("/api/v1/products/1?delay_ms=120&n={number}");
        let began = Instant::now();
        let answer = client.get(&path, None).await.unwrap();
        uncached.push(began.elapsed());
        assert_eq!(answer.header("x-cache"), "MISS");
    }
    for _ in 0..amount.samples * 20 {
        let began = Instant::now();
        let answer = client
            .get("/api/v1/products/1?delay_ms=120&n=0", None)
            .await
            .unwrap();
        cached.push(began.elapsed());
        assert!(answer.is_hit());
    }
    let (uncached, cached) = (median(uncached), median(cached));
    println!("a handler of 120 ms: {uncached:?} uncached, {cached:?} as a hit (medians)");
    assert!(!amount.full || cached < Duration::from_millis(1));
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all[all.len() / 2]
}

/// What all clients of the mix share.
struct Mix {
    /// What each user's energy is at least, by the answers to who changed it.
    acknowledged: Vec<AtomicU64>,
    /// Up to which of the users a number between 0 and 1 reaches: user 1 is asked for most (Zipf, exponent 1).
    zipf: Vec<f64>,
    reads: AtomicU64,
    hits: AtomicU64,
    writes: AtomicU64,
    /// The bytes of bodies that were sent, and those that would have been without 304.
    sent: AtomicU64,
    whole: AtomicU64,
}

/// A mix of reads with one write in so many requests, by clients that ask again with the `ETag` they have.
async fn mix(address: SocketAddr, amount: &Amount, writes_of: usize) {
    let weights = (1..=USERS).scan(0.0, |sum, rank| {
        *sum += 1.0 / rank as f64;
        Some(*sum)
    });
    let sums: Vec<f64> = weights.collect();
    let all = sums[USERS - 1];
    let mix = Arc::new(Mix {
        acknowledged: (0..USERS).map(|_| AtomicU64::new(0)).collect(),
        zipf: sums.iter().map(|sum| sum / all).collect(),
        reads: AtomicU64::new(0),
        hits: AtomicU64::new(0),
        writes: AtomicU64::new(0),
        sent: AtomicU64::new(0),
        whole: AtomicU64::new(0),
    });
    let before = database_reads(address).await;
    let began = Instant::now();
    let clients =
        (0..CLIENTS).map(|_| tokio::spawn(visit(Arc::clone(&mix), address, amount.mix / CLIENTS, writes_of)));
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let took = began.elapsed().as_secs_f64();
    let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst) as f64;
    let (reads, writes) = (count(&mix.reads), count(&mix.writes));
    let hits = count(&mix.hits) / reads;
    let spared = 1.0 - (database_reads(address).await - before) as f64 / reads;
    let bytes = 1.0 - count(&mix.sent) / count(&mix.whole);
    println!(
        "{reads} reads and {writes} writes by {CLIENTS} clients in {took:.1} s, each read checked: {:.1} % hits, \
         {:.1} % fewer reads of the database, {:.1} % fewer bytes of bodies by 304",
        hits * 100.0,
        spared * 100.0,
        bytes * 100.0
    );
    assert!(!amount.full || hits >= 0.9 && spared >= 0.9);
    // The ratings change with each write, and are most of the bytes: on a busy site a client seldom has them still.
    assert!(!amount.full || bytes >= if writes_of == CALM { 0.5 } else { 0.1 });
}

async fn database_reads(address: SocketAddr) -> u64 {
    let answer = Client::new(address).get("/api/v1/db-reads", None).await.unwrap();
    answer.json()["reads"].as_u64().unwrap()
}

/// One client, which keeps what it got and asks whether it is still so.
async fn visit(mix: Arc<Mix>, address: SocketAddr, requests: usize, writes_of: usize) {
    let mut client = Client::new(address);
    let mut kept: HashMap<String, (String, Vec<u8>)> = HashMap::new();
    for _ in 0..requests {
        let chosen = fastrand::f64();
        let user = mix
            .zipf
            .iter()
            .position(|reach| chosen <= *reach)
            .unwrap_or(USERS - 1);
        let name = format!("user-{user}");
        if fastrand::usize(..writes_of) == 0 {
            let answer = client
                .post("/api/v1/energy-points", Some(&name), r#"{"points": 1}"#)
                .await
                .unwrap();
            let energy = answer.json()["energy"].as_u64().unwrap();
            mix.acknowledged[user].fetch_max(energy, Ordering::SeqCst);
            mix.writes.fetch_add(1, Ordering::SeqCst);
            continue;
        }
        let small = user % 4 + 1;
        let (path, owner) = match fastrand::u8(..20) {
            0..8 => ("/api/v1/profile".to_owned(), Some(name.as_str())),
            8..11 => ("/api/v1/ratings".to_owned(), None),
            11..14 => (format!("/api/v1/teams/{}", user % 3 + 1), None),
            14..17 => (format!("/api/v1/products/{small}"), None),
            17..18 => ("/api/v1/products".to_owned(), None),
            _ => ("/api/v1/content/welcome".to_owned(), None),
        };
        let floors: Vec<u64> = mix
            .acknowledged
            .iter()
            .map(|floor| floor.load(Ordering::SeqCst))
            .collect();
        let url = format!("{path} {}", owner.unwrap_or_default());
        let etag = kept.get(&url).map(|(etag, _)| etag.clone());
        let lines: Vec<(&str, &str)> = etag.iter().map(|etag| ("If-None-Match", etag.as_str())).collect();
        let answer = client.send("GET", &path, owner, &lines, "").await.unwrap();
        count(&mix, &answer);
        if answer.status == 200 {
            kept.insert(url.clone(), (answer.header("etag").to_owned(), answer.body));
        }
        // What the client has now is what it sees.
        let body = &kept[&url].1;
        mix.whole.fetch_add(body.len() as u64, Ordering::SeqCst);
        check(body, &path, &floors, user);
    }
}

fn count(mix: &Mix, answer: &Answer) {
    assert!([200, 304].contains(&answer.status), "{answer:?}");
    mix.reads.fetch_add(1, Ordering::SeqCst);
    mix.hits.fetch_add(u64::from(answer.is_hit()), Ordering::SeqCst);
    mix.sent.fetch_add(answer.body.len() as u64, Ordering::SeqCst);
}

/// No read shows less than was acknowledged before it was sent.
fn check(body: &[u8], path: &str, floors: &[u64], user: usize) {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap();
    match path {
        "/api/v1/profile" => assert!(json["energy"].as_u64().unwrap() >= floors[user]),
        "/api/v1/ratings" => {
            let rows = json.as_array().unwrap();
            let shown: HashMap<&str, u64> = rows
                .iter()
                .map(|row| (row["user"].as_str().unwrap(), row["energy"].as_u64().unwrap()))
                .collect();
            for (user, floor) in floors.iter().enumerate() {
                let energy = shown.get(&*format!("user-{user}")).copied().unwrap_or(0);
                assert!(energy >= *floor, "user-{user} is rated {energy}, not {floor}");
            }
        }
        _ => {}
    }
}

/// How many hits there are in a second, where `wrk` is installed.
async fn flood(address: SocketAddr, amount: &Amount) {
    let url = format!("http://{address}/api/v1/products/1");
    let seconds = format!("-d{}s", amount.seconds);
    let wrk = tokio::process::Command::new("wrk")
        .args(["-t1", &format!("-c{CLIENTS}"), &seconds, "--latency", &url])
        .output()
        .await;
    let Ok(output) = wrk else {
        println!("wrk is not installed: requests in a second are not measured");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let value = |name: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(name));
        line.and_then(|line| line.split_whitespace().last())
            .unwrap_or("?")
            .to_owned()
    };
    let (rate, half) = (value("Requests/sec:"), value("50%"));
    println!("hits at {CLIENTS} connections (wrk): {rate} in a second, half of them within {half}");
    assert!(!text.contains("Non-2xx"), "{text}");
}
