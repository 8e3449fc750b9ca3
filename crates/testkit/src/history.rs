//! A checker of histories: whether what a fleet of instances answered is what its cache may answer.

mod record;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::HashMap;
use std::time::Duration;

pub use record::{Read, Seen, Source};
use record::{Row, Written};
pub use verdict::{Verdict, Violation, Wrong};

/// How many violations are kept in full; all are counted.
const SHOWN: usize = 50;

/// What was written and what was read, as somebody saw it who stood outside.
///
/// There are rows with versions that only grow. A write changes a row at its source, then has the cache forget it, and is
/// *acknowledged* when whoever asked for that was told that it is done. A read shows a version of a row. All times are
/// taken by one clock, that of the observer: since the beginning of the history.
///
/// A read is wrong when it was *sent* after the acknowledgement of a write was *received* and shows less than that write.
/// What happened between sending and answering is nobody's knowledge, and is never held against the cache.
///
/// ```
/// use std::time::Duration;
/// use larder_testkit::history::{History, Read, Seen, Source};
///
/// let at = Duration::from_millis;
/// let mut history = History::new();
/// history.begin(7, 1, at(10));
/// history.acknowledge(7, 1, at(12));
/// let read = Read { row: 7, sent: at(13), answered: at(14), seen: Seen { row: 7, version: 0 }, source: Source::Own };
/// history.read(read);
///
/// assert_eq!(history.check(Duration::ZERO).violations, 1); // the old version, after it was forgotten
/// assert_eq!(history.check(at(100)).violations, 0); // which may be for as long
/// ```
#[derive(Debug, Clone, Default)]
pub struct History {
    rows: HashMap<u64, Row>,
    reads: Vec<Read>,
}

impl History {
    /// A history in which nothing happened. Every row has version 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A write of `version` begins: from now on it may be seen. To be told before it can be.
    pub fn begin(&mut self, row: u64, version: u64, at: Duration) {
        self.row(row).begun.push(Written { at, version });
    }

    /// The write of `version` is acknowledged: the cache has promised to show nothing older.
    pub fn acknowledge(&mut self, row: u64, version: u64, at: Duration) {
        self.row(row).acknowledged.push(Written { at, version });
    }

    /// A read was answered.
    pub fn read(&mut self, read: Read) {
        self.reads.push(read);
    }

    /// How many reads were answered so far.
    #[must_use]
    pub fn reads(&self) -> usize {
        self.reads.len()
    }

    /// Holds all reads against all writes. `bound` is for how long after its acknowledgement a write may be missed: zero
    /// for a cache that validates every answer.
    #[must_use]
    pub fn check(&self, bound: Duration) -> Verdict {
        let rows: HashMap<u64, Row> = self
            .rows
            .iter()
            .map(|(row, written)| (*row, written.in_order()))
            .collect();
        let nothing = Row::default();
        let mut verdict = Verdict::default();
        for read in &self.reads {
            let row = rows.get(&read.row).unwrap_or(&nothing);
            verdict.count(read, row);
            if let Some(violation) = judge(read, row, bound) {
                verdict.violations += 1;
                if verdict.shown.len() < SHOWN {
                    verdict.shown.push(violation);
                }
            }
        }
        verdict
    }

    fn row(&mut self, row: u64) -> &mut Row {
        self.rows.entry(row).or_default()
    }
}

/// What is wrong with a read, if anything is.
fn judge(read: &Read, row: &Row, bound: Duration) -> Option<Violation> {
    let violation = |wrong| {
        Some(Violation {
            read: read.clone(),
            wrong,
        })
    };
    if read.seen.row != read.row {
        return violation(Wrong::OtherRow);
    }
    if read.seen.version > row.begun_until(read.answered) {
        return violation(Wrong::Unwritten);
    }
    let due = read.sent.checked_sub(bound)?;
    let owed = row.acknowledged_before(due);
    if read.seen.version < owed {
        let late = read.sent - row.acknowledged_at(read.seen.version + 1);
        return violation(Wrong::Stale { owed, late });
    }
    None
}
