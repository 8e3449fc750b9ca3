//! A future that is dropped at any of its polls leaves no vote behind: with nodes in memory, in paused time, and on servers.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use larder_lock::{Lock, LockOptions, Locker, Outcome};
use support::{Fault, Nodes, ms, soon};
use tokio::time::sleep;

const TTL: Duration = Duration::from_secs(10);
const KEY: &str = "k:1";

fn lock() -> Lock {
    Lock::new("k", 1)
}

/// Polls `future` at most `polls` times and drops it then; true if it ended before.
async fn cut<T>(future: impl Future<Output = T>, polls: usize) -> bool {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        match Pin::as_mut(&mut future).poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            // Polled again by the next wake-up, or at once if it was the last poll.
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Acquires, works, extends and releases.
async fn everything(locker: &Locker) {
    let outcome = locker
        .with_lock(lock(), LockOptions::new(TTL).wait(ms(1_000)), async |_| {
            for _ in 0..3 {
                tokio::task::yield_now().await;
                sleep(ms(1)).await;
            }
        })
        .await;
    assert!(matches!(outcome, Outcome::Ran(())), "{outcome:?}");
    let guard = locker
        .acquire(lock(), LockOptions::new(TTL).wait(ms(1_000)))
        .await
        .unwrap();
    guard.extend().await.unwrap();
    sleep(ms(1)).await;
    guard.release().await;
}

#[tokio::test(start_paused = true)]
async fn dropped_at_every_poll_with_nodes_of_every_kind() {
    let faults: [&[Fault]; 5] = [
        &[Fault::None; 5],
        &[Fault::SlowAnswer(3); 5],
        &[Fault::SlowCall(3); 5],
        &[
            Fault::SlowAnswer(1),
            Fault::SlowCall(7),
            Fault::None,
            Fault::SlowCall(2),
            Fault::Mute,
        ],
        &[
            Fault::Mute,
            Fault::SlowAnswer(9),
            Fault::SlowCall(4),
            Fault::None,
            Fault::SlowCall(9),
        ],
    ];
    for faults in faults {
        let nodes = Nodes::new(5);
        (0..5).for_each(|node| nodes.0[node].set(faults[node]));
        let locker = nodes.locker();
        let mut polls = 1;
        loop {
            let ended = soon(cut(everything(&locker), polls)).await;
            sleep(ms(100)).await;
            assert_eq!(nodes.held(KEY), 0, "{faults:?}, dropped at poll {polls}");
            if ended {
                break;
            }
            polls += 1;
        }
        assert!(polls > 5, "{polls}");
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_at_any_moment() {
    for (node_delay, step) in [(2, 1), (5, 2)] {
        let nodes = Nodes::new(5);
        nodes.set(0..5, Fault::SlowAnswer(node_delay));
        nodes.set(0..2, Fault::SlowCall(node_delay));
        let locker = nodes.locker();
        for after in (0..60).step_by(step) {
            let _ = tokio::time::timeout(ms(after), everything(&locker)).await;
            sleep(ms(100)).await;
            assert_eq!(nodes.held(KEY), 0, "dropped after {after} ms");
        }
    }
}

#[cfg(all(unix, feature = "redis"))]
#[tokio::test]
async fn dropped_at_every_poll_on_servers() {
    use support::servers::Servers;

    let name = || Lock::new("k", 1);
    let options = || support::servers::options().wait(ms(5_000));
    let turn = async |locker: &Locker, shared: bool| {
        let lock = if shared { name().shared() } else { name() };
        let guard = locker.acquire(lock.clone(), options()).await.unwrap();
        guard.extend().await.unwrap();
        guard.release().await;
        let outcome = locker
            .with_lock(lock, options(), async |_| tokio::task::yield_now().await)
            .await;
        assert!(matches!(outcome, Outcome::Ran(())), "{outcome:?}");
    };
    for (count, hung) in [(1, 0), (5, 0), (5, 2)] {
        let servers = Servers::start(count).await;
        servers.0[..hung]
            .iter()
            .for_each(larder_testkit::RedisServer::stop);
        let up = || {
            let readers = format!("{}:readers", support::servers::KEY);
            let held = servers.0[hung..]
                .iter()
                .filter(|server| server.cli(&["EXISTS", support::servers::KEY, &readers]) != "0");
            held.count()
        };
        let locker = servers.locker();
        for shared in [false, true] {
            let mut polls = 1;
            loop {
                let ended = soon(cut(turn(&locker, shared), polls)).await;
                let dropped = std::time::Instant::now();
                // 100 ms, and patience for a machine on which this test itself has to wait.
                sleep(ms(100)).await;
                let held = up();
                if held != 0 {
                    support::until("every vote is taken back", || up() == 0).await;
                    assert!(
                        dropped.elapsed() < Duration::from_secs(2),
                        "{held} of {count} hold a vote after {:?}, dropped at poll {polls}",
                        dropped.elapsed()
                    );
                }
                if ended {
                    break;
                }
                polls += 1;
            }
            assert!(polls > 4, "{polls}");
        }
        servers.0[..hung]
            .iter()
            .for_each(larder_testkit::RedisServer::cont);
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_leaves_does_not_hold_up_the_next() {
    let nodes = Nodes::new(5);
    let locker = nodes.locker();
    let held = nodes.locker().acquire(lock(), TTL).await.unwrap();
    let options = LockOptions::new(TTL).wait(Duration::from_secs(60));
    let leaving: Vec<_> = (0..3)
        .map(|_| {
            let (locker, options) = (locker.clone(), options.clone());
            tokio::spawn(async move { locker.acquire(lock(), options).await.map(drop) })
        })
        .collect();
    sleep(ms(10)).await;
    let (next, options) = (locker.clone(), options.clone());
    let next = tokio::spawn(async move { next.acquire(lock(), options).await.map(drop) });
    sleep(ms(10)).await;
    leaving.iter().for_each(tokio::task::JoinHandle::abort);
    drop(held);
    soon(next).await.unwrap().unwrap();
    sleep(ms(100)).await;
    assert_eq!(nodes.held(KEY), 0);
}

#[tokio::test(start_paused = true)]
async fn a_guard_may_be_dropped_outside_the_runtime() {
    let nodes = Nodes::new(5);
    let guard = nodes.locker().acquire(lock(), TTL).await.unwrap();
    std::thread::spawn(move || drop(guard)).join().unwrap();
    sleep(ms(100)).await;
    assert_eq!(nodes.held(KEY), 0);
}
