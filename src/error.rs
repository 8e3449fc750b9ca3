//! What can go wrong where a user sees it.

use std::fmt;

use larder_store::StoreError;

/// Something that Larder was asked for, and could not do.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What kind of failure an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting has a value that is not allowed.
    Config,
    /// The store failed.
    Store,
    /// The store could not be made: its server cannot be used.
    Connect,
}

impl Error {
    pub(crate) fn config(message: String) -> Self {
        Self {
            kind: ErrorKind::Config,
            message,
            source: None,
        }
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl From<StoreError> for Error {
    fn from(source: StoreError) -> Self {
        let message =
            "the invalidation may not have taken place: repeat it, or switch the layers off meanwhile";
        Self {
            kind: ErrorKind::Store,
            message: message.to_owned(),
            source: Some(source.into()),
        }
    }
}

#[cfg(feature = "redis")]
impl From<larder_redis::ConnectError> for Error {
    fn from(source: larder_redis::ConnectError) -> Self {
        Self {
            kind: ErrorKind::Connect,
            message: "there is no Redis store".to_owned(),
            source: Some(source.into()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, " ({source})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_ref()
            .map(|source| &**source as &(dyn std::error::Error + 'static))
    }
}

/// 503 and the text of the error: what was to be forgotten may still be served.
#[cfg(feature = "axum")]
impl axum::response::IntoResponse for Error {
    fn into_response(self) -> axum::response::Response {
        use axum::http::StatusCode;
        (StatusCode::SERVICE_UNAVAILABLE, format!("{self}\n")).into_response()
    }
}
