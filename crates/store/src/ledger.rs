//! The stamps of one process: which tag was forgotten when, so that no fill outlives an invalidation.
//!
//! One counter numbers all invalidations. A fill notes the counter before it begins (its *capture*); its entry is
//! valid as long as none of its tags was forgotten under a later number. There is no clock in it, and a number is
//! never used twice.
//!
//! A tag has a record only while an entry carries it. What must outlive the record is that a tag was forgotten while
//! a fill for it was under way; a table of fixed size keeps the last number for each group of tags, so that
//! forgetting a tag that nobody cached leaves nothing behind. Two tags of one group cost, at worst, a fill that is
//! not kept.
//!
//! Why nothing stale passes, for an invalidation with the number `n`, of a tag of an entry captured at `c`, if the
//! capture came before the invalidation was called, so that `c < n`:
//!
//! - The entry finds the tag's record, or makes one, under the lock under which the invalidation marks group and record.
//!   If the entry comes first, the invalidation marks the record that it holds. If it comes second, the record it finds
//!   is marked, or begins with the mark of the group, which is never lower than that of a record which is gone.
//! - A record leaves the table only under that lock and when the entry that goes is its last holder. New holders are
//!   made under the lock alone, so no entry ever holds a record that an invalidation does not find.
//! - The number is taken before anything is marked. So a look-up that begins when the invalidation is complete sees a
//!   counter of at least `n`, and does not take the short way by which nothing was forgotten since `c`.
//! - An invalidation that has its number and is not complete may be passed by a capture with the same number: that fill
//!   began after the invalidation was called, so it saw what the caller changed before. This is why `n > c` kills and
//!   `n = c` does not.
//! - Marks only rise (`fetch_max`), so two invalidations may mark in either order.
//!
//! All of it is sequentially consistent, which costs a hit nothing: loads are plain ones on the common machines.
//! Entries are dropped wherever their last reader lets go of them, and take one lock of a shard at a time, under which
//! nothing but the table's own code runs. So no order of locks can be wrong, provided that nobody drops an entry under
//! a lock that an entry's drop could wait for: the memory store hands what leaves its cache out of the cache's lock.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard, lock};
use crate::tag::TagId;

const SHARDS: usize = 16;
/// Groups of tags: 512 KiB. With 1,000 invalidations a second and fills of 100 ms, about one fill in 650 that brings
/// a new tag is not kept.
const GROUPS: usize = if cfg!(shuttle) { 4 } else { 1 << 16 };

/// The moment before a fill, by which its entry is judged: the number of the last invalidation before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence(pub(crate) u64);

/// How entries are forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strength {
    /// They are misses from now on, whatever else allows stale answers.
    Hard,
    /// They are stale from now on: served while one background fill replaces them, where the policy allows that.
    Soft,
}

impl Strength {
    /// The word for it in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
        }
    }
}

/// What the stamps say of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Validity {
    /// None of its tags was forgotten since its fill began.
    Valid,
    /// One of its tags was forgotten softly.
    Soft,
    /// One of its tags was forgotten.
    Dead,
}

/// The records of all tags that entries carry.
pub(crate) struct Ledger {
    sequence: AtomicU64,
    everything: Record,
    shards: Box<[Mutex<Records>]>,
    groups: Box<[AtomicU64]>,
}

/// The records of one shard, by the low half of their tags' ids.
type Records = HashSet<ByTag>;

/// A record that is found by its tag: a table of these is half of one that has the tags beside the records.
struct ByTag(Arc<Record>);

impl Borrow<u64> for ByTag {
    fn borrow(&self) -> &u64 {
        &self.0.tag
    }
}

impl PartialEq for ByTag {
    fn eq(&self, other: &Self) -> bool {
        self.0.tag == other.0.tag
    }
}

impl Eq for ByTag {}

impl Hash for ByTag {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.tag.hash(state);
    }
}

/// The numbers under which one tag was last forgotten.
#[derive(Debug, Default)]
struct Record {
    tag: u64,
    hard: AtomicU64,
    soft: AtomicU64,
}

impl Record {
    fn forget(&self, number: u64, strength: Strength) {
        let field = match strength {
            Strength::Hard => &self.hard,
            Strength::Soft => &self.soft,
        };
        field.fetch_max(number, Ordering::SeqCst);
    }

    fn validity(&self, captured: Sequence) -> Validity {
        if self.hard.load(Ordering::SeqCst) > captured.0 {
            Validity::Dead
        } else if self.soft.load(Ordering::SeqCst) > captured.0 {
            Validity::Soft
        } else {
            Validity::Valid
        }
    }
}

impl Ledger {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            sequence: AtomicU64::new(0),
            everything: Record::default(),
            shards: (0..SHARDS).map(|_| Mutex::new(HashSet::new())).collect(),
            groups: (0..GROUPS).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    /// The capture of a fill that begins now.
    pub(crate) fn capture(&self) -> Sequence {
        Sequence(self.sequence.load(Ordering::SeqCst))
    }

