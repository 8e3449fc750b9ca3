//! The engine without the macro: one run, what survives, what an invalidation does, what is served stale.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use larder::{CacheHints, FillPolicy, Larder, MemoryStore, NamedTtl, PresetTtls, Tag, Ttl, Values};
use larder_testkit::{Call, FailingStore, Mode};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use crate::support::{cache, soon, until};

fn numbers() -> FillPolicy {
    FillPolicy::new("numbers").ttl("1m").tag("numbers")
}

fn plain() -> Values<usize> {
    numbers().in_process(|_| 8)
}

/// Counts its runs: each answers how many there were.
#[derive(Clone, Default)]
struct Runs(Arc<AtomicUsize>);

impl Runs {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    async fn run(&self) -> Result<usize, Infallible> {
        Ok(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

async fn ask(larder: &Larder, values: &Values<usize>, runs: &Runs) -> usize {
    let Ok(value) = larder.get_or_fill("key", values, || runs.run()).await;
    value
}

/// Waits until `count` tasks wait for one that makes the value: they were polled as often as it takes.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_value_of_one_key_is_forgotten_alone_and_what_is_under_way_is_not_kept() {
    let larder = Larder::in_memory(1 << 20);
    let (values, others) = (plain(), FillPolicy::new("others").ttl("1m").in_process(|_| 8));
    let fill = async |keys: Vec<u64>| Ok::<_, Infallible>(keys.into_iter().map(|key| (key, 1)).collect());
    let Ok(_) = larder.fill_many(&[1_u64, 2], &values, fill).await;
    for values in [&values, &others] {
        assert!(larder.put(3_u64, values, 1_usize).await);
    }
    for key in [1_u64, 3] {
        assert_eq!(larder.invalidate_key(key, &values).await.unwrap().known, 1);
    }
    assert_eq!(
        larder.get_many(&[1_u64, 2, 3], &values).await,
        [None, Some(1), None]
    );
    assert_eq!(larder.get(3_u64, &others).await, Some(1));

    let run = async || {
        larder.invalidate_key(1_u64, &values).await.unwrap();
        Ok::<_, Infallible>(1)
    };
    let Ok(_) = larder.get_or_fill(1_u64, &values, run).await;
    assert_eq!(larder.get(1_u64, &values).await, None, "what it read may be old");
}

#[tokio::test]
async fn a_value_is_made_once_and_again_after_its_end() {
    let (larder, clock) = cache(1 << 20);
    let (values, runs) = (plain(), Runs::default());
    assert_eq!(larder.get("key", &values).await, None);
    assert_eq!(ask(&larder, &values, &runs).await, 1);
    assert_eq!(ask(&larder, &values, &runs).await, 1);
    assert_eq!(larder.get("key", &values).await, Some(1));
    clock.advance(Duration::from_secs(60));
    assert_eq!(larder.get("key", &values).await, None);
    assert_eq!(ask(&larder, &values, &runs).await, 2);
}

#[tokio::test]
async fn other_keys_names_and_types_are_other_places() {
    let (larder, _) = cache(1 << 20);
    let values = plain();
    assert!(larder.put((1u8, "a"), &values, 1).await);
    assert_eq!(larder.get((1u8, "a"), &values).await, Some(1));
    assert_eq!(larder.get((1u8, "b"), &values).await, None);
    assert_eq!(larder.get((1u16, "a"), &values).await, None);
    let other: Values<usize> = FillPolicy::new("others").in_process(|_| 8);
    assert_eq!(larder.get((1u8, "a"), &other).await, None);
    let texts: Values<String> = numbers().in_process(String::len);
    assert_eq!(
        larder.get((1u8, "a"), &texts).await,
        None,
        "another type under the same name"
    );
    assert_eq!(larder.get((1u8, "a"), &values).await, Some(1));
}

#[tokio::test]
async fn values_and_responses_share_a_store_and_its_invalidations() {
    use axum::{Router, body::Body, routing::get};
    use tower::ServiceExt;
    let (larder, _) = cache(1 << 20);
    let layer = larder.hot_cache("numbers").tag("numbers");
    let app: Router = Router::new().route("/", get(|| async { "1" }).layer(layer));
    let response = || async {
        let request = http::Request::get("/").body(Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap().headers()["x-cache"].clone()
    };
    let (values, runs) = (plain(), Runs::default());
    ask(&larder, &values, &runs).await;
    response().await;
    assert_eq!(larder.size().entries, 2);
    assert_eq!(response().await, "HIT");
    larder.invalidate_tag("numbers").await.unwrap();
    assert_eq!(response().await, "MISS");
    assert_eq!(ask(&larder, &values, &runs).await, 2);
    larder.invalidate_tag(Tag::layer("numbers")).await.unwrap();
    assert_eq!(ask(&larder, &values, &runs).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_are_one_run() {
    let (larder, _) = cache(1 << 20);
    let (values, runs) = (plain(), Runs::default());
    let open = Arc::new(Semaphore::new(0));
    let mut calls = JoinSet::new();
    let began = Arc::new(AtomicUsize::new(0));
    for _ in 0..1000 {
        let (larder, values, runs) = (larder.clone(), values.clone(), runs.clone());
        let (open, began) = (Arc::clone(&open), Arc::clone(&began));
        calls.spawn(async move {
            began.fetch_add(1, Ordering::SeqCst);
            let fill = || async {
                open.acquire().await.unwrap().forget();
                runs.run().await
            };
            larder.get_or_fill("key", &values, fill).await
        });
    }
    until("all calls have begun", || began.load(Ordering::SeqCst) == 1000).await;
    open.add_permits(1);
    while let Some(value) = soon(calls.join_next()).await {
        assert_eq!(value.unwrap(), Ok(1));
    }
    assert_eq!(runs.count(), 1);
}

#[tokio::test]
async fn a_run_that_is_cancelled_is_taken_over() {
    let (larder, _) = cache(1 << 20);
    let (values, runs) = (plain(), Runs::default());
    let leader = tokio::spawn({
        let (larder, values) = (larder.clone(), values.clone());
        async move {
            larder
                .get_or_fill("key", &values, || {
                    std::future::pending::<Result<usize, Infallible>>()
                })
                .await
        }
    });
    settle().await;
    let waiters: Vec<_> = (0..10)
        .map(|_| {
            let (larder, values, runs) = (larder.clone(), values.clone(), runs.clone());
            tokio::spawn(async move { ask(&larder, &values, &runs).await })
        })
        .collect();
    settle().await;
    assert_eq!(runs.count(), 0, "they wait");
    leader.abort();
    for waiter in waiters {
        assert_eq!(soon(waiter).await.unwrap(), 1);
    }
    assert_eq!(runs.count(), 1);
}

#[tokio::test]
async fn a_run_that_panics_frees_those_who_wait() {
    let (larder, _) = cache(1 << 20);
    let (values, runs) = (plain(), Runs::default());
    let go = Arc::new(Notify::new());
    let leader = tokio::spawn({
        let (larder, values, go) = (larder.clone(), values.clone(), Arc::clone(&go));
        async move {
            let fill = || async {
                go.notified().await;
                panic!("the function panics");
            };
            larder
                .get_or_fill::<_, Infallible, _, _>("key", &values, fill)
                .await
        }
    });
    settle().await;
    let waiter = tokio::spawn({
        let (larder, values, runs) = (larder.clone(), values.clone(), runs.clone());
        async move { ask(&larder, &values, &runs).await }
    });
    settle().await;
    go.notify_one();
    assert!(soon(leader).await.unwrap_err().is_panic());
    assert_eq!(soon(waiter).await.unwrap(), 1);
    assert_eq!(ask(&larder, &values, &runs).await, 1, "and its value is kept");
}

#[tokio::test]
async fn an_error_is_its_callers_and_is_not_kept() {
    let (larder, _) = cache(1 << 20);
    let values = plain();
    let failed = larder.get_or_fill("key", &values, || async { Err("no") }).await;
    assert_eq!(failed, Err("no"));
    assert_eq!(
        larder
            .get_or_fill("key", &values, || async { Ok::<_, &str>(1) })
            .await,
        Ok(1)
    );
}

#[tokio::test]
async fn an_invalidation_during_a_run_is_not_lost() {
    let (larder, _) = cache(1 << 20);
    let (values, runs) = (plain(), Runs::default());
    for tag in ["numbers", "own", "hint"] {
        let values = values.clone().hints(|_| CacheHints::new().tag("hint"));
        let slot = larder.slot(tag, &values).tags(|| vec![Tag::new("own")]);
        let overtaken = slot.get_or_fill(|| async {
            larder.invalidate_tag(tag).await.unwrap();
            runs.run().await
        });
        let Ok(before) = overtaken.await;
        assert_eq!(larder.get(tag, &values).await, None, "{tag}");
        let Ok(after) = larder.get_or_fill(tag, &values, || runs.run()).await;
        assert_eq!(after, before + 1, "{tag}");
    }
}

#[tokio::test]
async fn who_comes_after_an_invalidation_does_not_get_what_was_made_before() {
    let (larder, _) = cache(1 << 20);
    let (values, runs) = (plain(), Runs::default());
    let go = Arc::new(Notify::new());
    // Known before the run, after it, or only to the value.
    for tag in ["numbers", "hint"] {
        let values = values.clone().hints(|_| CacheHints::new().tag("hint"));
        let first = tokio::spawn({
            let (larder, values, runs, go) = (larder.clone(), values.clone(), runs.clone(), Arc::clone(&go));
            async move {
                let fill = || async {
                    let value = runs.run().await;
                    go.notified().await;
                    value
                };
                larder.get_or_fill(tag, &values, fill).await
            }
        });
        settle().await;
        let before = runs.count();
        larder.invalidate_tag(tag).await.unwrap();
        let second = tokio::spawn({
            let (larder, values, runs) = (larder.clone(), values.clone(), runs.clone());
            async move { larder.get_or_fill(tag, &values, || runs.run()).await }
        });
        settle().await;
        go.notify_one();
        assert_eq!(soon(first).await.unwrap(), Ok(before));
        assert_eq!(soon(second).await.unwrap(), Ok(before + 1), "{tag}");
    }
}

/// Who takes over a run whose tags were forgotten meanwhile waits for the one that began since.
#[tokio::test]
async fn a_run_that_came_to_nothing_is_not_taken_over() {
    let (larder, _) = cache(1 << 20);
    let (values, runs) = (plain(), Runs::default());
    let never = std::future::pending::<Result<usize, Infallible>>;
    let leader = tokio::spawn({
        let (larder, values) = (larder.clone(), values.clone());
        async move { larder.get_or_fill("key", &values, never).await }
    });
    settle().await;
    let call = |fill: Option<Arc<Notify>>| {
        let (larder, values, runs) = (larder.clone(), values.clone(), runs.clone());
        tokio::spawn(async move {
            let fill = || async {
                let value = runs.run().await;
                if let Some(go) = fill {
                    go.notified().await;
                }
                value
            };
            larder.get_or_fill("key", &values, fill).await
        })
    };
    let waiter = call(None);
    settle().await;
    larder.invalidate_tag("numbers").await.unwrap();
    let go = Arc::new(Notify::new());
    let since = call(Some(Arc::clone(&go)));
    settle().await;
    leader.abort();
    settle().await;
    assert_eq!(runs.count(), 1, "one run of what is there since");
    go.notify_one();
    assert_eq!(soon(since).await.unwrap(), Ok(1));
    assert_eq!(soon(waiter).await.unwrap(), Ok(1));
    assert_eq!(ask(&larder, &values, &runs).await, 1, "it was kept");
}

#[tokio::test]
async fn what_is_not_kept_is_for_those_who_waited_alone() {
    let (larder, _) = cache(1 << 20);
    let values = plain().hints(|_| CacheHints::new().no_store());
    let runs = Runs::default();
    let go = Arc::new(Notify::new());
    for invalidated in [false, true] {
        let first = tokio::spawn({
            let (larder, values, runs, go) = (larder.clone(), values.clone(), runs.clone(), Arc::clone(&go));
            async move {
                let fill = || async {
                    let value = runs.run().await;
                    go.notified().await;
                    value
                };
                larder.get_or_fill("key", &values, fill).await
            }
        });
        settle().await;
        let second = tokio::spawn({
            let (larder, values, runs) = (larder.clone(), values.clone(), runs.clone());
            async move { ask(&larder, &values, &runs).await }
        });
        settle().await;
        let made = runs.count();
        if invalidated {
            larder.invalidate_tag("numbers").await.unwrap();
        }
        go.notify_one();
        assert_eq!(soon(first).await.unwrap(), Ok(made));
        assert_eq!(soon(second).await.unwrap(), made + usize::from(invalidated));
    }
    let before = runs.count();
    assert_eq!(ask(&larder, &values, &runs).await, before + 1);
}

#[tokio::test]
async fn hints_say_how_long_a_value_is_kept() {
    let (larder, clock) = cache(1 << 20);
    let values: Values<Option<u8>> = numbers().in_process(|_| 1).hints(|value| match value {
        Some(_) => CacheHints::new(),
        None => CacheHints::new().ttl(Duration::from_secs(10)),
    });
    larder.put(1, &values, Some(1)).await;
    larder.put(2, &values, None).await;
    assert_eq!(
        larder.get_many(&[1, 2, 3], &values).await,
        [Some(Some(1)), Some(None), None]
    );
    clock.advance(Duration::from_secs(10));
    assert_eq!(
        larder.get_many(&[1, 2, 3], &values).await,
        [Some(Some(1)), None, None]
    );
}

#[tokio::test]
async fn a_named_lifetime_is_as_long_as_the_configuration_says() {
    let clock = larder::FakeClock::new();
    let larder = Larder::builder(MemoryStore::with_capacity(1 << 20))
        .clock(clock.clock())
        .ttls(PresetTtls::new().with_named(NamedTtl::Short, Duration::from_secs(7)))
        .build();
    let values: Values<u8> = numbers().ttl("short").in_process(|_| 1);
    larder.put(1, &values, 1).await;
    clock.advance(Duration::from_millis(6_999));
    assert_eq!(larder.get(1, &values).await, Some(1));
    clock.advance(Duration::from_millis(1));
    assert_eq!(larder.get(1, &values).await, None);
    assert_eq!(Ttl::from("2h"), Ttl::Of(Duration::from_secs(7200)));
}

#[tokio::test]
async fn a_layer_and_a_handler_take_lifetimes_by_name() {
    use axum::{Router, body::Body, routing::get};
    use tower::ServiceExt;
    let clock = larder::FakeClock::new();
    let larder = Larder::builder(MemoryStore::with_capacity(1 << 20))
        .clock(clock.clock())
        .ttls(PresetTtls::new().with_named(NamedTtl::Short, Duration::from_secs(7)))
        .build();
    let hinted = get(|| async { (CacheHints::new().ttl("short"), "1") });
    let app: Router = Router::new()
        .route(
            "/layer",
            get(|| async { "1" }).layer(larder.hot_cache("layer").ttl("short")),
        )
        .route("/hint", hinted.layer(larder.public_cache("hint").ttl("1d")));
    for (seconds, expected) in [(0, "MISS"), (6, "HIT"), (1, "MISS")] {
        clock.advance(Duration::from_secs(seconds));
        for path in ["/layer", "/hint"] {
            let request = http::Request::get(path).body(Body::empty()).unwrap();
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.headers()["x-cache"], expected, "{path}");
        }
    }
}

fn stale() -> FillPolicy {
    numbers().stale_while_revalidate("30s").stale_if_error("2m")
}

async fn refresh(larder: &Larder, values: &Values<usize>, runs: &Runs) -> usize {
    let fill = || {
        let runs = runs.clone();
        async move { runs.run().await }
    };
    let Ok(value) = larder.slot("key", values).get_or_refresh(fill).await;
    value
}

#[tokio::test]
async fn a_stale_value_is_served_while_it_is_made_anew() {
    let (larder, clock) = cache(1 << 20);
    let (values, runs) = (stale().in_process(|_| 8), Runs::default());
    assert_eq!(refresh(&larder, &values, &runs).await, 1);
    clock.advance(Duration::from_secs(70));
    assert_eq!(refresh(&larder, &values, &runs).await, 1, "stale");
    soon(larder.idle()).await;
    assert_eq!(runs.count(), 2);
    assert_eq!(refresh(&larder, &values, &runs).await, 2);
    clock.advance(Duration::from_secs(90));
    assert_eq!(
        refresh(&larder, &values, &runs).await,
        3,
        "past the window it waits"
    );
}

#[tokio::test]
async fn work_that_borrows_is_not_done_in_the_background() {
    let (larder, clock) = cache(1 << 20);
    let (values, runs) = (stale().in_process(|_| 8), Runs::default());
    assert_eq!(ask(&larder, &values, &runs).await, 1);
    clock.advance(Duration::from_secs(70));
    assert_eq!(ask(&larder, &values, &runs).await, 2);
}

#[tokio::test]
async fn what_was_forgotten_is_not_served_stale() {
    let (larder, clock) = cache(1 << 20);
    let (values, runs) = (stale().in_process(|_| 8), Runs::default());
    assert_eq!(refresh(&larder, &values, &runs).await, 1);
    clock.advance(Duration::from_secs(70));
    larder.invalidate_tag("numbers").await.unwrap();
    assert_eq!(refresh(&larder, &values, &runs).await, 2);
}

#[tokio::test]
async fn a_value_stands_in_for_an_error_within_its_window() {
    let (larder, clock) = cache(1 << 20);
    let values: Values<usize> = stale().in_process(|_| 8);
    let fail = || larder.get_or_fill("key", &values, || async { Err("no") });
    larder.put("key", &values, 1).await;
    clock.advance(Duration::from_secs(60 + 119));
    assert_eq!(fail().await, Ok(1));
    clock.advance(Duration::from_secs(1));
    assert_eq!(fail().await, Err("no"));
    larder.put("key", &values, 1).await;
    clock.advance(Duration::from_secs(100));
    larder.invalidate_tag("numbers").await.unwrap();
    assert_eq!(fail().await, Err("no"), "it was forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_soft_timeout_answers_stale_and_the_work_goes_on() {
    let (larder, clock) = cache(1 << 20);
    let values: Values<usize> = numbers()
        .stale_if_error("2m")
        .soft_timeout(Duration::from_millis(100))
        .in_process(|_| 8);
    let slowly = |millis: u64, value: Result<usize, &'static str>| {
        larder.slot("key", &values).get_or_refresh(move || async move {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            value
        })
    };
    assert_eq!(slowly(1000, Ok(1)).await, Ok(1), "nothing to fall back on");
    clock.advance(Duration::from_secs(70));
    assert_eq!(slowly(50, Ok(2)).await, Ok(2), "in time");
    clock.advance(Duration::from_secs(70));
    assert_eq!(slowly(1000, Ok(3)).await, Ok(2), "stale");
    larder.idle().await;
    assert_eq!(larder.get("key", &values).await, Some(3), "it went on");
    clock.advance(Duration::from_secs(70));
    assert_eq!(slowly(50, Err("no")).await, Ok(3), "it stands in");
    let forgotten = larder.slot("key", &values).get_or_refresh(|| {
        let larder = larder.clone();
        async move {
            larder.invalidate_tag("numbers").await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, &str>(4)
        }
    });
    assert_eq!(
        forgotten.await,
        Ok(4),
        "what was forgotten meanwhile is not what it falls back on"
    );
}

#[tokio::test]
async fn a_value_is_made_anew_before_its_end() {
    let (larder, clock) = cache(1 << 20);
    // So eager that any luck will do.
    let (values, runs) = (numbers().early_refresh(1e12).in_process(|_| 8), Runs::default());
    assert_eq!(refresh(&larder, &values, &runs).await, 1);
    clock.advance(Duration::from_secs(59));
    assert_eq!(refresh(&larder, &values, &runs).await, 1);
    soon(larder.idle()).await;
    assert_eq!(runs.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_makes_its_own() {
    let (larder, _) = cache(1 << 20);
    let (values, runs) = (
        numbers().wait(Duration::from_secs(1)).in_process(|_| 8),
        Runs::default(),
    );
    let leader = tokio::spawn({
        let (larder, values) = (larder.clone(), values.clone());
        async move {
            larder
                .get_or_fill("key", &values, || {
                    std::future::pending::<Result<usize, Infallible>>()
                })
                .await
        }
    });
    settle().await;
    assert_eq!(ask(&larder, &values, &runs).await, 1);
    leader.abort();
}

#[tokio::test]
async fn switched_off_each_call_runs() {
    let (larder, _) = cache(1 << 20);
    let (values, runs) = (plain(), Runs::default());
    ask(&larder, &values, &runs).await;
    larder.set_enabled(false);
    assert_eq!(ask(&larder, &values, &runs).await, 2);
    assert_eq!(larder.get("key", &values).await, None);
    larder.set_enabled(true);
    assert_eq!(ask(&larder, &values, &runs).await, 1);
}

#[tokio::test]
async fn a_failing_store_fails_no_call() {
    for call in [Call::Lookup, Call::Capture, Call::Put] {
        let store = FailingStore::new(MemoryStore::with_capacity(1 << 20));
        let larder = Larder::new(store.clone());
        let (values, runs) = (plain(), Runs::default());
        store.set(call, Mode::Error);
        assert_eq!(soon(ask(&larder, &values, &runs)).await, 1, "{call:?}");
        assert_eq!(soon(ask(&larder, &values, &runs)).await, 2, "{call:?}");
    }
}

#[test]
fn the_future_of_a_call_can_be_sent() {
    fn sends<F: Future + Send>(_: F) {}
    let (larder, _) = cache(1 << 16);
    let (values, runs) = (plain(), Runs::default());
    sends(larder.get_or_fill("key", &values, || runs.run()));
}
