//! What a layer was told: lifetimes, limits, and what it does with requests and answers.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, HeaderMap, HeaderName, Method, StatusCode, Uri};
use larder_store::TagTemplate;

use crate::one_fill::{OneFill, Pace};
use crate::query::QueryKey;
use crate::rules::Rules;

/// A request as the rules of a layer see it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RequestView<'a> {
    /// The method.
    pub method: &'a Method,
    /// The URI as the layer sees it: inside a nest, without the nest's prefix.
    pub uri: &'a Uri,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The extensions: what outer layers found out.
    pub extensions: &'a Extensions,
}

pub(crate) type KeyPart = Arc<dyn Fn(RequestView<'_>) -> Option<String> + Send + Sync>;
pub(crate) type Rule = Arc<dyn Fn(RequestView<'_>) -> bool + Send + Sync>;

/// How clients may keep what a layer answers, when the handler does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientCaching {
    /// They keep it and ask before each use: `no-cache`. With the `ETag` that is a 304 and no body, and an
    /// invalidation reaches them at once.
    Revalidate,
    /// They use it for this long without asking: `max-age`. No invalidation reaches them meanwhile.
    MaxAge {
        /// How long, counted from the answer.
        seconds: u64,
        /// Not even a reload asks again (RFC 8246): for files whose name changes with their content.
        immutable: bool,
    },
}

/// What the handler sees of a request's headers that are not part of the key.
///
/// A handler that reads a header which the key does not hold puts one client's header into an answer for all. That is
/// how shared caches are poisoned, so what is not in the key is, by default, not there for the handler either.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UnkeyedHeaders {
    /// The handler sees `Host`, what a response may name in `Vary` when it negotiates (`Accept`, `Accept-Charset`,
    /// `Accept-Encoding`, `Accept-Language`), trace context (`traceparent`, `tracestate`), the headers in the key, and
    /// those passed by name. In a layer by identity it
    /// also sees the credentials (`Authorization`, `Cookie` and the identity headers). All others are hidden. The
    /// default.
    #[default]
    Hide,
    /// The handler sees all of them. Only for handlers of which you know that they set `Vary`, or read none.
    Pass,
}

/// All that a layer was told.
#[derive(Clone)]
pub(crate) struct Policy {
    pub(crate) name: Arc<str>,
    /// What all keys begin with; made anew when the layer is built.
    pub(crate) scope: Box<[u8]>,
    /// A number for how the layer answers: layers that share entries and answer otherwise do not share headers.
    pub(crate) face: u64,
    pub(crate) ttl: Option<Duration>,
    pub(crate) status_ttl: Vec<(StatusCode, Duration)>,
    pub(crate) stale_while_revalidate: Duration,
    pub(crate) stale_if_error: Duration,
    pub(crate) early_refresh: Option<f64>,
    pub(crate) jitter: f64,
    pub(crate) client: ClientCaching,
    pub(crate) shared: bool,
    pub(crate) share_anonymous: bool,
    pub(crate) ignore_cookies: bool,
    pub(crate) identity_headers: Vec<HeaderName>,
    /// The length of the shortest of them, which spares most headers a comparison.
    pub(crate) shortest_identity: usize,
    pub(crate) unkeyed: UnkeyedHeaders,
    pub(crate) passed_headers: Vec<HeaderName>,
    pub(crate) hosts: Option<Vec<String>>,
    pub(crate) query: QueryKey,
    pub(crate) key_headers: Vec<HeaderName>,
    pub(crate) key_parts: Vec<KeyPart>,
    pub(crate) bypass: Vec<Rule>,
    pub(crate) tags: Vec<TagTemplate>,
    /// The paths of the routes that were declared with the layer.
    pub(crate) routes: Vec<String>,
    pub(crate) max_body: u64,
    pub(crate) wait: Duration,
    pub(crate) one_fill: OneFill,
    pub(crate) pace: Pace,
    pub(crate) background_timeout: Duration,
    pub(crate) answer: AnswerHeaders,
    pub(crate) rules: Rules,
}

/// Which headers a layer adds to its answers.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) struct AnswerHeaders {
    pub(crate) age: bool,
    pub(crate) cache_control: bool,
    pub(crate) cache_status: bool,
    pub(crate) etag: bool,
    pub(crate) x_cache: bool,
    pub(crate) x_cache_age: bool,
}

impl Policy {
    /// The policy of a plain layer: no lifetime of its own, and everything else by its default.
    pub(crate) fn plain(name: Arc<str>, shared: bool) -> Self {
        Self {
            name,
            scope: Box::default(),
            face: 0,
            ttl: None,
            status_ttl: Vec::new(),
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            early_refresh: None,
            jitter: 0.0,
            client: ClientCaching::Revalidate,
            shared,
            share_anonymous: false,
            ignore_cookies: false,
            identity_headers: IDENTITY_HEADERS
                .iter()
                .map(|name| HeaderName::from_static(name))
                .collect(),
            shortest_identity: 0,
            unkeyed: UnkeyedHeaders::Hide,
            passed_headers: Vec::new(),
            hosts: None,
            query: QueryKey::Sorted,
            key_headers: Vec::new(),
            key_parts: Vec::new(),
            bypass: Vec::new(),
            tags: Vec::new(),
            routes: Vec::new(),
            max_body: 1 << 20,
            wait: Duration::from_secs(5),
            one_fill: OneFill::default(),
            pace: Pace::default(),
            background_timeout: Duration::from_secs(30),
            answer: AnswerHeaders {
                age: true,
                cache_control: true,
                cache_status: true,
                etag: true,
                x_cache: true,
                x_cache_age: true,
            },
            rules: Rules::application(),
        }
    }

    /// Works out what follows from the settings, once they are complete.
    pub(crate) fn settle(&mut self) {
        self.shortest_identity = self
            .identity_headers
            .iter()
            .map(|name| name.as_str().len())
            .min()
            .unwrap_or(usize::MAX);
        let mut hasher = std::hash::DefaultHasher::new();
        (self.answer, self.client, self.shared).hash(&mut hasher);
        // The low half is left to the moment.
        self.face = hasher.finish() << 32;
    }

    /// What decides whether a hit refreshes early: drawn from (0, 1], or 1, which never does, where none is to.
    #[inline]
    pub(crate) fn luck(&self) -> f64 {
        self.early_refresh.map_or(1.0, |_| 1.0 - fastrand::f64())
    }

    /// Whether one of all processes fills.
    pub(crate) fn fills_once_everywhere(&self) -> bool {
        self.one_fill.is_everywhere(&self.pace)
    }

    /// The layer's own lifetime for a status: `ttl` holds for 200 alone.
    pub(crate) fn ttl_of(&self, status: StatusCode) -> Option<Duration> {
        let own = self
            .status_ttl
            .iter()
            .find(|(other, _)| *other == status)
            .map(|(_, ttl)| *ttl);
        own.or(if status == StatusCode::OK { self.ttl } else { None })
    }
}

/// Headers that name a user as `Authorization` does: set by gateways, proxies and API clients.
pub(crate) const IDENTITY_HEADERS: [&str; 9] = [
    "x-api-key",
    "x-auth-token",
    "x-amz-security-token",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-remote-user",
    "x-auth-request-user",
    "x-auth-request-email",
    "proxy-authorization",
];

/// Headers that a handler may see although they are not in the key; see [`UnkeyedHeaders::Hide`].
pub(crate) const VISIBLE_HEADERS: [&str; 7] = [
    "host",
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "traceparent",
    "tracestate",
];
