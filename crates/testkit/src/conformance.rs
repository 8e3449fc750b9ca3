//! The promises of [`Store`], each as a test that any store can be held to.
//!
//! A store's own tests take them all with one line, [`store_conformance!`](crate::store_conformance): one test for each
//! promise, so that what a store does not keep is named. What no test can see from outside remains with the author of
//! the store: that an entry is not found whose tags' records were lost (by an eviction, a restart, a failover), and
//! that an invalidation costs no more in a full store than in an empty one.

mod forgetting;
mod keeping;
mod racing;
mod room;
mod stale;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use larder_store::{
    Capture, Content, Entry, Forgotten, Kept, Key, Lifetime, Lookup, Put, SharedEntry, Store, StoredResponse,
    Strength, Tag, Timestamp, Validity,
};

pub use forgetting::*;
pub use keeping::*;
pub use racing::*;
pub use room::*;
pub use stale::*;

/// Makes one test of each promise of [`Store`](larder_store::Store), run on a store that the given closure makes
/// afresh for it.
///
/// The store must be empty, and its capacity at most 16 MiB, since one of the tests fills it several times.
///
/// A store that keeps entries outside this process has no account of them, and its bounds are its server's: with `shared:`
/// before the closure, the promises about [`size`](larder_store::Store::size) are left out.
///
/// ```
/// # mod tests {
/// larder_testkit::store_conformance!(|| async { larder_store::MemoryStore::with_capacity(1 << 20) });
/// # }
/// ```
#[macro_export]
macro_rules! store_conformance {
    ($make:expr) => {
        $crate::store_conformance! { shared: $make }
        $crate::store_conformance! { @tests $make;
            what_was_replaced_leaves_nothing
            what_is_too_large_is_answered_and_not_kept
            forgetting_what_nobody_carries_leaves_nothing
            a_flood_stays_within_the_capacity
        }
    };
    (shared: $make:expr) => {
        $crate::store_conformance! { @tests $make;
            an_entry_is_found_as_it_was_put
            the_full_key_decides
            a_later_put_replaces
            an_overtaken_fill_is_not_found
            a_fill_overtaken_by_an_invalidation_of_everything_is_not_found
            a_tag_that_was_not_captured_counts_too
            an_invalidation_before_the_capture_does_not_count
            a_fingerprint_changes_with_its_own_tags_only
            forgetting_reaches_all_entries_with_the_tag_and_no_others
            forgetting_everything_reaches_all
            soft_is_stale_and_hard_is_gone
            validity_follows_the_tags
            nothing_stale_under_load
        }
    };
    (@tests $make:expr; $($promise:ident)+) => {
        $(
            #[test]
            fn $promise() {
                $crate::conformance::hold($make, $crate::conformance::$promise);
            }
        )+
    };
}

/// Holds the store that `make` makes to one `promise`, on a runtime of several threads.
///
/// # Panics
///
/// When the store does not keep the promise.
pub fn hold<S: Store, M: Future<Output = S>, P: Future<Output = ()>>(
    make: impl FnOnce() -> M,
    promise: impl FnOnce(Arc<S>) -> P,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(8)
        .enable_all()
        .build()
        .unwrap_or_else(|e| panic!("cannot start a runtime for the conformance suite: {e}"));
    runtime.block_on(async {
        promise(Arc::new(make().await)).await;
    });
}

/// The store under test, its failures turned into panics.
struct Subject<S>(Arc<S>);

impl<S: Store> Subject<S> {
    async fn capture(&self, tags: &[Tag]) -> Capture {
        let captured = self.0.capture(tags).wait().await;
        captured.unwrap_or_else(|e| panic!("`capture` of {tags:?} failed: {e}"))
    }

    async fn put(&self, key: &str, body: &str, tags: &[Tag], capture: Capture) -> Put {
        self.put_bytes(key.as_bytes(), body.as_bytes().into(), tags, capture)
            .await
    }

