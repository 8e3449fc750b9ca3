//! How long an entry is of use, and what happens at its end.
//!
//! The lifetime of a response is the first of these that there is:
//!
//! 1. [`CacheHints::ttl`](crate::CacheHints::ttl), for any status;
//! 2. `s-maxage` (in shared layers), `max-age`, `Expires`;
//! 3. [`ttl_for`](crate::CacheLayer::ttl_for) its status;
//! 4. [`ttl`](crate::CacheLayer::ttl), else the configuration's or the preset's: for 200 alone.
//!
//! Without any, or with zero, it is not kept. Then, counted from the end of the lifetime:
//!
//! | | Fresh | Within `stale_while_revalidate` | Within `stale_if_error` | After that |
//! |---|---|---|---|---|
//! | the request gets | the entry: `HIT` | the entry: `STALE` | the handler's answer; the entry (`STALE`) if it fails or answers 5xx | the handler's answer |
//! | the handler runs | no | once, in the background | for this request | for this request |
//!
//! Both windows are zero by default. They begin together: 10 s and 60 s mean stale at once for 10 s, then for errors
//! until 60 s. A response that says `must-revalidate`, `proxy-revalidate` or `s-maxage` has neither. What was
//! [invalidated](super::invalidation) is not served in either.
//!
//! ```
//! use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
//! use std::time::Duration;
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode};
//! use larder::{FakeClock, Larder, MemoryStore};
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let clock = FakeClock::new();
//! let larder = Larder::builder(MemoryStore::with_capacity(1 << 20)).clock(clock.clock()).build();
//! let layer = larder
//!     .hot_cache("ratings")
//!     .ttl(Duration::from_secs(60))
//!     .stale_while_revalidate(Duration::from_secs(10))
//!     .stale_if_error(Duration::from_secs(600));
//! let runs = Arc::new(AtomicU32::new(0));
//! let handler = move || async move {
//!     // Works twice, then fails.
//!     if runs.fetch_add(1, Ordering::SeqCst) < 2 { StatusCode::OK } else { StatusCode::BAD_GATEWAY }
//! };
//! let app: Router = Router::new().route("/", get(handler).layer(layer));
//! let ask = || async {
//!     let response = app.clone().oneshot(Request::new(Body::empty())).await.unwrap();
//!     (response.status().as_u16(), response.headers()["x-cache"].to_str().unwrap().to_owned())
//! };
//!
//! assert_eq!(ask().await, (200, "MISS".into()));
//! clock.advance(Duration::from_secs(65));
//! assert_eq!(ask().await, (200, "STALE".into()));
//! larder.idle().await; // the background fill
//! assert_eq!(ask().await, (200, "HIT".into()));
//! clock.advance(Duration::from_secs(300));
//! assert_eq!(ask().await, (200, "STALE".into()), "the handler failed");
//! clock.advance(Duration::from_secs(600));
//! assert_eq!(ask().await, (502, "MISS".into()), "beyond every window");
//! # }
//! ```
//!
//! # Background fills
//!
//! The request that got the stale answer is donated to the fill: the handler sees its method as GET, its URI and its
//! extensions, and the headers that it [may see](super::presets#requests). Task-locals are gone, and the tracing span is
//! a new one, `larder_refresh`. There is at most one for an entry, at most 64 at a time
//! ([`Limits`](crate::Limits)), and each is stopped after 30 s
//! ([`background_timeout`](crate::CacheLayer::background_timeout)). It fails quietly: the entry stays stale, and
//! `larder_cache_refresh_total{result="error"}` counts it. Call [`shutdown`](crate::Larder::shutdown) when the service
//! ends.
//!
//! # Many entries, one moment
//!
//! Entries that were made together end together. [`jitter(0.1)`](crate::CacheLayer::jitter) takes up to a tenth off each
//! lifetime of the layer's own. [`early_refresh(1.0)`](crate::CacheLayer::early_refresh) replaces an entry in the
//! background shortly before its end, the likelier the dearer its making was, so that for a busy entry nobody waits.
//!
//! # Statuses
//!
//! Only a 200 has a lifetime by default. A 404 that a bot asks for all day is worth
//! [`ttl_for(StatusCode::NOT_FOUND, 10 s)`](crate::CacheLayer::ttl_for); a redirect too. 206, 304 and 1xx are never kept.
//! A 5xx is kept only if you or the handler give it a lifetime.
