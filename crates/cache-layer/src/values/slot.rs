//! The place of one value: looked at, filled and put by whoever has its key.

use std::any::Any;
use std::fmt;
use std::future::Future;

use larder_store::{Answer, Key, KeyPart, Tag};

use super::fill::{Making, Trip};
use super::typed::{Keeping, Made, Values};
use super::work::{Anywhere, Here, Outliving, Work};
use crate::cached::Held;
use crate::engine::Engine;
use crate::flow::{Decision, decide};
use crate::freshness::Load;
use crate::key::KeyBytes;
use crate::metrics::Metrics;
use crate::status::{BypassReason, MissReason, Outcome};

/// The place of one value, in one cache.
///
/// [`get_or_fill`](Self::get_or_fill) and [`get_or_refresh`](Self::get_or_refresh) answer from it, and have the value made
/// where there is none: by one of all who ask at the same time. A value that was made while one of its tags was forgotten
/// is not kept, and is nobody's who asks afterwards.
///
/// ```
/// use std::convert::Infallible;
/// use larder_cache_layer::{Engine, FillPolicy, Limits, PresetTtls, Values};
/// use larder_store::{Clock, MemoryStore, Tag};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let store = std::sync::Arc::new(MemoryStore::with_capacity(1 << 20));
/// let engine = Engine::new(store, Clock::system(), Limits::default(), PresetTtls::new());
/// let names: Values<String> = FillPolicy::new("names").ttl("2h").in_process(String::len);
///
/// let name = async |id: u64| {
///     let slot = engine.slot(&id, &names).tags(|| vec![Tag::new(format!("person:{id}"))]);
///     slot.get_or_fill(|| async { Ok::<_, Infallible>(format!("nobody {id}")) }).await
/// };
/// assert_eq!(name(7).await.unwrap(), "nobody 7");
/// # }
/// ```
#[must_use = "a slot does nothing until it is asked"]
pub struct Slot<'a, T, G = fn() -> Vec<Tag>> {
    engine: &'a Engine,
    values: &'a Values<T>,
    key: KeyBytes,
    tags: G,
}

impl Engine {
    /// The place of the value of `key` among `values`.
    #[inline]
    pub fn slot<'a, T, K>(&'a self, key: &K, values: &'a Values<T>) -> Slot<'a, T>
    where
        T: Any + Clone + Send + Sync,
        K: KeyPart + ?Sized,
    {
        Slot {
            engine: self,
            values,
            key: values.key(key),
            tags: Vec::new,
        }
    }
}

impl<'a, T, G> Slot<'a, T, G>
where
    T: Any + Clone + Send + Sync,
    G: FnOnce() -> Vec<Tag>,
{
    /// The names under which this value is forgotten, beside those of the policy; asked for when it is made, never for a
    /// hit. They take the place of those that were given before.
    pub fn tags<H: FnOnce() -> Vec<Tag>>(self, tags: H) -> Slot<'a, T, H> {
        Slot {
            engine: self.engine,
            values: self.values,
            key: self.key,
            tags,
        }
    }

    /// The tag that this value carries and no other.
    #[must_use]
    pub fn key_tag(&self) -> Tag {
        Tag::key(self.key.as_slice())
    }

    /// The value, if it is there and fresh.
    pub async fn get(self) -> Option<T> {
        if !self.engine.is_enabled() {
            return None;
        }
        let core = self.engine.core();
        self.values.policy.counts_in(core);
        let found = match core.store.lookup(self.key.as_slice()) {
            Answer::Ready(found) => found,
            later @ Answer::Later(_) => core.ask(later).await,
        };
        match decide(self.values.found(found), None, None, core.clock.now(), 1.0) {
            Decision::Hit(entry) => self.values.hit(&entry),
            _ => None,
        }
    }

    /// Puts a value that was made by now. Answers whether it was kept.
    ///
    /// An invalidation that came while the value was made is not noticed here: have it made by
    /// [`get_or_fill`](Self::get_or_fill) where that matters.
    pub async fn put(self, value: T) -> bool {
        let core = self.engine.core();
        let mut tags = self.values.policy.tags.clone();
        tags.extend((self.tags)());
        tags.push(Tag::key(self.key.as_slice()));
        let Ok(capture) = core.ask(core.store.capture(&tags)).await else {
            return false;
        };
        let now = core.clock.now();
        let load = Load {
            began: now,
            ended: now,
        };
        let made = Made {
            key: Key::from(self.key.as_slice()),
            value,
            tags,
            load,
            capture: Some(capture),
        };
        let kept = self.values.keep(core, made).await;
        matches!(kept, Keeping::Judged(_, larder_store::Kept::Stored))
    }

    /// The value, or what `fill` makes of it: one call of all who ask at the same time makes it, and the others wait.
    ///
    /// `fill` may borrow; so it is done here, within this call. A value that is past its lifetime is not served while a
    /// new one is made, but stands in for one that could not be made, within `stale_if_error`. `Err` is never kept: it is
    /// this call's, and those who waited make their own attempts.
    ///
    /// When this call is dropped while it makes the value, one that waits takes over; when `fill` panics, each makes its
    /// own.
    ///
    /// # Errors
    /// What `fill` answered. The cache has none of its own: where the store fails, `fill` is called.
    #[inline]
    pub async fn get_or_fill<E, F, Fut>(self, fill: F) -> Result<T, E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.answer((), |()| Here::new(fill())).await
    }

    /// The same for a future that owns what it needs: it can be made in the background, while this call is answered with
    /// the value of before (`stale_while_revalidate`, `early_refresh`, `soft_timeout`).
    ///
    /// `fill` itself may borrow: it is called here, at once, when the value is to be made, and returns the future.
    ///
    /// # Errors
    /// What the future answered, where the call waited for it.
    #[inline]
    pub async fn get_or_refresh<E, F, Fut>(self, fill: F) -> Result<T, E>
    where
        E: Send + 'static,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.answer((), |()| Anywhere::new(fill())).await
    }

    #[inline]
    async fn answer<A, E, F, W>(self, args: A, fill: F) -> Result<T, E>
    where
        F: FnOnce(A) -> W,
        W: Work<T, E>,
    {
        match self.look() {
            Ok(value) => Ok(value),
            Err(missed) => {
                let tags = self.tags;
                missed.answer(Making::new(args, |_: &A| tags(), fill)).await
            }
        }
    }
}

