//! The one place that decides what a request with a key gets.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use larder_lock::FencingToken;
use tokio::time::{Instant, sleep};
use tower_service::Service;

use crate::admit::Asked;
use crate::body::{self, Body, Read};
use crate::claiming::{self, Attempt};
use crate::error::RecordsError;
use crate::execution::{Execution, Principal};
use crate::key;
use crate::metrics;
use crate::outcome::Outcome;
use crate::policy::{OnLost, OnUnavailable, WhileRunning};
use crate::problem::Problem;
use crate::records::{Fingerprint, Record, RecordState};
use crate::result::{KeptResponse, NotKeptReason, RunResult};
use crate::run;
use crate::shared::Shared;
use crate::tasks::Permit;

/// How long one who waits for another's answer pauses at first between two looks, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));

/// The header that tells a replay from a first answer.
const REPLAYED: &str = "idempotency-replayed";

/// A request with a key, and the service that was made ready for it.
pub(crate) struct Trip<S> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) service: S,
    pub(crate) parts: Parts,
    pub(crate) asked: Asked,
}

/// What is done about a record that was found.
enum Decision {
    Replay(KeptResponse),
    /// It ended with this status, and the response was not kept.
    NotKept(StatusCode),
    /// It runs: wait for it, or refuse.
    Running,
    /// It is lost, and runs again.
    TakeOver(FencingToken),
    Refuse(Problem),
}

fn decide(record: Record, asked: Fingerprint, on_lost: OnLost) -> Decision {
    if record.fingerprint != asked && !cfg!(larder_mutant = "idempotency_any_payload") {
        return Decision::Refuse(Problem::KeyReused);
    }
    match record.state {
        RecordState::Finished(RunResult::Response(response)) => Decision::Replay(response),
        RecordState::Finished(RunResult::NotKept { status, .. }) => Decision::NotKept(status),
        RecordState::Running { .. } => Decision::Running,
        RecordState::Lost { token } => match on_lost {
            OnLost::Rerun => Decision::TakeOver(token),
            OnLost::Refuse => Decision::Refuse(Problem::Indeterminate),
        },
    }
}

impl<S> Trip<S> {
    /// Reads the request, claims its key, and runs the handler or answers in its place.
    pub(crate) async fn answer<ReqB, ResB>(self, body: ReqB) -> Result<Response<Body<ResB>>, S::Error>
    where
        S: Service<Request<ReqB>, Response = Response<ResB>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        ReqB: http_body::Body + From<Bytes> + Send + 'static,
        ResB: http_body::Body + Send + 'static,
        ResB::Error: Send,
    {
        let bytes = match body::read(body, self.shared.policy.max_request_body).await {
            Read::Whole(bytes) => bytes,
            Read::Not(cut) => {
                return Ok(refused(match cut.reason {
                    NotKeptReason::TooLarge => Problem::BodyTooLarge,
                    _ => Problem::BodyUnreadable,
                }));
            }
        };
        let Some(permit) = self.shared.tasks.permit() else {
            return Ok(refused(Problem::Overloaded));
        };
        self.claimed(bytes, permit).await
    }

