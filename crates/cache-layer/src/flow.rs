//! The read-through flow, and in it the one place that decides: hit, stale or miss.

use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;

use http::{Method, Request, Response};
use larder_store::{
    Capture, Key, Landing, Leader, Lifetime, Role, SharedEntry, Timestamp, Validity, VaryNames,
};
use tokio::time::{Instant, timeout_at};
use tower_service::Service;
use tracing::Instrument;

use crate::admit::{self, Asked};
use crate::body::Body;
use crate::built::Built;
use crate::cache_status::CacheStatus;
use crate::engine::{Flight, FlightKey};
use crate::fill::{self, Fill};
use crate::freshness::{Freshness, freshness, refresh_early};
use crate::headers::Asker;
use crate::identity::{Scope, Verdict};
use crate::key;
use crate::locate::{self, Found, Located};
use crate::metrics::rare;
use crate::policy::Policy;
use crate::status::{BypassReason, MissReason, Outcome};
use crate::tags;
use crate::trip::Trip;

/// What is done with a request.
pub(crate) enum Decision {
    /// Answer with this entry.
    Hit(SharedEntry),
    /// Answer with this entry, and replace it in the background before it expires.
    HitAndRefresh(SharedEntry),
    /// Answer with this stale entry, and replace it in the background.
    Stale(SharedEntry),
    /// Ask the handler; the stale entry may stand in for it if it fails.
    Fill(MissReason, Option<SharedEntry>),
}

/// **The one place that decides**: what was found, and what it is worth now.
///
/// `luck` is uniform in (0, 1] and drawn once for each request, however often it comes here: a second draw would make
/// an early refresh less likely than its formula says.
#[inline]
pub(crate) fn decide(found: Found, policy: &Policy, now: Timestamp, luck: f64) -> Decision {
    let (entry, soft) = match found {
        Found::Entry { entry, soft } => (entry, soft),
        Found::Nothing(reason) => return Decision::Fill(reason, None),
    };
    match freshness(&entry.lifetime, now, soft) {
        Freshness::Fresh => match policy.early_refresh {
            Some(beta) if refresh_early(&entry.lifetime, now, beta, luck) => Decision::HitAndRefresh(entry),
            _ => Decision::Hit(entry),
        },
        Freshness::Stale => Decision::Stale(entry),
        Freshness::IfError => Decision::Fill(MissReason::Expired, Some(entry)),
        Freshness::Gone => Decision::Fill(MissReason::Expired, None),
    }
}

/// The answer of a hit, if it can be given without waiting for anything: no store to wait for, nothing to replace.
#[inline]
pub(crate) fn hit_at_once<ReqB, ResB: http_body::Body>(
    layer: &Built,
    request: &Request<ReqB>,
    asked: Asked,
    luck: f64,
) -> Option<Response<Body<ResB>>> {
    let core = layer.engine.core();
    let key = key::of_request(request, &layer.policy, None);
    let located = locate::at_once(core, &key, request.headers())?;
    let now = core.clock.now();
    match decide(located.found, &layer.policy, now, luck) {
        Decision::Hit(entry) => layer.answer_hit(
            &entry,
            Asker {
                asked,
                headers: request.headers(),
            },
            now,
        ),
        _ => None,
    }
}

/// How often a request joins a fill that turns out not to be for it, before its handler runs on its own.
const JOINS: usize = 3;

/// What a round of the flow comes to: the answer, or the request that goes round again.
type Round<S, ReqB, ResB, E> = Result<ControlFlow<Response<Body<ResB>>, Trip<S, ReqB>>, E>;

