//! What is promised, whatever fails, and which test holds it.
//!
//! A *fill* is a run of the handler whose response is kept; it begins when the cache has taken its stamps, before the handler
//! is called. An *invalidation* is *complete* when its call returns `Ok`. An *instance* is a process with a
//! [`Larder`](crate::Larder); all instances on one Redis server and namespace share their entries.
//!
//! # The promises
//!
//! | Promise | Held by |
//! |---|---|
//! | **No stale fill.** A response whose fill began before an invalidation of one of its tags is not served from the cache to a request that comes after it was complete, on any instance. That includes fills under way, background fills, 304s, and requests that wait for another's fill. What was forgotten is never served by the rules for stale answers | `crates/testkit/src/conformance/stale.rs` and `crates/testkit/src/conformance/racing.rs`, which the memory store and the Redis store both run, and this one also with one instance that fills and another that looks, with `Coherence::Bounded`, over a Cluster and over Sentinels (`crates/redis/tests/conformance.rs`); every order of the steps, and each flaw found, in `crates/redis/src/protocol/model.rs`; several processes, which fill and forget while everything is done to them, in `examples/fleet/tests/storm/main.rs` and `examples/fleet/tests/storm_cluster.rs` |
//! | **A bounded memory.** With `Coherence::Bounded(d)` a hit asks nobody, and is never older than `d` after an invalidation was complete, whatever messages or connections are lost, or servers restarted. By this process's monotonic clock alone | `crates/redis/tests/bounded.rs`; every order of the steps in `crates/redis/src/board.rs`; several processes in `examples/fleet/tests/storm_bounded.rs` |
//! | **The writer sees its own change.** On the instance that forgot, at once; on others, at once with `Coherence::Strict`, and with `Coherence::Bounded` where its requests carry the [`ReadToken`](crate::ReadToken) of its change ([`read_your_writes`](crate::InvalidateLayer::read_your_writes)). After an invalidation that failed, the token's reads go past the cache | `crates/redis/tests/bounded.rs`, `tests/read_tokens.rs`, `examples/community/tests/consistency.rs` |
//! | **Forgetting is cheap.** One record for each tag named, however many entries carry it; no scan, no set of keys; and nothing is left behind where nobody cached | `forgetting_what_nobody_cached_leaves_nothing_behind_and_costs_no_scan` in `crates/redis/tests/faults.rs` |
//! | **What the server loses is a miss.** Evicted, expired, flushed, or gone back in time with a snapshot: an entry whose records are not those of its fill is dead, and stays so | `what_the_server_loses_is_a_miss_and_never_comes_back` and `a_restart_from_a_snapshot_brings_no_entry_back` in `crates/redis/tests/faults.rs` |
//! | **The cache may fail, the request may not.** A server that hangs costs a few requests [the budget](#what-a-fault-costs), and then nothing; invalidations have more time, and are never dropped | the other tests of `crates/redis/tests/faults.rs`; `no_request_is_lost_because_the_server_is` in `tests/redis.rs`; three processes under every fault at once in `examples/fleet/tests/storm/main.rs` |
//! | **One fill for all.** Of all instances that miss an entry at the same time one runs the handler ([`OneFill`](crate::OneFill)). When it dies, the others go on after two seconds at most; when the server does, or an answer of it is lost, at once. Who cannot listen asks ten times a second. Nothing else rests on it: two that run are one run too many | `tests/one_fill.rs`, `crates/redis/tests/turns.rs` |
//! | **A failover brings nothing back.** What the primary that was lost knew is not believed of the one that takes over, nor of itself when it is the primary again | `crates/redis/tests/cluster.rs`, `crates/redis/tests/sentinel.rs` |
//! | **A primary that was replaced is left.** Where Sentinels say who it is: within half a second of most of them naming another, and within 2 s when most of them are not to be reached | `a_primary_that_was_replaced_is_not_read_from`, `who_hears_a_minority_of_sentinels_reads_nothing` and `a_lease_is_over_by_itself` in `crates/redis/tests/sentinel.rs` |
//! | **No entry for another.** The whole key is kept with an entry and compared | `the_full_key_decides` in `crates/testkit/src/conformance/keeping.rs` |
//! | **A writer that dies.** What was [announced](crate::Larder::intend) before a change is forgotten in the end, even if nobody is left to say so | `crates/redis/tests/announced.rs` |
//!
//! # What a fault costs
//!
//! | Fault of the Redis server | Requests | Entries | Held by |
//! |---|---|---|---|
//! | down, or the connection is lost | go to their handlers at once (`detail=breaker`), under [a limit](crate::Limits::unaided_loads) | are found again when it is back | `a_server_that_is_down_costs_nothing_and_is_used_when_it_is_back` in `crates/redis/tests/faults.rs` |
//! | hangs, or is slower than the budget (40 ms) | those under way wait for the budget, three at least (`detail=tier_error`), then none; it is tried again after 50 ms, and then after twice as long each time, up to 2 s | as above | `a_server_that_hangs_is_left_alone_after_a_few_operations` in `crates/redis/tests/faults.rs` |
//! | restarted with its data, or another process in its place | miss once (`detail=epoch`) | are all forgotten | `a_restart_from_a_snapshot_brings_no_entry_back` in `crates/redis/tests/faults.rs` |
//! | flushed | miss once | are gone | `what_the_server_loses_is_a_miss_and_never_comes_back` in `crates/redis/tests/faults.rs` |
//! | evicts | miss | those whose records or bodies went are gone | `what_the_server_loses_is_a_miss_and_never_comes_back` in `crates/redis/tests/faults.rs`; evictions by `allkeys-lru` in `examples/fleet/tests/storm/fault.rs` |
//! | full, and refuses to write | are answered from what is there; nothing new is kept | invalidations are carried out; before version 7 of the server, each forgets everything | `a_full_server_forgets_all_the_same` in `crates/redis/tests/faults.rs` |
//! | has become a replica | go to their handlers from the first write on | none is read from it | `a_replica_is_not_read_from` in `crates/redis/tests/faults.rs` |
//! | fails over, to a replica or another node | as when it is down, until one has taken over; then miss once (`detail=epoch`) | are all forgotten | `a_replica_that_takes_over_brings_nothing_back` in `crates/redis/tests/cluster.rs` and `crates/redis/tests/sentinel.rs` |
//! | of a Cluster: a node with entries alone is down or hangs | miss, three of them after the budget | its entries are misses; those in memory are hits | `a_node_that_hangs_costs_its_entries_alone` in `crates/redis/tests/cluster.rs` |
//! | of a Cluster: a node with entries alone gives way to its replica, or a slot goes to a node that had none | miss, until the slots are asked for again, which is twice a second | are misses until then | `a_node_that_takes_over_entries_is_found` in `crates/redis/tests/cluster.rs` |
//! | of a Cluster: the slot of the records moves to another node | go to their handlers while it moves; invalidations are owed until it has moved | are all forgotten | `the_records_move_to_another_node_under_load` and `records_that_are_apart_are_no_failure_of_the_node` in `crates/redis/tests/cluster.rs` |
//! | of a Cluster: the slot of an entry moves | none | none | `an_entry_is_found_while_and_after_it_moves` in `crates/redis/tests/cluster.rs` |
//! | most Sentinels are not to be reached | go to their handlers, from 2 s on | are found again when they are back | `who_hears_a_minority_of_sentinels_reads_nothing` in `crates/redis/tests/sentinel.rs` |
//! | holds nonsense | miss (`detail=decode`, `schema`) | - | `nonsense_on_the_server_is_a_miss_with_its_reason` in `crates/redis/tests/faults.rs` |
//!
//! An invalidation that the server does not confirm within its time (1.9 s) fails, and is owed: the instance that called it
//! serves nothing until the server has carried it out. Others do not know of it until then
//! (`an_invalidation_that_failed_goes_out_before_anything_is_read_again` in `crates/redis/tests/faults.rs`).
//!
//! With `Coherence::Bounded`, hits that ask nobody go on for up to `d` when the server is cut off, and no longer
//! (`a_server_that_hangs_ends_what_is_proved` in `crates/redis/tests/bounded.rs`).
//!
//! # What is not promised
//!
//! - **What the database does.** A handler that reads from a replica that lags, or before the writer's commit, makes an old
//!   response after the invalidation.
//! - **Writers that do not call.** What changes data without this library is not seen.
//! - **Copies elsewhere.** What a browser or a CDN keeps by its `max-age` is theirs.
//! - **A primary that was cut off** from the rest of its replication and goes on taking writes: set `min-replicas-to-write`. By
//!   Sentinels it is left as said above, and a Cluster's stops by itself after its node timeout; what it was told until then is
//!   lost.
//! - **Connections that are not the store's.** A `ConnectionManager` or a `ClusterConnection` connects again by itself; that
//!   another process answers is noticed within half a second, and not before
//!   (`a_connection_that_leads_elsewhere_is_noticed` in `crates/redis/tests/places.rs`).
//! - **A proxy** that changes the server beneath an open connection, without closing it.
//! - **The order of two fills** between which nothing was forgotten: an older one may take the place of a younger.
//! - **Wall clocks.** `Age` and lifetimes are by the clocks of the machines; whether an entry was forgotten is not.
//! - **A pause** of the whole process between the check and the answer.
//! - **An announcement that is evicted** together with the death of its writer.
