//! Where the cache goes among other layers.
//!
//! What is inside the cache is skipped on a hit, and its work is kept with the entry. What is outside runs on every
//! request, and sees hits too. From the outermost to the handler:
//!
//! | Layer | Where | Why |
//! |---|---|---|
//! | `TraceLayer` | outside | hits are requests too; it can log `X-Cache` |
//! | a timeout for the client | outside | it bounds the wait for another's handler as well |
//! | `CorsLayer` | outside | its headers depend on `Origin`, which is not in the key and which the handler does not see. Outside, each origin gets its own, on hits as well |
//! | sessions, authentication | outside | a `Set-Cookie` from inside would keep the answer out of the cache; and who asks must be known before an entry is chosen |
//! | `CompressionLayer` | outside, or inside | see [below](#compression) |
//! | **the cache** | next to the handler | `get(handler).layer(larder.hot_cache("ratings"))` |
//! | a timeout for the handler | inside | it ends background fills too; with a 5xx, [`stale_if_error`](crate::CacheLayer::stale_if_error) stands in |
//! | handler | | |
//!
//! In axum the layer added last is the outermost. Laid around one method router, the cache answers for what its route
//! was made for; laid around a whole `Router`, it also sees the requests that no route fits (and keeps a 404 only with
//! [`ttl_for`](crate::CacheLayer::ttl_for)).
//!
//! ```
//! use std::time::Duration;
//! use axum::{Router, routing::get};
//! use http::StatusCode;
//! use larder::Larder;
//! use tower_http::{
//!     compression::CompressionLayer, cors::CorsLayer, timeout::TimeoutLayer, trace::TraceLayer,
//! };
//!
//! # async fn ratings() -> &'static str { "…" }
//! let larder = Larder::in_memory(64 << 20);
//! let app: Router = Router::new()
//!     .route(
//!         "/ratings",
//!         get(ratings).layer((
//!             larder.hot_cache("ratings").stale_if_error(Duration::from_secs(600)), // around the next
//!             TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(2)),
//!         )),
//!     )
//!     .layer(CompressionLayer::new())
//!     // .layer(sessions)
//!     .layer(CorsLayer::permissive())
//!     .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(10)))
//!     .layer(TraceLayer::new_for_http());
//! # let _ = app;
//! ```
//!
//! Each claim of this page is a test in `tests/recipes.rs`.
//!
//! # Compression
//!
//! | | Outside the cache | Inside the cache |
//! |---|---|---|
//! | work | on every answer with a body | once for each encoding |
//! | memory | one entry | one for each value of `Accept-Encoding`, by `Vary` |
//! | `ETag` | of the plain body; weak for clients that accept encodings | of the encoded body: each encoding has its own |
//! | 304 | yes, before anything is compressed | yes, for each encoding |
//! | ranges | of the plain body | of the encoded body |
//! | first answer | with an `ETag` | without: its length is not known before its end |
//!
//! A strong tag names one sequence of bytes. An `ETag` of ours is therefore sent weak to every client that accepts an
//! encoding, wherever the compression is. A strong `ETag` that your handler sets is not touched: with compression
//! outside, let it set a weak one.
//!
//! Inside, browsers that write `Accept-Encoding` differently do not share entries. Outside is the better start; inside
//! pays where bodies are large and asked for often.
//!
//! # Timeouts
//!
//! A request whose timeout ends is dropped. If it ran the handler for others, the one that has waited longest takes
//! over, and the handler starts again. A handler that takes longer than the timeout of every request thus never
//! finishes: put a timeout inside, so that it fails and frees all at once, or a longer one outside. A request waits for
//! another's handler for at most [`wait`](crate::CacheLayer::wait), by default 5 s.
//!
//! Those who wait for a response with a body of unknown length wait until its first client has read it all.
//!
//! # Extensions
//!
//! What the handler puts into the extensions of its response reaches outer layers when it ran, and not on a hit. What
//! outer layers must know of every answer belongs into a header.
//!
//! # A layer within a layer
//!
//! An answer that names no `Cache-Control` leaves an inner layer with `no-cache` for clients, and an outer layer keeps to
//! that: it does not store the route. Where the outer one is to store it too, let the inner one say a
//! [`client_max_age`](crate::CacheLayer::client_max_age), or nothing
//! ([`cache_control_header(false)`](crate::CacheLayer::cache_control_header)). `Cache-Status` then has a member for each
//! layer, the inner first; `X-Cache` is the outer's.
