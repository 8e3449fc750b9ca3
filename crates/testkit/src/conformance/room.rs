//! A store is bounded.

use std::sync::Arc;

use larder_store::{Kept, Store, Strength, Tag, Validity};

use super::{Found, Subject, fresh, tag, tags};

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

/// What a later put replaced is gone, and the tags that it alone carried with it.
pub async fn what_was_replaced_leaves_nothing<S: Store>(store: Arc<S>) {
    let store = Subject(store);
    for _ in 0..3 {
        store.fill("a", &tags(&["common", "old"])).await;
    }
    store.fill("a", &tags(&["common", "new"])).await;
    let size = store.0.size();
    assert_eq!(
        (size.entries, size.tags),
        (1, 2),
        "the replaced entry left: {size:?}"
    );
}

/// What one entry may not take up is handed back, with stamps that hold, and is not in the store.
pub async fn what_is_too_large_is_answered_and_not_kept<S: Store>(store: Arc<S>) {
    let store = Subject(store);
    store.fill("small", &tags(&["t"])).await;
    let before = store.0.size();
    let large = vec![b'x'; usize::try_from(before.capacity).unwrap_or(usize::MAX)];
    let capture = store.capture(&tags(&["t"])).await;
    let put = store.put_bytes(b"large", large, &tags(&["t"]), capture).await;
    assert_eq!(put.kept, Kept::RejectedSize);
    assert_eq!(store.lookup("large").await, Found::Nothing);
    assert_eq!(
        store.lookup("small").await,
        fresh("small"),
        "it pushed nothing out"
    );
    assert_eq!(store.0.size(), before);
    assert_eq!(
        store.validity(&put.entry).await,
        Validity::Valid,
        "others may wait for it"
    );
    store.forget(&tags(&["t"]), Strength::Hard).await;
    assert_eq!(store.validity(&put.entry).await, Validity::Dead);
}

/// Tags that nobody carries come from outside in any number; none of them may stay.
pub async fn forgetting_what_nobody_carries_leaves_nothing<S: Store>(store: Arc<S>) {
    let store = Subject(store);
    store.fill("key", &tags(&["a", "b"])).await;
    let before = store.0.size();
    assert_eq!(before.tags, 2, "the two that an entry carries");
    for round in 0..100 {
        let many: Vec<Tag> = (0..100).map(|n| tag(&format!("tag {round} {n}"))).collect();
        let done = store.forget(&many, Strength::Hard).await;
        assert_eq!(done.known, 0);
    }
    assert_eq!(store.0.size(), before);
    assert_eq!(store.lookup("key").await, fresh("key"));
}
