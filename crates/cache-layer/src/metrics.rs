//! The metrics of a layer: looked up once, at its first request, and then counted without a look-up.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::cached::Tier;
use crate::status::{BypassReason, MissReason, Outcome, UncacheableReason};
use crate::tally::Tally;

/// Handles of one layer's metrics.
///
/// They are taken from the recorder that is installed when the layer serves its first request: a recorder installed
/// later sees nothing of this layer.
#[derive(Default, Clone)]
pub(crate) struct Metrics {
    handles: OnceLock<Handles>,
    /// What is counted whatever recorder there is: of the engine that first used it.
    tally: OnceLock<Arc<Tally>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Handles {
    /// One for each outcome, in the order of the enum.
    requests: [Counter; Outcome::ALL.len()],
    time_saved: Counter,
    bytes_hit: Counter,
    bytes_not_modified: Counter,
    not_modified: Counter,
    modified: Counter,
    load_inflight: Gauge,
    // Those of what comes often, looked up when it first came.
    /// Of waits that ended with a value.
    coalesced: OnceLock<Histogram>,
    /// Of timed hits in memory: how long the look-up took, and the age of the entry.
    hits: OnceLock<[Histogram; 2]>,
}

impl Metrics {
    /// Counts in `tally` too.
    pub(crate) fn counting(tally: Arc<Tally>) -> Self {
        Self {
            tally: tally.into(),
            ..Self::default()
        }
    }

    /// Counts in the tally that is given, unless it counts in one already.
    #[inline]
    pub(crate) fn count_in(&self, tally: impl FnOnce() -> Arc<Tally>) {
        self.tally.get_or_init(tally);
    }

    /// What is counted whatever recorder there is.
    #[inline]
    pub(crate) fn tally(&self) -> Option<&Tally> {
        self.tally.get().map(|tally| &**tally)
    }

    fn handles(&self, cache: &str) -> &Handles {
        self.handles.get_or_init(|| Handles::new(cache.to_owned()))
    }

    /// One request came to its end.
    #[inline]
    pub(crate) fn outcome(&self, cache: &str, outcome: Outcome) {
        if let Some(tally) = self.tally() {
            tally.outcome(outcome);
        }
        self.handles(cache).requests[outcome as usize].increment(1);
    }

    /// A hit: what it saved.
    #[inline]
    pub(crate) fn saved(&self, cache: &str, load_ms: u32, bytes: usize) {
        let handles = self.handles(cache);
        handles.time_saved.increment(u64::from(load_ms));
        handles.bytes_hit.increment(bytes as u64);
    }

    /// A request with conditions was answered.
    pub(crate) fn conditional(&self, cache: &str, not_modified: bool, bytes: usize) {
        let handles = self.handles(cache);
        if not_modified {
            handles.not_modified.increment(1);
            handles.bytes_not_modified.increment(bytes as u64);
        } else {
            handles.modified.increment(1);
        }
    }

    /// A timer for one look-up in so many: a sample tells as well what each hit would pay two looks at the clock for.
    #[inline]
    pub(crate) fn timer() -> Option<Instant> {
        (fastrand::u32(..SAMPLE) == 0).then(Instant::now)
    }

    /// A hit whose look-up was timed: how long that took, and how old the entry was.
    #[cold]
    pub(crate) fn sample(&self, cache: &str, tier: Tier, began: Instant, age_ms: u64) {
        let took = began.elapsed();
        if let Some(tally) = self.tally() {
            tally.timed_hit(took);
        }
        let histograms = || {
            [
                rare::look_ups(cache, Some(tier), "hit"),
                rare::hit_ages(cache, tier),
            ]
        };
        let record = |[took_all, ages]: &[Histogram; 2]| {
            took_all.record(took.as_secs_f64());
            ages.record(Duration::from_millis(age_ms).as_secs_f64());
        };
        match tier {
            Tier::Memory => record(self.handles(cache).hits.get_or_init(histograms)),
            Tier::Remote => record(&histograms()),
        }
    }

    /// The handler runs because of this.
    pub(crate) fn miss(&self, cache: &str, reason: MissReason) {
        if let Some(tally) = self.tally() {
            tally.miss(reason);
        }
        rare::miss(cache, reason);
    }

