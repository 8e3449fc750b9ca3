//! See what it does: numbers for programs, health, the page for operators, and why a request hit or missed.
//!
//! # Numbers for programs
//!
//! [`Larder::stats`](crate::Larder::stats) has what each layer has counted since it was made, by
//! [outcome and reason](super::answers), with or without a recorder of [metrics](super::metrics): requests, misses, bypasses,
//! what was not kept, runs of handlers and how many were [slow](crate::Limits::slow_fill); how often tags were kept and
//! forgotten, by [family](crate::TagFamily); and how much is kept in memory
//! ([`Size`](crate::Size)), and how the store is. Nothing is ever set back: a rate is the difference of two readings
//! ([`Counts::since`](crate::Counts::since)). It is there without the feature `admin`.
//! [`Larder::layer_sizes`](crate::Larder::layer_sizes) has the entries and bytes in memory by layer, which takes a walk over all of
//! them.
//!
//! A function's policy is counted by the handle that first used it.
//!
//! # Health
//!
//! [`Larder::health`](crate::Larder::health) asks the store and each node of the locks, all at the same time, and says how
//! each is, how long it took and how long it might have taken: 1 s, and never more than 5 s.
//!
//! [`Larder::health_routes`](crate::Larder::health_routes) are routes for an orchestrator. `/livez` asks nobody: a process
//! that answers lives. `/readyz` says as JSON how the dependencies are, and is 200 when one of them is down: the cache is
//! *degraded* then, its requests go to their handlers, and to take the instance away would leave their load to the others.
//! Who needs it otherwise says so:
//!
//! ```
//! use axum::{Router, body::Body};
//! use http::Request;
//! use larder::Larder;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let larder = Larder::in_memory(1 << 20);
//! // Of no use while no lock can be had.
//! let app: Router = larder.health_routes().ready_when(|health| health.locks).router();
//! let ready = app.oneshot(Request::get("/readyz").body(Body::empty()).unwrap()).await.unwrap();
//! assert_eq!(ready.status(), 200);
//! # }
//! ```
//!
//! The routes need no authorisation and so name nothing: `store`, `lock-1`, and the word for how it failed.
//!
//! # The page
//!
//! [`Larder::admin`](crate::Larder::admin) makes a router with a page: hit ratio and times of runs of each layer over the last
//! ten minutes, entries by path, tag or key, the graph of actions, the last invalidations, locks, the state of the store; and
//! buttons that forget, switch layers off and on, and warm. All of it is there as JSON too: see [`Admin`](crate::admin::Admin).
//!
//! It is not to be had without a [guard](crate::admin::Guard), which is asked for each request. [`Token`](crate::admin::Token)
//! asks for a secret, for which browsers ask by themselves; a closure may ask your sessions:
//!
//! ```
//! use http::request::Parts;
//! use larder::Larder;
//!
//! # async fn is_operator(_: Option<String>) -> bool { true }
//! let larder = Larder::in_memory(1 << 20);
//! let admin = larder.admin(|parts: &Parts| {
//!     let session = parts.headers.get("cookie").and_then(|cookie| cookie.to_str().ok()).map(str::to_owned);
//!     async move { is_operator(session).await }
//! });
//! let app: axum::Router = axum::Router::new().nest("/admin", admin.router());
//! # let _ = app;
//! ```
//!
//! What it shows are keys, paths, tags and identities: let only those see it who may see your logs. Whoever passes the guard
//! can also forget everything and switch the cache off.
//!
//! - Each change needs the header `X-Larder-Admin`, a JSON body, and an `Origin` that is the page's own: no other site can
//!   send one with an operator's credentials. Each is logged at `WARN`.
//! - The page loads nothing from elsewhere, runs no script but its own (`Content-Security-Policy`), and shows every text as
//!   text. No answer may be kept or framed.
//! - What it answers is bounded: 100 entries, 256 bytes of a text, 200,000 entries looked at.
//! - It shows this process. Entries that only the Redis server has, invalidations and locks of other instances are not in it.
//!
//! While the router is there, the last 256 invalidations and runs of handlers are remembered, which costs each of those a lock
//! and some hundred bytes, and a task reads the counters every other second. Hits cost nothing more.
//!
//! # Why was this a miss?
//!
//! `GET …/api/explain?uri=/api/v1/ratings&cache=ratings`, or the form on the page: whether the layer would take part in such a
//! request (`method`, and any number of `header=name: value`), what is kept for the path, with key, tags and age, when it was
//! filled and how long that took, which invalidation made it stale, when, and by which action; and the last runs of its
//! handler, with why each ran and why its answer was not kept.
//!
//! ```sh
//! curl -s -H "Authorization: Bearer $TOKEN" 'http://127.0.0.1:8081/admin/api/explain?uri=/api/v1/ratings'
//! ```
