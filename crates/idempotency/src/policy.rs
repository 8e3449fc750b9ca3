//! What an idempotency layer is told to do.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderName, Method, StatusCode};

use crate::execution::Principal;

/// What a request gets while the first with its key runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhileRunning {
    /// 409 with `Retry-After`, at once. The default.
    #[default]
    Refuse,
    /// The answer of the first, if that comes within this time, and the 409 otherwise.
    Wait(Duration),
}

/// What a request gets when a run with its key was begun and its lease ended without a result: the process was killed, the
/// handler panicked, or was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnLost {
    /// 409: it is not known how far it came, so it is not run again. The default.
    #[default]
    Refuse,
    /// The handler runs again, with a higher [fencing token](crate::Execution::fencing_token). For handlers that may run
    /// twice, or whose effects check the token, or that pass [a key of their own](crate::Execution::downstream_key) on.
    Rerun,
}

/// What a request gets when what is remembered cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnUnavailable {
    /// 503 with `Retry-After`. The default.
    #[default]
    Refuse,
    /// The handler runs, whether it ran before or not, and may run twice at once. Logged as an error each time.
    RunUnprotected,
}

/// Says whose a request is.
pub(crate) type PrincipalOf = Arc<dyn Fn(&Parts) -> Option<Principal> + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Policy {
    /// `None`: all have one scope.
    pub(crate) principal: Option<PrincipalOf>,
    pub(crate) methods: Vec<Method>,
    pub(crate) required: bool,
    pub(crate) while_running: WhileRunning,
    pub(crate) on_lost: OnLost,
    pub(crate) on_unavailable: OnUnavailable,
    pub(crate) lease: Duration,
    pub(crate) retention: Duration,
    pub(crate) max_run: Duration,
    pub(crate) store_timeout: Duration,
    pub(crate) max_request_body: usize,
    pub(crate) max_response_body: usize,
    pub(crate) keep_server_errors: bool,
    pub(crate) not_begun: Vec<StatusCode>,
    pub(crate) omitted: Vec<HeaderName>,
}

impl Policy {
    pub(crate) fn new(principal: Option<PrincipalOf>) -> Self {
        Self {
            principal,
            methods: vec![Method::POST, Method::PATCH],
            required: true,
            while_running: WhileRunning::default(),
            on_lost: OnLost::default(),
            on_unavailable: OnUnavailable::default(),
            lease: Duration::from_secs(30),
            retention: Duration::from_secs(24 * 3600),
            max_run: Duration::from_secs(5 * 60),
            store_timeout: Duration::from_secs(2),
            max_request_body: 1 << 20,
            max_response_body: 1 << 20,
            keep_server_errors: true,
            not_begun: Vec::new(),
            omitted: Vec::new(),
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("per_principal", &self.principal.is_some())
            .field("required", &self.required)
            .field("lease", &self.lease)
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}
