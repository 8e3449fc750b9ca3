//! A fill: the handler runs once, its response is judged, kept if it may be, and given to those who wait.

use std::pin::pin;
use std::sync::Arc;

use http::header::DATE;
use http::{HeaderMap, Request, Response, StatusCode, response};
use http_body::Body as _;
use larder_etag::{HttpDate, Validators};
use larder_store::{Capture, Key, Tag, Timestamp, TurnEnd, UnfilledPlaceholder};
use tower_service::Service;

use crate::admit::{self, Asked, Asker};
use crate::body::Body;
use crate::built::Built;
use crate::cache_status::CacheStatus;
use crate::cached::Cached;
use crate::engine::{Failure, Flight};
use crate::headers;
use crate::hide::hide;
use crate::lead;
use crate::locate::Search;
use crate::metrics::rare;
use crate::read::{length, read};
use crate::recent::{PastFill, short};
use crate::recipe::Lead;
use crate::special;
use crate::status::{MissReason, Outcome, UncacheableReason};
use crate::trip::Trip;
use crate::{key, tags, validate};

/// What a fill is for.
pub(crate) struct Fill {
    pub(crate) primary: Key,
    /// The stamps as they were before it. Without them nothing is kept.
    pub(crate) capture: Option<Capture>,
    /// What was found, and is no answer: it is validated, and stands in for a handler that fails, where either may be.
    pub(crate) before: Option<Cached>,
    /// Why the cache could not answer.
    pub(crate) reason: MissReason,
}

/// Whether a request waits for a fill. In the background it was answered, and counted, before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Foreground,
    Background,
}

impl Mode {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Foreground => "foreground",
            Self::Background => "background",
        }
    }
}

/// Runs the handler and answers with what it made. `leader` frees those who wait, however this ends.
pub(crate) async fn run<S, ReqB, ResB>(
    trip: Trip<S, ReqB>,
    fill: Fill,
    leader: Lead,
) -> Result<Response<Body<ResB>>, S::Error>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
    S::Error: Send,
    ResB: http_body::Body + Send + 'static,
{
    // In a box of its own: it is the largest part of each of the ways that lead here.
    Box::pin(run_as(Mode::Foreground, trip, fill, leader)).await
}

async fn run_as<S, ReqB, ResB>(
    mode: Mode,
    trip: Trip<S, ReqB>,
    fill: Fill,
    leader: Lead,
) -> Result<Response<Body<ResB>>, S::Error>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
    S::Error: Send,
    ResB: http_body::Body + Send + 'static,
{
    let Trip {
        layer,
        mut service,
        mut request,
        asked,
        identity,
        search,
        ..
    } = trip;
    let known = tags::known(&request, &layer.policy, identity.as_ref());
    let mut making = Making {
        origin: admit::authority(&request).unwrap_or_default().to_owned(),
        path: key::client_uri(&request).path().to_owned(),
        watched: watched(&layer, &request),
        search,
        renewable: false,
        validating: false,
        answered: StatusCode::OK,
        tags: known.tags,
        unfilled: known.unfilled,
        shared: identity.is_none(),
        headers: request.headers().clone(),
        began: layer.engine.core().clock.now(),
        layer,
        fill,
        asked,
        leader,
        mode,
    };
    let hidden = hide(&mut request, &making.layer.policy, identity.is_some());
    if let Some(before) = making.fill.before.clone()
        && making.layer.policy.rules.revalidate
    {
        // What was forgotten between its look-up and the stamps was not forgotten since the stamps: they would not tell.
        let layer = Arc::clone(&making.layer);
        let known = making.fill.capture.is_none() || layer.engine.core().is_known(before.shared()).await;
        making.renewable = known && validate::has_room(before.entry());
        making.validating = making.renewable && validate::condition(request.headers_mut(), before.response());
    }
    tracing::debug!(
        cache = &*making.layer.policy.name,
        reason = making.fill.reason.as_str(),
        http.request.method = request.method().as_str(),
        url.path = request.uri().path(),
        ?hidden,
        "filling"
    );
    if mode == Mode::Foreground {
        let built = &*making.layer;
        built.metrics.miss(&built.policy.name, making.fill.reason);
    }
    let result = {
        let _inflight = making.layer.metrics.load(&making.layer.policy.name);
        service.call(request).await
    };
    match result {
        Ok(response) => Ok(making.finish(response).await),
        Err(error) => match making.failed(Failure::Unreachable).await {
            Some(stale) => Ok(stale),
            None => {
                making.finished("error", None);
                making.count(Outcome::Uncacheable);
                if let Some(leader) = making.leader.take() {
                    leader.release();
                }
                Err(error)
            }
        },
    }
}

