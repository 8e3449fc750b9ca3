//! Values of functions: what is kept, how often a function runs, and what an invalidation does to runs under way.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends with the first surprise"
)]

#[path = "functions/attribute.rs"]
mod attribute;
#[path = "functions/blocking.rs"]
mod blocking;
#[path = "functions/engine.rs"]
mod engine;
#[path = "functions/invalidates.rs"]
mod invalidates;
#[path = "functions/many.rs"]
mod many;
#[path = "functions/outside.rs"]
mod outside;
#[cfg(feature = "redis")]
#[path = "functions/redis.rs"]
mod redis;
mod support;
#[path = "functions/sync.rs"]
mod sync;
