//! Conformance suites and real servers (and, in time, doubles) for testing with Larder.
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
//! Everything here is made for tests: what goes wrong is a panic that says what happened and what to do,
//! not an error to be handled. The servers need Unix (sockets and signals).
//!
//! Who writes a [`Store`](larder_store::Store) holds it to its contract with [`store_conformance!`].

pub mod conformance;
#[cfg(unix)]
mod resp;
#[cfg(unix)]
pub mod server;

#[cfg(unix)]
pub use server::RedisServer;
