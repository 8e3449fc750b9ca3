//! The idempotency layer: configuration, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderName, Method, StatusCode};
use tower_layer::Layer;

use crate::execution::Principal;
use crate::policy::{OnLost, OnUnavailable, Policy, WhileRunning};
use crate::records::Records;
use crate::service::Idempotency;
use crate::shared::{Shared, Tokens};
use crate::tasks::Tasks;

/// How many operations of a layer run at once by default.
const MAX_RUNNING: usize = 1024;

/// The most that a response may be, so that every store takes it.
const LARGEST_RESPONSE: usize = 32 << 20;

/// The longest retention, which every store can reckon with.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Runs the handler once for each `Idempotency-Key`, and answers retries with its response.
///
/// The handler runs in a task of its own and is not dropped when the client goes away: its retry gets the answer. The layer
/// and its clones own these tasks; [`shutdown`](Self::shutdown) waits for them. Until the body has come nothing is begun: how
/// long a client may take to send it is for the server, or a timeout outside.
///
/// Lay it inside of authentication and rate limits, whose refusals are then not kept, and outside of everything that
/// belongs to the operation. Compression goes outside: a response of unknown length cannot be kept. Set what you need
/// before you lay it around a service; a service keeps the settings of its making.
#[derive(Debug, Clone)]
#[must_use = "a layer does nothing until it is laid around a service"]
pub struct IdempotencyLayer {
    records: Arc<dyn Records>,
    policy: Arc<Policy>,
    tasks: Arc<Tasks>,
    tokens: Arc<Tokens>,
}

impl IdempotencyLayer {
    /// Keeps the keys of principals apart. `principal` says whose a request is, such as by what an authentication layer
    /// further out has put into its extensions. It runs on every request with a key; where it says `None` the request is
    /// refused (403).
    pub fn per_principal(
        records: impl Records,
        principal: impl Fn(&Parts) -> Option<Principal> + Send + Sync + 'static,
    ) -> Self {
        Self::new(records, Policy::new(Some(Arc::new(principal))))
    }

    /// Has one scope of keys for all clients: **who guesses a key of another, and sends the same request, gets the other's
    /// answer**. For services behind one trusted caller, or whose answers are no secret.
    pub fn shared_by_all(records: impl Records) -> Self {
        Self::new(records, Policy::new(None))
    }

