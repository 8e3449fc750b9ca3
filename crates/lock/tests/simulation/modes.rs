//! Scenarios of the ways to hold a lock: together with others, several at once, within limits, or not at all.

use std::time::Duration;

use larder_lock::{FencingToken, Lock, LockOptions, Locks, LossCause, OnLoss, OnUnavailable, Outcome};
use tokio::time::{Instant, sleep, timeout};

use crate::checker::Belief;
use crate::directed::{TTL, close, name, try_for, world};
use crate::world::Network;

fn shared() -> Lock {
    name().shared()
}

fn waiting() -> LockOptions {
    LockOptions::new(TTL).wait(TTL * 20)
}

/// Two readers hold the lock together, a writer waits for them, and a reader that comes later waits for the writer.
pub(crate) async fn readers_and_a_writer(seed: u64) {
    let world = world(seed, Network::calm(2));
    let [one, other, third, late] = [(); 4].map(|()| world.process());
    let first = try_for(&world, &one, shared(), waiting()).await.unwrap();
    let second = try_for(&world, &other, shared(), waiting()).await.unwrap();
    assert!(world.checker.first_violation().is_none());
    assert!(
        try_for(&world, &third, name(), LockOptions::new(TTL))
            .await
            .is_none(),
        "overlap: a writer beside readers"
    );
    let write = async {
        let (guard, belief) = try_for(&world, &third, name(), waiting()).await.unwrap();
        let seen = belief.read().unwrap();
        sleep(TTL / 4).await;
        belief.write(seen);
        drop(belief);
        let _ = guard.release().await;
        Instant::now()
    };
    let read = async {
        sleep(TTL / 8).await;
        let (_guard, belief) = try_for(&world, &late, shared(), waiting()).await.unwrap();
        assert_eq!(belief.look(), 1, "the reader passed the writer");
        Instant::now()
    };
    let leave = async {
        let seen = second.1.look();
        sleep(TTL / 4).await;
        drop(first);
        sleep(TTL / 4).await;
        second.1.look_again(seen);
        drop(second);
    };
    let (written, read, ()) = tokio::join!(write, read, leave);
    assert!(
        read - written < TTL / 4,
        "the reader was not woken: {:?}",
        read - written
    );
    assert!(close(&world).shared > 0);
}

/// Readers of two processes overlap all the time, and a writer comes.
pub(crate) async fn a_crowd_of_readers() {
    let world = world(0, Network::calm(2));
    let writer = world.process();
    let end = Instant::now() + TTL * 10;
    let crowd = async |delay| {
        let process = world.process();
        sleep(delay).await;
        while Instant::now() < end {
            let Some(held) = try_for(&world, &process, shared(), waiting()).await else {
                continue;
            };
            sleep(TTL / 4).await;
            drop(held);
        }
    };
    let write = async {
        sleep(TTL).await;
        let begun = Instant::now();
        drop(try_for(&world, &writer, name(), waiting()).await.unwrap());
        begun.elapsed()
    };
    let (waited, ..) = tokio::join!(write, crowd(Duration::ZERO), crowd(TTL / 8));
    assert!(waited < TTL / 2, "{waited:?}");
    assert!(close(&world).shared > 20);
}

/// A process that shares the lock is killed. The writer has it when the reader's time is over.
pub(crate) async fn killed_reader(seed: u64) {
    let world = world(seed, Network::calm(4));
    let (one, other) = (world.process(), world.process());
    let held = try_for(&world, &one, shared(), waiting()).await.unwrap();
    sleep(world.chance.between(Duration::ZERO, TTL * 2)).await;
    one.kill();
    let died = Instant::now();
    let got = try_for(&world, &other, name(), waiting()).await;
    assert!(got.is_some(), "the lock of the dead is never free");
    let limit = TTL + Duration::from_millis(50);
    assert!(died.elapsed() <= limit, "seed {seed}: {:?}", died.elapsed());
    drop(held);
    close(&world);
}

