//! What all layers of one handle share: the store, the clock, the flights under way, the switches and the tasks.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use http::StatusCode;
use larder_store::{
    Announcement, Answer, Capture, Clock, Entry, Finding, Flights, Forgotten, Kept, Key, Put, SharedEntry,
    Size, Store, StoreError, StoreErrorKind, Strength, Survey, Tag, TagKind, Timestamp, Validity, VaryNames,
    Wanted,
};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::cached::Cached;
use crate::described::Described;
use crate::families::Families;
use crate::fingerprints::Fingerprints;
use crate::freshness::may_stand_in;
use crate::loners::Loners;
use crate::metrics::rare;
use crate::policy::Policy;
use crate::presets::PresetTtls;
use crate::recent::{self, PastFill, PastInvalidation, Recent};
use crate::stats::{self, LayerSize, LayerStats, Stats};
use crate::tally::Tally;
use crate::tasks::Tasks;

/// What the requests of one flight learn from the one that works.
#[derive(Debug, Clone)]
pub(crate) enum Flight {
    /// This was made.
    Made(Made),
    /// The handler failed, and a stale entry stood in for it.
    Failed(Failure),
    /// Nothing was made: an earlier flight had left an entry in the store.
    Kept,
    /// This value was made, and the store has judged it.
    Value(SharedEntry),
    /// This value was made and is not kept: it is for those alone who waited, if nothing of theirs was forgotten since. With
    /// the pulse of the store when its stamps were taken.
    Unkept(SharedEntry, Option<u64>),
}

/// How a handler failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It answered 5xx.
    Status(StatusCode),
    /// It gave no answer.
    Unreachable,
}

/// What a fill made.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) entry: Cached,
    /// The key of all its variants, and its own, under which it is kept.
    pub(crate) primary: Key,
    pub(crate) key: Key,
    /// The request headers by which it varies.
    pub(crate) names: VaryNames,
}

/// The key of a flight: an entry's key, and the stamps as the fill saw them. A request that saw other stamps does not
/// wait for a fill that an invalidation made worthless.
pub(crate) type FlightKey = (Key, u64);

/// The core that all layers and handles made from it share; cheap to clone.
///
/// There are no globals: a process may have as many as it wants, and each test its own. It is made without a runtime;
/// what waits needs one, with its timer: a request for another's handler, a store that does not answer at once, a
/// background fill.
#[derive(Clone)]
pub struct Engine(Arc<Core>);

pub(crate) struct Core {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    pub(crate) flights: Flights<FlightKey, Flight>,
    pub(crate) loners: Loners,
    pub(crate) fingerprints: Fingerprints,
    pub(crate) tasks: Tasks,
    /// Permits for handlers that run because the store is of no help.
    pub(crate) unaided: Semaphore,
    enabled: AtomicBool,
    layers: Mutex<HashMap<Arc<str>, Registered>>,
    /// The counters of layers and functions, by name.
    tallies: Mutex<BTreeMap<Arc<str>, Arc<Tally>>>,
    pub(crate) recent: Recent,
    families: Families,
    limits: Limits,
    pub(crate) ttls: PresetTtls,
    runtime: Option<Handle>,
}

/// Limits that all layers of one [`Engine`] share.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Limits {
    /// Background fills at the same time; above it a stale answer is served without one. Default 64.
    pub background_fills: usize,
    /// Handlers at the same time that run because the store failed; above it a request waits up to its layer's
    /// [`wait`](crate::CacheLayer::wait), and then its handler runs all the same. Default 256.
    pub unaided_loads: usize,
    /// How long the store may take to look up, capture or keep an entry. Default 50 ms.
    pub store_timeout: Duration,
    /// How long the store may take to forget. Default 2 s.
    pub invalidation_timeout: Duration,
    /// From how long on the run of a handler or function counts as [slow](crate::Counts::slow_fills). Default 1 s.
    pub slow_fill: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            background_fills: 64,
            unaided_loads: 256,
            store_timeout: Duration::from_millis(50),
            invalidation_timeout: Duration::from_secs(2),
            slow_fill: Duration::from_secs(1),
        }
    }
}

struct Registered {
    at: &'static Location<'static>,
    /// Whether it was told to share its name.
    share: bool,
    switch: Switch,
    described: Described,
    /// For people who ask what it would do with a request.
    policy: Policy,
    /// The layer that has the name, as long as it or a service of it is there.
    layer: Weak<()>,
}

