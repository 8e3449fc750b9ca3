//! Stale answers: within their window, with one fill behind them, and never after an invalidation.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support_flows;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response, StatusCode};
use larder::{CacheLayer, Larder, MemoryStore};
use larder_testkit::{FailingStore, Mode};
use support_flows::*;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);
const FRESH: Duration = Duration::from_secs(10);
const WINDOW: Duration = Duration::from_secs(20);

fn revalidating(larder: &Larder) -> CacheLayer {
    larder
        .cache("revalidating")
        .ttl(FRESH)
        .stale_while_revalidate(WINDOW)
        .tag("stale")
}

/// A handler that answers with the number of its run; from the second on it waits at the gate first.
fn slow_later(runs: &Count, gate: &Gate) -> impl Fn(Request<Body>) -> Boxed + Clone + use<> {
    let (runs, gate) = (runs.clone(), gate.clone());
    move |_| {
        let (runs, gate) = (runs.clone(), gate.clone());
        Box::pin(async move {
            let run = runs.add();
            if run > 1 {
                gate.pass().await;
            }
            ok(run)
        })
    }
}

type Boxed = std::pin::Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

#[tokio::test(start_paused = true)]
async fn many_stale_answers_have_one_fill_behind_them() {
    let (larder, clock) = fake();
    let (runs, gate) = (Count::default(), Gate::default());
    let app = app(&revalidating(&larder), slow_later(&runs, &gate));
    assert_eq!(see(&app, "/").await, pair("MISS", 1));
    clock.advance(FRESH);
    for _ in 0..100 {
        let answer = ask(&app, get("/")).await;
        assert_eq!(
            cache_status(&answer),
            "larder; hit; ttl=0; detail=stale_while_revalidate"
        );
        assert_eq!(header(answer.headers(), "age"), "10");
        assert_eq!(seen(answer).await, pair("STALE", 1));
    }
    settle().await;
    assert_eq!(runs.get(), 2, "one fill");
    gate.open();
    larder.idle().await;
    assert_eq!(see(&app, "/").await, pair("HIT", 2));
    assert_eq!(runs.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_window_ends() {
    let (larder, clock) = fake();
    let runs = Count::default();
    let counted = runs.clone();
    let app = app(&revalidating(&larder), move |_| {
        let run = counted.add();
        async move {
            match run {
                1 => ok(run),
                _ => response(500, &[], "failed"),
            }
        }
    });
    assert_eq!(see(&app, "/").await, pair("MISS", 1));
    clock.advance(FRESH + WINDOW - Duration::from_millis(1));
    assert_eq!(see(&app, "/").await, pair("STALE", 1));
    larder.idle().await;
    clock.advance(Duration::from_millis(1));
    assert_eq!(see(&app, "/").await, pair("MISS", "failed"));
}

#[derive(Clone, PartialEq, Debug)]
struct Note(&'static str);

#[tokio::test(start_paused = true)]
async fn a_background_fill_is_the_request_as_a_get_with_its_extensions() {
    let (larder, clock) = fake();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&seen);
    let layer = revalidating(&larder).pass_header("x-passed");
    let app = app(&layer, move |request| {
        let note = request.extensions().get::<Note>().map_or("none", |note| note.0);
        let line = format!(
            "{} {} {note} {} {}",
            request.method(),
            request.uri(),
            header(request.headers(), "x-passed"),
            header(request.headers(), "if-none-match"),
        );
        log.lock().unwrap().push(line);
        async { ok("body") }
    });
    assert_eq!(see(&app, "/a?b").await, pair("MISS", "body"));
    clock.advance(FRESH);
    let request = Request::head("/a?b")
        .extension(Note("for the handler"))
        .header("x-passed", "value")
        .header("if-none-match", "\"other\"")
        .body(Body::empty())
        .unwrap();
    let answer = ask(&app, request).await;
    assert_eq!((x_cache(&answer), answer.status()), ("STALE", StatusCode::OK));
    assert_eq!(text(answer).await, "", "the answer to a HEAD has no body");
    larder.idle().await;
    assert_eq!(
        seen.lock().unwrap()[1..],
        ["GET /a?b for the handler value ".to_owned()]
    );
    assert_eq!(see(&app, "/a?b").await, pair("HIT", "body"), "and was kept whole");
}

#[tokio::test(start_paused = true)]
async fn a_background_fill_that_takes_too_long_is_stopped() {
    let (larder, clock) = fake();
    let (runs, gate) = (Count::default(), Gate::default());
    let limit = SECOND * 3;
    let layer = revalidating(&larder).background_timeout(limit);
    let app = app(&layer, slow_later(&runs, &gate));
    assert_eq!(see(&app, "/").await, pair("MISS", 1));
    clock.advance(FRESH);
    let began = Instant::now();
    assert_eq!(see(&app, "/").await, pair("STALE", 1));
    assert_eq!(began.elapsed(), Duration::ZERO, "nobody waits for it");
    larder.idle().await;
    assert_eq!((runs.get(), began.elapsed()), (2, limit));
    // It left the flight, so that the next stale answer starts another.
    assert_eq!(see(&app, "/").await, pair("STALE", 1));
    settle().await;
    assert_eq!(runs.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn background_fills_are_limited_in_number() {
    let (larder, clock) = with_store(MemoryStore::with_capacity(1 << 20), |limits| {
        limits.background_fills = 3;
    });
    let (runs, gate) = (Count::default(), Gate::default());
    let (counted, entrance) = (runs.clone(), gate.clone());
    let app = app(&revalidating(&larder), move |_| {
        let (runs, gate) = (counted.clone(), entrance.clone());
        async move {
            if runs.add() > 10 {
                gate.pass().await;
            }
            ok("body")
        }
    });
    for key in 0..10 {
        assert_eq!(see(&app, &format!("/{key}")).await, pair("MISS", "body"));
    }
    clock.advance(FRESH);
    for key in 0..10 {
        assert_eq!(see(&app, &format!("/{key}")).await, pair("STALE", "body"));
    }
    settle().await;
    assert_eq!(runs.get(), 10 + 3, "three of them have a fill behind them");
    gate.open();
    larder.idle().await;
    assert_eq!(see(&app, "/9").await, pair("STALE", "body"));
    larder.idle().await;
    assert_eq!(
        see(&app, "/9").await,
        pair("HIT", "body"),
        "the limit is of those at the same time"
    );
}

/// A stale request is held up between its look-up and its fill while another's fill replaces the entry.
#[tokio::test(start_paused = true)]
async fn a_stale_request_that_is_overtaken_starts_no_second_fill() {
    for polls in 0.. {
        let store = FailingStore::new(MemoryStore::with_capacity(1 << 20));
        store.set_all(Mode::Later);
        let (larder, clock) = with_store(store, |_| {});
        let (runs, gate) = (Count::default(), Gate::default());
        gate.open();
        let app = app(&revalidating(&larder), slow_later(&runs, &gate));
        assert_eq!(see(&app, "/").await, pair("MISS", 1));
        clock.advance(FRESH);
        let request = || {
            let app = app.clone();
            ByHand::new(async move { see(&app, "/").await })
        };
        let mut slow = request();
        if slow.poll_up_to(polls).is_some() {
            assert!(polls > 4, "only {polls} places to hold it up at");
            return;
        }
        assert_eq!(request().poll_up_to(50), Some(pair("STALE", 1)));
        larder.idle().await;
        assert_eq!(runs.get(), 2);
        assert!(slow.poll_up_to(50).is_some());
        larder.idle().await;
        assert_eq!(runs.get(), 2, "held up after {polls} polls");
    }
}

fn if_error(larder: &Larder) -> CacheLayer {
    larder
        .cache("if-error")
        .ttl(FRESH)
        .stale_if_error(WINDOW)
        .tag("stale")
}

/// A handler whose first run succeeds, and whose later ones fail with a 503 or as a service.
fn failing_later(
    runs: &Count,
    as_service: bool,
) -> impl Fn(Request<Body>) -> std::future::Ready<Result<Response<Body>, BoxError>> + Clone + use<> {
    let runs = runs.clone();
    move |_| {
        std::future::ready(match runs.add() {
            1 => Ok(ok("good")),
            _ if as_service => Err("the service failed".into()),
            _ => Ok(response(503, &[], "bad")),
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_stands_in_for_a_handler_that_fails() {
    for as_service in [false, true] {
        let (larder, clock) = fake();
        let runs = Count::default();
        let app = fallible(&if_error(&larder), failing_later(&runs, as_service));
        assert_eq!(see(&app, "/").await, pair("MISS", "good"));
        clock.advance(FRESH);
        let answer = ask(&app, get("/")).await;
        let status = if as_service { "" } else { "; fwd-status=503" };
        assert_eq!(
            cache_status(&answer),
            format!("larder; fwd=stale{status}; detail=stale_if_error")
        );
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(seen(answer).await, pair("STALE", "good"));
        clock.advance(WINDOW - Duration::from_millis(1));
        assert_eq!(see(&app, "/").await, pair("STALE", "good"));
        assert_eq!(runs.get(), 3, "the handler is asked each time");
        clock.advance(Duration::from_millis(1));
        assert_failed(&app, as_service).await;
    }
}

/// The failure of the handler reaches the client.
async fn assert_failed(app: &App, as_service: bool) {
    match spawn(app, get("/")).await.unwrap() {
        Ok(answer) if !as_service => assert_eq!(seen(answer).await, pair("MISS", "bad")),
        Err(error) if as_service => assert_eq!(error.to_string(), "the service failed"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_a_handler_that_fails_get_the_stale_answer_too() {
    let (larder, clock) = fake();
    let (runs, gate) = (Count::default(), Gate::default());
    let (counted, entrance) = (runs.clone(), gate.clone());
    let app = app(&if_error(&larder), move |_| {
        let (runs, gate) = (counted.clone(), entrance.clone());
        async move {
            if runs.add() == 1 {
                return ok("good");
            }
            gate.pass().await;
            response(503, &[], "bad")
        }
    });
    assert_eq!(see(&app, "/").await, pair("MISS", "good"));
    clock.advance(FRESH);
    let all: Vec<_> = (0..10).map(|_| spawn(&app, get("/"))).collect();
    settle().await;
    gate.open();
    for answer in all {
        assert_eq!(seen(answer.await.unwrap().unwrap()).await, pair("STALE", "good"));
    }
    assert_eq!(runs.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_forgotten_is_never_served_stale() {
    // Forgotten while fresh, while stale, and while the fill behind a stale answer is under way.
    for age in [Duration::ZERO, FRESH] {
        let (larder, clock) = fake();
        let (runs, gate) = (Count::default(), Gate::default());
        gate.open();
        let app = app(&revalidating(&larder), slow_later(&runs, &gate));
        assert_eq!(see(&app, "/").await, pair("MISS", 1));
        clock.advance(age);
        larder.invalidate_tag("stale").await.unwrap();
        assert_eq!(
            see(&app, "/").await,
            pair("MISS", 2),
            "forgotten at the age of {age:?}"
        );
    }
    for as_service in [false, true] {
        for age in [Duration::ZERO, FRESH] {
            let (larder, clock) = fake();
            let app = fallible(&if_error(&larder), failing_later(&Count::default(), as_service));
            assert_eq!(see(&app, "/").await, pair("MISS", "good"));
            clock.advance(age);
            larder.invalidate_tag("stale").await.unwrap();
            assert_failed(&app, as_service).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_background_fill_made_before_an_invalidation_is_not_kept() {
    let (larder, clock) = fake();
    let (runs, gate) = (Count::default(), Gate::default());
    let (counted, entrance) = (runs.clone(), gate.clone());
    let app = app(&revalidating(&larder), move |_| {
        let (runs, gate) = (counted.clone(), entrance.clone());
        async move {
            let run = runs.add();
            if run == 2 {
                gate.pass().await;
            }
            ok(run)
        }
    });
    assert_eq!(see(&app, "/").await, pair("MISS", 1));
    clock.advance(FRESH);
    assert_eq!(see(&app, "/").await, pair("STALE", 1));
    settle().await;
    larder.invalidate_tag("stale").await.unwrap();
    assert_eq!(see(&app, "/").await, pair("MISS", 3));
    gate.open();
    larder.idle().await;
    assert_eq!(see(&app, "/").await, pair("HIT", 3));
}

/// An invalidation between the failing handler's start and its end: the entry found before must not stand in after.
#[tokio::test(start_paused = true)]
async fn what_was_forgotten_while_the_handler_failed_does_not_stand_in() {
    let (larder, clock) = fake();
    let (runs, gate) = (Count::default(), Gate::default());
    let (counted, entrance) = (runs.clone(), gate.clone());
    let app = app(&if_error(&larder), move |_| {
        let (runs, gate) = (counted.clone(), entrance.clone());
        async move {
            match runs.add() {
                1 => ok("good"),
                2 => {
                    gate.pass().await;
                    response(503, &[], "bad")
                }
                _ => response(503, &[], "bad too"),
            }
        }
    });
    assert_eq!(see(&app, "/").await, pair("MISS", "good"));
    clock.advance(FRESH);
    let under_way = spawn(&app, get("/"));
    settle().await;
    larder.invalidate_tag("stale").await.unwrap();
    assert_eq!(see(&app, "/").await, pair("MISS", "bad too"), "asked afterwards");
    gate.open();
    // It was asked before the invalidation: either answer is right, and it is answered.
    under_way.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn must_revalidate_forbids_both() {
    for directive in ["must-revalidate", "proxy-revalidate", "s-maxage=10"] {
        let (larder, clock) = fake();
        let runs = Count::default();
        let counted = runs.clone();
        let layer = revalidating(&larder).stale_if_error(WINDOW);
        let app = app(&layer, move |_| {
            let run = counted.add();
            let value = format!("max-age=10, {directive}");
            async move {
                match run {
                    1 => response(200, &[("cache-control", &value)], "good"),
                    _ => response(503, &[], "bad"),
                }
            }
        });
        assert_eq!(see(&app, "/").await, pair("MISS", "good"));
        clock.advance(FRESH - Duration::from_millis(1));
        assert_eq!(see(&app, "/").await, pair("HIT", "good"));
        clock.advance(Duration::from_millis(1));
        assert_eq!(see(&app, "/").await, pair("MISS", "bad"), "{directive}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_early_refresh_answers_hit_and_fills_behind_it() {
    let (larder, clock) = fake();
    let (runs, gate) = (Count::default(), Gate::default());
    let layer = larder.cache("early").ttl(FRESH).early_refresh(1e12);
    let app = app(&layer, slow_later(&runs, &gate));
    assert_eq!(see(&app, "/").await, pair("MISS", 1));
    clock.advance(SECOND);
    for _ in 0..20 {
        assert_eq!(see(&app, "/").await, pair("HIT", 1));
    }
    settle().await;
    assert_eq!(runs.get(), 2, "one fill, long before the end");
    gate.open();
    larder.idle().await;
    assert_eq!(see(&app, "/").await, pair("HIT", 2));
}

/// A fill takes 1 s and 1 s is left, so that with a beta of 1 / ln 2 every second hit refreshes.
#[tokio::test(start_paused = true)]
async fn an_early_refresh_is_as_likely_as_its_formula_says() {
    const TIMES: usize = 1000;
    let (larder, clock) = fake();
    let runs = Count::default();
    let (counted, ticking) = (runs.clone(), clock.clone());
    let beta = 1.0 / std::f64::consts::LN_2;
    let app = app(
        &larder.cache("formula").ttl(FRESH).early_refresh(beta),
        move |_| {
            ticking.advance(SECOND);
            counted.add();
            async { ok("body") }
        },
    );
    let mut known = 0;
    for _ in 0..TIMES {
        if runs.get() > known || known == 0 {
            assert_eq!(see(&app, "/").await.1, "body");
            larder.idle().await;
            known = runs.get();
            clock.advance(FRESH - SECOND);
        }
        assert_eq!(see(&app, "/").await, pair("HIT", "body"));
        larder.idle().await;
    }
    // The first was a miss. Six standard deviations are 95.
    let refreshed = runs.get() - 1;
    assert!((405..=595).contains(&refreshed), "{refreshed} of {TIMES}");
}

#[tokio::test(start_paused = true)]
async fn without_it_nothing_is_refreshed_early() {
    let (larder, clock) = fake();
    let (runs, gate) = (Count::default(), Gate::default());
    let app = app(&larder.cache("never").ttl(FRESH), slow_later(&runs, &gate));
    assert_eq!(see(&app, "/").await, pair("MISS", 1));
    clock.advance(FRESH - Duration::from_millis(1));
    for _ in 0..20 {
        assert_eq!(see(&app, "/").await, pair("HIT", 1));
    }
    larder.idle().await;
    assert_eq!(runs.get(), 1);
}

/// The `ttl` of `Cache-Status`.
async fn ttl(app: &App, uri: &str) -> Option<u64> {
    let answer = ask(app, get(uri)).await;
    let (_, rest) = cache_status(&answer).split_once("ttl=")?;
    rest.split(';').next()?.parse().ok()
}

#[tokio::test(start_paused = true)]
async fn jitter_spreads_lifetimes_within_its_bounds() {
    let (larder, _) = fake();
    let layer = larder.cache("jitter").ttl(SECOND * 1000).jitter(0.5);
    let app = app(&layer, |request| async move {
        match request.uri().query() {
            Some(_) => response(200, &[("cache-control", "max-age=1000")], "its own"),
            None => ok("the layer's"),
        }
    });
    let mut all = HashSet::new();
    for key in 0..200 {
        let ttl = ttl(&app, &format!("/{key}")).await.unwrap();
        assert!((500..=1000).contains(&ttl), "{ttl}");
        all.insert(ttl);
    }
    assert!(all.len() > 100, "{all:?}");
    let (low, high) = (all.iter().min().unwrap(), all.iter().max().unwrap());
    assert!(*low < 600 && *high > 900, "from {low} to {high}");
    assert_eq!(
        ttl(&app, "/?x").await,
        Some(1000),
        "what a handler says is not changed"
    );
}

#[tokio::test(start_paused = true)]
async fn each_status_has_a_lifetime_of_its_own() {
    let (larder, clock) = fake();
    let layer = larder
        .cache("statuses")
        .ttl(SECOND * 100)
        .ttl_for(StatusCode::NOT_FOUND, SECOND * 5)
        .ttl_for(StatusCode::GONE, SECOND * 50);
    let app = app(&layer, |request| async move {
        let status = request.uri().path()[1..].parse().unwrap();
        response(status, &[], "body")
    });
    let outcome = async |uri| see(&app, uri).await.0;
    for (uri, lifetime) in [
        ("/200", Some(100)),
        ("/404", Some(5)),
        ("/410", Some(50)),
        ("/201", None),
    ] {
        assert_eq!(ttl(&app, uri).await, lifetime, "{uri}");
    }
    assert_eq!(outcome("/201").await, "MISS");
    for uri in ["/200", "/404", "/410"] {
        assert_eq!(outcome(uri).await, "HIT");
    }
    clock.advance(SECOND * 5);
    for (uri, expected) in [("/200", "HIT"), ("/404", "MISS"), ("/410", "HIT")] {
        assert_eq!(outcome(uri).await, expected, "{uri}");
    }
}
