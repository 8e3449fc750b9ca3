//! The one handle: a store, a clock and limits, from which layers are made and through which entries are forgotten.

use std::sync::Arc;
use std::time::Duration;

use larder_cache_layer::{CacheLayer, Engine, Identify, Limits, PerIdentity, PresetTtls, Profile, Switch};
use larder_lock::{Lease, LockOptions, Locker, Locks};
use larder_store::{Clock, MemoryStore, Size, Store, Strength, Tag};

use crate::config::Config;
use crate::error::Error;

/// A cache and everything that belongs to it; cheap to clone.
///
/// There are no globals. A service makes one at its start and keeps it in axum's `State`; a test makes its own. It needs
/// no runtime to be made.
///
/// ```
/// use axum::{Router, routing::get};
/// use larder::Larder;
///
/// let larder = Larder::in_memory(64 << 20);
/// let app: Router = Router::new()
///     .route("/api/v1/ratings", get(|| async { "…" }).layer(larder.hot_cache("ratings").tag("ratings")));
/// # let _ = app;
/// ```
#[derive(Debug, Clone)]
pub struct Larder {
    engine: Engine,
    locker: Locker,
}

impl Larder {
    /// A cache in `store`, with everything else by its default.
    #[must_use]
    pub fn new(store: impl Store) -> Self {
        Self::builder(store).build()
    }

    /// A cache of at most `bytes` bytes in this process's memory.
    #[must_use]
    pub fn in_memory(bytes: u64) -> Self {
        Self::new(MemoryStore::with_capacity(bytes))
    }

    /// A cache as the environment says: see [`Config`].
    ///
    /// # Errors
    /// When a variable has a value that is not allowed; the error names the variable, the value and what is allowed.
    pub fn from_env() -> Result<Self, Error> {
        Ok(Self::from_config(&Config::from_env()?))
    }

    /// A cache as `config` says.
    #[must_use]
    pub fn from_config(config: &Config) -> Self {
        let larder = Self::builder(MemoryStore::with_capacity(config.memory_bytes))
            .ttls(config.ttls.clone())
            .build();
        larder.set_enabled(config.enabled);
        larder
    }

    /// A cache in `store`, to be told more.
    pub fn builder(store: impl Store) -> Builder {
        Builder {
            store: Arc::new(store),
            clock: Clock::system(),
            limits: Limits::default(),
            ttls: PresetTtls::new(),
            locker: Locker::memory(),
        }
    }

    /// What many ask for and what changes often: shared by all, fresh for 5 min. See
    /// [the presets](crate::guide::presets).
    #[track_caller]
    pub fn hot_cache(&self, name: impl Into<Arc<str>>) -> CacheLayer {
        self.engine.hot_cache(name)
    }

    /// What belongs to one identity, which `identify` verifies on every request: fresh for 1 min.
    ///
    /// There is no such layer without a verified identity:
    ///
    /// ```compile_fail
    /// # let larder = larder::Larder::in_memory(1 << 20);
    /// larder.user_cache("profile"); // who is the user?
    /// ```
    ///
    /// ```
    /// use http::{header::AUTHORIZATION, request::Parts};
    /// use larder::{Identity, Larder, Verdict};
    ///
    /// # async fn session(_: &str) -> Option<u64> { None }
    /// let larder = Larder::in_memory(1 << 20);
    /// let layer = larder.user_cache("profile", |parts: &Parts| {
    ///     let token = parts.headers.get(AUTHORIZATION).cloned();
    ///     async move {
    ///         let Some(token) = token else { return Verdict::Anonymous };
    ///         match session(token.to_str().unwrap_or_default()).await {
    ///             Some(user) => Identity::new(user.to_string()).into(),
    ///             None => Verdict::Rejected,
    ///         }
    ///     }
    /// });
    /// # drop(layer);
    /// ```
    #[track_caller]
    pub fn user_cache<I: Identify>(
        &self,
        name: impl Into<Arc<str>>,
        identify: I,
    ) -> CacheLayer<PerIdentity<I>> {
        self.engine.user_cache(name, identify)
    }