impl Engine {
    /// The core around `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Clock, limits: Limits, ttls: PresetTtls) -> Self {
        Self(Arc::new(Core {
            store,
            clock,
            flights: Flights::new(),
            loners: Loners::new(),
            fingerprints: Fingerprints::new(),
            tasks: Tasks::new(limits.background_fills),
            unaided: Semaphore::new(limits.unaided_loads.min(Semaphore::MAX_PERMITS)),
            enabled: AtomicBool::new(true),
            layers: Mutex::default(),
            tallies: Mutex::default(),
            recent: Recent::default(),
            families: Families::default(),
            limits,
            ttls,
            runtime: Handle::try_current().ok(),
        }))
    }

    /// The tokio runtime in which it was made, if it was made in one.
    #[must_use]
    pub fn runtime(&self) -> Option<&Handle> {
        self.0.runtime.as_ref()
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.0
    }

    /// Forgets all entries that carry one of `tags`; complete when it returns.
    ///
    /// # Errors
    /// When the store failed, or took longer than [`Limits::invalidation_timeout`]: then it is unknown which tags were
    /// forgotten.
    pub async fn forget(&self, tags: &[Tag], strength: Strength) -> Result<Forgotten, StoreError> {
        self.forget_for("api", tags, strength).await
    }

    /// The same for `source`, which is the label of its metrics.
    ///
    /// # Errors
    /// As [`forget`](Self::forget).
    pub async fn forget_for(
        &self,
        source: &'static str,
        tags: &[Tag],
        strength: Strength,
    ) -> Result<Forgotten, StoreError> {
        self.forget_because(Cause::of(source), tags, strength).await
    }

    /// The same, with all that is known of what led to it.
    ///
    /// # Errors
    /// As [`forget`](Self::forget).
    pub async fn forget_because(
        &self,
        cause: Cause<'_>,
        tags: &[Tag],
        strength: Strength,
    ) -> Result<Forgotten, StoreError> {
        let kind = match tags.first().map(Tag::kind) {
            Some(TagKind::Path) => "prefix",
            Some(TagKind::Uri | TagKind::Target | TagKind::Key) => "key",
            _ => "tag",
        };
        let answer = self.0.store.forget(tags, strength);
        self.invalidate((kind, cause), tags, strength, answer).await
    }

    /// Forgets all entries; complete when it returns.
    ///
    /// # Errors
    /// As [`forget`](Self::forget).
    pub async fn forget_everything(&self, strength: Strength) -> Result<Forgotten, StoreError> {
        self.forget_everything_for("api", strength).await
    }

    /// The same for `source`, which is the label of its metrics.
    ///
    /// # Errors
    /// As [`forget`](Self::forget).
    pub async fn forget_everything_for(
        &self,
        source: &'static str,
        strength: Strength,
    ) -> Result<Forgotten, StoreError> {
        let answer = self.0.store.forget_everything(strength);
        self.invalidate(("all", Cause::of(source)), &[], strength, answer)
            .await
    }

    /// Announces that what `tags` stand for is about to change: see [`Store::announce`].
    ///
    /// # Errors
    /// When the store failed, or took longer than [`Limits::invalidation_timeout`].
    pub async fn announce(&self, tags: &[Tag], lasts: Duration) -> Result<Announcement, StoreError> {
        within(
            self.0.store.announce(tags, lasts),
            self.0.limits.invalidation_timeout,
        )
        .await
    }

    /// Ends what was announced of these `tags`, and forgets them; complete when it returns.
    ///
    /// # Errors
    /// As [`forget`](Self::forget).
    pub async fn finish(&self, tags: &[Tag], announcement: Announcement) -> Result<Forgotten, StoreError> {
        let answer = self.0.store.finish(tags, announcement);
        self.invalidate(("tag", Cause::of("api")), tags, Strength::Hard, answer)
            .await
    }

    async fn invalidate(
        &self,
        (kind, cause): (&'static str, Cause<'_>),
        tags: &[Tag],
        strength: Strength,
        answer: Answer<Result<Forgotten, StoreError>>,
    ) -> Result<Forgotten, StoreError> {
        let source = cause.source;
        let began = self.0.clock.now();
        let result = within(answer, self.0.limits.invalidation_timeout).await;
        let at = self.0.clock.now();
        let took = at.since(began);
        rare::invalidation(kind, source, strength.as_str(), result.is_ok(), took);
        if result.is_ok() {
            self.0.families.forgotten(tags);
        }
        if self.0.recent.is_on() {
            let (tags, more_tags) = recent::tags(tags);
            self.0.recent.invalidated(PastInvalidation {
                at,
                kind,
                source,
                action: cause.action.map(Into::into),
                tags,
                more_tags,
                strength,
                known: result.as_ref().ok().map(|done| done.known),
                took,
            });
        }
        let mode = strength.as_str();
        match &result {
            Ok(done) => tracing::debug!(kind, source, mode, known = done.known, "invalidated"),
            Err(error) => tracing::error!(kind, source, mode, %error, "invalidation failed"),
        }
        result
    }

    /// How much the store holds.
    #[must_use]
    pub fn size(&self) -> Size {
        self.0.store.size()
    }

    /// What the store finds amiss with what it is on, the worst first.
    pub async fn doctor(&self) -> Vec<Finding> {
        self.0.store.doctor().wait().await
    }

    /// Some of the tags that entries carry: see [`Store::survey`].
    ///
    /// # Errors
    /// As there.
    pub async fn survey(&self, wanted: &Wanted, from: u64, most: usize) -> Result<Survey, StoreError> {
        self.0.store.survey(wanted, from, most).wait().await
    }

    /// Switches all layers on or off; off, every request goes to its handler.
    pub fn set_enabled(&self, enabled: bool) {
        self.0.enabled.store(enabled, Ordering::Relaxed);
    }

    /// The switch of the layer called `name`, if there is one.
    #[must_use]
    pub fn switch(&self, name: &str) -> Option<Switch> {
        self.0
            .layers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .map(|layer| layer.switch.clone())
    }

    /// What the layers that are there keep, as far as it is known before any request; by name.
    #[must_use]
    pub fn described(&self) -> Vec<Described> {
        let layers = self.0.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let there = layers.values().filter(|layer| layer.layer.strong_count() > 0);
        let mut all: Vec<Described> = there.map(|layer| layer.described.clone()).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// What the layer called `name` was told, and its switch, if there is such a layer.
    pub(crate) fn told(&self, name: &str) -> Option<(Policy, Switch)> {
        let layers = self.0.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let layer = layers.get(name)?;
        Some((layer.policy.clone(), layer.switch.clone()))
    }

    /// Waits until no background fill is under way.
    pub async fn idle(&self) {
        self.0.tasks.idle().await;
    }

    /// Ends background work: starts no more, waits up to `deadline` for what is under way, then stops it. Answers
    /// whether all of it came to its own end. Layers go on answering, without background fills.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        self.0.tasks.shutdown(deadline).await
    }

    /// Takes a name for a layer that is made at `at`. `layer` is the same for a layer and its clones; who holds it is
    /// there still.
    ///
    /// # Panics
    /// If the name is empty, or another layer that is there still has it, and neither is to share it.
    pub(crate) fn register(
        &self,
        policy: &Policy,
        at: &'static Location<'static>,
        layer: &Arc<()>,
        share: bool,
    ) -> (Switch, Arc<Tally>) {
        let name = &policy.name;
        assert!(
            !name.is_empty(),
            "a cache layer needs a name that is not empty ({at})"
        );
        let mut layers = self.0.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let registered = layers.entry(Arc::clone(name)).or_insert_with(|| Registered {
            at,
            share,
            layer: Arc::downgrade(layer),
            switch: Switch::new(),
            described: Described::of(policy),
            policy: policy.clone(),
        });
        let other = registered
            .layer
            .upgrade()
            .filter(|other| !Arc::ptr_eq(other, layer));
        let (first, taken) = (registered.at, other.is_some() && !share && !registered.share);
        if other.is_none() {
            (registered.at, registered.layer) = (at, Arc::downgrade(layer));
            registered.described = Described::of(policy);
            registered.policy = policy.clone();
        } else {
            registered.described.add(policy);
        }
        registered.share |= share;
        let switch = registered.switch.clone();
        // Not while the lock is held: other threads may be building layers.
        drop(layers);
        assert!(
            !taken,
            "two cache layers are called `{name}`: one is made at {first}, another at {at}. Give each its own name, or \
             make one of them with `share_name` if they are to answer with each other's entries"
        );
        (switch, self.0.tally(name))
    }

    /// What the layers have counted since they were made, and how the store is. It asks nobody and holds up no request.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let tallies = self
            .0
            .tallies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let layers = tallies.into_iter().map(|(name, tally)| {
            let switch = self.switch(&name);
            LayerStats {
                is_on: switch.as_ref().is_none_or(Switch::is_on),
                is_layer: switch.is_some(),
                counts: tally.counts(),
                name,
            }
        });
        Stats {
            layers: layers.collect(),
            tag_families: self.0.families.all(),
            memory: self.size(),
            store: self.0.store.name(),
            condition: self.0.store.condition(),
            enabled: self.is_enabled(),
        }
    }

    /// What is kept in this process of each layer, by name. It walks over all entries, and holds up nobody meanwhile.
    #[must_use]
    pub fn layer_sizes(&self) -> Vec<LayerSize> {
        stats::sizes(self.store())
    }

    /// From now on it is written down what happens, in rings of 256 places each, for
    /// [`past_invalidations`](Self::past_invalidations) and [`past_fills`](Self::past_fills). Before, nothing is: it costs
    /// each invalidation and each run of a handler a lock and some hundred bytes.
    pub fn watch(&self) {
        self.0.recent.begin();
    }

    /// The invalidations that this process carried out since it was [watched](Self::watch), 256 at most, the latest first.
    /// Those of other instances are not known here.
    #[must_use]
    pub fn past_invalidations(&self) -> Vec<PastInvalidation> {
        self.0.recent.invalidations()
    }

    /// The runs of handlers in layers since it was [watched](Self::watch), 256 at most, the latest first.
    #[must_use]
    pub fn past_fills(&self) -> Vec<PastFill> {
        self.0.recent.fills()
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.0.store
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.0.enabled.load(Ordering::Relaxed)
    }
}

