//! The bound of the memory store is one of the heap, not of its own counting; and what left is gone.
#![cfg(not(shuttle))]
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::alloc::System;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use larder_store::{
    Answer, Content, Entry, Kept, Key, Lifetime, Lookup, MemoryStore, Store, StoredResponse, Strength, Tag,
    Timestamp,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CAPACITY: u64 = 16 << 20;
const KEYS: usize = 100_000;
/// The table of invalidations, and what a store needs before its first entry.
const SMALL: usize = 1 << 20;
/// What an allocator adds to a piece of memory: a header, and half of what it rounds up to.
const PER_PIECE: usize = 16;

/// The bytes that are held since `region` began, with what the allocator adds.
fn held(region: &Region<'_, System>) -> usize {
    let change = region.change();
    let pieces = change.allocations.saturating_sub(change.deallocations);
    change.bytes_allocated.saturating_sub(change.bytes_deallocated) + pieces * PER_PIECE
}

/// Numbers that repeat themselves in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % bound
    }
}

fn now<T>(answer: Answer<T>) -> T {
    match answer {
        Answer::Ready(value) => value,
        Answer::Later(_) => panic!("a store in memory answers at once"),
    }
}

fn headers(lines: usize) -> HeaderMap {
    let names = (0..lines).map(|n| HeaderName::try_from(format!("x-header-{n}")).unwrap());
    names
        .map(|name| (name, HeaderValue::from_static("application/json; charset=utf-8")))
        .collect()
}

/// What a layer adds.
const OWN: [&str; 6] = [
    "age",
    "cache-status",
    "x-cache",
    "x-cache-age",
    "cache-control",
    "content-length",
];

fn put(store: &MemoryStore, key: &[u8], body: usize, tags: Vec<Tag>, lines: usize) -> Kept {
    let stored = StoredResponse::new(StatusCode::OK, &headers(lines), vec![b'x'; body].into());
    let lifetime = Lifetime::fresh(Timestamp::from_millis(0), Duration::from_secs(60));
    let capture = now(store.capture(&tags)).unwrap();
    let put = now(store.put(
        Key::from(key),
        Entry::new(lifetime, Content::Response(stored), tags),
        capture,
    ));
    let stored = put.entry.response().unwrap();
    // As a layer answers hits: with the headers that were kept and some of its own.
    let own = |mut headers: HeaderMap| {
        for (n, name) in OWN.into_iter().enumerate() {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(n));
        }
        headers
    };
    let answer = stored.rendered(1, || own(stored.header_map(6)), HeaderMap::clone);
    assert_eq!(answer.len(), lines + 6);
    put.kept
}

/// Fills a store with entries that `next` puts, and compares the heap with the bound all the while.
fn flood(what: &str, keys: usize, mut next: impl FnMut(&MemoryStore, &mut Dice, usize)) {
    let whole = Region::new(HEAP);
    let store = MemoryStore::with_capacity(CAPACITY);
    let mut dice = Dice(7);
    let bound = CAPACITY as usize * 13 / 10 + SMALL;
    let mut most = 0;
    for n in 0..keys {
        next(&store, &mut dice, n);
        if n % 500 == 499 {
            most = most.max(held(&whole));
            let size = store.size();
            assert!(size.bytes <= CAPACITY, "{size:?}");
            assert!(
                most <= bound,
                "{what}: {most} bytes on the heap, counted as {}: {size:?}",
                size.bytes
            );
        }
    }
    let size = store.size();
    println!(
        "{what}: at most {most} bytes on the heap, counted as {}: {size:?}",
        size.bytes
    );
    assert!(size.bytes > CAPACITY / 10 * 9, "the room is used: {size:?}");
    assert!(
        most > CAPACITY as usize / 3,
        "the counting is not far too high: {most}"
    );
    drop(store);
    // The heap keeps a little for this thread.
    assert!(held(&whole) < 4 << 10, "{} bytes are left", held(&whole));
}

/// One test, so that the heap is this thread's alone: another that ends or begins meanwhile would be counted too.
#[test]
fn the_heap_stays_within_the_bound() {
    entries_of_all_sizes_stay_within_the_bound();
    entries_that_are_nearly_nothing_stay_within_the_bound();
    entries_that_are_mostly_tags_stay_within_the_bound();
    entries_that_are_mostly_headers_stay_within_the_bound();
    a_million_invalidations_of_what_nobody_cached_leave_nothing();
    what_is_asked_for_stays_while_others_pass_through();
}

fn entries_of_all_sizes_stay_within_the_bound() {
    flood("all sizes", KEYS, |store, dice, n| {
        let mut key = format!("{n:05}").into_bytes();
        if dice.below(10) == 0 {
            key.resize(5 + dice.below(10_000), b'k');
        }
        let body = dice.below(20_000);
        let body = if dice.below(4) == 0 { body } else { body / 64 };
        let tags = (0..dice.below(9)).map(|tag| Tag::new(format!("tag {tag} of {n}")));
        put(store, &key, body, tags.collect(), dice.below(12));
    });
}

fn entries_that_are_nearly_nothing_stay_within_the_bound() {
    flood("tiny", KEYS / 4, |store, _, n| {
        put(store, format!("{n:05}").as_bytes(), 0, Vec::new(), 0);
    });
}

fn entries_that_are_mostly_tags_stay_within_the_bound() {
    flood("tags", KEYS / 4, |store, _, n| {
        let tags = (0..8).map(|tag| Tag::new(format!("{tag}{n}")));
        put(store, format!("{n:05}").as_bytes(), 5, tags.collect(), 1);
    });
}

fn entries_that_are_mostly_headers_stay_within_the_bound() {
    flood("headers", KEYS / 4, |store, _, n| {
        put(store, format!("{n:05}").as_bytes(), 5, vec![Tag::new("all")], 25);
    });
}

fn a_million_invalidations_of_what_nobody_cached_leave_nothing() {
    let store = MemoryStore::with_capacity(CAPACITY);
    put(&store, b"key", 5, vec![Tag::new("a")], 1);
    let region = Region::new(HEAP);
    for n in 0..10_000 {
        let tags: Vec<Tag> = (0..100).map(|tag| Tag::new(format!("{tag} {n}"))).collect();
        assert_eq!(now(store.forget(&tags, Strength::Hard)).unwrap().known, 0);
    }
    assert!(held(&region) < 4 << 10, "{} bytes more", held(&region));
    assert!(matches!(now(store.lookup(b"key")).unwrap(), Lookup::Found(_)));
}

fn what_is_asked_for_stays_while_others_pass_through() {
    const HOT: usize = 500;
    let store = MemoryStore::with_capacity(CAPACITY);
    let fill = |key: String| put(&store, key.as_bytes(), 3_000, vec![Tag::new("all")], 2);
    let is_hit = |key: &str| matches!(now(store.lookup(key.as_bytes())), Ok(Lookup::Found(_)));
    let mut hits = 0;
    for n in 0..KEYS {
        let hot = format!("hot {}", n % HOT);
        if is_hit(&hot) {
            hits += 1;
        } else {
            fill(hot);
        }
        fill(format!("scan {n}"));
    }
    println!("{hits} hits of {KEYS} during the scan, with {:?}", store.size());
    assert!(hits >= KEYS * 9 / 10, "{hits} hits of {KEYS}");
}
