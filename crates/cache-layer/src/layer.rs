//! The layer: configuration, and nothing else.

use std::fmt;
use std::panic::Location;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderName, StatusCode};
use tower_layer::Layer;

use crate::built::Built;
use crate::engine::Engine;
use crate::identity::{Identify, PerIdentity, Scope, Shared};
use crate::key;
use crate::one_fill::OneFill;
use crate::policy::{ClientCaching, Policy, RequestView, UnkeyedHeaders};
use crate::query::QueryKey;
use crate::service::Cache;
use crate::ttl::Ttl;

/// Caches the responses of the services that it is laid around.
///
/// It comes from a preset ([`Engine::hot_cache`], [`Engine::user_cache`], [`Engine::public_cache`],
/// [`Engine::static_cache`]) or plain ([`Engine::cache`]), and every setter works on each.
#[derive(Clone)]
#[must_use = "a layer does nothing until it is laid around a service"]
pub struct CacheLayer<Sc = Shared> {
    // Behind one reference: a router clones its layers, one without its state at every request.
    settings: Arc<Settings>,
    scope: Sc,
}

struct Settings {
    engine: Engine,
    policy: Policy,
    at: &'static Location<'static>,
    share_name: bool,
    /// The same for this layer and all clones of it.
    layer: Arc<()>,
    /// Made when the layer is first laid around a service: a router lays it around each of its routes.
    built: OnceLock<Arc<Built>>,
}

impl<Sc: Scope> CacheLayer<Sc> {
    pub(crate) fn new(engine: &Engine, policy: Policy, scope: Sc, at: &'static Location<'static>) -> Self {
        let settings = Settings {
            engine: engine.clone(),
            policy,
            at,
            share_name: false,
            layer: Arc::new(()),
            built: OnceLock::new(),
        };
        Self {
            settings: Arc::new(settings),
            scope,
        }
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.settings.policy
    }

    /// How long `ttl` is by the configuration.
    fn length(&self, ttl: Ttl) -> Duration {
        self.settings.engine.core().ttls.length(ttl)
    }

    pub(crate) fn with(self, change: impl FnOnce(&mut Policy)) -> Self {
        self.change(|settings| change(&mut settings.policy))
    }

    fn change(self, change: impl FnOnce(&mut Settings)) -> Self {
        let old = &self.settings;
        let mut settings = Settings {
            engine: old.engine.clone(),
            policy: old.policy.clone(),
            at: old.at,
            share_name: old.share_name,
            layer: Arc::clone(&old.layer),
            // A clone may have been laid around a service as it was before.
            built: OnceLock::new(),
        };
        change(&mut settings);
        Self {
            settings: Arc::new(settings),
            scope: self.scope,
        }
    }

    /// Lets this layer have the name of another: both answer with each other's entries.
    ///
    /// Without it a second layer of the same name is refused when it is laid around a service, as long as the first, or
    /// a service of it, is there. Clones of a layer, also with other settings, are one layer. So a router that is built
    /// twice for one handle, and is to be there twice, says it.
    pub fn share_name(self) -> Self {
        self.change(|settings| settings.share_name = true)
    }

    /// How long a response with status 200 is fresh, if its handler does not say. The default is the preset's; a plain
    /// layer has none, and keeps only what names its own lifetime.
    ///
    /// A [`Duration`], a text such as `"90s"`, or a name such as `"long"`: see [`Ttl`].
    #[track_caller]
    pub fn ttl(self, ttl: impl Into<Ttl>) -> Self {
        let ttl = self.length(ttl.into());
        self.with(|policy| policy.ttl = Some(ttl))
    }

    /// How long a response with another status is fresh, such as 10 s for a 404. By default none but 200 has a
    /// lifetime.
    #[track_caller]
    pub fn ttl_for(self, status: StatusCode, ttl: impl Into<Ttl>) -> Self {
        let ttl = self.length(ttl.into());
        self.with(|policy| {
            policy.status_ttl.retain(|(other, _)| *other != status);
            policy.status_ttl.push((status, ttl));
        })
    }

    /// Shortens each lifetime that is the layer's own by a random part of it, up to `part`: so entries that were made
    /// together do not all end together. From 0 (the default) to 1.
    ///
    /// # Panics
    /// If `part` is not from 0 to 1.
    #[track_caller]
    pub fn jitter(self, part: f64) -> Self {
        assert!(
            (0.0..=1.0).contains(&part),
            "the jitter of a cache layer is a part from 0 to 1, not {part}"
        );
        self.with(|policy| policy.jitter = part)
    }

    /// For how long after its lifetime a response is served stale, while one background fill replaces it (RFC 5861 §3).
    /// The default is zero.
    ///
    /// The fill takes over the request that was answered, with its extensions, as a GET: what the handler reads from
    /// extensions is there, task-locals are not.
    #[track_caller]
    pub fn stale_while_revalidate(self, window: impl Into<Ttl>) -> Self {
        let window = self.length(window.into());
        self.with(|policy| policy.stale_while_revalidate = window)
    }