    /// The cache had no part in a request because of this.
    pub(crate) fn bypass(&self, cache: &str, reason: BypassReason) {
        if let Some(tally) = self.tally() {
            tally.bypass(reason);
        }
        rare::bypass(cache, reason);
    }

    /// A response was not kept because of this.
    pub(crate) fn uncacheable(&self, cache: &str, reason: UncacheableReason) {
        if let Some(tally) = self.tally() {
            tally.uncacheable(reason);
        }
        rare::uncacheable(cache, reason);
    }

    /// A value was not kept: because the store failed, or because it says so itself.
    pub(crate) fn unkept(&self, cache: &str, failed: bool) {
        let reason = if failed {
            UncacheableReason::StoreError
        } else {
            UncacheableReason::Hint
        };
        self.uncacheable(cache, reason);
    }

    /// A handler ended; from `slow` on it was slow.
    pub(crate) fn ended(
        &self,
        cache: &str,
        mode: &'static str,
        result: &'static str,
        took: Duration,
        slow: Duration,
    ) {
        if let Some(tally) = self.tally() {
            tally.fill(result != "ok", took, slow);
        }
        rare::load(cache, mode, result, took);
    }

    /// A request waited for another's run in this process.
    pub(crate) fn waited(&self, cache: &str, result: &'static str, took: Duration) {
        if result != WITH_A_VALUE {
            return rare::coalesced(cache, "local", result).record(took.as_secs_f64());
        }
        let histogram = || rare::coalesced(cache, "local", WITH_A_VALUE);
        let coalesced = self.handles(cache).coalesced.get_or_init(histogram);
        coalesced.record(took.as_secs_f64());
    }

    /// A handler runs until the guard is dropped.
    pub(crate) fn load(&self, cache: &str) -> Inflight {
        let gauge = self.handles(cache).load_inflight.clone();
        gauge.increment(1.0);
        Inflight(gauge)
    }
}

/// How a wait for another's run ends as a rule.
pub(crate) const WITH_A_VALUE: &str = "value";

/// One look-up in so many is timed.
const SAMPLE: u32 = 64;

/// A handler that runs.
pub(crate) struct Inflight(Gauge);

impl Drop for Inflight {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

impl Handles {
    fn new(cache: String) -> Self {
        Self {
            requests: std::array::from_fn(|at| {
                let outcome = Outcome::ALL[at].as_str();
                counter!("larder_cache_requests_total", "cache" => cache.clone(), "outcome" => outcome)
            }),
            time_saved: counter!("larder_cache_time_saved_milliseconds_total", "cache" => cache.clone()),
            bytes_hit: counter!("larder_cache_bytes_saved_total", "cache" => cache.clone(), "kind" => "hit"),
            bytes_not_modified: counter!(
                "larder_cache_bytes_saved_total", "cache" => cache.clone(), "kind" => "not_modified"
            ),
            not_modified: counter!(
                "larder_cache_conditional_total", "cache" => cache.clone(), "result" => "not_modified"
            ),
            modified: counter!("larder_cache_conditional_total", "cache" => cache.clone(), "result" => "modified"),
            load_inflight: gauge!("larder_cache_load_inflight", "cache" => cache),
            coalesced: OnceLock::new(),
            hits: OnceLock::new(),
        }
    }
}

/// What happens beside hits: rare enough to look its metric up each time.
pub(crate) mod rare {
    use super::{
        BypassReason, Duration, Histogram, MissReason, Tier, UncacheableReason, counter, gauge, histogram,
    };
    use larder_store::{Kept, Size};

    /// A look-up ended; `tier` is where the entry was, if there was one.
    pub(crate) fn looked_up(cache: &str, tier: Option<Tier>, result: &'static str, took: Duration) {
        look_ups(cache, tier, result).record(took.as_secs_f64());
    }

    pub(super) fn look_ups(cache: &str, tier: Option<Tier>, result: &'static str) -> Histogram {
        let labels = [
            ("cache", cache.to_owned()),
            ("tier", tier.map_or("none", Tier::as_str).into()),
            ("result", result.into()),
        ];
        histogram!("larder_cache_lookup_duration_seconds", &labels)
    }