    async fn claimed<ReqB, ResB>(
        mut self,
        bytes: Bytes,
        permit: Permit,
    ) -> Result<Response<Body<ResB>>, S::Error>
    where
        S: Service<Request<ReqB>, Response = Response<ResB>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        ReqB: http_body::Body + From<Bytes> + Send + 'static,
        ResB: http_body::Body + Send + 'static,
        ResB::Error: Send,
    {
        let Asked {
            key,
            principal,
            target,
        } = &self.asked;
        let principal = principal.as_ref().map(Principal::as_str);
        let record = key.record(principal, self.parts.method.as_str(), target);
        let fingerprint = key::fingerprint(&self.parts, target, &bytes);
        let mut patience = Patience::new(self.shared.policy.while_running);
        let mut take_over = None;
        loop {
            let claim = self.shared.claim(record, fingerprint, take_over);
            let token = claim.token;
            let found = match claiming::claim(&self.shared, claim, &permit).await {
                Ok(Attempt::Found(found)) => found,
                Ok(Attempt::Granted(held)) => {
                    let outcome = if take_over.is_some() {
                        Outcome::Rerun
                    } else {
                        Outcome::First
                    };
                    metrics::request(outcome);
                    let execution = Execution::new(self.asked.key, record, token);
                    self.parts.extensions.insert(execution);
                    let request = Request::from_parts(self.parts, bytes.into());
                    let response = run::run(held, self.service, request).await?;
                    return Ok(marked(response, outcome));
                }
                Err(error) => return self.unavailable(&error, bytes).await,
            };
            match decide(found, fingerprint, self.shared.policy.on_lost) {
                Decision::Replay(response) => return Ok(replay(response)),
                Decision::NotKept(status) => {
                    return Ok(counted(Problem::not_kept(status), Problem::NotKept));
                }
                Decision::Refuse(problem) => return Ok(refused(problem)),
                // A store that names what it was told to take over cannot be helped.
                Decision::TakeOver(token) if take_over == Some(token) => {
                    return Ok(refused(Problem::Unavailable));
                }
                Decision::TakeOver(token) => take_over = Some(token),
                Decision::Running => {
                    if !patience.pause().await {
                        return Ok(refused(Problem::InFlight));
                    }
                }
            }
        }
    }

    async fn unavailable<ReqB, ResB>(
        mut self,
        error: &RecordsError,
        bytes: Bytes,
    ) -> Result<Response<Body<ResB>>, S::Error>
    where
        S: Service<Request<ReqB>, Response = Response<ResB>>,
        ReqB: From<Bytes>,
        ResB: http_body::Body,
    {
        match self.shared.policy.on_unavailable {
            OnUnavailable::Refuse => Ok(refused(Problem::Unavailable)),
            OnUnavailable::RunUnprotected => {
                tracing::error!(%error, "an operation runs without protection against running twice");
                metrics::request(Outcome::Unprotected);
                let request = Request::from_parts(self.parts, bytes.into());
                let response = self.service.call(request).await?.map(Body::passed);
                Ok(marked(response, Outcome::Unprotected))
            }
        }
    }
}

/// How long one waits for another's answer.
struct Patience {
    end: Option<Instant>,
    pause: Duration,
}

impl Patience {
    fn new(while_running: WhileRunning) -> Self {
        let end = match while_running {
            WhileRunning::Refuse => None,
            // One who would wait for ever looks for a year.
            WhileRunning::Wait(time) => Some(Instant::now() + time.min(Duration::from_secs(365 * 24 * 3600))),
        };
        Self { end, pause: PAUSES.0 }
    }

    /// Pauses, unless there is no time left.
    async fn pause(&mut self) -> bool {
        let left = self.end.map_or(Duration::ZERO, |end| {
            end.saturating_duration_since(Instant::now())
        });
        if left.is_zero() {
            return false;
        }
        sleep(self.pause.min(left)).await;
        self.pause = (self.pause * 2).min(PAUSES.1);
        true
    }
}

fn replay<B: http_body::Body>(kept: KeptResponse) -> Response<Body<B>> {
    metrics::request(Outcome::Replayed);
    let mut response = Response::new(Body::full(kept.body));
    *response.status_mut() = kept.status;
    *response.headers_mut() = kept.headers;
    response
        .headers_mut()
        .insert(REPLAYED, HeaderValue::from_static("true"));
    marked(response, Outcome::Replayed)
}

/// The answer to a request that is refused, which is counted.
pub(crate) fn refused<B: http_body::Body>(problem: Problem) -> Response<Body<B>> {
    counted(problem.response(), problem)
}

fn counted<B>(response: Response<B>, problem: Problem) -> Response<B> {
    metrics::request(Outcome::Refused(problem));
    marked(response, Outcome::Refused(problem))
}

pub(crate) fn marked<B>(mut response: Response<B>, outcome: Outcome) -> Response<B> {
    response.extensions_mut().insert(outcome);
    response
}