    /// For how long after its lifetime a response stands in for a handler that answers 5xx or fails (RFC 5861 §4). The
    /// default is zero.
    #[track_caller]
    pub fn stale_if_error(self, window: impl Into<Ttl>) -> Self {
        let window = self.length(window.into());
        self.with(|policy| policy.stale_if_error = window)
    }

    /// Refreshes an entry in the background before it ends, the likelier the nearer the end and the dearer the fill
    /// (XFetch). `beta` is 1 for the published optimum; larger refreshes earlier. Off by default.
    ///
    /// # Panics
    /// If `beta` is not a positive number.
    #[track_caller]
    pub fn early_refresh(self, beta: f64) -> Self {
        assert!(
            beta.is_finite() && beta > 0.0,
            "the beta of an early refresh is a positive number, not {beta}"
        );
        self.with(|policy| policy.early_refresh = Some(beta))
    }

    /// How clients may keep the answers, where the handler does not say. By default they ask before each use
    /// (`no-cache`), so that an invalidation reaches them; `static_cache` says an hour.
    pub fn client_caching(self, caching: ClientCaching) -> Self {
        self.with(|policy| policy.client = caching)
    }

    /// Lets clients use an answer for `max_age` (whole seconds) without asking. No invalidation reaches them
    /// meanwhile. Counted from each answer: the `max-age` sent is larger by the entry's `Age`, which clients take off.
    pub fn client_max_age(self, max_age: Duration) -> Self {
        self.client_caching(ClientCaching::MaxAge {
            seconds: max_age.as_secs(),
            immutable: false,
        })
    }

    /// Tells clients not to ask even on a reload (RFC 8246): for files whose name changes with their content. Goes with
    /// a [`client_max_age`](Self::client_max_age); by default 1 h.
    pub fn immutable(self) -> Self {
        self.with(|policy| {
            let seconds = match policy.client {
                ClientCaching::MaxAge { seconds, .. } => seconds,
                ClientCaching::Revalidate => 3600,
            };
            policy.client = ClientCaching::MaxAge {
                seconds,
                immutable: true,
            };
        })
    }

    /// The hosts for which this layer answers; requests for others go to the handler. With their port, if it is not the
    /// scheme's. By default all, each with entries of its own.
    pub fn hosts<T: Into<String>>(self, hosts: impl IntoIterator<Item = T>) -> Self {
        self.with(|policy| policy.hosts = Some(hosts.into_iter().map(Into::into).collect()))
    }

    /// Which query parameters count, and whether their order does. By default all of them, in any order.
    pub fn query(self, query: QueryKey) -> Self {
        self.with(|policy| policy.query = query)
    }

    /// Leaves these query parameters out of the key, and hides them from the handler.
    pub fn ignore_query<T: Into<String>>(self, names: impl IntoIterator<Item = T>) -> Self {
        self.query(QueryKey::Except(names.into_iter().map(Into::into).collect()))
    }

    /// Makes a request header part of the key: each of its values has entries of its own, and `Vary` says so.
    ///
    /// What a handler names in `Vary` needs no such setting; this spares the look-up that `Vary` costs.
    ///
    /// # Panics
    /// If `name` is not a header's name.
    #[track_caller]
    pub fn key_header<N>(self, name: N) -> Self
    where
        N: TryInto<HeaderName>,
        N::Error: fmt::Display,
    {
        let name = header_name(name);
        self.with(|policy| {
            if !policy.key_headers.contains(&name) {
                policy.key_headers.push(name);
            }
        })
    }