    pub(super) fn hit_ages(cache: &str, tier: Tier) -> Histogram {
        histogram!("larder_cache_hit_age_seconds", "cache" => cache.to_owned(), "tier" => tier.as_str())
    }

    pub(super) fn miss(cache: &str, reason: MissReason) {
        counter!("larder_cache_miss_total", "cache" => cache.to_owned(), "reason" => reason.as_str())
            .increment(1);
    }

    pub(super) fn bypass(cache: &str, reason: BypassReason) {
        counter!("larder_cache_bypass_total", "cache" => cache.to_owned(), "reason" => reason.as_str())
            .increment(1);
    }

    pub(super) fn uncacheable(cache: &str, reason: UncacheableReason) {
        counter!("larder_cache_uncacheable_total", "cache" => cache.to_owned(), "reason" => reason.as_str())
            .increment(1);
    }

    pub(super) fn load(cache: &str, mode: &'static str, result: &'static str, took: Duration) {
        let labels = [
            ("cache", cache.to_owned()),
            ("mode", mode.into()),
            ("result", result.into()),
        ];
        histogram!("larder_cache_load_duration_seconds", &labels).record(took.as_secs_f64());
    }

    /// A request waited for the run of another process.
    pub(crate) fn waited_elsewhere(cache: &str, result: &'static str, took: Duration) {
        coalesced(cache, "cluster", result).record(took.as_secs_f64());
    }

    pub(super) fn coalesced(cache: &str, scope: &'static str, result: &'static str) -> Histogram {
        let labels = [
            ("cache", cache.to_owned()),
            ("scope", scope.into()),
            ("result", result.into()),
        ];
        histogram!("larder_cache_coalesced_wait_seconds", &labels)
    }

    pub(crate) fn refresh(cache: &str, trigger: &'static str, result: &'static str) {
        let labels = [
            ("cache", cache.to_owned()),
            ("trigger", trigger.into()),
            ("result", result.into()),
        ];
        counter!("larder_cache_refresh_total", &labels).increment(1);
    }

    pub(crate) fn stale_served(cache: &str, cause: &'static str, age: Duration) {
        histogram!("larder_cache_stale_served_age_seconds", "cache" => cache.to_owned(), "cause" => cause)
            .record(age.as_secs_f64());
    }

    pub(crate) fn stored(cache: &str, kept: Kept, bytes: usize, size: Size) {
        let labels = [
            ("cache", cache.to_owned()),
            ("tier", "l1".into()),
            ("result", kept.as_str().into()),
        ];
        counter!("larder_cache_store_total", &labels).increment(1);
        if kept == Kept::RejectedStamp {
            counter!("larder_cache_fill_race_total", "cache" => cache.to_owned()).increment(1);
        }
        histogram!("larder_cache_value_bytes", "cache" => cache.to_owned()).record(bytes as f64);
        #[allow(
            clippy::cast_precision_loss,
            reason = "a gauge of bytes need not be exact above 2^52"
        )]
        {
            gauge!("larder_cache_entries", "tier" => "l1").set(size.entries as f64);
            gauge!("larder_cache_bytes", "tier" => "l1").set(size.bytes as f64);
            gauge!("larder_cache_capacity_bytes", "tier" => "l1").set(size.capacity as f64);
        }
    }

    pub(crate) fn backend_error(backend: &'static str, kind: &'static str) {
        counter!("larder_backend_errors_total", "backend" => backend, "kind" => kind).increment(1);
    }

    pub(crate) fn invalidation(
        kind: &'static str,
        source: &'static str,
        mode: &'static str,
        ok: bool,
        took: Duration,
    ) {
        let result = if ok { "ok" } else { "error" };
        let labels = [
            ("kind", kind),
            ("source", source),
            ("mode", mode),
            ("result", result),
        ];
        counter!("larder_invalidations_total", &labels).increment(1);
        histogram!("larder_invalidation_duration_seconds", "kind" => kind).record(took.as_secs_f64());
    }
}
