//! A shared cache in front of any origin: [`gateway_cache`](crate::Larder::gateway_cache).
//!
//! The presets are for an application's own handlers: the layer knows how long an answer is of use. In front of an origin
//! that it knows nothing of, the origin's headers alone decide, by RFC 9111. It is the same engine with other rules, and
//! [`Profile`](crate::Profile) says how far they go.
//!
//! ```
//! use axum::{Router, body::Body, routing::get};
//! use http::{Request, StatusCode, header};
//! use larder::{FakeClock, Larder, MemoryStore, Profile};
//! use std::time::Duration;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! // Fresh for 10 s, and then it is asked whether "v1" is still the one.
//! let origin = service_fn(|request: Request<Body>| async move {
//!     let mut response = http::Response::new(Body::from("jam"));
//!     response.headers_mut().insert(header::ETAG, "\"v1\"".parse().unwrap());
//!     response.headers_mut().insert(header::CACHE_CONTROL, "max-age=10".parse().unwrap());
//!     if request.headers().get(header::IF_NONE_MATCH).is_some_and(|tag| tag == "\"v1\"") {
//!         *response.status_mut() = StatusCode::NOT_MODIFIED;
//!         *response.body_mut() = Body::empty();
//!     }
//!     Ok::<_, std::convert::Infallible>(response)
//! });
//!
//! let clock = FakeClock::new();
//! let larder = Larder::builder(MemoryStore::with_capacity(1 << 20)).clock(clock.clock()).build();
//! let gateway = larder.gateway_cache("gateway", Profile::Safe).layer(origin);
//! let ask = || async {
//!     let response = gateway.clone().oneshot(Request::new(Body::empty())).await.unwrap();
//!     (response.status().as_u16(), response.headers()["cache-status"].to_str().unwrap().to_owned())
//! };
//!
//! assert_eq!(ask().await, (200, "larder; fwd=uri-miss; fwd-status=200; stored; ttl=10".into()));
//! clock.advance(Duration::from_secs(5));
//! assert_eq!(ask().await, (200, "larder; hit; ttl=5".into()));
//! clock.advance(Duration::from_secs(10));
//! assert_eq!(ask().await, (200, "larder; fwd=stale; fwd-status=304; stored; ttl=10".into()));
//! # }
//! ```
//!
//! `examples/gateway` is a whole reverse proxy around it: `cargo run --release -p gateway -- --listen 127.0.0.1:8080
//! --origin http://127.0.0.1:9000`.
//!
//! # What differs from the presets
//!
//! | | Presets | `Profile::Safe` | `Profile::Rfc` | Setter |
//! |---|---|---|---|---|
//! | lifetime where the response gives none | the layer's | a guess from `Last-Modified`, else none | the same | [`ttl`](crate::CacheLayer::ttl), [`heuristic_freshness`](crate::CacheLayer::heuristic_freshness) |
//! | a stale response | is replaced | is validated | the same | [`revalidate`](crate::CacheLayer::revalidate) |
//! | `no-cache` | is not kept | is kept and validated before each use | the same | |
//! | a mutation | forgets nothing | forgets its target | the same | [`mutations_forget`](crate::CacheLayer::mutations_forget) |
//! | `CDN-Cache-Control` | is not read | is read in the place of `Cache-Control`, and may forbid more | and may allow more | [`targeted_fields`](crate::CacheLayer::targeted_fields), [`targeted_fields_override`](crate::CacheLayer::targeted_fields_override) |
//! | `Cache-Groups`, `No-Vary-Search` | are not read | are read | the same | |
//! | `Cache-Control` of a request | is not obeyed | is not obeyed | is obeyed | [`request_directives`](crate::CacheLayer::request_directives) |
//! | headers that are not in the key | are hidden | are hidden | reach the origin | [`unkeyed_headers`](crate::CacheLayer::unkeyed_headers) |
//! | `Cookie`, `Authorization` in a request | bypass | bypass | keep by RFC 9111 §3.5 | |
//! | `Set-Cookie` in a response | is not kept | is not kept | **is kept, and reaches everybody** | [`strip_set_cookie`](crate::CacheLayer::strip_set_cookie) |
//! | the order of query parameters | means nothing | counts | counts | [`query`](crate::CacheLayer::query) |
//! | `Accept-Language: de, en` and `en,de` | are two variants | are two | are one | |
//! | headers of its own | all | `Age`, `Cache-Status` | the same | [`etag`](crate::CacheLayer::etag), … |
//!
//! `Rfc` is for origins that speak HTTP well, and for measuring: an origin that reads a header and does not name it in
//! `Vary` can be made to poison it. `Safe` is for all others.
//!
//! # Validation
//!
//! A response that is stale, or that says `no-cache`, is kept as long as there is room. The next request for it asks the
//! origin whether it is still the one, by its `ETag` and `Last-Modified` (RFC 9111 §4.3.1), in the place of the client's
//! own conditions, which are answered here afterwards. On a 304 its headers are updated (§3.2), all but
//! `Content-Length`, `Content-Encoding`, `Content-Range` and the `ETag` that was asked about, and it is kept anew: a
//! freshening is a fill, so what was invalidated meanwhile is not fresh again, and it keeps the tags and groups that it
//! had, whatever the 304 names. A HEAD updates what it agrees with, and makes stale what it contradicts (§4.3.5).
//!
//! Nothing is served past `must-revalidate`, `proxy-revalidate`, `s-maxage` or `no-cache`. Otherwise `stale-if-error`
//! and `stale-while-revalidate` count as the response says, or as the layer is told; and
//! [`stale_if_unreachable`](crate::CacheLayer::stale_if_unreachable) is for an origin that gives no answer at all.
//!
//! # Mutations
//!
//! A request with a method that is not known to be safe, and that is answered 2xx or 3xx, forgets its target, and what
//! its answer names in `Location` and `Content-Location` at the same host and port (RFC 9111 §4.4), before its answer
//! leaves. A GET that was under way meanwhile is answered, and its response is not kept as fresh. Where it is not known how
//! the mutation ended, because the origin gave no answer or the client went away, the target is forgotten too. Hosts are
//! apart: nothing of another is forgotten.
//!
//! `Cache-Groups` (RFC 9875) name groups of responses of one origin; `Cache-Group-Invalidation` on the answer to a
//! mutation forgets whole groups. A response may name up to 64 groups of up to 128 characters; with more it is not kept.
//!
//! # Which requests share an entry
//!
//! The query counts byte for byte. A response with `No-Vary-Search` says which parameters mean nothing to it, and then
//! answers all queries that differ in those alone; up to 4 different rules are remembered for a path.
