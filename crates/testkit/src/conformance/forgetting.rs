//! Forgetting reaches what it names, and leaves nothing behind.

use std::sync::Arc;

use larder_store::{Store, Strength, Tag, Validity};

use super::{Found, Subject, fresh, stale, tag, tags};

/// All entries with one of the tags named, of whatever kind, and no others; and `known` says how many tags were carried.
pub async fn forgetting_reaches_all_entries_with_the_tag_and_no_others<S: Store>(store: Arc<S>) {
    let store = Subject(store);
    let own = |n: usize| {
        [
            tag(&format!("by two {}", n % 2)),
            tag(&format!("by five {}", n % 5)),
            tag("all"),
        ]
    };
    let named = [tag("by five 3"), tag("nobody's"), tag("by five 4")];
    for n in 0..60 {
        store.fill(&n.to_string(), &own(n)).await;
    }
    let done = store.forget(&named, Strength::Hard).await;
    assert_eq!(done.known, 2, "two of the three were carried by entries");
    for n in 0..60 {
        let expected = if n % 5 < 3 {
            fresh(&n.to_string())
        } else {
            Found::Nothing
        };
        assert_eq!(store.lookup(&n.to_string()).await, expected, "{n}");
    }
    // Equal texts of other kinds are other tags.
    for other in [
        Tag::uri("all"),
        Tag::path("/all"),
        Tag::layer("all"),
        Tag::identity("all"),
    ] {
        assert_eq!(store.forget(&[other], Strength::Hard).await.known, 0);
    }
    assert_eq!(store.lookup("0").await, fresh("0"));
    store.forget(&[tag("by two 1"), tag("all")], Strength::Hard).await;
    for n in 0..60 {
        assert_eq!(store.lookup(&n.to_string()).await, Found::Nothing, "{n}");
    }
}

/// Everything is everything, entries without a tag included.
pub async fn forgetting_everything_reaches_all<S: Store>(store: Arc<S>) {
    let store = Subject(store);
    store.fill("tagged", &tags(&["a"])).await;
    store.fill("bare", &[]).await;
    store.forget_everything(Strength::Soft).await;
    assert_eq!(store.lookup("tagged").await, stale("tagged"));
    assert_eq!(store.lookup("bare").await, stale("bare"));
    store.forget_everything(Strength::Hard).await;
    assert_eq!(store.lookup("tagged").await, Found::Nothing);
    assert_eq!(store.lookup("bare").await, Found::Nothing);
    store.fill("bare", &[]).await;
    assert_eq!(store.lookup("bare").await, fresh("bare"));
}

/// Forgotten softly, an entry is found as stale; forgotten hard it is gone, and nothing soft brings it back.
pub async fn soft_is_stale_and_hard_is_gone<S: Store>(store: Arc<S>) {
    let store = Subject(store);
    let own = tags(&["a", "b"]);
    store.fill("key", &own).await;
    store.forget(&own[..1], Strength::Soft).await;
    assert_eq!(store.lookup("key").await, stale("key"));
    store.forget(&own[1..], Strength::Soft).await;
    assert_eq!(store.lookup("key").await, stale("key"), "soft twice is soft");
    store.fill("key", &own).await;
    assert_eq!(
        store.lookup("key").await,
        fresh("key"),
        "filled anew, it is fresh"
    );
    for (first, then) in [(0, 1), (1, 0), (0, 0)] {
        store.fill("key", &own).await;
        store.forget(&own[first..=first], Strength::Soft).await;
        store.forget(&own[then..=then], Strength::Hard).await;
        assert_eq!(
            store.lookup("key").await,
            Found::Nothing,
            "hard after soft is hard"
        );
        store.forget(&own, Strength::Soft).await;
        store.forget_everything(Strength::Soft).await;
        assert_eq!(
            store.lookup("key").await,
            Found::Nothing,
            "soft after hard is hard"
        );
    }
}

/// Whoever holds an entry can ask what became of it, even when it is in the store no more.
pub async fn validity_follows_the_tags<S: Store>(store: Arc<S>) {
    let store = Subject(store);
    let own = tags(&["a", "b"]);
    let replaced = store.fill("key", &own).await;
    let held = store.fill("key", &tags(&["b"])).await;
    for entry in [&replaced, &held] {
        assert_eq!(store.validity(entry).await, Validity::Valid);
    }
    store.forget(&tags(&["other"]), Strength::Hard).await;
    assert_eq!(store.validity(&held).await, Validity::Valid);
    store.forget(&own[..1], Strength::Hard).await;
    assert_eq!(store.validity(&replaced).await, Validity::Dead);
    assert_eq!(store.validity(&held).await, Validity::Valid);
    store.forget(&own, Strength::Soft).await;
    assert_eq!(store.validity(&held).await, Validity::Soft);
    store.forget(&own, Strength::Hard).await;
    assert_eq!(store.validity(&held).await, Validity::Dead);
    let another = store.fill("key", &own).await;
    store.forget_everything(Strength::Soft).await;
    assert_eq!(store.validity(&another).await, Validity::Soft);
    store.forget_everything(Strength::Hard).await;
    assert_eq!(store.validity(&another).await, Validity::Dead);
}
