//! A task of a process that wants locks: takes them, works under them, lets go of them, or is dropped half way.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use larder_lock::{Lease, Lock, LockMode, LockOptions, Locks, LossCause, OnLoss, Outcome, Released};
use tokio::time::{Instant, sleep, timeout};

use crate::checker::Belief;
use crate::process::Process;
use crate::weather::Weather;
use crate::world::World;

pub(crate) struct Client {
    pub(crate) world: Arc<World>,
    pub(crate) process: Arc<Process>,
    pub(crate) weather: Weather,
}

impl Client {
    pub(crate) async fn live_until(self, end: Instant) {
        let chance = &self.world.chance;
        while Instant::now() < end {
            let turn = self.process.run(self.turn());
            match chance.below(10) {
                0 | 1 => {
                    let time = chance.between(Duration::ZERO, self.weather.ttl * 2);
                    if timeout(time, turn).await.is_err() {
                        self.world.count("cancelled after a time");
                    }
                }
                2 => {
                    if drop_at_poll(1 + chance.below(12), turn).await {
                        self.world.count("cancelled at an await");
                    }
                }
                _ => turn.await,
            }
            sleep(chance.between(Duration::ZERO, self.weather.ttl / 4)).await;
        }
    }

    async fn turn(&self) {
        let chance = &self.world.chance;
        let name = |number| Lock::new("job", number);
        let in_a_mode = |lock: Lock| match chance.strikes(self.weather.shared) {
            true => lock.shared(),
            false => lock,
        };
        let locks = if self.weather.locks == 2 && chance.strikes(150) {
            Locks::from([in_a_mode(name(0)), in_a_mode(name(1))])
        } else {
            Locks::from(in_a_mode(name(chance.below(self.weather.locks))))
        };
        let ttl = chance.one_of(&[self.weather.ttl, self.weather.ttl, self.weather.ttl / 2]);
        let options = LockOptions::new(ttl)
            .wait(ttl * chance.one_of(&[0, 1, 4]))
            .per_node_timeout(self.weather.patience)
            .auto_extend(chance.strikes(700))
            .max_hold(ttl * chance.one_of(&[2, 10]))
            .at_least_for(ttl * chance.one_of(&[0, 0, 0, 1]) / 2)
            .on_loss(chance.one_of(&[OnLoss::Tell, OnLoss::Stop]));
        if chance.strikes(500) {
            self.with_lock(locks, options).await;
        } else {
            self.by_hand(locks, options).await;
        }
    }

    async fn with_lock(&self, locks: Locks, options: LockOptions) {
        let checker = &self.world.checker;
        let floors = self.floors(&locks);
        let held_to_the_end = AtomicBool::new(false);
        let outcome = self
            .process
            .locker
            .with_lock(locks.clone(), options, async |lease| {
                let beliefs = self.believe(&locks, &lease, &floors);
                self.work(&beliefs, &lease, None).await;
                held_to_the_end.store(!lease.remaining().is_zero(), Ordering::Relaxed);
            })
            .await;
        match outcome {
            Outcome::Ran(()) if !held_to_the_end.load(Ordering::Relaxed) => {
                checker.violation("ran, it says, but the lock was lost before the end".to_owned());
            }
            Outcome::Lost { cause, .. } => self.lost(cause),
            _ => {}
        }
    }

    async fn by_hand(&self, locks: Locks, options: LockOptions) {
        let floors = self.floors(&locks);
        let Ok(guard) = self.process.locker.acquire(locks.clone(), options).await else {
            return;
        };
        let lease = guard.lease();
        let beliefs = self.believe(&locks, &lease, &floors);
        self.work(&beliefs, &lease, Some(&guard)).await;
        let held_to_the_end = !lease.remaining().is_zero();
        drop(beliefs);
        if self.world.chance.strikes(300) {
            // Lets go of it by dropping the guard.
            return;
        }
        let released = guard.release().await;
        if !held_to_the_end && !matches!(released, Released::Lost(_)) {
            let what = format!("released, it says, but the lock was lost before: {released:?}");
            self.world.checker.violation(what);
        }
    }

    fn lost(&self, cause: LossCause) {
        self.world.checker.lost();
        // Who does not extend loses what lasts longer than its time, by `Expired`.
        if self.weather.is_calm() && matches!(cause, LossCause::Quorum | LossCause::NotOwner) {
            let what = format!("lost for no reason: {cause}");
            self.world.checker.violation(what);
        }
    }

    fn floors(&self, locks: &Locks) -> Vec<Option<larder_lock::FencingToken>> {
        locks.iter().map(|lock| self.world.checker.floor(lock)).collect()
    }

    fn believe(
        &self,
        locks: &Locks,
        lease: &Lease,
        floors: &[Option<larder_lock::FencingToken>],
    ) -> Vec<Belief> {
        let begin =
            |(lock, floor): (&Lock, &_)| Belief::begin(&self.world, &self.process, lock, lease, *floor);
        locks.iter().zip(floors).map(begin).collect()
    }

    /// Some increments, with time between them.
    async fn work(&self, beliefs: &[Belief], lease: &Lease, guard: Option<&larder_lock::LockGuard>) {
        let (chance, ttl) = (&self.world.chance, self.weather.ttl);
        let pace = ttl.mul_f64(chance.one_of(&[0.05, 0.3, 1.0]));
        for _ in 0..chance.below(5) {
            sleep(chance.between(Duration::ZERO, pace)).await;
            if let Some(guard) = guard.filter(|_| chance.strikes(300)) {
                // What becomes of it shows in the lease.
                let _ = guard.extend().await;
            }
            if lease.remaining().is_zero() {
                return;
            }
            self.increment(beliefs).await;
        }
    }

    /// Reads and writes back, or reads twice where the lock is shared. The write was sent while the lock was held, and takes its time to come.
    async fn increment(&self, beliefs: &[Belief]) {
        let chance = &self.world.chance;
        let (shared, alone): (Vec<_>, Vec<_>) = beliefs
            .iter()
            .partition(|belief| belief.mode() == LockMode::Shared);
        let looked_at: Vec<_> = shared.iter().map(|belief| belief.look()).collect();
        let seen: Vec<_> = alone.iter().map(|belief| belief.read()).collect();
        let longest = if chance.strikes(50) {
            self.weather.ttl
        } else {
            self.weather.ttl / 50
        };
        sleep(chance.between(Duration::ZERO, longest)).await;
        for (belief, value) in shared.into_iter().zip(looked_at) {
            belief.look_again(value);
        }
        for (belief, seen) in alone.into_iter().zip(seen) {
            if let Some(seen) = seen {
                belief.write(seen);
            }
        }
    }
}

/// Drops `work` when it has been polled so many times; whether that happened.
pub(crate) async fn drop_at_poll(polls: usize, work: impl Future<Output = ()>) -> bool {
    let mut work = pin!(work);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(true);
        }
        left -= 1;
        if left == 0 {
            cx.waker().wake_by_ref();
        }
        work.as_mut().poll(cx).map(|()| false)
    })
    .await
}
