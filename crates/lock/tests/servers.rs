//! Locks on real servers: one and five of them, stopped, killed and restarted.
#![cfg(all(unix, feature = "redis"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use larder_lock::{FencingToken, Lock, LockErrorKind, Locker, LossCause, NodeErrorKind, Outcome, Released};
use larder_testkit::RedisServer;
use support::servers::{KEY, Servers, TTL, lock, options};
use support::{ms, soon};
use tokio::time::sleep;

#[tokio::test]
async fn work_runs_under_the_lock_on_one_and_on_five() {
    for servers in [1, 5] {
        let servers = Servers::start(servers).await;
        let (here, there) = (servers.locker(), servers.locker());
        let outcome = here.with_lock(lock(), options(), async |lease| {
            let busy = there.acquire(lock(), options()).await.unwrap_err();
            assert_eq!(busy.kind(), LockErrorKind::Busy);
            assert!(busy.retry_after().unwrap() <= TTL);
            lease.fencing_token()
        });
        let first = outcome.await.ran().unwrap();
        let guard = there.acquire(lock(), options().wait(TTL)).await.unwrap();
        assert!(guard.lease().fencing_token() > first);
        assert!(guard.extend().await.unwrap() > TTL / 2);
        assert_eq!(guard.release().await, Released::Freed);
        servers.until_free().await;
    }
}

#[tokio::test]
async fn fifty_tasks_exclude_each_other_and_all_have_their_turn() {
    for servers in [1, 5] {
        let servers = Servers::start(servers).await;
        let (inside, done, last) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicU64::new(0));
        let shared = Arc::new((inside, done, last));
        let mut tasks = Vec::new();
        // Five processes of ten.
        for process in (0..5).map(|_| servers.locker()) {
            for _ in 0..10 {
                let (locker, shared) = (process.clone(), Arc::clone(&shared));
                tasks.push(tokio::spawn(async move {
                    let options = options().wait(Duration::from_secs(60));
                    for _ in 0..3 {
                        let outcome = locker
                            .with_lock(lock(), options.clone(), async |lease| {
                                assert_eq!(shared.0.fetch_add(1, Ordering::SeqCst), 0, "two inside");
                                let token = lease.fencing_token().as_u64();
                                assert!(shared.2.swap(token, Ordering::SeqCst) < token, "tokens rise");
                                tokio::task::yield_now().await;
                                shared.0.fetch_sub(1, Ordering::SeqCst);
                                shared.1.fetch_add(1, Ordering::SeqCst);
                            })
                            .await;
                        assert!(matches!(outcome, Outcome::Ran(())), "{outcome:?}");
                    }
                }));
            }
        }
        for task in tasks {
            soon(task).await.unwrap();
        }
        assert_eq!(shared.1.load(Ordering::SeqCst), 150);
        servers.until_free().await;
    }
}

/// How long a node takes to give up on a server that hangs.
const GIVES_UP: Duration = Duration::from_secs(1);

