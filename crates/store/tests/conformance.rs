//! The memory store, held to the contract; and stores broken on purpose, which the suite must find out.
#![cfg(not(shuttle))]
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use larder_store::{
    Answer, Capture, Content, Entry, Forgotten, Kept, Key, Lookup, MemoryStore, Put, SharedEntry, Size,
    Store, StoreError, StoredResponse, Strength, Tag, Validity,
};
use larder_testkit::conformance::{self, hold};

const CAPACITY: u64 = 1 << 20;

larder_testkit::store_conformance!(|| async { MemoryStore::with_capacity(CAPACITY) });

/// What is wrong with a [`Broken`] store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    AnswersAnother,
    KeepsNothing,
    KeepsTheFirst,
    KeepsTheReplaced,
    CutsKeys,
    IgnoresCaptures,
    SeesOnlyCapturedTags,
    ForgetsEverythingButFills,
    NeverForgivesATag,
    OneFingerprint,
    NervousFingerprint,
    ForgetsTheFirstTag,
    ForgetsTooMuch,
    ForgetsNothingBare,
    SoftIsHard,
    HardIsSoft,
    AlwaysValid,
    KeepsRecords,
    Unbounded,
    ChecksThenActs,
    AnswersTooEarly,
}

use Fault::*;

/// A memory store, but for one fault.
#[derive(Debug)]
struct Broken {
    inner: std::sync::Arc<MemoryStore>,
    fault: Fault,
    forgotten: Mutex<HashSet<Tag>>,
    seen: Mutex<HashSet<Tag>>,
    captured: Mutex<Vec<Tag>>,
}

/// What every request captures where the fingerprint is nervous.
const NERVE: &str = "nerve";

impl Broken {
    fn new(fault: Fault) -> Self {
        let capacity = if fault == Unbounded {
            CAPACITY * 16
        } else {
            CAPACITY
        };
        Self {
            inner: MemoryStore::with_capacity(capacity).into(),
            fault,
            forgotten: Mutex::default(),
            seen: Mutex::default(),
            captured: Mutex::default(),
        }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn key<'a>(&self, key: &'a [u8]) -> &'a [u8] {
        if self.is(CutsKeys) {
            &key[..key.len().min(64)]
        } else {
            key
        }
    }

    fn capture_now(&self, tags: &[Tag]) -> Capture {
        match self.inner.capture(tags) {
            Answer::Ready(Ok(capture)) => capture,
            other => panic!("the memory store answers at once: {other:?}"),
        }
    }

    fn put_now(&self, key: Key, entry: Entry, capture: Capture) -> Put {
        match self.inner.put(key, entry, capture) {
            Answer::Ready(put) => put,
            other => panic!("the memory store answers at once: {other:?}"),
        }
    }

    fn is_there(&self, key: &Key) -> bool {
        matches!(
            self.inner.lookup(key.as_bytes()),
            Answer::Ready(Ok(Lookup::Found(_)))
        )
    }

    /// Whether the tags that were captured last are as they were.
    fn captured_hold(&self, capture: &Capture) -> bool {
        let captured = self.captured.lock().unwrap();
        self.capture_now(&captured).fingerprint() == capture.fingerprint()
    }
}

fn copy(entry: &Entry) -> Entry {
    let response = entry.response().unwrap();
    let body = response.body.clone();
    let copy = StoredResponse::new(response.status, &response.header_map(0), body);
    Entry::new(entry.lifetime, Content::Response(copy), entry.tags.to_vec())
}

