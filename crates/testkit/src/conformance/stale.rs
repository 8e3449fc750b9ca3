//! No stale fill: what began before an invalidation is not found after it.

use std::sync::Arc;

use larder_store::{Kept, Store, Strength, Tag, Validity};

use super::{Found, Subject, fresh, tag, tags};

const BOTH: [Strength; 2] = [Strength::Hard, Strength::Soft];

/// An entry whose capture is older than an invalidation of one of its tags is not found, whichever of its tags it is
/// and whether or not other entries carry it.
pub async fn an_overtaken_fill_is_not_found<S: Store>(store: Arc<S>) {
    let store = Subject(store);
    let own = tags(&["first", "middle", "last"]);
    for strength in BOTH {
        for forgotten in &own {
            for carried in [false, true] {
                let case = format!("{forgotten} {carried} {}", strength.as_str());
                let capture = store.capture(&own).await;
                if carried {
                    store.fill("carrier", &own).await;
                }
                store.forget(std::slice::from_ref(forgotten), strength).await;
                overtaken(&store, &case, &own, capture.clone()).await;
                // A new carrier of the tag must not hide what its record said before.
                let late = format!("{case}, with a newer carrier");
                store.fill("new carrier", &own).await;
                overtaken(&store, &late, &own, capture).await;
                assert_eq!(store.lookup("new carrier").await, fresh("new carrier"), "{case}");
                store.forget_everything(Strength::Hard).await;
            }
        }
    }
}

/// Puts an entry with the old `capture`, and sees that it does not pass for a fresh one.
async fn overtaken<S: Store>(store: &Subject<S>, key: &str, tags: &[Tag], capture: larder_store::Capture) {
    let put = store.put(key, key, tags, capture).await;
    assert!(
        !matches!(store.lookup(key).await, Found::Fresh(_)),
        "{key}: the fill began before the invalidation, and was found after it"
    );
    assert_ne!(
        store.validity(&put.entry).await,
        Validity::Valid,
        "{key}: the fill began before the invalidation"
    );
}

/// The same for an invalidation of everything.
pub async fn a_fill_overtaken_by_an_invalidation_of_everything_is_not_found<S: Store>(store: Arc<S>) {
    let store = Subject(store);
    for strength in BOTH {
        for own in [tags(&[]), tags(&["a"]), tags(&["a", "b"])] {
            let capture = store.capture(&own).await;
            store.forget_everything(strength).await;
            overtaken(&store, &format!("{own:?} {}", strength.as_str()), &own, capture).await;
        }
    }
}

/// Tags that become known only while the response is made count like those that were captured.
pub async fn a_tag_that_was_not_captured_counts_too<S: Store>(store: Arc<S>) {
    let store = Subject(store);
    for (n, strength) in BOTH.into_iter().enumerate() {
        for carried in [false, true] {
            let dynamic = format!("dynamic {n} {carried}");
            let capture = store.capture(&tags(&["known"])).await;
            if carried {
                store.fill("carrier", &tags(&[&dynamic])).await;
            }
            store.forget(&[tag(&dynamic)], strength).await;
            overtaken(&store, &dynamic, &tags(&["known", &dynamic]), capture).await;
        }
    }
}

/// What was forgotten before a fill began is no reason not to keep it: a store that keeps nothing is of no use.
pub async fn an_invalidation_before_the_capture_does_not_count<S: Store>(store: Arc<S>) {
    let store = Subject(store);
    let own = tags(&["a", "b"]);
    for n in 0..20 {
        store.forget(&own, BOTH[n % 2]).await;
        if n % 3 == 0 {
            store.forget_everything(BOTH[n % 2]).await;
        }
        store.fill("a", &own).await;
        assert_eq!(store.lookup("a").await, fresh("a"), "round {n}");
    }
    // Nor is one of other tags, while the fill is under way.
    let capture = store.capture(&own).await;
    store.forget(&tags(&["other", "another"]), Strength::Hard).await;
    let put = store.put("a", "newer", &own, capture).await;
    assert_eq!(put.kept, Kept::Stored);
    assert_eq!(store.lookup("a").await, fresh("newer"));
}

/// Requests share a fill when their fingerprints are equal: so these must differ after an invalidation of their tags,
/// of whatever strength, and should not after one of others.
pub async fn a_fingerprint_changes_with_its_own_tags_only<S: Store>(store: Arc<S>) {
    let store = Subject(store);
    let own = tags(&["a", "b"]);
    for carried in [false, true] {
        if carried {
            store.fill("carrier", &own).await;
        }
        let mut seen = vec![store.capture(&own).await.fingerprint()];
        for strength in BOTH {
            for forgotten in [tags(&["a"]), tags(&["b"]), own.clone(), tags(&["c", "b"])] {
                store.forget(&tags(&["unrelated"]), strength).await;
                let last = store.capture(&own).await.fingerprint();
                assert_eq!(Some(&last), seen.last(), "an unrelated tag was forgotten since");
                store.forget(&forgotten, strength).await;
                is_new(
                    &mut seen,
                    store.capture(&own).await.fingerprint(),
                    &forgotten,
                    strength,
                );
            }
            store.forget_everything(strength).await;
            is_new(&mut seen, store.capture(&own).await.fingerprint(), &[], strength);
        }
    }
}

fn is_new(seen: &mut Vec<u64>, fingerprint: u64, forgotten: &[Tag], strength: Strength) {
    assert!(
        !seen.contains(&fingerprint),
        "the fingerprint is that of a capture before: {forgotten:?} (all when empty) was forgotten in between, {}",
        strength.as_str()
    );
    seen.push(fingerprint);
}
