//! Operations with a key, and signed requests.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response, StatusCode};
use larder::idempotency::replay::{ReplayProtectionLayer, Signer, SigningKey};
use larder::idempotency::{
    Claim, Claimed, Finish, Hold, IdempotencyLayer, MemoryRecords, Records, RecordsError, RecordsErrorKind,
    RecordsFuture, Release, Renewal, Spend, Spent,
};
use tower::ServiceExt;
use tower_layer::Layer;

/// Records that are not there.
#[derive(Debug)]
struct Down;

impl Records for Down {
    fn name(&self) -> &'static str {
        "down"
    }

    fn claim<'a>(&'a self, _: &'a Claim) -> RecordsFuture<'a, Claimed> {
        Box::pin(down())
    }

    fn renew<'a>(&'a self, _: &'a Renewal) -> RecordsFuture<'a, Hold> {
        Box::pin(down())
    }

    fn finish<'a>(&'a self, _: &'a Finish) -> RecordsFuture<'a, Hold> {
        Box::pin(down())
    }

    fn release<'a>(&'a self, _: &'a Release) -> RecordsFuture<'a, Hold> {
        Box::pin(down())
    }

    fn spend<'a>(&'a self, _: &'a Spend) -> RecordsFuture<'a, Spent> {
        Box::pin(down())
    }
}

async fn down<T>() -> Result<T, RecordsError> {
    Err(RecordsError::new(RecordsErrorKind::Unavailable, "down"))
}

async fn pay(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    match request.uri().path() {
        "/panic" => panic!("the handler panics"),
        "/slow" => tokio::time::sleep(Duration::from_secs(60)).await,
        _ => {}
    }
    let large = request.uri().path() == "/large";
    let body = "x".repeat(if large { 100 } else { 1 });
    Ok(Response::new(body.into()))
}

fn post(path: &str, key: &str, body: &'static str) -> Request<Body> {
    let request = Request::post(path).header("idempotency-key", key);
    request.body(Body::from(body)).unwrap()
}

fn memory() -> MemoryRecords {
    MemoryRecords::with_capacity(8 << 20)
}

pub(crate) async fn drive() {
    let layer = IdempotencyLayer::shared_by_all(memory())
        .max_response_body(20)
        .max_request_body(20)
        .max_run(Duration::from_secs(10));
    let app = layer.layer(tower::service_fn(pay));
    let optional = IdempotencyLayer::shared_by_all(memory()).optional();
    let optional = optional.layer(tower::service_fn(pay));
    let ask = async |request| app.clone().oneshot(request).await.unwrap().status();
    for (request, status) in [
        (post("/", "secret-one", ""), 200),
        (post("/", "secret-one", ""), 200),
        (post("/", "secret-one", "other"), 422),
        (post("/", "", ""), 400),
        (post("/", "too-large", "more than twenty bytes of it"), 413),
        (post("/large", "secret-large", ""), 200),
        (post("/large", "secret-large", ""), 409),
        (post("/slow", "secret-slow", ""), 504),
        (Request::post("/").body(Body::empty()).unwrap(), 400),
        (Request::get("/").body(Body::empty()).unwrap(), 200),
    ] {
        assert_eq!(ask(request).await, status);
    }
    let request = Request::post("/").body(Body::empty()).unwrap();
    assert_eq!(optional.oneshot(request).await.unwrap().status(), 200);
    let panics = tokio::spawn(app.clone().oneshot(post("/panic", "secret-panic", "")));
    panics.await.unwrap_err();
    assert_eq!(ask(post("/panic", "secret-panic", "")).await, 409);
    let first = tokio::spawn(app.clone().oneshot(post("/slow", "secret-twice", "")));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(ask(post("/slow", "secret-twice", "")).await, 409);
    first.await.unwrap().unwrap();
    let down = IdempotencyLayer::shared_by_all(Down).layer(tower::service_fn(pay));
    let refused = down.oneshot(post("/", "secret-down", "")).await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    signed().await;
}

async fn signed() {
    let key = SigningKey::new("k1", &[1; 32]).unwrap();
    let protected = ReplayProtectionLayer::new(memory(), key.clone()).layer(tower::service_fn(pay));
    let signed = |key: SigningKey| {
        let mut request = Request::post("http://secret.example/")
            .body(Body::empty())
            .unwrap();
        Signer::new(key).sign(&mut request, b"").unwrap();
        request
    };
    let (headers, request) = (signed(key.clone()).headers().clone(), || {
        Request::post("http://secret.example/")
            .body(Body::empty())
            .unwrap()
    });
    for status in [200, 401] {
        let mut again = request();
        *again.headers_mut() = headers.clone();
        assert_eq!(protected.clone().oneshot(again).await.unwrap().status(), status);
    }
    for unknown in [SigningKey::new("k2", &[1; 32]), SigningKey::new("k1", &[2; 32])] {
        let answer = protected.clone().oneshot(signed(unknown.unwrap())).await.unwrap();
        assert_eq!(answer.status(), 401);
    }
    assert_eq!(protected.clone().oneshot(request()).await.unwrap().status(), 401);
}
