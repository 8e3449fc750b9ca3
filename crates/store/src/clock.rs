//! Time: one clock for everything that ages, and a fake one for tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment, in whole milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Tells the time to a [`Larder`](https://docs.rs/larder): the machine's by default, a [`FakeClock`]'s in tests.
///
/// The system clock reads the wall clock once, when it is made, and the monotonic clock from then on: it never
/// goes backwards, and a step of the wall clock neither expires nor revives an entry. On Linux it reads the coarse
/// monotonic clock, which is a few milliseconds behind at most (one tick of the kernel) and costs a hit a fifth of what
/// the fine one costs.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System { started: Monotonic, at: u64 },
    Fake(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis);
        Self(Source::System {
            started: Monotonic::now(),
            at,
        })
    }

    /// The time now.
    #[must_use]
    #[inline]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System { started, at } => Timestamp(at.saturating_add(started.elapsed_ms())),
            Source::Fake(now) => Timestamp(now.load(Ordering::SeqCst)),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

/// A reading of the monotonic clock.
#[derive(Debug, Clone, Copy)]
enum Monotonic {
    /// Of the coarse one, in milliseconds.
    Coarse(u64),
    /// Of the fine one, where there is no coarse one.
    Fine(Instant),
}

impl Monotonic {
    fn now() -> Self {
        coarse_ms().map_or_else(|| Self::Fine(Instant::now()), Self::Coarse)
    }

    #[inline]
    fn elapsed_ms(self) -> u64 {
        match self {
            // A clock that was there once stays there.
            Self::Coarse(started) => coarse_ms().unwrap_or(started).saturating_sub(started),
            Self::Fine(started) => millis(started.elapsed()),
        }
    }
}

#[cfg(target_os = "linux")]
#[inline]
fn coarse_ms() -> Option<u64> {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC_COARSE).ok()?;
    Some(millis(Duration::from(time)))
}

#[cfg(not(target_os = "linux"))]
fn coarse_ms() -> Option<u64> {
    None
}

/// A clock that stands still until a test moves it.
///
/// ```
/// use larder_store::FakeClock;
/// use std::time::Duration;
///
/// let fake = FakeClock::new();
/// let clock = fake.clock();
/// let before = clock.now();
/// fake.advance(Duration::from_secs(300));
/// assert_eq!(clock.now().since(before), Duration::from_secs(300));
/// ```
#[derive(Debug, Clone)]
pub struct FakeClock(Arc<AtomicU64>);

impl FakeClock {
    /// A fake clock that shows the real time of its making.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(Clock::system().now().as_millis())))
    }

    /// The clock to hand to the code under test; it follows this one.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock(Source::Fake(Arc::clone(&self.0)))
    }

    /// Moves the time forward by `by` (whole milliseconds).
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(millis(by), Ordering::SeqCst);
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::new()
    }
}

/// Whole milliseconds, saturating.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
