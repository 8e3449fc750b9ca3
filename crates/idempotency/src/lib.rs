//! Idempotent and replay-proof endpoints, for any tower service.
//!
//! A client that got no answer does not know whether its payment was made, and has to ask again. With
//! [`IdempotencyLayer`] it sends an `Idempotency-Key` along: the handler runs once for each key, and retries get its
//! response.
//!
//! ```
//! use axum::{Extension, Router, body::Body, routing::post};
//! use http::{Request, StatusCode};
//! use larder_idempotency::{Execution, IdempotencyLayer, MemoryRecords, Principal};
//! use tower::ServiceExt;
//!
//! #[derive(Clone)]
//! struct User { id: u64 } // put into the extensions by an authentication layer further out
//!
//! async fn pay(Extension(execution): Extension<Execution>) -> (StatusCode, String) {
//!     // The fencing token for what is written here, and the key for the bank's own idempotency.
//!     let (_token, _key) = (execution.fencing_token(), execution.downstream_key());
//!     (StatusCode::CREATED, "payment 1".to_owned())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! // Or `RedisRecords::connect(url).await?`, with the feature `redis`.
//! let records = MemoryRecords::with_capacity(64 << 20);
//! let idempotent = IdempotencyLayer::per_principal(records, |parts| {
//!     parts.extensions.get::<User>().map(|user| Principal::new(user.id.to_string()))
//! });
//! let app: Router = Router::new()
//!     .route("/payments", post(pay).layer(idempotent.clone()))
//!     .layer(Extension(User { id: 7 }));
//!
//! let ask = || async {
//!     let request = Request::post("/payments").header("idempotency-key", "order-456");
//!     app.clone().oneshot(request.body(Body::from("5 EUR")).unwrap()).await.unwrap()
//! };
//! assert_eq!(ask().await.status(), StatusCode::CREATED);
//! let again = ask().await; // the handler does not run
//! assert_eq!(again.status(), StatusCode::CREATED);
//! assert_eq!(again.headers()["idempotency-replayed"], "true");
//! # }
//! ```
//!
//! # What a request gets
//!
//! As [draft-ietf-httpapi-idempotency-key-header](https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/)
//! and Stripe have it. Refusals are [`Problem`]s (RFC 9457).
//!
//! | The key | The request gets |
//! |---|---|
//! | is missing, or is not 1 to 255 printable ASCII characters, quoted or bare | 400 |
//! | is new | the handler runs |
//! | was used, and the handler ended | its response, with `Idempotency-Replayed: true`; errors too |
//! | was used with another content type or body | 422 |
//! | was used, and the handler still runs | 409 with `Retry-After`, or its response once it is there ([`WhileRunning`]) |
//! | was used, and nobody knows how the handler ended | 409; or it runs again ([`OnLost`]) |
//! | was used, and the response was a stream, or too large to be kept | 409 |
//! | cannot be looked up | 503; or the handler runs ([`OnUnavailable`]) |
//!
//! Keys of different principals, methods and targets (path with query) have nothing to do with each other. Host and headers
//! do not count: where tenants are told apart by those, they belong into the [`Principal`]. A request's trailers are not
//! part of what has to be the same, so a request with trailers is refused.
//!
//! **Not kept**: what is refused before the handler began, by this layer or, if it is told so ([`NotBegun`],
//! [`IdempotencyLayer::not_begun`]), by others inside; `Set-Cookie` and what else belongs to one answer alone. Everything
//! else the handler says is, for 24 hours, 500 included: the operation may have come half way.
//!
//! # What it promises, and what it does not
//!
//! As long as the [`Records`] remember, **no second run begins** for a key whose first one began, under the default
//! [`OnLost::Refuse`]; whether the client went away, the handler panicked, the process was killed or the connection to the
//! records was lost:
//!
//! - A claim is one atomic step, holds for a [lease](IdempotencyLayer::lease) and is renewed while the handler runs.
//! - **A client that goes away does not stop the handler**, which runs in a task of its own: its retry gets the answer. The
//!   layer bounds how many [run at once](IdempotencyLayer::max_running) and [how long](IdempotencyLayer::max_run), and
//!   [`shutdown`](IdempotencyLayer::shutdown) waits for them.
//! - A run that ended without a result (a panic, a kill, a [limit](IdempotencyLayer::max_run)) is *lost*, and its key stays
//!   taken. Only a claim whose operation was never begun is freed.
//! - The answer leaves when the result is written down. If that fails, the answer leaves all the same, and the result is
//!   tried to be written for half a minute more.
//!
//! A layer cannot make the effect and the record one: a process that is killed between the two leaves a lost run, which a
//! person or a look into the books has to clear up. Where the effect is in your own database, implement [`Records`] there.
//! What [`RedisRecords`](https://docs.rs/larder-idempotency/latest/larder_idempotency/struct.RedisRecords.html) may forget
//! is told there.
//!
//! # Replay protection
//!
//! [`replay`] has the layer for signed requests, each of which is accepted once, and the client's side of it. It goes
//! outside of the idempotency layer.
//!
//! # Metrics
//!
//! Through the [`metrics`](https://docs.rs/metrics) facade. No label has a key, a principal or a target.
//!
//! | Name | Kind | Labels |
//! |---|---|---|
//! | `larder_idempotency_requests_total` | counter | `outcome`: the words of [`Outcome`]. Requests, each once; one whose client left before its answer only if its handler ran |
//! | `larder_idempotency_not_kept_total` | counter | `reason`: the words of [`NotKeptReason`] |
//! | `larder_idempotency_lost_total` | counter | `cause`: `panic`, `error` (of the inner service), `stopped`, `gone` (the claim, while the handler ran), `unwritten` |
//! | `larder_idempotency_running` | gauge | |
//! | `larder_idempotency_store_errors_total` | counter | `store`, `kind`: the words of [`RecordsErrorKind`] |
//! | `larder_replay_requests_total` | counter | `outcome`: `accepted`, `unsigned_401`, `malformed_400`, `outdated_401`, `unknown_key`, `bad_signature`, `replayed`, `forgotten_401`, `too_large_413`, `unreadable_400`, `store_error` |
//!
//! # Features
//!
//! | Feature | Default | What it adds |
//! |---|---|---|
//! | `axum` | no | the target that the client sent where a router is nested (`OriginalUri`); without it, what the layer sees |
//! | `redis` | no | `RedisRecords`: shared by all instances, on a Redis (6 or later) or Valkey server |
//!
//! It must be used within a tokio runtime with its timer.

mod admit;
mod body;
mod claiming;
mod digest;
mod entropy;
mod error;
mod execution;
mod flow;
mod frame;
mod future;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod keep;
mod key;
mod layer;
mod memory;
mod metrics;
mod outcome;
mod policy;
mod problem;
mod records;
#[cfg(feature = "redis")]
mod redis_records;
pub mod replay;
mod result;
mod run;
mod service;
mod shared;
mod tasks;

pub use body::Body;
pub use error::{RecordsError, RecordsErrorKind};
pub use execution::{Execution, NotBegun, Principal};
pub use future::ResponseFuture;
pub use key::IdempotencyKey;
pub use larder_lock::{FencingToken, Owner};
pub use layer::IdempotencyLayer;
pub use memory::MemoryRecords;
pub use outcome::Outcome;
pub use policy::{OnLost, OnUnavailable, WhileRunning};
pub use problem::Problem;
pub use records::{
    Claim, Claimed, Fingerprint, Finish, Hold, Record, RecordKey, RecordState, Records, RecordsFuture,
    Release, Renewal, Spend, Spent,
};
#[cfg(feature = "redis")]
pub use redis_records::RedisRecords;
pub use result::{KeptResponse, NotKeptReason, RunResult};
pub use service::Idempotency;
