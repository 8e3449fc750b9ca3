//! Edges, where two rules of the cache meet: each was wrong once.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support_flows;

use std::future::pending;
use std::time::Duration;

use http::request::Parts;
use larder::{Identity, Verdict};
use support_flows::{
    Count, Gate, app, ask, cache_status, chunks, fake, get, get_with, header, ok, pair, response, see,
    settle, spawn, text, x_cache,
};
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn what_is_private_is_not_shared_among_the_anonymous() {
    let (larder, _) = fake();
    let nobody = |_: &Parts| std::future::ready(Verdict::Anonymous);
    let runs = Count::default();
    let layer = larder.user_cache("guests", nobody).share_anonymous();
    let app = app(&layer, move |_| {
        let run = runs.add();
        async move { response(200, &[("cache-control", "private, max-age=60")], run.to_string()) }
    });
    assert_eq!(see(&app, "/").await, pair("MISS", 1));
    assert_eq!(see(&app, "/").await, pair("MISS", 2));
    // For one identity it is what the layer is for.
    let (larder, _) = fake();
    let ada = |_: &Parts| std::future::ready(Some(Identity::new("ada")));
    let private = |_| async { response(200, &[("cache-control", "private, max-age=60")], "ada's") };
    let app = support_flows::app(&larder.user_cache("users", ada), private);
    assert_eq!(see(&app, "/").await, pair("MISS", "ada's"));
    assert_eq!(see(&app, "/").await, pair("HIT", "ada's"));
}

#[tokio::test(start_paused = true)]
async fn an_identity_without_a_name_is_none() {
    let (larder, _) = fake();
    let empty = |_: &Parts| std::future::ready(Some(Identity::new("")));
    let app = app(&larder.user_cache("empty", empty), |_| async { ok("x") });
    assert_eq!(see(&app, "/").await, pair("BYPASS", "x"));
}

#[tokio::test(start_paused = true)]
async fn who_verifies_too_long_leaves_it_to_the_handler() {
    let (larder, _) = fake();
    let hangs = |_: &Parts| pending::<Option<Identity>>();
    let app = app(&larder.user_cache("slow", hangs).wait(MINUTE), |_| async {
        ok("x")
    });
    let began = Instant::now();
    assert_eq!(see(&app, "/").await, pair("BYPASS", "x"));
    assert_eq!(began.elapsed().as_secs(), 60);
}

/// One request hangs, and what the others are answered cannot be kept: only the first of them waits for it.
#[tokio::test(start_paused = true)]
async fn who_hangs_holds_up_one_request_and_not_all() {
    let (larder, _) = fake();
    let runs = Count::default();
    let app = app(&larder.hot_cache("hangs"), move |_| {
        let run = runs.add();
        async move {
            if run == 1 {
                pending::<()>().await;
            }
            response(200, &[("cache-control", "no-store")], run.to_string())
        }
    });
    let _hangs = spawn(&app, get("/"));
    settle().await;
    let began = Instant::now();
    assert_eq!(see(&app, "/").await, pair("MISS", 2));
    assert_eq!(began.elapsed().as_secs(), 5);
    for run in 3..10 {
        assert_eq!(see(&app, "/").await, pair("MISS", run));
    }
    assert_eq!(began.elapsed().as_secs(), 5, "the others did not wait");
}

/// The handler fails late: what could have stood in when it began is past its time, or was forgotten.
#[tokio::test(start_paused = true)]
async fn what_stands_in_for_a_late_failure_is_of_use_still() {
    for forget in [true, false] {
        let (larder, clock) = fake();
        let (runs, gate) = (Count::default(), Gate::default());
        let entrance = gate.clone();
        let layer = larder
            .cache("late")
            .ttl(MINUTE)
            .tag("late")
            .stale_if_error(MINUTE);
        let app = app(&layer, move |_| {
            let (run, gate) = (runs.add(), entrance.clone());
            async move {
                if run == 1 {
                    return ok("good");
                }
                gate.pass().await;
                response(502, &[], "bad")
            }
        });
        assert_eq!(see(&app, "/").await, pair("MISS", "good"));
        clock.advance(MINUTE);
        let first = spawn(&app, get("/"));
        settle().await;
        let waits = spawn(&app, get("/"));
        settle().await;
        if forget {
            larder.invalidate_tag("late").await.unwrap();
        } else {
            clock.advance(MINUTE);
        }
        gate.open();
        for answer in [first, waits] {
            let answer = answer.await.unwrap().unwrap();
            assert_eq!(
                (x_cache(&answer), answer.status().as_u16()),
                ("MISS", 502),
                "forgotten: {forget}"
            );
        }
    }
}

