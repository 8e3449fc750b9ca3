//! A policy for the values of one type: what was found under a key, and what is kept under it.

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use larder_store::{
    Capture, Content, Entry, Kept, Key, KeyBuffer, KeyPart, KeyWriter, Lifetime, Lookup, SharedEntry,
    StoreError, StoredValue, Tag, Timestamp, Unread,
};

use super::codec::Codec;
use super::policy::FillPolicy;
use crate::cached::{Held, Tier};
use crate::engine::{Core, Flight};
use crate::freshness::Load;
use crate::hints::CacheHints;
use crate::key::KeyBytes;
use crate::locate::{Found, entry_of};
use crate::metrics::rare;
use crate::status::{MissReason, Outcome, UncacheableReason};

/// How the values of one type are kept: a [`FillPolicy`] with its codec. Cheap to clone.
///
/// A hit is answered with a clone of the value: for one that is dear to clone, keep an `Arc` of it.
#[must_use = "values do nothing until they are handed to a call"]
pub struct Values<T> {
    pub(super) policy: Hold,
    pub(super) codec: Codec<T>,
    hints: Hints<T>,
}

/// A policy that a program has once, or that is shared.
#[derive(Clone)]
pub(super) enum Hold {
    Static(&'static FillPolicy),
    Shared(Arc<FillPolicy>),
}

impl Deref for Hold {
    type Target = FillPolicy;

    #[inline]
    fn deref(&self) -> &FillPolicy {
        match self {
            Self::Static(policy) => policy,
            Self::Shared(policy) => policy,
        }
    }
}

/// What is said of a single value.
enum Hints<T> {
    None,
    Plain(fn(&T) -> CacheHints),
    Shared(Arc<dyn Fn(&T) -> CacheHints + Send + Sync>),
}

impl<T: Any + Send + Sync> Values<T> {
    pub(super) fn new(policy: FillPolicy, codec: Codec<T>) -> Self {
        Self {
            policy: Hold::Shared(Arc::new(policy)),
            codec,
            hints: Hints::None,
        }
    }

    /// Those of a policy that the program has once, and what is said of a single value: what `#[cached]` makes for a
    /// call. Nothing is allocated or counted for it.
    pub fn of_static(policy: &'static FillPolicy, codec: Codec<T>, hints: fn(&T) -> CacheHints) -> Self {
        Self {
            policy: Hold::Static(policy),
            codec,
            hints: Hints::Plain(hints),
        }
    }

    /// The name of their policy.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.policy.name
    }

    /// What is said of a single value, when it was made: its tags, another lifetime, or that it must not be kept.
    ///
    /// ```
    /// use std::time::Duration;
    /// use larder_cache_layer::{CacheHints, FillPolicy, Values};
    ///
    /// // That there is nobody of a name is remembered for half a minute.
    /// let ids: Values<Option<u64>> = FillPolicy::new("ids").json().hints(|id: &Option<u64>| match id {
    ///     Some(id) => CacheHints::new().tag(format!("person:{id}")),
    ///     None => CacheHints::new().ttl(Duration::from_secs(30)),
    /// });
    /// # let _ = ids;
    /// ```
    pub fn hints(mut self, hints: impl Fn(&T) -> CacheHints + Send + Sync + 'static) -> Self {
        self.hints = Hints::Shared(Arc::new(hints));
        self
    }

    /// The key of `key` among these values.
    #[inline]
    pub(super) fn key<K: KeyPart + ?Sized>(&self, key: &K) -> KeyBytes {
        let mut bytes = KeyBytes::new();
        bytes.extend(&self.policy.prefix);
        key.write_to(&mut KeyWriter::new(&mut bytes));
        bytes
    }

    /// What a look-up found, as far as it can be read.
    #[inline]
    pub(super) fn found(&self, lookup: Result<Lookup, StoreError>) -> Found<HeldValue> {
        let (entry, soft, tier) = match entry_of(lookup) {
            Ok(entry) => entry,
            Err(reason) => return Found::Nothing(reason),
        };
        let Some(value) = entry.value() else {
            return Found::Nothing(MissReason::Schema);
        };
        if value.live_as::<T>().is_some() {
            return Found::Entry {
                entry: HeldValue(entry, tier),
                soft,
            };
        }
        match value.read(self.policy.schema(&self.codec), self.codec.decode) {
            Ok(_) => Found::Entry {
                entry: HeldValue(entry, tier),
                soft,
            },
            Err(Unread::Schema) => Found::Nothing(MissReason::Schema),
            Err(_) => Found::Nothing(MissReason::Decode),
        }
    }

    /// What a value says of itself.
    pub(super) fn hints_of(&self, value: &T) -> CacheHints {
        match &self.hints {
            Hints::None => CacheHints::new(),
            Hints::Plain(hints) => hints(value),
            Hints::Shared(hints) => hints(value),
        }
    }

