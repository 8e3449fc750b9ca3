//! Scenarios that lead straight to one danger, and that chance would seldom meet.

use std::sync::Arc;
use std::time::Duration;

use larder_lock::{Lock, LockGuard, LockOptions, Outcome};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::checker::{Belief, Tally};
use crate::process::Process;
use crate::world::{Network, World};

pub(crate) const TTL: Duration = Duration::from_secs(1);

/// What a node is waited for with that time to live, by default.
const PATIENCE: Duration = Duration::from_millis(20);

pub(crate) fn name() -> Lock {
    Lock::new("job", 0)
}

pub(crate) fn world(seed: u64, network: Network) -> Arc<World> {
    World::new(seed, 5, network, TTL * 3)
}

fn plain() -> LockOptions {
    LockOptions::new(TTL)
}

/// Cuts a process off from some servers.
fn cut(world: &World, process: &Process, servers: &[usize], time: Duration) {
    let until = Instant::now() + time;
    for &server in servers {
        world.link(process.number, server, |link| link.requests_cut_until = until);
    }
}

async fn try_once(
    world: &Arc<World>,
    process: &Process,
    options: LockOptions,
) -> Option<(LockGuard, Belief)> {
    try_for(world, process, name(), options).await
}

/// Acquires `lock`, and believes in it from then on.
pub(crate) async fn try_for(
    world: &Arc<World>,
    process: &Process,
    lock: Lock,
    options: LockOptions,
) -> Option<(LockGuard, Belief)> {
    let floor = world.checker.floor(&lock);
    let guard = process.locker.acquire(lock.clone(), options).await.ok()?;
    let belief = Belief::begin(world, process, &lock, &guard.lease(), floor);
    Some((guard, belief))
}

/// Tries again and again without waiting in between, for so long.
async fn besiege(world: &Arc<World>, process: &Process, time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        drop(try_once(world, process, plain()).await);
        sleep(Duration::from_millis(1)).await;
    }
}

/// The books are in order.
pub(crate) fn close(world: &World) -> Tally {
    let tally = world.checker.close();
    if let Some(violation) = world.checker.first_violation() {
        panic!("{violation}");
    }
    tally
}

/// Nothing goes wrong, and the work takes six times as long as the lock lasts by itself.
pub(crate) async fn long_work(seed: u64) {
    let world = world(seed, Network::calm(4));
    let process = world.process();
    let outcome = process
        .locker
        .with_lock(name(), plain(), async |_| sleep(TTL * 6).await)
        .await;
    assert!(
        matches!(outcome, Outcome::Ran(())),
        "lost for no reason: {}",
        outcome.as_str()
    );
}

/// The holder has three of five, and reaches but two of them from then on; another may have the rest.
pub(crate) async fn extension_by_two_of_five() {
    let world = world(0, Network::calm(2));
    let (one, other) = (world.process(), world.process());
    cut(&world, &one, &[3, 4], TTL * 4);
    let siege = besiege(&world, &other, TTL * 3);
    let work = one.locker.with_lock(name(), plain(), async |lease| {
        let belief = Belief::begin(&world, &one, &name(), &lease, None);
        cut(&world, &one, &[2], TTL * 4);
        let promised = Instant::now() + lease.remaining();
        let _ = lease.lost().await;
        assert!(Instant::now() <= promised, "told too late");
        sleep(TTL).await;
        drop(belief);
    });
    let (outcome, ()) = tokio::join!(work, async {
        sleep(TTL / 10).await;
        siege.await;
    });
    close(&world);
    assert!(
        matches!(outcome, Outcome::Lost { .. }),
        "ran after loss: {}",
        outcome.as_str()
    );
    assert!(world.checker.floor(&name()).is_some());
}

/// All servers' clocks are as fast as is allowed, and another tries all the time.
pub(crate) async fn fast_clocks() {
    let world = world(0, Network::calm(0));
    for server in 0..5 {
        world.server(server).rate = 1.01;
    }
    let (one, other) = (world.process(), world.process());
    let held = try_once(&world, &one, plain().auto_extend(false)).await;
    besiege(&world, &other, TTL * 2).await;
    drop(held);
    assert!(close(&world).holds > 1, "the other never got it");
}

/// Messages take about as long as the lock lasts.
pub(crate) async fn late_majorities(seed: u64) -> u64 {
    let world = world(seed, Network::calm(500));
    let options = || plain().per_node_timeout(TTL * 2).auto_extend(false);
    let contend = async |process: Arc<Process>| {
        for _ in 0..10 {
            if let Some((guard, belief)) = try_once(&world, &process, options()).await {
                sleep(guard.lease().remaining()).await;
                drop(belief);
            }
            sleep(world.chance.between(Duration::ZERO, TTL / 2)).await;
        }
    };
    tokio::join!(contend(world.process()), contend(world.process()));
    close(&world).holds
}

/// Clocks an hour apart, and a process that is behind has the lock after one that is ahead.
pub(crate) async fn clocks_apart(seed: u64) {
    let world = world(seed, Network::calm(4));
    let processes: Vec<_> = (0..3).map(|_| world.process()).collect();
    for (process, hours) in processes.iter().zip([0, 1, 2]) {
        process.change(|state| state.wall_ahead = Duration::from_secs(3600) * hours);
    }
    for _ in 0..20 {
        let process = &processes[world.chance.below(3)];
        let (guard, belief) = try_once(&world, process, plain().wait(TTL)).await.unwrap();
        drop(belief);
        let _ = guard.release().await;
    }
    assert_eq!(close(&world).holds, 20);
}

