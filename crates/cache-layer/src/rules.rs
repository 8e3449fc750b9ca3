//! Which rules of HTTP a layer follows beyond those that all layers do.

use std::time::Duration;

use http::{HeaderName, StatusCode};

/// What becomes of a response that sets cookies and is otherwise cacheable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetCookie {
    /// It is not kept.
    Refuse,
    /// It is kept without its cookies, which reach the one client whose request it answers.
    Strip,
    /// It is kept with its cookies, which reach everybody: RFC 9111 §7.3 asks no less of an origin than to say `private`
    /// where that is wrong. No setter leads here, only the profile `Rfc` does.
    Keep,
}

/// The rules of RFC 9111 and its neighbours that a layer follows beyond those that all layers do.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// What a request's `Cache-Control` and `Pragma` ask for is done (§5.2.1).
    pub(crate) request_directives: bool,
    /// A stale response is validated by a conditional request (§4.3), and so `no-cache` responses are kept.
    pub(crate) revalidate: bool,
    /// The part of its age for which a response with `Last-Modified` and no lifetime is fresh (§4.2.2).
    pub(crate) heuristic: Option<f64>,
    /// Methods that are not safe forget their target (§4.4).
    pub(crate) mutations: bool,
    /// The targeted fields that are read before `Cache-Control`, the first one first (RFC 9213).
    pub(crate) targeted: Vec<HeaderName>,
    /// A targeted field may allow what `Cache-Control` forbids with `private` and `no-store`.
    pub(crate) targeted_overrides: bool,
    /// `Cache-Groups` are tags (RFC 9875).
    pub(crate) groups: bool,
    /// `No-Vary-Search` says which queries a response answers.
    pub(crate) no_vary_search: bool,
    /// Values of `Accept-Encoding` and `Accept-Language`, and lists, that mean the same are the same variant (§4.1).
    pub(crate) normalise: bool,
    /// Requests go on with their credentials and conditions; what needs consent is kept by §3.5.
    pub(crate) transparent: bool,
    /// The inner service is an origin somewhere else: a response without a `Date` gets one (RFC 9110 §6.6.1), and the
    /// fields that a directive names are left out, not the response.
    pub(crate) origin: bool,
    pub(crate) set_cookie: SetCookie,
    /// For how long a stale response stands in for an origin that cannot be reached, whatever it said of errors.
    pub(crate) stale_if_unreachable: Duration,
}

impl Rules {
    /// Those of an application's own responses.
    pub(crate) const fn application() -> Self {
        Self {
            request_directives: false,
            revalidate: false,
            heuristic: None,
            mutations: false,
            targeted: Vec::new(),
            targeted_overrides: false,
            groups: false,
            no_vary_search: false,
            normalise: false,
            transparent: false,
            origin: false,
            set_cookie: SetCookie::Refuse,
            stale_if_unreachable: Duration::ZERO,
        }
    }

    /// Whether a response with this status may be fresh by a guess (RFC 9110 §15.1).
    ///
    /// Of the statuses that are heuristically cacheable these are left out: 206, which is not kept; 405 and 501, which
    /// one client may have provoked by a header that others do not send.
    pub(crate) fn guesses(status: StatusCode) -> bool {
        matches!(
            status.as_u16(),
            200 | 203 | 204 | 300 | 301 | 308 | 404 | 410 | 414
        )
    }
}
