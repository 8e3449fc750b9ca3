//! Larder.
mod config;
mod error;
pub mod guide;
mod larder;

pub use config::Config;
pub use error::{Error, ErrorKind};
pub use larder::{Builder, Invalidated, Larder};
#[cfg(feature = "axum")]
pub use larder_cache_layer::from_extractor;
pub use larder_cache_layer::{
    Body, BypassReason, Cache, CacheHints, CacheLayer, ClientCaching, Engine, Identify, Identity, Limits,
    MissReason, Outcome, PerIdentity, Preset, PresetTtls, QueryKey, RequestView, ResponseFuture, Scope,
    Shared, Switch, UncacheableReason, UnkeyedHeaders, Verdict,
};
pub use larder_etag as etag;
pub use larder_store as store;
pub use larder_store::{Clock, FakeClock, MemoryStore, Size, Store, Tag, Timestamp};
