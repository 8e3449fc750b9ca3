//! A layer as its services share it: what it was told, and how it counts and gives its answers.

use std::fmt;

use http::{Response, StatusCode};
use larder_store::{Entry, Timestamp};

use crate::body::Body;
use crate::cache_status::CacheStatus;
use crate::engine::{Engine, Switch};
use crate::headers::{self, Asker};
use crate::metrics::{Metrics, rare};
use crate::policy::Policy;
use crate::status::{BypassReason, Outcome};

/// A layer as its services share it.
pub(crate) struct Built {
    pub(crate) engine: Engine,
    pub(crate) policy: Policy,
    pub(crate) metrics: Metrics,
    switch: Switch,
}

/// One hit in so many is timed: two looks at the clock would cost more than the rest of it.
const SAMPLE: u32 = 64;

impl Built {
    pub(crate) fn new(engine: Engine, policy: Policy, switch: Switch) -> Self {
        Self {
            engine,
            policy,
            metrics: Metrics::default(),
            switch,
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
        entry: &Entry,
        asker: Asker<'_>,
        now: Timestamp,
    ) -> Option<Response<Body<B>>> {
        let stored = entry.response()?;
        let response = headers::hit(entry, stored, &self.policy, asker, now);
        let name = &self.policy.name;
        self.metrics.outcome(name, Outcome::HitL1);
        self.metrics
            .saved(name, entry.lifetime.load_ms, stored.body.len());
        if asker.asked.conditional {
            self.metrics.conditional(
                name,
                response.status() == StatusCode::NOT_MODIFIED,
                stored.body.len(),
            );
        }
        if fastrand::u32(..SAMPLE) == 0 {
            let took = self.engine.core().clock.now().since(now);
            self.metrics.sample(name, took, entry.lifetime.age_ms(now));
        }
        Some(response)
    }

    /// An answer from an entry that is no fresh hit, counted.
    pub(crate) fn answer<B: http_body::Body>(
        &self,
        entry: &Entry,
        asker: Asker<'_>,
        now: Timestamp,
        outcome: Outcome,
        status: &CacheStatus,
    ) -> Option<Response<Body<B>>> {
        let stored = entry.response()?;
        let response = headers::from_entry(entry, stored, &self.policy, asker, now, outcome, status);
        self.count(outcome);
        if asker.asked.conditional {
            let unchanged = response.status() == StatusCode::NOT_MODIFIED;
            self.metrics
                .conditional(&self.policy.name, unchanged, stored.body.len());
        }
        Some(response)
    }

    pub(crate) fn count(&self, outcome: Outcome) {
        self.metrics.outcome(&self.policy.name, outcome);
        tracing::debug!(cache = &*self.policy.name, outcome = outcome.as_str(), "answered");
    }

    /// The cache had no part in a request, whatever the handler made of it.
    pub(crate) fn count_bypass(&self, reason: BypassReason) {
        rare::bypass(&self.policy.name, reason);
        tracing::debug!(cache = &*self.policy.name, reason = reason.as_str(), "bypassed");
        self.metrics.outcome(&self.policy.name, Outcome::Bypass);
    }

    /// The handler's response to a request that the cache had no part in.
    pub(crate) fn bypassed<B: http_body::Body>(
        &self,
        response: Response<B>,
        reason: BypassReason,
    ) -> Response<Body<B>> {
        let mut response = response.map(Body::passed);
        headers::outcome_headers(
            response.headers_mut(),
            &self.policy,
            Outcome::Bypass,
            &CacheStatus::bypass(reason),
        );
        response
    }
}

impl fmt::Debug for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Built")
            .field("name", &self.policy.name)
            .finish_non_exhaustive()
    }
}
