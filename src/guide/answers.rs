//! What the headers of an answer say, and what is to be done about each reason.
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
//! | `uncacheable` | `MISS` | `fwd=…; fwd-status=N; detail=…` | the handler ran, and its answer could not be kept: [why](#why-an-answer-was-not-kept-uncacheablereason) |
//! | `bypass` | `BYPASS` | `fwd=…; detail=…` | the cache had no part: [why](#why-the-cache-had-no-part-bypassreason) |
//! | `hit_l2` | `HIT` | `hit; ttl=S` | answered from the Redis server: it was not in memory |
//! | `revalidated` | `REVALIDATED` | `fwd=stale; fwd-status=304; stored; ttl=S` | the origin said that the stored answer is still the one; a [gateway](super::gateway) asks so |
//! | `unsatisfied` | `MISS` | `detail=only_if_cached` | 504: the request wanted nothing but what is stored, and there was nothing |
//!
//! A body of unknown length is on its way before it is known whether it can be kept: its answer says `MISS` without
//! `stored`. If it is too large or fails, `larder_cache_uncacheable_total` says so.
//!
//! # Why there was no entry: `MissReason`
//!
//! `fwd` of `Cache-Status`, and the label `reason` of `larder_cache_miss_total`.
//!
//! | Word | `Cache-Status` | Means | If there are too many |
//! |---|---|---|---|
//! | `absent` | `fwd=uri-miss` | there is no entry | the key has too many values ([query](super::keys#query), hosts), or the memory is too small: look at `larder_cache_evictions_total` |
//! | `expired` | `fwd=stale` | past its lifetime and windows | a longer [lifetime](super::freshness), or `stale_while_revalidate` |
//! | `tag` | `fwd=stale; detail=tag` | one of its tags was forgotten | narrower tags |
//! | `vary` | `fwd=vary-miss` | there are entries for other values of the headers in `Vary` | vary by fewer headers, or by fewer values of them |
//! | `request` | `fwd=request` | there is an entry, and the request's `Cache-Control` asked for a younger one | [`request_directives`](crate::CacheLayer::request_directives) off |
//! | `epoch` | `fwd=stale; detail=epoch` | kept before the store lost its records, or in another life of its server | a server that does not evict and is not restarted; happens once each time |
//! | `schema` | `fwd=uri-miss; detail=schema` | kept by another version of this library; of a [function](super::functions), of another type or release | once after a deployment |
//! | `decode` | `fwd=uri-miss; detail=decode` | what lies in the store is damaged, or not an entry | find out who else writes to the server |
//! | `intent` | `fwd=stale; detail=intent` | a change of one of its tags was announced and is not finished | shorter changes |
//! | `tier_error` | `fwd=bypass; detail=tier_error` | the store failed | look at `larder_backend_errors_total`; the embedded store does not fail |
//! | `breaker` | `fwd=bypass; detail=breaker` | the store failed and is not asked for a while | as before |
//!
//! # Why the cache had no part: `BypassReason`
//!
//! `detail` of `Cache-Status`, and the label `reason` of `larder_cache_bypass_total`. `fwd` is `bypass`, for `method` it
//! is `method` (without a `detail`), for `head` and `range` it is `uri-miss`, for `no_store` it is `request`.
//!
//! | Word | Means | What to do |
//! |---|---|---|
//! | `method` | neither GET nor HEAD | nothing |
//! | `head` | a HEAD with no entry of the GET | nothing: the GET fills it |
//! | `range` | a part was asked for with no entry of the whole | nothing, or fetch the whole once |
//! | `authorization` | `Authorization` in a shared layer | do not send it there, or use a [`user_cache`](super::identity) |
//! | `identity_header` | another header that names a user, in a shared layer | the same |
//! | `cookie` | `Cookie` in a shared layer | [`ignore_cookies`](crate::CacheLayer::ignore_cookies) if the answer does not depend on it, or a `user_cache` |
//! | `no_identity` | the identity was refused, or there is none | see [verdicts](super::identity#user_cache) |
//! | `no_store` | the request says that no answer to it may be kept, and nothing was | nothing |
//! | `body` | the request has a body | do not send one with GET |
//! | `upgrade` | another protocol is asked for | nothing |
//! | `host` | not one of the layer's hosts, or two of them | name it in [`hosts`](crate::CacheLayer::hosts) if it is yours, with its port |
//! | `read_token` | the client changed something and the invalidation failed ([`ReadToken`](crate::ReadToken)) | `X-Invalidation` of that answer and the log say why; it ends with the cookie |
//! | `rule` | [`bypass_if`](crate::CacheLayer::bypass_if) said so | it is your rule |
//! | `disabled` | the layer or all of them are switched off | [`set_enabled`](crate::Larder::set_enabled), [`switch`](crate::Larder::switch), `LARDER_ENABLED` |
//!
//! # Why an answer was not kept: `UncacheableReason`
//!
//! `detail` of `Cache-Status`, and the label `reason` of `larder_cache_uncacheable_total`. For 10 s after an answer that
//! could not be kept for what its head said, requests of its key do not wait for each other.
//!
//! | Word | Means | What to do |
//! |---|---|---|
//! | `status` | the status has no lifetime; or it is 1xx, 206, 304, which never have one | [`ttl_for`](crate::CacheLayer::ttl_for), or [`ttl`](crate::CacheLayer::ttl) in a plain layer |
//! | `set_cookie` | it sets a cookie | set it in a layer outside the cache, or on another route |
//! | `private` | it says `private` in a shared layer | a `user_cache`, or do not say it |
//! | `no_store` | it says `no-store` | nothing, if it is meant |
//! | `authorization` | its request had `Authorization`, and it says none of `public`, `s-maxage`, `must-revalidate` | say one of them, if it is for all |
//! | `no_cache` | it says `no-cache`, and is not [validated](crate::CacheLayer::revalidate) or has no validator | for clients alone it need not be said; else a lifetime in [`CacheHints`](crate::CacheHints) |
//! | `no_lifetime` | its lifetime is zero, or shorter than its `Age` | a longer one, if it is to be kept |
//! | `vary_star` | `Vary: *` | name the headers |
//! | `groups` | it names more than 64 [cache groups](super::gateway) | name fewer |
//! | `hidden_vary` | `Vary` names a header that was [hidden](super::presets) from the handler | let it see the header: `key_header`, `pass_header`, or `UnkeyedHeaders::Pass` |
//! | `too_large` | more than [`max_body`](crate::CacheLayer::max_body), or than the store gives to one entry | raise it, or [the memory](crate::MemoryStore::with_capacity) |
//! | `streaming` | an event stream, another protocol, trailers | nothing |
//! | `incomplete` | the body failed, or was not as long as it said | mend the handler |
//! | `validator` | a 304 that names another validator than the one it was asked about (RFC 9111 §4.3.4) | mend the origin |
//! | `head` | it answers a HEAD, and nothing that is stored could be updated by it | nothing |
//! | `hint` | [`CacheHints::no_store`](crate::CacheHints::no_store) | nothing |
//! | `unresolved_tag` | a placeholder in a tag of the layer has no value in the request; the log says which | declare the route [with its layer](crate::RoutesWithLayers), which finds it when the router is built |
//! | `stamp` | one of its tags was forgotten while the handler ran | nothing: the next request fills it. If it is frequent, narrower tags |
//! | `form` | a value of a [function](super::functions) that cannot be written as bytes, in a store outside the process | a codec that can: `json`, `postcard` |
//! | `store_error` | the store failed | look at `larder_backend_errors_total` |
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
