//! Running it: handles, switches, names, settings, the end of background work, and stores that fail.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support_flows;

use std::time::Duration;

use http::StatusCode;
use larder::store::StoreErrorKind;
use larder::{CacheLayer, Config, ErrorKind, Larder, MemoryStore, Preset};
use larder_testkit::{Call, FailingStore, Mode};
use support_flows::*;
use tokio::time::{Instant, sleep};

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
/// What the store may take, by default.
const STORE_TIMEOUT: Duration = Duration::from_millis(50);
/// What a timer may be late by: they are exact to a millisecond.
const LATE: Duration = Duration::from_millis(5);

/// A service that answers with the number of its run.
fn counting(layer: &CacheLayer, runs: &Count) -> App {
    let runs = runs.clone();
    app(layer, move |_| {
        let run = runs.add();
        async move { ok(run) }
    })
}

#[test]
fn a_handle_is_made_outside_a_runtime() {
    let larder = Larder::in_memory(1 << 20);
    let app = counting(
        &larder
            .cache("outside")
            .ttl(MINUTE)
            .stale_while_revalidate(MINUTE)
            .early_refresh(1e12),
        &Count::default(),
    );
    // It serves in one runtime and then in another, and in the second, too, it fills in the background.
    for expected in ["1", "2"] {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            assert_eq!(see(&app, "/").await.1, expected);
            if expected == "1" {
                see(&app, "/").await;
            }
            larder.idle().await;
        });
    }
}

#[tokio::test(start_paused = true)]
async fn handles_do_not_share_and_clones_do() {
    let (first, second) = (Larder::in_memory(1 << 20), Larder::in_memory(1 << 20));
    let runs = Count::default();
    let layer = |larder: &Larder| larder.cache("one-name").ttl(MINUTE).tag("one-tag");
    let (a, b) = (counting(&layer(&first), &runs), counting(&layer(&second), &runs));
    assert_eq!(see(&a, "/").await, pair("MISS", 1));
    assert_eq!(see(&b, "/").await, pair("MISS", 2));
    assert_eq!(first.invalidate_tag("one-tag").await.unwrap().known, 1);
    first.switch("one-name").unwrap().set(false);
    assert_eq!(see(&b, "/").await, pair("HIT", 2));
    first.set_enabled(false);
    assert_eq!(see(&b, "/").await, pair("HIT", 2));
    let clone = counting(&layer(&second.clone()).share_name(), &runs);
    assert_eq!(see(&clone, "/").await, pair("HIT", 2));
}