impl Store for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn lookup(&self, key: &[u8]) -> Answer<Result<Lookup, StoreError>> {
        self.inner.lookup(self.key(key))
    }

    fn capture(&self, tags: &[Tag]) -> Answer<Result<Capture, StoreError>> {
        *self.captured.lock().unwrap() = tags.to_vec();
        match self.fault {
            OneFingerprint => self.inner.capture(&[]),
            NervousFingerprint => self.inner.capture(&[tags, &[NERVE.into()]].concat()),
            _ => self.inner.capture(tags),
        }
    }

    fn put(&self, key: Key, entry: Entry, mut capture: Capture) -> Answer<Put> {
        self.seen.lock().unwrap().extend(entry.tags.iter().cloned());
        let elsewhere = Key::from(&[b"elsewhere ", key.as_bytes()].concat()[..]);
        let unforgiven = |tag: &Tag| self.forgotten.lock().unwrap().contains(tag);
        let key = match self.fault {
            KeepsNothing => elsewhere,
            KeepsTheFirst if self.is_there(&key) => elsewhere,
            NeverForgivesATag if entry.tags.iter().any(unforgiven) => elsewhere,
            _ => Key::from(self.key(key.as_bytes())),
        };
        match self.fault {
            IgnoresCaptures => capture = self.capture_now(&entry.tags),
            SeesOnlyCapturedTags if self.captured_hold(&capture) => capture = self.capture_now(&entry.tags),
            KeepsTheReplaced => {
                let number = self.inner.size().entries.to_string();
                self.put_now(number.as_bytes().into(), copy(&entry), capture.clone());
            }
            _ => {}
        }
        let mut put = self.put_now(key.clone(), entry, capture);
        match self.fault {
            AnswersAnother => {
                let other = Entry::new(put.entry.lifetime, copy(&put.entry).content, Vec::new());
                put.entry = other.into();
            }
            ChecksThenActs if put.kept == Kept::Stored => {
                std::thread::sleep(Duration::from_micros(100));
                let entry = copy(&put.entry);
                put = self.put_now(key, entry, self.capture_now(&[]));
            }
            _ => {}
        }
        Answer::Ready(put)
    }

    fn validity(&self, entry: &SharedEntry) -> Answer<Result<Validity, StoreError>> {
        match self.fault {
            AlwaysValid => Answer::Ready(Ok(Validity::Valid)),
            _ => self.inner.validity(entry),
        }
    }

    fn forget(&self, tags: &[Tag], strength: Strength) -> Answer<Result<Forgotten, StoreError>> {
        self.forgotten.lock().unwrap().extend(tags.iter().cloned());
        match self.fault {
            ForgetsTheFirstTag => self.inner.forget(&tags[..1], strength),
            ForgetsTooMuch => {
                let _ = self.inner.forget(&[Tag::new("by two 0")], strength);
                self.inner.forget(tags, strength)
            }
            NervousFingerprint => {
                let _ = self.inner.forget(&[NERVE.into()], strength);
                self.inner.forget(tags, strength)
            }
            SoftIsHard => self.inner.forget(tags, Strength::Hard),
            HardIsSoft => self.inner.forget(tags, Strength::Soft),
            AnswersTooEarly => {
                let (inner, tags) = (std::sync::Arc::clone(&self.inner), tags.to_vec());
                std::thread::spawn(move || inner.forget(&tags, strength));
                Answer::Ready(Ok(Forgotten::default()))
            }
            _ => self.inner.forget(tags, strength),
        }
    }

    fn forget_everything(&self, strength: Strength) -> Answer<Result<Forgotten, StoreError>> {
        let seen: Vec<Tag> = self.seen.lock().unwrap().iter().cloned().collect();
        match self.fault {
            ForgetsEverythingButFills | ForgetsNothingBare => self.inner.forget(&seen, strength),
            _ => self.inner.forget_everything(strength),
        }
    }

    fn size(&self) -> Size {
        let mut size = self.inner.size();
        match self.fault {
            KeepsRecords => size.tags += self.forgotten.lock().unwrap().len(),
            Unbounded => size.capacity = CAPACITY,
            _ => {}
        }
        size
    }
}

/// One test for each fault: the promise that it breaks must say so.
macro_rules! found_out {
    ($($test:ident: $fault:expr, $promise:ident, $said:literal;)+) => {
        $(
            #[test]
            #[should_panic(expected = $said)]
            fn $test() {
                hold(|| async { Broken::new($fault) }, conformance::$promise);
            }
        )+
    };
}

found_out! {
    answers_another: AnswersAnother, an_entry_is_found_as_it_was_put, "`put` answers the entry";
    keeps_nothing: KeepsNothing, an_entry_is_found_as_it_was_put, "what was put is found";
    keeps_the_first: KeepsTheFirst, a_later_put_replaces, "left: Fresh";
    keeps_the_replaced: KeepsTheReplaced, what_was_replaced_leaves_nothing, "the replaced entry left";
    cuts_keys: CutsKeys, the_full_key_decides, "under ";
    ignores_captures: IgnoresCaptures, an_overtaken_fill_is_not_found, "found after it";
    sees_only_captured_tags: SeesOnlyCapturedTags, a_tag_that_was_not_captured_counts_too, "found after it";
    everything_but_fills: ForgetsEverythingButFills,
        a_fill_overtaken_by_an_invalidation_of_everything_is_not_found, "found after it";
    never_forgives_a_tag: NeverForgivesATag, an_invalidation_before_the_capture_does_not_count, "round 0";
    one_fingerprint: OneFingerprint, a_fingerprint_changes_with_its_own_tags_only, "forgotten in between";
    nervous_fingerprint: NervousFingerprint, a_fingerprint_changes_with_its_own_tags_only, "an unrelated tag";
    forgets_the_first_tag: ForgetsTheFirstTag,
        forgetting_reaches_all_entries_with_the_tag_and_no_others, "two of the three";
    forgets_too_much: ForgetsTooMuch, forgetting_reaches_all_entries_with_the_tag_and_no_others, "Nothing";
    forgets_nothing_bare: ForgetsNothingBare, forgetting_everything_reaches_all, "left: Fresh";
    soft_is_hard: SoftIsHard, soft_is_stale_and_hard_is_gone, "Stale";
    hard_is_soft: HardIsSoft, soft_is_stale_and_hard_is_gone, "hard after soft is hard";
    always_valid: AlwaysValid, validity_follows_the_tags, "left: Valid";
    keeps_records: KeepsRecords, forgetting_what_nobody_carries_leaves_nothing, "left: Size";
    takes_what_is_too_large: Unbounded, what_is_too_large_is_answered_and_not_kept, "RejectedSize";
    unbounded: Unbounded, a_flood_stays_within_the_capacity, "after ";
    // No test that does one thing after the other finds this one.
    checks_then_acts: ChecksThenActs, nothing_stale_under_load, "stale: ";
    answers_too_early: AnswersTooEarly, nothing_stale_under_load, "stale: ";
    of_no_use: KeepsNothing, nothing_stale_under_load, "of use under load";
}

/// A store that is broken only where threads meet keeps every other promise.
#[test]
fn what_checks_then_acts_is_found_by_the_race_alone() {
    hold(
        || async { Broken::new(ChecksThenActs) },
        conformance::an_overtaken_fill_is_not_found,
    );
    hold(
        || async { Broken::new(ChecksThenActs) },
        conformance::a_tag_that_was_not_captured_counts_too,
    );
}
