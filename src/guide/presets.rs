//! What each preset does, and what can be set.
//!
//! A preset is a starting point: each is the plain layer [`Larder::cache`](crate::Larder::cache) with some settings
//! made beforehand, and every setter of [`CacheLayer`](crate::CacheLayer) works on each.
//!
//! | | `hot_cache` | `user_cache` | `public_cache` | `static_cache` | `cache` |
//! |---|---|---|---|---|---|
//! | entries are | shared by all | one identity's | shared by all | shared by all | shared by all |
//! | a 200 is fresh for | 5 min | 1 min | 30 min | 1 h | what the handler says, else it is not kept |
//! | another status | is not kept | is not kept | is not kept | is not kept | is not kept |
//! | served stale | never | never | never | never | never |
//! | `Cache-Control` for clients | `no-cache` | `private, no-cache` | `no-cache` | `max-age=3600` | `no-cache` |
//! | largest body | 1 MiB | 1 MiB | 1 MiB | 4 MiB | 1 MiB |
//! | request with `Cookie` | bypass | part of who asks | bypass | cached, cookie hidden | bypass |
//! | request with `Authorization` | bypass | part of who asks | bypass | bypass | bypass |
//!
//! "Another status" and "served stale" say what happens unless the handler or a setter says more.
//!
//! ```
//! use std::time::Duration;
//! use http::StatusCode;
//! use larder::Larder;
//!
//! let larder = Larder::in_memory(64 << 20);
//! let layer = larder
//!     .hot_cache("ratings")
//!     .ttl(Duration::from_secs(30))
//!     .ttl_for(StatusCode::NOT_FOUND, Duration::from_secs(5))
//!     .stale_while_revalidate(Duration::from_secs(10))
//!     .tag("ratings");
//! # drop(layer);
//! ```
//!
//! # Requests
//!
//! What is bypassed reaches the handler as it came, and the answer says why
//! ([the reasons](super::reasons#why-the-cache-had-no-part-bypassreason)).
//!
//! | Request | Shared layers | `user_cache` |
//! |---|---|---|
//! | neither GET nor HEAD | bypass | bypass |
//! | `Upgrade`, `Transfer-Encoding`, a `Content-Length` other than 0, a body | bypass | bypass |
//! | two `Host` lines, or a host that [`hosts`](crate::CacheLayer::hosts) does not name | bypass | bypass |
//! | `Authorization` | bypass | seen by the identity check |
//! | `Cookie` | bypass, unless [`ignore_cookies`](crate::CacheLayer::ignore_cookies) | seen by the identity check |
//! | another header that [names a user](crate::CacheLayer::identity_header) | bypass | seen by the identity check |
//! | a rule of [`bypass_if`](crate::CacheLayer::bypass_if) says so | bypass | bypass |
//! | no verified identity | - | bypass, unless [`share_anonymous`](crate::CacheLayer::share_anonymous) |
//! | `If-None-Match`, `If-Modified-Since`, `If-Match`, `If-Unmodified-Since` | answered from the entry: 304, 412 or 200 | the same |
//! | `Range`, `If-Range` | 206 or 416 from an entry; bypass if there is none | the same |
//! | HEAD | answered from the entry of the GET; bypass if there is none | the same |
//! | `Cache-Control`, `Pragma` | not obeyed: a client cannot make the cache ask the handler | the same |
//!
//! When the handler runs to fill an entry it sees `Host`, `Accept`, `Accept-Charset`, `Accept-Encoding`,
//! `Accept-Language`, `traceparent`, `tracestate`, the headers
//! [in the key](super::keys), those [passed by name](crate::CacheLayer::pass_header), and in a `user_cache` the
//! credentials of a verified identity. Everything else is hidden: a header that is not in the key must not shape an
//! answer for all.
//!
//! # Responses
//!
//! | Response | Is |
//! |---|---|
//! | 200 | kept for the layer's lifetime |
//! | another status | kept if [`ttl_for`](crate::CacheLayer::ttl_for) or the response gives it a lifetime; 1xx, 206 and 304 never |
//! | [`CacheHints`](crate::CacheHints) | obeyed before `Cache-Control`, but for its `no-store` and, in a shared layer, `private`: lifetime, tags, `no_store` |
//! | `Cache-Control: no-store`, `no-cache` | not kept; a lifetime in `CacheHints` overrides `no-cache` |
//! | `Cache-Control: private` | not kept in shared layers, kept in a `user_cache` |
//! | `Cache-Control: s-maxage` | the lifetime in shared layers |
//! | `Cache-Control: max-age`, `Expires` | the lifetime, where nothing above gives one |
//! | `Cache-Control: must-revalidate`, `proxy-revalidate`, `s-maxage` | never served stale |
//! | `Cache-Control: stale-while-revalidate`, `stale-if-error` | the windows, in place of the layer's |
//! | `Age` | counted as age already reached |
//! | `Set-Cookie` | not kept |
//! | `Vary` | one entry for each combination of values; `Vary: *` is not kept |
//! | `ETag`, `Last-Modified` | kept, and what conditions are compared with |
//! | no `ETag` | one is made of the body of a 200, unless [`etag(false)`](crate::CacheLayer::etag) |
//! | `text/event-stream`, `multipart/x-mixed-replace`, `application/grpc`, `Trailer`, 101 | passed on, not kept |
//! | a body larger than [`max_body`](crate::CacheLayer::max_body) | passed on, not kept |
//! | `Connection`, `Keep-Alive` and the other hop-by-hop headers | not kept |
//! | all other headers | kept and given to all who hit the entry, `Access-Control-*` and `Date` included |
//!
//! # Lifetimes from elsewhere
//!
//! The lifetimes of the presets can be set for all layers at once, with
//! [`PresetTtls`](crate::PresetTtls) or [from the environment](super::configuration). First to last: what the handler
//! says, [`ttl`](crate::CacheLayer::ttl) in the code, the configuration, the preset.
//!
//! # Setters
//!
//! | Of | Setters |
//! |---|---|
//! | lifetime | [`ttl`](crate::CacheLayer::ttl), [`ttl_for`](crate::CacheLayer::ttl_for), [`jitter`](crate::CacheLayer::jitter), [`stale_while_revalidate`](crate::CacheLayer::stale_while_revalidate), [`stale_if_error`](crate::CacheLayer::stale_if_error), [`early_refresh`](crate::CacheLayer::early_refresh) |
//! | clients | [`client_caching`](crate::CacheLayer::client_caching), [`client_max_age`](crate::CacheLayer::client_max_age), [`immutable`](crate::CacheLayer::immutable) |
//! | tags | [`tag`](crate::CacheLayer::tag), [`tags`](crate::CacheLayer::tags) |
//! | key | [`query`](crate::CacheLayer::query), [`ignore_query`](crate::CacheLayer::ignore_query), [`key_header`](crate::CacheLayer::key_header), [`key_part`](crate::CacheLayer::key_part), [`share_name`](crate::CacheLayer::share_name) |
//! | which requests | [`hosts`](crate::CacheLayer::hosts), [`bypass_if`](crate::CacheLayer::bypass_if), [`ignore_cookies`](crate::CacheLayer::ignore_cookies), [`identity_header`](crate::CacheLayer::identity_header), [`share_anonymous`](crate::CacheLayer::share_anonymous) |
//! | what the handler sees | [`unkeyed_headers`](crate::CacheLayer::unkeyed_headers), [`pass_header`](crate::CacheLayer::pass_header) |
//! | limits | [`max_body`](crate::CacheLayer::max_body), [`wait`](crate::CacheLayer::wait), [`one_fill`](crate::CacheLayer::one_fill), [`background_timeout`](crate::CacheLayer::background_timeout) |
//! | headers of answers | [`age_header`](crate::CacheLayer::age_header), [`cache_control_header`](crate::CacheLayer::cache_control_header), [`cache_status_header`](crate::CacheLayer::cache_status_header), [`etag`](crate::CacheLayer::etag), [`x_cache_header`](crate::CacheLayer::x_cache_header), [`x_cache_age_header`](crate::CacheLayer::x_cache_age_header) |
