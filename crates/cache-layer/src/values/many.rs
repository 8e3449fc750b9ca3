//! Many values of one policy at once: looked up in one round trip, and made by one call for all that are not there.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use larder_store::{Answer, Capture, Key, KeyPart, Tag};

use super::typed::{Made, Values};
use crate::engine::{Core, Engine};
use crate::flow::{Decision, decide};
use crate::freshness::Load;
use crate::status::{BypassReason, MissReason, Outcome};

/// The value under each key, if there is one.
type Places<T> = HashMap<Key, Option<T>>;

impl Engine {
    /// The values of `keys` that are there and fresh, in the order of `keys`, looked up in one round trip.
    pub async fn get_many<T, K>(&self, keys: &[K], values: &Values<T>) -> Vec<Option<T>>
    where
        T: Any + Clone + Send + Sync,
        K: KeyPart,
    {
        let names = names(keys, values);
        let places = if self.is_enabled() {
            look_up(self.core(), values, &names).await
        } else {
            Places::new()
        };
        in_order(&names, &places)
    }

    /// The values of `keys`, in their order: those that are there, and what `fill` makes of the others.
    ///
    /// `fill` is called once, with the keys that are not there, each once; not at all where none is missing. It answers
    /// with pairs of key and value in any order. A key that it does not answer for is `None`, and is asked for again the
    /// next time. What it makes while one of its tags is forgotten is not kept.
    ///
    /// Two calls whose keys overlap do not wait for each other: both make what they share.
    ///
    /// # Errors
    /// What `fill` answered.
    pub async fn fill_many<T, K, E, F, Fut>(
        &self,
        keys: &[K],
        values: &Values<T>,
        fill: F,
    ) -> Result<Vec<Option<T>>, E>
    where
        T: Any + Clone + Send + Sync,
        K: KeyPart + Clone,
        F: FnOnce(Vec<K>) -> Fut,
        Fut: Future<Output = Result<Vec<(K, T)>, E>>,
    {
        let names = names(keys, values);
        let policy = &*values.policy;
        policy.counts_in(self.core());
        if !self.is_enabled() {
            policy.metrics.bypass(&policy.name, BypassReason::Disabled);
            values.count(Outcome::Bypass);
            let mut places: Places<T> = names.iter().map(|name| (name.clone(), None)).collect();
            let made = fill(missing(keys, &names, &places)).await?;
            places.extend(
                made.into_iter()
                    .map(|(key, value)| (name(&key, values), Some(value))),
            );
            return Ok(in_order(&names, &places));
        }
        let core = self.core();
        let mut places = look_up(core, values, &names).await;
        let missing = missing(keys, &names, &places);
        if missing.is_empty() {
            return Ok(in_order(&names, &places));
        }
        let mut tags = policy.tags.clone();
        let empty = |name: &&Key| places.get(*name).is_none_or(Option::is_none);
        tags.extend(names.iter().filter(empty).map(|name| Tag::key(name.as_bytes())));
        let capture = core.ask(core.store.capture(&tags)).await.ok();
        let began = core.clock.now();
        let made = {
            let _inflight = policy.metrics.load(&policy.name);
            fill(missing).await
        };
        let ended = core.clock.now();
        let word = if made.is_ok() { "ok" } else { "error" };
        let took = ended.since(began);
        policy
            .metrics
            .ended(&policy.name, "foreground", word, took, core.slow_fill());
        let load = Load { began, ended };
        keep(core, values, &mut places, made?, load, capture).await;
        Ok(in_order(&names, &places))
    }
}

fn name<T: Any + Send + Sync>(key: &impl KeyPart, values: &Values<T>) -> Key {
    Key::from(values.key(key).as_slice())
}

fn names<T: Any + Send + Sync>(keys: &[impl KeyPart], values: &Values<T>) -> Vec<Key> {
    keys.iter().map(|key| name(key, values)).collect()
}

fn in_order<T: Clone>(names: &[Key], places: &Places<T>) -> Vec<Option<T>> {
    let value = |name| places.get(name).cloned().flatten();
    names.iter().map(value).collect()
}

/// The keys whose places are empty, each once.
fn missing<T, K: Clone>(keys: &[K], names: &[Key], places: &Places<T>) -> Vec<K> {
    let mut seen = HashSet::new();
    let pairs = keys.iter().zip(names);
    let empty = pairs.filter(|(_, name)| places.get(*name).is_none_or(Option::is_none) && seen.insert(*name));
    empty.map(|(key, _)| key.clone()).collect()
}

/// A place for each of `names`, with the value that is there and fresh.
async fn look_up<T>(core: &Core, values: &Values<T>, names: &[Key]) -> Places<T>
where
    T: Any + Clone + Send + Sync,
{
    let mut places: Places<T> = names.iter().map(|name| (name.clone(), None)).collect();
    let wanted: Vec<Key> = places.keys().cloned().collect();
    let found = match core.store.lookup_many(&wanted) {
        Answer::Ready(found) => found,
        Answer::Later(found) => {
            let found = Answer::Later(Box::pin(async move { Ok(found.await) }) as Pin<Box<_>>);
            core.ask(found).await.unwrap_or_default()
        }
    };
    let now = core.clock.now();
    let policy = &*values.policy;
    policy.counts_in(core);
    let mut found = found.into_iter();
    for name in wanted {
        let reason = match found.next() {
            None => MissReason::TierError,
            Some(lookup) => match decide(values.found(lookup), None, None, now, 1.0) {
                Decision::Hit(entry) => {
                    places.insert(name, values.hit(&entry));
                    continue;
                }
                Decision::Fill(reason, _) => reason,
                Decision::HitAndRefresh(_) | Decision::Stale(_) => MissReason::Expired,
            },
        };
        policy.metrics.miss(&policy.name, reason);
    }
    places
}

/// Keeps what was made for places that are there.
async fn keep<T, K>(
    core: &Core,
    values: &Values<T>,
    places: &mut Places<T>,
    made: Vec<(K, T)>,
    load: Load,
    capture: Option<Capture>,
) where
    T: Any + Clone + Send + Sync,
    K: KeyPart,
{
    let policy = &*values.policy;
    let mut keeping = Vec::with_capacity(made.len());
    for (key, value) in made {
        let key = name(&key, values);
        let Some(place) = places.get_mut(&key) else {
            tracing::warn!(
                cache = &*policy.name,
                "a value came for a key that was not asked for"
            );
            continue;
        };
        *place = Some(value.clone());
        values.count(Outcome::Miss);
        let mut tags = policy.tags.clone();
        tags.push(Tag::key(key.as_bytes()));
        let made = Made {
            key,
            value,
            tags,
            load,
            capture: capture.clone(),
        };
        keeping.push(Box::pin(values.keep(core, made)));
    }
    // Together: a store behind a connection has them all on the way at once.
    poll_fn(|cx| {
        keeping.retain_mut(|keeping| keeping.as_mut().poll(cx).is_pending());
        if keeping.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
