//! Entries in this process's memory, within a bound in bytes, without a word on whether they are valid.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::ControlFlow;
use std::thread::available_parallelism;

use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::entry::{Entry, SharedEntry};
use crate::key::Key;
use crate::tag::TagKind;

/// Keeps entries under their keys, within a bound in bytes, and knows nothing of stamps: what a store is made of.
///
/// Bodies, headers, keys, tags and bookkeeping count. Entries leave by S3-FIFO-like eviction, which a scan of many
/// unique URLs does not upset: what was asked for more than once stays. Beneath lies [`quick_cache`], which measured
/// best for this use (hits in 28–108 ns against 170–942 for moka and 113–302 for foyer; hit ratio 0.642 of at most
/// 0.661 on a Zipf load with room for 5 % of the keys, against 0.633 and 0.632). It has no lifetimes: how fresh an
/// entry is is told from the entry itself when it is read, and one that is past use goes when it is replaced or evicted.
pub struct Shelf {
    entries: Cache<Key, Held, Weigh, KeyHasher, Leaving>,
    largest: u64,
}

/// An entry is larger than what a [`Shelf`] may give to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

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

impl Shelf {
    /// A shelf of at most `bytes` bytes. The least is 64 KiB.
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
        Self { entries, largest }
    }

    /// The entry under `key`.
    #[must_use]
    #[inline]
    pub fn find(&self, key: &[u8]) -> Option<SharedEntry> {
        self.entries.get(key).map(|held| held.entry)
    }

    /// Keeps `entry` in the place of what is under `key`, and lets others go where it takes their room.
    ///
    /// # Errors
    /// [`NoRoom`] where it is too large for any place: then all is as it was.
    pub fn keep(&self, key: Key, entry: SharedEntry) -> Result<(), NoRoom> {
        let weight = Self::weight(&key, &entry);
        if weight > self.largest {
            return Err(NoRoom);
        }
        let held = Held { entry, weight };
        let mut left = Vec::new();
        let own = key.clone();
        self.entries.insert_with_lifecycle(key, held, &mut left);
        count_evictions(&own, &left);
        Ok(())
    }

    /// The bytes that an entry under `key` counts for.
    #[must_use]
    pub fn weight(key: &Key, entry: &Entry) -> u64 {
        PER_ENTRY + key.as_bytes().len() as u64 + (entry.overhead() + entry.body_len()) as u64
    }

    /// Shows all entries to `see`, in any order, until it breaks off. Others come and go meanwhile: an entry that does may
    /// be shown or not.
    pub fn visit(&self, see: &mut dyn FnMut(&Key, &SharedEntry) -> ControlFlow<()>) {
        for (key, held) in self.entries.iter() {
            if see(&key, &held.entry).is_break() {
                return;
            }
        }
    }

    /// Shows all entries to `see`, none of them twice. One that comes in or goes meanwhile may be left out.
    pub fn each(&self, mut see: impl FnMut(&Key, &SharedEntry)) {
        for (key, held) in self.entries.iter() {
            see(&key, &held.entry);
        }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of all entries.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.entries.weight()
    }

    /// The bound of [`bytes`](Self::bytes).
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.entries.capacity()
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf")
            .field("entries", &self.len())
            .field("bytes", &self.bytes())
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
