//! A fill: the handler runs once, its response is judged, kept if it may be, and given to those who wait.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, response};
use http_body::Body as _;
use larder_etag::Validators;
use larder_store::{Capture, Kept, Key, Leader, Tag, Timestamp};
use tower_service::Service;

use crate::admit::{self, Asked, Asker};
use crate::body::{Body, Copy};
use crate::built::Built;
use crate::cache_status::CacheStatus;
use crate::cached::Cached;
use crate::engine::{Flight, FlightKey};
use crate::freshness::{self, Load};
use crate::headers;
use crate::hide::{hide, varies_by_hidden};
use crate::hints::CacheHints;
use crate::metrics::rare;
use crate::read::{length, read};
use crate::recipe::{Lead, Recipe, now_or_in_background};
use crate::special;
use crate::status::{MissReason, Outcome, UncacheableReason};
use crate::trip::Trip;
use crate::{key, tags};

/// What a fill is for.
pub(crate) struct Fill {
    pub(crate) primary: Key,
    /// The stamps as they were before it. Without them nothing is kept.
    pub(crate) capture: Option<Capture>,
    /// A stale entry that may stand in for a handler that fails.
    pub(crate) fallback: Option<Cached>,
    /// Why the cache could not answer.
    pub(crate) reason: MissReason,
}

