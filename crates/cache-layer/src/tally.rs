//! What a layer counts for itself, whatever recorder of metrics there is: counters that only grow.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::status::{BypassReason, MissReason, Outcome, UncacheableReason};

/// The counters of one layer, or of the functions that share one name.
///
/// A hit adds one to a number that threads seldom share: with one for all of them, the processors would hand its cache line
/// around at every hit.
pub(crate) struct Tally {
    outcomes: [Shard; SHARDS],
    misses: [AtomicU64; MissReason::ALL.len()],
    bypasses: [AtomicU64; BypassReason::ALL.len()],
    uncacheable: [AtomicU64; UncacheableReason::ALL.len()],
    fills: AtomicU64,
    failed_fills: AtomicU64,
    slow_fills: AtomicU64,
    fill_ms: AtomicU64,
    fill_times: [AtomicU64; FILL_TIMES.len() + 1],
    timed_hits: AtomicU64,
    timed_hits_ns: AtomicU64,
}

/// Bounds of the times that fills took, in milliseconds; what took longer than the last has a place of its own.
pub(crate) const FILL_TIMES: [u64; 14] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000,
];

const SHARDS: usize = 8;

/// The outcomes that some of the threads have counted.
#[derive(Default)]
#[repr(align(128))]
struct Shard([AtomicU64; Outcome::ALL.len()]);

