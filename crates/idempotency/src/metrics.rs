//! What is counted. No label has a key, a principal or a target.

use metrics::{counter, gauge};

use crate::outcome::Outcome;
use crate::result::NotKeptReason;

pub(crate) fn request(outcome: Outcome) {
    counter!("larder_idempotency_requests_total", "outcome" => outcome.as_str()).increment(1);
}

pub(crate) fn not_kept(reason: NotKeptReason) {
    counter!("larder_idempotency_not_kept_total", "reason" => reason.as_str()).increment(1);
}

/// A run ended without a result that is known: the words of its causes.
pub(crate) fn lost(cause: &'static str) {
    counter!("larder_idempotency_lost_total", "cause" => cause).increment(1);
}

pub(crate) fn store_error(store: &'static str, kind: &'static str) {
    counter!("larder_idempotency_store_errors_total", "store" => store, "kind" => kind).increment(1);
}

pub(crate) fn signed_request(outcome: &'static str) {
    counter!("larder_replay_requests_total", "outcome" => outcome).increment(1);
}

/// An operation runs until the guard is dropped.
pub(crate) struct Running(());

impl Running {
    pub(crate) fn begin() -> Self {
        gauge!("larder_idempotency_running").increment(1.0);
        Self(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        gauge!("larder_idempotency_running").decrement(1.0);
    }
}