    /// A number that is the same for two fills only if no invalidation of `tags` lies between them.
    pub(crate) fn fingerprint(&self, tags: &[TagId]) -> u64 {
        let everything = self
            .everything
            .hard
            .load(Ordering::SeqCst)
            .max(self.everything.soft.load(Ordering::SeqCst));
        tags.iter().fold(everything, |sum, tag| {
            sum.rotate_left(7).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.group(*tag).load(Ordering::SeqCst)
        })
    }

    /// Forgets `tags`; answers how many of them had a record, that is, were carried by an entry.
    pub(crate) fn forget(&self, tags: &[TagId], strength: Strength) -> usize {
        let number = self.next();
        let mut known = 0;
        for tag in tags {
            let shard = self.shard(tag.low());
            // Under the lock of the shard, so that an entry that attaches itself meanwhile sees one or the other.
            if cfg!(not(larder_mutant = "ledger_forgets_uncached_tags")) || shard.contains(&tag.low()) {
                self.group(*tag).fetch_max(number, Ordering::SeqCst);
            }
            if let Some(ByTag(record)) = shard.get(&tag.low()) {
                record.forget(number, strength);
                known += 1;
            }
        }
        known
    }

    /// Forgets all entries.
    pub(crate) fn forget_everything(&self, strength: Strength) {
        self.everything.forget(self.next(), strength);
    }

    /// Ties an entry, filled since `captured`, to the records of its tags; `None` when one of them was forgotten in
    /// between, so that the entry must not be kept.
    pub(crate) fn attach(self: &Arc<Self>, tags: &[TagId], captured: Sequence) -> Option<Stamps> {
        let mut stamps = Stamps {
            ledger: Arc::clone(self),
            captured,
            records: Vec::new().into(),
        };
        // Each on its own: an invalidation between two of them reaches the record that is attached already, and shows
        // in the validity below.
        stamps.records = tags.iter().map(|tag| self.record(*tag)).collect();
        (stamps.validity() == Validity::Valid).then_some(stamps)
    }

    /// The record of `tag`, made if no entry carries it.
    fn record(&self, tag: TagId) -> Arc<Record> {
        let mut shard = self.shard(tag.low());
        if let Some(ByTag(record)) = shard.get(&tag.low()) {
            return Arc::clone(record);
        }
        // It begins with what its group knows, for the sake of fills that are older than it.
        let last = self.group(tag).load(Ordering::SeqCst);
        let mutant = cfg!(larder_mutant = "ledger_record_begins_at_zero");
        let record = Arc::new(Record {
            tag: tag.low(),
            hard: AtomicU64::new(if mutant { 0 } else { last }),
            soft: AtomicU64::new(0),
        });
        shard.insert(ByTag(Arc::clone(&record)));
        record
    }

    /// How many tags have a record.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    fn next(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn shard(&self, tag: u64) -> MutexGuard<'_, Records> {
        #[allow(clippy::cast_possible_truncation, reason = "any of its bits choose a shard")]
        lock(&self.shards[(tag >> 48) as usize % SHARDS])
    }

    fn group(&self, tag: TagId) -> &AtomicU64 {
        #[allow(clippy::cast_possible_truncation, reason = "any of its bits choose a group")]
        &self.groups[tag.low() as usize % GROUPS]
    }
}

/// What ties an entry to the records of its tags, for as long as the entry lives.
pub(crate) struct Stamps {
    ledger: Arc<Ledger>,
    captured: Sequence,
    records: Box<[Arc<Record>]>,
}

impl Stamps {
    pub(crate) const fn captured(&self) -> Sequence {
        self.captured
    }

    /// What the stamps say now.
    #[inline]
    pub(crate) fn validity(&self) -> Validity {
        // Nothing at all was forgotten since: the common case of a quiet moment is one load.
        if self.ledger.sequence.load(Ordering::SeqCst) == self.captured.0 {
            return Validity::Valid;
        }
        let mut worst = self.ledger.everything.validity(self.captured);
        for record in &self.records {
            match record.validity(self.captured) {
                Validity::Valid => {}
                Validity::Soft if worst == Validity::Valid => worst = Validity::Soft,
                Validity::Soft => {}
                Validity::Dead => return Validity::Dead,
            }
        }
        worst
    }
}

impl Drop for Stamps {
    /// The last entry that carried a tag takes its record along.
    fn drop(&mut self) {
        // Two references: this one and the table's. Others are made, and given up, only under the lock of the shard.
        let is_last = |record: &Arc<Record>| Arc::strong_count(record) == 2;
        for record in std::mem::take(&mut self.records) {
            #[cfg(larder_mutant = "ledger_counts_before_the_lock")]
            let last = is_last(&record);
            let mut shard = self.ledger.shard(record.tag);
            #[cfg(not(larder_mutant = "ledger_counts_before_the_lock"))]
            let last = is_last(&record);
            if last {
                shard.remove(&record.tag);
            }
            // Before the lock is released, or two last entries would each count the other's reference.
            drop(record);
        }
    }
}

