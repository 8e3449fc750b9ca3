//! Locks across processes that tell the truth.
//!
//! A [`Locker`] takes locks from one or several independent servers by the rules of Redlock, runs work under them, and
//! reports what really happened: that the lock was held to the end, that it was not to be had, or that it was lost on the
//! way.
//!
//! ```
//! use std::time::Duration;
//! use larder_lock::{Lock, LockOptions, Locker, Outcome};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # async fn charge(order: u32, fence: i64) {}
//! // Or `Locker::redis([url, …]).await?`, with the feature `redis`.
//! let locker = Locker::memory();
//!
//! let options = LockOptions::new(Duration::from_secs(30)).wait(Duration::from_secs(2));
//! let outcome = locker
//!     .with_lock(Lock::new("payment", 456), options, async |lease| {
//!         tokio::select! {
//!             () = charge(456, lease.fencing_token().as_i64()) => "charged",
//!             _ = lease.lost() => "stopped",
//!         }
//!     })
//!     .await;
//! match outcome {
//!     Outcome::Ran(what) => assert_eq!(what, "charged"),
//!     Outcome::Busy { retry_after } => println!("somebody else is at it; again in {retry_after:?}"),
//!     Outcome::Lost { value, cause } => println!("{value:?}, perhaps beside somebody else: {cause}"),
//!     Outcome::Unavailable(nodes) => println!("{nodes}"),
//!     Outcome::RanUnlocked(_) => unreachable!("the options do not allow it"),
//! }
//! # }
//! ```
//!
//! # What it promises, and what it does not
//!
//! A lock that ends by itself, as every lock must that survives the death of its holder, is a **lease**: no lock service
//! can keep a holder that was paused for longer than its lease from going on as if it still held it. So:
//!
//! - **For efficiency** (not to do the same work twice) the lock alone is enough, and one server is enough.
//! - **For correctness** what the lock protects has to check the [fencing token](#fencing) that the lease has. Effects that
//!   cannot check a token, such as a call to somebody else's server, need an idempotency key of their own.
//!
//! As long as clocks run at nearly the same rate (within one per cent), no server forgets what it granted without being
//! quarantined, and holders stop when they are told:
//!
//! - at any time at most one holder believes to have the lock: its [`Lease::remaining`] is above zero;
//! - [`Lease::lost`] tells before the validity ends, and [`Outcome::Ran`] is never returned when it ended first, also if the
//!   work blocked its thread and nobody could be told;
//! - with 2n + 1 servers, n may be away, hung or slow, and nobody waits for them;
//! - a future that is dropped, at any point, leaves no lock behind on a server that can be reached. Only a process that is
//!   killed, or a runtime that is shut down, leaves its locks to run out.
//!
//! What breaks mutual exclusion, though never the order of fencing tokens: a step of the wall clock on a majority of
//! servers (Redis reckons expiry with it), a machine that sleeps (the monotonic clock of Linux stands still meanwhile), and a
//! failover to a replica that had not heard of the lock. With a single server the promises hold while that server lives;
//! when it restarts, nobody gets a lock until the old ones have run out.
//!
//! # Fencing
//!
//! [`Lease::fencing_token`] is greater than that of every earlier holder. Write it along and let the resource refuse what
//! is lower than what it has seen; a new holder registers its token **before it reads**, or a late write of the old one
//! could come between its reading and its writing. In SQL, with a column `fence BIGINT NOT NULL DEFAULT 0` beside what it
//! protects:
//!
//! ```sql
//! -- Before anything is read. No row: somebody holds a later lock.
//! UPDATE account SET fence = $token WHERE id = $id AND fence <= $token;
//! -- What is to be changed.
//! SELECT balance FROM account WHERE id = $id;
//! -- No row: somebody holds a later lock.
//! UPDATE account SET balance = $new WHERE id = $id AND fence = $token;
//! ```
//!
//! These are three transactions, or three of autocommit: within a single one that the database keeps serializable the fence
//! adds nothing, and a lock only saves work. [`SqlFence`] writes the first and the last of them. In Redis it is `RedisFence`
//! that compares. Who holds a lock
//! [shared](Lock::shared) only reads; if it registers its token, no late write comes between two of its reads.
//!
//! The token is a ballot: each acquisition proposes the time and some bits of its own, and a server votes only for a ballot
//! above all that it has voted for. Two majorities share a server, so two holders have different tokens, and the later one
//! the greater. This needs no clock as long as a majority of servers remembers its highest ballots. Ballots begin with the
//! time so that it also holds when servers forget, **if** the wall clocks of clients differ by less than the time for which
//! such a server is quarantined ([`RedisNodeBuilder::max_ttl`](https://docs.rs/larder-lock/latest/larder_lock/struct.RedisNodeBuilder.html)).
//!
//! # Readers and writers
//!
//! A lock that is named [`shared`](Lock::shared) is held together with others who name it so, and excludes those who do not. A
//! majority of readers and one of writers share a server as well, so the promises are the same. A token is greater than those
//! of all who held the lock in the other mode before; readers have no order among each other. One who waits to hold the lock
//! alone keeps later readers out for two and a half seconds each time that it asks.
//!
//! # Waiting
//!
//! Without [`LockOptions::wait`] a lock that is held is skipped. Those who wait in one process stand in line, and only the
//! first of them asks the servers. Between processes the servers remember in which order the first sixteen came, and a release
//! wakes all of them and names the next, who asks at once. The others leave it to that one for five to ten milliseconds; then
//! they ask as well, since it may be gone. This is a hint that saves commands and no promise: whoever asks first gets the lock,
//! also if it has just come. A waiter asks by itself once in one to two seconds, in case it missed a release, and when the
//! holder's lease would run out.
//!
//! # Metrics
//!
//! Through the [`metrics`](https://docs.rs/metrics) facade; `lock` is the kind of a lock, never its id. Times are in
//! seconds.
//!
//! | Name | Kind | Labels |
//! |---|---|---|
//! | `larder_lock_acquire_total` | counter | `lock`, `result`: `acquired`, `busy`, `timeout`, `no_quorum` |
//! | `larder_lock_wait_seconds` | histogram | `lock` |
//! | `larder_lock_hold_seconds` | histogram | `lock` |
//! | `larder_lock_held` | gauge | `lock` |
//! | `larder_lock_extend_total` | counter | `lock`, `result`: `extended`, `no_quorum`, `not_owner` |
//! | `larder_lock_lost_total` | counter | `lock`, `cause`: `expired`, `max_hold`, `quorum`, `not_owner` |
//! | `larder_lock_validity_left_seconds` | histogram, at release | `lock` |
//! | `larder_lock_unlocked_runs_total` | counter | `lock` |
//! | `larder_lock_node_errors_total` | counter | `node`, `kind`: the words of [`NodeErrorKind`] |
//!
//! # Features
//!
//! | Feature | Default | What it adds |
//! |---|---|---|
//! | `redis` | no | `RedisNode` and `Locker::redis`: locks on Redis (6 or later) and Valkey servers |
//!
//! # Sources
//!
//! The algorithm is [Redlock](https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/); why it needs a
//! fence is in Martin Kleppmann's [How to do distributed
//! locking](https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html). It must be used within a tokio
//! runtime, and reads tokio's clock, so that a test can pause time.

