//! The metrics of locks. The label `lock` is the kind of a lock, never its id.

use std::borrow::Cow;
use std::time::Duration;

use metrics::{counter, gauge, histogram};

use crate::node::NodeErrorKind;
use crate::outcome::LossCause;

/// What came of an acquisition, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AcquireResult {
    Acquired,
    /// Held by another, and nobody wanted to wait.
    Busy,
    /// Held by another for as long as was waited.
    Timeout,
    NoQuorum,
}

impl AcquireResult {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Acquired => "acquired",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::NoQuorum => "no_quorum",
        }
    }
}

/// What came of one round of extensions, as a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExtendResult {
    Extended,
    NoQuorum,
    NotOwner,
}

impl ExtendResult {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Extended => "extended",
            Self::NoQuorum => "no_quorum",
            Self::NotOwner => "not_owner",
        }
    }
}

pub(crate) fn acquisition(lock: Cow<'static, str>, result: AcquireResult, waited: Duration) {
    counter!("larder_lock_acquire_total", "lock" => lock.clone(), "result" => result.as_str()).increment(1);
    histogram!("larder_lock_wait_seconds", "lock" => lock).record(waited);
}

pub(crate) fn held(lock: Cow<'static, str>) {
    gauge!("larder_lock_held", "lock" => lock).increment(1.0);
}

/// The end of a hold that began with [`held`]: how long it was, and how much of its validity was left.
pub(crate) fn ended(lock: Cow<'static, str>, hold: Duration, left: Duration) {
    gauge!("larder_lock_held", "lock" => lock.clone()).decrement(1.0);
    histogram!("larder_lock_hold_seconds", "lock" => lock.clone()).record(hold);
    histogram!("larder_lock_validity_left_seconds", "lock" => lock).record(left);
}

pub(crate) fn extension(lock: Cow<'static, str>, result: ExtendResult) {
    counter!("larder_lock_extend_total", "lock" => lock, "result" => result.as_str()).increment(1);
}

pub(crate) fn lost(lock: Cow<'static, str>, cause: LossCause) {
    counter!("larder_lock_lost_total", "lock" => lock, "cause" => cause.as_str()).increment(1);
}

pub(crate) fn unlocked_run(lock: Cow<'static, str>) {
    counter!("larder_lock_unlocked_runs_total", "lock" => lock).increment(1);
}

pub(crate) fn node_error(node: &str, kind: NodeErrorKind) {
    counter!("larder_lock_node_errors_total", "node" => node.to_owned(), "kind" => kind.as_str())
        .increment(1);
}