impl<'a, T, G> Slot<'a, T, G>
where
    T: Any + Clone + Send + Sync,
{
    /// The value of a hit that takes no waiting; else what it takes to go on.
    ///
    /// # Errors
    /// [`Missed`] is no failure: it answers the call all the same.
    #[inline]
    pub fn look(&self) -> Result<T, Missed<'a, T>> {
        let (engine, values) = (self.engine, self.values);
        let (core, policy) = (engine.core(), &*values.policy);
        policy.counts_in(core);
        let mut missed = Missed {
            engine,
            values,
            key: None,
            luck: policy.luck(),
            absent: None,
        };
        if !engine.is_enabled() {
            return Err(missed);
        }
        let timer = Metrics::timer();
        if let Answer::Ready(found) = core.store.lookup(self.key.as_slice()) {
            let now = core.clock.now();
            match decide(values.found(found), policy.early_refresh, None, now, missed.luck) {
                Decision::Hit(entry) => {
                    if let Some(value) = values.hit(&entry) {
                        if let Some(began) = timer {
                            let age = entry.lifetime().age_ms(now);
                            policy.metrics.sample(&policy.name, entry.tier(), began, age);
                        }
                        return Ok(value);
                    }
                }
                // A failure is looked at again where it is counted.
                Decision::Fill(reason, None) if !reason.is_failure() => missed.absent = Some(reason),
                _ => {}
            }
        }
        missed.key = Some(Key::from(self.key.as_slice()));
        Err(missed)
    }
}

/// A call that is no plain hit: it waits for something, has its value made, or goes past the cache.
#[must_use = "it answers the call"]
pub struct Missed<'a, T> {
    engine: &'a Engine,
    values: &'a Values<T>,
    /// `None` while the cache is switched off.
    key: Option<Key>,
    luck: f64,
    /// Why there is nothing, where that is known by now.
    absent: Option<MissReason>,
}

impl<T: Any + Clone + Send + Sync> Missed<'_, T> {
    /// [`get_or_fill`](Slot::get_or_fill) for a call with arguments: `tags` sees them when the value is to be made, and
    /// `fill` gets them. What `#[cached]` makes of a function.
    ///
    /// # Errors
    /// What `fill` answered.
    pub async fn fill_from<A, E, F, Fut>(
        self,
        args: A,
        tags: impl FnOnce(&A) -> Vec<Tag>,
        fill: F,
    ) -> Result<T, E>
    where
        F: FnOnce(A) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let making = Making::new(args, tags, |args| Here::new(fill(args)));
        self.answer(making).await
    }

    /// [`get_or_refresh`](Slot::get_or_refresh) for a call with arguments.
    ///
    /// # Errors
    /// What the future answered, where the call waited for it.
    pub async fn refresh_from<A, E, F, Fut>(
        self,
        args: A,
        tags: impl FnOnce(&A) -> Vec<Tag>,
        fill: F,
    ) -> Result<T, E>
    where
        E: Send + 'static,
        F: FnOnce(A) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let making = Making::new(args, tags, |args| Anywhere::new(fill(args)));
        self.answer(making).await
    }

    /// The same for work that cannot be stopped once it has begun: when this call is dropped, the work goes on in the
    /// background, and its value is kept, and is theirs who wait.
    ///
    /// # Errors
    /// What the future answered, where the call waited for it.
    pub async fn outlive_from<A, E, F, Fut>(
        self,
        args: A,
        tags: impl FnOnce(&A) -> Vec<Tag>,
        fill: F,
    ) -> Result<T, E>
    where
        E: Send + 'static,
        F: FnOnce(A) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let making = Making::new(args, tags, |args| Outliving::new(fill(args)));
        self.answer(making).await
    }

    async fn answer<A, E, G, F, W>(self, making: Making<A, G, F>) -> Result<T, E>
    where
        G: FnOnce(&A) -> Vec<Tag>,
        F: FnOnce(A) -> W,
        W: Work<T, E>,
    {
        let Some(key) = self.key else {
            let policy = &*self.values.policy;
            policy.metrics.bypass(&policy.name, BypassReason::Disabled);
            self.values.count(Outcome::Bypass);
            return (making.fill)(making.args).await;
        };
        let trip = Trip::new(self.engine, self.values, key, self.luck);
        // Boxed: what a miss needs is not moved about at every hit.
        Box::pin(trip.answer(making, self.absent)).await
    }
}

impl<T> fmt::Debug for Missed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Missed")
            .field("name", &self.values.policy.name)
            .finish_non_exhaustive()
    }
}

impl<T, G> fmt::Debug for Slot<'_, T, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("name", &self.values.policy.name)
            .finish_non_exhaustive()
    }
}