impl<S, ReqB, ResB> Trip<S, ReqB>
where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    ReqB: Send + 'static,
    ResB: http_body::Body + Send + 'static,
    ResB::Error: Send,
{
    /// Finds out who asks, then goes on.
    pub(crate) async fn identify<Sc: Scope>(mut self, scope: Sc) -> Result<Response<Body<ResB>>, S::Error> {
        if Sc::SHARED {
            return self.answer().await;
        }
        let (mut parts, body) = self.request.into_parts();
        let verdict = scope.verdict(&mut parts).await;
        self.request = Request::from_parts(parts, body);
        let admitted = match verdict {
            Verdict::Verified(identity) => {
                self.identity = Some(identity);
                Ok(())
            }
            Verdict::Anonymous => admit::anonymous(self.request.headers(), &self.layer.policy),
            Verdict::Rejected => Err(BypassReason::NoIdentity),
        };
        match admitted {
            Ok(()) => self.answer().await,
            Err(reason) => self.bypass(reason).await,
        }
    }

    /// Answers from the cache, or from the handler.
    async fn answer(mut self) -> Result<Response<Body<ResB>>, S::Error> {
        let key = key::of_request(&self.request, &self.layer.policy, self.identity.as_ref());
        let primary = Key::from(key.as_slice());
        // The limit counts from here, however often this request waits.
        let until = Instant::now() + self.layer.policy.wait;
        for _ in 0..JOINS {
            match self.round(&primary, until).await? {
                ControlFlow::Break(response) => return Ok(response),
                ControlFlow::Continue(again) => self = again,
            }
        }
        // Each fill that it waited for was overtaken by an invalidation, or was for another variant.
        let capture = self.capture().await.ok();
        fill::run(
            self,
            Fill {
                primary,
                capture,
                fallback: None,
                reason: MissReason::Absent,
            },
            None,
        )
        .await
    }

    /// Looks the entry up, and does what was decided.
    async fn round(self, primary: &Key, until: Instant) -> Round<S, ReqB, ResB, S::Error> {
        let core = self.layer.engine.core();
        let Located { found, varies } = locate::wait(core, primary.as_bytes(), self.request.headers()).await;
        let now = core.clock.now();
        let (reason, fallback) = match decide(found, &self.layer.policy, now, self.luck) {
            Decision::Hit(entry) => match self.layer.answer_hit(&entry, self.asker(), now) {
                Some(response) => return Ok(ControlFlow::Break(response)),
                None => (MissReason::Absent, None),
            },
            Decision::HitAndRefresh(entry) => {
                let response = self.layer.answer_hit(&entry, self.asker(), now);
                self.refresh(primary.clone(), varies, "early", entry.lifetime)
                    .await;
                return Ok(response.map_or_else(
                    || unreachable!("only responses are decided on"),
                    ControlFlow::Break,
                ));
            }
            Decision::Stale(entry) => {
                let response = self.stale(&entry, now);
                self.refresh(primary.clone(), varies, "swr", entry.lifetime).await;
                return Ok(ControlFlow::Break(response));
            }
            Decision::Fill(reason, fallback) => (reason, fallback),
        };
        // Neither can fill the entry, and both are answered best by a handler that sees all of the request.
        if self.asked.head | self.asked.range {
            let reason = if self.asked.head {
                BypassReason::Head
            } else {
                BypassReason::Range
            };
            return self.bypass(reason).await.map(ControlFlow::Break);
        }
        let mut fill = Fill {
            primary: primary.clone(),
            capture: None,
            fallback,
            reason,
        };
        let capture = if reason == MissReason::TierError {
            Err(())
        } else {
            self.capture().await
        };
        let Ok(capture) = capture else {
            fill.reason = MissReason::TierError;
            return self.unaided(fill, until).await.map(ControlFlow::Break);
        };
        fill.capture = Some(capture);
        self.join(fill, varies, capture, until).await
    }

    /// Fills, or waits for the one who does.
    async fn join(
        self,
        fill: Fill,
        varies: Option<VaryNames>,
        capture: Capture,
        until: Instant,
    ) -> Round<S, ReqB, ResB, S::Error> {
        let core = self.layer.engine.core();
        if core
            .loners
            .is_marked(key::loner_hash(&fill.primary), core.clock.now())
        {
            return fill::run(self, fill, None).await.map(ControlFlow::Break);
        }
        let waiter = match core
            .flights
            .join(self.flight_key(&fill.primary, varies.as_ref(), capture))
        {
            Role::Leader(leader) => return self.lead(fill, leader).await,
            Role::Waiter(waiter) => waiter,
        };
        let began = Instant::now();
        let landing = timeout_at(until, waiter).await;
        let (result, leader) = match landing {
            Ok(Landing::Landed(flight)) => {
                rare::waited(&self.layer.policy.name, "value", began.elapsed());
                let valid = match &flight {
                    // An invalidation may have come after this request joined; and some tags are known only now.
                    Flight::Made(made) => matches!(
                        core.ask(core.store.validity(&made.entry)).await,
                        Ok(Validity::Valid)
                    ),
                    Flight::Failed | Flight::Kept => true,
                };
                return Ok(match self.coalesced(&flight, &fill, valid) {
                    Some(response) => ControlFlow::Break(response),
                    None => ControlFlow::Continue(self),
                });
            }
            Ok(Landing::Leads(leader)) => ("leader_failed", Some(leader)),
            Ok(Landing::Released) => ("released", None),
            Err(_) => ("timeout", None),
        };
        rare::waited(&self.layer.policy.name, result, began.elapsed());
        fill::run(self, fill, leader).await.map(ControlFlow::Break)
    }

    /// Fills, unless an earlier flight ended between the look-up and the joining: then its entry is there by now, and
    /// to run the handler would be one run too many.
    async fn lead(self, fill: Fill, leader: Leader<FlightKey, Flight>) -> Round<S, ReqB, ResB, S::Error> {
        let core = self.layer.engine.core();
        let Located { found, .. } = locate::wait(core, fill.primary.as_bytes(), self.request.headers()).await;
        let now = core.clock.now();
        if let Decision::Hit(entry) | Decision::HitAndRefresh(entry) =
            decide(found, &self.layer.policy, now, self.luck)
            && let Some(response) = self.layer.answer_hit(&entry, self.asker(), now)
        {
            leader.land(Flight::Kept);
            return Ok(ControlFlow::Break(response));
        }
        fill::run(self, fill, Some(leader)).await.map(ControlFlow::Break)
    }

    /// The answer from what another request's handler made, if it is for this request too.
    fn coalesced(&self, flight: &Flight, fill: &Fill, valid: bool) -> Option<Response<Body<ResB>>> {
        let core = self.layer.engine.core();
        let now = core.clock.now();
        let made = match flight {
            Flight::Made(made) => made,
            Flight::Kept => return None,
            Flight::Failed => {
                let entry = fill.fallback.as_ref()?;
                let age = now.since(entry.lifetime.received);
                rare::stale_served(&self.layer.policy.name, "error", age);
                let status = CacheStatus::forwarded(MissReason::Expired)
                    .detail("stale_if_error")
                    .collapsed();
                return self
                    .layer
                    .answer(entry, self.asker(), now, Outcome::StaleError, &status);
            }
        };
        let fits = made.names.is_empty()
            || key::of_variant(fill.primary.as_bytes(), &made.names, self.request.headers()).as_slice()
                == made.key.as_bytes();
        if !fits || !valid {
            return None;
        }
        let status = CacheStatus::forwarded(fill.reason).collapsed();
        self.layer
            .answer(&made.entry, self.asker(), now, Outcome::Coalesced, &status)
    }

    fn stale(&self, entry: &SharedEntry, now: Timestamp) -> Response<Body<ResB>> {
        let status = CacheStatus::hit(&entry.lifetime, now).detail("stale_while_revalidate");
        rare::stale_served(&self.layer.policy.name, "swr", now.since(entry.lifetime.received));
        let response = self
            .layer
            .answer(entry, self.asker(), now, Outcome::StaleSwr, &status);
        response.unwrap_or_else(|| unreachable!("only responses are decided on"))
    }

    /// Fills in the background, with this request, which was answered from the cache: nobody waits for it.
    ///
    /// The request goes with its extensions, as a GET; the task has a span of its own. At most one such fill is under
    /// way for an entry.
    async fn refresh(
        mut self,
        primary: Key,
        varies: Option<VaryNames>,
        trigger: &'static str,
        served: Lifetime,
    ) {
        let layer = Arc::clone(&self.layer);
        let core = layer.engine.core();
        let (Some(permit), Ok(capture)) = (core.tasks.permit(), self.capture().await) else {
            rare::refresh(&layer.policy.name, trigger, "refused");
            return;
        };
        let Role::Leader(leader) = core
            .flights
            .join(self.flight_key(&primary, varies.as_ref(), capture))
        else {
            return;
        };
        *self.request.method_mut() = Method::GET;
        self.asked = Asked {
            head: false,
            conditional: false,
            range: false,
            encodings: false,
        };
        let fill = Fill {
            primary,
            capture: Some(capture),
            fallback: None,
            reason: MissReason::Expired,
        };
        let span = tracing::debug_span!("larder_refresh", cache = &*layer.policy.name, trigger);
        let limit = layer.policy.background_timeout;
        let name = Arc::clone(&layer.policy.name);
        let work = async move {
            let core = self.layer.engine.core();
            let found = locate::wait(core, fill.primary.as_bytes(), self.request.headers())
                .await
                .found;
            // As in `lead`: an earlier fill may have replaced it already.
            if matches!(&found, Found::Entry { entry, soft: false } if entry.lifetime != served) {
                leader.land(Flight::Kept);
                return;
            }
            let result = match fill::run_in_background(self, fill, leader).await {
                Ok(()) => "ok",
                Err(()) => "error",
            };
            rare::refresh(&name, trigger, result);
        };
        core.tasks.spawn(permit, limit, work.instrument(span));
    }

    /// Runs the handler without the store, under the limit on such runs.
    async fn unaided(self, fill: Fill, until: Instant) -> Result<Response<Body<ResB>>, S::Error> {
        let layer = Arc::clone(&self.layer);
        // Beyond the wait the request goes on: it must not fail because the cache did.
        let _permit = timeout_at(until, layer.engine.core().unaided.acquire()).await;
        fill::run(self, fill, None).await
    }

    /// Hands the request to the handler as it is.
    async fn bypass(mut self, reason: BypassReason) -> Result<Response<Body<ResB>>, S::Error> {
        let result = self.service.call(self.request).await;
        self.layer.count_bypass(reason);
        Ok(self.layer.bypassed(result?, reason))
    }

    /// The stamps before a fill. The future holds nothing of the request, which need not be `Sync`.
    fn capture(&self) -> impl Future<Output = Result<Capture, ()>> + Send + use<S, ReqB, ResB> {
        let known = tags::known(&self.request, &self.layer.policy, self.identity.as_ref());
        let core = Arc::clone(self.layer.engine.core());
        async move { core.ask(core.store.capture(&known)).await.map_err(|_| ()) }
    }

    fn flight_key(&self, primary: &Key, varies: Option<&VaryNames>, capture: Capture) -> FlightKey {
        let key = match varies {
            None => primary.clone(),
            Some(names) => key::of_variant(primary.as_bytes(), names, self.request.headers())
                .as_slice()
                .into(),
        };
        (key, capture.fingerprint())
    }
}
