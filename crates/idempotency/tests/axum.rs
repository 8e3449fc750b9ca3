//! The layers around axum's routers and bodies.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::routing::post;
use axum::{Extension, Router};
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body::Frame;
use larder_idempotency::replay::{ReplayProtectionLayer, Signer, SigningKey};
use larder_idempotency::{Execution, IdempotencyLayer, Outcome, Problem};
use support::{Answer, memory};
use tower::ServiceExt;

fn counting() -> (Router, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let pay = move |_: Extension<Execution>| {
        let run = counted.fetch_add(1, Ordering::SeqCst) + 1;
        async move { format!("run {run}") }
    };
    let layer = IdempotencyLayer::shared_by_all(memory());
    let shop = Router::new().route("/pay", post(pay).layer(layer));
    // Nested twice: the inner router sees "/pay" in both.
    (Router::new().nest("/a", shop.clone()).nest("/b", shop), runs)
}

async fn ask(app: &Router, target: &str, body: Body) -> Answer {
    let request = Request::post(target).header("idempotency-key", "k");
    let response = app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    Answer::of(response).await
}

#[tokio::test]
async fn nested_routes_have_keys_of_their_own() {
    let (app, runs) = counting();
    assert_eq!(ask(&app, "/a/pay", Body::empty()).await.body, "run 1");
    assert_eq!(ask(&app, "/b/pay", Body::empty()).await.body, "run 2");
    let retry = ask(&app, "/a/pay", Body::empty()).await;
    assert!(retry.replayed() && retry.body == "run 1");
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_signature_is_for_the_target_that_was_sent() {
    let key = SigningKey::new("k1", &[1; 32]).unwrap();
    let layer = ReplayProtectionLayer::new(memory(), key.clone());
    let shop = Router::new().route("/pay", post(|| async { "paid" }).layer(layer));
    let app = Router::new().nest("/a", shop.clone()).nest("/b", shop);
    for (sent, status) in [("/a/pay", 200), ("/b/pay", 401)] {
        let mut request = Request::post("/a/pay").body(Body::empty()).unwrap();
        Signer::new(key.clone()).sign(&mut request, b"").unwrap();
        *request.uri_mut() = sent.parse().unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status);
    }
}

/// A body of these frames.
struct Frames(Vec<Result<Frame<Bytes>, &'static str>>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        std::task::Poll::Ready(self.0.pop())
    }
}

#[tokio::test]
async fn a_request_that_breaks_off_or_has_trailers_begins_nothing() {
    let (app, runs) = counting();
    let trailers = HeaderMap::from_iter([(http::header::ETAG, "1".parse().unwrap())]);
    for last in [Err("reset"), Ok(Frame::trailers(trailers))] {
        let data = Ok(Frame::data(Bytes::from_static(b"5 EUR")));
        let body = Body::new(Frames(vec![last, data]));
        let answer = ask(&app, "/a/pay", body).await;
        assert_eq!(
            (answer.status, answer.problem),
            (400, Some(Problem::BodyUnreadable))
        );
    }
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    let chunked = Frames(vec![Ok(Frame::data(Bytes::from_static(b"5 EUR")))]);
    let answer = ask(&app, "/a/pay", Body::new(chunked)).await;
    assert_eq!(answer.outcome, Some(Outcome::First));
}