/// What led to an invalidation.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Cause<'a> {
    /// The label of its metrics.
    pub source: &'static str,
    /// The actions that happened, if they have names.
    pub action: Option<&'a str>,
}

impl<'a> Cause<'a> {
    /// What the metrics call `source`.
    #[must_use]
    pub const fn of(source: &'static str) -> Self {
        Self { source, action: None }
    }

    /// The same, and the actions that it was.
    #[must_use]
    pub const fn action(mut self, action: Option<&'a str>) -> Self {
        self.action = action;
        self
    }
}

/// How many names are counted apart; those beyond share one.
const TALLIES: usize = 1024;

impl Core {
    pub(crate) const fn slow_fill(&self) -> Duration {
        self.limits.slow_fill
    }

    /// The counters for what is called `name`.
    pub(crate) fn tally(&self, name: &Arc<str>) -> Arc<Tally> {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let name = if tallies.len() < TALLIES || tallies.contains_key(name) {
            Arc::clone(name)
        } else {
            "others".into()
        };
        let tally = tallies.entry(name).or_insert_with(|| Arc::new(Tally::new()));
        Arc::clone(tally)
    }

    /// How long a write to the store may take where nobody waits for it.
    pub(crate) const fn write_timeout(&self) -> Duration {
        self.limits.invalidation_timeout
    }

