//! The layer for routes that change something: configuration, and nothing else.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use larder_store::{Strength, Tag};
use tower_layer::Layer;

use crate::action::Action;
use crate::invalidator::Invalidator;
use crate::service::Invalidate;
use crate::settings::Settings;
use crate::source::ParameterSource;

/// Forgets what a request with an unsafe method changed, before its answer leaves.
///
/// - Its own URI, and what `Location`, `Content-Location` and `Cache-Group-Invalidation` of the answer name (RFC 9111 §4.4,
///   RFC 9875 §3).
/// - What its [actions](Self::action) forget. Their placeholders are filled from the path parameters of the route (axum),
///   from [sources](Self::parameter) in the request, and from [`Parameters`](crate::Parameters) that the handler put into
///   its response's extensions, which go first.
///
/// It does so when the answer is 2xx or 3xx ([`when`](Self::when) says otherwise); and also when nobody knows how the
/// request ended: a 5xx, an error, a panic in the handler, a client that went away. Then it is one miss too many, and no
/// stale answer. Requests with safe methods pass untouched.
///
/// When it fails, the answer says so in `X-Invalidation`, the log and the metrics too, and a journal retries.
#[derive(Clone)]
#[must_use = "a layer does nothing until it is laid around a service"]
pub struct InvalidateLayer(Arc<Settings>);

impl InvalidateLayer {
    /// A layer that forgets through `invalidator`, and has its actions.
    pub fn new(invalidator: &Invalidator) -> Self {
        Self(Arc::new(Settings {
            invalidator: invalidator.clone(),
            rules: Vec::new(),
            sources: Vec::new(),
            reported: Vec::new(),
            otherwise: Vec::new(),
            when: Arc::new(|status| status.is_success() || status.is_redirection()),
            strength: Strength::Hard,
            own_uri: true,
            fail_answers: false,
            read_token: None,
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The action called `name` happens; more than one may.
    ///
    /// # Panics
    /// If there is no such action.
    #[track_caller]
    pub fn action(self, name: &str) -> Self {
        let rule = match self.0.invalidator.actions().rule(name) {
            Ok(rule) => Arc::clone(rule),
            Err(error) => panic!("{error}"),
        };
        self.with(|settings| settings.rules.push(rule))
    }

    /// The action `A` happens; it need not be among those of the handle.
    pub fn action_of<A: Action>(self) -> Self {
        self.with(|settings| settings.rules.push(Arc::new(A::rule())))
    }

    /// Where the value of a placeholder is found, if it is no path parameter: a closure `|parts: &Parts| …`, a parameter of
    /// the [query](crate::query), or a verified identity. It goes before a path parameter of that name. A source may take
    /// 5 s, after which it has no value.
    pub fn parameter(self, name: impl Into<Cow<'static, str>>, source: impl ParameterSource) -> Self {
        self.with(|settings| settings.sources.push((name.into(), Arc::new(source))))
    }

    /// These placeholders are filled by the handler, which puts [`Parameters`](crate::Parameters) into its response's
    /// extensions: said for the check of [`check_placeholders`](Self::check_placeholders). When there is no response, they
    /// have no value: see [`otherwise`](Self::otherwise).
    pub fn from_handler<T: Into<Cow<'static, str>>>(self, names: impl IntoIterator<Item = T>) -> Self {
        self.with(|settings| settings.reported.extend(names.into_iter().map(Into::into)))
    }

    /// What is forgotten in place of targets whose placeholders have no value, such as a tag of all teams where the team is
    /// unknown. By default nothing is: then the answer, the log and the metrics say that the invalidation failed.
    pub fn otherwise<T: Into<Tag>>(self, tags: impl IntoIterator<Item = T>) -> Self {
        self.with(|settings| settings.otherwise.extend(tags.into_iter().map(Into::into)))
    }

    /// Which statuses say that it happened. By default 2xx and 3xx. A 5xx leaves it unknown and counts in any case.
    pub fn when(self, happened: impl Fn(StatusCode) -> bool + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.when = Arc::new(happened))
    }

    /// Leaves what is forgotten to be served stale, within the `stale_while_revalidate` of its layer, while it is replaced.
    /// By default it is not served again.
    pub fn soft(self) -> Self {
        self.with(|settings| settings.strength = Strength::Soft)
    }

    /// Whether the request's own URI is forgotten, and what its answer names. By default it is.
    pub fn own_uri(self, on: bool) -> Self {
        self.with(|settings| settings.own_uri = on)
    }

    /// Whether an answer becomes a 503 when its invalidation failed: for clients that must not go on with stale reads. Its
    /// headers and body stay, since the change *was* made: a client that repeats the request makes it twice. By default
    /// the answer stays as it is, but for `X-Invalidation`.
    pub fn fail_answers(self, on: bool) -> Self {
        self.with(|settings| settings.fail_answers = on)
    }

    /// Gives the client a [`ReadToken`](larder_store::ReadToken), in a cookie that it keeps for the time `lasts` (in whole
    /// seconds): so long it reads what it wrote, where hits may be behind otherwise. `lasts` is to be longer than the bound of the
    /// store. After an invalidation that failed its reads go past the cache. By default there is no such cookie.
    pub fn read_your_writes(self, lasts: Duration) -> Self {
        self.with(|settings| settings.read_token = Some(lasts))
    }

    /// Checks that each placeholder has a value on the route `path`: one of its own parameters (`{id}`, `{*rest}`), a
    /// source, or one that the handler fills. Called by the crate `larder` for routes that are declared with their layer.
    ///
    /// # Panics
    /// If one has none.
    #[track_caller]
    pub fn check_placeholders(&self, path: &str) {
        let mut known: BTreeSet<&str> = path_parameters(path).collect();
        known.extend(self.0.sources.iter().map(|(name, _)| &**name));
        known.extend(self.0.reported.iter().map(|name| &**name));
        for rule in &self.0.rules {
            let unknown: Vec<&str> = rule.placeholders().filter(|name| !known.contains(name)).collect();
            assert!(
                unknown.is_empty(),
                "the action `{}` on the route `{path}` has no value for `{}`: it is no parameter of the path; say where it \
                 comes from with `parameter`, or with `from_handler`",
                rule.name(),
                unknown.join("`, `")
            );
        }
    }
}

/// The names of the parameters in the path of a route.
fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    names.map(|name| name.strip_prefix('*').unwrap_or(name))
}

impl<S> Layer<S> for InvalidateLayer {
    type Service = Invalidate<S>;

    fn layer(&self, inner: S) -> Invalidate<S> {
        Invalidate::new(inner, Arc::clone(&self.0))
    }
}

impl fmt::Debug for InvalidateLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.rules.iter().map(|rule| rule.name()).collect();
        f.debug_struct("InvalidateLayer")
            .field("actions", &names)
            .field("own_uri", &self.0.own_uri)
            .finish_non_exhaustive()
    }
}
