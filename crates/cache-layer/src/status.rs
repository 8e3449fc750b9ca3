//! The words for what became of a request: one closed list for headers, logs, metrics and docs.

use http::HeaderValue;
use larder_store::Kept;

/// Lists the variants of an enum: one that is missing does not compile.
macro_rules! all {
    ($name:ident: $($variant:ident),+ $(,)?) => {
        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
        }

        const _: fn($name) = |word| match word {
            $($name::$variant => {})+
        };
    };
}

all!(Outcome: HitL1, HitL2, Revalidated, Coalesced, StaleSwr, StaleError, Miss, Bypass, Uncacheable, Unsatisfied);
all!(MissReason: Absent, Expired, Tag, Vary, Request, Epoch, Schema, Decode, Intent, TierError, Breaker);
all!(BypassReason: Method, Head, Authorization, IdentityHeader, Cookie, NoIdentity, Range, NoStore, Body, Upgrade, Host, Rule, ReadToken, Disabled);
all!(UncacheableReason: Status, SetCookie, Private, NoStore, Authorization, NoCache, NoLifetime, VaryStar, Groups, HiddenVary, TooLarge, Streaming, Incomplete, Validator, Head, Hint, UnresolvedTag, Stamp, Form, StoreError);

/// What became of one request. Each request that is answered has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Answered from memory.
    HitL1,
    /// Answered from the store behind the memory.
    HitL2,
    /// Answered from the store after its origin said that nothing changed.
    Revalidated,
    /// Answered with what another request's handler made at the same time.
    Coalesced,
    /// Answered with a stale response while a background fill replaces it.
    StaleSwr,
    /// Answered with a stale response because the handler failed.
    StaleError,
    /// Answered by the handler, and the answer was kept.
    Miss,
    /// Answered by the handler; the cache had no part in it.
    Bypass,
    /// Answered by the handler, and the answer could not be kept.
    Uncacheable,
    /// Answered 504, because the request allowed only what is stored (`only-if-cached`) and nothing was.
    Unsatisfied,
}

impl Outcome {
    /// The word in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HitL1 => "hit_l1",
            Self::HitL2 => "hit_l2",
            Self::Revalidated => "revalidated",
            Self::Coalesced => "coalesced",
            Self::StaleSwr => "stale_swr",
            Self::StaleError => "stale_error",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
            Self::Uncacheable => "uncacheable",
            Self::Unsatisfied => "unsatisfied",
        }
    }

    /// The coarse word of `X-Cache`: `HIT`, `MISS`, `STALE`, `BYPASS` or `REVALIDATED`.
    #[must_use]
    pub const fn x_cache(self) -> &'static str {
        match self {
            Self::HitL1 | Self::HitL2 | Self::Coalesced => "HIT",
            Self::Revalidated => "REVALIDATED",
            Self::StaleSwr | Self::StaleError => "STALE",
            Self::Miss | Self::Uncacheable | Self::Unsatisfied => "MISS",
            Self::Bypass => "BYPASS",
        }
    }

    pub(crate) const fn x_cache_value(self) -> HeaderValue {
        HeaderValue::from_static(self.x_cache())
    }
}

/// Why the cache had no entry to answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MissReason {
    /// There was none.
    Absent,
    /// It was past its lifetime and every window in which it may be served stale.
    Expired,
    /// One of its tags was forgotten.
    Tag,
    /// There were responses for other values of the headers that the response varies by.
    Vary,
    /// There was one, and the request asked for another: by its `Cache-Control` (RFC 9111 §5.2.1).
    Request,
    /// It was of a time whose records the store lost, or of another life of its server.
    Epoch,
    /// It had a form that this version does not know, or was a value of another type or release.
    Schema,
    /// It was damaged, or could not be read as what its schema says.
    Decode,
    /// A change of one of its tags was announced and is not finished.
    Intent,
    /// The store failed.
    TierError,
    /// The store is not asked for now, because it failed before.
    Breaker,
}

impl MissReason {
    /// Whether the store was of no help, so that nothing can be kept either.
    pub(crate) const fn is_failure(self) -> bool {
        matches!(self, Self::TierError | Self::Breaker)
    }

    /// The word in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Expired => "expired",
            Self::Tag => "tag",
            Self::Vary => "vary",
            Self::Request => "request",
            Self::Epoch => "epoch",
            Self::Schema => "schema",
            Self::Decode => "decode",
            Self::Intent => "intent",
            Self::TierError => "tier_error",
            Self::Breaker => "breaker",
        }
    }

    /// The `fwd` parameter of `Cache-Status` (RFC 9211 §2.2).
    pub(crate) const fn fwd(self) -> &'static str {
        match self {
            Self::Absent | Self::Schema | Self::Decode => "uri-miss",
            Self::Expired | Self::Tag | Self::Epoch | Self::Intent => "stale",
            Self::Vary => "vary-miss",
            Self::Request => "request",
            Self::TierError | Self::Breaker => "bypass",
        }
    }
}

