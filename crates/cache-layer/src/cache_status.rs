//! `Cache-Status` (RFC 9211): what this cache did with a request, as one member of the list.

use std::fmt::Write as _;

use http::{HeaderValue, StatusCode};
use larder_store::{Lifetime, Timestamp};

use crate::status::{BypassReason, MissReason, UncacheableReason};

/// One member of `Cache-Status`, in the making.
#[derive(Debug, Clone)]
pub(crate) struct CacheStatus {
    text: String,
    /// Said last, and once: of two words the later one tells more.
    detail: Option<&'static str>,
}

impl CacheStatus {
    fn new(rest: &str) -> Self {
        let mut text = String::with_capacity(64);
        text.push_str("larder; ");
        text.push_str(rest);
        Self { text, detail: None }
    }

    /// Answered from the cache (§2.1).
    pub(crate) fn hit(lifetime: &Lifetime, now: Timestamp) -> Self {
        Self::new("hit").ttl(lifetime, now)
    }

    /// Forwarded to the handler (§2.2).
    pub(crate) fn forwarded(reason: MissReason) -> Self {
        let status = Self::new("fwd=").with(reason.fwd());
        match reason {
            MissReason::Absent | MissReason::Expired | MissReason::Vary | MissReason::Request => status,
            MissReason::Tag | MissReason::Schema | MissReason::Decode | MissReason::TierError => {
                status.detail(reason.as_str())
            }
        }
    }

    pub(crate) fn bypass(reason: BypassReason) -> Self {
        let status = Self::new("fwd=").with(reason.fwd());
        if matches!(reason, BypassReason::Method) {
            status
        } else {
            status.detail(reason.as_str())
        }
    }

    /// Neither answered from the cache nor forwarded: the request forbade both (RFC 9111 §5.2.1.7).
    pub(crate) fn unsatisfied() -> Self {
        Self {
            text: "larder".to_owned(),
            detail: Some("only_if_cached"),
        }
    }

    /// The remaining lifetime in seconds; below zero when stale (§2.4).
    pub(crate) fn ttl(mut self, lifetime: &Lifetime, now: Timestamp) -> Self {
        let left = i128::from(lifetime.fresh_ms) - i128::from(lifetime.age_ms(now));
        let _ = write!(self.text, "; ttl={}", left.div_euclid(1000));
        self
    }

    /// The handler's status (§2.3).
    pub(crate) fn fwd_status(mut self, status: StatusCode) -> Self {
        let _ = write!(self.text, "; fwd-status={}", status.as_u16());
        self
    }

    /// The response was kept (§2.5).
    pub(crate) fn stored(self) -> Self {
        self.with("; stored")
    }

    /// The request waited for another's handler (§2.6).
    pub(crate) fn collapsed(self) -> Self {
        self.with("; collapsed")
    }

    pub(crate) fn uncacheable(self, reason: UncacheableReason) -> Self {
        match (self.detail, reason) {
            // That the store failed was said already, more exactly.
            (Some(_), UncacheableReason::StoreError) => self,
            _ => self.detail(reason.as_str()),
        }
    }

    /// A word of the closed vocabulary (§2.8).
    pub(crate) fn detail(mut self, word: &'static str) -> Self {
        self.detail = Some(word);
        self
    }

    fn with(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    pub(crate) fn to_header(&self) -> HeaderValue {
        let detail = self.detail.map(|word| format!("{}; detail={word}", self.text));
        let text = detail.as_deref().unwrap_or(&self.text);
        // Words of ours and digits only; were it otherwise, an empty value says nothing wrong.
        HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}