    async fn put_bytes(&self, key: &[u8], body: Vec<u8>, tags: &[Tag], capture: Capture) -> Put {
        let put = self.0.put(Key::from(key), entry(body.clone(), tags), capture);
        let put = put.wait().await;
        assert!(
            body_of(&put.entry) == body && *put.entry.tags == *tags,
            "`put` answers the entry that it was given"
        );
        put
    }

    /// Fills as a request does, with nothing in between.
    async fn fill(&self, key: &str, tags: &[Tag]) -> SharedEntry {
        let capture = self.capture(tags).await;
        let put = self.put(key, key, tags, capture).await;
        assert_eq!(
            put.kept,
            Kept::Stored,
            "{key:?} is small, and nothing was forgotten since its capture"
        );
        put.entry
    }

    async fn lookup(&self, key: &str) -> Found {
        self.lookup_bytes(key.as_bytes()).await
    }

    async fn lookup_bytes(&self, key: &[u8]) -> Found {
        match self.0.lookup(key).wait().await {
            Ok(Lookup::Found(entry) | Lookup::Fetched(entry)) => Found::Fresh(body_of(&entry)),
            Ok(Lookup::Stale(entry)) => Found::Stale(body_of(&entry)),
            Ok(_) => Found::Nothing,
            Err(e) => panic!("`lookup` of {} failed: {e}", key.escape_ascii()),
        }
    }

    async fn validity(&self, entry: &SharedEntry) -> Validity {
        let validity = self.0.validity(entry).wait().await;
        validity.unwrap_or_else(|e| panic!("`validity` failed: {e}"))
    }

    async fn forget(&self, tags: &[Tag], strength: Strength) -> Forgotten {
        let done = self.0.forget(tags, strength).wait().await;
        done.unwrap_or_else(|e| panic!("`forget` of {tags:?} failed: {e}"))
    }

    async fn forget_everything(&self, strength: Strength) -> Forgotten {
        let done = self.0.forget_everything(strength).wait().await;
        done.unwrap_or_else(|e| panic!("`forget_everything` failed: {e}"))
    }
}

/// What a look-up came to, and the body that it found.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Fresh(Vec<u8>),
    Stale(Vec<u8>),
    Nothing,
}

fn fresh(body: &str) -> Found {
    Found::Fresh(body.into())
}

fn stale(body: &str) -> Found {
    Found::Stale(body.into())
}

fn tag(text: &str) -> Tag {
    Tag::new(text)
}

fn tags(texts: &[&str]) -> Vec<Tag> {
    texts.iter().map(|text| tag(text)).collect()
}

fn headers() -> HeaderMap {
    let lines = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain")),
        (header::LINK, HeaderValue::from_static("</a>; rel=next")),
        (header::LINK, HeaderValue::from_static("</b>; rel=prev")),
    ];
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(name, value);
    }
    headers
}

fn lifetime() -> Lifetime {
    Lifetime {
        received: Timestamp::from_millis(1_700_000_000_123),
        initial_age_ms: 1_001,
        fresh_ms: 60_002,
        stale_while_revalidate_ms: 3_003,
        stale_if_error_ms: 4_004,
        load_ms: 5,
        must_revalidate: true,
    }
}

fn entry(body: Vec<u8>, tags: &[Tag]) -> Entry {
    let response = StoredResponse::new(StatusCode::NOT_FOUND, &headers(), Bytes::from(body));
    let content = Content::Response(response.with_generated_etag(true));
    Entry::new(lifetime(), content, tags.to_vec())
}

fn body_of(entry: &Entry) -> Vec<u8> {
    let Some(response) = entry.response() else {
        panic!("a response was put, and something else came back")
    };
    response.body.to_vec()
}

/// Goes on after `by`, without a timer: the runtime of a test need not have one.
fn pause(by: Duration) {
    std::thread::sleep(by);
}
