//! How the results of one function are kept, whatever their type.

use std::any::{Any, TypeId};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use larder_store::{KeyWriter, Lifetime, Tag};
use xxhash_rust::xxh3::xxh3_64;

use super::codec::Codec;
use super::typed::Values;
use crate::engine::Core;
use crate::freshness::{Load, millis, shortened};
use crate::hints::CacheHints;
use crate::metrics::Metrics;
use crate::one_fill::{OneFill, Pace};
use crate::presets::PresetTtls;
use crate::ttl::{NamedTtl, Ttl};

/// How the results of one function are kept: a name, a lifetime, tags, and what happens at the end of the lifetime.
///
/// It ends in the codec ([`json`](Self::json), [`postcard`](Self::postcard), [`in_process`](Self::in_process)), which
/// makes [`Values`] of it. Make them once, and hand them to every call.
///
/// The name is a part of the key, the label `cache` of the metrics, and the text of the tag
/// ([`Tag::layer`](larder_store::Tag::layer)) under which all results are forgotten. Two functions with one name answer
/// with each other's results, if those are of one type.
///
/// ```
/// use larder_cache_layer::{FillPolicy, Values};
///
/// let names: Values<String> = FillPolicy::new("names").ttl("2h").tag("people").json();
/// # let _ = names;
/// ```
#[derive(Debug, Clone)]
#[must_use = "a policy does nothing until it has a codec and is handed to a call"]
pub struct FillPolicy {
    pub(super) name: Arc<str>,
    /// What all keys begin with.
    pub(super) prefix: Box<[u8]>,
    ttl: Ttl,
    stale_while_revalidate: Ttl,
    stale_if_error: Ttl,
    pub(super) early_refresh: Option<f64>,
    jitter: f64,
    pub(super) tags: Vec<Tag>,
    pub(super) wait: Duration,
    one_fill: OneFill,
    pub(super) pace: Pace,
    pub(super) soft_timeout: Option<Duration>,
    pub(super) background_timeout: Duration,
    version: u32,
    pub(super) metrics: Metrics,
    schema: OnceLock<(TypeId, u64)>,
}

