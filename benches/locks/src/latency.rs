//! How long it takes to acquire and release a lock that nobody else wants.

use std::time::{Duration, Instant};

use larder_testkit::RedisServer;

use crate::Outcome;
use crate::contenders::{Raw, Servers, larder, rslock};

/// Microseconds, in order.
struct Times(Vec<f64>);

impl Times {
    fn at(&self, fraction: f64) -> f64 {
        self.0[((self.0.len() - 1) as f64 * fraction) as usize]
    }
}

/// The three, in turns: a slow moment hits all alike.
async fn measure(servers: &Servers, pairs: usize, with_rslock: bool) -> Outcome<[Times; 3]> {
    let (raw, locker, manager) = (Raw::connect(servers).await?, servers.locker()?, servers.rslock());
    let mut times = [const { Vec::new() }; 3];
    for pair in 0..pairs + 50 {
        let key = format!("key-{pair}");
        for turn in 0..3 {
            let contender = (pair + turn) % 3;
            let begun = Instant::now();
            match contender {
                0 => raw.round(&format!("raw-{key}")).await?,
                1 => larder(&locker, pair as u64).await?,
                _ if with_rslock => rslock(&manager, &format!("rs-{key}")).await?,
                _ => {}
            }
            if pair >= 50 {
                times[contender].push(begun.elapsed().as_secs_f64() * 1e6);
            }
            // What a majority was enough for is still being done on the others.
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
    Ok(times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        Times(times)
    }))
}

pub(crate) async fn uncontended(servers: &Servers, pairs: usize) -> Outcome<()> {
    let measured = measure(servers, pairs, true).await?;
    let base = measured[0].at(0.5);
    for (name, times) in ["raw", "**larder**, fenced", "rslock"].iter().zip(&measured) {
        let (p50, p95, p99) = (times.at(0.5), times.at(0.95), times.at(0.99));
        let ratio = p50 / base;
        println!(
            "| {} | {name} | {p50:.0} | {p95:.0} | {p99:.0} | {ratio:.2} |",
            servers.0.len()
        );
    }
    Ok(())
}

pub(crate) async fn hung(servers: &Servers) -> Outcome<()> {
    let healthy = measure(servers, 1_000, true).await?;
    let base = [0, 1, 2].map(|contender| healthy[contender].at(0.5));
    for hung in 0..3 {
        servers.0[..hung].iter().for_each(RedisServer::stop);
        // rslock waits half a second for each of its two steps.
        let locker = servers.locker()?;
        let manager = servers.rslock();
        let mut times = [Vec::new(), Vec::new()];
        for pair in 0..1_000_u64 {
            let begun = Instant::now();
            larder(&locker, pair).await?;
            times[0].push(begun.elapsed().as_secs_f64() * 1e6);
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        for pair in 0..if hung == 0 { 1_000 } else { 5 } {
            let begun = Instant::now();
            rslock(&manager, &format!("hung-{hung}-{pair}")).await?;
            times[1].push(begun.elapsed().as_secs_f64() * 1e6);
        }
        servers.0[..hung].iter().for_each(RedisServer::cont);
        for (index, name) in ["**larder**, fenced", "rslock"].iter().enumerate() {
            times[index].sort_by(f64::total_cmp);
            let times = Times(std::mem::take(&mut times[index]));
            let (p50, p95) = (times.at(0.5), times.at(0.95));
            println!(
                "| {hung} | {name} | {p50:.0} | {p95:.0} | {:.2} |",
                p50 / base[index + 1]
            );
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    Ok(())
}