/// Whether a request waits for a fill. In the background it was answered, and counted, before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
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
    run_as(Mode::Foreground, trip, fill, leader).await
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
        ..
    } = trip;
    let mut making = Making {
        tags: tags::known(&request, &layer.policy, identity.as_ref()),
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
    tracing::debug!(
        cache = &*making.layer.policy.name,
        reason = making.fill.reason.as_str(),
        path = request.uri().path(),
        ?hidden,
        "filling"
    );
    if mode == Mode::Foreground {
        rare::miss(&making.layer.policy.name, making.fill.reason);
    }
    let result = {
        let _inflight = making.layer.metrics.load(&making.layer.policy.name);
        service.call(request).await
    };
    match result {
        Ok(response) => Ok(making.finish(response).await),
        Err(error) => match making.failed(None).await {
            Some(stale) => Ok(stale),
            None => {
                making.finished("error");
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
    leader: Leader<FlightKey, Flight>,
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

/// A response in the making.
struct Making {
    layer: Arc<Built>,
    fill: Fill,
    asked: Asked,
    /// The request's headers as they came, before the handler's were hidden.
    headers: HeaderMap,
    tags: Vec<Tag>,
    leader: Lead,
    began: Timestamp,
    mode: Mode,
    /// Whether others than one identity would be answered with it.
    shared: bool,
}

impl Making {
    /// What becomes of the handler's response.
    async fn finish<B>(mut self, response: Response<B>) -> Response<Body<B>>
    where
        B: http_body::Body + Send + 'static,
    {
        if response.status().is_server_error()
            && let Some(stale) = self.failed(Some(response.status())).await
        {
            return stale;
        }
        let (mut parts, body) = response.into_parts();
        let hints = parts.extensions.remove::<CacheHints>().unwrap_or_default();
        let recipe = match self.recipe(&parts, hints) {
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

    /// How the response is to be kept, if it may be as far as its head tells.
    fn recipe(&self, parts: &response::Parts, hints: CacheHints) -> Result<Recipe, UncacheableReason> {
        let policy = &self.layer.policy;
        let capture = self.fill.capture.ok_or(UncacheableReason::StoreError)?;
        let admitted = admit::response(parts.status, &parts.headers, hints, self.shared)?;
        let load = Load {
            began: self.began,
            ended: self.layer.engine.core().clock.now(),
        };
        let lifetime = freshness::lifetime(
            parts.status,
            &parts.headers,
            &admitted,
            policy,
            self.shared,
            load,
            fastrand::f64(),
        )?;
        let mut tags = self.tags.clone();
        tags.extend(admitted.hints.tags);
        let names = key::varied_by(&parts.headers, policy);
        if varies_by_hidden(&names, policy) {
            return Err(UncacheableReason::HiddenVary);
        }
        let key = if names.is_empty() {
            self.fill.primary.clone()
        } else {
            key::of_variant(self.fill.primary.as_bytes(), &names, &self.headers)
                .as_slice()
                .into()
        };
        Ok(Recipe {
            layer: Arc::clone(&self.layer),
            primary: self.fill.primary.clone(),
            key,
            names,
            tags,
            lifetime,
            capture,
        })
    }

    /// Keeps a response whose body is complete, and answers with it.
    async fn keep<B: http_body::Body>(
        mut self,
        parts: response::Parts,
        recipe: Recipe,
        body: Bytes,
    ) -> Response<Body<B>> {
        let layer = Arc::clone(&self.layer);
        let (entry, kept) = recipe.keep(&parts, body, self.leader.take()).await;
        let now = layer.engine.core().clock.now();
        let status = self.status(parts.status);
        let not = match kept {
            Kept::Stored => None,
            Kept::RejectedStamp => Some(UncacheableReason::Stamp),
            Kept::RejectedSize => Some(UncacheableReason::TooLarge),
            _ => Some(UncacheableReason::StoreError),
        };
        let (outcome, status) = match not {
            None => (Outcome::Miss, status.stored().ttl(&entry.entry().lifetime, now)),
            Some(reason) => (Outcome::Uncacheable, self.uncacheable(status, reason)),
        };
        if self.mode == Mode::Background {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = parts.status;
            return response;
        }
        let mut response = layer.answer(&entry, self.asker(), now, outcome, &status);
        // What the handler told the layers around goes on, this time: the handler ran.
        *response.extensions_mut() = parts.extensions;
        response
    }

    /// Passes the body on chunk by chunk, while a copy is taken.
    fn copy<B: http_body::Body>(
        mut self,
        mut parts: response::Parts,
        recipe: Recipe,
        body: B,
    ) -> Response<Body<B>> {
        let policy = &self.layer.policy;
        // What is kept is the handler's word alone: the layer's own is said anew of each answer.
        let mut head = Response::new(());
        *head.status_mut() = parts.status;
        head.headers_mut().clone_from(&parts.headers);
        let (head, ()) = head.into_parts();
        headers::client_caching(&mut parts.headers, policy, 0);
        let status = self.status(parts.status);
        headers::outcome_headers(&mut parts.headers, policy, Outcome::Miss, &status);
        self.count(Outcome::Miss);
        let limit = policy.max_body;
        let leader = self.leader.take();
        let layer = Arc::clone(&self.layer);
        let finish = Box::new(move |copied: Result<Bytes, UncacheableReason>| match copied {
            Ok(bytes) => {
                let keeping = async move {
                    recipe.keep(&head, bytes, leader).await;
                };
                now_or_in_background(layer.engine.core(), keeping);
            }
            Err(reason) => {
                rare::uncacheable(&layer.policy.name, reason);
                tracing::debug!(cache = &*layer.policy.name, reason = reason.as_str(), "not kept");
                let core = layer.engine.core();
                core.loners
                    .mark(key::loner_hash(&recipe.primary), core.clock.now());
                if let Some(leader) = leader {
                    leader.release();
                }
            }
        });
        Response::from_parts(parts, Body::copied(body, Copy::new(limit, finish)))
    }

    /// Passes on a response that cannot be kept.
    fn pass<B: http_body::Body>(
        mut self,
        mut parts: response::Parts,
        body: Body<B>,
        reason: UncacheableReason,
    ) -> Response<Body<B>> {
        // Those who wait need not wait for a body, nor for each other; nor those who come, for one who may hang.
        let core = self.layer.engine.core();
        if self.fill.capture.is_some() {
            core.loners
                .mark(key::loner_hash(&self.fill.primary), core.clock.now());
        }
        if let Some(leader) = self.leader.take() {
            leader.release();
        }
        let status = self.uncacheable(self.status(parts.status), reason);
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
            if let Some(status) = special::conditional(parts.status, &validators, self.asker()) {
                return special::without_body(parts, status);
            }
        }
        Response::from_parts(parts, body)
    }

    /// The stale answer that stands in for a handler that failed, if there is one: it must be of use still, for the
    /// handler may have taken its time, and have been overtaken by an invalidation.
    async fn failed<B: http_body::Body>(&mut self, failure: Option<StatusCode>) -> Option<Response<Body<B>>> {
        let entry = self.fill.fallback.take()?;
        let layer = Arc::clone(&self.layer);
        if !layer.engine.core().stands_in(&entry).await {
            return None;
        }
        if let Some(leader) = self.leader.take() {
            leader.land(Flight::Failed);
        }
        let now = self.layer.engine.core().clock.now();
        let mut status = CacheStatus::forwarded(MissReason::Expired);
        if let Some(failure) = failure {
            status = status.fwd_status(failure);
        }
        let age = now.since(entry.entry().lifetime.received);
        rare::stale_served(&self.layer.policy.name, "error", age);
        self.finished(if failure.is_some() {
            "error_status"
        } else {
            "error"
        });
        let status = status.detail("stale_if_error");
        Some(
            self.layer
                .answer(&entry, self.asker(), now, Outcome::StaleError, &status),
        )
    }

    fn status(&self, status: StatusCode) -> CacheStatus {
        self.finished(if status.is_server_error() {
            "error_status"
        } else {
            "ok"
        });
        CacheStatus::forwarded(self.fill.reason).fwd_status(status)
    }

    fn count(&self, outcome: Outcome) {
        if self.mode == Mode::Foreground {
            self.layer.count(outcome);
        }
    }

    /// The handler ended.
    fn finished(&self, result: &'static str) {
        let took = self.layer.engine.core().clock.now().since(self.began);
        rare::load(&self.layer.policy.name, self.mode.as_str(), result, took);
    }

    fn uncacheable(&self, status: CacheStatus, reason: UncacheableReason) -> CacheStatus {
        rare::uncacheable(&self.layer.policy.name, reason);
        tracing::debug!(
            cache = &*self.layer.policy.name,
            reason = reason.as_str(),
            "not kept"
        );
        status.uncacheable(reason)
    }

    fn asker(&self) -> Asker<'_> {
        Asker {
            asked: self.asked,
            headers: &self.headers,
        }
    }
}