thread_local! {
    /// Which shard this thread counts in.
    static OWN: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS
    };
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            outcomes: Default::default(),
            misses: Default::default(),
            bypasses: Default::default(),
            uncacheable: Default::default(),
            fills: AtomicU64::new(0),
            failed_fills: AtomicU64::new(0),
            slow_fills: AtomicU64::new(0),
            fill_ms: AtomicU64::new(0),
            fill_times: Default::default(),
            timed_hits: AtomicU64::new(0),
            timed_hits_ns: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn outcome(&self, outcome: Outcome) {
        // A thread that is ending may have no shard any more.
        let own = OWN.try_with(|own| *own).unwrap_or(0);
        self.outcomes[own].0[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn miss(&self, reason: MissReason) {
        self.misses[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn bypass(&self, reason: BypassReason) {
        self.bypasses[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn uncacheable(&self, reason: UncacheableReason) {
        self.uncacheable[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A handler ended. `slow` is from where on that was slow.
    pub(crate) fn fill(&self, failed: bool, took: Duration, slow: Duration) {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.fills.fetch_add(1, Ordering::Relaxed);
        self.failed_fills.fetch_add(failed.into(), Ordering::Relaxed);
        self.slow_fills
            .fetch_add((took >= slow).into(), Ordering::Relaxed);
        self.fill_ms.fetch_add(took_ms, Ordering::Relaxed);
        let place = FILL_TIMES.partition_point(|bound| *bound < took_ms);
        self.fill_times[place].fetch_add(1, Ordering::Relaxed);
    }

    /// A hit whose look-up was timed.
    pub(crate) fn timed_hit(&self, took: Duration) {
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.timed_hits.fetch_add(1, Ordering::Relaxed);
        self.timed_hits_ns.fetch_add(ns, Ordering::Relaxed);
    }

    /// What was counted so far. Numbers that were counted at the same moment may be in it in part.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts {
            misses: read(&self.misses),
            bypasses: read(&self.bypasses),
            uncacheable: read(&self.uncacheable),
            fills: self.fills.load(Ordering::Relaxed),
            failed_fills: self.failed_fills.load(Ordering::Relaxed),
            slow_fills: self.slow_fills.load(Ordering::Relaxed),
            fill_ms: self.fill_ms.load(Ordering::Relaxed),
            fill_times: read(&self.fill_times),
            timed_hits: self.timed_hits.load(Ordering::Relaxed),
            timed_hits_ns: self.timed_hits_ns.load(Ordering::Relaxed),
            ..Counts::default()
        };
        for shard in &self.outcomes {
            add(&mut counts.outcomes, &read(&shard.0));
        }
        counts
    }
}

fn read<const N: usize>(counters: &[AtomicU64; N]) -> [u64; N] {
    std::array::from_fn(|at| counters[at].load(Ordering::Relaxed))
}

fn add(sum: &mut [u64], other: &[u64]) {
    sum.iter_mut()
        .zip(other)
        .for_each(|(sum, other)| *sum = sum.saturating_add(*other));
}

/// What a layer has counted since its name was first used. Nothing is ever set back: who wants a rate subtracts what was
/// counted before ([`since`](Self::since)).
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Counts {
    outcomes: [u64; Outcome::ALL.len()],
    misses: [u64; MissReason::ALL.len()],
    bypasses: [u64; BypassReason::ALL.len()],
    uncacheable: [u64; UncacheableReason::ALL.len()],
    fills: u64,
    failed_fills: u64,
    slow_fills: u64,
    fill_ms: u64,
    fill_times: [u64; FILL_TIMES.len() + 1],
    timed_hits: u64,
    timed_hits_ns: u64,
}

impl Counts {
    /// Requests that were answered, or calls.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// Requests with this outcome.
    #[must_use]
    pub const fn of(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize]
    }

    /// All outcomes with their numbers.
    pub fn outcomes(&self) -> impl Iterator<Item = (Outcome, u64)> {
        Outcome::ALL
            .iter()
            .map(|word| (*word, self.outcomes[*word as usize]))
    }

    /// Requests that were answered without a run of their handler for them: from memory, from the store behind it, by another's
    /// run, by a validation, or stale.
    #[must_use]
    pub fn hits(&self) -> u64 {
        [
            Outcome::HitL1,
            Outcome::HitL2,
            Outcome::Revalidated,
            Outcome::Coalesced,
            Outcome::StaleSwr,
            Outcome::StaleError,
        ]
        .map(|outcome| self.of(outcome))
        .iter()
        .sum()
    }

    /// How many of the requests that the cache had a part in were [hits](Self::hits), from 0 to 1; `None` where there were
    /// none. Those that went past it do not count.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a ratio need not be exact above 2^52")]
    pub fn hit_ratio(&self) -> Option<f64> {
        let asked = self.requests().saturating_sub(self.of(Outcome::Bypass));
        (asked > 0).then(|| self.hits() as f64 / asked as f64)
    }

    /// Why the handler ran for a request, with the numbers.
    pub fn misses(&self) -> impl Iterator<Item = (MissReason, u64)> {
        MissReason::ALL
            .iter()
            .map(|word| (*word, self.misses[*word as usize]))
    }

    /// Why the cache had no part in a request, with the numbers.
    pub fn bypasses(&self) -> impl Iterator<Item = (BypassReason, u64)> {
        BypassReason::ALL
            .iter()
            .map(|word| (*word, self.bypasses[*word as usize]))
    }

    /// Why a response was not kept, with the numbers.
    pub fn uncacheable(&self) -> impl Iterator<Item = (UncacheableReason, u64)> {
        UncacheableReason::ALL
            .iter()
            .map(|word| (*word, self.uncacheable[*word as usize]))
    }

    /// Runs of the handler that came to their end, in the background too.
    #[must_use]
    pub const fn fills(&self) -> u64 {
        self.fills
    }

    /// Those of them that failed, or answered 5xx.
    #[must_use]
    pub const fn failed_fills(&self) -> u64 {
        self.failed_fills
    }

    /// Those of them that took as long as [`Limits::slow_fill`](crate::Limits::slow_fill) or longer.
    #[must_use]
    pub const fn slow_fills(&self) -> u64 {
        self.slow_fills
    }

    /// How long all [fills](Self::fills) took together.
    #[must_use]
    pub const fn fill_time(&self) -> Duration {
        Duration::from_millis(self.fill_ms)
    }

    /// A time that the share `q` (from 0 to 1) of the fills did not exceed: the next of 1, 2, 5, 10 ms and so on up to 30 s,
    /// and `Duration::MAX` above; `None` where there were none.
    #[must_use]
    #[allow(
        clippy::cast_precision_loss,
        reason = "a quantile need not be exact above 2^52"
    )]
    pub fn fill_time_within(&self, q: f64) -> Option<Duration> {
        let all: u64 = self.fill_times.iter().sum();
        let wanted = all as f64 * q.clamp(0.0, 1.0);
        let mut seen = 0;
        let place = self.fill_times.iter().position(|count| {
            seen += count;
            seen > 0 && seen as f64 >= wanted
        })?;
        Some(
            FILL_TIMES
                .get(place)
                .map_or(Duration::MAX, |bound| Duration::from_millis(*bound)),
        )
    }

    /// How long the look-up of a hit in memory took, on average of the one in 64 that are timed; `None` before the first.
    #[must_use]
    pub fn hit_time(&self) -> Option<Duration> {
        let mean = self.timed_hits_ns.checked_div(self.timed_hits)?;
        Some(Duration::from_nanos(mean))
    }

    /// The numbers of both together.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        self.each(other, u64::saturating_add);
        self
    }

    /// What was counted since it was `earlier`.
    #[must_use]
    pub fn since(mut self, earlier: &Self) -> Self {
        self.each(earlier, u64::saturating_sub);
        self
    }

    fn each(&mut self, other: &Self, change: impl Fn(u64, u64) -> u64) {
        let all = |own: &mut [u64], other: &[u64]| {
            own.iter_mut()
                .zip(other)
                .for_each(|(own, other)| *own = change(*own, *other));
        };
        all(&mut self.outcomes, &other.outcomes);
        all(&mut self.misses, &other.misses);
        all(&mut self.bypasses, &other.bypasses);
        all(&mut self.uncacheable, &other.uncacheable);
        all(&mut self.fill_times, &other.fill_times);
        for (own, other) in [
            (&mut self.fills, other.fills),
            (&mut self.failed_fills, other.failed_fills),
            (&mut self.slow_fills, other.slow_fills),
            (&mut self.fill_ms, other.fill_ms),
            (&mut self.timed_hits, other.timed_hits),
            (&mut self.timed_hits_ns, other.timed_hits_ns),
        ] {
            *own = change(*own, other);
        }
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counts")
            .field("requests", &self.requests())
            .field("hits", &self.hits())
            .field("fills", &self.fills)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Duration = Duration::from_secs(1);

    #[test]
    fn what_all_threads_count_is_there_and_the_difference_is_what_came_since() {
        let tally = Tally::new();
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| (0..100).for_each(|_| tally.outcome(Outcome::HitL1)));
            }
        });
        let before = tally.counts();
        assert_eq!((before.requests(), before.of(Outcome::HitL1)), (2000, 2000));
        tally.outcome(Outcome::Miss);
        tally.outcome(Outcome::Bypass);
        tally.miss(MissReason::Tag);
        tally.fill(true, Duration::from_secs(3), SLOW);
        let since = tally.counts().since(&before);
        assert_eq!((since.requests(), since.hits(), since.fills()), (2, 0, 1));
        assert_eq!((since.failed_fills(), since.slow_fills()), (1, 1));
        assert_eq!(since.hit_ratio(), Some(0.0));
        assert_eq!(since.misses().filter(|(_, count)| *count > 0).count(), 1);
        assert_eq!(before.clone().plus(&since), tally.counts());
    }

    #[test]
    fn each_reason_has_a_place_of_its_own() {
        let places = |mut all: Vec<usize>| {
            all.sort_unstable();
            assert!(all.iter().copied().eq(0..all.len()), "{all:?}");
        };
        places(Outcome::ALL.iter().map(|reason| *reason as usize).collect());
        places(MissReason::ALL.iter().map(|reason| *reason as usize).collect());
        places(BypassReason::ALL.iter().map(|reason| *reason as usize).collect());
        places(
            UncacheableReason::ALL
                .iter()
                .map(|reason| *reason as usize)
                .collect(),
        );
    }

    #[test]
    fn each_reason_is_told_with_its_own_number() {
        let tally = Tally::new();
        for (times, reason) in (1..).zip(BypassReason::ALL) {
            (0..times).for_each(|_| tally.bypass(*reason));
        }
        for (times, reason) in (1..).zip(MissReason::ALL) {
            (0..times).for_each(|_| tally.miss(*reason));
        }
        let counts = tally.counts();
        let told: Vec<_> = counts.bypasses().collect();
        assert!(
            told.iter()
                .copied()
                .eq(BypassReason::ALL.iter().copied().zip(1..)),
            "{told:?}"
        );
        let told: Vec<_> = counts.misses().collect();
        assert!(
            told.iter().copied().eq(MissReason::ALL.iter().copied().zip(1..)),
            "{told:?}"
        );
    }

    #[test]
    fn times_of_fills_are_told_by_their_bounds() {
        let tally = Tally::new();
        assert_eq!(tally.counts().fill_time_within(0.5), None);
        for ms in [1, 2, 3, 3, 4, 4, 5, 5, 5, 60_000] {
            tally.fill(false, Duration::from_millis(ms), SLOW);
        }
        let counts = tally.counts();
        assert_eq!(counts.fill_time_within(0.5), Some(Duration::from_millis(5)));
        assert_eq!(counts.fill_time_within(0.1), Some(Duration::from_millis(1)));
        assert_eq!(counts.fill_time_within(1.0), Some(Duration::MAX));
        assert_eq!(counts.fill_time(), Duration::from_millis(60_032));
    }
}