    fn entry(&self, value: T, lifetime: Lifetime, tags: Vec<Tag>) -> Entry {
        let size = (self.codec.size)(&value);
        let schema = self.policy.schema(&self.codec);
        let stored = StoredValue::live(Arc::new(value), schema, size, self.codec.encode);
        Entry::new(lifetime, Content::Value(stored), tags)
    }

    /// Keeps a value that was made after `capture`, if it is to be kept; `tags` are those known before.
    pub(super) async fn keep(&self, core: &Core, made: Made<T>) -> Keeping {
        let hints = self.hints_of(&made.value).settled(&core.ttls);
        let policy = &*self.policy;
        let mut tags = made.tags;
        let own = !hints.tags.is_empty();
        let lifetime = policy.lifetime(&core.ttls, &hints, made.load, fastrand::f64());
        tags.extend(hints.tags);
        let captured = made.capture.is_some();
        let pulse = made.capture.as_ref().and_then(Capture::pulse);
        let (Some(capture), Some(lifetime)) = (made.capture, lifetime) else {
            policy.metrics.unkept(&policy.name, !captured);
            // Its own tags are in no stamps that who waits could compare.
            let shareable = captured && !own;
            let lifetime = Lifetime::fresh(made.load.ended, std::time::Duration::ZERO);
            let entry = || SharedEntry::new(self.entry(made.value, lifetime, tags));
            return Keeping::Not(shareable.then(|| Flight::Unkept(entry(), pulse)));
        };
        let entry = self.entry(made.value, lifetime, tags);
        let size = entry.body_len();
        let put = core.put(made.key, entry, capture).await;
        let kept = put.as_ref().map_or(Kept::Error, |put| put.kept);
        rare::stored(&policy.name, kept, size, core.store.size());
        if let Some(reason) = UncacheableReason::of(kept) {
            policy.metrics.uncacheable(&policy.name, reason);
        }
        match put {
            Some(put) if kept != Kept::Error => Keeping::Judged(put.entry, kept),
            _ => Keeping::Not(None),
        }
    }
}

impl<T: Any + Clone> Values<T> {
    /// The value of a hit, counted.
    #[inline]
    pub(super) fn hit(&self, entry: &HeldValue) -> Option<T> {
        let policy = &*self.policy;
        let value = entry.value::<T>()?.clone();
        policy.metrics.outcome(&policy.name, entry.tier().hit());
        policy
            .metrics
            .saved(&policy.name, entry.lifetime().load_ms, entry.0.body_len());
        Some(value)
    }

    /// The value of an entry that is no hit, counted.
    pub(super) fn serve(&self, entry: &HeldValue, outcome: Outcome) -> Option<T> {
        let value = entry.value::<T>()?.clone();
        self.count(outcome);
        Some(value)
    }

    /// A stale value, counted.
    pub(super) fn stale(
        &self,
        entry: &HeldValue,
        now: Timestamp,
        outcome: Outcome,
        cause: &'static str,
    ) -> Option<T> {
        let age = now.since(entry.lifetime().received);
        rare::stale_served(&self.policy.name, cause, age);
        self.serve(entry, outcome)
    }

    pub(super) fn count(&self, outcome: Outcome) {
        let policy = &*self.policy;
        policy.metrics.outcome(&policy.name, outcome);
        tracing::debug!(cache = &*policy.name, outcome = outcome.as_str(), "answered");
    }
}

/// A value that was made, and how it is to be kept.
pub(super) struct Made<T> {
    pub(super) key: Key,
    pub(super) value: T,
    pub(super) tags: Vec<Tag>,
    pub(super) load: Load,
    /// The stamps as they were before it. Without them it is not kept.
    pub(super) capture: Option<Capture>,
}

/// What became of a value that was made.
pub(super) enum Keeping {
    /// The store has it, or has judged that it must not be used.
    Judged(SharedEntry, Kept),
    /// It is not kept; who waits for it may have it, if there is something to land with.
    Not(Option<Flight>),
}

/// An entry that is a value, which was read as what it is wanted as, and where it was found.
#[derive(Debug, Clone)]
pub(super) struct HeldValue(pub(super) SharedEntry, pub(super) Tier);

impl HeldValue {
    #[inline]
    pub(super) fn value<T: Any>(&self) -> Option<&T> {
        self.0.value()?.live_as()
    }
}

impl Held for HeldValue {
    #[inline]
    fn lifetime(&self) -> &Lifetime {
        &self.0.lifetime
    }

    #[inline]
    fn tier(&self) -> Tier {
        self.1
    }
}

impl<T> Clone for Values<T> {
    fn clone(&self) -> Self {
        Self {
            policy: self.policy.clone(),
            codec: self.codec,
            hints: match &self.hints {
                Hints::None => Hints::None,
                Hints::Plain(hints) => Hints::Plain(*hints),
                Hints::Shared(hints) => Hints::Shared(Arc::clone(hints)),
            },
        }
    }
}

impl<T> fmt::Debug for Values<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values")
            .field("policy", &*self.policy)
            .field("codec", &self.codec)
            .finish_non_exhaustive()
    }
}
