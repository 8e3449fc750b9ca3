//! What requests get from the idempotency layer, one rule after the other.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use larder_idempotency::{
    IdempotencyLayer, MemoryRecords, NotBegun, OnLost, OnUnavailable, Outcome, Principal, Problem,
    WhileRunning,
};
use larder_store::FakeClock;
use support::{Answer, Asked, Fault, Faulty, Shop, ask, begin, memory, post, post_to, soon, until};
use tower::{Layer, Service, ServiceExt, service_fn};

fn layer() -> IdempotencyLayer {
    IdempotencyLayer::shared_by_all(memory())
}

/// A user who was authenticated further out.
#[derive(Debug, Clone)]
struct User(&'static str);

fn per_user() -> IdempotencyLayer {
    IdempotencyLayer::per_principal(memory(), |parts| {
        parts.extensions.get::<User>().map(|user| Principal::new(user.0))
    })
}

#[tokio::test]
async fn a_key_is_needed_unless_it_is_optional() {
    let shop = Shop::open();
    let app = shop.behind(&layer());
    let without = || Request::post("/pay").body(Full::new(Bytes::new())).unwrap();
    let answer = ask(&app, without()).await;
    assert_eq!((answer.status, answer.problem), (400, Some(Problem::KeyMissing)));
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert!(answer.body.contains("#variant.KeyMissing\""), "{}", answer.body);
    let answer = ask(&app, post("two words", "")).await;
    assert_eq!((answer.status, answer.problem), (400, Some(Problem::KeyInvalid)));
    assert_eq!(shop.runs(), 0);

    let app = shop.behind(&layer().optional());
    for run in 1..=2 {
        let answer = ask(&app, without()).await;
        assert_eq!((answer.status, answer.outcome), (201, Some(Outcome::Passed)));
        assert_eq!(shop.runs(), run);
    }
    // Optional is not careless.
    assert_eq!(ask(&app, post("two words", "")).await.status, 400);
}

#[tokio::test]
async fn only_operations_have_keys() {
    let shop = Shop::open();
    let with = |method: Method| {
        let mut request = post("k", "");
        *request.method_mut() = method;
        request
    };
    let app = shop.behind(&layer());
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = ask(&app, with(method)).await;
        assert_eq!(answer.outcome, Some(Outcome::Passed));
    }
    assert_eq!(ask(&app, with(Method::PATCH)).await.outcome, Some(Outcome::First));
    let app = shop.behind(&layer().methods([Method::PUT]));
    assert_eq!(ask(&app, with(Method::PUT)).await.outcome, Some(Outcome::First));
    assert_eq!(ask(&app, with(Method::POST)).await.outcome, Some(Outcome::Passed));
}

#[tokio::test]
async fn keys_are_of_one_principal_method_and_target() {
    let shop = Shop::open();
    let app = shop.behind(&per_user());
    let by = |user: &'static str, mut request: Asked| {
        request.extensions_mut().insert(User(user));
        request
    };
    let answer = ask(&app, post("k", "")).await;
    assert_eq!((answer.status, answer.problem), (403, Some(Problem::NoPrincipal)));
    assert_eq!(ask(&app, by("", post("k", ""))).await.status, 403);
    let mut patch = by("a", post("k", ""));
    *patch.method_mut() = Method::PATCH;
    let different = [
        by("a", post("k", "")),
        by("b", post("k", "")),
        by("a", post("l", "")),
        by("a", post_to("/pay?x=2", "k", "")),
        by("a", post_to("/pay", "k", "")),
        patch,
    ];
    for request in different {
        assert_eq!(ask(&app, request).await.outcome, Some(Outcome::First));
    }
    assert!(ask(&app, by("a", post("k", ""))).await.replayed());
    // The content type is a part of the payload.
    let mut other = by("a", post("k", ""));
    other
        .headers_mut()
        .insert("content-type", "text/html".parse().unwrap());
    assert_eq!(ask(&app, other).await.status, 422);
}

/// A service that answers by `answer`, and the number of its runs.
fn answering<F>(
    answer: F,
) -> (
    impl Service<Asked, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static,
    Arc<AtomicUsize>,
)
where
    F: Fn(usize) -> Response<Full<Bytes>> + Clone + Send + Sync + 'static,
{
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let service = service_fn(move |_: Asked| {
        let response = answer(counted.fetch_add(1, Ordering::SeqCst) + 1);
        async { Ok(response) }
    });
    (service, runs)
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::default()).unwrap()
}

async fn twice<S, B>(service: S) -> [Answer; 2]
where
    S: Service<Asked, Response = Response<B>, Error = Infallible> + Clone,
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    let first = Answer::of(service.clone().oneshot(post("k", "")).await.unwrap()).await;
    let second = Answer::of(service.oneshot(post("k", "")).await.unwrap()).await;
    [first, second]
}

