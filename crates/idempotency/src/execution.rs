//! What a handler is told of its run, and tells of it.

use std::sync::Arc;

use larder_lock::FencingToken;

use crate::key::IdempotencyKey;
use crate::records::RecordKey;

/// The run of an operation with an idempotency key: in the extensions of the request that a handler gets.
///
/// With axum: `Extension(execution): Extension<Execution>`.
#[derive(Debug, Clone)]
pub struct Execution {
    key: IdempotencyKey,
    record: RecordKey,
    token: FencingToken,
}

impl Execution {
    pub(crate) const fn new(key: IdempotencyKey, record: RecordKey, token: FencingToken) -> Self {
        Self { key, record, token }
    }

    /// The key that the client sent.
    #[must_use]
    pub const fn key(&self) -> &IdempotencyKey {
        &self.key
    }

    /// Greater than that of every earlier run with this key, if clocks of instances are not apart by as much as lies between
    /// the runs. Write it along with what the handler changes, and let that refuse a lower one: then a run that was
    /// paused for longer than its lease does no harm to the one that took it over
    /// ([`OnLost::Rerun`](crate::OnLost::Rerun)).
    #[must_use]
    pub const fn fencing_token(&self) -> FencingToken {
        self.token
    }

    /// An idempotency key for calls to other services: 64 hexadecimal digits, the same in each run with this key by this
    /// principal, and different from all others. Put something behind it where there are several calls.
    #[must_use]
    pub fn downstream_key(&self) -> String {
        self.record.to_string()
    }
}

/// In the extensions of a response: the handler did not begin. The key is freed, and a retry runs.
///
/// For layers between this one and the handler that refuse a request (a rate limit, say), and for handlers that refuse it
/// before they have changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct NotBegun;

impl NotBegun {
    /// The mark.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

/// The name of whom an idempotency key belongs to: a user, an account, a tenant. Keys of different principals have nothing
/// to do with each other. Where tenants are told apart by host, the host belongs into it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Principal(Arc<str>);

impl Principal {
    /// The principal called `name`. Make it only of what was verified. An empty name is none.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows that there is one, not which: identities do not belong into logs.
impl std::fmt::Debug for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Principal(..)")
    }
}
