//! What the headers of an answer say.
//!
//! | Header | On | Says |
//! |---|---|---|
//! | `X-Cache` | every answer | one coarse word: below |
//! | `Cache-Status` | every answer | what this cache did and why (RFC 9211); appended where an inner cache has said something |
//! | `Age` | answers from an entry; a fresh one only if it came with an age | whole seconds since it was made |
//! | `X-Cache-Age` | answers from an entry that was there before the request | the same |
//! | `ETag` | a 200 that is kept | the handler's, else a digest of the body; that one is weak (`W/"…"`) for clients that send `Accept-Encoding` |
//! | `Cache-Control` | answers that are kept, if the handler said neither it nor `Expires` | how clients may keep the answer |
//! | `Vary` | answers of layers with [`key_header`](crate::CacheLayer::key_header) | the handler's, and the headers in the key |
//!
//! A 304 has those of them that its 200 would have. A 412, 416, 206 has them as well, a 412 without `ETag`, `Vary` and
//! `Cache-Control`. Each but `Vary` can be [switched off](super::presets#setters). `Cache-Status` tells a client what
//! others asked for before: switch it off where that is a secret, and mind that the time of a hit tells it too.
//!
//! # What was done: `Outcome`
//!
//! Each request has one. It is the label `outcome` of `larder_cache_requests_total`.
//!
//! | Word | `X-Cache` | `Cache-Status` | Means |
//! |---|---|---|---|
//! | `hit_l1` | `HIT` | `hit; ttl=S` | answered from memory; S seconds are left |
//! | `coalesced` | `HIT` | `fwd=…; collapsed` | answered with what another request's handler made at the same time |
//! | `stale_swr` | `STALE` | `hit; ttl=-S; detail=stale_while_revalidate` | past its lifetime, a background fill replaces it |
//! | `stale_error` | `STALE` | `fwd=stale; fwd-status=N; detail=stale_if_error` | the handler failed, a stale entry stood in |
//! | `miss` | `MISS` | `fwd=…; fwd-status=N; stored; ttl=S` | the handler ran, and its answer was kept |
//! | `uncacheable` | `MISS` | `fwd=…; fwd-status=N; detail=…` | the handler ran, and its answer could not be kept: [why](super::reasons#why-an-answer-was-not-kept-uncacheablereason) |
//! | `bypass` | `BYPASS` | `fwd=…; detail=…` | the cache had no part: [why](super::reasons#why-the-cache-had-no-part-bypassreason) |
//! | `hit_l2` | `HIT` | `hit; ttl=S` | answered from the Redis server: it was not in memory |
//! | `revalidated` | `REVALIDATED` | `fwd=stale; fwd-status=304; stored; ttl=S` | the origin said that the stored answer is still the one; a [gateway](super::gateway) asks so |
//! | `unsatisfied` | `MISS` | `detail=only_if_cached` | 504: the request wanted nothing but what is stored, and there was nothing |
//!
//! A body of unknown length is on its way before it is known whether it can be kept: its answer says `MISS` without
//! `stored`. If it is too large or fails, `larder_cache_uncacheable_total` says so.
//!
//! # Why
//!
//! Each reason, what to do about it, and a command that brings it about, are on the page of the [reasons](super::reasons): [why there
//! was no entry](super::reasons#why-there-was-no-entry-missreason), [why the cache had no
//! part](super::reasons#why-the-cache-had-no-part-bypassreason), and [why an answer was not
//! kept](super::reasons#why-an-answer-was-not-kept-uncacheablereason).
//!
//! # Reading them
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::Request;
//! use larder::Larder;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let larder = Larder::in_memory(1 << 20);
//! let page = get(|| async { ([("set-cookie", "seen=1")], "hello") });
//! let app: Router = Router::new().route("/", page.layer(larder.hot_cache("pages")));
//! let answer = app.oneshot(Request::new(Body::empty())).await.unwrap();
//! assert_eq!(answer.headers()["x-cache"], "MISS");
//! assert_eq!(
//!     answer.headers()["cache-status"],
//!     "larder; fwd=uri-miss; fwd-status=200; detail=set_cookie",
//! );
//! # }
//! ```
