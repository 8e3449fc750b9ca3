//! The rules of Redlock, one by one, in paused time on nodes that fail as they are told.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use larder_lock::{FencingToken, Lock, LockErrorKind, LockNode, LockOptions, Locker, Outcome, Released};
use support::{Fault, Nodes, ms, soon};
use tokio::time::{Instant, sleep};

const TTL: Duration = Duration::from_secs(10);
const KEY: &str = "k:1";

fn lock() -> Lock {
    Lock::new("k", 1)
}

#[tokio::test(start_paused = true)]
async fn rule_1_every_request_has_a_value_of_its_own() {
    let nodes = Nodes::new(3);
    let locker = nodes.locker();
    for _ in 0..20 {
        let guard = locker.acquire(lock(), TTL).await.unwrap();
        assert_eq!(guard.release().await, Released::Freed);
    }
    let mut owners = nodes.0[0].owners.lock().unwrap().clone();
    owners.sort();
    owners.dedup();
    assert_eq!(owners.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn rule_3_all_nodes_are_asked_at_once() {
    let nodes = Nodes::new(5);
    nodes.set(0..5, Fault::SlowAnswer(20));
    let begun = Instant::now();
    let guard = nodes.locker().acquire(lock(), TTL).await.unwrap();
    assert_eq!(begun.elapsed(), ms(20));
    // Validity counts from before the first command.
    assert_eq!(guard.lease().remaining(), TTL - ms(102) - ms(20));
}

#[tokio::test(start_paused = true)]
async fn a_minority_of_hung_nodes_costs_nothing() {
    let nodes = Nodes::new(5);
    nodes.set(0..2, Fault::Hung);
    let locker = nodes.locker();
    let begun = Instant::now();
    for _ in 0..10 {
        let guard = locker.acquire(lock(), ms(500)).await.unwrap();
        assert_eq!(guard.release().await, Released::Freed);
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn rule_4_a_majority_without_time_left_is_none() {
    let nodes = Nodes::new(5);
    nodes.set(0..5, Fault::SlowAnswer(120));
    let options = LockOptions::new(ms(100)).per_node_timeout(ms(200));
    let error = nodes.locker().acquire(lock(), options).await.unwrap_err();
    assert_eq!(error.kind(), LockErrorKind::Busy);
    assert_eq!(nodes.held(KEY), 0);
}

#[tokio::test(start_paused = true)]
async fn rule_4_two_of_five_are_no_majority() {
    let nodes = Nodes::new(5);
    nodes.set(0..3, Fault::Down);
    let error = nodes.locker().acquire(lock(), TTL).await.unwrap_err();
    assert_eq!(error.kind(), LockErrorKind::Unavailable);
    let errors: Vec<_> = error
        .nodes()
        .unwrap()
        .iter()
        .map(|node| (node.node(), node.error().is_some()))
        .collect();
    let failed = [("node-0", true), ("node-1", true), ("node-2", true)];
    assert_eq!(errors[..3], failed);
    assert!(!errors[3].1 && !errors[4].1);
    sleep(ms(100)).await;
    assert_eq!(nodes.held(KEY), 0);
}

#[tokio::test(start_paused = true)]
async fn rule_5_a_failed_attempt_is_undone_also_where_no_answer_came() {
    let nodes = Nodes::new(5);
    nodes.set(0..3, Fault::Mute);
    let error = nodes.locker().acquire(lock(), TTL).await.unwrap_err();
    assert_eq!(error.kind(), LockErrorKind::Unavailable);
    sleep(ms(100)).await;
    assert_eq!(nodes.held(KEY), 0);
}

#[tokio::test(start_paused = true)]
async fn rule_5_a_vote_that_comes_after_its_undoing_is_refused() {
    let nodes = Nodes::new(5);
    nodes.set(0..3, Fault::SlowCall(400));
    let locker = nodes.locker();
    let attempt = tokio::spawn(async move { locker.acquire(lock(), TTL).await.map(drop) });
    // The acquisitions are on their way; what is sent from now on overtakes them.
    sleep(ms(1)).await;
    nodes.set(0..3, Fault::None);
    assert_eq!(
        attempt.await.unwrap().unwrap_err().kind(),
        LockErrorKind::Unavailable
    );
    sleep(ms(600)).await;
    assert_eq!(nodes.held(KEY), 0);
}

#[tokio::test(start_paused = true)]
async fn rule_5_a_node_that_was_away_during_the_undoing_is_undone_later() {
    let nodes = Nodes::new(5);
    nodes.set(0..3, Fault::Mute);
    let locker = nodes.locker();
    let attempt = tokio::spawn(async move { locker.acquire(lock(), TTL).await.map(drop) });
    sleep(ms(1)).await;
    nodes.set(0..3, Fault::Hung);
    assert!(attempt.await.unwrap().is_err());
    sleep(ms(1_000)).await;
    assert_eq!(nodes.held(KEY), 3);
    nodes.set(0..3, Fault::None);
    sleep(ms(2_000)).await;
    assert_eq!(nodes.held(KEY), 0);
}

#[tokio::test(start_paused = true)]
async fn rule_6_release_goes_to_all_nodes_also_to_those_that_never_answered() {
    let nodes = Nodes::new(5);
    nodes.set(3..5, Fault::Mute);
    let guard = nodes.locker().acquire(lock(), TTL).await.unwrap();
    assert_eq!(nodes.held(KEY), 5);
    assert_eq!(guard.release().await, Released::Freed);
    sleep(ms(10)).await;
    assert_eq!(nodes.held(KEY), 0);
}

#[tokio::test(start_paused = true)]
async fn a_release_that_no_majority_confirms_says_so_and_goes_on() {
    let nodes = Nodes::new(5);
    let guard = nodes.locker().acquire(lock(), TTL).await.unwrap();
    nodes.set(0..3, Fault::Down);
    let begun = Instant::now();
    assert_eq!(guard.release().await, Released::Unconfirmed);
    assert_eq!(begun.elapsed(), ms(200), "the time for one node");
    nodes.set(0..3, Fault::None);
    sleep(ms(2_000)).await;
    assert_eq!(nodes.held(KEY), 0);
}

/// A locker that asks the nodes in the opposite order.
fn reversed(nodes: &Nodes) -> Locker {
    Locker::new(
        nodes
            .0
            .iter()
            .rev()
            .map(|node| Arc::clone(node) as Arc<dyn LockNode>),
    )
}

#[tokio::test(start_paused = true)]
async fn rule_7_those_who_clash_try_again_at_random_until_one_wins() {
    let nodes = Nodes::new(5);
    // Two see the nodes in opposite order and so take two each at first.
    let mut tasks = Vec::new();
    for locker in [nodes.locker(), reversed(&nodes)] {
        tasks.push(tokio::spawn(async move {
            let options = LockOptions::new(TTL).wait(Duration::from_secs(30));
            for _ in 0..20 {
                let outcome = locker
                    .with_lock(lock(), options.clone(), async |_| sleep(ms(1)).await)
                    .await;
                assert!(matches!(outcome, Outcome::Ran(())), "{outcome:?}");
            }
        }));
    }
    for task in tasks {
        soon(task).await.unwrap();
    }
    sleep(ms(10)).await;
    assert_eq!(nodes.held(KEY), 0);
}

#[tokio::test(start_paused = true)]
async fn those_who_clash_and_do_not_wait_do_not_all_go_without() {
    let nodes = Nodes::new(5);
    nodes.set(0..5, Fault::SlowAnswer(1));
    let lockers = [nodes.locker(), reversed(&nodes)];
    for _ in 0..50 {
        let [one, two] = &lockers;
        let (one, two) = tokio::join!(one.acquire(lock(), TTL), two.acquire(lock(), TTL));
        assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
        drop((one, two));
        sleep(ms(50)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn rule_9_a_node_that_forgot_does_not_vote_before_all_votes_have_run_out() {
    let nodes = Nodes::new(5);
    nodes.set(3..5, Fault::Down);
    let held = nodes.locker().acquire(lock(), TTL).await.unwrap();
    nodes.set(3..5, Fault::None);
    nodes.0[0].node.forget(TTL);
    let error = nodes.locker().acquire(lock(), TTL).await.unwrap_err();
    assert_eq!(error.kind(), LockErrorKind::Busy);
    assert!(held.lease().loss().is_none());

    // Where a majority has forgotten, nobody gets anything.
    (1..3).for_each(|node| nodes.0[node].node.forget(TTL));
    let error = nodes.locker().acquire(lock(), TTL).await.unwrap_err();
    assert_eq!(error.kind(), LockErrorKind::Unavailable);
    assert!(error.to_string().contains("quarantined"), "{error}");
    drop(held);
    sleep(TTL).await;
    assert!(nodes.locker().acquire(lock(), TTL).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn tokens_rise_whatever_the_clocks_say() {
    let nodes = Nodes::new(5);
    let at = |seconds| {
        let builder = nodes.0.iter().fold(Locker::builder(), |builder, node| {
            builder.shared_node(Arc::clone(node) as Arc<dyn LockNode>)
        });
        builder.wall_clock(move || Duration::from_secs(seconds)).build()
    };
    let lockers = [at(2_000_000), at(1_000), at(0), at(1_999_999)];
    let mut last = FencingToken::UNFENCED;
    for round in 0..20 {
        // Different majorities.
        nodes.set(0..5, Fault::None);
        nodes.set([round % 5, (round + 1) % 5], Fault::Down);
        let guard = lockers[round % lockers.len()].acquire(lock(), TTL).await.unwrap();
        assert!(guard.lease().fencing_token() > last);
        last = guard.lease().fencing_token();
        assert_eq!(guard.release().await, Released::Freed);
        sleep(Duration::from_secs(15)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_node_is_a_majority_of_one() {
    let nodes = Nodes::new(1);
    let (here, there) = (nodes.locker(), nodes.locker());
    let guard = here.acquire(lock(), TTL).await.unwrap();
    let error = there.acquire(lock(), TTL).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(TTL));
    drop(guard);
    assert!(
        there
            .acquire(lock(), LockOptions::new(TTL).wait(ms(100)))
            .await
            .is_ok()
    );
}