/// The same with nobody to answer: the body is read to its end.
pub(crate) async fn run_in_background<S, ReqB, ResB>(
    trip: Trip<S, ReqB>,
    fill: Fill,
    leader: lead::Lead,
) -> Result<(), ()>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
    S::Error: Send,
    ResB: http_body::Body + Send + 'static,
{
    let response = run_as(Mode::Background, trip, fill, Some(leader))
        .await
        .map_err(|_| ())?;
    let failed = response.status().is_server_error();
    let mut body = pin!(response.into_body());
    while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        frame.map_err(|_| ())?;
    }
    if failed { Err(()) } else { Ok(()) }
}

/// The path and query of a request, if somebody wants to see what happens.
fn watched<B>(layer: &Built, request: &Request<B>) -> Option<Box<str>> {
    let is_on = layer.engine.core().recent.is_on();
    is_on.then(|| short(&tags::target(key::client_uri(request), &layer.policy)))
}

/// A response in the making.
pub(crate) struct Making {
    pub(crate) layer: Arc<Built>,
    pub(crate) fill: Fill,
    pub(crate) asked: Asked,
    /// The request's headers as they came, before the handler's were hidden.
    pub(crate) headers: HeaderMap,
    pub(crate) tags: Vec<Tag>,
    /// The placeholder of a tag that the request has no value for.
    pub(crate) unfilled: Option<UnfilledPlaceholder>,
    pub(crate) leader: Lead,
    pub(crate) began: Timestamp,
    pub(crate) mode: Mode,
    /// Whether others than one identity would be answered with it.
    pub(crate) shared: bool,
    /// The host and port, and the path that were asked.
    pub(crate) origin: String,
    pub(crate) path: String,
    /// The path and query, if somebody wants to see what happens.
    pub(crate) watched: Option<Box<str>>,
    pub(crate) search: Option<Search>,
    /// Whether what was stored before may be kept anew.
    pub(crate) renewable: bool,
    /// Whether the handler was asked if what was stored before is still the response.
    pub(crate) validating: bool,
    /// The status that the handler answered with.
    pub(crate) answered: StatusCode,
}

impl Making {
    /// What becomes of the handler's response.
    async fn finish<B>(mut self, response: Response<B>) -> Response<Body<B>>
    where
        B: http_body::Body + Send + 'static,
    {
        self.answered = response.status();
        if self.answered.is_server_error()
            && let Some(stale) = self.failed(Failure::Status(self.answered)).await
        {
            return stale;
        }
        let (mut parts, body) = response.into_parts();
        if self.layer.policy.rules.origin {
            headers::dated(&mut parts.headers, self.layer.engine.core().clock.now());
        }
        if self.asked.head || self.validating && self.answered == StatusCode::NOT_MODIFIED {
            return self.update(parts, body).await;
        }
        let recipe = match self.recipe(&mut parts) {
            Ok(recipe) => recipe,
            Err(reason) => return self.pass(parts, Body::passed(body), reason),
        };
        let length = match length(&parts.headers, &body) {
            Ok(length) => length,
            Err(reason) => return self.pass(parts, Body::passed(body), reason),
        };
        match length {
            Some(length) if length > self.layer.policy.max_body => {
                self.pass(parts, Body::passed(body), UncacheableReason::TooLarge)
            }
            Some(length) => match read(body, length).await {
                Ok(bytes) => self.keep(parts, recipe, bytes).await,
                Err((reason, body)) => self.pass(parts, body, reason),
            },
            None => self.copy(parts, recipe, body),
        }
    }

