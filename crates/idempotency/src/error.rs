//! Why what is remembered could not be asked or told.

use std::error::Error;
use std::fmt;

/// [`Records`](crate::Records) failed. The layers then refuse the request, unless they were told otherwise.
#[derive(Debug)]
pub struct RecordsError {
    kind: RecordsErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What kind of failure a [`RecordsError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordsErrorKind {
    /// No answer in time. What was asked for may have been done, or may be done yet.
    Timeout,
    /// The connection failed. What was asked for may have been done.
    Io,
    /// It was not asked: there is no connection.
    Unavailable,
    /// There is no room for another record.
    Full,
    /// The server may throw records away before their time, and is not used.
    Evicting,
    /// It answered what it should not.
    Protocol,
}

impl RecordsErrorKind {
    /// The word for it in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Io => "io",
            Self::Unavailable => "unavailable",
            Self::Full => "full",
            Self::Evicting => "evicting",
            Self::Protocol => "protocol",
        }
    }

    /// Whether what was asked for may be done all the same.
    #[must_use]
    pub const fn may_be_done(self) -> bool {
        match self {
            Self::Timeout | Self::Io | Self::Protocol => true,
            Self::Unavailable | Self::Full | Self::Evicting => false,
        }
    }
}

impl RecordsError {
    /// A failure of `kind`: what happened.
    #[must_use]
    pub fn new(kind: RecordsErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// The same with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn kind(&self) -> RecordsErrorKind {
        self.kind
    }
}

impl fmt::Display for RecordsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "idempotency records {}: {}", self.kind.as_str(), self.message)
    }
}

impl Error for RecordsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_ref()
            .map(|source| &**source as &(dyn Error + 'static))
    }
}
