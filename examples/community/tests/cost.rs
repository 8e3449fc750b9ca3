//! What an invalidation costs: as much for one entry as for many.
//!
//! As a test it is small; `cargo x load` takes a million entries, in release, and prints how long it took.
#![allow(clippy::unwrap_used, reason = "a test ends with the first surprise")]

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use larder::store::{Answer, Content, Entry, Kept, Key, Lifetime, Lookup, StoredResponse};
use larder::{ActionRule, Actions, Larder, MemoryStore, Store, Tag, Timestamp};
use larder_testkit::FailingStore;

#[tokio::test]
async fn one_entry_and_many_are_forgotten_by_one_number() {
    let many: u32 = if std::env::var_os("LARDER_LOAD_FULL").is_some() {
        1_000_000
    } else {
        10_000
    };
    // Never told to fail: a store that the test can look into beside the handle.
    let store = FailingStore::new(MemoryStore::with_capacity(4 << 30));
    let actions = Actions::new().with(ActionRule::new("team.rename").tag("team:{id}"));
    let larder = Larder::new(store.clone()).with_actions(actions);
    for (id, entries) in [("one", 1), ("many", many)] {
        for number in 0..entries {
            assert_eq!(put(&store, id, number), Kept::Stored);
        }
        // The fastest of some, since others use the machine too: the first has entries to forget.
        let mut first = Duration::ZERO;
        let mut fastest = Duration::MAX;
        for round in 0..20 {
            let began = Instant::now();
            let done = larder
                .invalidate_for_action("team.rename", [("id", id)])
                .await
                .unwrap();
            let took = began.elapsed();
            assert_eq!(done.known, 1);
            fastest = fastest.min(took);
            if round == 0 {
                first = took;
            }
        }
        println!("forgetting {entries} entries by one tag: {first:?} the first time, {fastest:?} at best");
        for number in [0, entries / 2, entries - 1] {
            let found = now(store.lookup(&key(id, number))).unwrap();
            assert!(
                !matches!(found, Lookup::Found(_) | Lookup::Stale(_)),
                "{id} {number}: {found:?}"
            );
        }
    }
    assert_eq!(larder.size().entries, many as usize + 1, "nothing was looked for");
}

fn key(id: &str, number: u32) -> Vec<u8> {
    format!("{id} {number}").into_bytes()
}

fn put(store: &FailingStore, id: &str, number: u32) -> Kept {
    let tags = [Tag::new(format!("team:{id}"))];
    let capture = now(store.capture(&tags)).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/plain"));
    let response = StoredResponse::new(StatusCode::OK, &headers, "jam".into());
    let lifetime = Lifetime::fresh(Timestamp::from_millis(0), Duration::from_secs(60));
    let entry = Entry::new(lifetime, Content::Response(response), tags.to_vec());
    now(store.put(Key::from(key(id, number).as_slice()), entry, capture)).kept
}

fn now<T>(answer: Answer<T>) -> T {
    match answer {
        Answer::Ready(value) => value,
        Answer::Later(_) => panic!("the memory answers at once"),
    }
}
