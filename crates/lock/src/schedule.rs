//! Work that is due at set times, and done by one of several instances each time.

use std::time::Duration;

use tokio::time::sleep;

use crate::lease::Lease;
use crate::locker::Locker;
use crate::name::Lock;
use crate::options::{LockOptions, OnLoss};
use crate::outcome::Outcome;

/// The longest `at_least_for` by default: far above the difference between clocks that are kept in step.
const AT_LEAST: Duration = Duration::from_secs(30);

/// The longest `ttl`: how long the others wait for an instance that has died in the middle of its work.
const TTL: Duration = Duration::from_secs(30);

/// The longest sleep, so that a step of the wall clock is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// A task that is due again and again, and that one of several instances does each time.
///
/// Every instance runs the same loop. At each tick all of them ask for the lock; the one who gets it works, and the others
/// skip the tick. Ticks are at the multiples of the period since the Unix epoch, by the locker's wall clock, so that all
/// instances mean the same ones; those that pass while the work is under way are left out.
///
/// ```
/// use std::time::Duration;
/// use larder_lock::{Lock, Locker, Outcome, Schedule};
///
/// # async fn delete_what_is_old(fence: i64) {}
/// async fn clean_up(locker: Locker) {
///     let schedule = Schedule::every(Duration::from_secs(60), Lock::new("task", "clean-up"));
///     loop {
///         schedule.tick(&locker).await;
///         let outcome = schedule
///             .run(&locker, async |lease| delete_what_is_old(lease.fencing_token().as_i64()).await)
///             .await;
///         match outcome {
///             Outcome::Ran(()) => println!("cleaned up"),
///             Outcome::Busy { .. } => println!("another instance does"),
///             other => println!("not cleaned up: {}", other.as_str()),
///         }
///     }
/// }
/// # let _ = clean_up;
/// ```
///
/// With a `tokio::time::interval`, or times from a calendar of your own, leave [`tick`](Self::tick) out: the period then only
/// stands for the shortest time between two runs.
///
/// # A queue of due tasks
///
/// Where tasks are due at times of their own, a sorted set in Redis has them by that time, and each has a lock. All instances
/// work off what is due; who finds a task's lock held leaves it to the other. The task is looked for again under its lock,
/// because another may have done it since it was read, and taken out after the work, so that a task whose instance has died
/// is done by another: at least once, and once if nobody dies.
///
#[cfg_attr(feature = "redis", doc = "```no_run")]
#[cfg_attr(not(feature = "redis"), doc = "```ignore")]
/// use std::time::Duration;
/// use larder_lock::{Lock, Locker, Outcome};
/// use redis::{RedisError, aio::MultiplexedConnection};
///
/// # async fn remind(task: &str) {}
/// async fn work_off(locker: &Locker, redis: &mut MultiplexedConnection, now: i64) -> Result<(), RedisError> {
///     let mut due = redis::cmd("ZRANGEBYSCORE");
///     due.arg(("due", "-inf", now, "LIMIT", 0, 100));
///     for task in due.query_async::<Vec<String>>(redis).await? {
///         let lock = Lock::new("reminder", &task);
///         let outcome = locker.with_lock(lock, Duration::from_secs(30), async |_| {
///             let mut score = redis::cmd("ZSCORE");
///             let due: Option<i64> = score.arg(("due", &task)).query_async(redis).await?;
///             if due.is_some_and(|due| due <= now) {
///                 remind(&task).await;
///                 redis::cmd("ZREM").arg(("due", &task)).query_async::<()>(redis).await?;
///             }
///             Ok::<_, RedisError>(())
///         });
///         if let Outcome::Ran(result) = outcome.await {
///             result?;
///         }
///     }
///     Ok(())
/// }
/// ```
///
/// # Once each tick
///
/// The lock is held from the tick on for as long as the work takes, and for [`at_least_for`](Self::at_least_for) in any case.
/// So a tick is done once if the clocks of the instances differ by less than that. It is done not at all if no instance runs
/// or no majority of nodes answers then, and begun again, by another instance, if the one that did it has died before the
/// others' clocks came to the tick.
#[derive(Debug, Clone)]
pub struct Schedule {
    lock: Lock,
    period: Duration,
    at_most_for: Duration,
    at_least_for: Duration,
}

impl Schedule {
    /// The task with this lock, due every `period`.
    ///
    /// # Panics
    ///
    /// When `period` is below 100 ms.
    #[must_use]
    pub fn every(period: Duration, lock: Lock) -> Self {
        assert!(
            period >= Duration::from_millis(100),
            "the period of a schedule is at least 100 ms, not {period:?}"
        );
        Self {
            lock,
            period,
            at_most_for: period,
            at_least_for: (period / 2).min(AT_LEAST),
        }
    }

    /// The longest time for which one run holds the lock; then the lock is lost and the work is stopped where it awaits, so
    /// that one that hangs does not end the task for ever. The period by default.
    #[must_use]
    pub fn at_most_for(mut self, time: Duration) -> Self {
        self.at_most_for = time;
        self
    }

    /// The time for which a tick stays taken even if the work is done sooner: more than the clocks of the instances differ,
    /// and less than the period by as much. Half of the period by default, and 30 s at most. Nodes refuse one above their
    /// longest `ttl`.
    ///
    /// # Panics
    ///
    /// When it is not below the period: every other tick would be skipped.
    #[must_use]
    pub fn at_least_for(mut self, time: Duration) -> Self {
        assert!(
            time < self.period,
            "a tick of {:?} cannot stay taken for {time:?}",
            self.period
        );
        self.at_least_for = time;
        self
    }

    /// Waits for the next tick. Dropping it changes nothing.
    pub async fn tick(&self, locker: &Locker) {
        let tick_of = |wall: Duration| wall.as_nanos() / self.period.as_nanos();
        let last = tick_of(locker.wall());
        loop {
            let wall = locker.wall();
            // Not `>`: a clock that was set back has other ticks before it.
            if tick_of(wall) != last {
                return;
            }
            sleep(self.until_next(wall).min(LONGEST_SLEEP)).await;
        }
    }

    fn until_next(&self, wall: Duration) -> Duration {
        let into = wall.as_nanos() % self.period.as_nanos();
        let left = self.period.as_nanos() - into;
        Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX))
    }

    /// Does the work if no other instance does it or has just done it, and tells what came of it; without waiting.
    pub async fn run<T>(&self, locker: &Locker, work: impl AsyncFnOnce(Lease) -> T) -> Outcome<T> {
        let ttl = self.at_most_for.min(TTL).max(Duration::from_millis(10));
        let options = LockOptions::new(ttl)
            .max_hold(self.at_most_for)
            .at_least_for(self.at_least_for)
            .on_loss(OnLoss::Stop);
        locker.with_lock(self.lock.clone(), options, work).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_tick_is_the_next_multiple_of_the_period() {
        let schedule = Schedule::every(Duration::from_secs(60), Lock::new("task", 1));
        let until = |seconds| schedule.until_next(Duration::from_secs(seconds)).as_secs();
        assert_eq!(
            [until(0), until(1), until(59), until(60), until(3601)],
            [60, 59, 1, 60, 59]
        );
    }

    #[test]
    #[should_panic(expected = "cannot stay taken")]
    fn a_tick_that_would_swallow_the_next_is_refused() {
        let schedule = Schedule::every(Duration::from_secs(1), Lock::new("task", 1));
        drop(schedule.at_least_for(Duration::from_secs(1)));
    }
}
