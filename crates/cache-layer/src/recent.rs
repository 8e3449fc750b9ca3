//! What happened last, for people who look: invalidations and runs of handlers, each in a ring of fixed length. Nothing is
//! written down until somebody wants to see it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use larder_store::{Strength, Tag, TagId, TagKind, Timestamp};

use crate::status::{MissReason, UncacheableReason};

/// How many of each are remembered.
const LENGTH: usize = 256;
/// How many tags of one invalidation are remembered, and how many bytes of one text.
const TAGS: usize = 16;
const TEXT: usize = 256;

/// An invalidation that this process carried out.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PastInvalidation {
    /// When it was complete, or had failed.
    pub at: Timestamp,
    /// `tag`, `key`, `prefix` or `all`: the label of its metrics.
    pub kind: &'static str,
    /// What led to it: the label of its metrics.
    pub source: &'static str,
    /// The actions that it was, if it was any.
    pub action: Option<Arc<str>>,
    /// What it named: at most 16 tags.
    pub tags: Vec<PastTag>,
    /// How many tags more it named.
    pub more_tags: usize,
    /// Whether what it reached is not served again, or stale.
    pub strength: Strength,
    /// How many of the tags were carried by an entry; `None` where the store failed.
    pub known: Option<usize>,
    /// How long it took.
    pub took: Duration,
}

/// A tag that an invalidation named.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PastTag {
    /// What it names.
    pub kind: TagKind,
    /// At most 256 bytes of its text.
    pub text: Box<str>,
    id: TagId,
}

impl PastInvalidation {
    /// Whether it reached entries that carry one of `tags`, as far as its own tags are known.
    #[must_use]
    pub fn reaches(&self, tags: &[Tag]) -> Option<&PastTag> {
        self.tags
            .iter()
            .find(|past| tags.iter().any(|tag| tag.id() == past.id))
    }
}

/// A run of a handler that came to its end.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PastFill {
    /// When it ended.
    pub at: Timestamp,
    /// The layer.
    pub cache: Arc<str>,
    /// At most 256 bytes of the path and query that the client asked for.
    pub target: Box<str>,
    /// `foreground` where a request waited for it, else `background`.
    pub mode: &'static str,
    /// Why the cache could not answer.
    pub reason: MissReason,
    /// `ok`, `error_status` where it answered 5xx, or `error` where it gave no answer.
    pub result: &'static str,
    /// How long it took.
    pub took: Duration,
    /// Why what it answered was not kept, if that is so and was known at the end of its head.
    pub not_kept: Option<UncacheableReason>,
}

/// The rings.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    on: AtomicBool,
    invalidations: Mutex<VecDeque<PastInvalidation>>,
    fills: Mutex<VecDeque<PastFill>>,
}

impl Recent {
    /// From now on it is written down what happens.
    pub(crate) fn begin(&self) {
        self.on.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    pub(crate) fn invalidated(&self, past: PastInvalidation) {
        push(&self.invalidations, past);
    }

    pub(crate) fn filled(&self, past: PastFill) {
        push(&self.fills, past);
    }

    /// The latest first.
    pub(crate) fn invalidations(&self) -> Vec<PastInvalidation> {
        latest(&self.invalidations)
    }

    pub(crate) fn fills(&self) -> Vec<PastFill> {
        latest(&self.fills)
    }
}

fn push<T>(ring: &Mutex<VecDeque<T>>, past: T) {
    let mut ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
    let gone = if ring.len() >= LENGTH {
        ring.pop_front()
    } else {
        None
    };
    ring.push_back(past);
    drop(ring);
    drop(gone);
}

fn latest<T: Clone>(ring: &Mutex<VecDeque<T>>) -> Vec<T> {
    let ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
    ring.iter().rev().cloned().collect()
}

/// The first of `tags`, and how many there are more.
pub(crate) fn tags(tags: &[Tag]) -> (Vec<PastTag>, usize) {
    let first = tags.iter().take(TAGS).map(|tag| PastTag {
        kind: tag.kind(),
        text: short(tag.as_str()),
        id: tag.id(),
    });
    (first.collect(), tags.len().saturating_sub(TAGS))
}

/// The beginning of `text`, by whole characters.
pub(crate) fn short(text: &str) -> Box<str> {
    let mut end = text.len().min(TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rings_and_what_they_hold_have_bounds() {
        let recent = Recent::default();
        let long = "ü".repeat(10_000);
        let many: Vec<Tag> = (0..100).map(|n| Tag::new(format!("{long}{n}"))).collect();
        for n in 0..LENGTH as u64 + 10 {
            let (tags, more_tags) = tags(&many);
            recent.invalidated(PastInvalidation {
                at: Timestamp::from_millis(n),
                kind: "tag",
                source: "api",
                action: None,
                tags,
                more_tags,
                strength: Strength::Hard,
                known: Some(1),
                took: Duration::ZERO,
            });
        }
        let all = recent.invalidations();
        assert_eq!(all.len(), LENGTH);
        assert_eq!(
            all[0].at,
            Timestamp::from_millis(LENGTH as u64 + 9),
            "the latest is first"
        );
        assert_eq!((all[0].tags.len(), all[0].more_tags), (TAGS, 100 - TAGS));
        assert!(all[0].tags.iter().all(|tag| tag.text.len() <= TEXT));
        assert!(all[0].reaches(&many[3..4]).is_some(), "found by its whole text");
        assert!(all[0].reaches(&[Tag::new(long)]).is_none());
    }
}