#[tokio::test]
async fn errors_of_the_handler_are_answers_too() {
    for code in [
        StatusCode::BAD_REQUEST,
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::FOUND,
    ] {
        let (service, runs) = answering(move |_| status(code));
        let [first, second] = twice(layer().layer(service)).await;
        assert_eq!((first.status, second.status), (code.as_u16(), code.as_u16()));
        assert!(!first.replayed() && second.replayed());
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn what_was_not_begun_frees_the_key() {
    let refused = |run: usize| match run {
        1 => {
            let mut response = status(StatusCode::TOO_MANY_REQUESTS);
            response.extensions_mut().insert(NotBegun::new());
            response
        }
        _ => status(StatusCode::OK),
    };
    let (service, _) = answering(refused);
    let [first, second] = twice(layer().layer(service)).await;
    assert_eq!(
        (first.status, second.status, second.outcome),
        (429, 200, Some(Outcome::First))
    );

    let (service, _) = answering(|run| match run {
        1 => status(StatusCode::UNAUTHORIZED),
        _ => status(StatusCode::OK),
    });
    let layer_401 = layer().not_begun(StatusCode::UNAUTHORIZED);
    let [first, second] = twice(layer_401.layer(service)).await;
    assert_eq!((first.status, second.status), (401, 200));

    let (service, _) = answering(|run| match run {
        1 => status(StatusCode::BAD_GATEWAY),
        _ => status(StatusCode::OK),
    });
    let [first, second] = twice(layer().keep_server_errors(false).layer(service)).await;
    assert_eq!((first.status, second.status), (502, 200));
}

/// A body that says nothing of its length.
struct Unsized(Full<Bytes>);

impl http_body::Body for Unsized {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        std::pin::Pin::new(&mut self.0).poll_frame(cx)
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_passed_on_and_not_run_again() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let streaming = service_fn(move |_: Asked| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, Infallible>(Response::new(Unsized(Full::new(Bytes::from_static(b"stream"))))) }
    });
    let [first, second] = twice(layer().layer(streaming)).await;
    assert_eq!((first.status, first.body.as_str()), (200, "stream"));
    assert_eq!((second.status, second.problem), (409, Some(Problem::NotKept)));
    assert!(
        second.body.ends_with("\"original_status\":200}"),
        "{}",
        second.body
    );
    assert_eq!(runs.load(Ordering::SeqCst), 1);

    let (service, runs) = answering(|_| Response::new(Full::new(Bytes::from_static(b"123456"))));
    let [first, second] = twice(layer().max_response_body(5).layer(service)).await;
    assert_eq!(
        (first.status, first.body.as_str(), second.status),
        (200, "123456", 409)
    );
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    let (service, _) = answering(|_| Response::new(Full::new(Bytes::from_static(b"123456"))));
    let [_, second] = twice(layer().max_response_body(6).layer(service)).await;
    assert_eq!((second.status, second.body.as_str()), (200, "123456"));
}

#[tokio::test]
async fn a_request_that_is_too_large_begins_nothing() {
    let shop = Shop::open();
    let app = shop.behind(&layer().max_request_body(4));
    let answer = ask(&app, post("k", "12345")).await;
    assert_eq!(
        (answer.status, answer.problem),
        (413, Some(Problem::BodyTooLarge))
    );
    assert_eq!(ask(&app, post("k", "1234")).await.outcome, Some(Outcome::First));
}

/// The client leaves at every point at which it can: the handler runs once, or has not begun and the key is free.
#[tokio::test]
async fn a_client_may_leave_at_any_poll() {
    let mut left_before_the_answer = 0;
    for polls in 0..40 {
        let shop = Shop::open();
        let app = shop.behind(&layer());
        let mut response = Box::pin(app.clone().oneshot(post("k", "")));
        let mut answered = false;
        for _ in 0..polls {
            if soon_ready(&mut response).await {
                answered = true;
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(response);
        left_before_the_answer += usize::from(!answered);
        let retry = soon(async {
            loop {
                let retry = ask(&app, post("k", "")).await;
                if retry.problem != Some(Problem::InFlight) {
                    return retry;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(retry.status, 201, "after {polls} polls");
        assert_eq!(retry.body, "run 1: ", "after {polls} polls");
        assert_eq!(shop.runs(), 1, "after {polls} polls");
    }
    // Before the body, the claim and the answer.
    assert!(left_before_the_answer >= 3, "{left_before_the_answer}");
}

/// Polls once.
async fn soon_ready<F: Future + Unpin>(future: &mut F) -> bool {
    let mut future = std::pin::Pin::new(future);
    std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_ready())).await
}

/// The process of the first ends while its handler runs: here, its runtime.
#[tokio::test]
async fn a_process_that_ends_leaves_a_lost_run() {
    let clock = FakeClock::new();
    let records = MemoryRecords::with_clock(1 << 20, clock.clock());
    let layer = IdempotencyLayer::shared_by_all(records);
    let (shop, there) = (Shop::closed(), layer.clone());
    let theirs = shop.clone();
    let process = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let app = theirs.behind(&there);
            drop(begin(&app, &theirs, post("k", "")).await);
        });
    });
    process.join().unwrap();
    let app = shop.behind(&layer);
    assert_eq!(ask(&app, post("k", "")).await.problem, Some(Problem::InFlight));
    clock.advance(Duration::from_secs(30));
    for _ in 0..2 {
        assert_eq!(
            ask(&app, post("k", "")).await.problem,
            Some(Problem::Indeterminate)
        );
    }
    assert_eq!(shop.runs(), 1);
    shop.let_through(1);
    let again = shop.behind(&layer.on_lost(OnLost::Rerun));
    let answer = ask(&again, post("k", "")).await;
    assert_eq!(
        (answer.outcome, answer.body.as_str()),
        (Some(Outcome::Rerun), "run 2: ")
    );
    assert!(ask(&app, post("k", "")).await.replayed());
}

