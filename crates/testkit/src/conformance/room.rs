//! A store is bounded.

use std::sync::Arc;

use larder_store::Store;

use super::{Found, Subject, tag};

/// However many keys and tags come in, the bytes stay within the capacity, and the tags are those of entries that are
/// there.
pub async fn a_flood_stays_within_the_capacity<S: Store>(store: Arc<S>) {
    let store = Subject(store);
    let capacity = store.0.size().capacity;
    assert!(
        (1..=16 << 20).contains(&capacity),
        "the suite needs a store with a capacity of at most 16 MiB, not {capacity}"
    );
    let (mut sent, mut n, mut largest) = (0, 0_usize, 0);
    while sent < capacity * 4 {
        let body = vec![b'x'; n * 37 % 3000];
        sent += body.len() as u64 + 500;
        let own = [tag(&format!("tag {n}")), tag(&format!("shared {}", n % 7))];
        let capture = store.capture(&own).await;
        store
            .put_bytes(format!("key {n}").as_bytes(), body, &own, capture)
            .await;
        let size = store.0.size();
        assert!(
            size.bytes <= capacity && size.capacity == capacity,
            "after {n} entries: {size:?}"
        );
        largest = largest.max(size.bytes);
        n += 1;
    }
    let size = store.0.size();
    assert!(
        largest > capacity / 2,
        "the room is used: of {capacity} at most {largest}"
    );
    assert!(
        size.entries < n && size.tags <= size.entries + 7,
        "the tags of entries that left are gone: {size:?}"
    );
    let mut found = 0;
    for n in 0..n {
        found += usize::from(store.lookup(&format!("key {n}")).await != Found::Nothing);
    }
    assert_eq!(found, size.entries, "what is counted is there");
}
