//! The store in this process's memory: bounded in bytes, and nothing passes through it that was forgotten.
//!
//! What an entry is worth is told by its stamps when it is read, never by its being in the cache; so it does not matter
//! in which order two fills of one key arrive, or whether an invalidation comes between the stamping and the insertion:
//! a dead entry that takes the place of a live one costs a miss. An entry gets its stamps before anyone else can see it,
//! and they never change.

use std::collections::HashSet;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::contract::{Answer, Capture, Forgotten, Kept, Lookup, Put, Size, Store, Survey, Wanted};
use crate::entry::{Entry, SharedEntry};
use crate::error::StoreError;
use crate::key::Key;
use crate::ledger::{Ledger, Sequence, Strength, Validity};
use crate::shelf::Shelf;
use crate::tag::{Tag, TagId};

/// Keeps entries in this process's memory, within a bound in bytes: on a [`Shelf`], which says how they leave.
///
/// ```
/// use larder_store::{MemoryStore, Store};
///
/// let store = MemoryStore::with_capacity(64 << 20);
/// assert_eq!(store.size().entries, 0);
/// assert!(store.size().capacity >= 64 << 20);
/// ```
pub struct MemoryStore {
    shelf: Shelf,
    ledger: Arc<Ledger>,
}

impl MemoryStore {
    /// A store of at most `bytes` bytes. The least is 64 KiB.
    ///
    /// One entry, its bookkeeping included, may take at most half of a shard: half of a capacity below 16 MiB, and at
    /// least 4 MiB above.
    #[must_use]
    pub fn with_capacity(bytes: u64) -> Self {
        Self {
            shelf: Shelf::with_capacity(bytes),
            ledger: Ledger::new(),
        }
    }

    fn put_now(&self, key: Key, mut entry: Entry, capture: &Capture) -> Put {
        let ids: Vec<TagId> = entry.tags.iter().map(Tag::id).collect();
        // A capture of another store tells nothing here.
        let stamps = capture
            .sequence()
            .and_then(|sequence| self.ledger.attach(&ids, sequence));
        let alive = stamps.is_some();
        entry.seal(stamps);
        let entry = Arc::new(entry);
        let kept = if !alive {
            Kept::RejectedStamp
        } else if self.shelf.keep(key, Arc::clone(&entry)).is_err() {
            Kept::RejectedSize
        } else {
            Kept::Stored
        };
        Put { entry, kept }
    }
}

impl Store for MemoryStore {
    fn name(&self) -> &'static str {
        "memory"
    }

    #[inline]
    fn lookup(&self, key: &[u8]) -> Answer<Result<Lookup, StoreError>> {
        Answer::Ready(Ok(match self.shelf.find(key) {
            None => Lookup::Absent,
            Some(entry) => match entry.validity() {
                Validity::Valid => Lookup::Found(entry),
                Validity::Soft => Lookup::Stale(entry),
                Validity::Dead => Lookup::Forgotten,
            },
        }))
    }

    fn capture(&self, tags: &[Tag]) -> Answer<Result<Capture, StoreError>> {
        let ids: Vec<TagId> = tags.iter().map(Tag::id).collect();
        // The fingerprint first: an invalidation between the two lines parts this fill from later ones, and never
        // joins a later request to a fill that the invalidation kills.
        let fingerprint = self.ledger.fingerprint(&ids);
        let sequence = self.ledger.capture();
        Answer::Ready(Ok(Capture::of_ledger(fingerprint, sequence)))
    }

    fn pulse(&self) -> Option<u64> {
        Some(self.ledger.capture().0)
    }

    fn put(&self, key: Key, entry: Entry, capture: Capture) -> Answer<Put> {
        Answer::Ready(self.put_now(key, entry, &capture))
    }

    fn validity(&self, entry: &SharedEntry) -> Answer<Result<Validity, StoreError>> {
        Answer::Ready(Ok(entry.validity()))
    }

    fn forget(&self, tags: &[Tag], strength: Strength) -> Answer<Result<Forgotten, StoreError>> {
        let ids: Vec<TagId> = tags.iter().map(Tag::id).collect();
        Answer::Ready(Ok(Forgotten {
            known: self.ledger.forget(&ids, strength),
        }))
    }

    fn forget_everything(&self, strength: Strength) -> Answer<Result<Forgotten, StoreError>> {
        let known = self.ledger.len();
        self.ledger.forget_everything(strength);
        Answer::Ready(Ok(Forgotten { known }))
    }

    /// All at once: it takes some tens of milliseconds for a million entries.
    fn survey(&self, wanted: &Wanted, _: u64, _: usize) -> Answer<Result<Survey, StoreError>> {
        let (mut tags, mut survey) = (HashSet::new(), Survey::default());
        self.shelf.each(|_, entry| {
            survey.seen += 1;
            let others = entry.tags.iter().filter(|tag| wanted(tag));
            tags.extend(others.cloned());
        });
        survey.tags = tags.into_iter().collect();
        Answer::Ready(Ok(survey))
    }

    fn stamp(&self, entry: &Entry) -> Option<String> {
        entry.captured().map(|Sequence(number)| number.to_string())
    }

    fn size(&self) -> Size {
        Size {
            entries: self.shelf.len(),
            bytes: self.shelf.bytes(),
            capacity: self.shelf.capacity(),
            tags: self.ledger.len(),
        }
    }

    fn visit(&self, see: &mut dyn FnMut(&Key, &SharedEntry) -> ControlFlow<()>) -> bool {
        self.shelf.visit(see);
        true
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}
