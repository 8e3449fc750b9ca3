//! Which metrics there are.
//!
//! They go to the recorder of the crate [`metrics`](https://docs.rs/metrics). Install it before the first request: a
//! layer takes its handles then, and a recorder that comes later sees only a part. `cache` is the layer's name, or that of a [function](super::functions); no label
//! holds a URI, a tag or an identity.
//!
//! The layers of [idempotency](super::idempotency) have metrics of their own: see [their crate](crate::idempotency#metrics).
//!
//! # Counters
//!
//! | Name | Labels | Counts |
//! |---|---|---|
//! | `larder_cache_requests_total` | `cache`, `outcome` | requests, each once, by [outcome](super::answers#what-was-done-outcome) |
//! | `larder_cache_miss_total` | `cache`, `reason` | runs of handlers to fill an entry, by [reason](super::answers#why-there-was-no-entry-missreason); background fills are not counted here |
//! | `larder_cache_bypass_total` | `cache`, `reason` | requests without the cache, by [reason](super::answers#why-the-cache-had-no-part-bypassreason) |
//! | `larder_cache_uncacheable_total` | `cache`, `reason` | answers that were not kept, by [reason](super::answers#why-an-answer-was-not-kept-uncacheablereason) |
//! | `larder_cache_refresh_total` | `cache`, `trigger`: `swr`, `early`, `soft_timeout`, `outlived`; `result`: `ok`, `error`, `timeout`, `refused` | background fills that ended, and those not begun (too many, shut down, or the store failed) |
//! | `larder_cache_store_total` | `cache`, `tier`, `result`: `stored`, `rejected_stamp`, `rejected_size`, `error` | responses given to the store |
//! | `larder_cache_fill_race_total` | `cache` | those of them that an invalidation overtook |
//! | `larder_cache_evictions_total` | `cache`, `cause`: `size` | entries that left for want of room |
//! | `larder_cache_time_saved_milliseconds_total` | `cache` | for each hit, how long the making of its entry took |
//! | `larder_cache_bytes_saved_total` | `cache`, `kind`: `hit`, `not_modified` | bytes of the bodies of hits; bytes of bodies that a 304 spared. A hit that is a 304 counts in both |
//! | `larder_cache_conditional_total` | `cache`, `result`: `not_modified`, `modified` | requests with conditions that were answered from an entry |
//! | `larder_backend_errors_total` | `backend`, `kind`: `timeout`, `io`, `protocol`, `readonly`, `loading`, `oom`, `unavailable` | failures of the store |
//! | `larder_backend_breaker_transitions_total` | `backend`, `to`: `closed`, `half_open`, `open` | changes of what is below |
//! | `larder_turns_total` | `backend`, `whose`: `own`, `others` | questions whether another instance fills already, by the answer |
//! | `larder_invalidation_received_total` | `via`: `push` | messages of the Redis server that records changed |
//! | `larder_coherence_lapses_total` | `reason`: `disconnect`, `heartbeat` | times from which on the server was not known to tell of changes |
//! | `larder_invalidations_total` | `kind`: `tag`, `prefix`, `key`, `all`; `source`: `api`, `action`, `http_method`, `replay`; `mode`: `hard`, `soft`; `result`: `ok`, `error`, `unresolved` | invalidations; by identity is `tag`, by URI is `key`; `replay` is a retry of one that failed, and `unresolved` an [action](super::actions) on a route that had no value for a placeholder |
//!
//! # Gauges
//!
//! | Name | Labels | Is |
//! |---|---|---|
//! | `larder_cache_load_inflight` | `cache` | handlers that run to fill an entry |
//! | `larder_cache_entries`, `larder_cache_bytes`, `larder_cache_capacity_bytes` | `tier` | what the store holds, as of the last fill; [`size`](crate::Larder::size) is exact |
//! | `larder_invalidations_pending` | | tags that could not be forgotten and are retried, as of the last change |
//! | `larder_backend_breaker_state` | `backend` | 0 while the Redis server is used, 1 while it is tried, 2 while it is left alone |
//! | `larder_coherence_up` | - | 1 while the server is known to tell of changes, with `Coherence::Bounded` |
//!
//! # Histograms
//!
//! | Name | Labels | Of |
//! |---|---|---|
//! | `larder_cache_load_duration_seconds` | `cache`, `mode`: `foreground`, `background`; `result`: `ok`, `error_status`, `error` | how long handlers took |
//! | `larder_cache_coalesced_wait_seconds` | `cache`, `scope`: `local`, `cluster`; `result`: `value`, `leader_failed`, `released`, `timeout` | how long requests waited for another's handler, in this process or in another |
//! | `larder_cache_lookup_duration_seconds` | `cache`, `tier`, `result`: `hit` | how long the look-up of a hit took, for one hit in 64 |
//! | `larder_cache_hit_age_seconds` | `cache`, `tier` | the age of what was hit, one in 64 |
//! | `larder_cache_stale_served_age_seconds` | `cache`, `cause`: `swr`, `error`, `soft_timeout` | the age of what was served stale |
//! | `larder_cache_value_bytes` | `cache` | the size of bodies given to the store |
//! | `larder_invalidation_duration_seconds` | `kind` | how long invalidations took |
//!
//! `tier` is `l1`, the memory, or `l2`, the Redis server.
//!
//! # What to watch
//!
//! - **The hit ratio**: `requests_total` of `hit_l1`, `coalesced`, `stale_swr` against all. With `bypass` set apart: a
//!   route that is always bypassed is a mistake in the setup, and `bypass_total` says which.
//! - **Memory**: `evictions_total` that grows with a low hit ratio means too little of it, or keys with too many values.
//! - **Handlers that hold others up**: `coalesced_wait_seconds` with `result="timeout"`.
//! - **Invalidations that failed**: any `invalidations_total{result="error"}` or `{result="unresolved"}`; and
//!   `invalidations_pending` above 0.
//! - **The Redis server**: `backend_breaker_state` above 0, and `coherence_up` at 0.
//!
//! # Logs
//!
//! Through [`tracing`](https://docs.rs/tracing): what was answered, bypassed, filled and not kept at `debug`, background
//! fills in the span `larder_refresh`, failures of the store and fills that were stopped at `warn`, failed invalidations
//! at `error`. Plain hits are not logged. Identities and values of headers are never logged; names of hidden headers and
//! paths are, at `debug`.
