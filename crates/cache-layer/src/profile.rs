//! What a layer in front of any origin starts with.

use std::sync::Arc;

use http::HeaderName;

use crate::policy::{Policy, UnkeyedHeaders};
use crate::query::QueryKey;
use crate::rules::{Rules, SetCookie};

/// How a layer in front of an origin that it knows nothing of weighs reuse against safety.
///
/// Both follow RFC 9111: the origin's headers alone decide, nothing has a lifetime that its response does not give it,
/// what is stale is validated with a conditional request, and mutations forget what they changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Profile {
    /// What is not in the key does not reach the origin on a cacheable request; requests with credentials or cookies,
    /// and responses that set cookies, pass uncached; a client cannot make the origin work by its own `Cache-Control`.
    /// The default.
    #[default]
    Safe,
    /// Everything that the RFCs allow is kept and reused, and requests go on with all their headers: an origin that reads
    /// a header without naming it in `Vary`, or sends `Set-Cookie` with a response that it calls cacheable, shares what
    /// it answers with everybody.
    Rfc,
}

impl Profile {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Rfc => "rfc",
        }
    }

    /// What a layer of this profile, called `name`, starts with.
    pub(crate) fn policy(self, name: Arc<str>) -> Policy {
        let mut policy = Policy::plain(name, true);
        policy.answer.etag = false;
        policy.answer.cache_control = false;
        policy.answer.x_cache = false;
        policy.answer.x_cache_age = false;
        policy.query = QueryKey::Exact;
        policy.rules = Rules {
            revalidate: true,
            heuristic: Some(Self::HEURISTIC),
            mutations: true,
            targeted: vec![HeaderName::from_static("cdn-cache-control")],
            groups: true,
            no_vary_search: true,
            origin: true,
            ..Rules::application()
        };
        if self == Self::Rfc {
            policy.unkeyed = UnkeyedHeaders::Pass;
            policy.identity_headers.clear();
            policy.rules.transparent = true;
            policy.rules.request_directives = true;
            policy.rules.targeted_overrides = true;
            policy.rules.normalise = true;
            policy.rules.set_cookie = SetCookie::Keep;
        }
        policy
    }

    /// The part of the time since `Last-Modified` that RFC 9111 §4.2.2 names.
    const HEURISTIC: f64 = 0.1;
}
