//! What is counted. No label has a key, a tag or an address.

use std::time::Duration;

use larder_store::{Entry, Kept, StoreError, TagKind};
use metrics::{counter, gauge, histogram};

use crate::protocol::Verdict;

/// What is asked of the server, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// An entry, with its records.
    Lookup,
    /// The records of an entry that this process has.
    Verify,
    /// The stamps of a fill.
    Capture,
    /// The records of tags that only a response named.
    Adopt,
    /// An entry is kept.
    Put,
    Forget,
    Announce,
    /// The turn to fill, among all processes.
    Turn,
}

impl Operation {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Lookup => "lookup",
            Self::Verify => "verify",
            Self::Capture => "capture",
            Self::Adopt => "adopt",
            Self::Put => "put",
            Self::Forget => "forget",
            Self::Announce => "announce",
            Self::Turn => "turn",
        }
    }
}

/// The server was asked, and answered or did not.
pub(crate) fn asked<T>(operation: Operation, result: &Result<T, StoreError>, took: Duration) {
    let result = result.as_ref().err().map_or("ok", |error| error.kind().as_str());
    let labels = [
        ("backend", "redis"),
        ("op", operation.as_str()),
        ("result", result),
    ];
    histogram!("larder_backend_duration_seconds", &labels).record(took.as_secs_f64());
}

/// An entry did not reach the server, and nobody waited for it.
pub(crate) fn failed(error: &StoreError) {
    counter!("larder_backend_errors_total", "backend" => "redis", "kind" => error.kind().as_str())
        .increment(1);
}

/// An entry in memory was asked about.
pub(crate) fn revalidated(verdict: Verdict) {
    let result = if verdict == Verdict::Valid {
        "same"
    } else {
        "changed"
    };
    counter!("larder_l1_revalidations_total", "result" => result).increment(1);
}

/// What became of an entry on its way to the server, under the name of its layer.
pub(crate) fn put(entry: &Entry, kept: Kept) {
    let labels = [
        ("cache", layer(entry)),
        ("tier", "l2".into()),
        ("result", kept.as_str().into()),
    ];
    counter!("larder_cache_store_total", &labels).increment(1);
}

/// An entry that was taken in already was overtaken by an invalidation on its way to the server.
pub(crate) fn overtaken(entry: &Entry) {
    counter!("larder_cache_fill_race_total", "cache" => layer(entry)).increment(1);
}

fn layer(entry: &Entry) -> String {
    let layer = entry.tags.iter().find(|tag| tag.kind() == TagKind::Layer);
    layer.map_or_else(|| "-".to_owned(), |tag| tag.as_str().to_owned())
}

/// An invalidation was carried out that had been owed.
pub(crate) fn replayed(mode: &'static str) {
    let labels = [
        ("kind", "tag"),
        ("source", "replay"),
        ("mode", mode),
        ("result", "ok"),
    ];
    counter!("larder_invalidations_total", &labels).increment(1);
}

/// The turn to fill is this process's own, or another's.
pub(crate) fn turn(whose: &'static str) {
    counter!("larder_turns_total", "backend" => "redis", "whose" => whose).increment(1);
}

/// The server told of changes.
pub(crate) fn told() {
    counter!("larder_invalidation_received_total", "via" => "push").increment(1);
}

/// A beat was heard, so long after it was sent.
pub(crate) fn heard(after: Duration) {
    histogram!("larder_coherence_lag_seconds").record(after.as_secs_f64());
}

/// The server tells of changes.
pub(crate) fn up() {
    gauge!("larder_coherence_up").set(1.0);
}

/// The server is not known any more to tell of changes.
pub(crate) fn lapsed(reason: &'static str) {
    counter!("larder_coherence_lapses_total", "reason" => reason).increment(1);
    gauge!("larder_coherence_up").set(0.0);
}

/// What the breaker is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Breaker {
    Closed,
    HalfOpen,
    Open,
}

impl Breaker {
    pub(crate) fn enter(self) {
        let (number, word) = match self {
            Self::Closed => (0.0, "closed"),
            Self::HalfOpen => (1.0, "half_open"),
            Self::Open => (2.0, "open"),
        };
        gauge!("larder_backend_breaker_state", "backend" => "redis").set(number);
        counter!("larder_backend_breaker_transitions_total", "backend" => "redis", "to" => word).increment(1);
    }
}