    /// What all may see and what changes seldom: shared by all, fresh for 30 min.
    #[track_caller]
    pub fn public_cache(&self, name: impl Into<Arc<str>>) -> CacheLayer {
        self.engine.public_cache(name)
    }

    /// Files: shared by all, cookies ignored, fresh for 1 h, and for 1 h in clients too.
    #[track_caller]
    pub fn static_cache(&self, name: impl Into<Arc<str>>) -> CacheLayer {
        self.engine.static_cache(name)
    }

    /// A plain layer: it keeps what names its own lifetime, until it is given one.
    #[track_caller]
    pub fn cache(&self, name: impl Into<Arc<str>>) -> CacheLayer {
        self.engine.cache(name)
    }

    /// A shared cache in front of an origin that it knows nothing of, by RFC 9111. See
    /// [the gateway](crate::guide::gateway).
    #[track_caller]
    pub fn gateway_cache(&self, name: impl Into<Arc<str>>, profile: Profile) -> CacheLayer {
        self.engine.gateway_cache(name, profile)
    }

    /// Forgets all entries that carry `tag`. Complete when it returns: no request that arrives later, here, is answered
    /// with what was made before.
    ///
    /// The cost is the same for one entry as for a million, and nothing is left behind where there was none.
    ///
    /// # Errors
    /// When the store failed: it is unknown whether the entries were forgotten.
    pub async fn invalidate_tag(&self, tag: impl Into<Tag>) -> Result<Invalidated, Error> {
        self.forget(&[tag.into()]).await
    }

    /// Forgets all entries that carry one of `tags`: as [`invalidate_tag`](Self::invalidate_tag).
    ///
    /// # Errors
    /// When the store failed: it is unknown which entries were forgotten.
    pub async fn invalidate_tags<T: Into<Tag>>(
        &self,
        tags: impl IntoIterator<Item = T>,
    ) -> Result<Invalidated, Error> {
        let tags: Vec<Tag> = tags.into_iter().map(Into::into).collect();
        self.forget(&tags).await
    }

    /// Forgets all entries whose path is `prefix` or lies below it, by whole segments: `/teams` reaches `/teams/7`, not
    /// `/teamsters`. A prefix of more than eight segments is widened to eight.
    ///
    /// # Errors
    /// When the store failed: it is unknown whether the entries were forgotten.
    pub async fn invalidate_prefix(&self, prefix: &str) -> Result<Invalidated, Error> {
        self.forget(&[Tag::path(prefix)]).await
    }