    fn new(records: impl Records, policy: Policy) -> Self {
        Self {
            records: Arc::new(records),
            policy: Arc::new(policy),
            tasks: Arc::new(Tasks::new(MAX_RUNNING)),
            tokens: Arc::default(),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(Arc::make_mut(&mut self.policy));
        self
    }

    /// The methods of operations; requests with others pass untouched. POST and PATCH by default.
    pub fn methods(self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.with(|policy| policy.methods = methods.into_iter().collect())
    }

    /// Lets requests without a key pass, to run without the layer. By default they are refused (400).
    pub fn optional(self) -> Self {
        self.with(|policy| policy.required = false)
    }

    /// What a request gets while the first with its key runs. [`WhileRunning::Refuse`] by default: 409.
    pub fn while_running(self, what: WhileRunning) -> Self {
        self.with(|policy| policy.while_running = what)
    }

    /// What a request gets when a run with its key ended without a result that is known. [`OnLost::Refuse`] by default:
    /// 409.
    pub fn on_lost(self, what: OnLost) -> Self {
        self.with(|policy| policy.on_lost = what)
    }

    /// What a request gets when the records cannot be asked. [`OnUnavailable::Refuse`] by default: 503.
    pub fn on_unavailable(self, what: OnUnavailable) -> Self {
        self.with(|policy| policy.on_unavailable = what)
    }

    /// For how long a result answers retries. 24 h by default. Retries that come later run again.
    ///
    /// # Panics
    /// If it is shorter than the [`lease`](Self::lease), or longer than 366 days.
    #[track_caller]
    pub fn retention(self, retention: Duration) -> Self {
        assert!(
            retention >= self.policy.lease && retention <= LONGEST,
            "the retention of results is from the lease to 366 days, not {retention:?}"
        );
        self.with(|policy| policy.retention = retention)
    }

    /// How long a claim outlives the process that renews it, three times in each lease. 30 s by default. So long it takes
    /// until a run whose process was killed counts as lost.
    ///
    /// # Panics
    /// If it is below 100 ms, or longer than the [`retention`](Self::retention).
    #[track_caller]
    pub fn lease(self, lease: Duration) -> Self {
        assert!(
            lease >= Duration::from_millis(100) && lease <= self.policy.retention,
            "the lease of a claim is from 100 ms to the retention, not {lease:?}"
        );
        self.with(|policy| policy.lease = lease)
    }

    /// How long a handler may run, with the making of its body, before it is dropped (504) and its run counts as lost. 5 min
    /// by default.
    pub fn max_run(self, limit: Duration) -> Self {
        self.with(|policy| policy.max_run = limit)
    }

    /// How many operations of this layer, with those that wait for another's, are there at once; above, a request gets 503.
    /// 1024 by default.
    pub fn max_running(mut self, limit: usize) -> Self {
        self.tasks = Arc::new(Tasks::new(limit));
        self
    }

    /// How long an answer of the records is waited for. 2 s by default.
    pub fn store_timeout(self, limit: Duration) -> Self {
        self.with(|policy| policy.store_timeout = limit)
    }

    /// The largest body of a request with a key, in bytes, which is read before the handler runs; a larger one is refused
    /// (413). 1 MiB by default.
    pub fn max_request_body(self, bytes: usize) -> Self {
        self.with(|policy| policy.max_request_body = bytes)
    }

    /// The largest body of a response that is kept, in bytes. A larger one is passed on, and retries are told that it was
    /// not kept ([`Problem::NotKept`](crate::Problem::NotKept)). 1 MiB by default.
    ///
    /// # Panics
    /// If it is above 32 MiB.
    #[track_caller]
    pub fn max_response_body(self, bytes: usize) -> Self {
        assert!(
            bytes <= LARGEST_RESPONSE,
            "a response of {bytes} bytes is too large to be kept: 32 MiB at most"
        );
        self.with(|policy| policy.max_response_body = bytes)
    }

    /// Whether a response with a status of 500 and above answers retries, as Stripe has it: the operation may have come half
    /// way. By default it does. Otherwise it frees the key, and a retry runs.
    pub fn keep_server_errors(self, keep: bool) -> Self {
        self.with(|policy| policy.keep_server_errors = keep)
    }

    /// A status that says that the operation was not begun: it frees the key, and a retry runs. For refusals by layers
    /// inside of this one, such as 401 or 429, and only if no handler answers so after it changed something. None by
    /// default; [`NotBegun`](crate::NotBegun) says it of one response.
    pub fn not_begun(self, status: StatusCode) -> Self {
        self.with(|policy| policy.not_begun.push(status))
    }

    /// Leaves a header out of what is kept. `Set-Cookie`, `Date`, `traceparent`, `tracestate`, `x-request-id`,
    /// `Server-Timing` and those of one connection alone are always left out.
    pub fn omit_header(self, name: HeaderName) -> Self {
        self.with(|policy| policy.omitted.push(name))
    }

    /// Ends the layer: from now on requests with a key are refused (503). Waits for what runs until `deadline`, then stops
    /// it. Returns whether all had ended by then. Call it after the server has stopped taking requests.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        self.tasks.shutdown(deadline).await
    }
}

impl<S> Layer<S> for IdempotencyLayer {
    type Service = Idempotency<S>;

    fn layer(&self, inner: S) -> Idempotency<S> {
        let shared = Shared {
            records: Arc::clone(&self.records),
            policy: Arc::clone(&self.policy),
            tasks: Arc::clone(&self.tasks),
            tokens: Arc::clone(&self.tokens),
        };
        Idempotency::new(inner, Arc::new(shared))
    }
}