#[tokio::test]
async fn after_a_miss_was_answered_the_next_request_sees_the_entry() {
    let (larder, _) = fake();
    let app = app(&larder.cache("sequence").ttl(MINUTE), |request| async move {
        match request.uri().query() {
            Some("streamed") => response(200, &[], chunks(["a ", "body"])),
            _ => ok("a body"),
        }
    });
    for key in 0..200 {
        for query in ["", "?streamed"] {
            let uri = format!("/{key}{query}");
            assert_eq!(see(&app, &uri).await, pair("MISS", "a body"), "{uri}");
            assert_eq!(see(&app, &uri).await, pair("HIT", "a body"), "{uri}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn layers_are_switched_off_and_on_while_they_serve() {
    let (larder, _) = fake();
    let runs = Count::default();
    let one = counting(&larder.cache("one").ttl(MINUTE).tag("tag"), &runs);
    let two = counting(&larder.cache("two").ttl(MINUTE), &runs);
    assert_eq!(see(&one, "/").await, pair("MISS", 1));
    assert_eq!(see(&two, "/").await, pair("MISS", 2));

    let switch = larder.switch("one").unwrap();
    assert!(switch.is_on() && larder.switch("none").is_none());
    switch.set(false);
    let answer = ask(&one, get("/")).await;
    assert_eq!(cache_status(&answer), "larder; fwd=bypass; detail=disabled");
    assert_eq!(seen(answer).await, pair("BYPASS", 3));
    assert_eq!(see(&two, "/").await, pair("HIT", 2), "the other is on");
    switch.set(true);
    assert_eq!(see(&one, "/").await, pair("HIT", 1), "what was kept stays");

    larder.set_enabled(false);
    assert_eq!(see(&one, "/").await, pair("BYPASS", 4));
    assert_eq!(see(&two, "/").await, pair("BYPASS", 5));
    larder.invalidate_tag("tag").await.unwrap();
    larder.set_enabled(true);
    assert_eq!(
        see(&one, "/").await,
        pair("MISS", 6),
        "invalidations are carried out meanwhile"
    );
    assert_eq!(see(&two, "/").await, pair("HIT", 2));
}

/// What a panic says.
fn message_of(what: impl FnOnce()) -> String {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(what)).unwrap_err();
    *panic.downcast::<String>().unwrap()
}

#[test]
fn a_name_belongs_to_one_layer() {
    let (larder, _) = fake();
    let runs = Count::default();
    let _first = counting(&larder.cache("ratings"), &runs);
    let second = larder.cache("ratings").ttl(MINUTE);
    let message = message_of(|| drop(counting(&second, &runs)));
    assert!(
        message.contains("two cache layers are called `ratings`") && message.contains("share_name"),
        "{message}"
    );
    let this = file!();
    assert_eq!(
        message.matches(this).count(),
        2,
        "both places are named: {message}"
    );

    // It was refused, and the first goes on; another handle has names of its own.
    assert!(larder.switch("ratings").is_some());
    drop(counting(&fake().0.cache("ratings"), &runs));

    // A layer may be laid around any number of services, and its clones with it.
    let make = || larder.cache("repeated");
    let once = make();
    let services = (counting(&once, &runs), counting(&once.clone().ttl(MINUTE), &runs));
    // Another that is made at the same place is another layer, as long as the first is there.
    assert!(message_of(|| drop(counting(&make(), &runs))).contains("`repeated`"));
    drop((once, services));
    drop(counting(&make(), &runs));

    assert!(message_of(|| drop(counting(&larder.cache(""), &runs))).contains("not empty"));
}

#[tokio::test(start_paused = true)]
async fn layers_that_share_a_name_share_their_entries() {
    let (larder, _) = fake();
    let runs = Count::default();
    let one = counting(&larder.cache("shared").ttl(MINUTE), &runs);
    let two = counting(&larder.cache("shared").ttl(MINUTE).share_name(), &runs);
    assert_eq!(see(&one, "/").await, pair("MISS", 1));
    assert_eq!(see(&two, "/").await, pair("HIT", 1));
    // It does not matter which of the two says it.
    let _told = counting(&larder.cache("told-first").share_name(), &runs);
    let _other = counting(&larder.cache("told-first"), &runs);
}

/// A service with stale entries under `/` and `/also`, whose later runs wait at the gate.
async fn stale(larder: &Larder, clock: &larder::FakeClock, runs: &Count, gate: &Gate) -> App {
    let (counted, entrance) = (runs.clone(), gate.clone());
    let layer = larder.cache("stale").ttl(SECOND).stale_while_revalidate(MINUTE);
    let app = app(&layer, move |request| {
        let (runs, gate) = (counted.clone(), entrance.clone());
        let first_of_another = request.uri() == "/also" && runs.get() == 0;
        async move {
            if first_of_another {
                return ok("also");
            }
            let run = runs.add();
            if run > 1 {
                gate.pass().await;
            }
            ok(run)
        }
    });
    assert_eq!(see(&app, "/also").await, pair("MISS", "also"));
    assert_eq!(see(&app, "/").await, pair("MISS", 1));
    clock.advance(SECOND);
    app
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_background_fills() {
    let (larder, clock) = fake();
    let (runs, gate) = (Count::default(), Gate::default());
    assert!(larder.shutdown(SECOND).await, "with nothing under way");
    let (larder, clock) = {
        drop((larder, clock));
        fake()
    };
    let app = stale(&larder, &clock, &runs, &gate).await;
    assert_eq!(see(&app, "/").await, pair("STALE", 1));
    let began = Instant::now();
    tokio::spawn(async move {
        sleep(SECOND * 2).await;
        gate.open();
    });
    assert!(larder.shutdown(SECOND * 10).await, "it came to its own end");
    assert!(began.elapsed() < SECOND * 3, "{:?}", began.elapsed());
    assert_eq!(see(&app, "/").await, pair("HIT", 2), "and was kept");
}

#[tokio::test(start_paused = true)]
async fn shutdown_cuts_off_at_its_deadline_and_the_layers_go_on() {
    let (larder, clock) = fake();
    let (runs, gate) = (Count::default(), Gate::default());
    let app = stale(&larder, &clock, &runs, &gate).await;
    assert_eq!(see(&app, "/").await, pair("STALE", 1));
    settle().await;
    assert_eq!(runs.get(), 2);
    let began = Instant::now();
    let ending = tokio::spawn({
        let larder = larder.clone();
        async move { larder.shutdown(SECOND * 3).await }
    });
    settle().await;
    assert_eq!(see(&app, "/also").await, pair("STALE", "also"));
    settle().await;
    assert_eq!(runs.get(), 2, "while it waits it starts none");
    assert!(!ending.await.unwrap(), "it did not come to its end");
    assert_eq!(began.elapsed(), SECOND * 3);
    // The layers answer still: stale, without a fill behind it, and misses.
    gate.open();
    assert_eq!(see(&app, "/").await, pair("STALE", 1));
    larder.idle().await;
    assert_eq!(runs.get(), 2, "no new fill");
    assert_eq!(see(&app, "/other").await, pair("MISS", 3));
    assert_eq!(see(&app, "/other").await, pair("HIT", 3));
    assert!(larder.shutdown(SECOND).await, "a second time");
}

#[tokio::test(start_paused = true)]
async fn a_fill_that_is_cut_off_leaves_its_flight() {
    let (larder, clock) = fake();
    let (runs, gate) = (Count::default(), Gate::default());
    let app = stale(&larder, &clock, &runs, &gate).await;
    assert_eq!(see(&app, "/").await, pair("STALE", 1));
    settle().await;
    larder.shutdown(Duration::ZERO).await;
    assert!(format!("{larder:?}").contains("flights: 0,"));
}

#[tokio::test(start_paused = true)]
async fn the_environment_says_how_it_runs() {
    let read = |set: &'static [(&str, &str)]| {
        Config::read(|name| {
            let found = set.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    };
    let config = read(&[("LARDER_MEMORY", "1MiB"), ("LARDER_HOT_TTL", "7s")]).unwrap();
    let larder = Larder::from_config(&config).unwrap();
    assert_eq!(larder.size().capacity, 1 << 20);
    let hot = counting(&larder.hot_cache("hot"), &Count::default());
    let answer = ask(&hot, get("/")).await;
    assert!(cache_status(&answer).ends_with("; ttl=7") || cache_status(&answer).ends_with("; ttl=6"));
    assert_eq!(config.ttls.of(Preset::Public), MINUTE * 30);

    let off = Larder::from_config(&read(&[("LARDER_ENABLED", "false")]).unwrap()).unwrap();
    let app = counting(&off.hot_cache("hot"), &Count::default());
    assert_eq!(see(&app, "/").await.0, "BYPASS");
    off.set_enabled(true);
    assert_eq!(see(&app, "/").await.0, "MISS", "it is switched on later");

    let error = read(&[("LARDER_ENABLED", "maybe")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(
        error.to_string(),
        "LARDER_ENABLED is \"maybe\"; allowed is true or false"
    );
}

fn failing() -> (FailingStore, Larder, larder::FakeClock) {
    let store = FailingStore::new(MemoryStore::with_capacity(1 << 20));
    let (larder, clock) = with_store(store.clone(), |_| {});
    (store, larder, clock)
}

/// The answer and what it took beyond the handler, which takes no time.
async fn timed(app: &App, uri: &str) -> (Answered, Duration) {
    let began = Instant::now();
    let answer = in_time(ask(app, get(uri))).await;
    (answer, began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn no_failure_of_the_store_fails_a_request_or_holds_it_up_for_long() {
    for mode in [Mode::Error, Mode::Hang] {
        for (call, words) in [
            (Call::Lookup, "tier_error"),
            (Call::Capture, "tier_error"),
            (Call::Put, "store_error"),
        ] {
            for streamed in [false, true] {
                let (store, larder, _) = failing();
                let runs = Count::default();
                let counted = runs.clone();
                let app = app(&larder.cache("failing").ttl(MINUTE), move |_| {
                    let run = counted.add().to_string();
                    async move {
                        if streamed {
                            response(200, &[], chunks([run]))
                        } else {
                            ok(run)
                        }
                    }
                });
                let what = format!("{call:?} {mode:?} streamed: {streamed}");
                store.set(call, mode);
                for run in 1..=2 {
                    let (answer, took) = timed(&app, "/").await;
                    let most = if mode == Mode::Hang {
                        STORE_TIMEOUT + LATE
                    } else {
                        Duration::ZERO
                    };
                    assert!(took <= most, "{what}: {took:?}");
                    assert_eq!(answer.status(), StatusCode::OK);
                    let status = cache_status(&answer).to_owned();
                    // Of a streamed body the answer is on its way before it is put.
                    assert!(
                        status.contains(words) || streamed && call == Call::Put,
                        "{what}: {status}"
                    );
                    assert!(status.matches("detail=").count() <= 1, "{what}: {status}");
                    assert_eq!(text(answer).await, run.to_string(), "{what}");
                }
                // It has recovered, and so has the cache.
                store.set_all(Mode::Ok);
                assert_eq!(see(&app, "/").await, pair("MISS", 3), "{what}");
                assert_eq!(see(&app, "/").await, pair("HIT", 3), "{what}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_keep_does_not_line_up_those_who_wait() {
    for mode in [Mode::Error, Mode::Hang] {
        let (store, larder, _) = failing();
        store.set(Call::Put, mode);
        let work = SECOND;
        let app = app(&larder.cache("queue").ttl(MINUTE), move |_| async move {
            sleep(work).await;
            ok("body")
        });
        let began = Instant::now();
        let all: Vec<_> = (0..20).map(|_| spawn(&app, get("/"))).collect();
        for answer in all {
            assert_eq!(text(answer.await.unwrap().unwrap()).await, "body");
        }
        let most = (work + STORE_TIMEOUT + LATE) * 2;
        assert!(began.elapsed() <= most, "{mode:?}: {:?}", began.elapsed());
    }
}

/// A waiter asks the store whether what it waited for is valid still; without an answer it goes on by itself.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_shown_to_be_valid_is_made_anew() {
    for mode in [Mode::Error, Mode::Hang] {
        let (store, larder, _) = failing();
        store.set(Call::Validity, mode);
        let app = app(&larder.cache("validity").ttl(MINUTE), |_| async {
            sleep(SECOND).await;
            ok("body")
        });
        let began = Instant::now();
        let all: Vec<_> = (0..5).map(|_| spawn(&app, get("/"))).collect();
        for answer in all {
            let answer = answer.await.unwrap().unwrap();
            assert!(!cache_status(&answer).contains("collapsed"), "{mode:?}");
            assert_eq!(text(answer).await, "body");
        }
        assert!(
            began.elapsed() <= SECOND + STORE_TIMEOUT + LATE,
            "{:?}",
            began.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalidation_that_failed_says_so_and_what_to_do() {
    for (mode, kind, took) in [
        (Mode::Error, StoreErrorKind::Io, Duration::ZERO),
        (Mode::Hang, StoreErrorKind::Timeout, SECOND * 2),
    ] {
        let (store, larder, _) = failing();
        store.set(Call::Forget, mode);
        for all in [false, true] {
            let began = Instant::now();
            let error = if all {
                larder.invalidate_all().await.unwrap_err()
            } else {
                larder.invalidate_tag("tag").await.unwrap_err()
            };
            assert_eq!(began.elapsed(), took);
            assert_eq!(error.kind(), ErrorKind::Store);
            let message = error.to_string();
            assert!(
                message.contains("may not have taken place: repeat it, or switch the layers off"),
                "{message}"
            );
            assert!(message.contains(kind.as_str()), "{message}");
            assert!(std::error::Error::source(&error).is_some());
        }
        store.set(Call::Forget, Mode::Ok);
        larder.invalidate_tag("tag").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_store_only_so_many_handlers_run_at_a_time() {
    let store = FailingStore::new(MemoryStore::with_capacity(1 << 20));
    store.set_all(Mode::Error);
    let (larder, _) = with_store(store, |limits| limits.unaided_loads = 3);
    let (runs, gate) = (Count::default(), Gate::default());
    let (counted, entrance) = (runs.clone(), gate.clone());
    let layer = larder.cache("unaided").ttl(MINUTE).wait(SECOND);
    let app = app(&layer, move |_| {
        let (runs, gate) = (counted.clone(), entrance.clone());
        async move {
            runs.add();
            gate.pass().await;
            ok("body")
        }
    });
    let all: Vec<_> = (0..10).map(|key| spawn(&app, get(&format!("/{key}")))).collect();
    settle().await;
    assert_eq!(runs.get(), 3, "the limit");
    sleep(SECOND - LATE).await;
    assert_eq!(runs.get(), 3, "as long as a request waits");
    sleep(LATE * 2).await;
    assert_eq!(
        runs.get(),
        10,
        "then it goes on: no request fails because the cache did"
    );
    gate.open();
    for answer in all {
        assert_eq!(seen(answer.await.unwrap().unwrap()).await, pair("MISS", "body"));
    }
}

/// The same requests to a store that answers at once and to one that answers later: the same answers.
#[tokio::test(start_paused = true)]
async fn a_store_that_answers_later_works_like_one_that_answers_at_once() {
    let mut all = Vec::new();
    for mode in [Mode::Ok, Mode::Later] {
        let (store, larder, clock) = failing();
        store.set_all(mode);
        all.push(scenario(&larder, &clock).await);
        assert!(store.calls(Call::Lookup) > 0 && store.calls(Call::Put) > 0);
    }
    assert_eq!(all[0], all[1]);
    let outcomes: Vec<_> = all[0]
        .iter()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        outcomes,
        [
            "MISS", "HIT", "HIT", "HIT", "HIT", "MISS", "HIT", "MISS", "HIT", "HIT", "MISS", "HIT", "STALE",
            "HIT", "MISS"
        ]
    );
}

/// Misses, hits, 304, HEAD, ranges, variants, invalidations, stale answers and streamed bodies, as lines.
async fn scenario(larder: &Larder, clock: &larder::FakeClock) -> Vec<String> {
    let runs = Count::default();
    let layer = larder
        .cache("scenario")
        .ttl(SECOND * 10)
        .stale_while_revalidate(SECOND * 10);
    let app = app(&layer, move |request| {
        let run = runs.add();
        async move {
            let language = header(request.headers(), "accept-language").to_owned();
            match request.uri().path() {
                "/varied" => response(200, &[("vary", "accept-language")], format!("{language} {run}")),
                "/streamed" => response(200, &[], chunks([format!("streamed {run}")])),
                _ => ok(format!("run {run}")),
            }
        }
    });
    let mut lines = Vec::new();
    let mut tag = String::new();
    let mut look = async |request: http::Request<axum::body::Body>| {
        let answer = ask(&app, request).await;
        header(answer.headers(), "etag").clone_into(&mut tag);
        let (status, said) = (answer.status().as_u16(), cache_status(&answer).to_owned());
        let (outcome, body) = seen(answer).await;
        // What a streamed body leaves behind is kept in the background where the store takes its time.
        larder.idle().await;
        lines.push(format!("{outcome} {status} {body:?} {said}"));
        tag.clone()
    };
    look(get("/a")).await;
    let tag = look(get("/a")).await;
    look(get_with("/a", "if-none-match", &tag)).await;
    look(get_with("/a", "range", "bytes=0-2")).await;
    let head = http::Request::head("/a").body(axum::body::Body::empty());
    look(head.unwrap()).await;
    for language in ["en", "en", "de", "de", "en"] {
        look(get_with("/varied", "accept-language", language)).await;
    }
    look(get("/streamed")).await;
    look(get("/streamed")).await;
    clock.advance(SECOND * 11);
    look(get("/a")).await;
    look(get("/a")).await;
    larder.invalidate_prefix("/a").await.unwrap();
    look(get("/a")).await;
    lines
}
