//! The rules of HTTP as settings of a layer.

use std::fmt;
use std::time::Duration;

use http::HeaderName;

use crate::identity::Scope;
use crate::layer::{CacheLayer, header_name};
use crate::rules::SetCookie;

/// The rules of HTTP, one by one. A [`gateway_cache`](crate::Engine::gateway_cache) has those of its [`Profile`](crate::Profile); all
/// other layers have none, unless they are given them.
impl<Sc: Scope> CacheLayer<Sc> {
    /// Whether the `Cache-Control` and `Pragma` of a request are obeyed: `no-cache`, `max-age`, `min-fresh`, `max-stale`,
    /// `no-store` and `only-if-cached` (RFC 9111 §5.2.1). They are advisory, and let a client have its handler run at
    /// will. By default only the profile [`Rfc`](crate::Profile::Rfc) obeys them.
    pub fn request_directives(self, on: bool) -> Self {
        self.with(|policy| policy.rules.request_directives = on)
    }

    /// Whether a stale response is validated by a conditional request to the inner service (RFC 9111 §4.3), which
    /// answers 304 where nothing changed; and whether responses with `no-cache` are kept for that. By default in a gateway
    /// cache.
    pub fn revalidate(self, on: bool) -> Self {
        self.with(|policy| policy.rules.revalidate = on)
    }

    /// For how long a response without a lifetime is fresh, as a part of the time since its `Last-Modified` (RFC 9111
    /// §4.2.2), at most a day; `None` for never. By default 0.1 in a gateway cache.
    ///
    /// # Panics
    /// If the part is not from 0 to 1.
    #[track_caller]
    pub fn heuristic_freshness(self, part: impl Into<Option<f64>>) -> Self {
        let part = part.into();
        assert!(
            part.is_none_or(|part| (0.0..=1.0).contains(&part)),
            "heuristic freshness is a part from 0 to 1 of a response's age, not {part:?}"
        );
        self.with(|policy| policy.rules.heuristic = part)
    }

    /// Whether a request with a method that is not safe, or not known, forgets its target, and the same-origin targets
    /// that its answer names in `Location` and `Content-Location`, when it succeeds (RFC 9111 §4.4). It does so before its answer
    /// leaves. By default in a gateway cache.
    pub fn mutations_forget(self, on: bool) -> Self {
        self.with(|policy| policy.rules.mutations = on)
    }

    /// The response fields that are read in the place of `Cache-Control`, the first one first (RFC 9213). By default
    /// `CDN-Cache-Control` in a gateway cache.
    ///
    /// # Panics
    /// If one is not a header's name.
    #[track_caller]
    pub fn targeted_fields<N>(self, names: impl IntoIterator<Item = N>) -> Self
    where
        N: TryInto<HeaderName>,
        N::Error: fmt::Display,
    {
        let names = names.into_iter().map(header_name).collect();
        self.with(|policy| policy.rules.targeted = names)
    }

    /// Whether a targeted field may allow what the `Cache-Control` beside it forbids with `private` or `no-store`, as
    /// RFC 9213 has it. By default only in the profile [`Rfc`](crate::Profile::Rfc).
    pub fn targeted_fields_override(self, on: bool) -> Self {
        self.with(|policy| policy.rules.targeted_overrides = on)
    }

    /// Keeps responses that set cookies, without the cookies: those reach the one client whose request is answered. By
    /// default such a response is not kept; in the profile [`Rfc`](crate::Profile::Rfc) it is kept as it is.
    pub fn strip_set_cookie(self) -> Self {
        self.with(|policy| policy.rules.set_cookie = SetCookie::Strip)
    }

    /// For how long after its lifetime a response stands in for an inner service that fails without an answer, where the
    /// response does not forbid to serve it stale (RFC 9111 §4.2.4). The default is zero; for answers 5xx see
    /// [`stale_if_error`](Self::stale_if_error).
    pub fn stale_if_unreachable(self, window: Duration) -> Self {
        self.with(|policy| policy.rules.stale_if_unreachable = window)
    }
}
