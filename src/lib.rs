//! Tower layers that cache the HTTP responses of axum services: entries are forgotten by tag, answers are revalidated by
//! `ETag` and 304, and the store is embedded in the process.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::Request;
//! use larder::Larder;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), larder::Error> {
//! let larder = Larder::in_memory(64 << 20); // at most 64 MiB
//! let app: Router = Router::new()
//!     .route("/ratings", get(|| async { "…" }).layer(larder.hot_cache("ratings").tag("ratings")));
//!
//! let ask = || async {
//!     let request = Request::get("/ratings").body(Body::empty()).unwrap();
//!     app.clone().oneshot(request).await.unwrap().headers()["x-cache"].clone()
//! };
//! assert_eq!(ask().await, "MISS");
//! assert_eq!(ask().await, "HIT");
//! larder.invalidate_tag("ratings").await?; // when it returns, nobody gets the old answer
//! assert_eq!(ask().await, "MISS");
//! # Ok(()) }
//! ```
//!
//! # The map
//!
//! - [`Larder`] is the handle: it makes layers and forgets entries. There are no globals; keep it in axum's `State`.
//! - [`CacheLayer`] is a layer: one of four [presets](guide::presets), or plain, and every setter on each.
//! - [`Identify`] verifies who asks, for [`user_cache`](Larder::user_cache); [`from_extractor`] makes one of an axum
//!   extractor. See [identity](guide::identity).
//! - [`Tag`](struct@Tag) is a name under which entries are forgotten. See [invalidation](guide::invalidation).
//! - [`Actions`] say what an event makes stale; [`InvalidateLayer`] runs them for routes that change something. See
//!   [actions](guide::actions).
//! - [`cached`](macro@cached) keeps the results of a function, and [`get_or_fill`](Larder::get_or_fill) does it without a
//!   macro; [`FillPolicy`] says how. [`Memo`] is the memory of one request, and a [`Loader`] makes many look-ups one query.
//!   See [functions](guide::functions).
//! - [`CacheHints`] is what a handler says of its own response: a lifetime, tags, or that it must not be kept.
//! - [`Outcome`] is what became of a request, with [`MissReason`], [`BypassReason`] and [`UncacheableReason`] for why.
//!   Every answer says it: see [answers](guide::answers).
//! - [`Stats`] are the numbers of all layers for programs: [`Larder::stats`].
//! - [`Store`] is the contract of what keeps entries; [`MemoryStore`] keeps them in this process.
//! - [`Clock`] tells the time, and [`FakeClock`] the time that a test wants. See [testing](guide::testing).
//! - [`Config`] is what the environment says. See [configuration](guide::configuration).
//! - [`idempotency`] has the layers for operations that must not run twice: `Idempotency-Key`, and signed requests. See
//!   [its page](guide::idempotency).
//! - [`lock`] has locks across processes, which the handle takes with [`with_lock`](Larder::with_lock). See
//!   [locks](guide::locks).
//! - [`etag`] has entity tags, conditions and ranges by themselves: pure functions over headers.
//!
//! Which requests share an entry is told in [keys](guide::keys), how long one is of use in
//! [freshness](guide::freshness), and where the cache goes among other layers in [layers](guide::layers). The
//! [metrics](guide::metrics) have a page too.
//!
//! Where hit, stale and miss are decided is one function; the top of
//! [ARCHITECTURE.md](https://github.com/larder-rs/larder/blob/main/ARCHITECTURE.md) names it.
//!
//! # Features
//!
//! | Feature | Default | Adds |
//! |---|---|---|
//! | `axum` | on | [`from_extractor`], [`CacheHints`] and [`Parameters`] as parts of axum's responses, [`Error`] as one, [`RoutesWithLayers`], [`Memo`] as an extractor, path parameters as placeholders, and the URI that the client sent where a router is nested (`OriginalUri`) |
//! | `macros` | on | [`cached`](macro@cached), [`invalidates`](macro@invalidates), and the derives of [`Action`](macro@Action), [`Tag`](macro@Tag) and [`KeyPart`](macro@KeyPart) |
//! | `serde` | on | values of functions as JSON and postcard, for stores outside the process |
//! | `admin` | off | [`admin`]: [`Larder::health`], routes for liveness and readiness, and [a page for operators](guide::admin) |
//! | `idempotency` | off | [`idempotency`]: one run per `Idempotency-Key`, and signed requests that are accepted once |
//! | `json`, `toml` | off | [`Actions`] from files |
//! | `redis-cluster`, `redis-connection-manager`, `redis-deadpool` | off | a `RedisStore` on a connection or pool that the service has already: see `Place`. A Cluster by URL needs none of them |
//! | `redis-compression` | off | large entries are compressed on the Redis server |
//! | `redis-tls` | off | `rediss://`, by rustls with ring |
//! | `redis` | off | `RedisStore` and `Larder::redis`: entries shared by all instances of a service; [locks](lock) on Redis and Valkey servers; with `idempotency`, its records on Redis |
//!
//! Without `axum` the layers serve any tower service over `http` types. What waits (for another's handler, for a store,
//! in the background) runs on tokio, with its timer.

