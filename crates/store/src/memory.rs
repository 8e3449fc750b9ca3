//! The store in this process's memory: bounded in bytes, and nothing passes through it that was forgotten.
//!
//! What an entry is worth is told by its stamps when it is read, never by its being in the cache; so it does not matter
//! in which order two fills of one key arrive, or whether an invalidation comes between the stamping and the insertion:
//! a dead entry that takes the place of a live one costs a miss. An entry gets its stamps before anyone else can see it,
//! and they never change.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::thread::available_parallelism;

use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::contract::{Answer, Capture, Forgotten, Kept, Lookup, Put, Size, Store};
use crate::entry::{Entry, SharedEntry};
use crate::error::StoreError;
use crate::key::Key;
use crate::ledger::{Ledger, Strength, Validity};
use crate::tag::{Tag, TagId, TagKind};

/// Keeps entries in this process's memory, within a bound in bytes.
///
/// Bodies, headers, keys, tags and bookkeeping count. Entries leave by S3-FIFO-like eviction, which a scan of many
/// unique URLs does not upset: what was asked for more than once stays. Beneath lies [`quick_cache`], which measured
/// best for this use (hits in 28–108 ns against 170–942 for moka and 113–302 for foyer; hit ratio 0.642 of at most
/// 0.661 on a Zipf load with room for 5 % of the keys, against 0.633 and 0.632). It has no lifetimes: how fresh an
/// entry is is told from the entry itself when it is read, and one that is past use goes when it is replaced or evicted.
///
/// ```
/// use larder_store::{MemoryStore, Store};
///
/// let store = MemoryStore::with_capacity(64 << 20);
/// assert_eq!(store.size().entries, 0);
/// assert!(store.size().capacity >= 64 << 20);
/// ```
pub struct MemoryStore {
    entries: Cache<Key, Held, Weigh, KeyHasher, Leaving>,
    ledger: Arc<Ledger>,
    largest: u64,
}

/// An entry and its weight, which is counted once.
#[derive(Clone)]
struct Held {
    entry: SharedEntry,
    weight: u64,
}

/// The memory that each shard has, at least, so that one entry may take up to half of it.
const SHARD_BYTES: u64 = 8 << 20;
/// The bookkeeping of the cache itself for one entry: its place in the table and in the list, a ghost's, and the piece of
/// memory that the key is.
const PER_ENTRY: u64 = 192;

impl MemoryStore {
    /// A store of at most `bytes` bytes. The least is 64 KiB.
    ///
    /// One entry, its bookkeeping included, may take at most half of a shard: half of a capacity below 16 MiB, and at
    /// least 4 MiB above.
    #[must_use]
    pub fn with_capacity(bytes: u64) -> Self {
        let bytes = bytes.max(64 << 10);
        let most = available_parallelism().map_or(4, usize::from) * 4;
        let shards = usize::try_from(bytes / SHARD_BYTES)
            .unwrap_or(most)
            .clamp(1, most);
        // Rounded down to a power of two, so that a shard never falls below its size.
        let shards = if shards.is_power_of_two() {
            shards
        } else {
            shards.next_power_of_two() / 2
        };
        let items = usize::try_from(bytes / 1024)
            .unwrap_or(usize::MAX)
            .max(shards * 32);
        let mut options = OptionsBuilder::new();
        options
            .shards(shards)
            .estimated_items_capacity(items)
            .weight_capacity(bytes);
        // `build` refuses only options without the two capacities, which are set above.
        #[allow(clippy::expect_used, reason = "proved by the line above")]
        let options = options.build().expect("both capacities are set");
        let entries = Cache::with_options(options, Weigh, KeyHasher::new(), Leaving);
        let largest = entries.shard_capacity() / 2;
        Self {
            entries,
            ledger: Ledger::new(),
            largest,
        }
    }

    fn put_now(&self, key: Key, mut entry: Entry, capture: Capture) -> Put {
        let ids: Vec<TagId> = entry.tags.iter().map(Tag::id).collect();
        entry.stamps = self.ledger.attach(&ids, capture.sequence);
        let alive = entry.stamps.is_some();
        let weight = PER_ENTRY + key.as_bytes().len() as u64 + (entry.overhead() + entry.body_len()) as u64;
        let entry = Arc::new(entry);
        if !alive {
            return Put {
                entry,
                kept: Kept::RejectedStamp,
            };
        }
        if weight > self.largest {
            return Put {
                entry,
                kept: Kept::RejectedSize,
            };
        }
        let held = Held {
            entry: Arc::clone(&entry),
            weight,
        };
        let mut left = Vec::new();
        let own = key.clone();
        self.entries.insert_with_lifecycle(key, held, &mut left);
        count_evictions(&own, &left);
        Put {
            entry,
            kept: Kept::Stored,
        }
    }
}

impl Store for MemoryStore {
    fn name(&self) -> &'static str {
        "memory"
    }

    #[inline]
    fn lookup(&self, key: &[u8]) -> Answer<Result<Lookup, StoreError>> {
        Answer::Ready(Ok(match self.entries.get(key) {
            None => Lookup::Absent,
            Some(Held { entry, .. }) => match entry.validity() {
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
        Answer::Ready(Ok(Capture {
            sequence,
            fingerprint,
        }))
    }

    fn put(&self, key: Key, entry: Entry, capture: Capture) -> Answer<Put> {
        Answer::Ready(self.put_now(key, entry, capture))
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

    fn size(&self) -> Size {
        Size {
            entries: self.entries.len(),
            bytes: self.entries.weight(),
            capacity: self.entries.capacity(),
            tags: self.ledger.len(),
        }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Weigh;

impl Weighter<Key, Held> for Weigh {
    fn weight(&self, _: &Key, kept: &Held) -> u64 {
        kept.weight
    }
}

/// Hands over what leaves, so that it is counted and dropped when the cache's lock is free again: both run code that
/// is not the cache's own, and dropping takes locks of the ledger.
#[derive(Clone)]
struct Leaving;

impl Lifecycle<Key, Held> for Leaving {
    type RequestState = Vec<(Key, Held)>;

    fn on_evict(&self, left: &mut Self::RequestState, key: Key, held: Held) {
        left.push((key, held));
    }
}

/// Counts what left for want of room when `put` was kept. What it replaced left as well, and is not counted.
fn count_evictions(put: &Key, left: &[(Key, Held)]) {
    for (_, held) in left.iter().filter(|(key, _)| key != put) {
        let layer = held.entry.tags.iter().find(|tag| tag.kind() == TagKind::Layer);
        let layer = layer.map_or_else(|| "-".to_owned(), |tag| tag.as_str().to_owned());
        metrics::counter!("larder_cache_evictions_total", "cache" => layer, "cause" => "size").increment(1);
    }
}

/// XXH3 with a seed of this store's own, so that nobody outside can choose keys that collide.
#[derive(Clone)]
struct KeyHasher {
    seed: u64,
}

impl KeyHasher {
    fn new() -> Self {
        Self {
            seed: RandomState::new().hash_one(0),
        }
    }
}

impl BuildHasher for KeyHasher {
    type Hasher = OneShot;

    #[inline]
    fn build_hasher(&self) -> OneShot {
        OneShot(self.seed)
    }
}

/// Hashes the one slice of bytes that a [`Key`] is.
struct OneShot(u64);

impl Hasher for OneShot {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0 = if cfg!(larder_mutant = "memory_all_keys_collide") {
            7
        } else {
            xxh3_64_with_seed(bytes, self.0)
        };
    }

    /// The length of the slice, which is in the hash of its bytes already.
    #[inline]
    fn write_usize(&mut self, _: usize) {}

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}