    /// Waits for the store, as long as it may take.
    pub(crate) async fn ask<T>(&self, answer: Answer<Result<T, StoreError>>) -> Result<T, StoreError> {
        let result = within(answer, self.limits.store_timeout).await;
        if let Err(error) = &result {
            rare::backend_error(self.store.name(), error.kind().as_str());
            tracing::warn!(store = self.store.name(), %error, "the store failed; going on without it");
        }
        result
    }

    /// Whether an entry was not forgotten for good.
    pub(crate) async fn is_known(&self, entry: &SharedEntry) -> bool {
        match self.ask(self.store.validity(entry)).await {
            Ok(validity) => matches!(validity, Validity::Valid | Validity::Soft),
            Err(_) => false,
        }
    }

    /// Whether a stale entry may stand in for a handler that failed: it is within its window and was not forgotten.
    pub(crate) async fn stands_in(&self, entry: &Cached, policy: &Policy, failure: Failure) -> bool {
        let known = self.is_known(entry.shared()).await;
        let window = match failure {
            Failure::Status(_) => Duration::ZERO,
            Failure::Unreachable => policy.rules.stale_if_unreachable,
        };
        known && may_stand_in(&entry.entry().lifetime, self.clock.now(), window)
    }

    /// Hands an entry to the store; `None` when it did not answer in time.
    pub(crate) async fn put(&self, key: Key, entry: Entry, capture: Capture) -> Option<Put> {
        let put = match self.store.put(key, entry, capture) {
            Answer::Ready(put) => put,
            Answer::Later(answer) => {
                let answer = async move { Ok(answer.await) };
                self.ask(Answer::Later(Box::pin(answer))).await.ok()?
            }
        };
        if put.kept == Kept::Stored {
            self.families.kept(&put.entry.tags);
        }
        Some(put)
    }
}

/// Waits for `answer` for at most `limit`.
async fn within<T>(answer: Answer<Result<T, StoreError>>, limit: Duration) -> Result<T, StoreError> {
    match answer {
        Answer::Ready(result) => result,
        Answer::Later(answer) => timeout(limit, answer).await.unwrap_or_else(|_| {
            Err(StoreError::new(
                StoreErrorKind::Timeout,
                format!("no answer within {} ms", limit.as_millis()),
            ))
        }),
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("store", &self.0.store)
            .field("flights", &self.0.flights.len())
            .finish_non_exhaustive()
    }
}

/// Switches one layer on or off while the service runs.
#[derive(Debug, Clone)]
pub struct Switch(Arc<AtomicBool>);

impl Switch {
    fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// Whether the layer is on.
    #[must_use]
    #[inline]
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Switches the layer on or off; off, its requests go to their handlers.
    pub fn set(&self, on: bool) {
        self.0.store(on, Ordering::Relaxed);
    }
}
