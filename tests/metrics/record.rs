//! What was counted, as a recorder for tests has it.

use std::collections::BTreeMap;
use std::time::Duration;

use metrics_util::MetricKind;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

use crate::support_metrics::Kind;

/// A metric with its labels: the kind, the name, and the labels in order.
type Series = (String, BTreeMap<String, String>);

/// All that was counted so far: of a histogram how many values, of a gauge the last.
#[derive(Debug, Default)]
pub(crate) struct Seen(BTreeMap<Series, (Option<Kind>, f64)>);

impl Seen {
    /// Adds what came since the snapshot before.
    pub(crate) fn add(&mut self, snapshotter: &Snapshotter) {
        #[allow(clippy::cast_precision_loss, reason = "small numbers")]
        for (key, _, _, value) in snapshotter.snapshot().into_vec() {
            let (kind, key) = key.into_parts();
            let labels = key
                .labels()
                .map(|label| (label.key().to_owned(), label.value().to_owned()));
            let series = self
                .0
                .entry((key.name().to_owned(), labels.collect()))
                .or_default();
            let kind = match kind {
                MetricKind::Counter => Kind::Counter,
                MetricKind::Gauge => Kind::Gauge,
                MetricKind::Histogram => Kind::Histogram,
            };
            assert!(
                series.0.is_none_or(|before| before == kind),
                "{key} is of two kinds"
            );
            series.0 = Some(kind);
            match value {
                DebugValue::Counter(count) => series.1 += count as f64,
                DebugValue::Gauge(value) => series.1 = value.into_inner(),
                DebugValue::Histogram(values) => series.1 += values.len() as f64,
            }
        }
    }

    pub(crate) fn series(&self) -> impl Iterator<Item = (&str, &BTreeMap<String, String>, Kind, f64)> {
        let series = self.0.iter();
        series.map(|((name, labels), (kind, value))| (&**name, labels, kind.unwrap(), *value))
    }

    /// The sum of a metric's series with these labels.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small whole numbers"
    )]
    pub(crate) fn total(&self, name: &str, labels: &[(&str, &str)]) -> usize {
        let fits = |own: &BTreeMap<String, String>| {
            labels
                .iter()
                .all(|(key, value)| own.get(*key).is_some_and(|own| own == value))
        };
        let all = self
            .series()
            .filter(|(own, labels, ..)| *own == name && fits(labels));
        all.map(|(.., value)| value).sum::<f64>() as usize
    }
}

/// A recorder, and what it has seen.
pub(crate) struct Recording {
    snapshotter: Snapshotter,
    pub(crate) seen: Seen,
}

impl Recording {
    /// Runs `drive` on a runtime of this thread, with a recorder of its own.
    pub(crate) fn of<T>(
        runtime: &tokio::runtime::Runtime,
        drive: impl AsyncFnOnce(&mut Self) -> T,
    ) -> (Seen, T) {
        let recorder = DebuggingRecorder::new();
        let mut recording = Self {
            snapshotter: recorder.snapshotter(),
            seen: Seen::default(),
        };
        let done = metrics::with_local_recorder(&recorder, || runtime.block_on(drive(&mut recording)));
        recording.look();
        (recording.seen, done)
    }

    pub(crate) fn look(&mut self) {
        self.seen.add(&self.snapshotter);
    }

    /// Waits until a metric was counted `times` times, meanwhile doing `what` again and again.
    pub(crate) async fn until(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        times: usize,
        mut what: impl AsyncFnMut(),
    ) {
        let end = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            what().await;
            self.look();
            if self.seen.total(name, labels) >= times {
                return;
            }
            assert!(
                tokio::time::Instant::now() < end,
                "{name} {labels:?} was not counted {times} times"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
