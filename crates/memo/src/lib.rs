//! Memory for the length of one request, and a loader that gathers many look-ups into one query.
//!
//! - [`Memo`] is the memory of a request: what is loaded under a key is loaded once. [`MemoLayer`] gives each request its
//!   own.
//! - [`Loader`] gathers the keys that are asked for in one tick, and has a [`Batch`] load them with one query.
//!
//! Both are for what a request asks for several times, or piece by piece. What outlives a request is a cache's, which can
//! lie behind either. Those who use Larder find both in the crate [`larder`](https://docs.rs/larder).
//!
//! With the feature `axum`, [`Memo`] is an extractor.

#[cfg(feature = "axum")]
mod extract;
mod layer;
mod loader;
mod memo;

#[cfg(feature = "axum")]
pub use extract::NoMemo;
pub use layer::{MemoLayer, Remembering};
pub use loader::{Batch, Loader};
pub use memo::Memo;
