//! What a history comes to.

use std::fmt::{self, Display};
use std::time::Duration;

use super::record::{Read, Row, Source};

/// What a [`History`](super::History) comes to.
///
/// A cache that never answers makes no mistake. So this says too how much it did: a test demands a minimum.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Verdict {
    /// Answers that should not have been given.
    pub violations: usize,
    /// The first of them.
    pub shown: Vec<Violation>,
    /// All reads.
    pub reads: usize,
    /// Reads that were owed something: a write of their row was acknowledged before they were sent.
    pub checked: usize,
    /// Reads that the cache answered, with what the same instance had made.
    pub own: usize,
    /// Reads that the cache answered, with what another instance had made.
    pub others: usize,
    /// Reads that the handler answered while a later write of the row was acknowledged: what it made was dead when it was
    /// born.
    pub born_dead: usize,
    /// The longest time after its acknowledgement that a write was missed.
    pub latest: Duration,
}

impl Verdict {
    /// Reads that the cache answered.
    #[must_use]
    pub fn hits(&self) -> usize {
        self.own + self.others
    }

    pub(super) fn count(&mut self, read: &Read, row: &Row) {
        self.reads += 1;
        let owed = row.acknowledged_before(read.sent);
        self.checked += usize::from(owed > 0);
        match read.source {
            Source::Own => self.own += 1,
            Source::Other => self.others += 1,
            Source::Handler => {
                self.born_dead += usize::from(row.acknowledged_before(read.answered) > read.seen.version);
            }
        }
        if read.seen.version < owed {
            let missed = row.acknowledged_at(read.seen.version + 1);
            self.latest = self.latest.max(read.sent.saturating_sub(missed));
        }
    }
}

/// For reading: a line of numbers, and one for each violation shown.
impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} violations; {} reads, {} of them owed something; {} hits on own entries, {} on others'; {} fills born \
             dead; a write missed for {:?} at most",
            self.violations, self.reads, self.checked, self.own, self.others, self.born_dead, self.latest
        )?;
        for violation in &self.shown {
            write!(f, "\n  {violation}")?;
        }
        Ok(())
    }
}

/// An answer that should not have been given.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The read.
    pub read: Read,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wrong {
    /// It shows less than what was acknowledged before the request was sent.
    Stale {
        /// The version that it should have shown at least.
        owed: u64,
        /// How long before the request the first write that it misses was acknowledged.
        late: Duration,
    },
    /// It shows a version that nobody had begun to write.
    Unwritten,
    /// It shows another row.
    OtherRow,
}

impl Wrong {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stale { .. } => "stale",
            Self::Unwritten => "unwritten",
            Self::OtherRow => "other_row",
        }
    }
}

impl Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Read {
            row,
            sent,
            answered,
            seen,
            source,
        } = &self.read;
        write!(
            f,
            "{}: row {row} sent at {sent:.4?}, answered at {answered:.4?} by {source:?} with version {} of row {}",
            self.wrong.as_str(),
            seen.version,
            seen.row
        )?;
        if let Wrong::Stale { owed, late } = self.wrong {
            write!(f, "; version {owed} was due, the next since {late:.4?}")?;
        }
        Ok(())
    }
}
