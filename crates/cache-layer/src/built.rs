//! A layer as its services share it: what it was told, and how it counts and gives its answers.

use std::fmt;
use std::sync::Arc;

use http::{Response, StatusCode};
use larder_store::Timestamp;

use crate::admit::Asker;
use crate::answer;
use crate::body::Body;
use crate::cache_status::CacheStatus;
use crate::cached::{Cached, Held};
use crate::engine::{Engine, Switch};
use crate::headers;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::status::{BypassReason, Outcome};
use crate::tally::Tally;

/// A layer as its services share it.
pub(crate) struct Built {
    pub(crate) engine: Engine,
    pub(crate) policy: Policy,
    pub(crate) metrics: Metrics,
    switch: Switch,
    /// Held so that the name stays taken.
    _layer: Arc<()>,
}

impl Built {
    pub(crate) fn new(
        engine: Engine,
        policy: Policy,
        (switch, tally): (Switch, Arc<Tally>),
        layer: Arc<()>,
    ) -> Self {
        Self {
            engine,
            policy,
            metrics: Metrics::counting(tally),
            switch,
            _layer: layer,
        }
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.switch.is_on() && self.engine.is_enabled()
    }

    /// The answer of a hit, counted.
    #[inline]
    pub(crate) fn answer_hit<B: http_body::Body>(
        &self,
        entry: &Cached,
        asker: Asker<'_>,
        now: Timestamp,
    ) -> Response<Body<B>> {
        let stored = entry.response();
        let response = answer::hit(entry.entry(), stored, &self.policy, asker, now);
        let name = &self.policy.name;
        self.metrics.outcome(name, entry.tier().hit());
        self.metrics
            .saved(name, entry.entry().lifetime.load_ms, stored.body.len());
        if asker.asked.conditional {
            self.metrics.conditional(
                name,
                response.status() == StatusCode::NOT_MODIFIED,
                stored.body.len(),
            );
        }
        response
    }

    /// An answer from an entry that is no fresh hit, counted.
    pub(crate) fn answer<B: http_body::Body>(
        &self,
        entry: &Cached,
        asker: Asker<'_>,
        now: Timestamp,
        outcome: Outcome,
        status: &CacheStatus,
    ) -> Response<Body<B>> {
        let stored = entry.response();
        let response = answer::from_entry(entry.entry(), stored, &self.policy, asker, now, outcome, status);
        self.count(outcome);
        if asker.asked.conditional {
            let unchanged = response.status() == StatusCode::NOT_MODIFIED;
            self.metrics
                .conditional(&self.policy.name, unchanged, stored.body.len());
        }
        response
    }

    /// The answer to who wants nothing but what is stored, where nothing is (RFC 9111 §5.2.1.7).
    pub(crate) fn unsatisfied<B: http_body::Body>(&self) -> Response<Body<B>> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
        let (outcome, status) = (Outcome::Unsatisfied, CacheStatus::unsatisfied());
        headers::outcome_headers(response.headers_mut(), &self.policy, outcome, &status);
        self.count(outcome);
        response
    }

    pub(crate) fn count(&self, outcome: Outcome) {
        self.metrics.outcome(&self.policy.name, outcome);
        tracing::debug!(cache = &*self.policy.name, outcome = outcome.as_str(), "answered");
    }

    /// What the handler made of a request that the cache had no part in, counted whatever it is.
    pub(crate) fn bypassed<B: http_body::Body, E>(
        &self,
        result: Result<Response<B>, E>,
        reason: BypassReason,
    ) -> Result<Response<Body<B>>, E> {
        self.metrics.bypass(&self.policy.name, reason);
        tracing::debug!(cache = &*self.policy.name, reason = reason.as_str(), "bypassed");
        self.metrics.outcome(&self.policy.name, Outcome::Bypass);
        let mut response = result?.map(Body::passed);
        let status = CacheStatus::bypass(reason);
        headers::outcome_headers(response.headers_mut(), &self.policy, Outcome::Bypass, &status);
        Ok(response)
    }
}

impl fmt::Debug for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Built")
            .field("name", &self.policy.name)
            .finish_non_exhaustive()
    }
}
