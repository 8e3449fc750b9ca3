//! The numbers for programs: each request and call is counted once, by layer, with its reason; and what is remembered of
//! what happened.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use larder::{
    ActionRule, Actions, BypassReason, FakeClock, FillPolicy, Larder, MemoryStore, MissReason, Outcome,
    UncacheableReason,
};
use tower::ServiceExt;

async fn ask(app: &Router, request: http::request::Builder) -> StatusCode {
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await;
    response.unwrap().status()
}

fn get_of(uri: &str) -> http::request::Builder {
    Request::get(uri)
}

#[tokio::test]
async fn tags_are_counted_by_family() {
    let larder = Larder::in_memory(1 << 20);
    let layer = larder.hot_cache("teams").tags(["team:{id}", "teams"]);
    let app: Router = Router::new().route("/teams/{id}", get(|| async { "team" }).layer(layer));
    for uri in ["/teams/1", "/teams/1", "/teams/2"] {
        ask(&app, get_of(uri)).await;
    }
    larder.invalidate_tag("team:1").await.unwrap();
    larder.invalidate_prefix("/teams").await.unwrap();
    let families = larder.stats().tag_families;
    let families = families
        .iter()
        .map(|family| (&*family.name, family.kept, family.forgotten));
    assert_eq!(families.collect::<Vec<_>>(), [("team", 2, 1), ("teams", 2, 0)]);
}

#[tokio::test]
async fn each_request_is_counted_once_with_its_reason() {
    let larder = Larder::in_memory(1 << 20);
    let cookie = || async { ([("set-cookie", "a=1")], "x") };
    let app: Router = Router::new()
        .route("/jam", get(|| async { "jam" }).layer(larder.hot_cache("jam")))
        .route("/cookie", get(cookie).layer(larder.hot_cache("cookie")));
    for _ in 0..3 {
        ask(&app, get_of("/jam")).await;
    }
    ask(&app, get_of("/jam").header("authorization", "Bearer x")).await;
    ask(&app, get_of("/cookie")).await;
    larder.invalidate_all().await.unwrap();
    ask(&app, get_of("/jam")).await;

    let stats = larder.stats();
    let jam = &stats.layer("jam").unwrap().counts;
    assert_eq!((jam.requests(), jam.hits(), jam.fills()), (5, 2, 2));
    assert_eq!((jam.of(Outcome::Miss), jam.of(Outcome::Bypass)), (2, 1));
    let misses: Vec<_> = jam.misses().filter(|(_, count)| *count > 0).collect();
    assert_eq!(misses, [(MissReason::Absent, 1), (MissReason::Tag, 1)]);
    assert!(jam.bypasses().any(|why| why == (BypassReason::Authorization, 1)));
    assert_eq!(jam.hit_ratio(), Some(0.5), "the bypass is no part of it");
    let cookie = &stats.layer("cookie").unwrap().counts;
    assert!(
        cookie
            .uncacheable()
            .any(|why| why == (UncacheableReason::SetCookie, 1))
    );
    assert_eq!(stats.total().requests(), 6);
    assert_eq!(stats.tag_families, []);
    assert_eq!((stats.store, stats.memory.entries), ("memory", 1));
    assert!(stats.memory.bytes > 0 && stats.memory.capacity >= 1 << 20);
}

#[tokio::test]
async fn what_is_kept_is_told_by_layer() {
    let larder = Larder::in_memory(1 << 20);
    let page = |body: &'static str| get(move || async move { body });
    let app: Router = Router::new()
        .route(
            "/jam/{id}",
            page("jam").layer(larder.hot_cache("jam").tag("jars")),
        )
        .route("/honey", page("much honey").layer(larder.hot_cache("honey")));
    for uri in ["/jam/1", "/jam/2", "/jam/2", "/honey"] {
        ask(&app, get_of(uri)).await;
    }
    let sizes = larder.layer_sizes();
    let entries = sizes.iter().map(|size| (&*size.name, size.entries));
    assert_eq!(entries.collect::<Vec<_>>(), [("honey", 1), ("jam", 2)]);
    let memory = larder.stats().memory;
    assert_eq!(sizes.iter().map(|size| size.bytes).sum::<u64>(), memory.bytes);
    assert!(sizes.iter().all(|size| size.bytes > 0));
}

