//! Operations that run once, however often they are asked for. Needs the feature `idempotency`.
//!
//! A client that got no answer to "pay 5 EUR" has to ask again, and must not pay twice. It makes up a key for the
//! operation, and sends the same with each retry; the [layer](crate::idempotency::IdempotencyLayer) lets the handler run once
//! for each key and answers retries with its response.
//!
//! ```
//! use axum::{Extension, Router, body::Body, extract::Request, middleware::{self, Next}, response::Response, routing::post};
//! use http::StatusCode;
//! use larder::idempotency::{Execution, IdempotencyLayer, MemoryRecords, Principal};
//! use tower::ServiceExt;
//!
//! /// Who asks, as authentication found out.
//! #[derive(Clone)]
//! struct User { id: u64 }
//!
//! async fn authenticate(mut request: Request, next: Next) -> Response {
//!     request.extensions_mut().insert(User { id: 7 }); // verified
//!     next.run(request).await
//! }
//!
//! async fn pay(Extension(execution): Extension<Execution>, amount: String) -> (StatusCode, String) {
//!     let _ = execution.fencing_token(); // see below
//!     (StatusCode::CREATED, format!("paid {amount}"))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let idempotent = IdempotencyLayer::per_principal(MemoryRecords::with_capacity(64 << 20), |parts| {
//!     parts.extensions.get::<User>().map(|user| Principal::new(user.id.to_string()))
//! });
//! let app: Router = Router::new()
//!     .route("/payments", post(pay).layer(idempotent.clone()))
//!     .layer(middleware::from_fn(authenticate)); // outside: it runs on every request, and its refusals are not kept
//!
//! let ask = |key: &'static str, amount: &'static str| {
//!     let request = Request::post("/payments").header("idempotency-key", key);
//!     app.clone().oneshot(request.body(Body::from(amount)).unwrap())
//! };
//! assert_eq!(ask("order-1", "5 EUR").await.unwrap().status(), 201);
//! let retry = ask("order-1", "5 EUR").await.unwrap();
//! assert_eq!((retry.status().as_u16(), &retry.headers()["idempotency-replayed"]), (201, &"true".parse().unwrap()));
//! assert_eq!(ask("order-1", "500 EUR").await.unwrap().status(), 422); // not what the key was for
//! assert_eq!(ask("two words", "5 EUR").await.unwrap().status(), 400);
//!
//! // When the server has stopped: what runs still is waited for, whether its client is there or not.
//! idempotent.shutdown(std::time::Duration::from_secs(30)).await;
//! # }
//! ```
//!
//! The [crate's page](crate::idempotency) has the table of all answers, what is kept, and what is promised.
//!
//! # Where it goes
//!
//! | Layer | Where | Why |
//! |---|---|---|
//! | `TraceLayer`, `CorsLayer`, `CompressionLayer` | outside | a replay is an answer too; a compressed body has no known length, and is not kept |
//! | [replay protection](#signed-requests) | outside | a replay must not be answered from the record |
//! | authentication, limits on rates | outside | what they refuse is not an answer of the operation |
//! | **the idempotency layer** | next to the handler | `post(handler).layer(idempotent)` |
//! | a timeout for the handler | inside, or rather [`max_run`](crate::idempotency::IdempotencyLayer::max_run) | a timeout outside lets the client go, and the handler runs on |
//!
//! The handler runs in a task of its own: it sees the request's extensions, and not the task-locals of layers outside.
//! Extractors that refuse a body (`Json`, say) answer within the layer, so that their 4xx are kept for that key and body;
//! the same request would be refused again.
//!
//! # Several instances
//!
//! With the feature `redis`, all instances share what is remembered, and a key that runs on one is in use on all:
//!
//! ```no_run
//! # #[cfg(feature = "redis")]
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! use larder::idempotency::{IdempotencyLayer, RedisRecords};
//!
//! let records = RedisRecords::connect("redis://127.0.0.1:6379").await?; // fails if the server evicts keys
//! let idempotent = IdempotencyLayer::shared_by_all(records);
//! # drop(idempotent); Ok(()) }
//! ```
//!
//! When Redis is down, hangs or is full, requests with a key get 503 within two seconds: nothing runs that could run
//! twice. [`OnUnavailable::RunUnprotected`](crate::idempotency::OnUnavailable) is the other choice, and says so in the log
//! each time. What Redis may forget when it fails over is told at `RedisRecords`.
//!
//! # When nobody knows how it ended
//!
//! A process that is killed while a handler runs, a panic, a timeout: the payment may have been made or not. The key stays
//! taken, and retries get 409 ([`Problem::Indeterminate`](crate::idempotency::Problem)), for a person to look into. Where
//! the effects are such that a second run does no harm, let it run again:
//!
//! - effects in your own database check the fencing token, which is higher in each run:
//!   `UPDATE … SET fence = $token … WHERE id = $id AND fence < $token`;
//! - calls to others carry [`downstream_key`](crate::idempotency::Execution::downstream_key), which is the same in each run.
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use axum::{Router, body::Body, routing::post};
//! use http::Request;
//! use larder::idempotency::{IdempotencyLayer, MemoryRecords, OnLost};
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let runs = Arc::new(AtomicU32::new(0));
//! let pay = move || async move {
//!     assert!(runs.fetch_add(1, Ordering::SeqCst) > 0, "the first run panics");
//!     "paid"
//! };
//! let idempotent = IdempotencyLayer::shared_by_all(MemoryRecords::with_capacity(1 << 20));
//! let careful: Router = Router::new().route("/", post(pay.clone()).layer(idempotent.clone()));
//! let rerunning: Router = Router::new().route("/", post(pay).layer(idempotent.on_lost(OnLost::Rerun)));
//!
//! let ask = |app: &Router| {
//!     let request = Request::post("/").header("idempotency-key", "k");
//!     tokio::spawn(app.clone().oneshot(request.body(Body::empty()).unwrap()))
//! };
//! assert!(ask(&careful).await.is_err());
//! assert_eq!(ask(&careful).await.unwrap().unwrap().status(), 409);
//! assert_eq!(ask(&rerunning).await.unwrap().unwrap().status(), 200);
//! assert_eq!(ask(&careful).await.unwrap().unwrap().status(), 200); // from the record
//! # }
//! ```
//!
//! # Signed requests
//!
//! A key keeps a client from paying twice; it does not keep somebody who has copied the request from sending it again.
//! [`ReplayProtectionLayer`](crate::idempotency::replay::ReplayProtectionLayer) accepts requests that are signed with a
//! shared secret, not older than five minutes, and each once. A client signs with
//! [`Signer`](crate::idempotency::replay::Signer), or with the layer around it; a retry is signed anew, with the same
//! `Idempotency-Key`.
//!
//! ```
//! use axum::{Router, body::Body, routing::post};
//! use http::Request;
//! use larder::idempotency::replay::{ReplayProtectionLayer, Signer, SigningKey, SigningKeys};
//! use larder::idempotency::MemoryRecords;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = SigningKey::new("shop-2026", &[7; 32])?; // 32 random bytes that both ends have
//! let keys = SigningKeys::from(key.clone());
//! let protected = ReplayProtectionLayer::new(MemoryRecords::with_capacity(16 << 20), keys.clone());
//! let app: Router = Router::new().route("/payments", post(|| async { "paid" })).layer(protected);
//!
//! let mut request = Request::post("/payments").header("host", "api.example.com").body(Body::from("5 EUR"))?;
//! Signer::new(key).sign(&mut request, b"5 EUR")?;
//! let copy = Request::post("/payments").body(Body::from("5 EUR"))?;
//! let (mut copied, body) = copy.into_parts();
//! copied.headers = request.headers().clone();
//!
//! assert_eq!(app.clone().oneshot(request).await?.status(), 200);
//! assert_eq!(app.clone().oneshot(Request::from_parts(copied, body)).await?.status(), 401);
//!
//! // A new key comes before the old one goes.
//! keys.add(SigningKey::new("shop-2027", &[8; 32])?);
//! keys.retire("shop-2026");
//! # Ok(()) }
//! ```
//!
//! What exactly is signed, with a vector for other languages, is at [`replay`](crate::idempotency::replay).
//!
//! # In tests
//!
//! [`MemoryRecords::with_clock`](crate::idempotency::MemoryRecords::with_clock) and the `clock` setters take a
//! [`FakeClock`](crate::FakeClock), so that 24 hours pass in no time. A response says what became of its request in its
//! extensions: [`Outcome`](crate::idempotency::Outcome), and [`Problem`](crate::idempotency::Problem) if it was refused.