/// What a handler says beside its body reaches the client also where the body need not.
#[tokio::test(start_paused = true)]
async fn a_304_of_what_is_not_kept_says_all_that_the_handler_said() {
    let (larder, _) = fake();
    let app = app(&larder.hot_cache("cookies"), |_| async {
        response(
            200,
            &[
                ("etag", "\"v1\""),
                ("set-cookie", "sid=rotated"),
                ("content-type", "text/plain"),
            ],
            "body",
        )
    });
    let answer = ask(&app, get_with("/", "if-none-match", "\"v1\"")).await;
    assert_eq!(answer.status(), 304);
    assert_eq!(header(answer.headers(), "set-cookie"), "sid=rotated");
    assert_eq!(header(answer.headers(), "content-type"), "");
    assert!(
        cache_status(&answer).contains("set_cookie"),
        "{}",
        cache_status(&answer)
    );
    assert_eq!(text(answer).await, "");
}

/// A client keeps an answer as long as the layer says, from whenever it was asked, streamed or not.
#[tokio::test(start_paused = true)]
async fn a_streamed_answer_is_kept_by_clients_as_long_as_another() {
    for streamed in [true, false] {
        let (larder, clock) = fake();
        let app = app(&larder.static_cache("files"), move |_| async move {
            if streamed {
                response(200, &[], chunks(["a ", "body"]))
            } else {
                ok("a body")
            }
        });
        assert_eq!(see(&app, "/").await, pair("MISS", "a body"));
        clock.advance(Duration::from_secs(3000));
        let answer = ask(&app, get("/")).await;
        assert_eq!(x_cache(&answer), "HIT");
        assert_eq!(header(answer.headers(), "age"), "3000");
        assert_eq!(
            header(answer.headers(), "cache-control"),
            "max-age=6600",
            "streamed: {streamed}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_vary_that_names_no_header_varies_by_all() {
    let (larder, _) = fake();
    for vary in ["\"Accept-Language\"", "accept, a b", "*"] {
        let runs = Count::default();
        let app = app(&larder.hot_cache(format!("vary {vary}")), move |_| {
            let run = runs.add();
            async move { response(200, &[("vary", vary)], run.to_string()) }
        });
        assert_eq!(see(&app, "/").await, pair("MISS", 1), "{vary}");
        assert_eq!(see(&app, "/").await, pair("MISS", 2), "{vary}");
    }
}

/// The longest settings are settings too.
#[tokio::test(start_paused = true)]
async fn no_setting_is_too_long() {
    let (larder, _) = support_flows::with_store(larder::MemoryStore::with_capacity(1 << 20), |limits| {
        limits.background_fills = usize::MAX;
        limits.unaided_loads = usize::MAX;
    });
    let layer = larder
        .cache("long")
        .ttl(Duration::MAX)
        .wait(Duration::MAX)
        .background_timeout(Duration::MAX);
    let app = app(&layer, |_| async { ok("kept") });
    assert_eq!(see(&app, "/").await, pair("MISS", "kept"));
    assert_eq!(see(&app, "/").await, pair("HIT", "kept"));
}

/// A path that is written otherwise reaches the same handler, and is forgotten with it.
#[tokio::test(start_paused = true)]
async fn an_escaped_path_is_forgotten_by_its_plain_name() {
    let (larder, _) = fake();
    let runs = Count::default();
    let app = app(&larder.hot_cache("escapes"), move |_| {
        let run = runs.add();
        async move { ok(run) }
    });
    assert_eq!(see(&app, "/teams/%37").await, pair("MISS", 1));
    larder.invalidate_uri("/teams/7").await.unwrap();
    assert_eq!(see(&app, "/teams/%37").await, pair("MISS", 2));
    larder.invalidate_prefix("/t%65ams").await.unwrap();
    assert_eq!(see(&app, "/teams/%37").await, pair("MISS", 3));
}

/// A handler that varies by what it did not get to see made one answer for all: that is said, and not kept.
#[tokio::test(start_paused = true)]
async fn what_varies_by_a_hidden_header_is_not_kept() {
    let (larder, _) = fake();
    let tenant = |request: http::Request<axum::body::Body>| async move {
        let tenant = header(request.headers(), "x-tenant").to_owned();
        response(200, &[("vary", "x-tenant")], tenant)
    };
    let hidden = app(&larder.hot_cache("hidden"), tenant);
    let shown = app(&larder.hot_cache("shown").pass_header("x-tenant"), tenant);
    for name in ["a", "b", "a"] {
        let answer = ask(&hidden, get_with("/", "x-tenant", name)).await;
        assert!(
            cache_status(&answer).contains("detail=hidden_vary"),
            "{}",
            cache_status(&answer)
        );
        assert_eq!(
            text(ask(&shown, get_with("/", "x-tenant", name)).await).await,
            name
        );
    }
    assert_eq!(x_cache(&ask(&shown, get_with("/", "x-tenant", "b")).await), "HIT");
}
