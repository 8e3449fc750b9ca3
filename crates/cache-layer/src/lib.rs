//! The response cache of Larder as tower layers.

mod admit;
mod body;
mod built;
mod cache_control;
mod cache_status;
mod engine;
mod fill;
mod flow;
mod freshness;
mod future;
mod headers;
mod hide;
mod hints;
mod identity;
mod key;
mod layer;
mod locate;
mod making;
mod metrics;
mod policy;
mod presets;
mod query;
mod service;
mod status;
mod tags;
mod tasks;
mod trip;

pub use body::Body;
pub use engine::{Engine, Limits, Switch};
pub use future::ResponseFuture;
pub use hints::CacheHints;
#[cfg(feature = "axum")]
pub use identity::from_extractor;
pub use identity::{Identify, Identity, PerIdentity, Scope, Shared, Verdict};
pub use layer::CacheLayer;
pub use policy::{ClientCaching, RequestView, UnkeyedHeaders};
pub use presets::{Preset, PresetTtls};
pub use query::QueryKey;
pub use service::Cache;
pub use status::{BypassReason, MissReason, Outcome, UncacheableReason};