    /// Forgets all entries of this path and query, of every host, header and identity. The order of the parameters does
    /// not matter. Those that a [layer ignores](CacheLayer::ignore_query) are left out here too, or the entry is not found.
    ///
    /// ```
    /// use axum::{Router, body::Body, routing::get};
    /// use http::Request;
    /// use larder::Larder;
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), larder::Error> {
    /// let larder = Larder::in_memory(1 << 20);
    /// let layer = larder.public_cache("products").ignore_query(["utm_source"]);
    /// let app: Router = Router::new().route("/products", get(|| async { "jam" }).layer(layer));
    /// let ask = |uri: &'static str| {
    ///     let asked = app.clone().oneshot(Request::get(uri).body(Body::empty()).unwrap());
    ///     async { asked.await.unwrap().headers()["x-cache"].clone() }
    /// };
    ///
    /// assert_eq!(ask("/products?utm_source=mail&b=2&a=1").await, "MISS");
    /// assert_eq!(ask("/products?a=1&b=2").await, "HIT");
    /// larder.invalidate_uri("/products?a=1&b=2").await?;
    /// assert_eq!(ask("/products?a=1&b=2").await, "MISS");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the store failed: it is unknown whether the entries were forgotten.
    pub async fn invalidate_uri(&self, path_and_query: &str) -> Result<Invalidated, Error> {
        // What answers it may have been made for another query of its path (`No-Vary-Search`).
        let path = path_and_query.split('?').next().unwrap_or_default();
        self.forget(&[Tag::uri(path_and_query), Tag::all_searches(path)])
            .await
    }

    /// Forgets all entries of one identity: after a logout, or a change of role.
    ///
    /// # Errors
    /// When the store failed: it is unknown whether the entries were forgotten.
    pub async fn invalidate_identity(&self, id: &str) -> Result<Invalidated, Error> {
        self.forget(&[Tag::identity(id)]).await
    }

    /// Forgets all entries.
    ///
    /// # Errors
    /// When the store failed: it is unknown whether the entries were forgotten.
    pub async fn invalidate_all(&self) -> Result<Invalidated, Error> {
        let done = self.engine.forget_everything(Strength::Hard).await?;
        Ok(Invalidated { known: done.known })
    }

    /// Runs `work` while it holds `locks`, and tells whether it held them until `work` returned: the
    /// [`with_lock`](Locker::with_lock) of its [`locker`](Self::locker). See [locks](crate::guide::locks).
    pub async fn with_lock<T>(
        &self,
        locks: impl Into<Locks>,
        options: impl Into<LockOptions>,
        work: impl AsyncFnOnce(Lease) -> T,
    ) -> larder_lock::Outcome<T> {
        self.locker.with_lock(locks, options, work).await
    }

    /// What takes the locks: for guards to be released by hand, and for a [`Schedule`](crate::lock::Schedule).
    #[must_use]
    pub const fn locker(&self) -> &Locker {
        &self.locker
    }

    async fn forget(&self, tags: &[Tag]) -> Result<Invalidated, Error> {
        let done = self.engine.forget(tags, Strength::Hard).await?;
        Ok(Invalidated { known: done.known })
    }

    /// Switches all layers on or off; off, every request goes to its handler. What is kept stays, and invalidations are
    /// carried out meanwhile.
    pub fn set_enabled(&self, enabled: bool) {
        self.engine.set_enabled(enabled);
    }

    /// The switch of the layer called `name`; `None` where no service has such a layer.
    #[must_use]
    pub fn switch(&self, name: &str) -> Option<Switch> {
        self.engine.switch(name)
    }

    /// How much the store holds.
    #[must_use]
    pub fn size(&self) -> Size {
        self.engine.size()
    }

    /// Waits until no background fill is under way. The wait is as long as the fills are: each ends after its layer's
    /// [`background_timeout`](CacheLayer::background_timeout).
    pub async fn idle(&self) {
        self.engine.idle().await;
    }

    /// Ends background work: starts no more, waits up to `deadline` for what is under way, then stops it. Answers
    /// whether all of it came to its own end. The layers go on answering, without background fills.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        self.engine.shutdown(deadline).await
    }

    /// The core, for those who write layers of their own.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }
}

/// Makes a [`Larder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    store: Arc<dyn Store>,
    clock: Clock,
    limits: Limits,
    ttls: PresetTtls,
    locker: Locker,
}

impl Builder {
    /// The clock; by default the machine's. A test hands in that of a [`FakeClock`](crate::FakeClock).
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The limits that all layers share; see [`Limits`] for the defaults.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Other lifetimes for the presets.
    pub fn ttls(mut self, ttls: PresetTtls) -> Self {
        self.ttls = ttls;
        self
    }

    /// What takes the locks. By default one in memory, whose locks only this process knows: a service that runs more than
    /// once needs one with servers, whatever its store.
    pub fn locker(mut self, locker: Locker) -> Self {
        self.locker = locker;
        self
    }

    /// The cache.
    #[must_use]
    pub fn build(self) -> Larder {
        Larder {
            locker: self.locker,
            engine: Engine::new(self.store, self.clock, self.limits, self.ttls),
        }
    }
}

/// What an invalidation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invalidated {
    /// How many of the tags named were carried by an entry.
    pub known: usize,
}
