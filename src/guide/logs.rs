//! What logs and spans say, and with which fields.
//!
//! They go through [`tracing`](https://docs.rs/tracing), under the names of the crates as targets: `larder`, `larder_cache_layer`,
//! `larder_redis`, `larder_invalidation`, `larder_lock`, `larder_idempotency`, `larder_admin`. `warn` and above is what somebody is to know; `debug` is
//! for the one who looks for something. Hits are not logged: at their number that would be the dearest part of them.
//!
//! # Fields
//!
//! What is of HTTP has the names of the [semantic conventions](https://opentelemetry.io/docs/specs/semconv/http/) of OpenTelemetry; the
//! rest has the names of the [metrics'](super::metrics) labels, with the same words.
//!
//! | Field | Is |
//! |---|---|
//! | `http.request.method` | the method of the request |
//! | `http.response.status_code` | the status of an answer, a number |
//! | `url.path` | the path of the request, without its query |
//! | `cache` | the layer or function |
//! | `outcome` | what became of the request |
//! | `reason` | why |
//! | `hidden` | names of headers that the handler did not see; never their values |
//! | `trigger` | what a background fill was begun for |
//! | `result` | how it ended |
//! | `kind`, `source`, `mode` | of an invalidation, as its metric has them |
//! | `known` | how many of the tags named an entry carried |
//! | `pending` | how many tags wait |
//! | `limit` | how many may |
//! | `limit_ms` | how long it might have taken, in milliseconds |
//! | `action` | the name of an action |
//! | `store` | the kind of a store |
//! | `server` | the address and port of a server, without credentials |
//! | `rest` | how long it is left alone |
//! | `lock` | the kind of a lock; at `debug` also its id |
//! | `node` | the name of a lock server |
//! | `call` | what it was asked |
//! | `time` | for how long it does not vote |
//! | `cause` | why a lock or an operation was lost |
//! | `error` | what went wrong, as text |
//! | `value`, `soft`, `ok` | what was forgotten by hand on the [page for operators](super::admin), whether softly, and whether that worked |
//! | `on`, `paths` | whether a layer was switched on there, and how many paths were warmed |
//!
//! Identities, values of headers, queries, bodies and keys of entries are in none of them, nor are passwords of servers.
//!
//! # Spans
//!
//! | Level | Name | Fields |
//! |---|---|---|
//! | `debug` | `larder_refresh` | `cache`, `trigger`, `http.request.method`, `url.path` |
//!
//! A background fill is within it, and so is what its handler says; it is a child of the span of the request that began it, so that
//! both are one trace. Everything else is in the span of the request, where a layer like tower-http's `TraceLayer` made one
//! [around the cache](super::layers).
//!
//! # Events
//!
//! | Level | Message | Fields |
//! |---|---|---|
//! | `error` | a server is not fit for idempotency records | `error`, `server` |
//! | `error` | a server is not fit for locks | `error`, `node` |
//! | `error` | a tag has no value, so the response is not kept | `cache`, `error`, `url.path` |
//! | `error` | an action happened, and what it makes stale was not forgotten | `error` |
//! | `error` | an invalidation is not complete | `action`, `error` |
//! | `error` | an invalidation was not ended, since it came after the shutdown | - |
//! | `error` | an invalidation was not ended, since there is no runtime for it | - |
//! | `error` | an operation runs without protection against running twice | `error` |
//! | `error` | invalidation failed | `error`, `kind`, `mode`, `source` |
//! | `error` | shut down with invalidations that were never carried out | `pending` |
//! | `error` | the end of an operation could not be written down: retries count it as lost | - |
//! | `error` | work runs WITHOUT its lock, as its options allow | `error`, `lock` |
//! | `warn` | a claim could not be undone: its key counts as lost when its lease ends | - |
//! | `warn` | a lock server cannot be reached | `error`, `node` |
//! | `warn` | a lock server was empty, or is another than before: it does not vote for a time | `node`, `time` |
//! | `warn` | a lock was lost | `cause`, `lock` |
//! | `warn` | a page was not warmed | `error`, `url.path` |
//! | `warn` | a page was not warmed | `http.response.status_code`, `url.path` |
//! | `warn` | a value came for a key that was not asked for | `cache` |
//! | `warn` | admin: invalidate | `kind`, `ok`, `soft`, `value` |
//! | `warn` | admin: switch | `cache`, `on` |
//! | `warn` | admin: warm | `paths` |
//! | `warn` | an operation with an idempotency key was stopped | - |
//! | `warn` | idempotency records failed | `error`, `store` |
//! | `warn` | it is not known how far an operation with an idempotency key came | `cause` |
//! | `warn` | no Larder is in scope, and nothing was forgotten: see `Larder::scope_layer` | - |
//! | `warn` | no Larder is in scope, and the function runs uncached: lay `Larder::scope_layer` around the service, run it within `Larder::scope`, or give the function an argument `larder: &Larder` | `cache` |
//! | `warn` | no majority of nodes was told to keep a lock for at_least_for | `lock` |
//! | `warn` | the claim of a running operation is gone: it was taken over, or the records were emptied | - |
//! | `warn` | the end of an operation is not written down: its claim is gone | - |
//! | `warn` | the journal of failed invalidations is full: all entries are to be forgotten | `limit` |
//! | `warn` | the server is left alone until it answers again | `error`, `server` |
//! | `warn` | the server is not listened to: hits ask it | `error`, `reason`, `server` |
//! | `warn` | the store failed; going on without it | `error`, `store` |
//! | `warn` | the store took too long to keep a response | `limit_ms` |
//! | `info` | all invalidations that had failed were made up for | - |
//! | `debug` | a lock node failed | `call`, `error`, `node` |
//! | `debug` | a lock was not acquired | `error`, `lock` |
//! | `debug` | a signed request is refused | `reason` |
//! | `debug` | an entry cannot be had | `error` |
//! | `debug` | an entry did not reach the server | `error`, `server` |
//! | `debug` | answered | `cache`, `outcome` |
//! | `debug` | bypassed | `cache`, `reason` |
//! | `debug` | connected | `server` |
//! | `debug` | filling | `cache`, `hidden`, `http.request.method`, `reason`, `url.path` |
//! | `debug` | filling | `cache`, `reason` |
//! | `debug` | forgetting more in its place | `action`, `error` |
//! | `debug` | invalidated | `kind`, `known`, `mode`, `source` |
//! | `debug` | no connection | `error`, `rest`, `server` |
//! | `debug` | not kept | `cache`, `reason` |
//! | `debug` | refreshed | `result` |
//! | `debug` | the channel is not heard | `error`, `server` |
//! | `debug` | the end of a turn was not told | `error`, `server` |
//! | `debug` | the server is not listened to | `error`, `reason`, `server` |
