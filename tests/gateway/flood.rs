//! A flood on the gateway's process: its memory stays under its bound, the hot set stays, and every answer is right.
//!
//! `cargo x soak` sends the same in full: `LARDER_SOAK_QUERIES` tells how many unique queries, and so all else.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends with the first surprise"
)]

mod load;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use load::{Client, HEAD, Memory, Origin, Phase, Process, Size, hot, large, phases, slow};
use tokio::task::JoinSet;
use tokio::time::interval_at;

/// What the gateway's resident memory stays under, with so many connections: 1.3 × what its store may hold, which is what
/// the store promises of the heap; what a connection takes on both sides of the gateway while a request is under way, of
/// which some is as long as the request's head; and what the program took before it was asked for anything, with some room
/// for what its allocator keeps.
const fn bound(size: &Size, connections: usize, before: u64) -> u64 {
    const EACH: u64 = 64 << 10;
    const HEADS: u64 = 8 * (HEAD as u64);
    const ROOM: u64 = 8 << 20;
    (size.memory_mb << 20) / 10 * 13 + connections as u64 * (EACH + HEADS) + before + ROOM
}

/// How often progress is told.
const PACE: Duration = Duration::from_secs(10);

#[test]
fn a_flood_stays_in_its_bounds_and_the_hot_stay() {
    let queries = std::env::var("LARDER_SOAK_QUERIES").ok();
    let size = queries.map_or(Size::SMALL, |queries| {
        Size::full(queries.parse().expect("a number in LARDER_SOAK_QUERIES"))
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let origin = Origin::start().await;
        let mut gateway = Process::start(origin.address, &size);
        flood(&gateway, &size).await;
        drains(&mut gateway, &size).await;
    });
}

async fn flood(gateway: &Process, size: &Size) {
    let before = gateway.memory().now;
    println!(
        "{} unique queries on a gateway with {} MiB; resident memory in MiB\n",
        size.queries, size.memory_mb
    );
    println!(
        "{:<26} {:>9} {:>8} {:>9} {:>8} {:>8} {:>8}",
        "phase", "requests", "seconds", "hot hits", "then", "most", "bound"
    );
    // What was most stays so, whichever phase it was in.
    let mut connections = 0;
    let mut client = Client::connect(gateway.address).await.unwrap();
    // Asked for twice, a response is one of those that stay.
    for n in 0..size.hot * 3 {
        client.demand(&hot(n, size)).await.unwrap();
    }
    for phase in phases(size) {
        let idle = idle(gateway.address, &phase).await;
        let begun = Instant::now();
        let share = send(gateway, &phase, size).await;
        let Memory { now, most } = gateway.memory();
        connections = connections.max(phase.connections + phase.idle + 1);
        let bound = bound(size, connections, before);
        println!(
            "{:<26} {:>9} {:>8.1} {:>7.2} % {:>8.1} {:>8.1} {:>8.1}",
            phase.name,
            phase.requests,
            begun.elapsed().as_secs_f64(),
            share * 100.0,
            mib(now),
            mib(most),
            mib(bound)
        );
        assert!(share >= 0.9, "{}: {share} of the hot set were hits", phase.name);
        assert!(most <= bound, "{}: {:.1} MiB resident", phase.name, mib(most));
        drop(idle);
    }
}

/// Connections that asked for something large once.
async fn idle(address: SocketAddr, phase: &Phase) -> Vec<Client> {
    let mut clients = Vec::new();
    for n in 0..phase.idle {
        let mut client = Client::connect(address).await.unwrap();
        client.demand(&large(n as u64)).await.unwrap();
        clients.push(client);
    }
    clients
}

/// Sends a phase, and tells which share of the requests for the hot set were hits.
async fn send(gateway: &Process, phase: &Phase, size: &Size) -> f64 {
    let counts = Arc::new(Counts::default());
    let mut senders = JoinSet::new();
    for _ in 0..phase.connections {
        senders.spawn(send_some(gateway.address, *phase, *size, Arc::clone(&counts)));
    }
    let mut pace = interval_at(tokio::time::Instant::now() + PACE, PACE);
    loop {
        tokio::select! {
            sender = senders.join_next() => match sender {
                Some(sent) => sent.expect("a sender ends").unwrap(),
                None => break,
            },
            _ = pace.tick() => println!(
                "  {}: {} of {}, {:.1} MiB",
                phase.name,
                counts.begun.load(Relaxed),
                phase.requests,
                mib(gateway.memory().now)
            ),
        }
    }
    counts.share()
}

/// What all senders of a phase did.
#[derive(Debug, Default)]
struct Counts {
    begun: AtomicU64,
    hot: AtomicU64,
    hits: AtomicU64,
}

impl Counts {
    #[allow(clippy::cast_precision_loss, reason = "there are not so many")]
    fn share(&self) -> f64 {
        self.hits.load(Relaxed) as f64 / self.hot.load(Relaxed) as f64
    }
}

/// Sends the next request of the phase as soon as the one before is answered, until there are no more.
async fn send_some(address: SocketAddr, phase: Phase, size: Size, counts: Arc<Counts>) -> Result<(), String> {
    let mut client = Client::connect(address).await?;
    loop {
        let n = counts.begun.fetch_add(1, Relaxed);
        if n >= phase.requests {
            return Ok(());
        }
        let request = phase.request(n, &size);
        let answer = client.demand(&request).await?;
        if request.is_hot() {
            counts.hot.fetch_add(1, Relaxed);
            counts.hits.fetch_add(u64::from(answer.hit), Relaxed);
        }
    }
}

/// Told to stop, it answers what is under way, and ends in time though others are idle.
async fn drains(gateway: &mut Process, size: &Size) {
    /// The gateway's own limit is 10 s.
    const LIMIT: Duration = Duration::from_secs(5);
    let mut idle = Client::connect(gateway.address).await.unwrap();
    assert!(idle.demand(&hot(0, size)).await.unwrap().hit, "it is alive");
    let mut client = Client::connect(gateway.address).await.unwrap();
    let under_way = tokio::spawn(async move { client.demand(&slow(u64::MAX)).await });
    // It takes longer than this to answer.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    gateway.terminate();
    under_way.await.unwrap().unwrap();
    let ended = gateway.ended(LIMIT).expect("it ends in time");
    assert!(ended.success(), "{ended}");
    println!("\nstopped after {:.2} s", begun.elapsed().as_secs_f64());
}

#[allow(clippy::cast_precision_loss, reason = "there are not so many")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
