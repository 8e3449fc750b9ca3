//! The journal: invalidations that failed, kept until they are made up for.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larder_store::Tag;

use crate::metrics;

/// The bounds of the journal of failed invalidations.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct JournalLimits {
    /// How many tags it holds. Beyond that all entries are forgotten in their place, so that none is lost. Default 4096.
    pub tags: usize,
    /// How long after a failure the first retry comes; each further one takes twice as long. Default 100 ms.
    pub first_retry: Duration,
    /// The longest time between two retries. Default 30 s.
    pub longest_retry: Duration,
}

impl Default for JournalLimits {
    fn default() -> Self {
        Self {
            tags: 4096,
            first_retry: Duration::from_millis(100),
            longest_retry: Duration::from_secs(30),
        }
    }
}

/// What is to be forgotten still. Each has the number under which it was last put in: a retry that began before that does
/// not make up for it.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(crate) limits: JournalLimits,
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    tags: HashMap<Tag, u64>,
    everything: Option<u64>,
    number: u64,
    /// Whether a task is there that retries.
    retrying: bool,
}

/// What one retry is to forget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Batch {
    Tags { tags: Vec<Tag>, number: u64 },
    Everything { number: u64 },
}

impl Journal {
    pub(crate) fn new(limits: JournalLimits) -> Self {
        Self {
            limits,
            pages: Mutex::default(),
        }
    }

    /// Puts in what could not be forgotten.
    pub(crate) fn add(&self, tags: &[Tag]) {
        let mut pages = self.pages();
        pages.number += 1;
        let number = pages.number;
        pages.tags.extend(tags.iter().map(|tag| (tag.clone(), number)));
        if pages.tags.len() > self.limits.tags {
            pages.tags.clear();
            pages.everything = Some(number);
            tracing::warn!(
                limit = self.limits.tags,
                "the journal of failed invalidations is full: all entries are to be forgotten"
            );
        }
        metrics::pending(pages.len());
    }

    /// What is to be retried now; `None` when there is nothing.
    pub(crate) fn batch(&self) -> Option<Batch> {
        let pages = self.pages();
        let number = pages.number;
        if pages.everything.is_some() {
            return Some(Batch::Everything { number });
        }
        let tags: Vec<Tag> = pages.tags.keys().cloned().collect();
        (!tags.is_empty()).then_some(Batch::Tags { tags, number })
    }

    /// The batch was forgotten: what was put in since it was made stays.
    pub(crate) fn done(&self, batch: &Batch) {
        let mut pages = self.pages();
        let (Batch::Tags { number, .. } | Batch::Everything { number }) = *batch;
        pages.tags.retain(|_, put_in| *put_in > number);
        if matches!(batch, Batch::Everything { .. }) {
            pages.everything = pages.everything.filter(|put_in| *put_in > number);
        }
        metrics::pending(pages.len());
    }

    /// How many tags wait; all entries count as one.
    pub(crate) fn len(&self) -> usize {
        self.pages().len()
    }

    /// Takes the one place of those who retry: `None` where it is taken.
    pub(crate) fn retry(&self) -> bool {
        !std::mem::replace(&mut self.pages().retrying, true)
    }

    /// Gives the place back if there is nothing to do, or the task is `gone`.
    pub(crate) fn retried(&self, gone: bool) -> bool {
        let mut pages = self.pages();
        let ended = gone || pages.len() == 0;
        if ended {
            pages.retrying = false;
        }
        ended
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn len(&self) -> usize {
        self.tags.len() + usize::from(self.everything.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(tags: usize) -> Journal {
        Journal::new(JournalLimits {
            tags,
            ..JournalLimits::default()
        })
    }

    #[test]
    fn what_fails_again_during_a_retry_is_not_taken_for_done() {
        let journal = journal(10);
        journal.add(&["a".into(), "b".into()]);
        let batch = journal.batch().unwrap();
        journal.add(&["a".into()]);
        journal.done(&batch);
        assert_eq!(journal.len(), 1);
        assert!(matches!(journal.batch(), Some(Batch::Tags { tags, .. }) if tags == [Tag::new("a")]));
    }

    #[test]
    fn a_full_journal_forgets_everything_rather_than_nothing() {
        let journal = journal(2);
        journal.add(&["a".into(), "b".into()]);
        journal.add(&["c".into()]);
        let batch = journal.batch().unwrap();
        assert!(matches!(batch, Batch::Everything { .. }));
        assert_eq!(journal.len(), 1);
        for number in 0..1000 {
            journal.add(&[Tag::new(number.to_string())]);
            assert!(journal.len() <= 3);
        }
        journal.done(&batch);
        assert!(
            matches!(journal.batch(), Some(Batch::Everything { .. })),
            "it was put in again meanwhile"
        );
        journal.done(&journal.batch().unwrap());
        assert_eq!((journal.batch(), journal.len()), (None, 0));
    }

    #[test]
    fn one_retries_until_there_is_nothing_left() {
        let journal = journal(2);
        assert!(journal.retry() && !journal.retry());
        journal.add(&["a".into()]);
        assert!(!journal.retried(false));
        assert!(journal.retried(true) && journal.retry());
    }
}