/// Acquires and releases, and asserts that nobody waited for a server that hangs.
async fn rounds_without_waiting(locker: &Locker, rounds: usize) {
    for round in 0..rounds {
        let begun = Instant::now();
        let guard = locker.acquire(Lock::new("k", round), options()).await.unwrap();
        assert_eq!(guard.release().await, Released::Freed);
        assert!(begun.elapsed() < GIVES_UP, "{round}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_hung_minority_is_not_waited_for() {
    let servers = Servers::start(5).await;
    let locker = servers.locker();
    rounds_without_waiting(&locker, 20).await;
    for hung in 0..2 {
        servers.0[hung].stop();
        rounds_without_waiting(&locker, 20).await;
    }
    servers.0[..2].iter().for_each(RedisServer::cont);
    servers.until_free().await;
}

#[tokio::test]
async fn a_locker_made_while_a_server_hangs_works() {
    let servers = Servers::start(5).await;
    servers.0[0].stop();
    rounds_without_waiting(&servers.locker(), 10).await;
    servers.0[0].cont();
}

#[tokio::test]
async fn three_of_five_killed_is_unavailable_and_three_restarted_are_quarantined() {
    let mut servers = Servers::start(5).await;
    let locker = servers.locker();
    assert_eq!(
        locker.acquire(lock(), options()).await.unwrap().release().await,
        Released::Freed
    );
    servers.0[..3].iter_mut().for_each(RedisServer::kill);
    let error = locker.acquire(lock(), options()).await.unwrap_err();
    assert_eq!(error.kind(), LockErrorKind::Unavailable);
    let failed = error
        .nodes()
        .unwrap()
        .iter()
        .filter(|node| node.error().is_some())
        .count();
    assert_eq!(failed, 3, "{error}");

    // One that is back without its memory does not help: a lock may be held that it has forgotten.
    servers.0[..3].iter_mut().for_each(RedisServer::restart);
    soon(async {
        loop {
            let error = locker.acquire(lock(), options()).await.unwrap_err();
            assert_eq!(error.kind(), LockErrorKind::Unavailable);
            let quarantined = |node: &larder_lock::NodeReport| {
                node.error()
                    .is_some_and(|error| error.kind() == NodeErrorKind::Quarantined)
            };
            if error
                .nodes()
                .unwrap()
                .iter()
                .filter(|node| quarantined(node))
                .count()
                == 3
            {
                break;
            }
            sleep(ms(10)).await;
        }
    })
    .await;
    for node in &servers.nodes()[..3] {
        node.commission().await.unwrap();
    }
    assert!(locker.acquire(lock(), options()).await.is_ok());
}

#[tokio::test]
async fn a_lock_held_by_three_is_not_given_away_when_one_of_them_forgets() {
    let mut servers = Servers::start(5).await;
    servers.0[3..].iter_mut().for_each(RedisServer::kill);
    let held = servers.locker().acquire(lock(), options()).await.unwrap();
    // Two that never heard of it, and one that has forgotten it.
    servers.0[2..].iter_mut().for_each(RedisServer::restart);
    for node in &servers.nodes()[3..] {
        node.commission().await.unwrap();
    }
    // Its holder cannot extend it any more, but holds it until it runs out.
    let mut refusals = 0;
    while held.lease().remaining() > TTL / 2 {
        let error = servers.locker().acquire(lock(), options()).await.unwrap_err();
        assert_eq!(error.kind(), LockErrorKind::Busy, "{error}");
        refusals += 1;
    }
    assert!(refusals > 0);
    drop(held);
}

#[tokio::test]
async fn a_lost_majority_is_told() {
    let servers = Servers::start(5).await;
    let ttl = ms(1_500);
    let outcome = servers
        .locker()
        .with_lock(lock(), ttl, async |lease| {
            // A majority is enough to begin.
            support::until("all have voted", || servers.held() == 5).await;
            servers.0[..3]
                .iter()
                .for_each(|server| drop(server.cli(&["DEL", KEY])));
            soon(lease.lost()).await
        })
        .await;
    assert!(
        matches!(
            outcome,
            Outcome::Lost {
                value: Some(LossCause::NotOwner),
                cause: LossCause::NotOwner
            }
        ),
        "{outcome:?}"
    );
    servers.until_free().await;
}

#[tokio::test]
async fn a_majority_that_hangs_for_a_while_costs_no_lock() {
    let servers = Servers::start(5).await;
    let ttl = Duration::from_secs(4);
    let outcome = servers
        .locker()
        .with_lock(lock(), ttl, async |lease| {
            sleep(ttl / 4).await;
            servers.0[..3].iter().for_each(RedisServer::stop);
            sleep(ttl / 3).await;
            servers.0[..3].iter().for_each(RedisServer::cont);
            sleep(ttl).await;
            lease.loss()
        })
        .await;
    assert!(matches!(outcome, Outcome::Ran(None)), "{outcome:?}");
    servers.until_free().await;
}

#[tokio::test]
async fn a_release_wakes_those_who_wait_elsewhere() {
    let servers = Servers::start(5).await;
    let (here, there) = (servers.locker(), servers.locker());
    let begun = Instant::now();
    // Without the news each of these would take a second at least.
    let waiting = options().wait(Duration::from_secs(60));
    let rounds = 20;
    let mut guard = Some(here.acquire(lock(), options()).await.unwrap());
    for round in 0..rounds {
        let locker = if round % 2 == 0 {
            there.clone()
        } else {
            here.clone()
        };
        let options = waiting.clone();
        let waiter = tokio::spawn(async move { locker.acquire(lock(), options).await });
        sleep(ms(20)).await;
        drop(guard.take());
        guard = Some(soon(waiter).await.unwrap().unwrap());
    }
    assert!(
        begun.elapsed() < Duration::from_secs(rounds / 2),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn an_acquisition_that_is_dropped_leaves_no_key() {
    let servers = Servers::start(5).await;
    let locker = servers.locker();
    drop(locker.acquire(lock(), options()).await.unwrap());
    for round in 0..60_u64 {
        let outcome = tokio::time::timeout(Duration::from_micros(round * 40), async {
            let guard = locker.acquire(lock(), options().wait(ms(500))).await?;
            guard.release().await;
            Ok::<_, larder_lock::LockError>(())
        })
        .await;
        drop(outcome);
        if round % 10 == 9 {
            servers.until_free().await;
        }
    }
    servers.until_free().await;
}

#[tokio::test]
async fn what_the_lock_protects_can_be_on_the_same_server() {
    let servers = Servers::start(1).await;
    let locker = Locker::redis([servers.0[0].url()]).await.unwrap();
    let token = locker
        .with_lock(lock(), options(), async |lease| lease.fencing_token())
        .await
        .ran()
        .unwrap();
    assert!(token > FencingToken::UNFENCED);
    let stored = servers.0[0].cli(&["GET", &format!("{KEY}:fence")]);
    assert_eq!(stored.parse(), Ok(token.as_u64()));
}

#[tokio::test]
async fn a_locker_starts_with_a_majority_and_refuses_a_server_that_evicts() {
    let mut servers = Servers::start(3).await;
    servers.0[0].kill();
    let urls: Vec<String> = servers.0.iter().map(RedisServer::url).collect();
    assert!(Locker::redis(urls.clone()).await.is_ok());
    servers.0[1].cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let error = Locker::redis(urls).await.unwrap_err();
    assert_eq!(error.kind(), NodeErrorKind::Evicting);
}

#[tokio::test]
async fn a_probe_tells_which_servers_answer_and_takes_no_longer_than_it_may() {
    let (mut up, hung) = (RedisServer::start(), RedisServer::start());
    let node = |server: &RedisServer| larder_lock::RedisNode::new(server.url()).unwrap();
    let locker = Locker::builder().node(node(&up)).node(node(&hung)).build();
    let limit = Duration::from_secs(20);
    assert!(locker.probe(limit).await.iter().all(|node| node.error.is_none()));
    hung.stop();
    let short = Duration::from_millis(200);
    let probed = locker.probe(short).await;
    assert!(probed[0].error.is_none(), "{probed:?}");
    assert_eq!(probed[1].error.as_ref().unwrap().kind(), NodeErrorKind::Timeout);
    assert!(probed[1].took >= short && probed[1].name.contains(':'));
    hung.cont();
    up.kill();
    let probed = locker.probe(limit).await;
    assert!(probed[0].error.is_some() && probed[0].took < limit, "{probed:?}");
}
