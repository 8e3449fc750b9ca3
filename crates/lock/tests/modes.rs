//! The ways to hold a lock, on one real server and on five: together with others, several at once, within limits, or not at all.
#![cfg(all(unix, feature = "redis"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use larder_lock::{
    FencingToken, Lock, LockErrorKind, Locks, LossCause, OnLoss, OnUnavailable, Outcome, Released,
};
use larder_testkit::RedisServer;
use support::servers::{Servers, lock, options};
use support::{ms, soon};
use tokio::time::sleep;

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn readers_share_a_lock_and_exclude_writers() {
    for servers in [1, 5] {
        let servers = Servers::start(servers).await;
        let (here, there) = (servers.locker(), servers.locker());
        let first = here.acquire(lock().shared(), options()).await.unwrap();
        let second = there.acquire(lock().shared(), options()).await.unwrap();
        let third = here.acquire(lock().shared(), options()).await.unwrap();
        let refused = there.acquire(lock(), options()).await.unwrap_err();
        assert_eq!(refused.kind(), LockErrorKind::Busy);
        assert!(first.extend().await.is_ok());
        let last = [&first, &second, &third].map(|guard| guard.lease().fencing_token());
        let writer = tokio::spawn(async move { there.acquire(lock(), options().wait(LONG)).await });
        for guard in [first, second, third] {
            assert!(!writer.is_finished(), "a writer beside a reader");
            assert_eq!(guard.release().await, Released::Freed);
        }
        let writer = soon(writer).await.unwrap().unwrap();
        assert!(last.iter().all(|token| *token < writer.lease().fencing_token()));
        let refused = here.acquire(lock().shared(), options()).await.unwrap_err();
        assert_eq!(refused.kind(), LockErrorKind::Busy);
        assert_eq!(writer.release().await, Released::Freed);
        servers.until_free().await;
    }
}

#[tokio::test]
async fn readers_and_writers_of_several_processes_all_have_their_turn() {
    let servers = Servers::start(5).await;
    // A writer is worth a hundred.
    let inside = std::sync::Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for process in (0..3).map(|_| servers.locker()) {
        for number in 0..6 {
            let (process, inside) = (process.clone(), std::sync::Arc::clone(&inside));
            tasks.push(tokio::spawn(async move {
                let (name, worth) = if number == 0 {
                    (lock(), 100)
                } else {
                    (lock().shared(), 1)
                };
                for _ in 0..4 {
                    let outcome = process.with_lock(name.clone(), options().wait(LONG), async |_| {
                        let others = inside.fetch_add(worth, Ordering::SeqCst);
                        assert!(
                            others < 100 && (worth == 1 || others == 0),
                            "{others} and {worth}"
                        );
                        sleep(ms(2)).await;
                        inside.fetch_sub(worth, Ordering::SeqCst);
                    });
                    let outcome = outcome.await;
                    assert!(matches!(outcome, Outcome::Ran(())), "{outcome:?}");
                }
            }));
        }
    }
    for task in tasks {
        soon(task).await.unwrap();
    }
    servers.until_free().await;
}

#[tokio::test]
async fn several_names_are_held_together_or_not_at_all() {
    for servers in [1, 5] {
        let servers = Servers::start(servers).await;
        let (here, there) = (servers.locker(), servers.locker());
        let both = Locks::from([lock(), Lock::new("k", 0)]);
        let guard = here.acquire(both.clone(), options()).await.unwrap();
        for name in both.iter() {
            let refused = there.acquire(name.clone(), options()).await.unwrap_err();
            assert_eq!(refused.kind(), LockErrorKind::Busy);
        }
        assert_ne!(guard.lease().fencing_token_of(&lock()), None);
        assert_eq!(guard.release().await, Released::Freed);
        // `k:0` comes first and is given back, because `k:1` is not to be had.
        let held = there.acquire(lock(), options()).await.unwrap();
        let refused = here.acquire(both, options()).await.unwrap_err();
        assert_eq!(refused.kind(), LockErrorKind::Busy);
        assert!(
            there
                .acquire(Lock::new("k", 0), options().wait(LONG))
                .await
                .is_ok()
        );
        drop(held);
        servers.until_free().await;
    }
}

#[tokio::test]
async fn a_lock_is_lost_at_max_hold_and_had_by_the_next() {
    for servers in [1, 5] {
        let servers = Servers::start(servers).await;
        let (here, there) = (servers.locker(), servers.locker());
        let longest = ms(900);
        let begun = Instant::now();
        let work = async {
            let options = options().max_hold(longest).on_loss(OnLoss::Stop);
            here.with_lock(lock(), options, async |_| sleep(LONG).await).await
        };
        let outcome = soon(work).await;
        let lost = matches!(
            outcome,
            Outcome::Lost {
                value: None,
                cause: LossCause::MaxHold
            }
        );
        assert!(lost, "{outcome:?}");
        assert!(begun.elapsed() >= longest - ms(5), "{:?}", begun.elapsed());
        assert!(there.acquire(lock(), options().wait(LONG)).await.is_ok());
        servers.until_free().await;
    }
}

#[tokio::test]
async fn a_lock_stays_taken_at_least_for_its_time() {
    for servers in [1, 5] {
        let servers = Servers::start(servers).await;
        let (here, there) = (servers.locker(), servers.locker());
        let time = ms(700);
        let options = options().at_least_for(time);
        let mut acquired = Instant::now();
        let outcome = here.with_lock(lock(), options.clone(), async |_| acquired = Instant::now());
        assert!(matches!(outcome.await, Outcome::Ran(())));
        let refused = there.acquire(lock(), options.clone()).await;
        // On a machine that is very busy the time may be over already.
        if acquired.elapsed() < time - ms(10) {
            assert_eq!(refused.unwrap_err().kind(), LockErrorKind::Busy);
        }
        let next = there
            .acquire(lock(), options.clone().at_least_for(Duration::ZERO).wait(LONG))
            .await;
        // The servers round to milliseconds.
        assert!(acquired.elapsed() >= time - ms(3), "{:?}", acquired.elapsed());
        assert_eq!(next.unwrap().release().await, Released::Freed);
        servers.until_free().await;
    }
}

#[tokio::test]
async fn work_runs_unlocked_only_where_that_was_asked_for() {
    for count in [1, 5] {
        let mut servers = Servers::start(count).await;
        let (here, there) = (servers.locker(), servers.locker());
        let options = options().on_unavailable(OnUnavailable::RunUnlocked);
        let held = there.acquire(lock(), options.clone()).await.unwrap();
        let outcome = here.with_lock(lock(), options.clone(), async |_| ()).await;
        assert!(matches!(outcome, Outcome::Busy { .. }), "{outcome:?}");
        assert_eq!(held.release().await, Released::Freed);
        servers.0[..count.div_ceil(2)]
            .iter_mut()
            .for_each(RedisServer::kill);
        let outcome = here
            .with_lock(lock(), support::servers::options(), async |_| {
                panic!("not without its lock")
            })
            .await;
        assert!(matches!(outcome, Outcome::<()>::Unavailable(_)), "{outcome:?}");
        let outcome = here
            .with_lock(lock(), options, async |lease| {
                (lease.is_locked(), lease.fencing_token())
            })
            .await;
        assert!(
            matches!(outcome, Outcome::RanUnlocked((false, FencingToken::UNFENCED))),
            "{outcome:?}"
        );
    }
}