/// Processes want two of three locks, in different orders and modes, and all come to their end.
pub(crate) async fn several_names(seed: u64) {
    let world = world(seed, Network::calm(3));
    let lock = |number: usize| Lock::new("job", number);
    let pairs = [[0, 1], [1, 0], [2, 1], [0, 2]];
    let work = async |pair: [usize; 2], shared: bool| {
        let process = world.process();
        let [first, second] = pair.map(lock);
        let locks = Locks::from([if shared { first.shared() } else { first }, second]);
        for _ in 0..5 {
            let floors: Vec<_> = locks.iter().map(|lock| world.checker.floor(lock)).collect();
            let outcome = process.locker.with_lock(locks.clone(), waiting(), async |lease| {
                let believe =
                    |(lock, floor): (&Lock, &_)| Belief::begin(&world, &process, lock, &lease, *floor);
                let beliefs: Vec<_> = locks.iter().zip(&floors).map(believe).collect();
                sleep(world.chance.between(Duration::ZERO, TTL / 10)).await;
                drop(beliefs);
            });
            let outcome = outcome.await;
            assert!(matches!(outcome, Outcome::Ran(())), "seed {seed}: {outcome:?}");
        }
    };
    let all = async {
        tokio::join!(
            work(pairs[0], false),
            work(pairs[1], false),
            work(pairs[2], true),
            work(pairs[3], true)
        )
    };
    assert!(
        timeout(TTL * 60, all).await.is_ok(),
        "seed {seed}: they wait in a circle"
    );
    assert_eq!(close(&world).holds, 40);
    let left = world.holders(lock(0).key());
    assert!(left.iter().all(Option::is_none), "left behind: {left:?}");
}

/// Work that never ends is stopped at `max_hold`, and the next has the lock right then.
pub(crate) async fn max_hold(seed: u64) {
    let world = world(seed, Network::calm(4));
    let (one, other) = (world.process(), world.process());
    let longest = TTL * (1 + u32::try_from(seed % 4).unwrap());
    let begun = Instant::now();
    let options = LockOptions::new(TTL).max_hold(longest).on_loss(OnLoss::Stop);
    let hang = one.locker.with_lock(name(), options, async |lease| {
        let _belief = Belief::begin(&world, &one, &name(), &lease, None);
        std::future::pending::<()>().await;
    });
    let next = async {
        sleep(TTL / 10).await;
        let held = try_for(&world, &other, name(), waiting()).await.unwrap();
        drop(held);
        begun.elapsed()
    };
    let (outcome, waited) = tokio::join!(hang, next);
    assert!(
        matches!(
            outcome,
            Outcome::Lost {
                value: None,
                cause: LossCause::MaxHold
            }
        ),
        "seed {seed}: {outcome:?}"
    );
    let limits = longest - TTL / 20..longest + TTL / 10;
    assert!(limits.contains(&waited), "seed {seed}: {waited:?}");
    close(&world);
}

/// A lock that is let go of at once is nobody else's for `at_least_for`, and is free afterwards.
pub(crate) async fn at_least_for(seed: u64) {
    let world = world(seed, Network::calm(4));
    let (one, other) = (world.process(), world.process());
    let time = world.chance.between(TTL / 4, TTL * 2);
    let options = LockOptions::new(TTL).at_least_for(time);
    let outcome = one
        .locker
        .with_lock(name(), options, async |_| Instant::now())
        .await;
    let acquired = outcome.ran().unwrap();
    let tries = async {
        loop {
            if let Some(held) = try_for(&world, &other, name(), LockOptions::new(TTL)).await {
                drop(held);
                return acquired.elapsed();
            }
            sleep(Duration::from_millis(1)).await;
        }
    };
    let taken = timeout(TTL * 10, tries).await.unwrap();
    let limits = time - Duration::from_millis(2)..time + TTL / 10;
    assert!(limits.contains(&taken), "seed {seed}: {taken:?} of {time:?}");
    close(&world);
}

/// No majority answers: work runs where its options allow it, with a token that no resource takes after a holder's.
pub(crate) async fn run_unlocked(seed: u64) {
    let world = world(seed, Network::calm(4));
    let (one, other) = (world.process(), world.process());
    let (guard, belief) = try_for(&world, &one, name(), LockOptions::new(TTL))
        .await
        .unwrap();
    belief.read().unwrap();
    drop(belief);
    let options = || LockOptions::new(TTL).on_unavailable(OnUnavailable::RunUnlocked);
    let busy = other.locker.with_lock(name(), options(), async |_| ()).await;
    assert!(matches!(busy, Outcome::Busy { .. }), "seed {seed}: {busy:?}");
    let _ = guard.release().await;
    for server in 0..3 {
        world.server(server).stopped_until = Instant::now() + TTL * 20;
    }
    let refused = other.locker.with_lock(name(), TTL, async |_| ()).await;
    assert!(
        matches!(refused, Outcome::Unavailable(_)),
        "seed {seed}: {refused:?}"
    );
    let ran = other.locker.with_lock(name(), options(), async |lease| {
        assert!(!lease.is_locked() && lease.remaining().is_zero());
        lease.fencing_token()
    });
    let Outcome::RanUnlocked(token) = ran.await else {
        panic!("seed {seed}: it did not run")
    };
    assert_eq!(token, FencingToken::UNFENCED);
    assert!(!world.checker.passes(&name(), token), "the fence lets it pass");
    sleep(TTL / 10).await;
    let left = world.holders(name().key());
    assert!(left[3..].iter().all(Option::is_none), "left behind: {left:?}");
    close(&world);
}
