//! What the holder of a lock can rely on, in paused time: extension, loss, limits, and the outcome that tells the truth.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use larder_lock::{
    FencingToken, Lock, LockErrorKind, LockOptions, Locks, LossCause, OnLoss, OnUnavailable, Outcome,
    Released,
};
use support::{Fault, Nodes, ms, soon};
use tokio::time::{Instant, sleep};

const TTL: Duration = Duration::from_secs(3);
const KEY: &str = "k:1";

fn lock() -> Lock {
    Lock::new("k", 1)
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_extended_while_its_holder_works() {
    let nodes = Nodes::new(5);
    let locker = nodes.locker();
    let outcome = locker.with_lock(lock(), TTL, async |lease| {
        sleep(TTL * 5).await;
        lease.remaining()
    });
    let remaining = outcome.await.ran().unwrap();
    assert!(remaining > TTL / 2, "{remaining:?}");
    let extends = nodes.0[0].extends();
    assert!((14..=16).contains(&extends), "every third of the ttl: {extends}");
    assert_eq!(nodes.held(KEY), 0);
}

#[tokio::test(start_paused = true)]
async fn a_passing_fault_is_not_a_loss() {
    let nodes = Nodes::new(5);
    let locker = nodes.locker();
    let outcome = locker.with_lock(lock(), TTL, async |lease| {
        for fault in [Fault::Down, Fault::Hung, Fault::Mute] {
            sleep(ms(950)).await;
            nodes.set(0..3, fault);
            sleep(ms(1_200)).await;
            nodes.set(0..3, Fault::None);
            assert_eq!(nodes.held(KEY), 5, "nothing was unlocked");
            sleep(TTL).await;
            assert_eq!(lease.loss(), None);
        }
    });
    assert!(matches!(outcome.await, Outcome::Ran(())));
}

#[tokio::test(start_paused = true)]
async fn a_majority_that_forgot_is_a_loss_and_told_at_the_next_extension() {
    let nodes = Nodes::new(5);
    let locker = nodes.locker();
    let outcome = locker.with_lock(lock(), TTL, async |lease| {
        let begun = Instant::now();
        (0..3).for_each(|node| nodes.0[node].node.forget(TTL));
        let cause = lease.lost().await;
        (begun.elapsed(), cause, lease.remaining())
    });
    let Outcome::Lost {
        value: Some((after, cause, remaining)),
        cause: LossCause::NotOwner,
    } = outcome.await
    else {
        panic!("it was lost");
    };
    assert_eq!(
        (after, cause, remaining),
        (TTL / 3, LossCause::NotOwner, Duration::ZERO)
    );
    sleep(ms(10)).await;
    assert_eq!(nodes.held(KEY), 0, "released where it was left");
}

#[tokio::test(start_paused = true)]
async fn a_majority_that_forgot_is_a_loss_even_if_only_the_release_finds_it() {
    for servers in [1, 5] {
        let nodes = Nodes::new(servers);
        let locker = nodes.locker();
        let outcome = locker.with_lock(lock(), TTL, async |_| {
            nodes.0.iter().for_each(|node| node.node.forget(TTL));
        });
        let outcome = outcome.await;
        assert!(
            matches!(
                outcome,
                Outcome::Lost {
                    value: Some(()),
                    cause: LossCause::NotOwner
                }
            ),
            "{outcome:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_minority_that_forgot_is_no_loss() {
    let nodes = Nodes::new(5);
    let locker = nodes.locker();
    let outcome = locker.with_lock(lock(), TTL, async |_| {
        (0..2).for_each(|node| nodes.0[node].node.forget(TTL));
        sleep(TTL * 3).await;
    });
    assert!(matches!(outcome.await, Outcome::Ran(())));
}

#[tokio::test(start_paused = true)]
async fn a_majority_that_stays_away_is_a_loss_and_told_before_validity_ends() {
    let nodes = Nodes::new(5);
    for fault in [Fault::Down, Fault::Hung] {
        nodes.set(0..5, Fault::None);
        let locker = nodes.locker();
        let outcome = locker.with_lock(lock(), TTL, async |lease| {
            let valid_until = Instant::now() + lease.remaining();
            nodes.set(0..3, fault);
            lease.lost().await;
            assert!(Instant::now() <= valid_until);
            assert!(Instant::now() >= valid_until - ms(3));
        });
        let outcome = outcome.await;
        assert!(
            matches!(outcome, Outcome::Lost { value: Some(()), .. }),
            "{outcome:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn work_that_outlives_a_lock_without_extension_is_lost_even_if_nobody_looked() {
    let nodes = Nodes::new(5);
    let options = LockOptions::new(TTL).auto_extend(false);
    let locker = nodes.locker();
    let outcome = locker
        .with_lock(lock(), options, async |_| sleep(TTL).await)
        .await;
    assert!(
        matches!(
            outcome,
            Outcome::Lost {
                value: Some(()),
                cause: LossCause::Expired
            }
        ),
        "{outcome:?}"
    );
}

// Real time: the work blocks the only thread, and with it the task that would extend.
#[tokio::test]
async fn work_that_blocks_its_thread_past_the_validity_is_lost() {
    let nodes = Nodes::new(5);
    let locker = nodes.locker();
    let outcome = locker
        .with_lock(lock(), ms(100), async |_| std::thread::sleep(ms(150)))
        .await;
    assert!(
        matches!(outcome, Outcome::Lost { value: Some(()), .. }),
        "{outcome:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn work_can_be_stopped_at_the_loss() {
    let nodes = Nodes::new(5);
    let options = LockOptions::new(TTL).on_loss(OnLoss::Stop);
    let locker = nodes.locker();
    let outcome = locker.with_lock(lock(), options, async |_| {
        (0..5).for_each(|node| nodes.0[node].node.forget(TTL));
        sleep(TTL * 100).await;
    });
    let outcome = soon(outcome).await;
    assert!(
        matches!(
            outcome,
            Outcome::Lost {
                value: None,
                cause: LossCause::NotOwner
            }
        ),
        "{outcome:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_held_for_max_hold_at_most() {
    let nodes = Nodes::new(5);
    let max_hold = TTL * 4;
    let begun = Instant::now();
    let options = LockOptions::new(TTL).max_hold(max_hold).on_loss(OnLoss::Stop);
    let locker = nodes.locker();
    let outcome = locker
        .with_lock(lock(), options, async |_| std::future::pending::<()>().await)
        .await;
    assert!(
        matches!(
            outcome,
            Outcome::Lost {
                value: None,
                cause: LossCause::MaxHold
            }
        ),
        "{outcome:?}"
    );
    assert!(
        begun.elapsed() <= max_hold && begun.elapsed() > max_hold - ms(3),
        "{:?}",
        begun.elapsed()
    );
    sleep(ms(10)).await;
    assert_eq!(nodes.held(KEY), 0);
}

#[tokio::test(start_paused = true)]
async fn a_guard_is_extended_by_hand() {
    let nodes = Nodes::new(5);
    let guard = nodes
        .locker()
        .acquire(lock(), LockOptions::new(TTL).auto_extend(false))
        .await
        .unwrap();
    sleep(TTL / 2).await;
    assert_eq!(guard.extend().await, Ok(TTL - ms(32)));
    nodes.set(0..3, Fault::Down);
    assert_eq!(guard.extend().await, Err(LossCause::Quorum));
    assert_eq!(guard.lease().loss(), None, "not lost yet");
    nodes.set(0..3, Fault::None);
    (0..3).for_each(|node| nodes.0[node].node.forget(TTL));
    assert_eq!(guard.extend().await, Err(LossCause::NotOwner));
    assert_eq!(guard.release().await, Released::Lost(LossCause::NotOwner));
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_ran_out_is_not_revived() {
    let nodes = Nodes::new(5);
    let guard = nodes
        .locker()
        .acquire(lock(), LockOptions::new(TTL).auto_extend(false))
        .await
        .unwrap();
    // The votes live for the drift longer than the belief in them.
    sleep(TTL - ms(10)).await;
    assert_eq!(nodes.held(KEY), 5);
    assert_eq!(guard.extend().await, Err(LossCause::Expired));
    assert_eq!(guard.release().await, Released::Lost(LossCause::Expired));
}

#[tokio::test(start_paused = true)]
async fn at_least_for_keeps_the_lock_after_its_release() {
    let nodes = Nodes::new(5);
    let (here, there) = (nodes.locker(), nodes.locker());
    let at_least = TTL * 2;
    let begun = Instant::now();
    let options = LockOptions::new(TTL).at_least_for(at_least);
    assert!(matches!(
        here.with_lock(lock(), options, async |_| ()).await,
        Outcome::Ran(())
    ));
    assert_eq!(begun.elapsed(), Duration::ZERO, "the holder does not wait");
    sleep(at_least - ms(10)).await;
    let busy = there.acquire(lock(), TTL).await.unwrap_err();
    assert_eq!(busy.retry_after(), Some(ms(10)));
    let busy = here.acquire(lock(), TTL).await.unwrap_err();
    assert_eq!(busy.kind(), LockErrorKind::Busy);
    assert!(
        there
            .acquire(lock(), LockOptions::new(TTL).wait(ms(100)))
            .await
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn work_runs_unlocked_only_where_that_was_asked_for() {
    let nodes = Nodes::new(5);
    nodes.set(0..3, Fault::Down);
    let locker = nodes.locker();
    let outcome = locker
        .with_lock(lock(), TTL, async |_| panic!("not without its lock"))
        .await;
    let Outcome::Unavailable::<()>(report) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(report.nodes().len(), 5);

    let options = LockOptions::new(TTL).on_unavailable(OnUnavailable::RunUnlocked);
    let outcome = locker
        .with_lock(lock(), options.clone(), async |lease| {
            assert!(!lease.is_locked());
            assert_eq!(lease.loss(), None);
            lease.fencing_token()
        })
        .await;
    assert!(
        matches!(outcome, Outcome::RanUnlocked(FencingToken::UNFENCED)),
        "{outcome:?}"
    );

    // Held by another is not unavailable.
    nodes.set(0..3, Fault::None);
    let _held = nodes.locker().acquire(lock(), TTL).await.unwrap();
    let outcome = locker.with_lock(lock(), options, async |_| ()).await;
    assert!(matches!(outcome, Outcome::Busy { .. }), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn several_locks_are_held_together_or_not_at_all() {
    let nodes = Nodes::new(3);
    let (here, there) = (nodes.locker(), nodes.locker());
    let [a, b, c] = ["a", "b", "c"].map(|id| Lock::new("account", id));
    let all = Locks::from([c.clone(), a.clone(), b.clone(), a.clone()]);
    let outcome = here
        .with_lock(all.clone(), TTL, async |lease| {
            assert_eq!(
                ["account:a", "account:b", "account:c"].map(|key| nodes.held(key)),
                [3, 3, 3]
            );
            assert_eq!(lease.fencing_token_of(&a), Some(lease.fencing_token()));
            assert!(lease.fencing_token_of(&c).is_some());
            assert_eq!(lease.fencing_token_of(&lock()), None);
            sleep(TTL * 2).await;
        })
        .await;
    assert!(matches!(outcome, Outcome::Ran(())));

    let held = there.acquire(b.clone(), TTL).await.unwrap();
    assert_eq!(
        here.acquire(all.clone(), TTL).await.unwrap_err().kind(),
        LockErrorKind::Busy
    );
    sleep(ms(10)).await;
    assert_eq!(["account:a", "account:c"].map(|key| nodes.held(key)), [0, 0]);
    drop(held);

    // Those who want the same in opposite order do not wait for each other for ever.
    let mut tasks = Vec::new();
    for order in [[a.clone(), b.clone()], [b, a]] {
        let (locker, options) = (
            nodes.locker(),
            LockOptions::new(TTL).wait(Duration::from_secs(60)),
        );
        tasks.push(tokio::spawn(async move {
            for _ in 0..20 {
                let outcome = locker
                    .with_lock(order.clone(), options.clone(), async |_| sleep(ms(1)).await)
                    .await;
                assert!(matches!(outcome, Outcome::Ran(())), "{outcome:?}");
            }
        }));
    }
    for task in tasks {
        soon(task).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_loss_of_one_of_several_locks_is_a_loss() {
    let nodes = Nodes::new(1);
    let locks = [Lock::new("k", 1), Lock::new("k", 2)];
    let locker = nodes.locker();
    let outcome = locker.with_lock(locks, TTL, async |lease| {
        nodes.0[0].node.forget(Duration::ZERO);
        lease.lost().await
    });
    assert!(matches!(
        outcome.await,
        Outcome::Lost {
            value: Some(_),
            cause: LossCause::NotOwner
        }
    ));
}

#[tokio::test(start_paused = true)]
async fn work_that_panics_releases_its_lock() {
    let nodes = Nodes::new(5);
    let locker = nodes.locker();
    let task = tokio::spawn(async move {
        locker
            .with_lock(lock(), TTL, async |_| panic!("as told"))
            .await
            .ran()
    });
    let ended: Result<Option<()>, _> = task.await;
    assert!(ended.unwrap_err().is_panic());
    sleep(ms(10)).await;
    assert_eq!(nodes.held(KEY), 0);
}

#[tokio::test(start_paused = true)]
async fn the_loss_is_told_to_every_clone_and_never_after_the_release() {
    let nodes = Nodes::new(5);
    let guard = nodes.locker().acquire(lock(), TTL).await.unwrap();
    let told = Arc::new(AtomicBool::new(false));
    let (lease, flag) = (guard.lease(), Arc::clone(&told));
    let listening = tokio::spawn(async move {
        lease.lost().await;
        flag.store(true, Ordering::Relaxed);
    });
    sleep(ms(1)).await;
    assert_eq!(guard.release().await, Released::Freed);
    sleep(TTL * 2).await;
    assert!(!told.load(Ordering::Relaxed));
    listening.abort();
}
