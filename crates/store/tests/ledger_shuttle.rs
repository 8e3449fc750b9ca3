//! The stamps under shuttle: `RUSTFLAGS="--cfg shuttle" cargo test -p larder-store --test ledger_shuttle`
#![cfg(shuttle)]
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]
// The real stamps, through the memory store's public face. The cache beneath it takes locks that shuttle does not know,
// which does no harm as long as nothing that shuttle schedules is called under them: the store drops and counts entries
// when those locks are free again. A run that breaks this hangs.
//
// With `--cfg larder_mutant="..."` beside it, the test that has to find that mutant expects to fail: a run is green
// exactly when the mutant is found. The mutants are `ledger_forgets_uncached_tags`, `ledger_record_begins_at_zero` and
// `ledger_counts_before_the_lock`.

use larder_store::{
    Answer, Capture, Content, Entry, Kept, Key, Lifetime, Lookup, MemoryStore, SharedEntry, Size, Store,
    StoredResponse, Strength, Tag, Timestamp,
};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::Arc;
use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::thread::{self, JoinHandle};
use shuttle::{Config, Runner};

/// How many schedules each scheduler tries of each scenario.
const ITERATIONS: usize = 2_000;

/// How many preemptions, less one, a bug may need for the second scheduler to aim at it.
const PCT_DEPTH: usize = 3;

const SEED: u64 = 0x1a2d_e25e_ed00_0002;

/// Two keys that share a tag, filled and looked up while the tags are forgotten: nothing is found that is older than
/// the last completed invalidation when the look-up began.
#[test]
#[cfg_attr(
    larder_mutant = "ledger_forgets_uncached_tags",
    should_panic(expected = "stale")
)]
#[cfg_attr(
    larder_mutant = "ledger_record_begins_at_zero",
    should_panic(expected = "stale")
)]
#[cfg_attr(larder_mutant = "ledger_counts_before_the_lock", should_panic)]
fn nothing_stale_is_found() {
    check(|| {
        let world = Arc::new(World::new());
        let mut threads: Vec<_> = (0..2)
            .map(|key| world.run(move |world| world.fill_and_check(key)))
            .collect();
        // A second fill of one key, so that an old fill meets the record that a newer one made.
        threads.push(world.run(|world| world.fill_and_check(0)));
        for tag in 0..2 {
            threads.push(world.run(move |world| world.change(tag)));
        }
        join_all(threads);
        world.leave();
    });
}

/// The last entry with a tag goes while another with the tag comes: the one that comes is forgotten with its tag, and
/// no record outlives its entries.
#[test]
#[cfg_attr(
    larder_mutant = "ledger_forgets_uncached_tags",
    should_panic(expected = "stale")
)]
#[cfg_attr(
    larder_mutant = "ledger_record_begins_at_zero",
    should_panic(expected = "stale")
)]
#[cfg_attr(larder_mutant = "ledger_counts_before_the_lock", should_panic)]
fn a_record_goes_with_its_last_entry_only() {
    check(|| {
        let world = Arc::new(World::new());
        let last = world.entry(2);
        let threads = vec![
            world.run(move |_| drop(last)),
            // A put replaces the entry of the same key: the record passes from the one to the other.
            world.run(|world| [world.fill_and_check(1), world.fill_and_check(1)]),
            world.run(|world| world.change(1)),
        ];
        join_all(threads);
        world.change(1);
        world.check(1);
        world.leave();
    });
}

/// Two last entries of a tag go at the same time: one of them takes the record along.
#[test]
#[cfg_attr(
    larder_mutant = "ledger_counts_before_the_lock",
    should_panic(expected = "outlives")
)]
fn no_record_is_left_when_all_go_at_once() {
    check(|| {
        let world = Arc::new(World::new());
        let entries: Vec<_> = (0..3).map(|key| world.entry(key)).collect();
        assert_eq!(world.store.size().tags, 2);
        let threads: Vec<_> = entries
            .into_iter()
            .map(|entry| world.run(move |_| drop(entry)))
            .collect();
        join_all(threads);
        world.leave();
    });
}