/// A process extends what was its lock until a while ago, and is another's by now.
pub(crate) async fn late_extension() {
    let world = world(0, Network::calm(2));
    let (one, other) = (world.process(), world.process());
    let (late, belief) = try_once(&world, &one, plain().auto_extend(false)).await.unwrap();
    sleep(TTL * 2).await;
    drop(belief);
    let held = try_once(&world, &other, plain()).await.unwrap();
    assert!(late.extend().await.is_err(), "extended after its end");
    drop((late, held));
    close(&world);
}

/// A holder reads, and its write comes when the lock is another's, who has read as well.
pub(crate) async fn late_write() -> Tally {
    let world = world(0, Network::calm(2));
    let (one, other) = (world.process(), world.process());
    let (guard, late) = try_once(&world, &one, plain().auto_extend(false)).await.unwrap();
    let seen = late.read().unwrap();
    sleep(TTL * 2).await;
    let (other, belief) = try_once(&world, &other, plain()).await.unwrap();
    let newer = belief.read().unwrap();
    let passes = |guard: &LockGuard| world.checker.passes(&name(), guard.lease().fencing_token());
    assert!(passes(&other) && !passes(&guard));
    sleep(TTL / 10).await;
    late.write(seen);
    belief.write(newer);
    late.write(seen);
    drop((guard, other));
    close(&world)
}

/// One of the three servers with votes forgets them.
pub(crate) async fn forgotten_vote() {
    let world = world(0, Network::calm(2));
    let (one, other) = (world.process(), world.process());
    cut(&world, &one, &[3, 4], TTL * 4);
    let held = try_once(&world, &one, plain().auto_extend(false)).await.unwrap();
    world.forget(2, Duration::ZERO);
    besiege(&world, &other, TTL * 2).await;
    drop(held);
    assert!(close(&world).holds > 1, "the other never got it");
}

/// An acquisition that fails, because another has three of five, gives the other two back.
pub(crate) async fn failed_attempt() {
    let world = world(0, Network::calm(2));
    let (one, other) = (world.process(), world.process());
    cut(&world, &one, &[3, 4], TTL * 4);
    let held = try_once(&world, &one, plain()).await.unwrap();
    let refused = try_once(&world, &other, plain()).await.is_none();
    assert!(refused, "another had the majority");
    sleep(Duration::from_millis(100)).await;
    let holders = world.holders(name().key());
    assert!(holders[..3].iter().all(Option::is_some));
    assert!(
        holders[3..].iter().all(Option::is_none),
        "left behind: {holders:?}"
    );
    drop(held);
    close(&world);
}

/// A process is killed while it acquires, holds or extends. Returns how long the next one had to wait for it.
pub(crate) async fn kill(seed: u64) -> Duration {
    let world = world(seed, Network::calm(4));
    for server in 0..5 {
        world.server(server).rate = 1.0 + 0.009 * (2.0 * world.chance.fraction() - 1.0);
    }
    let stopped = world.chance.below(3);
    for server in 0..stopped {
        world.server(server).stopped_until = Instant::now() + TTL * 20;
    }
    let (one, other) = (world.process(), world.process());
    let longest = if seed.is_multiple_of(2) {
        Duration::from_millis(12)
    } else {
        TTL * 3
    };
    let life = world.chance.between(Duration::ZERO, longest);
    let victim = async {
        let held = timeout(life, async {
            let held = try_once(&world, &one, plain().wait(TTL)).await;
            sleep(TTL * 9).await;
            drop(held);
        });
        // Dead first, so that nothing is taken back.
        tokio::select! {
            biased;
            () = async { sleep(life).await; one.kill(); } => {}
            _ = held => {}
        }
        Instant::now()
    };
    let next = async {
        sleep(life.mul_f64(world.chance.fraction())).await;
        let got = try_once(&world, &other, plain().wait(TTL * 8)).await;
        assert!(got.is_some(), "seed {seed}: the lock of the dead is never free");
        Instant::now()
    };
    let (died, got) = tokio::join!(victim, next);
    close(&world);
    let waited = got.saturating_duration_since(died);
    // A slow server's clock, and the grain of the timers.
    let limit = TTL.mul_f64(1.01) + 2 * PATIENCE + Duration::from_millis(5);
    assert!(
        waited <= limit,
        "seed {seed}: {waited:?} after a kill, {stopped} servers stopped"
    );
    waited
}

/// A task is cancelled somewhere between its first poll and its end; 100 ms later no server that can be reached has a vote.
pub(crate) async fn cancel(seed: u64) {
    let world = world(
        seed,
        Network {
            ordered: seed.is_multiple_of(2),
            ..Network::calm(4)
        },
    );
    let process = world.process();
    let chance = &world.chance;
    let stopped = chance.below(3);
    for server in 0..5 {
        if server < stopped {
            world.server(server).stopped_until = Instant::now() + TTL * 20;
        }
        let lose = chance.one_of(&[(0, 0), (0, 0), (1, 0), (0, 1)]);
        world.link(process.number, server, |link| link.lose = lose);
    }
    let turn = async {
        let Some((guard, belief)) = try_once(&world, &process, plain().wait(TTL)).await else {
            return;
        };
        sleep(Duration::from_millis(5)).await;
        let _ = guard.extend().await;
        drop(belief);
        let _ = guard.release().await;
    };
    let polls = seed.is_multiple_of(3).then(|| chance.below(20));
    let time = chance.between(Duration::ZERO, Duration::from_millis(60));
    match polls {
        Some(polls) => crate::client::drop_at_poll(polls, turn).await.then_some(()),
        None => timeout(time, turn).await.ok(),
    };
    sleep_until(Instant::now() + Duration::from_millis(100)).await;
    let holders = world.holders(name().key());
    assert!(
        holders[stopped..].iter().all(Option::is_none),
        "left behind: seed {seed}: {holders:?} with {stopped} servers stopped"
    );
    close(&world);
}