impl FillPolicy {
    /// A policy called `name`: fresh for [`medium`](NamedTtl::Medium), never stale, without tags of its own.
    ///
    /// # Panics
    /// If the name is empty.
    #[track_caller]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        assert!(!name.is_empty(), "a policy needs a name that is not empty");
        Self {
            tags: vec![Tag::layer(Arc::clone(&name))],
            prefix: prefix(&name),
            name,
            ttl: Ttl::Named(NamedTtl::Medium),
            stale_while_revalidate: Ttl::Of(Duration::ZERO),
            stale_if_error: Ttl::Of(Duration::ZERO),
            early_refresh: None,
            jitter: 0.0,
            wait: Duration::from_secs(5),
            one_fill: OneFill::default(),
            pace: Pace::default(),
            soft_timeout: None,
            background_timeout: Duration::from_secs(30),
            version: 0,
            metrics: Metrics::default(),
            schema: OnceLock::new(),
        }
    }

    /// Has it counted by `core`, unless another counts it already.
    #[inline]
    pub(crate) fn counts_in(&self, core: &Core) {
        self.metrics.count_in(|| core.tally(&self.name));
    }

    /// How long a result is fresh: a [`Duration`], a text such as `"90s"`, or a name such as `"long"`. The default is
    /// `"medium"`, 30 min. Zero keeps nothing.
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.ttl = ttl.into();
        self
    }

    /// How long after that a result is served while it is made anew in the background. By default not at all.
    ///
    /// It takes a call that [may be made in the background](super::Slot::get_or_refresh): another one waits for the new
    /// result.
    pub fn stale_while_revalidate(mut self, window: impl Into<Ttl>) -> Self {
        self.stale_while_revalidate = window.into();
        self
    }

    /// How long after the lifetime a result stands in for one that could not be made (`Err`). By default not at all.
    pub fn stale_if_error(mut self, window: impl Into<Ttl>) -> Self {
        self.stale_if_error = window.into();
        self
    }

    /// Makes a result anew before it ends, in the background, with a probability that grows towards the end and with how
    /// long the making takes (XFetch); `beta` above 1 is more eager, 1 is a good start. By default off. It takes a call
    /// that [may be made in the background](super::Slot::get_or_refresh).
    ///
    /// # Panics
    /// If `beta` is not above zero.
    #[track_caller]
    pub fn early_refresh(mut self, beta: f64) -> Self {
        assert!(
            beta.is_finite() && beta > 0.0,
            "beta is {beta}; allowed is more than 0"
        );
        self.early_refresh = Some(beta);
        self
    }

    /// Shortens each lifetime by a random part of it, up to `part`: so results that were made together do not all end
    /// together. From 0 (the default) to 1.
    ///
    /// # Panics
    /// If `part` is not from 0 to 1.
    #[track_caller]
    pub fn jitter(mut self, part: f64) -> Self {
        assert!(
            (0.0..=1.0).contains(&part),
            "the jitter is {part}; allowed is 0 to 1"
        );
        self.jitter = part;
        self
    }

    /// One more name under which all results are forgotten.
    pub fn tag(mut self, tag: impl Into<Tag>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// How long a call waits for another's result before it makes its own. The default is 5 s.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Among whom one call makes the result of a key at a time: see [`OneFill`]. The default is [`OneFill::Automatic`].
    pub fn one_fill(mut self, among: OneFill) -> Self {
        self.one_fill = among;
        self
    }

    pub(super) fn fills_once_everywhere(&self) -> bool {
        self.one_fill.is_everywhere(&self.pace)
    }

    /// How long a call that has a stale result to fall back on waits for the new one: then it is answered with the stale
    /// one, and the new one is made in the background. By default there is no such limit.
    ///
    /// It takes a call that [may be made in the background](super::Slot::get_or_refresh), and a window in which a result
    /// may be served stale.
    pub fn soft_timeout(mut self, limit: Duration) -> Self {
        self.soft_timeout = Some(limit);
        self
    }

    /// How long a result may take to be made in the background. The default is 30 s.
    pub fn background_timeout(mut self, limit: Duration) -> Self {
        self.background_timeout = limit;
        self
    }

    /// A number to change when results of before must not be used any more, though their type is the same: another unit,
    /// another meaning. The default is 0. Outside the process alone: within one, there is one version.
    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Values that leave the process as JSON.
    #[cfg(feature = "serde")]
    pub fn json<T: serde::Serialize + serde::de::DeserializeOwned + Any + Send + Sync>(self) -> Values<T> {
        self.with(Codec::json())
    }

    /// Values that leave the process as [postcard](https://docs.rs/postcard): small, fast, and without names.
    #[cfg(feature = "serde")]
    pub fn postcard<T: serde::Serialize + serde::de::DeserializeOwned + Any + Send + Sync>(
        self,
    ) -> Values<T> {
        self.with(Codec::postcard())
    }

    /// Values that do not leave the process. `size` says about how many bytes one takes, with all that it owns: the
    /// bound of the memory is held by what it says.
    pub fn in_process<T: Any + Send + Sync>(self, size: fn(&T) -> usize) -> Values<T> {
        self.with(Codec::in_process(size))
    }

    /// Values that leave the process as `codec` says.
    pub fn with<T: Any + Send + Sync>(self, codec: Codec<T>) -> Values<T> {
        Values::new(self, codec)
    }

    /// What the bytes of a `T` are.
    pub(super) fn schema<T: Any>(&self, codec: &Codec<T>) -> u64 {
        let compute = || {
            let mut stamp = (codec.schema)().to_le_bytes().to_vec();
            stamp.extend_from_slice(&self.version.to_le_bytes());
            xxh3_64(&stamp)
        };
        let (known, schema) = *self.schema.get_or_init(|| (TypeId::of::<T>(), compute()));
        // A generic function has one policy for all its types; the first of them is remembered.
        if known == TypeId::of::<T>() {
            schema
        } else {
            compute()
        }
    }

    /// What decides whether a hit is made anew early: see [`Policy::luck`](crate::policy::Policy::luck).
    #[inline]
    pub(super) fn luck(&self) -> f64 {
        self.early_refresh.map_or(1.0, |_| 1.0 - fastrand::f64())
    }

    /// The lifetime of a result; `None` where it is to be kept for no time at all. `luck` is uniform in [0, 1).
    pub(super) fn lifetime(
        &self,
        ttls: &PresetTtls,
        hints: &CacheHints,
        load: Load,
        luck: f64,
    ) -> Option<Lifetime> {
        let own = || shortened(ttls.length(self.ttl), self.jitter * luck);
        let fresh = hints.ttl.unwrap_or_else(own);
        if hints.no_store || fresh.is_zero() {
            return None;
        }
        Some(Lifetime {
            stale_while_revalidate_ms: millis(ttls.length(self.stale_while_revalidate)),
            stale_if_error_ms: millis(ttls.length(self.stale_if_error)),
            load_ms: u32::try_from(millis(load.ended.since(load.began))).unwrap_or(u32::MAX),
            ..Lifetime::fresh(load.ended, fresh)
        })
    }
}

/// What the keys of all results begin with, as no key of a response does.
fn prefix(name: &str) -> Box<[u8]> {
    let mut bytes = Vec::new();
    let mut writer = KeyWriter::new(&mut bytes);
    writer.absent();
    writer.part(name.as_bytes());
    bytes.into()
}
