//! Why it was a miss, why the cache had no part, and why an answer was not kept: each reason, what to do, and a command
//! that
//! brings it about.
//!
//! The words are those of `Cache-Status` (`detail`), of [metrics](super::metrics) (`reason`) and of logs; what the headers
//! say besides
//! is on the page of the [answers](super::answers). The commands are for the example `reasons`:
//!
//! ```sh
//! cargo run --example reasons
//! ```
//!
//! Those at port 3002 need a Redis server, and the example with its entries there:
//!
//! ```sh
//! redis-server --port 7379 --save '' &
//! cargo run --features redis --example reasons -- --listen 127.0.0.1:3002 --redis redis://127.0.0.1:7379
//! ```
//!
//! Each block prints what stands below it when the example was just started.
//!
//! # Why there was no entry: `MissReason`
//!
//! In `Cache-Status` it shows in `fwd`, and where that does not say it all in `detail`. It is the label `reason` of
//! `larder_cache_miss_total`.
//!
//! ## `absent`
//!
//! There is no entry. **If there are too many**: the key has too many values ([query](super::keys#query), hosts), or the
//! memory is too small: look at `larder_cache_evictions_total`.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/pages/1 | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; fwd-status=200; stored; ttl=60
//! ```
//!
//! ## `expired`
//!
//! Past its lifetime and windows. **If there are too many**: a longer [lifetime](super::freshness), or
//! `stale_while_revalidate`.
//!
//! ```sh
//! curl -s http://127.0.0.1:3001/short -o /dev/null
//! sleep 1.1
//! curl -si http://127.0.0.1:3001/short | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=stale; fwd-status=200; stored; ttl=1
//! ```
//!
//! ## `tag`
//!
//! One of its tags was forgotten. **If there are too many**: narrower tags.
//!
//! ```sh
//! curl -s http://127.0.0.1:3001/pages/1 -o /dev/null
//! curl -s -X POST http://127.0.0.1:3001/forget
//! curl -si http://127.0.0.1:3001/pages/1 | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=stale; fwd-status=200; stored; ttl=60; detail=tag
//! ```
//!
//! ## `vary`
//!
//! There are entries for other values of the headers in `Vary`. **If there are too many**: vary by fewer headers, or by
//! fewer values of them.
//!
//! ```sh
//! curl -s http://127.0.0.1:3001/languages -H 'Accept-Language: en' -o /dev/null
//! curl -si http://127.0.0.1:3001/languages -H 'Accept-Language: de' | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=vary-miss; fwd-status=200; stored; ttl=60
//! ```
//!
//! ## `request`
//!
//! There is an entry, and the request's `Cache-Control` asked for a younger one. **If there are too many**:
//! [`request_directives`](crate::CacheLayer::request_directives) off.
//!
//! ```sh
//! curl -s http://127.0.0.1:3001/origin/page -o /dev/null
//! curl -si http://127.0.0.1:3001/origin/page -H 'Cache-Control: no-cache' | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=request; fwd-status=304; stored; ttl=60
//! ```
//!
//! ## `epoch`
//!
//! Kept before the store lost its records, or in another life of its server. **If there are too many**: a server that does
//! not evict and is not restarted; happens once each time.
//!
//! ```sh
//! until curl -si http://127.0.0.1:3002/pages/1 | grep -q hit; do sleep 0.1; done
//! redis-cli -p 7379 DEL '{reasons}:root' > /dev/null
//! curl -si http://127.0.0.1:3002/pages/1 | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=stale; fwd-status=200; stored; ttl=60; detail=epoch
//! ```
//!
//! ## `schema`
//!
//! Kept by another version of this library; of a [function](super::functions), of another type or release. **If there are
//! too many**: once after a deployment.
//!
//! ```sh
//! until curl -si http://127.0.0.1:3002/pages/1 | grep -q hit; do sleep 0.1; done
//! for entry in $(redis-cli -p 7379 --scan --pattern 'reasons:e1:*'); do redis-cli -p 7379 SETRANGE $entry 4 '~' > /dev/null; done
//! curl -si http://127.0.0.1:3002/pages/1 | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; fwd-status=200; stored; ttl=60; detail=schema
//! ```
//!
//! ## `decode`
//!
//! What lies in the store is damaged, or not an entry. **If there are too many**: find out who else writes to the server.
//!
//! ```sh
//! until curl -si http://127.0.0.1:3002/pages/1 | grep -q hit; do sleep 0.1; done
//! for entry in $(redis-cli -p 7379 --scan --pattern 'reasons:e1:*'); do redis-cli -p 7379 SET $entry junk > /dev/null; done
//! curl -si http://127.0.0.1:3002/pages/1 | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; fwd-status=200; stored; ttl=60; detail=decode
//! ```
//!
//! ## `intent`
//!
//! A change of one of its tags was announced and is not finished. **If there are too many**: shorter changes.
//!
//! ```sh
//! until curl -si http://127.0.0.1:3002/pages/1 | grep -q hit; do sleep 0.1; done
//! curl -s -X POST http://127.0.0.1:3002/intend
//! curl -si http://127.0.0.1:3002/pages/1 | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=stale; fwd-status=200; stored; ttl=60; detail=intent
//! ```
//!
//! ## `tier_error`
//!
//! The store failed. **If there are too many**: look at `larder_backend_errors_total`; the embedded store does not fail.
//!
//! ```sh
//! until curl -si http://127.0.0.1:3002/pages/1 | grep -q hit; do sleep 0.1; done
//! redis-cli -p 7379 CLIENT PAUSE 3000 > /dev/null
//! curl -si http://127.0.0.1:3002/pages/1 | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=bypass; fwd-status=200; detail=tier_error
//! ```
//!
//! ## `breaker`
//!
//! The store failed and is not asked for a while. **If there are too many**: as before.
//!
//! ```sh
//! redis-cli -p 7379 SHUTDOWN NOSAVE
//! curl -s http://127.0.0.1:3002/pages/1 -o /dev/null
//! curl -si http://127.0.0.1:3002/pages/1 | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=bypass; fwd-status=200; detail=breaker
//! ```
//!
//! # Why the cache had no part: `BypassReason`
//!
//! `detail` of `Cache-Status`, and the label `reason` of `larder_cache_bypass_total`. `fwd` is `bypass`, for `method` it
//! is `method` (without a `detail`), for `head` and `range` it is `uri-miss`, for `no_store` it is `request`.
//!
//! ## `method`
//!
//! Neither GET nor HEAD. **Do**: nothing.
//!
//! ```sh
//! curl -si -X DELETE http://127.0.0.1:3001/pages/1 | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=method
//! ```
//!
//! ## `head`
//!
//! A HEAD with no entry of the GET. **Do**: nothing: the GET fills it.
//!
//! ```sh
//! curl -sI http://127.0.0.1:3001/pages/1 | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; detail=head
//! ```
//!
//! ## `authorization`
//!
//! `Authorization` in a shared layer. **Do**: do not send it there, or use a [`user_cache`](super::identity).
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/pages/1 -H 'Authorization: Bearer ada' | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=bypass; detail=authorization
//! ```
//!
//! ## `identity_header`
//!
//! Another header that names a user, in a shared layer. **Do**: the same.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/pages/1 -H 'X-Api-Key: ada' | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=bypass; detail=identity_header
//! ```
//!
//! ## `cookie`
//!
//! `Cookie` in a shared layer. **Do**: [`ignore_cookies`](crate::CacheLayer::ignore_cookies) if the answer does not depend
//! on it, or a `user_cache`.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/pages/1 -H 'Cookie: session=1' | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=bypass; detail=cookie
//! ```
//!
//! ## `no_identity`
//!
//! The identity was refused, or there is none. **Do**: see [verdicts](super::identity#user_cache).
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/profile | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=bypass; detail=no_identity
//! ```
//!
//! ## `range`
//!
//! A part was asked for with no entry of the whole. **Do**: nothing, or fetch the whole once.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/pages/1 -H 'Range: bytes=0-3' | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; detail=range
//! ```
//!
//! ## `no_store`
//!
//! The request says that no answer to it may be kept, and nothing was. **Do**: nothing.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/origin/page -H 'Cache-Control: no-store' | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=request; detail=no_store
//! ```
//!
//! ## `body`
//!
//! The request has a body. **Do**: do not send one with GET.
//!
//! ```sh
//! curl -si -X GET -d text http://127.0.0.1:3001/pages/1 | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=bypass; detail=body
//! ```
//!
//! ## `upgrade`
//!
//! Another protocol is asked for. **Do**: nothing.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/pages/1 -H 'Connection: Upgrade' -H 'Upgrade: websocket' | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=bypass; detail=upgrade
//! ```
//!
//! ## `host`
//!
//! Not one of the layer's hosts, or two of them. **Do**: name it in [`hosts`](crate::CacheLayer::hosts) if it is yours,
//! with its port.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/hosted -H 'Host: other.example' | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=bypass; detail=host
//! ```
//!
//! ## `rule`
//!
//! [`bypass_if`](crate::CacheLayer::bypass_if) said so. **Do**: it is your rule.
//!
//! ```sh
//! curl -si 'http://127.0.0.1:3001/ruled?preview' | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=bypass; detail=rule
//! ```
//!
//! ## `read_token`
//!
//! The client changed something and the invalidation failed ([`ReadToken`](crate::ReadToken)). **Do**: `X-Invalidation` of
//! that answer and the log say why; it ends with the cookie.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/pages/1 -H 'Cookie: larder-read=bypass' | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=bypass; detail=read_token
//! ```
//!
//! ## `disabled`
//!
//! The layer or all of them are switched off. **Do**: [`set_enabled`](crate::Larder::set_enabled),
//! [`switch`](crate::Larder::switch), `LARDER_ENABLED`.
//!
//! ```sh
//! curl -s -X POST http://127.0.0.1:3001/switch/off
//! curl -si http://127.0.0.1:3001/pages/1 | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=bypass; detail=disabled
//! ```
//!
//! # Why an answer was not kept: `UncacheableReason`
//!
//! `detail` of `Cache-Status`, and the label `reason` of `larder_cache_uncacheable_total`. For 10 s after an answer that
//! could not be kept for what its head said, requests of its key do not wait for each other.
//!
//! ## `status`
//!
//! The status has no lifetime; or it is 1xx, 206, 304, which never have one. **Do**:
//! [`ttl_for`](crate::CacheLayer::ttl_for), or [`ttl`](crate::CacheLayer::ttl) in a plain layer.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/says/error | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; fwd-status=500; detail=status
//! ```
//!
//! ## `set_cookie`
//!
//! It sets a cookie. **Do**: set it in a layer outside the cache, or on another route.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/says/set-cookie | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; fwd-status=200; detail=set_cookie
//! ```
//!
//! ## `private`
//!
//! It says `private` in a shared layer. **Do**: a `user_cache`, or do not say it.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/says/private | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; fwd-status=200; detail=private
//! ```
//!
//! ## `no_store`
//!
//! It says `no-store`. **Do**: nothing, if it is meant.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/says/no-store | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; fwd-status=200; detail=no_store
//! ```
//!
//! ## `authorization`
//!
//! Its request had `Authorization`, and it says none of `public`, `s-maxage`, `must-revalidate`. **Do**: say one of them,
//! if it is for all.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/origin/page -H 'Authorization: Bearer ada' | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; fwd-status=200; detail=authorization
//! ```
//!
//! ## `no_cache`
//!
//! It says `no-cache`, and is not [validated](crate::CacheLayer::revalidate) or has no validator. **Do**: for clients alone
//! it need not be said; else a lifetime in [`CacheHints`](crate::CacheHints).
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/says/no-cache | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; fwd-status=200; detail=no_cache
//! ```
//!
//! ## `no_lifetime`
//!
//! Its lifetime is zero, or shorter than its `Age`. **Do**: a longer one, if it is to be kept.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/says/max-age-0 | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; fwd-status=200; detail=no_lifetime
//! ```
//!
//! ## `vary_star`
//!
//! `Vary: *`. **Do**: name the headers.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/says/vary-star | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; fwd-status=200; detail=vary_star
//! ```
//!
//! ## `groups`
//!
//! It names more than 64 [cache groups](super::gateway). **Do**: name fewer.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/origin/groups | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; fwd-status=200; detail=groups
//! ```
//!
//! ## `hidden_vary`
//!
//! `Vary` names a header that was [hidden](super::presets) from the handler. **Do**: let it see the header: `key_header`,
//! `pass_header`, or `UnkeyedHeaders::Pass`.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/says/vary-hidden | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; fwd-status=200; detail=hidden_vary
//! ```
//!
//! ## `too_large`
//!
//! More than [`max_body`](crate::CacheLayer::max_body), or than the store gives to one entry. **Do**: raise it, or [the
//! memory](crate::MemoryStore::with_capacity).
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/says/large | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; fwd-status=200; detail=too_large
//! ```
//!
//! ## `streaming`
//!
//! An event stream, another protocol, trailers. **Do**: nothing.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/says/events | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; fwd-status=200; detail=streaming
//! ```
//!
//! ## `incomplete`
//!
//! The body failed, or was not as long as it said. **Do**: mend the handler.
//!
//! ```sh
//! curl -s http://127.0.0.1:3001/says/less -o /dev/null
//! curl -s http://127.0.0.1:3001/metrics | grep incomplete
//! ```
//!
//! ```text
//! larder_cache_uncacheable_total{cache="says",reason="incomplete"} 1
//! ```
//!
//! ## `validator`
//!
//! A 304 that names another validator than the one it was asked about (RFC 9111 §4.3.4). **Do**: mend the origin.
//!
//! ```sh
//! curl -s http://127.0.0.1:3001/origin/short -o /dev/null
//! sleep 1.1
//! curl -si http://127.0.0.1:3001/origin/short | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=stale; fwd-status=304; detail=validator
//! ```
//!
//! ## `head`
//!
//! It answers a HEAD, and nothing that is stored could be updated by it. **Do**: nothing.
//!
//! ```sh
//! curl -s http://127.0.0.1:3001/origin/page -o /dev/null
//! curl -sI http://127.0.0.1:3001/origin/page -H 'Cache-Control: no-cache' | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=request; fwd-status=200; detail=head
//! ```
//!
//! ## `hint`
//!
//! [`CacheHints::no_store`](crate::CacheHints::no_store). **Do**: nothing.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/says/hint | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; fwd-status=200; detail=hint
//! ```
//!
//! ## `unresolved_tag`
//!
//! A placeholder in a tag of the layer has no value in the request; the log says which. **Do**: declare the route [with its
//! layer](crate::RoutesWithLayers), which finds it when the router is built.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/unresolved | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; fwd-status=200; detail=unresolved_tag
//! ```
//!
//! ## `stamp`
//!
//! One of its tags was forgotten while the handler ran. **Do**: nothing: the next request fills it. If it is frequent,
//! narrower tags.
//!
//! ```sh
//! curl -si http://127.0.0.1:3001/overtaken | grep -i cache-status:
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; fwd-status=200; detail=stamp
//! ```
//!
//! ## `form`
//!
//! A value of a [function](super::functions) that cannot be written as bytes, in a store outside the process. **Do**: a
//! codec that can: `json`, `postcard`.
//!
//! ```sh
//! curl -s http://127.0.0.1:3002/function -o /dev/null
//! curl -s http://127.0.0.1:3002/metrics | grep 'reason=.form.'
//! ```
//!
//! ```text
//! larder_cache_uncacheable_total{cache="function",reason="form"} 1
//! ```
//!
//! ## `store_error`
//!
//! The store failed. **Do**: look at `larder_backend_errors_total`.
//!
//! ```sh
//! curl -si http://127.0.0.1:3002/slow | grep -i cache-status: &
//! until curl -s http://127.0.0.1:3002/metrics | grep -q 'inflight.*slow.* 1'; do sleep 0.1; done
//! redis-cli -p 7379 CLIENT PAUSE 3000 > /dev/null
//! curl -s -X POST http://127.0.0.1:3002/go
//! wait
//! ```
//!
//! ```text
//! cache-status: larder; fwd=uri-miss; fwd-status=200; detail=store_error
//! ```
