//! Which metrics there are.
//!
//! Metrics go to the recorder of the crate [`metrics`](https://docs.rs/metrics). Install it before the first request: a
//! layer takes its handles then, and a recorder that comes later sees only a part. What a hit costs with one is in
//! [benches/README.md](https://github.com/larder-rs/larder/blob/main/benches/README.md).
//!
//! The repository has a [dashboard](https://github.com/larder-rs/larder/blob/main/dashboards/larder.json) for Grafana and
//! [alerts](https://github.com/larder-rs/larder/blob/main/dashboards/alerts.yml) for Prometheus; what to do about each alert
//! is in the [runbook](super::runbook). The example `community` serves its metrics: `--metrics ADDRESS:PORT`.
//!
//! # All of them
//!
//! Labels have the values that the table names, and no others. The values of these are names of yours: `cache` is that of
//! a layer or of a [function](super::functions), `-` where an entry has none; `backend` and `store` are the kind of a store,
//! `memory` and `redis` or what your own says; `lock` is the kind of a [lock](super::locks), never its id; `node` is the name
//! of a lock server. No label holds a URI, a key, a tag or an identity.
//!
//! | Name | Type | Unit | Labels | Meaning |
//! |---|---|---|---|---|
//! | `larder_cache_requests_total` | counter | requests | `cache`; `outcome`: `hit_l1`, `hit_l2`, `revalidated`, `coalesced`, `stale_swr`, `stale_error`, `miss`, `bypass`, `uncacheable`, `unsatisfied` | requests and calls of functions, each once, by [outcome](super::answers#what-was-done-outcome) |
//! | `larder_cache_miss_total` | counter | runs | `cache`; `reason`: `absent`, `expired`, `tag`, `vary`, `request`, `epoch`, `schema`, `decode`, `intent`, `tier_error`, `breaker` | runs of handlers and functions to fill an entry, by [reason](super::reasons#why-there-was-no-entry-missreason); background fills are not counted here |
//! | `larder_cache_bypass_total` | counter | requests | `cache`; `reason`: `method`, `head`, `authorization`, `identity_header`, `cookie`, `no_identity`, `range`, `no_store`, `body`, `upgrade`, `host`, `rule`, `read_token`, `disabled` | requests without the cache, by [reason](super::reasons#why-the-cache-had-no-part-bypassreason) |
//! | `larder_cache_uncacheable_total` | counter | answers | `cache`; `reason`: `status`, `set_cookie`, `private`, `no_store`, `authorization`, `no_cache`, `no_lifetime`, `vary_star`, `groups`, `hidden_vary`, `too_large`, `streaming`, `incomplete`, `validator`, `head`, `hint`, `unresolved_tag`, `stamp`, `form`, `store_error` | answers that were not kept, by [reason](super::reasons#why-an-answer-was-not-kept-uncacheablereason) |
//! | `larder_cache_lookup_duration_seconds` | histogram | seconds | `cache`; `tier`: `l1`, `l2`, `none`; `result`: `hit`, `stale`, `miss`, `error` | how long a look-up took: of one hit in 64, and of each look-up that found nothing fresh; where a function's result is not in memory, of those alone that lead to a run. `tier` is where the entry was |
//! | `larder_cache_hit_age_seconds` | histogram | seconds | `cache`; `tier`: `l1`, `l2` | the age of what was hit, of one hit in 64 |
//! | `larder_cache_load_duration_seconds` | histogram | seconds | `cache`; `mode`: `foreground`, `background`; `result`: `ok`, `error_status`, `error` | how long handlers and functions took. One that a limit of time stopped is not in it, but in `larder_cache_refresh_total` |
//! | `larder_cache_load_inflight` | gauge | runs | `cache` | handlers and functions that run to fill an entry |
//! | `larder_cache_coalesced_wait_seconds` | histogram | seconds | `cache`; `scope`: `local`, `cluster`; `result`: `value`, `leader_failed`, `released`, `timeout` | how long requests waited for another's run, in this process or in another (`cluster`), and how that ended |
//! | `larder_cache_refresh_total` | counter | runs | `cache`; `trigger`: `swr`, `early`, `soft_timeout`, `outlived`; `result`: `ok`, `error`, `timeout`, `refused` | background fills that ended, and those not begun (too many, shut down, or the store failed). Of those behind a `soft_timeout` only the ones that a limit of time stopped: the others are `foreground` in `larder_cache_load_duration_seconds` |
//! | `larder_cache_stale_served_age_seconds` | histogram | seconds | `cache`; `cause`: `swr`, `error`, `soft_timeout` | the age of what was served stale |
//! | `larder_cache_store_total` | counter | entries | `cache`; `tier`: `l1`, `l2`; `result`: `stored`, `rejected_stamp`, `rejected_size`, `rejected_form`, `error` | what was given to the store (`l1`) and went on to its server (`l2`). `rejected_form` is a value of a function that cannot be written as bytes |
//! | `larder_cache_fill_race_total` | counter | entries | `cache` | those of them that an invalidation overtook |
//! | `larder_cache_value_bytes` | histogram | bytes | `cache` | the size of the bodies and values given to the store |
//! | `larder_cache_evictions_total` | counter | entries | `cache`; `cause`: `size` | entries that left the memory for want of room |
//! | `larder_cache_entries` | gauge | entries | `tier`: `l1` | entries in memory, as of the last fill; [`size`](crate::Larder::size) is exact |
//! | `larder_cache_bytes` | gauge | bytes | `tier`: `l1` | their bytes |
//! | `larder_cache_capacity_bytes` | gauge | bytes | `tier`: `l1` | the bound of these bytes |
//! | `larder_cache_conditional_total` | counter | requests | `cache`; `result`: `not_modified`, `modified` | requests with conditions that were answered from an entry |
//! | `larder_cache_time_saved_milliseconds_total` | counter | milliseconds | `cache` | for each hit, how long the making of its entry took |
//! | `larder_cache_bytes_saved_total` | counter | bytes | `cache`; `kind`: `hit`, `not_modified` | bytes of the bodies of hits; bytes of bodies that a 304 spared. A hit that is a 304 counts in both |
//! | `larder_backend_duration_seconds` | histogram | seconds | `backend`; `op`: `lookup`, `verify`, `capture`, `adopt`, `put`, `forget`, `announce`, `turn`; `result`: `ok`, `timeout`, `io`, `protocol`, `readonly`, `loading`, `oom`, `unavailable` | how long the Redis server took: an entry with its stamps (`lookup`), the stamps alone (`verify`), those of a fill (`capture`, `adopt`), whether another instance fills (`turn`) |
//! | `larder_backend_errors_total` | counter | failures | `backend`; `kind`: `timeout`, `io`, `protocol`, `readonly`, `loading`, `oom`, `unavailable` | failures of the store; `unavailable` is a store that is left alone, or has too much under way |
//! | `larder_backend_breaker_state` | gauge | state | `backend` | 0 while the Redis server is used, 1 while it is tried, 2 while it is left alone |
//! | `larder_backend_breaker_transitions_total` | counter | changes | `backend`; `to`: `closed`, `half_open`, `open` | changes of that |
//! | `larder_invalidations_total` | counter | invalidations | `kind`: `tag`, `prefix`, `key`, `all`; `source`: `api`, `action`, `http_method`, `replay`; `mode`: `hard`, `soft`; `result`: `ok`, `error`, `unresolved` | invalidations; by identity is `tag`, by URI is `key`; `replay` is a retry of one that failed, `unresolved` an [action](super::actions) on a route that had no value for a placeholder |
//! | `larder_invalidation_duration_seconds` | histogram | seconds | `kind`: `tag`, `prefix`, `key`, `all` | how long invalidations took |
//! | `larder_invalidations_pending` | gauge | tags | - | tags that could not be forgotten and are retried, as of the last change |
//! | `larder_invalidation_received_total` | counter | messages | `via`: `push` | messages of the Redis server that records changed, with `Coherence::Bounded` |
//! | `larder_coherence_up` | gauge | state | - | 1 while the server is known to tell of changes, with `Coherence::Bounded` |
//! | `larder_coherence_lag_seconds` | histogram | seconds | - | how long a beat of this process took to the server and back: so long does a change take to be told |
//! | `larder_coherence_lapses_total` | counter | lapses | `reason`: `disconnect`, `heartbeat`, `server` (another has the records) | times from which on the server was not known to tell of changes |
//! | `larder_turns_total` | counter | questions | `backend`; `whose`: `own`, `others` | whether another instance fills already, by the answer |
//! | `larder_l1_revalidations_total` | counter | questions | `result`: `same`, `changed` | entries in memory whose stamps the server was asked for |
//! | `larder_lock_acquire_total` | counter | attempts | `lock`; `result`: `acquired`, `busy`, `timeout`, `no_quorum` | attempts to take a lock |
//! | `larder_lock_wait_seconds` | histogram | seconds | `lock` | how long they took |
//! | `larder_lock_held` | gauge | locks | `lock` | locks that this process holds |
//! | `larder_lock_hold_seconds` | histogram | seconds | `lock` | how long locks were held |
//! | `larder_lock_validity_left_seconds` | histogram | seconds | `lock` | how much of its validity a lock had left at its release |
//! | `larder_lock_extend_total` | counter | rounds | `lock`; `result`: `extended`, `no_quorum`, `not_owner` | extensions |
//! | `larder_lock_lost_total` | counter | locks | `lock`; `cause`: `expired`, `max_hold`, `quorum`, `not_owner` | locks that were lost while they were held |
//! | `larder_lock_unlocked_runs_total` | counter | runs | `lock` | critical sections that ran without their lock, as they were told to |
//! | `larder_lock_node_errors_total` | counter | failures | `node`; `kind`: `timeout`, `io`, `protocol`, `quarantined`, `evicting`, `refused`, `clock_skew` | failures of lock servers |
//! | `larder_idempotency_requests_total` | counter | requests | `outcome`: `first`, `rerun`, `replayed`, `unprotected`, `passed`, `missing_400`, `invalid_400`, `no_principal_403`, `too_large_413`, `unreadable_400`, `mismatch_422`, `in_flight_409`, `indeterminate_409`, `not_kept_409`, `overloaded_503`, `store_error` | requests with an `Idempotency-Key`, each once; one whose client left before its answer only if its handler ran |
//! | `larder_idempotency_running` | gauge | runs | - | operations that run |
//! | `larder_idempotency_lost_total` | counter | runs | `cause`: `panic`, `error`, `stopped`, `gone`, `unwritten` | runs without a result that is known: the handler panicked or failed, was stopped, its claim was gone while it ran, or its end could not be written down |
//! | `larder_idempotency_not_kept_total` | counter | answers | `reason`: `too_large`, `streaming`, `incomplete`, `no_room` | answers that cannot be given again |
//! | `larder_idempotency_store_errors_total` | counter | failures | `store`; `kind`: `timeout`, `io`, `unavailable`, `full`, `evicting`, `protocol` | failures of what remembers the keys |
//! | `larder_replay_requests_total` | counter | requests | `outcome`: `accepted`, `unsigned_401`, `malformed_400`, `outdated_401`, `unknown_key`, `bad_signature`, `replayed`, `forgotten_401`, `too_large_413`, `unreadable_400`, `store_error` | signed requests |
//!
//! # What there is not
//!
//! - **The time of every hit.** Two looks at the clock and a histogram would be paid by each hit for what a sample tells as
//!   well; so one in 64 is timed. The counts of all hits are exact.
//! - **Hits by key, tag, path or user**: labels without a bound, and what is in them is nobody's business but the client's.
//! - **Entries and bytes by layer**: all layers share one store, and to keep such accounts each eviction would lock them.
//! - **Evictions of what expired, was forgotten or replaced**: an entry that is past its use stays until its place is taken,
//!   and so nothing happens that could be counted. `miss_total` by reason says what it was worth.
//! - **Entries on the Redis server**: many instances share it. Ask the server (`INFO memory`, `INFO stats`).
//! - **Errors of codecs** apart: what cannot be read is `miss_total{reason="decode"}` or `"schema"`, what cannot be written is
//!   `store_total{result="rejected_form"}`.
//! - **The time from an invalidation here to its arrival there**: clocks of two machines cannot tell it. `coherence_lag_seconds`
//!   is the same road, measured with one clock.
//! - **A reason `breaker` among those of a bypass**: a request past a store that is left alone runs its handler as a miss does,
//!   and is counted there.
//!
//! # What to watch
//!
//! - **The hit ratio**: `requests_total` of `hit_l1`, `hit_l2`, `revalidated`, `coalesced`, `stale_swr` against all. With
//!   `bypass` set apart: a route that is always bypassed is a mistake in the setup, and `bypass_total` says which.
//! - **Memory**: `evictions_total` that grows with a low hit ratio means too little of it, or keys with too many values.
//! - **Handlers that hold others up**: `coalesced_wait_seconds` with `result="timeout"`.
//! - **Invalidations that failed**: any `invalidations_total{result="error"}` or `{result="unresolved"}`; and
//!   `invalidations_pending` above 0.
//! - **The Redis server**: `backend_breaker_state` above 0, and `coherence_up` at 0.