/// Why the cache had no part in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BypassReason {
    /// The method is neither GET nor HEAD.
    Method,
    /// A HEAD for which no GET is stored: its answer cannot be kept.
    Head,
    /// The request carries `Authorization`, and the layer is shared by all users.
    Authorization,
    /// The request carries another header that names a user, such as `X-Api-Key`, and the layer is shared.
    IdentityHeader,
    /// The request carries `Cookie`, the layer is shared and was not told to ignore cookies.
    Cookie,
    /// The identity was refused, or there is none and the layer does not share an entry for those.
    NoIdentity,
    /// A part of a representation was asked for of which the whole is not stored.
    Range,
    /// The request says that no answer to it may be kept (`no-store`), and nothing was stored before.
    NoStore,
    /// The request has a body.
    Body,
    /// The request asks for another protocol.
    Upgrade,
    /// The host is not among those that the layer answers for, or there are two of them.
    Host,
    /// It has a [`ReadToken`](larder_store::ReadToken) of an invalidation that failed.
    ReadToken,
    /// A rule of the application said so.
    Rule,
    /// The layer or the whole cache is switched off.
    Disabled,
}

impl BypassReason {
    /// The word in `Cache-Status` (`detail`), metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Head => "head",
            Self::Authorization => "authorization",
            Self::IdentityHeader => "identity_header",
            Self::Cookie => "cookie",
            Self::NoIdentity => "no_identity",
            Self::Range => "range",
            Self::NoStore => "no_store",
            Self::Body => "body",
            Self::Upgrade => "upgrade",
            Self::Host => "host",
            Self::ReadToken => "read_token",
            Self::Rule => "rule",
            Self::Disabled => "disabled",
        }
    }

    /// The `fwd` parameter of `Cache-Status` (RFC 9211 §2.2).
    pub(crate) const fn fwd(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Head | Self::Range => "uri-miss",
            Self::NoStore => "request",
            _ => "bypass",
        }
    }
}

/// Why a response was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UncacheableReason {
    /// Its status has no lifetime in this layer, and the response names none; or it is one that is never kept.
    Status,
    /// It sets a cookie.
    SetCookie,
    /// It says `private`, and the layer is shared.
    Private,
    /// It says `no-store`.
    NoStore,
    /// Its request carried `Authorization`, and it does not say that others may have it too (RFC 9111 §3.5).
    Authorization,
    /// It says `no-cache`, so that it may be reused only after asking the handler, which the layer does not do, or which
    /// the response has no validator for.
    NoCache,
    /// Its lifetime is zero.
    NoLifetime,
    /// It varies by something that no request header shows: `Vary: *`.
    VaryStar,
    /// It names more cache groups than the layer reads.
    Groups,
    /// It varies by a header that was hidden from its handler, which so made one answer for all of that header's values.
    HiddenVary,
    /// Its body is larger than the layer keeps.
    TooLarge,
    /// It is an event stream, switches protocols, or ends with trailers.
    Streaming,
    /// Its body ended early or failed.
    Incomplete,
    /// It says that nothing changed, and names another validator than what was asked about.
    Validator,
    /// It answers a HEAD, and nothing that is stored could be updated by it.
    Head,
    /// The handler said so with [`CacheHints`](crate::CacheHints).
    Hint,
    /// A placeholder in a tag of its layer has no value in its request: it could not be forgotten by that tag.
    UnresolvedTag,
    /// Its tags were forgotten while the handler ran.
    Stamp,
    /// It is a function's value that cannot be written as bytes, which the store needs.
    Form,
    /// The store failed, so that the response could not be tied to its tags.
    StoreError,
}

impl UncacheableReason {
    /// Why what was handed to a store is not in it; nothing where it is.
    pub(crate) const fn of(kept: Kept) -> Option<Self> {
        Some(match kept {
            Kept::Stored => return None,
            Kept::RejectedStamp => Self::Stamp,
            Kept::RejectedSize => Self::TooLarge,
            Kept::RejectedForm => Self::Form,
            _ => Self::StoreError,
        })
    }

    /// The word in `Cache-Status` (`detail`), metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::SetCookie => "set_cookie",
            Self::Private => "private",
            Self::NoStore => "no_store",
            Self::Authorization => "authorization",
            Self::NoCache => "no_cache",
            Self::NoLifetime => "no_lifetime",
            Self::VaryStar => "vary_star",
            Self::Groups => "groups",
            Self::HiddenVary => "hidden_vary",
            Self::TooLarge => "too_large",
            Self::Streaming => "streaming",
            Self::Incomplete => "incomplete",
            Self::Validator => "validator",
            Self::Head => "head",
            Self::Hint => "hint",
            Self::UnresolvedTag => "unresolved_tag",
            Self::Stamp => "stamp",
            Self::Form => "form",
            Self::StoreError => "store_error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_listed_in_the_order_that_their_counters_have() {
        for (at, outcome) in Outcome::ALL.iter().enumerate() {
            assert_eq!(*outcome as usize, at, "{outcome:?}");
        }
    }
}
