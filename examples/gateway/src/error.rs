//! Why there is no response of the origin, or only a part of one.

use std::error::Error;
use std::fmt;
use std::io;

/// What an exchange with the origin failed with.
#[derive(Debug)]
pub(crate) struct OriginError {
    kind: Kind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// How it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No connection was made: refused, no route, no such name.
    Refused,
    /// No connection was made in time.
    ConnectTimeout,
    /// The request was sent, and no response began in time.
    ResponseTimeout,
    /// The body of the response stopped for too long.
    BodyTimeout,
    /// The connection ended before the response did.
    Closed,
    /// What came was no response by HTTP/1.1, or one that cannot be passed on.
    Protocol,
    /// The client's body failed.
    RequestBody,
    /// The client's body stopped for too long.
    RequestBodyTimeout,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::ConnectTimeout => "connect_timeout",
            Self::ResponseTimeout => "response_timeout",
            Self::BodyTimeout => "body_timeout",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
            Self::RequestBody => "request_body",
            Self::RequestBodyTimeout => "request_body_timeout",
        }
    }
}

impl OriginError {
    pub(crate) const fn new(kind: Kind) -> Self {
        Self { kind, source: None }
    }

    pub(crate) fn with(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }
}

impl From<hyper::Error> for OriginError {
    fn from(error: hyper::Error) -> Self {
        let cause = error.source();
        let kind = match cause.and_then(|cause| cause.downcast_ref::<Self>()) {
            // The client's body, on its way to the origin.
            Some(own) => own.kind,
            None if error.is_parse() => Kind::Protocol,
            None => match cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
                // A chunk that is none.
                Some(io)
                    if matches!(
                        io.kind(),
                        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
                    ) =>
                {
                    Kind::Protocol
                }
                _ => Kind::Closed,
            },
        };
        Self::new(kind).with(error)
    }
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        let mut source = self.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl Error for OriginError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}