    /// A part of the key of the application's own, such as a tenant. It runs on every request.
    pub fn key_part(self, part: impl Fn(RequestView<'_>) -> Option<String> + Send + Sync + 'static) -> Self {
        self.with(|policy| policy.key_parts.push(Arc::new(part)))
    }

    /// Requests that go to their handler with no part of the cache in it. It runs on every request.
    pub fn bypass_if(self, rule: impl Fn(RequestView<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.with(|policy| policy.bypass.push(Arc::new(rule)))
    }

    /// Takes cookies for no part of the request: they neither keep it from the cache nor reach the handler. In a shared
    /// layer a request with `Cookie` otherwise goes past the cache; `static_cache` ignores cookies by itself. The cookies
    /// of a verified identity reach its handler all the same.
    pub fn ignore_cookies(self) -> Self {
        self.with(|policy| policy.ignore_cookies = true)
    }

    /// One more header that names a user, beside `Authorization`, `Cookie`, `X-Api-Key`, `X-Auth-Token`,
    /// `X-Amz-Security-Token`, `X-Forwarded-User`, `X-Forwarded-Email`, `X-Remote-User`, `X-Auth-Request-User`,
    /// `X-Auth-Request-Email` and `Proxy-Authorization`: a shared layer refuses requests with it.
    ///
    /// # Panics
    /// If `name` is not a header's name.
    #[track_caller]
    pub fn identity_header<N>(self, name: N) -> Self
    where
        N: TryInto<HeaderName>,
        N::Error: fmt::Display,
    {
        let name = header_name(name);
        self.with(|policy| policy.identity_headers.push(name))
    }

    /// What the handler sees of headers that are not in the key, on a cacheable request. By default hardly any:
    /// [`UnkeyedHeaders::Hide`].
    pub fn unkeyed_headers(self, unkeyed: UnkeyedHeaders) -> Self {
        self.with(|policy| policy.unkeyed = unkeyed)
    }

    /// Lets the handler see one more header that is not in the key. What it makes of the header reaches all clients,
    /// unless it names it in `Vary`.
    ///
    /// # Panics
    /// If `name` is not a header's name.
    #[track_caller]
    pub fn pass_header<N>(self, name: N) -> Self
    where
        N: TryInto<HeaderName>,
        N::Error: fmt::Display,
    {
        let name = header_name(name);
        self.with(|policy| policy.passed_headers.push(name))
    }

    /// The largest body that is kept, in bytes; a larger one passes untouched. The default is 1 MiB.
    pub fn max_body(self, bytes: u64) -> Self {
        self.with(|policy| policy.max_body = bytes)
    }

    /// How long a request waits for another's handler before its own runs. The default is 5 s.
    pub fn wait(self, limit: Duration) -> Self {
        self.with(|policy| policy.wait = limit)
    }

    /// Among whom there is one fill for a key at a time: see [`OneFill`]. The default is [`OneFill::Automatic`].
    pub fn one_fill(self, among: OneFill) -> Self {
        self.with(|policy| policy.one_fill = among)
    }

    /// How long a background fill may take before it is stopped. The default is 30 s.
    pub fn background_timeout(self, limit: Duration) -> Self {
        self.with(|policy| policy.background_timeout = limit)
    }

    /// Whether answers say `Age`. By default they do.
    pub fn age_header(self, on: bool) -> Self {
        self.with(|policy| policy.answer.age = on)
    }

    /// Whether answers say `Cache-Control` where the handler did not. By default they do.
    pub fn cache_control_header(self, on: bool) -> Self {
        self.with(|policy| policy.answer.cache_control = on)
    }

    /// Whether answers say `Cache-Status` (RFC 9211). By default they do; it tells a client what others asked for.
    pub fn cache_status_header(self, on: bool) -> Self {
        self.with(|policy| policy.answer.cache_status = on)
    }

    /// Whether an `ETag` is made for responses that have none. By default it is.
    pub fn etag(self, on: bool) -> Self {
        self.with(|policy| policy.answer.etag = on)
    }

    /// Whether answers say `X-Cache`: `HIT`, `MISS`, `STALE`, `BYPASS` or `REVALIDATED`. By default they do.
    pub fn x_cache_header(self, on: bool) -> Self {
        self.with(|policy| policy.answer.x_cache = on)
    }

    /// Whether answers say `X-Cache-Age`, the age in seconds. By default they do.
    pub fn x_cache_age_header(self, on: bool) -> Self {
        self.with(|policy| policy.answer.x_cache_age = on)
    }
}

impl<I: Identify> CacheLayer<PerIdentity<I>> {
    /// Lets requests that carry no credential at all share one entry, by the rules of a shared layer. By default they
    /// go past the cache.
    pub fn share_anonymous(self) -> Self {
        self.with(|policy| policy.share_anonymous = true)
    }
}

#[track_caller]
pub(crate) fn header_name<N>(name: N) -> HeaderName
where
    N: TryInto<HeaderName>,
    N::Error: fmt::Display,
{
    match name.try_into() {
        Ok(name) => name,
        Err(error) => panic!("not the name of a header: {error}"),
    }
}

impl<S, Sc: Scope> Layer<S> for CacheLayer<Sc> {
    type Service = Cache<S, Sc>;

    /// # Panics
    /// If another layer that is there still has the same name, and neither was told to [share it](Self::share_name).
    fn layer(&self, inner: S) -> Cache<S, Sc> {
        let Settings {
            engine,
            policy,
            at,
            share_name,
            layer,
            built,
        } = &*self.settings;
        let built = built.get_or_init(|| {
            let switch = engine.register(policy, at, layer, *share_name);
            let mut policy = policy.clone();
            policy.settle();
            policy.scope = key::scope(&policy);
            Arc::new(Built::new(engine.clone(), policy, switch, Arc::clone(layer)))
        });
        Cache::new(inner, Arc::clone(built), self.scope.clone())
    }
}

impl<Sc> fmt::Debug for CacheLayer<Sc> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheLayer")
            .field("name", &self.settings.policy.name)
            .field("ttl", &self.settings.policy.ttl)
            .field("tags", &self.settings.policy.tags)
            .finish_non_exhaustive()
    }
}