impl fmt::Debug for Stamps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stamps({:?}, {} tags)", self.validity(), self.records.len())
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::tag::Tag;

    fn ids(tags: &[&str]) -> Vec<TagId> {
        tags.iter().map(|tag| Tag::new(*tag).id()).collect()
    }

    #[test]
    fn a_fill_that_began_before_an_invalidation_is_born_dead() {
        let ledger = Ledger::new();
        let captured = ledger.capture();
        ledger.forget(&ids(&["a"]), Strength::Hard);
        assert!(ledger.attach(&ids(&["a"]), captured).is_none());
        assert!(
            ledger.attach(&ids(&["b"]), captured).is_some(),
            "another tag was not forgotten"
        );
        assert!(ledger.attach(&ids(&["a"]), ledger.capture()).is_some());
    }

    #[test]
    fn a_fill_that_began_before_an_invalidation_of_everything_is_born_dead() {
        let ledger = Ledger::new();
        let captured = ledger.capture();
        ledger.forget_everything(Strength::Hard);
        assert!(ledger.attach(&ids(&["a"]), captured).is_none());
    }

    #[test]
    fn forgetting_reaches_all_entries_with_the_tag_and_no_others() {
        let ledger = Ledger::new();
        let captured = ledger.capture();
        let a = ledger.attach(&ids(&["a", "common"]), captured).unwrap();
        let b = ledger.attach(&ids(&["b", "common"]), captured).unwrap();
        assert_eq!(ledger.forget(&ids(&["a"]), Strength::Hard), 1);
        assert_eq!((a.validity(), b.validity()), (Validity::Dead, Validity::Valid));
        ledger.forget(&ids(&["common"]), Strength::Soft);
        assert_eq!(
            (a.validity(), b.validity()),
            (Validity::Dead, Validity::Soft),
            "soft never softens hard"
        );
        ledger.forget_everything(Strength::Hard);
        assert_eq!(b.validity(), Validity::Dead);
    }

    #[test]
    fn a_dead_entry_stays_dead_when_its_tag_is_cached_anew() {
        let ledger = Ledger::new();
        let old = ledger.attach(&ids(&["a"]), ledger.capture()).unwrap();
        ledger.forget(&ids(&["a"]), Strength::Hard);
        let new = ledger.attach(&ids(&["a"]), ledger.capture()).unwrap();
        assert_eq!(
            (old.validity(), new.validity()),
            (Validity::Dead, Validity::Valid)
        );
    }

    #[test]
    fn a_record_made_anew_remembers_for_older_fills() {
        let ledger = Ledger::new();
        let old = ledger.capture();
        ledger.forget(&ids(&["a"]), Strength::Hard);
        let newer = ledger.attach(&ids(&["a"]), ledger.capture()).unwrap();
        assert!(
            ledger.attach(&ids(&["a"]), old).is_none(),
            "the old fill finds a record, and it must not fit"
        );
        assert_eq!(newer.validity(), Validity::Valid);
    }

    #[test]
    fn a_tag_that_no_entry_carries_has_no_record() {
        let ledger = Ledger::new();
        let many: Vec<TagId> = (0..10_000).map(|n| Tag::new(format!("tag {n}")).id()).collect();
        assert_eq!(ledger.forget(&many, Strength::Hard), 0);
        assert_eq!(ledger.len(), 0);
        let one = ledger.attach(&ids(&["a", "b"]), ledger.capture()).unwrap();
        let two = ledger.attach(&ids(&["b"]), ledger.capture()).unwrap();
        assert_eq!(ledger.len(), 2);
        drop(one);
        assert_eq!(ledger.len(), 1);
        drop(two);
        assert_eq!(ledger.len(), 0);
        let captured = ledger.capture();
        ledger.forget(&ids(&["c"]), Strength::Hard);
        assert!(ledger.attach(&ids(&["d", "c"]), captured).is_none());
        assert_eq!(ledger.len(), 0, "what a refused entry attached is given back");
    }

    #[test]
    fn a_fingerprint_changes_with_its_own_tags() {
        let ledger = Ledger::new();
        let before = ledger.fingerprint(&ids(&["a", "b"]));
        ledger.forget(&ids(&["unrelated"]), Strength::Hard);
        assert_eq!(ledger.fingerprint(&ids(&["a", "b"])), before);
        ledger.forget(&ids(&["b"]), Strength::Hard);
        assert_ne!(ledger.fingerprint(&ids(&["a", "b"])), before);
    }
}
