//! The Redis store of Larder: several instances, one truth.
//!
//! - [`RedisStore`] keeps entries on a Redis or Valkey server, and their bodies in this process's memory too.
//! - [`Builder`] says where the server is, and what may be waited for.
//!
//! What is forgotten on one instance is forgotten on all, whatever fills are under way: each hit asks the server for the
//! stamps of its tags, in one round trip, and takes the body from memory where it is there. A server that is slow, hung,
//! down, full, or answers nonsense costs a request no more than [`Builder::budget`], and after a few such, nothing: the
//! store says that it is not available, and the layers go on without it.
//!
//! With [`Coherence::Bounded`] a hit asks nobody, while the server is known to tell of every change.
//!
//! This crate is for those who put a cache together by hand. Those who use Larder find it in the crate `larder`, with the
//! feature `redis`.

mod board;
mod budget;
mod builder;
mod cluster;
mod doctor;
mod ear;
mod failure;
mod feed;
#[cfg(all(feature = "compression", any(test, fuzzing)))]
pub mod fuzzing;
mod link;
mod lookup;
mod lookup_many;
mod metrics;
mod nodes;
mod pack;
mod pending;
mod place;
mod protocol;
mod seal;
mod sentinel;
mod server;
mod slot;
mod source;
mod store;
mod survey;
mod tls;
mod turns;
mod watch;
mod wire;
mod writes;

pub use builder::{Builder, ConnectError};
pub use feed::Coherence;
pub use place::Place;
pub use store::RedisStore;
