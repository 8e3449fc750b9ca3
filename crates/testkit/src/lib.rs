//! Conformance suites, real servers and doubles for testing with Larder.
//!
//! A cache that is only ever tested against a mock of its store has not been tested. This crate starts the
//! real thing, one for each test, in a few milliseconds, and takes it down again however the test ends.
//!
//! ```
//! # #[cfg(unix)] {
//! use larder_testkit::RedisServer;
//!
//! let redis = RedisServer::start();
//! redis.cli(&["SET", "shelf", "jam"]);
//! assert_eq!(redis.cli(&["GET", "shelf"]), "jam");
//! assert!(redis.url().starts_with("redis://127.0.0.1:"));
//! # }
//! ```
//!
//! There is a [`RedisCluster`] and a [`RedisSentinel`] too. A server is killed, stopped, restarted, rolled back to a snapshot
//! or filled up by methods of [`RedisServer`]; what networks do to the connections to it, a [`FaultProxy`] does.
//!
//! Everything here is made for tests: what goes wrong is a panic that says what happened and what to do,
//! not an error to be handled. The servers need Unix (sockets and signals).
//!
//! What several instances answered while all that was done to them is held against what they may answer by a
//! [`History`](history::History).
//!
//! Who writes a [`Store`](larder_store::Store) holds it to its contract with [`store_conformance!`]. What no real store
//! does on demand, [`FailingStore`] does: it stands before a store and fails, hangs or takes its time as it is told.

#[cfg(unix)]
pub mod cluster;
pub mod conformance;
mod failing;
pub mod history;
#[cfg(unix)]
pub mod proxy;
#[cfg(unix)]
mod resp;
#[cfg(unix)]
pub mod sentinel;
#[cfg(unix)]
pub mod server;
#[cfg(unix)]
mod wait;

#[cfg(unix)]
pub use cluster::RedisCluster;
pub use failing::{Call, FailingStore, Mode};
#[cfg(unix)]
pub use proxy::{Fault, FaultProxy};
#[cfg(unix)]
pub use sentinel::RedisSentinel;
#[cfg(unix)]
pub use server::RedisServer;
