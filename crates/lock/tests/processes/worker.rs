//! A process that takes the lock again and again, and tells of it.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use larder_lock::{Lease, Lock, LockNode, LockOptions, Locker, Outcome, RedisFence, RedisNode};
use nix::time::{ClockId, clock_gettime};
use redis::aio::MultiplexedConnection;
use tokio::time::sleep;

/// The variable that makes this program a worker: the addresses of the lock servers and of the counters.
pub(crate) const ASKED: &str = "LARDER_LOCK_WORKER";

/// How long a lock lasts by itself.
pub(crate) const TTL: Duration = Duration::from_millis(500);

/// How long a server may take. Generous, for a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_millis(60);

pub(crate) fn run_if_asked() {
    let Ok(urls) = std::env::var(ASKED) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(work(urls.split(',').collect()));
}

/// The time of the machine, in microseconds.
pub(crate) fn now() -> u64 {
    let time = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap());
    u64::try_from(time.as_micros()).unwrap()
}

/// One line in one piece: who is killed between two lines has told the truth.
fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n@{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

async fn work(urls: Vec<&str>) {
    let (counters, servers) = urls.split_last().unwrap();
    let node = |url: &&str| {
        let node = RedisNode::builder(*url).max_ttl(TTL).build().unwrap();
        Arc::new(node) as Arc<dyn LockNode>
    };
    let locker = Locker::new(servers.iter().map(node));
    let client = redis::Client::open(*counters).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let mut turn = u64::from(std::process::id());
    loop {
        turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let pace = Duration::from_millis((turn >> 33) % 30);
        let options = LockOptions::new(TTL)
            .wait(TTL * 4)
            .per_node_timeout(PATIENCE)
            .auto_extend(turn >> 40 & 1 == 0);
        let outcome = locker
            .with_lock(Lock::new("k", 1), options, async |lease| {
                let result = increment(&lease, &mut redis, pace).await;
                tell(&format!("end {} {}", now(), lease.fencing_token()));
                result
            })
            .await;
        match outcome {
            Outcome::Ran(result) => result.unwrap(),
            Outcome::Lost { cause, .. } => tell(&format!("lost {cause:?}")),
            _ => {}
        }
        sleep(pace / 2).await;
    }
}

/// Registers, reads both counters, and writes them back after a while.
async fn increment(
    lease: &Lease,
    redis: &mut MultiplexedConnection,
    pace: Duration,
) -> redis::RedisResult<()> {
    let token = lease.fencing_token();
    // The time first: to be stopped between the two makes the belief shorter, not longer.
    let believe = || {
        tell(&format!(
            "belief {} {} {token}",
            now(),
            lease.remaining().as_micros()
        ));
    };
    believe();
    let fence = RedisFence::new("fence");
    let registered = fence.register(redis, token).await?;
    let (fenced, bare): (Option<u64>, Option<u64>) = redis::cmd("MGET")
        .arg(&["fenced", "bare"])
        .query_async(redis)
        .await?;
    sleep(pace).await;
    if !lease.remaining().is_zero() {
        believe();
    }
    let (fenced, bare) = (fenced.unwrap_or(0) + 1, bare.unwrap_or(0) + 1);
    let write = redis::cmd("SET").arg("fenced").arg(fenced).take();
    if registered && fence.run::<()>(redis, token, &write).await?.is_some() {
        tell(&format!("fenced {fenced}"));
    } else {
        tell("refused");
    }
    redis::cmd("SET")
        .arg("bare")
        .arg(bare)
        .query_async::<()>(redis)
        .await?;
    tell(&format!("bare {bare}"));
    Ok(())
}
