//! What is written down of reads and writes.

use std::time::Duration;

/// A read that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The row that was asked for.
    pub row: u64,
    /// When the request was about to be sent.
    pub sent: Duration,
    /// When the whole answer was there.
    pub answered: Duration,
    /// What it showed.
    pub seen: Seen,
    /// Where it came from.
    pub source: Source,
}

/// What an answer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The row that it is of.
    pub row: u64,
    /// Its version.
    pub version: u64,
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// From the handler.
    Handler,
    /// From the cache, where the instance that answered had put it.
    Own,
    /// From the cache, where another instance had put it.
    Other,
}

/// What was written to a row.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) begun: Vec<Written>,
    pub(super) acknowledged: Vec<Written>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) at: Duration,
    pub(super) version: u64,
}

impl Row {
    /// The same in the order of time, each with the highest version up to it.
    pub(super) fn in_order(&self) -> Self {
        let ordered = |written: &[Written]| {
            let mut written = written.to_vec();
            written.sort_by_key(|written| written.at);
            let mut highest = 0;
            for one in &mut written {
                highest = highest.max(one.version);
                one.version = highest;
            }
            written
        };
        Self {
            begun: ordered(&self.begun),
            acknowledged: ordered(&self.acknowledged),
        }
    }

    /// The highest version whose write had begun at `time`.
    pub(super) fn begun_until(&self, time: Duration) -> u64 {
        highest(&self.begun, |at| at <= time)
    }

    /// The highest version that was acknowledged before `time`.
    pub(super) fn acknowledged_before(&self, time: Duration) -> u64 {
        highest(&self.acknowledged, |at| at < time)
    }

    /// When a version of at least `version` was first acknowledged; the end of time when none was.
    pub(super) fn acknowledged_at(&self, version: u64) -> Duration {
        let first = self.acknowledged.partition_point(|one| one.version < version);
        self.acknowledged.get(first).map_or(Duration::MAX, |one| one.at)
    }
}

fn highest(written: &[Written], within: impl Fn(Duration) -> bool) -> u64 {
    let end = written.partition_point(|one| within(one.at));
    end.checked_sub(1).map_or(0, |last| written[last].version)
}