#[tokio::test(start_paused = true)]
async fn a_long_run_keeps_its_claim() {
    let clock = FakeClock::new();
    let records = MemoryRecords::with_clock(1 << 20, clock.clock());
    let lease = Duration::from_secs(3);
    let layer = IdempotencyLayer::shared_by_all(records).lease(lease);
    let shop = Shop::closed();
    let app = shop.behind(&layer);
    let first = begin(&app, &shop, post("k", "")).await;
    for _ in 0..40 {
        clock.advance(lease / 3);
        tokio::time::sleep(lease / 3).await;
        assert_eq!(ask(&app, post("k", "")).await.problem, Some(Problem::InFlight));
    }
    shop.let_through(1);
    assert_eq!(soon(first).await.unwrap().status, 201);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_too_long_is_stopped_and_lost() {
    let clock = FakeClock::new();
    let records = MemoryRecords::with_clock(1 << 20, clock.clock());
    let layer = IdempotencyLayer::shared_by_all(records).max_run(Duration::from_secs(10));
    let shop = Shop::closed();
    let app = shop.behind(&layer);
    let answer = ask(&app, post("k", "")).await;
    assert_eq!((answer.status, answer.problem), (504, Some(Problem::Stopped)));
    clock.advance(Duration::from_secs(30));
    assert_eq!(
        ask(&app, post("k", "")).await.problem,
        Some(Problem::Indeterminate)
    );
    assert_eq!((shop.runs(), shop.ends()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn who_waits_waits_no_longer_than_it_said() {
    let layer = layer().while_running(WhileRunning::Wait(Duration::from_secs(3)));
    let shop = Shop::closed();
    let app = shop.behind(&layer);
    let first = begin(&app, &shop, post("k", "")).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(ask(&app, post("k", "")).await.problem, Some(Problem::InFlight));
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
    shop.let_through(1);
    soon(first).await.unwrap();
}

#[tokio::test]
async fn no_more_run_than_are_allowed() {
    let shop = Shop::closed();
    let app = shop.behind(&layer().max_running(2));
    let first = begin(&app, &shop, post("a", "")).await;
    let second = begin(&app, &shop, post("b", "")).await;
    let answer = ask(&app, post("c", "")).await;
    assert_eq!((answer.status, answer.problem), (503, Some(Problem::Overloaded)));
    // Whose client has left counts still.
    second.abort();
    assert_eq!(ask(&app, post("c", "")).await.status, 503);
    shop.let_through(10);
    soon(first).await.unwrap();
    soon(async { while ask(&app, post("c", "")).await.status == 503 {} }).await;
}

#[tokio::test]
async fn shutdown_waits_for_what_runs_and_refuses_the_rest() {
    let layer = layer();
    let shop = Shop::closed();
    let app = shop.behind(&layer);
    let first = begin(&app, &shop, post("a", "")).await;
    first.abort();
    let shutdown = tokio::spawn({
        let layer = layer.clone();
        async move { layer.shutdown(Duration::from_secs(60)).await }
    });
    soon(async {
        while ask(&app, post("a", "")).await.problem != Some(Problem::Overloaded) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!shutdown.is_finished());
    shop.let_through(1);
    assert!(soon(shutdown).await.unwrap());
    assert_eq!(shop.ends(), 1);
}

#[tokio::test(start_paused = true)]
async fn shutdown_stops_what_takes_too_long() {
    let layer = layer();
    let shop = Shop::closed();
    let app = shop.behind(&layer);
    let first = begin(&app, &shop, post("a", "")).await;
    assert!(!layer.shutdown(Duration::from_secs(5)).await);
    assert_eq!(soon(first).await.unwrap().problem, Some(Problem::Stopped));
    assert_eq!(shop.ends(), 0);
}

#[tokio::test(start_paused = true)]
async fn records_that_fail_or_hang_are_503_in_bounds() {
    let faulty = Faulty::new(memory());
    let layer = IdempotencyLayer::shared_by_all(faulty.clone());
    let shop = Shop::open();
    let app = shop.behind(&layer);
    for fault in [Fault::Down, Fault::Hung, Fault::Mute] {
        faulty.set(fault);
        let begun = tokio::time::Instant::now();
        let answer = ask(&app, post("k", "")).await;
        assert_eq!(
            (answer.status, answer.problem),
            (503, Some(Problem::Unavailable)),
            "{fault:?}"
        );
        assert!(begun.elapsed() <= Duration::from_secs(2), "{:?}", begun.elapsed());
    }
    assert_eq!(shop.runs(), 0);
    // The last claim was granted, and nobody was told: it is given back.
    faulty.set(Fault::None);
    until("the claim is given back", || faulty.records.bytes() == 0).await;
    assert_eq!(ask(&app, post("k", "")).await.outcome, Some(Outcome::First));

    faulty.set(Fault::Hung);
    let open = shop.behind(&layer.on_unavailable(OnUnavailable::RunUnprotected));
    assert_eq!(
        ask(&open, post("k", "")).await.outcome,
        Some(Outcome::Unprotected)
    );
    assert_eq!(shop.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_result_is_written_down_later_if_it_must_be() {
    for fault in [Fault::Down, Fault::Hung, Fault::Mute] {
        let faulty = Faulty::new(memory());
        let shop = Shop::closed();
        let app = shop.behind(&IdempotencyLayer::shared_by_all(faulty.clone()));
        let first = begin(&app, &shop, post("k", "")).await;
        faulty.set(fault);
        let begun = tokio::time::Instant::now();
        shop.let_through(1);
        assert_eq!(soon(first).await.unwrap().outcome, Some(Outcome::First));
        // The answer waits until the result is written down, or until it is clear that it is not now.
        let waited = if fault == Fault::Down { 0 } else { 2 };
        assert_eq!(begun.elapsed().as_secs(), waited, "{fault:?}");
        faulty.set(Fault::None);
        soon(async {
            while !ask(&app, post("k", "")).await.replayed() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
        .await;
        assert_eq!(shop.runs(), 1);
    }
}

#[tokio::test]
async fn an_error_of_the_inner_service_is_passed_on_and_lost() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let failing = service_fn(move |_: Asked| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Err::<Response<Full<Bytes>>, _>("timed out") }
    });
    let service = layer().layer(failing);
    assert_eq!(
        service.clone().oneshot(post("k", "")).await.unwrap_err(),
        "timed out"
    );
    let retry = Answer::of(service.oneshot(post("k", "")).await.unwrap()).await;
    assert_eq!(retry.problem, Some(Problem::Indeterminate));
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

/// A service that may be called only when it was ready, and whose clones are not.
#[derive(Debug, Default)]
struct Careful {
    ready: bool,
}

impl Clone for Careful {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<Asked> for Careful {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        self.ready = true;
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Asked) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called before it was ready");
        std::future::ready(Ok(Response::new(Full::default())))
    }
}

#[tokio::test]
async fn the_service_that_is_called_was_made_ready() {
    let mut service = layer().layer(Careful::default());
    for key in ["a", "b", "a"] {
        let response = service.ready().await.unwrap().call(post(key, "")).await.unwrap();
        assert_eq!(response.status(), 200);
    }
}

#[tokio::test]
async fn a_layer_within_a_layer_has_no_part() {
    let shop = Shop::open();
    let layer = layer();
    let app = layer.layer(shop.behind(&layer));
    let first = Answer::of(app.clone().oneshot(post("k", "")).await.unwrap()).await;
    assert_eq!((first.status, first.body.as_str()), (201, "run 1: "));
    let second = app.oneshot(post("k", "")).await.unwrap();
    assert_eq!(second.into_body().collect().await.unwrap().to_bytes(), "run 1: ");
    assert_eq!(shop.runs(), 1);
}

#[test]
fn settings_that_cannot_be_are_refused_at_once() {
    let refused = |set: fn(IdempotencyLayer) -> IdempotencyLayer| {
        std::panic::catch_unwind(|| drop(set(layer()))).unwrap_err()
    };
    drop(refused(|layer| layer.lease(Duration::from_millis(1))));
    drop(refused(|layer| layer.lease(Duration::from_secs(48 * 3600))));
    drop(refused(|layer| layer.retention(Duration::from_secs(1))));
    drop(refused(|layer| layer.retention(Duration::MAX)));
    drop(refused(|layer| layer.max_response_body(1 << 30)));
}
