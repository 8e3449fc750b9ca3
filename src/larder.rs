//! The one handle: a store, a clock and limits, from which layers are made and through which entries are forgotten.

use std::sync::Arc;
use std::time::Duration;

use larder_cache_layer::{
    CacheLayer, Engine, Identify, LayerSize, Limits, PerIdentity, PresetTtls, Profile, Stats, Switch,
};
use larder_invalidation::{Actions, Invalidator, JournalLimits};
use larder_lock::{Lease, LockOptions, Locker, Locks};
use larder_store::{Clock, Finding, MemoryStore, Size, Store};

use crate::config::Config;
use crate::error::Error;
use crate::forgets::Forgets;

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
    invalidator: Invalidator,
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
        Self::from_config(&Config::from_env()?)
    }

    /// A cache as `config` says: on Redis where it names a server, which need not be there yet.
    ///
    /// # Errors
    /// When the URL of the server cannot be read.
    pub fn from_config(config: &Config) -> Result<Self, Error> {
        let larder = Self::configured(config)?.ttls(config.ttls.clone()).build();
        larder.set_enabled(config.enabled);
        Ok(larder)
    }

    #[cfg(feature = "redis")]
    fn configured(config: &Config) -> Result<Builder, Error> {
        let Some(url) = &config.redis_url else {
            return Ok(Self::builder(MemoryStore::with_capacity(config.memory_bytes)));
        };
        let store = larder_redis::RedisStore::builder(url.as_str());
        let store = store
            .namespace(config.namespace.as_str())
            .memory(config.memory_bytes);
        Ok(Self::builder(store.open()?))
    }

    #[cfg(not(feature = "redis"))]
    #[allow(
        clippy::unnecessary_wraps,
        reason = "with the feature `redis` there is an error"
    )]
    fn configured(config: &Config) -> Result<Builder, Error> {
        Ok(Self::builder(MemoryStore::with_capacity(config.memory_bytes)))
    }

    /// A cache on a Redis or Valkey server, shared by all instances of a service, with everything by its default. Connects,
    /// to hear of a wrong configuration now; afterwards the server may come and go.
    ///
    /// For more, make the store with [`RedisStore::builder`](larder_redis::RedisStore::builder) and hand it to
    /// [`new`](Self::new) or [`builder`](Self::builder).
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), larder::Error> {
    /// use larder::{Larder, RedisStore};
    ///
    /// let larder = Larder::redis("redis://127.0.0.1").await?;
    /// let shop = Larder::new(RedisStore::builder("redis://127.0.0.1").namespace("shop").connect().await?);
    /// # let _ = (larder, shop);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the URL cannot be read, or the server cannot be reached within 2 s, refuses the credentials, or is a replica.
    #[cfg(feature = "redis")]
    pub async fn redis(place: impl Into<larder_redis::Place>) -> Result<Self, Error> {
        Ok(Self::new(larder_redis::RedisStore::connect(place).await?))
    }

    /// A cache in `store`, to be told more.
    pub fn builder(store: impl Store) -> Builder {
        Builder {
            store: Arc::new(store),
            clock: Clock::system(),
            limits: Limits::default(),
            ttls: PresetTtls::new(),
            actions: Actions::new(),
            journal: JournalLimits::default(),
            locker: Locker::memory(),
        }
    }

    /// The same cache with these actions, in place of others: for those that were not made by a
    /// [builder](Self::builder). Handles and layers that were there before keep theirs.
    #[must_use]
    pub fn with_actions(mut self, actions: Actions) -> Self {
        self.invalidator = self.invalidator.with_actions(actions);
        self
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

    /// Looks at what the store is on, and says what is amiss and what to change, the worst first: of a Redis server its
    /// version, its memory, how fast it answers, and more. To be called when a service starts, or by who runs it; it takes
    /// some ten round trips, and 2 s at most for each. Nothing is ever amiss with the embedded store.
    ///
    /// ```
    /// # async fn example(larder: larder::Larder) {
    /// for finding in larder.doctor().await {
    ///     eprintln!("{finding}"); // warning (eviction): `maxmemory-policy` is `noeviction`: …
    /// }
    /// # }
    /// ```
    pub async fn doctor(&self) -> Vec<Finding> {
        self.engine.doctor().await
    }

    /// What all layers have counted since they were made, how much is kept, and how the store is. The counters only grow;
    /// see [numbers for programs](https://docs.rs/larder/latest/larder/guide/admin/index.html#numbers-for-programs). It asks nobody and holds up no request.
    ///
    /// ```
    /// use axum::{Router, body::Body, routing::get};
    /// use http::Request;
    /// use larder::{Larder, MissReason};
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let larder = Larder::in_memory(1 << 20);
    /// let app: Router = Router::new().route("/jam", get(|| async { "jam" }).layer(larder.hot_cache("jam")));
    /// for _ in 0..4 {
    ///     app.clone().oneshot(Request::get("/jam").body(Body::empty()).unwrap()).await.unwrap();
    /// }
    /// let stats = larder.stats();
    /// let jam = &stats.layer("jam").unwrap().counts;
    /// assert_eq!((jam.requests(), jam.hits(), jam.fills()), (4, 3, 1));
    /// assert_eq!(jam.hit_ratio(), Some(0.75));
    /// assert!(jam.misses().any(|why| why == (MissReason::Absent, 1)));
    /// assert_eq!(stats.memory.entries, 1);
    /// # }
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// How many entries of each layer and each function's policy this process keeps, and of how many bytes, by name. Of what
    /// a store keeps elsewhere, there is no account. It walks over all entries, which takes some milliseconds for each
    /// hundred thousand, and holds up no request.
    #[must_use]
    pub fn layer_sizes(&self) -> Vec<LayerSize> {
        self.engine.layer_sizes()
    }

    /// How the store and the locks are: each is asked, all at the same time, and waited for at most 1 s. Where one does not
    /// answer, the cache is degraded, not dead: see [the page](crate::guide::admin#health).
    #[cfg(feature = "admin")]
    pub async fn health(&self) -> larder_admin::Health {
        larder_admin::Health::of(&self.parts(), Duration::from_secs(1)).await
    }

    /// Routes for orchestrators, `/livez` and `/readyz`: see [the page](crate::guide::admin#health).
    #[cfg(feature = "admin")]
    pub fn health_routes(&self) -> larder_admin::HealthRoutes {
        larder_admin::HealthRoutes::new(self.parts())
    }

    /// A page for operators, for those whom `guard` lets pass: see [the page](crate::guide::admin#the-page).
    ///
    /// There is none without a guard:
    ///
    /// ```compile_fail
    /// # let larder = larder::Larder::in_memory(1 << 20);
    /// larder.admin(); // who may see it?
    /// ```
    ///
    /// ```
    /// use axum::Router;
    /// use larder::{Larder, admin::Token};
    ///
    /// # fn secret() -> &'static str { "a secret of 16 bytes or more" }
    /// let larder = Larder::in_memory(1 << 20);
    /// let token = Token::new(secret()).expect("the secret is long enough");
    /// let app: Router = Router::new().nest("/admin", larder.admin(token).router());
    /// # let _ = app;
    /// ```
    #[cfg(feature = "admin")]
    pub fn admin(&self, guard: impl larder_admin::Guard) -> larder_admin::Admin {
        larder_admin::Admin::new(self.parts(), guard)
    }

    #[cfg(feature = "admin")]
    fn parts(&self) -> larder_admin::Parts {
        larder_admin::Parts {
            engine: self.engine.clone(),
            invalidator: self.invalidator.clone(),
            locker: self.locker.clone(),
        }
    }

    /// Waits until no background fill and no invalidation that nobody waits for is under way. The wait is as long as the
    /// fills are: each ends after its layer's [`background_timeout`](CacheLayer::background_timeout). Retries of what
    /// failed are not waited for.
    pub async fn idle(&self) {
        self.engine.idle().await;
        self.invalidator.idle().await;
    }

    /// Ends background work: starts no more, waits up to `deadline` for what is under way and for invalidations that
    /// failed to be made up for, then stops it. Answers whether all of it came to its own end. The layers go on answering,
    /// without background fills.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        let (fills, invalidations) = tokio::join!(
            self.engine.shutdown(deadline),
            self.invalidator.shutdown(deadline)
        );
        fills && invalidations
    }

    /// The core, for those who write layers of their own.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What runs invalidations, for those who write layers of their own.
    #[must_use]
    pub const fn invalidator(&self) -> &Invalidator {
        &self.invalidator
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
    actions: Actions,
    journal: JournalLimits,
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

    /// The actions that say what an event makes stale; by default none.
    pub fn actions(mut self, actions: Actions) -> Self {
        self.actions = actions;
        self
    }

    /// The bounds of the journal of failed invalidations; see [`JournalLimits`] for the defaults.
    pub fn journal(mut self, limits: JournalLimits) -> Self {
        self.journal = limits;
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
        let engine = Engine::new(self.store, self.clock, self.limits, self.ttls);
        let invalidator = Invalidator::new(Forgets(engine.clone()), self.journal).with_actions(self.actions);
        Larder {
            engine,
            invalidator,
            locker: self.locker,
        }
    }
}
