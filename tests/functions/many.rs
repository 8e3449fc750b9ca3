//! Many keys at once: one look-up, one run for all that are missing, and what is kept of it.

use std::convert::Infallible;
use std::sync::Mutex;
use std::time::Duration;

use larder::{CacheHints, FillPolicy, Larder, MemoryStore, Values};
use larder_testkit::{Call, FailingStore, Mode};

use crate::support::cache;

fn names() -> Values<String> {
    FillPolicy::new("names")
        .ttl("1m")
        .tag("names")
        .in_process(String::len)
}

async fn load(missing: Vec<u32>) -> Result<Vec<(u32, String)>, Infallible> {
    Ok(missing
        .into_iter()
        .filter(|id| *id < 100)
        .rev()
        .map(|id| (id, format!("name {id}")))
        .collect())
}

fn name(id: u32) -> Option<String> {
    Some(format!("name {id}"))
}

#[tokio::test]
async fn only_what_is_missing_is_asked_for_and_each_once() {
    let (larder, clock) = cache(1 << 20);
    let values = names();
    let asked = Mutex::new(Vec::new());
    let fill = |keys: &'static [u32]| {
        larder.fill_many(keys, &values, |missing| {
            asked.lock().unwrap().push(missing.clone());
            load(missing)
        })
    };
    assert_eq!(
        fill(&[1, 2, 2, 100, 1]).await,
        Ok(vec![name(1), name(2), name(2), None, name(1)])
    );
    assert_eq!(fill(&[3, 1]).await, Ok(vec![name(3), name(1)]));
    assert_eq!(fill(&[2, 3]).await, Ok(vec![name(2), name(3)]));
    assert_eq!(fill(&[]).await, Ok(vec![]));
    assert_eq!(fill(&[100]).await, Ok(vec![None]), "asked for again");
    assert_eq!(*asked.lock().unwrap(), [vec![1, 2, 100], vec![3], vec![100]]);
    assert_eq!(
        larder.get(3, &values).await,
        name(3),
        "one by one they are there too"
    );
    clock.advance(Duration::from_secs(60));
    assert_eq!(larder.get_many(&[1, 2], &values).await, [None, None]);
}

#[tokio::test]
async fn what_is_forgotten_meanwhile_is_not_kept() {
    let (larder, _) = cache(1 << 20);
    for tag in ["names", "name 1"] {
        let values = names().hints(|name: &String| CacheHints::new().tag(name.as_str()));
        let filled = larder.fill_many(&[1, 2], &values, async |missing| {
            larder.invalidate_tag(tag).await.unwrap();
            load(missing).await
        });
        assert_eq!(filled.await, Ok(vec![name(1), name(2)]));
        let second = if tag == "names" { None } else { name(2) };
        assert_eq!(larder.get_many(&[1, 2], &values).await, [None, second], "{tag}");
    }
}

#[tokio::test]
async fn an_error_is_the_callers_and_a_foreign_answer_is_ignored() {
    let (larder, _) = cache(1 << 20);
    let values = names();
    let failed = larder.fill_many(&[1], &values, async |_| Err("no")).await;
    assert_eq!(failed, Err("no"));
    let foreign = async |_| Ok::<_, Infallible>(vec![(7, "seven".to_owned())]);
    assert_eq!(larder.fill_many(&[1], &values, foreign).await, Ok(vec![None]));
    assert_eq!(larder.get(7, &values).await, None);
}

#[tokio::test]
async fn a_store_that_answers_later_or_not_at_all() {
    for (mode, kept) in [(Mode::Later, true), (Mode::Error, false)] {
        let store = FailingStore::new(MemoryStore::with_capacity(1 << 20));
        let larder = Larder::new(store.clone());
        let values = names();
        store.set_all(mode);
        assert_eq!(
            larder.fill_many(&[1, 2], &values, load).await,
            Ok(vec![name(1), name(2)])
        );
        let expected = if kept { [name(1), name(2)] } else { [None, None] };
        assert_eq!(larder.get_many(&[1, 2], &values).await, expected, "{mode:?}");
        assert!(store.calls(Call::Lookup) >= 4);
    }
}

#[tokio::test]
async fn switched_off_all_are_asked_for() {
    let (larder, _) = cache(1 << 20);
    let values = names();
    larder.put(1, &values, "old".to_owned()).await;
    larder.set_enabled(false);
    assert_eq!(
        larder.fill_many(&[1, 2, 1], &values, load).await,
        Ok(vec![name(1), name(2), name(1)])
    );
    larder.set_enabled(true);
    assert_eq!(
        larder.get_many(&[1, 2], &values).await,
        [Some("old".to_owned()), None]
    );
}
