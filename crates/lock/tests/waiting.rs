//! Waiting for a lock, in paused time: turns, wake-ups, deadlines, and how little a waiter asks.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_lock::{
    Acquire, FencingToken, Lock, LockErrorKind, LockNode, LockOptions, Locker, Outcome, Owner, Waiter,
};
use support::{Fault, Nodes, ms, soon};
use tokio::time::{Instant, sleep};

const TTL: Duration = Duration::from_secs(30);
const KEY: &str = "k:1";

fn lock() -> Lock {
    Lock::new("k", 1)
}

fn waiting(millis: u64) -> LockOptions {
    LockOptions::new(TTL).wait(ms(millis))
}

#[tokio::test(start_paused = true)]
async fn without_a_wait_a_held_lock_is_skipped_at_once() {
    let nodes = Nodes::new(5);
    let (here, there) = (nodes.locker(), nodes.locker());
    let _held = here.acquire(lock(), TTL).await.unwrap();
    sleep(Duration::from_secs(4)).await;
    let begun = Instant::now();
    for locker in [here, there] {
        let error = locker.acquire(lock(), TTL).await.unwrap_err();
        assert_eq!(error.kind(), LockErrorKind::Busy);
        let retry_after = error.retry_after().unwrap();
        assert!(
            (TTL - Duration::from_secs(5)..TTL).contains(&retry_after),
            "{retry_after:?}"
        );
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_wait_has_a_deadline_in_and_between_processes() {
    let nodes = Nodes::new(5);
    let (here, there) = (nodes.locker(), nodes.locker());
    let _held = here.acquire(lock(), TTL).await.unwrap();
    for locker in [here, there] {
        let begun = Instant::now();
        let error = locker.acquire(lock(), waiting(1_500)).await.unwrap_err();
        assert_eq!((error.kind(), begun.elapsed()), (LockErrorKind::Busy, ms(1_500)));
    }
    nodes.set(0..5, Fault::Down);
    let begun = Instant::now();
    let error = nodes.locker().acquire(lock(), waiting(1_500)).await.unwrap_err();
    assert_eq!(
        (error.kind(), begun.elapsed()),
        (LockErrorKind::Unavailable, ms(1_500))
    );
}

#[tokio::test(start_paused = true)]
async fn within_a_process_turns_come_in_the_order_of_asking() {
    let nodes = Nodes::new(5);
    let locker = nodes.locker();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for number in 0..50 {
        let (locker, order) = (locker.clone(), Arc::clone(&order));
        tasks.push(tokio::spawn(async move {
            let work = async |_| {
                order.lock().unwrap().push(number);
                sleep(ms(1)).await;
            };
            locker.with_lock(lock(), waiting(10_000), work).await
        }));
        tokio::task::yield_now().await;
    }
    for task in tasks {
        assert!(matches!(soon(task).await.unwrap(), Outcome::Ran(())));
    }
    assert!(order.lock().unwrap().iter().copied().eq(0..50));
    // Nobody asked who had not the turn.
    assert_eq!(nodes.0[0].acquires(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_release_wakes_those_who_wait_elsewhere() {
    let nodes = Nodes::new(5);
    for hung in [0, 2] {
        nodes.set(0..hung, Fault::Hung);
        let (here, there) = (nodes.locker(), nodes.locker());
        let held = here.acquire(lock(), TTL).await.unwrap();
        let waiter = tokio::spawn(async move {
            there
                .acquire(lock(), waiting(20_000))
                .await
                .map(|_| Instant::now())
        });
        sleep(ms(7_777)).await;
        let released = Instant::now();
        drop(held);
        let got = soon(waiter).await.unwrap().unwrap();
        assert!(
            got - released < ms(1_000) / 10,
            "{hung} hung: {:?}",
            got - released
        );
    }
}

#[tokio::test(start_paused = true)]
async fn who_misses_the_release_asks_again_by_itself() {
    let nodes = Nodes::new(1);
    let (here, there) = (nodes.locker(), nodes.locker());
    let held = here.acquire(lock(), TTL).await.unwrap();
    let waiter = tokio::spawn(async move {
        there
            .acquire(lock(), waiting(20_000))
            .await
            .map(|_| Instant::now())
    });
    sleep(ms(1_000)).await;
    // Votes that vanish without a word.
    nodes.0[0].node.forget(Duration::ZERO);
    let vanished = Instant::now();
    assert!(soon(waiter).await.unwrap().unwrap() - vanished < ms(2_100));
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn a_dead_holders_lock_is_had_when_its_ttl_is_over() {
    let nodes = Nodes::new(5);
    let ttl = ms(5_000);
    let begun = Instant::now();
    let dead = nodes
        .locker()
        .acquire(lock(), LockOptions::new(ttl).auto_extend(false))
        .await
        .unwrap();
    std::mem::forget(dead);
    let got = nodes
        .locker()
        .acquire(lock(), LockOptions::new(ttl).wait(ms(20_000)))
        .await;
    assert!(got.is_ok());
    assert!(
        begun.elapsed() >= ttl && begun.elapsed() < ttl + ms(200),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn an_idle_waiter_asks_a_node_once_a_second_at_most() {
    let nodes = Nodes::new(5);
    let (here, there) = (nodes.locker(), nodes.locker());
    let _held = here
        .acquire(lock(), LockOptions::new(TTL).max_hold(TTL * 100))
        .await
        .unwrap();
    // A hundred who wait are one who asks.
    for _ in 0..100 {
        let there = there.clone();
        tokio::spawn(async move { there.acquire(lock(), waiting(1_000_000)).await.map(drop) });
    }
    sleep(ms(100)).await;
    let commands = || {
        nodes
            .0
            .iter()
            .map(|node| node.acquires() + node.releases())
            .max()
            .unwrap()
    };
    let before = commands();
    sleep(Duration::from_secs(100)).await;
    let asked = commands() - before;
    assert!((40..=100).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn the_queue_has_an_end() {
    let nodes = Nodes::new(1);
    let locker = Locker::builder()
        .shared_node(Arc::clone(&nodes.0[0]) as Arc<dyn LockNode>)
        .max_waiters(2)
        .build();
    let _held = locker.acquire(lock(), TTL).await.unwrap();
    for _ in 0..2 {
        let locker = locker.clone();
        tokio::spawn(async move { locker.acquire(lock(), waiting(60_000)).await.map(drop) });
    }
    sleep(ms(1)).await;
    let begun = Instant::now();
    assert_eq!(
        locker.acquire(lock(), waiting(60_000)).await.unwrap_err().kind(),
        LockErrorKind::Busy
    );
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn fifty_in_five_processes_exclude_each_other_and_all_have_their_turn() {
    let nodes = Nodes::new(5);
    nodes.set(0..1, Fault::SlowAnswer(3));
    nodes.set(1..2, Fault::SlowCall(2));
    let inside = Arc::new(Mutex::new((0, 0)));
    let mut tasks = Vec::new();
    for locker in (0..5).map(|_| nodes.locker()) {
        for _ in 0..10 {
            let (locker, inside) = (locker.clone(), Arc::clone(&inside));
            tasks.push(tokio::spawn(async move {
                let work = async |_| {
                    let before = *inside.lock().unwrap();
                    sleep(ms(2)).await;
                    // A lost update is two inside at once.
                    *inside.lock().unwrap() = (before.0 + 1, before.1 + 1);
                };
                for _ in 0..4 {
                    let outcome = locker.with_lock(lock(), waiting(600_000), work).await;
                    assert!(matches!(outcome, Outcome::Ran(())), "{outcome:?}");
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*inside.lock().unwrap(), (200, 200));
    sleep(ms(100)).await;
    assert_eq!(nodes.held(KEY), 0);
}

/// How often the nodes have been asked for the lock.
fn asked(nodes: &Nodes) -> usize {
    nodes.0.iter().map(|node| node.acquires()).sum()
}

#[tokio::test(start_paused = true)]
async fn between_processes_turns_come_in_order_and_only_the_one_whose_turn_it_is_asks() {
    let nodes = Nodes::new(5);
    let order = Arc::new(Mutex::new(Vec::new()));
    let held = nodes.locker().acquire(lock(), TTL).await.unwrap();
    let mut tasks = Vec::new();
    for process in 0..5 {
        let (locker, order) = (nodes.locker(), Arc::clone(&order));
        tasks.push(tokio::spawn(async move {
            for _ in 0..3 {
                let work = async |_| order.lock().unwrap().push(process);
                let outcome = locker.with_lock(lock(), waiting(10_000), work).await;
                assert!(matches!(outcome, Outcome::Ran(())));
            }
        }));
        sleep(ms(1)).await;
    }
    let (before, begun) = (asked(&nodes), Instant::now());
    drop(held);
    for task in tasks {
        soon(task).await.unwrap();
    }
    assert_eq!(order.lock().unwrap()[..5], [0, 1, 2, 3, 4]);
    // Five for each hold, and as many for each time that somebody comes to the line anew.
    let asked = asked(&nodes) - before;
    assert!(asked <= 15 * 5 + 10 * 10, "{asked}");
    assert!(begun.elapsed() < ms(50), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn within_two_processes_turns_alternate_and_nobody_asks_in_vain() {
    let nodes = Nodes::new(5);
    let order = Arc::new(Mutex::new(Vec::new()));
    let held = nodes.locker().acquire(lock(), TTL).await.unwrap();
    let lockers = [nodes.locker(), nodes.locker()];
    let mut tasks = Vec::new();
    for number in 0..20 {
        let (locker, order) = (lockers[number % 2].clone(), Arc::clone(&order));
        tasks.push(tokio::spawn(async move {
            let work = async |_| {
                order.lock().unwrap().push(number % 2);
                sleep(ms(2)).await;
            };
            locker.with_lock(lock(), waiting(10_000), work).await
        }));
        sleep(ms(1)).await;
    }
    let before = asked(&nodes);
    drop(held);
    for task in tasks {
        assert!(matches!(soon(task).await.unwrap(), Outcome::Ran(())));
    }
    assert_eq!(*order.lock().unwrap(), [0, 1].repeat(10));
    assert_eq!(asked(&nodes) - before, 20 * 5);
}

#[tokio::test(start_paused = true)]
async fn one_who_is_named_and_gone_holds_the_others_up_for_ten_milliseconds() {
    let nodes = Nodes::new(5);
    let (here, there) = (nodes.locker(), nodes.locker());
    let held = here.acquire(lock(), TTL).await.unwrap();
    for ghost in 0..3 {
        let token = FencingToken::from_u64(u64::MAX);
        let ask = Acquire::new(KEY, Owner::from_bytes([9; 20]), token, TTL);
        for node in &nodes.0 {
            let ask = ask.clone().waiter(Some(Waiter::from_u64(ghost)));
            node.acquire(&ask).await.unwrap();
        }
    }
    let waiter = tokio::spawn(async move { there.acquire(lock(), waiting(10_000)).await.map(drop) });
    sleep(ms(1)).await;
    let begun = Instant::now();
    held.release().await;
    soon(waiter).await.unwrap().unwrap();
    assert!(
        (ms(5)..=ms(11)).contains(&begun.elapsed()),
        "{:?}",
        begun.elapsed()
    );
}
