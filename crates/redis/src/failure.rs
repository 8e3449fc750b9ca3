//! What the errors of a server mean.

use larder_store::{StoreError, StoreErrorKind};
use redis::{ErrorKind, RedisError, RetryMethod, ServerErrorKind};

/// Whether the server refuses to write because it has no room.
pub(crate) fn is_full(error: &RedisError) -> bool {
    error.code() == Some("OOM") || error.to_string().contains("OOM command not allowed")
}

pub(crate) fn failed(error: RedisError) -> StoreError {
    let kind = if error.is_timeout() {
        StoreErrorKind::Timeout
    } else if is_full(&error) {
        StoreErrorKind::Full
    } else {
        match error.kind() {
            ErrorKind::Server(
                ServerErrorKind::ReadOnly
                | ServerErrorKind::Moved
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown,
            ) => StoreErrorKind::ReadOnly,
            // The records are on their way to another server, and are not together on any.
            ErrorKind::Server(ServerErrorKind::Ask | ServerErrorKind::TryAgain) => {
                StoreErrorKind::Unavailable
            }
            ErrorKind::Server(ServerErrorKind::BusyLoading) => StoreErrorKind::Loading,
            ErrorKind::Io => StoreErrorKind::Io,
            _ if error.is_unrecoverable_error() || matches!(error.retry_method(), RetryMethod::Reconnect) => {
                StoreErrorKind::Io
            }
            _ => StoreErrorKind::Protocol,
        }
    };
    StoreError::new(kind, error.to_string()).with_source(error)
}
