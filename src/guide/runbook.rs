//! What each alert means, and what to do about it.
//!
//! The alerts are those of [`dashboards/alerts.yml`](https://github.com/larder-rs/larder/blob/main/dashboards/alerts.yml); their
//! thresholds are a start, to be fitted to a service. `page` is for somebody who looks now, `warn` for today, `info` for when
//! there is time. What each metric counts is on [its page](super::metrics), what each reason means on [that of the
//! reasons](super::reasons).
//!
//! # First, whatever it is
//!
//! - **Whether it is the cache at all**: [`set_enabled(false)`](crate::Larder::set_enabled) or `LARDER_ENABLED=false` sends every
//!   request to its handler, [`switch`](crate::Larder::switch) does it for one layer. What goes on then is not the cache's. The
//!   handlers must bear it: look at `larder_cache_load_inflight` first.
//! - **What one answer says**: `curl -si URL | grep -i -e cache-status: -e x-cache:` names the reason.
//! - **Something is stale and must go**: [`invalidate_tag`](crate::Larder::invalidate_tag), or
//!   [`invalidate_all`](crate::Larder::invalidate_all), which costs one write however many entries there are.
//! - **What the log says**: `RUST_LOG=larder=debug,larder_cache_layer=debug,larder_redis=debug`; at `warn` and above nothing is
//!   logged that is not worth reading.
//!
//! # The store
//!
//! ## `LarderStoreLeftAlone`
//!
//! - **Means**: the connection to the Redis server failed, or three operations in a row were not answered in time. No hit is
//!   served, every request runs its handler (`miss_total{reason="breaker"}`), and invalidations wait for up to 1.9 s and are
//!   then owed: nothing is read from the server before they were carried out. One task tries again, every 50 ms at first and every
//!   2 s at last.
//! - **Look at**: the log (`the server is left alone until it answers again` names the error), whether the server runs and can be
//!   reached (`redis-cli -u URL ping`), `larder_cache_load_inflight`, and whether all instances say so or one.
//! - **Do**: bring the server back. If the handlers cannot bear the load, take load away; the cache limits the runs that the store's
//!   failure causes to 256 at a time ([`Limits::unaided_loads`](crate::Limits)), beyond which requests wait. A server that comes
//!   back empty needs nothing: all is a miss once.
//!
//! ## `LarderStoreFails`
//!
//! - **Means**: operations fail, and not all of them. Each costs its request a run of the handler, never an error.
//! - **Look at**: `kind`. `timeout`: the server or the network is slow, as below. `readonly`: it is a replica, or has become one.
//!   `loading`: it was restarted and reads its data. `oom`: `maxmemory` is reached and nothing may be evicted. `unavailable` without
//!   the alert above: more than 1,024 operations at once.
//! - **Do**: for `readonly`, the address of the primary; for `oom`, more memory, or `maxmemory-policy volatile-lru` on a
//!   server that has no locks on it; for `unavailable`, a larger `RedisBuilder::in_flight`, if the server can
//!   take it.
//!
//! ## `LarderStoreSlow`
//!
//! - **Means**: one in a hundred operations comes near the 40 ms after which they are given up; each hit with `Coherence::Strict`
//!   waits for one.
//! - **Look at**: `redis-cli SLOWLOG GET`, `redis-cli --latency`, the server's CPU (it has one thread), large entries
//!   (`larder_cache_value_bytes`), whether something else uses the server, and the CPU of the instances: a runtime that is
//!   blocked sees late answers.
//! - **Do**: take away what is slow; a server nearer by; `Coherence::Bounded`, with which hits in memory ask nobody; at last a longer
//!   `RedisBuilder::budget`.
//!
//! ## `LarderForeignEntries`
//!
//! - **Means**: what lies under the keys cannot be read. `schema`: another version wrote it, of the library or of a type. `decode`: it is
//!   damaged, or no entry.
//! - **Look at**: whether two releases run side by side; who else writes to `{namespace}:e1:…`.
//! - **Do**: `schema`: nothing, it ends when one release is left. With two for good, give each a namespace of its own. `decode`:
//!   find the other writer; give the service a namespace or a server of its own.
//!
//! ## `LarderMemoryShort`
//!
//! - **Means**: the memory is full, and more than every second entry pushes out another.
//! - **Look at**: the hit ratio. If it is well, this is how it should be. `larder_cache_value_bytes` and
//!   `larder_cache_store_total` by layer say who fills it; `miss_total{reason="absent"}`, who suffers.
//! - **Do**: more memory (`LARDER_MEMORY`); fewer values in the key ([queries](super::keys#query), `key_header`, hosts); no layer on
//!   routes whose answers nobody asks for twice.
//!
//! # The feed of changes
//!
//! ## `LarderNotListening`
//!
//! - **Means**: with `Coherence::Bounded`, this instance does not know whether it is told of all changes. Nothing is stale: hits ask the
//!   server, as with `Strict`, and are slower.
//! - **Look at**: the log (`the server is not listened to`), whether the server speaks RESP3 and allows `CLIENT TRACKING` and
//!   `SUBSCRIBE` to this user, and whether a proxy is between.
//! - **Do**: connect without the proxy; allow the commands. It comes back by itself.
//!
//! ## `LarderListeningLapses`
//!
//! - **Means**: the feed is lost and found again and again. `disconnect`: its connection is cut. `heartbeat`: what this process sends to
//!   itself over the server comes back too late. `server`: another server is in charge by now, as after a failover.
//! - **Look at**: `larder_coherence_lag_seconds` against the bound; `client-output-buffer-limit pubsub` of the server, which
//!   cuts off who reads too slowly; the CPU of the instance.
//! - **Do**: a longer bound; a larger limit; less load on the instance.
//!
//! # Invalidations
//!
//! ## `LarderInvalidationFails`
//!
//! - **Means**: an invalidation was not confirmed. With Redis it is owed, and no instance that owes it reads before it was carried out;
//!   other instances may serve what it named until then. If the process ends before, it is lost.
//! - **Look at**: the log at `error` (`invalidation failed`), and `LarderStoreLeftAlone`.
//! - **Do**: bring the store back. If the process has ended meanwhile, invalidate again what was changed in that time, or
//!   [everything](crate::Larder::invalidate_all). Code that calls `invalidate_…` gets the error, and is to retry or to tell its caller.
//!
//! ## `LarderInvalidationsWait`
//!
//! - **Means**: actions on routes changed data, their tags could not be forgotten, and are retried from the journal.
//! - **Look at**: as above.
//! - **Do**: bring the store back, before the process is restarted: the journal is in its memory.
//!
//! ## `LarderActionUnresolved`
//!
//! - **Means**: a route has an [action](super::actions) whose tag has a placeholder, and a request had no value for it. That tag was
//!   not forgotten, so something is stale until its lifetime ends.
//! - **Look at**: the log at `error`, which names action and placeholder.
//! - **Do**: invalidate by hand what is stale; give the layer a [`parameter`](crate::InvalidateLayer::parameter), or a tag for
//!   [`otherwise`](crate::InvalidateLayer::otherwise); declare the route [with its layer](crate::RoutesWithLayers), which is
//!   checked when the router is built.
//!
//! # What the cache is worth
//!
//! ## `LarderHitRatioLow`
//!
//! - **Means**: the layer keeps answers, and they are not asked for again in time.
//! - **Look at**: `larder_cache_miss_total` by reason. `absent`: too many keys, or too little memory. `expired`: the lifetime is
//!   short. `tag`: invalidations name too much. `vary`: too many values of a header.
//! - **Do**: what the [page of the reasons](super::reasons#why-there-was-no-entry-missreason) says; or take the layer away.
//!
//! ## `LarderAlwaysBypassed`
//!
//! - **Means**: the layer is on a route whose requests it must not answer.
//! - **Look at**: `larder_cache_bypass_total` by reason: mostly `authorization` or `cookie`.
//! - **Do**: [`user_cache`](super::identity) for what belongs to a user, [`ignore_cookies`](crate::CacheLayer::ignore_cookies) for
//!   what does not; switched off (`disabled`) by whom?
//!
//! ## `LarderNothingKept`
//!
//! - **Means**: the handler runs, and nearly nothing that it answers may be kept.
//! - **Look at**: `larder_cache_uncacheable_total` by reason: mostly `set_cookie` of a session layer within the cache, `no_store`
//!   or `private` of a framework, `status`.
//! - **Do**: what the [page of the reasons](super::reasons#why-an-answer-was-not-kept-uncacheablereason) says.
//!
//! # Handlers
//!
//! ## `LarderHandlersFail`
//!
//! - **Means**: more than one run in ten ends in an error or a status of 500 or more. Clients see it unless a stale answer stands in.
//! - **Look at**: the service's own log and what the handlers depend on.
//! - **Do**: mend it; the cache has no part in it. `stale_if_error` bridges the next time.
//!
//! ## `LarderServesStale`
//!
//! - **Means**: handlers fail, and clients get old answers instead (`X-Cache: STALE`).
//! - **Look at**: `larder_cache_stale_served_age_seconds{cause="error"}`: how old they are, against the layer's `stale_if_error`.
//! - **Do**: mend the handlers before the window ends.
//!
//! ## `LarderWaitsEndWithout`
//!
//! - **Means**: requests waited for another's run and got nothing of it. `timeout`: it took longer than 5 s
//!   ([`wait`](crate::CacheLayer::wait)). `leader_failed`: its client left and it was dropped.
//! - **Look at**: `larder_cache_load_duration_seconds` of the layer; timeouts of layers around the cache, which drop runs.
//! - **Do**: faster handlers, or a longer wait; timeouts [inside](super::layers) of the cache.
//!
//! ## `LarderRefreshesRefused`
//!
//! - **Means**: stale answers were served, and the fills behind them were not begun (`refused`: more than 64 at once, or the store
//!   failed) or were stopped (`timeout`).
//! - **Look at**: `larder_cache_load_duration_seconds{mode="background"}`, and the alerts of the store.
//! - **Do**: faster handlers; more [`background_fills`](crate::Limits), if the handlers can bear it; a longer
//!   [`background_timeout`](crate::CacheLayer::background_timeout).
//!
//! # Locks
//!
//! ## `LarderLockLost`
//!
//! - **Means**: a critical section went on, or was stopped, after its lock was no longer its own. `expired`: it was not extended in
//!   time. `max_hold`: it took longer than it may. `quorum`: most servers were not there. `not_owner`: the server forgot it, or gave it to
//!   another.
//! - **Look at**: what the section had written, and whether a [fencing token](super::locks) kept a late write out; pauses of the
//!   process (CPU, a blocked runtime); `redis-cli INFO` for a restart or for evictions.
//! - **Do**: a longer `ttl` for `expired`, `max_hold` for `max_hold`; lock servers that do not evict
//!   (`maxmemory-policy noeviction`) and keep their data (`appendfsync always`), or five of them.
//!
//! ## `LarderLocksUnavailable`
//!
//! - **Means**: no majority of the lock servers answers, and sections do not run, or run without a lock where they were told so.
//! - **Look at**: `larder_lock_node_errors_total` by `node` and `kind`. `quarantined`: the server was restarted and may have forgotten
//!   locks; it takes part again after the longest `ttl`. `evicting`: its policy would evict locks. `clock_skew`: its clock is off.
//! - **Do**: bring the servers back; wait for the quarantine to end.
//!
//! ## `LarderRunsUnlocked`
//!
//! - **Means**: a section ran without its lock, because its servers were not there and it has
//!   [`OnUnavailable::RunUnlocked`](crate::lock::OnUnavailable::RunUnlocked).
//! - **Look at**: whether it ran twice at a time, in its own log.
//! - **Do**: as above; take the option away where twice is not harmless.
//!
//! ## `LarderLockServerFails`
//!
//! - **Means**: one lock server fails. With others there, locks go on.
//! - **Look at**: `node` and `kind`, as above.
//! - **Do**: bring it back before the next one fails.
//!
//! # Idempotency
//!
//! ## `LarderOperationLost`
//!
//! - **Means**: an operation with a key began, and nobody knows how it ended. Retries get 409 (`indeterminate_409`) and do not run it.
//!   `panic`, `error`: its handler. `stopped`: it took longer than [it may](super::idempotency). `gone`: its claim ended while it
//!   ran. `unwritten`: it ended, and that could not be written down.
//! - **Look at**: the log at `error` and `warn` for the time; the data: was it done?
//! - **Do**: mend the data by hand, or let the client ask with a new key. For `gone`, a longer lease, or a runtime that is not
//!   blocked.
//!
//! ## `LarderIdempotencyUnavailable`
//!
//! - **Means**: what remembers the keys fails. Operations are refused with 503 before they run, or run unprotected where the layer was
//!   told so.
//! - **Look at**: `store` and `kind`; `full`: there is no room for another key. `evicting`: the server's policy would evict keys.
//! - **Do**: bring the store back; more room, or a shorter `retention`; `maxmemory-policy noeviction`.
//!
//! ## `LarderReplays`
//!
//! - **Means**: signed requests came a second time, or with a wrong signature; they were refused. A client that retries without signing
//!   anew does it; so does somebody who copied requests on the way.
//! - **Look at**: which key and address, in the log of what is in front of the service.
//! - **Do**: tell the client to [sign each retry anew](super::idempotency); otherwise retire the key.