#[doc(hidden)]
pub mod __private;
mod config;
mod error;
mod forgets;
mod forgetting;
mod functions;
pub mod guide;
mod identified;
mod intent;
mod invalidation;
mod larder;
#[cfg(feature = "axum")]
mod routes;
mod scope;
mod sweep;
mod waiting;
mod warming;

pub use config::Config;
pub use error::{Error, ErrorKind, TimedOut};
pub use identified::identified_by;
pub use intent::Intent;
pub use invalidation::{Invalidated, Invalidation};
pub use larder::{Builder, Larder};
#[cfg(feature = "admin")]
pub use larder_admin as admin;
#[cfg(feature = "axum")]
pub use larder_cache_layer::from_extractor;
pub use larder_cache_layer::{
    Body, BypassReason, Cache, CacheHints, CacheLayer, ClientCaching, Codec, Counts, Engine, FillPolicy,
    Identify, Identity, LayerSize, LayerStats, Limits, MissReason, Missed, NamedTtl, OneFill, Outcome,
    PerIdentity, Preset, PresetTtls, Profile, QueryKey, RequestView, ResponseFuture, Scope, Shared, Slot,
    Stats, Switch, TagFamily, Ttl, TtlError, UncacheableReason, UnkeyedHeaders, Values, Verdict,
};
pub use larder_etag as etag;
#[cfg(feature = "idempotency")]
pub use larder_idempotency as idempotency;
pub use larder_invalidation::{
    Action, ActionError, ActionErrorKind, ActionRule, Actions, Coverage, InvalidateLayer, Invalidator,
    JournalLimits, ParameterSource, Parameters, query,
};
pub use larder_lock as lock;
#[cfg(feature = "macros")]
pub use larder_macros::{Action, KeyPart, Tag, cached, invalidates};
#[cfg(feature = "axum")]
pub use larder_memo::NoMemo;
pub use larder_memo::{Batch, Loader, Memo, MemoLayer, Remembering};
#[cfg(feature = "redis")]
pub use larder_redis::{Builder as RedisBuilder, Coherence, ConnectError, Place, RedisStore};
pub use larder_store as store;
pub use larder_store::{
    Clock, FakeClock, Finding, KeyPart, MemoryStore, ReadToken, Severity, Size, Store, Tag, TagTemplate,
    Timestamp,
};
#[cfg(feature = "axum")]
pub use routes::RoutesWithLayers;
pub use scope::{HasLarder, ScopeLayer, Scoped, ScopedFuture};
pub use sweep::{Sweep, TagPattern};
pub use warming::{Warmed, Warming};

/// The example of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
