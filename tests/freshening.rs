//! What is kept anew because its origin says that it is still the one: no invalidation is lost by it.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support_flows;

use std::time::Duration;

use axum::body::Body;
use http::{Request, Response, StatusCode};
use larder::{CacheHints, Larder, MemoryStore, Profile};
use larder_testkit::{Call, FailingStore, Mode};
use support_flows::*;

const SHORT: (&str, &str) = ("cache-control", "max-age=10");
const PAST: Duration = Duration::from_secs(20);

/// The answer of an origin that has made one response, and sticks to it.
fn same_as_ever(request: &Request<Body>, headers: &[(&str, &str)]) -> Response<Body> {
    let asked = request.headers().contains_key("if-none-match")
        || request.headers().contains_key("if-modified-since");
    let (status, body) = if asked { (304, "") } else { (200, "jam") };
    response(status, headers, body)
}

fn gateway<F, Fut>(larder: &Larder, handler: F) -> App
where
    F: Fn(Request<Body>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Response<Body>> + Send + 'static,
{
    let layer = larder
        .gateway_cache("gateway", Profile::Safe)
        .x_cache_header(true);
    app(&layer, handler)
}

async fn status_of(app: &App, uri: &str) -> String {
    let answer = ask(app, get(uri)).await;
    let status = cache_status(&answer).to_owned();
    assert_eq!(text(answer).await, "jam");
    status
}

/// The tag comes with the 200 alone.
fn tagged_once(gate: &Gate, calls: &Count) -> impl Fn(Request<Body>) -> Pending + Clone + use<> {
    let (gate, calls) = (gate.clone(), calls.clone());
    move |request| {
        let (gate, calls) = (gate.clone(), calls.clone());
        Box::pin(async move {
            calls.add();
            let mut answer = same_as_ever(&request, &[SHORT, ("etag", "\"a\"")]);
            if answer.status() == StatusCode::OK {
                CacheHints::new().tag("jam").apply_to(&mut answer);
            }
            gate.pass().await;
            answer
        })
    }
}

type Pending = std::pin::Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

#[tokio::test(start_paused = true)]
async fn what_a_304_confirms_keeps_its_tags() {
    let (larder, clock) = fake();
    let (gate, calls) = (Gate::default(), Count::default());
    gate.open();
    let app = gateway(&larder, tagged_once(&gate, &calls));
    status_of(&app, "/").await;
    clock.advance(PAST);
    assert!(status_of(&app, "/").await.contains("fwd-status=304; stored"));
    assert!(status_of(&app, "/").await.contains("; hit"));
    larder.invalidate_tag("jam").await.unwrap();
    assert!(status_of(&app, "/").await.contains("fwd-status=200"));
}

#[tokio::test(start_paused = true)]
async fn what_was_forgotten_while_its_origin_confirmed_it_is_not_kept() {
    let (larder, clock) = fake();
    let (gate, calls) = (Gate::default(), Count::default());
    gate.open();
    let app = gateway(&larder, tagged_once(&gate, &calls));
    status_of(&app, "/").await;
    clock.advance(PAST);
    gate.close();
    let before = spawn(&app, get("/"));
    calls.reach(2).await;
    larder.invalidate_tag("jam").await.unwrap();
    let after = spawn(&app, get("/"));
    settle().await;
    gate.open();
    let before = before.await.unwrap().unwrap();
    assert!(
        cache_status(&before).contains("detail=stamp"),
        "{}",
        cache_status(&before)
    );
    let after = after.await.unwrap().unwrap();
    assert!(
        cache_status(&after).contains("fwd-status=200"),
        "{}",
        cache_status(&after)
    );
    assert_eq!(calls.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_groups_of_all_304s_are_bounded() {
    let (larder, clock) = fake();
    let calls = Count::default();
    let app = gateway(&larder, move |request| {
        let number = calls.add();
        let groups: Vec<String> = (0..60).map(|n| format!("\"{number}-{n}\"")).collect();
        let groups = groups.join(", ");
        let answer = same_as_ever(&request, &[SHORT, ("etag", "\"a\""), ("cache-groups", &groups)]);
        async move { answer }
    });
    for _ in 0..50 {
        status_of(&app, "/").await;
        clock.advance(PAST);
    }
    let tags = larder.size().tags;
    assert!(tags < 400, "{tags}");
}

#[tokio::test(start_paused = true)]
async fn what_was_forgotten_between_look_up_and_capture_is_not_validated() {
    let store = FailingStore::new(MemoryStore::with_capacity(1 << 20));
    let (larder, clock) = with_store(store.clone(), |_| {});
    let calls = Count::default();
    let runs = calls.clone();
    let app = gateway(&larder, move |request: Request<Body>| {
        runs.add();
        // It was changed within the second in which it was made.
        let answer = same_as_ever(
            &request,
            &[SHORT, ("last-modified", "Mon, 07 Nov 1994 08:49:37 GMT")],
        );
        async move { answer }
    });
    status_of(&app, "/").await;
    clock.advance(PAST);
    store.set(Call::Capture, Mode::Later);
    let mut validating = ByHand::new({
        let app = app.clone();
        async move { ask(&app, get("/")).await }
    });
    assert!(
        validating.poll().is_pending(),
        "the entry was found, and the stamps are on their way"
    );
    let captures = store.calls(Call::Capture);
    larder.invalidate_uri("/").await.unwrap();
    let answer = validating.poll_up_to(9).unwrap();
    assert_eq!((captures, store.calls(Call::Capture)), (2, 2));
    assert!(
        cache_status(&answer).contains("fwd-status=200"),
        "{}",
        cache_status(&answer)
    );
    assert_eq!(calls.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_head_does_not_wait_for_a_store_that_does_not_forget() {
    let store = FailingStore::new(MemoryStore::with_capacity(1 << 20));
    let (larder, clock) = with_store(store.clone(), |_| {});
    let calls = Count::default();
    let app = gateway(&larder, move |_| {
        let tag = format!("\"{}\"", calls.add());
        async move { response(200, &[SHORT, ("etag", &tag)], "jam") }
    });
    status_of(&app, "/").await;
    clock.advance(PAST);
    store.set(Call::Forget, Mode::Hang);
    let head = Request::head("/").body(Body::empty()).unwrap();
    let began = tokio::time::Instant::now();
    ask(&app, head).await;
    assert!(
        began.elapsed() < Duration::from_millis(100),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_client_asks_not_to_store_is_not_stored_behind_its_answer() {
    let (larder, clock) = fake();
    let runs = Count::default();
    let count = runs.clone();
    let layer = larder.gateway_cache("gateway", Profile::Rfc).x_cache_header(true);
    let app = app(&layer, move |_| {
        let answer = response(
            200,
            &[("cache-control", "max-age=10, stale-while-revalidate=600")],
            count.add().to_string(),
        );
        async move { answer }
    });
    see(&app, "/").await;
    clock.advance(PAST);
    let answer = ask(&app, get_with("/", "cache-control", "no-store")).await;
    assert_eq!(text(answer).await, "1");
    larder.idle().await;
    assert_eq!(runs.get(), 1);
    let answer = ask(&app, get("/")).await;
    assert_eq!(text(answer).await, "1");
    larder.idle().await;
    assert_eq!(runs.get(), 2);
}
