//! How a cached service is tested.
//!
//! There are no globals: a test makes a [`Larder`](crate::Larder) of its own, in memory, and hands it to the same
//! function that makes the router in production. Tests run side by side and see nothing of each other.
//!
//! Time is a [`FakeClock`](crate::FakeClock), which stands still until the test moves it. So a lifetime of an hour is
//! tested in no time, exactly, and without sleeping:
//!
//! ```
//! use std::time::Duration;
//! use axum::{Router, body::Body, routing::get};
//! use http::Request;
//! use larder::{FakeClock, Larder, MemoryStore};
//! use tower::ServiceExt;
//!
//! /// The router of the service.
//! fn router(larder: &Larder) -> Router {
//!     Router::new().route("/products", get(|| async { "jam" }).layer(larder.public_cache("products")))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let clock = FakeClock::new();
//! let larder = Larder::builder(MemoryStore::with_capacity(1 << 20)).clock(clock.clock()).build();
//! let app = router(&larder);
//! let ask = || async {
//!     let request = Request::get("/products").body(Body::empty()).unwrap();
//!     app.clone().oneshot(request).await.unwrap().headers()["x-cache"].clone()
//! };
//!
//! assert_eq!(ask().await, "MISS");
//! clock.advance(Duration::from_secs(30 * 60) - Duration::from_millis(1));
//! assert_eq!(ask().await, "HIT");
//! clock.advance(Duration::from_millis(1));
//! assert_eq!(ask().await, "MISS");
//! # }
//! ```
//!
//! - **What to assert**: `X-Cache` for what happened, `Cache-Status` for [why](super::answers).
//! - **Bodies**: an answer whose length is not known beforehand is kept when its body has been read; read it before you
//!   ask again.
//! - **Background fills**: after a `STALE` answer, [`idle`](crate::Larder::idle) waits for the fill.
//! - **Waits** ([`wait`](crate::CacheLayer::wait), [`background_timeout`](crate::CacheLayer::background_timeout), the
//!   store's limits) are tokio's time, not the clock's: `#[tokio::test(start_paused = true)]` moves it by itself.
//! - **Without the cache**: [`set_enabled(false)`](crate::Larder::set_enabled) sends every request to its handler, for
//!   tests of the handler alone.