    /// Passes on a response that cannot be kept.
    pub(crate) fn pass<B: http_body::Body>(
        mut self,
        mut parts: response::Parts,
        body: Body<B>,
        reason: UncacheableReason,
    ) -> Response<Body<B>> {
        // Those who wait need not wait for a body, nor for each other; nor those who come, for one who may hang.
        let core = self.layer.engine.core();
        if self.fill.capture.is_some() && self.says_something_of_others() {
            core.loners
                .mark(key::loner_hash(&self.fill.primary), core.clock.now());
        }
        if let Some(leader) = self.leader.take() {
            leader.release();
        }
        let status = self.uncacheable(self.status(self.answered, Some(reason)), reason);
        headers::outcome_headers(
            &mut parts.headers,
            &self.layer.policy,
            Outcome::Uncacheable,
            &status,
        );
        self.count(Outcome::Uncacheable);
        // The handler did not see the conditions; it may have set what they are about all the same.
        if self.asked.conditional {
            let validators = Validators::from_headers(&parts.headers);
            let date = HttpDate::of_field(&parts.headers, &DATE);
            if let Some(status) = special::conditional(parts.status, &validators, date, self.asker()) {
                return special::without_body(parts, status);
            }
        }
        Response::from_parts(parts, body)
    }

    /// The stale answer that stands in for a handler that failed, if there is one: it must be of use still, for the
    /// handler may have taken its time, and have been overtaken by an invalidation.
    async fn failed<B: http_body::Body>(&mut self, failure: Failure) -> Option<Response<Body<B>>> {
        if self.mode == Mode::Background {
            return None;
        }
        let layer = Arc::clone(&self.layer);
        let entry = self.fill.before.as_ref()?.clone();
        if !layer
            .engine
            .core()
            .stands_in(&entry, &layer.policy, failure)
            .await
        {
            return None;
        }
        if let Some(leader) = self.leader.take() {
            leader.land(Flight::Failed(failure), TurnEnd::Unshared);
        }
        let now = self.layer.engine.core().clock.now();
        let mut status = CacheStatus::forwarded(MissReason::Expired);
        if let Failure::Status(answered) = failure {
            status = status.fwd_status(answered);
        }
        let age = now.since(entry.entry().lifetime.received);
        rare::stale_served(&self.layer.policy.name, "error", age);
        self.finished(
            match failure {
                Failure::Status(_) => "error_status",
                Failure::Unreachable => "error",
            },
            None,
        );
        let status = status.detail("stale_if_error");
        Some(
            self.layer
                .answer(&entry, self.asker(), now, Outcome::StaleError, &status),
        )
    }

    /// Whether an answer that is not kept says that those to others will not be either: not if it is so because of what
    /// this one client sent.
    fn says_something_of_others(&self) -> bool {
        let client = self.asked.authorized || self.asked.conditional;
        let provoked = self.asked.head || self.layer.policy.rules.transparent && client;
        !provoked
    }

    /// The handler answered with this status; `not_kept` is why that is not kept, if it is not.
    pub(crate) fn status(&self, status: StatusCode, not_kept: Option<UncacheableReason>) -> CacheStatus {
        let failed = status.is_server_error();
        self.finished(if failed { "error_status" } else { "ok" }, not_kept);
        CacheStatus::forwarded(self.fill.reason).fwd_status(status)
    }

    pub(crate) fn count(&self, outcome: Outcome) {
        if self.mode == Mode::Foreground {
            self.layer.count(outcome);
        }
    }

    /// The handler ended.
    fn finished(&self, result: &'static str, not_kept: Option<UncacheableReason>) {
        let core = self.layer.engine.core();
        let (now, name, mode) = (core.clock.now(), &self.layer.policy.name, self.mode.as_str());
        let took = now.since(self.began);
        self.layer.policy.pace.took(took);
        self.layer
            .metrics
            .ended(name, mode, result, took, core.slow_fill());
        if let Some(target) = &self.watched {
            core.recent.filled(PastFill {
                at: now,
                cache: Arc::clone(name),
                target: target.clone(),
                mode,
                reason: self.fill.reason,
                result,
                took,
                not_kept,
            });
        }
    }

    pub(crate) fn uncacheable(&self, status: CacheStatus, reason: UncacheableReason) -> CacheStatus {
        self.layer.metrics.uncacheable(&self.layer.policy.name, reason);
        tracing::debug!(
            cache = &*self.layer.policy.name,
            reason = reason.as_str(),
            "not kept"
        );
        status.uncacheable(reason)
    }

    pub(crate) fn asker(&self) -> Asker<'_> {
        Asker {
            asked: self.asked,
            headers: &self.headers,
        }
    }
}
