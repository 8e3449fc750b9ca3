//! The response cache of Larder as tower layers.
//!
//! This crate is for those who build on the layers. Those who use Larder find all of it in the crate
//! [`larder`](https://docs.rs/larder), with the handle, the settings and the guide.
//!
//! - [`Engine`] is what layers share: the store, the clock, the flights under way, the switches. It makes layers.
//! - [`CacheLayer`] is a layer with its settings, [`Cache`] the service it makes, [`Body`] and [`ResponseFuture`] what
//!   that answers with.
//! - [`Preset`] names the four starting points; [`PresetTtls`] are their lifetimes.
//! - [`Identify`] verifies who asks, in a layer whose entries are kept apart by [`Identity`]; its answer is a [`Verdict`].
//! - [`QueryKey`], [`UnkeyedHeaders`] and [`RequestView`] are about which requests share an entry, and what the handler
//!   sees of them.
//! - [`Described`] is what a layer keeps, as far as it is known before any request.
//! - [`CacheHints`] is what a handler says of its own response.
//! - [`FillPolicy`] and [`Values`] say how the results of a function are kept, and a [`Slot`] is the place of one of them; a
//!   [`Codec`] makes them bytes. A [`Ttl`] is a lifetime, by length or by name.
//! - [`Outcome`], [`MissReason`], [`BypassReason`] and [`UncacheableReason`] are the words for what became of a request,
//!   the same in headers, metrics and logs.
//!
//! ```
//! use std::convert::Infallible;
//! use std::sync::Arc;
//! use http::{Request, Response};
//! use larder_cache_layer::{Engine, Limits, PresetTtls};
//! use larder_store::{Clock, MemoryStore};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let store = Arc::new(MemoryStore::with_capacity(1 << 20));
//! let engine = Engine::new(store, Clock::system(), Limits::default(), PresetTtls::new());
//! let service = engine.hot_cache("jam").layer(service_fn(|_: Request<String>| async {
//!     Ok::<_, Infallible>(Response::new("jam".to_owned()))
//! }));
//! let ask = || service.clone().oneshot(Request::new(String::new()));
//! assert_eq!(ask().await.unwrap().headers()["x-cache"], "MISS");
//! assert_eq!(ask().await.unwrap().headers()["x-cache"], "HIT");
//! # }
//! ```
//!
//! With the feature `axum` the layers see the URI that the client sent where a router is nested, handlers return
//! [`CacheHints`] as a part of their response, and `from_extractor` makes an [`Identify`] of an extractor.

mod admit;
mod age;
mod answer;
mod asking;
mod body;
mod built;
mod cache_control;
mod cache_status;
mod cached;
mod described;
mod directive;
mod engine;
mod families;
mod fill;
mod fingerprints;
mod flow;
mod freshness;
mod future;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod groups;
mod headers;
mod hide;
mod hints;
mod identity;
mod keep;
mod key;
mod layer;
mod lead;
mod locate;
mod loners;
mod making;
mod metrics;
mod mutation;
mod negotiation;
mod one_fill;
mod policy;
mod presets;
mod profile;
mod query;
mod read;
mod reading;
mod recent;
mod recipe;
mod refresh;
mod rules;
mod search;
mod service;
mod special;
mod standards;
mod stats;
mod status;
mod structured;
mod tagging;
mod tags;
mod tally;
mod targeted;
mod tasks;
mod trip;
mod ttl;
mod update;
mod validate;
mod values;
mod wishes;

pub use body::Body;
pub use described::Described;
pub use engine::{Cause, Engine, Limits, Switch};
pub use families::TagFamily;
pub use future::ResponseFuture;
pub use hints::CacheHints;
#[cfg(feature = "axum")]
pub use identity::from_extractor;
pub use identity::{Identify, Identity, PerIdentity, Scope, Shared, Verdict};
pub use layer::CacheLayer;
pub use one_fill::OneFill;
pub use policy::{ClientCaching, RequestView, UnkeyedHeaders};
pub use presets::{Preset, PresetTtls};
pub use profile::Profile;
pub use query::QueryKey;
pub use recent::{PastFill, PastInvalidation, PastTag};
pub use service::Cache;
pub use stats::{LayerSize, LayerStats, Stats};
pub use status::{BypassReason, MissReason, Outcome, UncacheableReason};
pub use tally::Counts;
pub use ttl::{NamedTtl, Ttl, TtlError};
pub use values::{Codec, FillPolicy, Missed, Slot, Values, Work};