/// An invalidation of everything overtakes fills like any other; and what is captured after it is found.
#[test]
fn forgetting_everything_reaches_fills_under_way() {
    check(|| {
        let world = Arc::new(World::new());
        let threads = vec![
            world.run(|world| world.fill_and_check(0)),
            world.run(|world| world.fill_and_check(1)),
            world.run(World::change_everything),
        ];
        join_all(threads);
        world.fill(0);
        assert!(world.check(0), "nothing was forgotten since: it is found");
        world.leave();
    });
}

/// A soft invalidation next to a hard one never makes a dead entry stale.
#[test]
fn soft_never_softens_hard() {
    check(|| {
        let world = Arc::new(World::new());
        world.fill(0);
        let hard = world.run(|world| {
            world.forget(0, Strength::Hard);
            assert!(matches!(world.lookup(0), Lookup::Forgotten));
        });
        let soft = world.run(|world| {
            world.forget(1, Strength::Soft);
            assert!(
                !matches!(world.lookup(0), Lookup::Found(_)),
                "stale: forgotten softly"
            );
        });
        join_all([hard, soft]);
        assert!(matches!(world.lookup(0), Lookup::Forgotten));
        world.leave();
    });
}

/// The tests above would pass with a store that keeps nothing: here, in many schedules, look-ups find something while
/// invalidations of other tags are under way.
#[test]
#[cfg_attr(
    larder_mutant = "ledger_forgets_uncached_tags",
    should_panic(expected = "stale")
)]
#[cfg_attr(
    larder_mutant = "ledger_record_begins_at_zero",
    should_panic(expected = "stale")
)]
fn hits_are_within_reach() {
    static HITS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    check(|| {
        let world = Arc::new(World::new());
        let filler = world.run(|world| {
            if world.fill_and_check(1) {
                HITS.fetch_add(1, Ordering::SeqCst);
            }
        });
        join_all([
            filler,
            world.run(|world| world.change(0)),
            world.run(|world| world.change(1)),
        ]);
        world.leave();
    });
    let hits = HITS.load(Ordering::SeqCst);
    assert!(
        hits > ITERATIONS / 10,
        "{hits} hits in {} schedules",
        2 * ITERATIONS
    );
}

/// The data, one version for each tag, and the version up to which it was completely forgotten.
struct World {
    store: MemoryStore,
    data: [AtomicU64; 2],
    floor: [AtomicU64; 2],
}

/// Key 0 has both tags, the others have the second.
fn tags_of(key: usize) -> &'static [usize] {
    if key == 0 { &[0, 1] } else { &[1] }
}

fn tag(n: usize) -> Tag {
    Tag::new(if n == 0 { "own" } else { "shared" })
}

fn key(n: usize) -> Key {
    Key::from(&[u8::try_from(n).unwrap()][..])
}

impl World {
    fn new() -> Self {
        Self {
            store: MemoryStore::with_capacity(0),
            data: [AtomicU64::new(0), AtomicU64::new(0)],
            floor: [AtomicU64::new(0), AtomicU64::new(0)],
        }
    }

    fn run<T>(self: &Arc<Self>, work: impl FnOnce(&Self) -> T + Send + 'static) -> JoinHandle<()> {
        let world = Arc::clone(self);
        thread::spawn(move || drop(work(&world)))
    }

    /// Only the tag that all have is known before the fill.
    fn capture(&self) -> Capture {
        now(self.store.capture(&[tag(1)])).unwrap()
    }

