//! What came of an operation: its response, or why that could not be kept.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// How an operation that ran to its end is remembered.
#[derive(Clone, PartialEq, Eq)]
pub enum RunResult {
    /// By its response, which answers retries.
    Response(KeptResponse),
    /// By no more than that it ended: retries are refused.
    NotKept {
        /// The status of the response.
        status: StatusCode,
        /// Why the response was not kept.
        reason: NotKeptReason,
    },
}

/// A response that answers retries.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptResponse {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, without those that are of one answer alone.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Why the response of an operation was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotKeptReason {
    /// Head or body are above the limit.
    TooLarge,
    /// The length of the body was not known beforehand, or it had trailers, or another protocol was switched to.
    Streaming,
    /// The body ended with an error.
    Incomplete,
    /// The records had no room for it.
    NoRoom,
}

impl NotKeptReason {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::TooLarge, Self::Streaming, Self::Incomplete, Self::NoRoom];

    /// The word for it in metrics, logs and problems.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Streaming => "streaming",
            Self::Incomplete => "incomplete",
            Self::NoRoom => "no_room",
        }
    }
}

impl RunResult {
    /// The same with no more than that it ended.
    pub(crate) const fn without_room(&self) -> Self {
        let status = match self {
            Self::Response(response) => response.status,
            Self::NotKept { status, .. } => *status,
        };
        Self::NotKept {
            status,
            reason: NotKeptReason::NoRoom,
        }
    }
}

// Neither shows headers and body: they do not belong into logs.

impl fmt::Debug for RunResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response(response) => response.fmt(f),
            Self::NotKept { status, reason } => f
                .debug_struct("NotKept")
                .field("status", status)
                .field("reason", reason)
                .finish(),
        }
    }
}

impl fmt::Debug for KeptResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptResponse")
            .field("status", &self.status)
            .field("headers", &self.headers.len())
            .field("body", &self.body.len())
            .finish()
    }
}
