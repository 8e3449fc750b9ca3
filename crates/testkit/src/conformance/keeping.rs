//! What is put is found, under its key and no other.

use std::sync::Arc;

use http::StatusCode;
use larder_store::{Kept, Lookup, Store};

use super::{Found, Subject, fresh, headers, lifetime, tags};

/// An entry comes back whole: status, header lines, body, tags and lifetime.
pub async fn an_entry_is_found_as_it_was_put<S: Store>(store: Arc<S>) {
    let store = Subject(store);
    assert_eq!(
        store.lookup("a").await,
        Found::Nothing,
        "a store begins with nothing in it"
    );
    let tags = tags(&["one", "two"]);
    store.fill("a", &tags).await;
    let Ok(Lookup::Found(entry) | Lookup::Fetched(entry)) = store.0.lookup(b"a").wait().await else {
        panic!("what was put is found")
    };
    assert_eq!((entry.lifetime, &*entry.tags), (lifetime(), &*tags));
    let Some(response) = entry.response() else {
        panic!("a response was put")
    };
    assert_eq!(response.status, StatusCode::NOT_FOUND);
    assert_eq!(response.header_map(0), headers());
    assert_eq!(response.body, "a");
    assert!(response.generated_etag);
}

/// Keys that differ in one byte, in their length, or only far from their beginning are different keys.
pub async fn the_full_key_decides<S: Store>(store: Arc<S>) {
    let store = Subject(store);
    let mut keys: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    keys.push(Vec::new());
    keys.extend((2..40).map(|length| vec![0; length]));
    for at in [0, 63, 64, 255, 256, 2047] {
        let mut key = vec![b'k'; 2048];
        key[at] = b'x';
        keys.push(key);
    }
    for (n, key) in keys.iter().enumerate() {
        let capture = store.capture(&tags(&["t"])).await;
        let put = store
            .put_bytes(key, n.to_string().into(), &tags(&["t"]), capture)
            .await;
        assert_eq!(put.kept, Kept::Stored);
    }
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(
            store.lookup_bytes(key).await,
            fresh(&n.to_string()),
            "under {}",
            key.escape_ascii()
        );
    }
    for absent in [&b"\0\x01"[..], &[b'k'; 2048], &[0; 40]] {
        assert_eq!(
            store.lookup_bytes(absent).await,
            Found::Nothing,
            "nothing was put under {}",
            absent.escape_ascii()
        );
    }
}

/// One key has one entry: the last that was put. The tags of the one before count no more.
pub async fn a_later_put_replaces<S: Store>(store: Arc<S>) {
    let store = Subject(store);
    for _ in 0..3 {
        store.fill("a", &tags(&["common", "old"])).await;
    }
    let capture = store.capture(&[]).await;
    store.put("a", "new", &tags(&["common", "new"]), capture).await;
    assert_eq!(store.lookup("a").await, fresh("new"));
    store.forget(&tags(&["old"]), larder_store::Strength::Hard).await;
    assert_eq!(
        store.lookup("a").await,
        fresh("new"),
        "only the replaced entry carried it"
    );
    store.forget(&tags(&["new"]), larder_store::Strength::Hard).await;
    assert_eq!(store.lookup("a").await, Found::Nothing);
}
