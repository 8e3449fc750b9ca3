//! What the charts show: for each layer, a reading every other second of the last ten minutes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use larder_cache_layer::{Counts, Engine, Stats};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::shown::ms;

/// Between two readings.
pub(crate) const EVERY: Duration = Duration::from_secs(2);
/// How many are kept, and of how many layers.
const LENGTH: usize = 300;
const LAYERS: usize = 64;

/// The readings, and the task that takes them, which ends with this.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    ring: Mutex<Ring>,
    task: Mutex<Option<AbortHandle>>,
}

#[derive(Debug, Default)]
struct Ring {
    last: Option<(Instant, HashMap<Arc<str>, Counts>)>,
    /// The number of the next one.
    next: u64,
    samples: VecDeque<Sample>,
}

/// What the layers did between two readings.
#[derive(Debug)]
struct Sample {
    at_ms: u64,
    layers: Vec<(Arc<str>, Point)>,
}

#[derive(Debug)]
struct Point {
    per_second: f64,
    hit_ratio: Option<f64>,
    fill: Option<Duration>,
    hit: Option<Duration>,
}

impl Samples {
    /// Has a task take readings of `engine` from now on, if there is a runtime and none does.
    pub(crate) fn begin(self: &Arc<Self>, engine: &Engine) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let reading = read(Arc::downgrade(self), engine.clone());
        *task = Some(runtime.spawn(reading).abort_handle());
    }

    fn take(&self, stats: Stats, at_ms: u64) {
        self.ring
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(stats, at_ms, Instant::now());
    }

    /// The readings with the number `from` and later ones, and the number of the next.
    pub(crate) fn since(&self, from: u64) -> Value {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let first = ring.next - ring.samples.len() as u64;
        let known = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
        // A number that was never given is of another process.
        let known = if from > ring.next { 0 } else { known };
        let samples: Vec<Value> = ring.samples.iter().skip(known).map(Sample::shown).collect();
        json!({ "next": ring.next, "every_ms": EVERY.as_millis(), "length": LENGTH, "samples": samples })
    }
}

impl Drop for Samples {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.take() {
            task.abort();
        }
    }
}

async fn read(samples: Weak<Samples>, engine: Engine) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(samples) = samples.upgrade() else { return };
        samples.take(engine.stats(), engine.now().as_millis());
    }
}

impl Ring {
    fn take(&mut self, stats: Stats, at_ms: u64, now: Instant) {
        let counts = stats.layers.into_iter().take(LAYERS);
        let counts: HashMap<Arc<str>, Counts> = counts.map(|layer| (layer.name, layer.counts)).collect();
        if let Some((then, before)) = &self.last {
            let seconds = now.duration_since(*then).as_secs_f64();
            let none = Counts::default();
            let points = counts.iter().map(|(name, now)| {
                let since = now.clone().since(before.get(name).unwrap_or(&none));
                (Arc::clone(name), Point::of(&since, seconds))
            });
            if self.samples.len() >= LENGTH {
                self.samples.pop_front();
            }
            self.samples.push_back(Sample {
                at_ms,
                layers: points.collect(),
            });
            self.next += 1;
        }
        self.last = Some((now, counts));
    }
}

impl Point {
    #[allow(clippy::cast_precision_loss, reason = "for people to look at")]
    fn of(since: &Counts, seconds: f64) -> Self {
        Self {
            per_second: if seconds > 0.0 {
                since.requests() as f64 / seconds
            } else {
                0.0
            },
            hit_ratio: since.hit_ratio(),
            fill: since
                .fill_time_within(0.95)
                .map(|time| time.min(Duration::from_secs(60))),
            hit: since.hit_time(),
        }
    }
}

impl Sample {
    fn shown(&self) -> Value {
        let layers = self.layers.iter().map(|(name, point)| {
            let values = json!([
                point.per_second,
                point.hit_ratio,
                point.fill.map(ms),
                point.hit.map(|time| ms(time) * 1000.0),
            ]);
            ((**name).to_owned(), values)
        });
        json!({ "at_ms": self.at_ms, "layers": layers.collect::<serde_json::Map<_, _>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_cache_layer::{FillPolicy, Limits, PresetTtls};
    use larder_store::{Clock, MemoryStore};

    #[tokio::test]
    async fn the_ring_has_a_bound_and_gives_what_is_new() {
        let store = Arc::new(MemoryStore::with_capacity(1 << 20));
        let engine = Engine::new(store, Clock::system(), Limits::default(), PresetTtls::new());
        let values = FillPolicy::new("f").in_process::<u64>(|_| 8);
        let samples = Samples::default();
        samples.take(engine.stats(), 0);
        assert_eq!(
            samples.since(0)["samples"].as_array().map(Vec::len),
            Some(0),
            "one reading is no rate"
        );
        for _ in 0..4 {
            let made = engine.slot(&1, &values).get_or_fill(|| async { Ok::<_, ()>(1) });
            made.await.unwrap();
        }
        for n in 1..=LENGTH as u64 + 5 {
            samples.take(engine.stats(), n);
        }
        let all = samples.since(0);
        assert_eq!(all["samples"].as_array().map(Vec::len), Some(LENGTH));
        let next = all["next"].as_u64().unwrap();
        assert_eq!(next, LENGTH as u64 + 5);
        assert_eq!(samples.since(next)["samples"].as_array().map(Vec::len), Some(0));
        assert_eq!(
            samples.since(next - 2)["samples"].as_array().map(Vec::len),
            Some(2)
        );
        assert_eq!(
            samples.since(next + 99)["samples"].as_array().map(Vec::len),
            Some(LENGTH)
        );
    }

    #[tokio::test]
    async fn a_reading_is_what_came_between_two() {
        let store = Arc::new(MemoryStore::with_capacity(1 << 20));
        let engine = Engine::new(store, Clock::system(), Limits::default(), PresetTtls::new());
        let values = FillPolicy::new("f").in_process::<u64>(|_| 8);
        let mut ring = Ring::default();
        let began = Instant::now();
        ring.take(engine.stats(), 0, began);
        for _ in 0..4 {
            let made = engine.slot(&1, &values).get_or_fill(|| async { Ok::<_, ()>(1) });
            made.await.unwrap();
        }
        ring.take(engine.stats(), 1, began + Duration::from_secs(2));
        ring.take(engine.stats(), 2, began + Duration::from_secs(4));
        assert_eq!(ring.samples[0].shown()["layers"]["f"][0], 2.0);
        assert_eq!(ring.samples[0].shown()["layers"]["f"][1], 0.75);
        assert_eq!(ring.samples[1].shown()["layers"]["f"][0], 0.0);
        assert!(
            ring.samples[1].shown()["layers"]["f"][1].is_null(),
            "nothing was asked"
        );
    }
}