    fn made(&self, n: usize) -> Entry {
        let versions = tags_of(n)
            .iter()
            .map(|tag| self.data[*tag].load(Ordering::SeqCst));
        let body: Vec<u8> = versions.map(|version| u8::try_from(version).unwrap()).collect();
        let response = StoredResponse::new(http::StatusCode::OK, &http::HeaderMap::new(), body.into());
        let lifetime = Lifetime::fresh(Timestamp::from_millis(0), std::time::Duration::from_secs(1));
        let tags = tags_of(n).iter().map(|n| tag(*n)).collect();
        Entry::new(lifetime, Content::Response(response), tags)
    }

    fn fill(&self, n: usize) -> Kept {
        let capture = self.capture();
        let made = self.made(n);
        now(self.store.put(key(n), made, capture)).kept
    }

    /// Fills, then looks for it; answers whether it was found.
    fn fill_and_check(&self, n: usize) -> bool {
        self.fill(n);
        self.check(n)
    }

    /// An entry that is tied to its tags, and not in the store: another took its place.
    fn entry(&self, n: usize) -> SharedEntry {
        let put = now(self.store.put(key(n), self.made(n), self.capture()));
        let untagged = Entry::new(put.entry.lifetime, Content::Variants(Box::new([])), Vec::new());
        now(self.store.put(key(n), untagged, self.capture()));
        put.entry
    }

    fn forget(&self, n: usize, strength: Strength) {
        now(self.store.forget(&[tag(n)], strength)).unwrap();
    }

    /// Changes the data of one tag and forgets it.
    fn change(&self, n: usize) {
        let version = self.data[n].fetch_add(1, Ordering::SeqCst) + 1;
        self.forget(n, Strength::Hard);
        self.floor[n].fetch_max(version, Ordering::SeqCst);
    }

    fn change_everything(&self) {
        let versions = self
            .data
            .each_ref()
            .map(|data| data.fetch_add(1, Ordering::SeqCst) + 1);
        now(self.store.forget_everything(Strength::Hard)).unwrap();
        for (floor, version) in self.floor.iter().zip(versions) {
            floor.fetch_max(version, Ordering::SeqCst);
        }
    }

    fn lookup(&self, n: usize) -> Lookup {
        now(self.store.lookup(key(n).as_bytes())).unwrap()
    }

    /// Looks a key up, and compares what is found with what was forgotten before.
    fn check(&self, n: usize) -> bool {
        let floors = self.floor.each_ref().map(|floor| floor.load(Ordering::SeqCst));
        let Lookup::Found(entry) = self.lookup(n) else {
            return false;
        };
        let Some(response) = entry.response() else {
            return false;
        };
        for (tag, version) in tags_of(n).iter().zip(&response.body) {
            assert!(u64::from(*version) >= floors[*tag], "stale: key {n} by tag {tag}");
        }
        true
    }

    /// When all entries are gone, so are all records.
    fn leave(&self) {
        let capture = self.capture();
        for n in 0..3 {
            let untagged = Entry::new(self.made(n).lifetime, Content::Variants(Box::new([])), Vec::new());
            now(self.store.put(key(n), untagged, capture.clone()));
        }
        let Size { tags, .. } = self.store.size();
        assert_eq!(tags, 0, "a record outlives its entries");
    }
}

fn now<T>(answer: Answer<T>) -> T {
    match answer {
        Answer::Ready(value) => value,
        Answer::Later(_) => panic!("a store in memory answers at once"),
    }
}

/// Runs a scenario under a scheduler that picks at random, and under one that preempts seldom and on purpose.
fn check(scenario: fn()) {
    run(RandomScheduler::new_from_seed(SEED, ITERATIONS), scenario);
    run(PctScheduler::new_from_seed(SEED, PCT_DEPTH, ITERATIONS), scenario);
}

fn run(scheduler: impl Scheduler + 'static, scenario: fn()) {
    Runner::new(scheduler, Config::new()).run(scenario);
}

fn join_all(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads.into_iter().collect::<Vec<_>>() {
        assert!(thread.join().is_ok(), "a thread failed");
    }
}