mod acquisition;
mod attempt;
mod entropy;
mod held;
mod hold;
mod lease;
mod listener;
mod locker;
mod memory;
mod metrics;
mod name;
mod node;
mod nodes;
mod options;
mod outcome;
mod queue;
#[cfg(feature = "redis")]
mod redis_fence;
#[cfg(feature = "redis")]
mod redis_node;
mod removal;
mod round;
mod schedule;
mod sql_fence;
mod table;
mod tally;
mod token;
mod validity;
mod watchdog;

pub use lease::{Lease, LockGuard, Released};
pub use locker::{Locker, LockerBuilder};
pub use memory::MemoryNode;
pub use name::{Lock, LockMode, Locks};
pub use node::{
    Acquire, Bell, Extend, Extension, LockNode, NodeError, NodeErrorKind, NodeFuture, Release, Removal, Ring,
    Subscription, Vote,
};
pub use nodes::NodeProbe;
pub use options::{LockOptions, OnLoss, OnUnavailable};
pub use outcome::{LockError, LockErrorKind, LossCause, NodeReport, Outcome, Unavailable};
pub use queue::QueuedLock;
#[cfg(feature = "redis")]
pub use redis_fence::RedisFence;
#[cfg(feature = "redis")]
pub use redis_node::{RedisNode, RedisNodeBuilder};
pub use schedule::Schedule;
pub use sql_fence::SqlFence;
pub use table::LockTable;
pub use token::{FencingToken, Owner, Waiter};
