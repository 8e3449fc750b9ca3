//! What this process knows of changes on the server without asking: for each group of records, how often it was told of
//! one; and up to when that is the whole truth.
//!
//! An entry is *proved* while its groups are as they were when its stamps were last read, and while the feed is alive:
//!
//! - The numbers of the groups are noted **before** the stamps are asked for. A change that the answer does not show is told
//!   of after the answer was made, and makes the number another than the one noted, whichever comes first.
//! - A group is a fixed share of all records, and every change counts, of a record that is known here or not. There is nothing
//!   to be dropped, and so nothing that could be told of in vain.
//! - The feed is alive while this process hears its own voice: it writes a key that it listens to, and what it hears proves
//!   that all was told that was changed before that was *sent*. This process's own monotonic clock counts, and no other.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use xxhash_rust::xxh3::xxh3_64;

/// What was told so far.
#[derive(Debug)]
pub(crate) struct Board {
    groups: Box<[AtomicU64]>,
    /// Up to when all was told, in nanoseconds since `began`; 0 where nothing is known.
    proved: AtomicU64,
    began: Instant,
    /// The beat that was sent last and not heard yet, and by which connection.
    beat: Mutex<Option<(u64, u64)>>,
    up: AtomicBool,
    /// A hash of who the server is that is listened to.
    run: AtomicU64,
}

/// The groups of an entry's records, and their numbers when its stamps were last read.
#[derive(Debug)]
pub(crate) struct Proof(Box<[(usize, AtomicU64)]>);

/// The numbers of some groups at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Noted(Box<[(usize, u64)]>);

/// Groups: 32 KiB. With 100 changes a second and 8 records for each entry, an entry is asked about once in 5 s.
const GROUPS: usize = 1 << 12;

impl Board {
    pub(crate) fn new() -> Self {
        Self {
            groups: (0..GROUPS).map(|_| AtomicU64::new(0)).collect(),
            proved: AtomicU64::new(0),
            began: Instant::now(),
            beat: Mutex::default(),
            up: AtomicBool::new(false),
            run: AtomicU64::new(0),
        }
    }

    fn group(key: &[u8]) -> usize {
        #[allow(clippy::cast_possible_truncation, reason = "any of its bits choose a group")]
        {
            xxh3_64(key) as usize % GROUPS
        }
    }

    /// A proof of nothing, for a record under each of `keys`.
    pub(crate) fn no_proof<K: AsRef<[u8]>>(keys: impl IntoIterator<Item = K>) -> Proof {
        let groups = keys.into_iter().map(|key| Self::group(key.as_ref()));
        Proof(groups.map(|group| (group, AtomicU64::new(u64::MAX))).collect())
    }

    /// The numbers of a proof's groups now.
    pub(crate) fn note_again(&self, proof: &Proof) -> Noted {
        Noted(
            proof
                .0
                .iter()
                .map(|(group, _)| (*group, self.number(*group)))
                .collect(),
        )
    }

    /// The numbers of the groups of `keys` now: before the stamps are asked for.
    pub(crate) fn note<K: AsRef<[u8]>>(&self, keys: impl IntoIterator<Item = K>) -> Noted {
        let groups = keys.into_iter().map(|key| Self::group(key.as_ref()));
        Noted(groups.map(|group| (group, self.number(group))).collect())
    }

    fn number(&self, group: usize) -> u64 {
        self.groups[group].load(Ordering::SeqCst)
    }

    /// The record under `key` was changed, deleted, evicted, or has expired.
    pub(crate) fn changed(&self, key: &[u8]) {
        self.groups[Self::group(key)].fetch_add(1, Ordering::SeqCst);
    }

    /// Anything may have changed.
    pub(crate) fn all_changed(&self) {
        for group in &self.groups {
            group.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// From now on nothing is told: nothing is proved, and nothing that was is again. Answers whether anything could be.
    pub(crate) fn lapse(&self) -> bool {
        let mut awaited = self.awaited();
        *awaited = None;
        self.proved.store(0, Ordering::SeqCst);
        let was_up = self.up.swap(false, Ordering::SeqCst);
        drop(awaited);
        self.all_changed();
        was_up
    }

    fn nanos(&self, at: Instant) -> u64 {
        // Never 0, which is nothing.
        u64::try_from(at.saturating_duration_since(self.began).as_nanos())
            .unwrap_or(u64::MAX)
            .max(1)
    }

    /// The server with this hash is listened to.
    pub(crate) fn listens_to(&self, run: u64) {
        self.run.store(run, Ordering::SeqCst);
    }

    /// Whether it is the server with this hash that is listened to.
    pub(crate) fn is_listening_to(&self, run: u64) -> bool {
        self.run.load(Ordering::SeqCst) == run
    }

    /// A beat is sent at `now` over the connection with this number. One at a time: its echo must not be taken for that of
    /// another.
    pub(crate) fn beats(&self, connection: u64, now: Instant) {
        *self.awaited() = Some((connection, self.nanos(now)));
    }

    /// The beat was heard on the connection with this number.
    pub(crate) fn hears_itself(&self, connection: u64) {
        // Under the lock, so that a lapse comes before all of it or after.
        let mut awaited = self.awaited();
        if let Some((_, beat)) = awaited.take_if(|(sender, _)| *sender == connection) {
            self.proved.store(beat, Ordering::SeqCst);
            self.up.store(true, Ordering::SeqCst);
        }
    }

    /// Whether a beat was sent and is not heard yet.
    pub(crate) fn is_awaiting(&self) -> bool {
        self.awaited().is_some()
    }

    fn awaited(&self) -> MutexGuard<'_, Option<(u64, u64)>> {
        self.beat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether all changes that were made known more than `bound` before `now` have been told, and none was of the entry
    /// with this proof.
    pub(crate) fn proves(&self, proof: &Proof, now: Instant, bound: Duration) -> bool {
        // First up to when the truth is known, and then what it is: what is told in between is seen.
        let proved = self.proved.load(Ordering::SeqCst);
        let bound = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        let alive = proved > 0 && self.nanos(now) <= proved.saturating_add(bound)
            || cfg!(larder_mutant = "redis_feed_without_heartbeat") && self.up.load(Ordering::SeqCst);
        alive
            && proof
                .0
                .iter()
                .all(|(group, number)| self.number(*group) == number.load(Ordering::SeqCst))
    }
}

impl Proof {
    /// The stamps were read, and allowed the entry, after its groups had been noted. Two that do so at once may each leave
    /// some numbers: each of them is a proof of its own group.
    pub(crate) fn renew(&self, noted: &Noted) {
        for (group, number) in &self.0 {
            if let Some((_, noted)) = noted.0.iter().find(|(other, _)| other == group) {
                number.store(*noted, Ordering::SeqCst);
            }
        }
    }
}
