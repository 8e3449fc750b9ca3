//! How a lock is to be taken and kept.

use std::time::Duration;

/// The shortest `ttl`: what is left of less after the allowance for drift is not worth having.
const SHORTEST_TTL: Duration = Duration::from_millis(10);

/// The longest of all times, so that sums of them never overflow.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// How a lock is taken and kept. Times above ten years count as ten years.
///
/// Made from the `ttl` alone by [`LockOptions::new`], or by `Duration::into`:
///
/// ```
/// use std::time::Duration;
/// use larder_lock::LockOptions;
///
/// let options = LockOptions::new(Duration::from_secs(60)).wait(Duration::from_secs(5));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockOptions {
    pub(crate) ttl: Duration,
    pub(crate) wait: Duration,
    pub(crate) max_hold: Duration,
    pub(crate) per_node_timeout: Option<Duration>,
    pub(crate) auto_extend: bool,
    pub(crate) at_least_for: Duration,
    pub(crate) on_unavailable: OnUnavailable,
    pub(crate) on_loss: OnLoss,
}

/// What [`with_lock`](crate::Locker::with_lock) does when no majority of nodes answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnUnavailable {
    /// It does not run the closure and returns [`Outcome::Unavailable`](crate::Outcome::Unavailable). The default.
    #[default]
    Refuse,
    /// It runs the closure **without any lock**, logs that at `ERROR`, counts it in `larder_lock_unlocked_runs_total`, and
    /// returns [`Outcome::RanUnlocked`](crate::Outcome::RanUnlocked). For work that is better done twice than not at all.
    RunUnlocked,
}

/// What [`with_lock`](crate::Locker::with_lock) does when the lock is lost while the closure runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnLoss {
    /// It lets the closure run to its end. [`Lease::lost`](crate::Lease::lost) has told it. The default.
    #[default]
    Tell,
    /// It drops the closure's future where it awaits, and returns [`Outcome::Lost`](crate::Outcome::Lost) without a value.
    Stop,
}

impl LockOptions {
    /// Options with this `ttl` and the defaults for the rest.
    ///
    /// `ttl` is the time after which a node forgets the lock by itself if its holder has vanished. It is not a limit on
    /// the work: the lock is extended while its holder lives, up to [`max_hold`](Self::max_hold). It is rounded down
    /// to whole milliseconds.
    ///
    /// # Panics
    ///
    /// When `ttl` is below 10 ms.
    #[must_use]
    pub fn new(ttl: Duration) -> Self {
        assert!(
            ttl >= SHORTEST_TTL,
            "the ttl of a lock is at least 10 ms, not {ttl:?}"
        );
        let ttl = Duration::from_millis(u64::try_from(ttl.min(LONGEST).as_millis()).unwrap_or(u64::MAX));
        Self {
            ttl,
            wait: Duration::ZERO,
            max_hold: (ttl * 10).min(LONGEST),
            per_node_timeout: None,
            auto_extend: true,
            at_least_for: Duration::ZERO,
            on_unavailable: OnUnavailable::default(),
            on_loss: OnLoss::default(),
        }
    }

    /// How long to wait for the lock if another holds it, and for nodes if no majority answers. Zero, the default, skips
    /// a lock that is held. Only if several ask at the same moment and none of them gets a majority is it tried again, for
    /// up to four times the per-node timeout and a second at most.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait.min(LONGEST);
        self
    }

    /// The longest time that the lock is held, extensions and all; then it is lost. Ten times the `ttl` by default: a
    /// holder that hangs must not keep the lock for ever.
    #[must_use]
    pub fn max_hold(mut self, max_hold: Duration) -> Self {
        self.max_hold = max_hold.min(LONGEST);
        self
    }

    /// How long the answer of a single node is waited for. `None`, the default, is a fiftieth of the `ttl`, but at least
    /// 5 ms and at most 250 ms.
    #[must_use]
    pub fn per_node_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.per_node_timeout = timeout.into().map(|timeout| timeout.min(LONGEST));
        self
    }

    /// Whether a task extends the lock every third of the `ttl` while it is held. On by default.
    #[must_use]
    pub const fn auto_extend(mut self, on: bool) -> Self {
        self.auto_extend = on;
        self
    }

    /// The time for which the lock stays taken even if it is released sooner, counted from when it was acquired. The
    /// holder does not wait for that; the nodes do. Zero by default. For schedulers, whose instances see a tick at
    /// slightly different times.
    #[must_use]
    pub fn at_least_for(mut self, time: Duration) -> Self {
        self.at_least_for = time.min(LONGEST);
        self
    }

    /// What to do when no majority of nodes answers. [`Refuse`](OnUnavailable::Refuse) by default.
    #[must_use]
    pub const fn on_unavailable(mut self, choice: OnUnavailable) -> Self {
        self.on_unavailable = choice;
        self
    }

    /// What to do with the closure when the lock is lost. [`Tell`](OnLoss::Tell) by default.
    #[must_use]
    pub const fn on_loss(mut self, choice: OnLoss) -> Self {
        self.on_loss = choice;
        self
    }

    /// How long the answer of a single node is waited for.
    pub(crate) fn patience(&self) -> Duration {
        let usual = (self.ttl / 50).clamp(Duration::from_millis(5), Duration::from_millis(250));
        self.per_node_timeout.unwrap_or(usual)
    }
}

impl From<Duration> for LockOptions {
    /// Options with this `ttl`: see [`LockOptions::new`].
    fn from(ttl: Duration) -> Self {
        Self::new(ttl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_small_against_the_ttl() {
        let patience = |ttl| {
            LockOptions::new(Duration::from_millis(ttl))
                .patience()
                .as_millis()
        };
        assert_eq!([patience(10), patience(1000), patience(60_000)], [5, 20, 250]);
    }

    #[test]
    fn no_time_is_too_long_to_reckon_with() {
        let options = LockOptions::new(Duration::MAX)
            .wait(Duration::MAX)
            .max_hold(Duration::MAX);
        assert_eq!([options.ttl, options.wait, options.max_hold], [LONGEST; 3]);
        let _ = tokio::time::Instant::now() + options.ttl + options.wait + options.max_hold;
    }

    #[test]
    #[should_panic(expected = "at least 10 ms")]
    fn a_ttl_without_substance_is_refused_where_it_is_set() {
        let _ = LockOptions::new(Duration::from_millis(9));
    }
}