#[tokio::test]
async fn a_name_keeps_its_numbers_when_its_layer_is_made_anew() {
    let larder = Larder::in_memory(1 << 20);
    for _ in 0..2 {
        let app: Router = Router::new().route("/", get(|| async { "" }).layer(larder.hot_cache("jam")));
        ask(&app, get_of("/")).await;
    }
    assert_eq!(larder.stats().layer("jam").unwrap().counts.requests(), 2);
}

#[tokio::test]
async fn calls_of_functions_are_counted_by_the_handle_that_first_used_them() {
    let (larder, other) = (Larder::in_memory(1 << 20), Larder::in_memory(1 << 20));
    let values = FillPolicy::new("price").in_process::<u64>(|_| 8);
    for _ in 0..3 {
        let price = larder
            .engine()
            .slot(&7, &values)
            .get_or_fill(|| async { Ok::<_, ()>(1) });
        assert_eq!(price.await, Ok(1));
    }
    let stats = larder.stats();
    let price = stats.layer("price").unwrap();
    assert!(price.is_on && !price.is_layer);
    assert_eq!(
        (price.counts.requests(), price.counts.hits(), price.counts.fills()),
        (3, 2, 1)
    );
    assert!(other.stats().layers.is_empty());
}

#[tokio::test]
async fn slow_fills_and_failed_ones_are_told_apart() {
    let clock = FakeClock::new();
    let larder = Larder::builder(MemoryStore::with_capacity(1 << 20))
        .clock(clock.clock())
        .build();
    let slow = move || {
        clock.advance(Duration::from_secs(1));
        async { StatusCode::BAD_GATEWAY }
    };
    let app: Router = Router::new()
        .route("/slow", get(slow).layer(larder.hot_cache("slow")))
        .route("/fast", get(|| async { "" }).layer(larder.hot_cache("fast")));
    ask(&app, get_of("/slow")).await;
    ask(&app, get_of("/fast")).await;
    let of = |name| {
        let stats = larder.stats();
        let counts = &stats.layer(name).unwrap().counts;
        (
            counts.slow_fills(),
            counts.failed_fills(),
            counts.fill_time(),
            counts.fill_time_within(0.9),
        )
    };
    let second = Duration::from_secs(1);
    assert_eq!(of("slow"), (1, 1, second, Some(second)));
    assert_eq!(of("fast"), (0, 0, Duration::ZERO, Some(Duration::from_millis(1))));
}

#[tokio::test]
async fn what_happened_is_remembered_once_it_is_watched() {
    let actions = Actions::new().with(ActionRule::new("jam.made").tag("jam"));
    let larder = Larder::in_memory(1 << 20).with_actions(actions);
    let layer = larder.hot_cache("jam").tag("jam");
    let app: Router = Router::new().route("/jam", get(|| async { "jam" }).layer(layer));
    larder
        .invalidate_for_action("jam.made", [("a", 1)])
        .await
        .unwrap();
    ask(&app, get_of("/jam?kind=plum")).await;
    let engine = larder.engine();
    assert!(engine.past_fills().is_empty() && engine.past_invalidations().is_empty());

    engine.watch();
    larder
        .invalidate_for_action("jam.made", [("a", 1)])
        .await
        .unwrap();
    larder.invalidate_tag("x").soft().await.unwrap();
    ask(&app, get_of("/jam?kind=plum")).await;
    let past = engine.past_invalidations();
    assert_eq!(past.len(), 2);
    assert_eq!(
        (past[1].source, past[1].action.as_deref(), past[1].known),
        ("action", Some("jam.made"), Some(1))
    );
    assert_eq!(
        (past[0].source, past[0].strength.as_str(), past[0].known),
        ("api", "soft", Some(0))
    );
    let fills = engine.past_fills();
    assert_eq!(fills.len(), 1);
    assert_eq!((&*fills[0].cache, &*fills[0].target), ("jam", "/jam?kind=plum"));
    assert_eq!(
        (fills[0].reason, fills[0].result, fills[0].not_kept),
        (MissReason::Tag, "ok", None)
    );
}
