//! The metrics of invalidations beside those that the cache itself counts.

use larder_store::Strength;
use metrics::{counter, gauge};

use crate::forget::Source;

/// An invalidation whose tags could not be worked out: a placeholder had no value.
pub(crate) fn unresolved(strength: Strength) {
    let labels = [
        ("kind", "tag"),
        ("source", Source::Action.as_str()),
        ("mode", strength.as_str()),
        ("result", "unresolved"),
    ];
    counter!("larder_invalidations_total", &labels).increment(1);
}

/// How many tags wait in the journal to be forgotten.
pub(crate) fn pending(tags: usize) {
    #[allow(clippy::cast_precision_loss, reason = "a gauge need not be exact above 2^52")]
    gauge!("larder_invalidations_pending").set(tags as f64);
}
