//! The read-through flow, and in it the one place that decides: hit, stale or miss.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use larder_store::{Capture, Key, Landing, Role, Timestamp, TurnEnd, Validity, VaryNames};
use tokio::time::{Instant, timeout, timeout_at};
use tower_service::Service;

use crate::admit::{self, Asked, Asker};
use crate::body::Body;
use crate::built::Built;
use crate::cache_status::CacheStatus;
use crate::cached::{Cached, Held};
use crate::engine::Flight;
use crate::fill::{self, Fill};
use crate::freshness::{Freshness, Worth, refresh_early, worth};
use crate::identity::{Scope, Verdict};
use crate::key;
use crate::lead::{Lead, Taken};
use crate::locate::{self, Found, Located};
use crate::metrics::{Metrics, WITH_A_VALUE, rare};
use crate::status::{BypassReason, MissReason, Outcome};
use crate::trip::Trip;
use crate::wishes::Wishes;

/// What is done with a request, or with the call of a function.
pub(crate) enum Decision<C = Cached> {
    /// Answer with this entry.
    Hit(C),
    /// Answer with this entry, and replace it in the background before it expires.
    HitAndRefresh(C),
    /// Answer with this stale entry, and replace it in the background.
    Stale(C),
    /// Ask the handler. What was found may be validated, and may stand in for a handler that fails.
    Fill(MissReason, Option<C>),
}

/// **The one place that decides**: what was found, and what it is worth now to who asks.
///
/// `early` is how eagerly an entry is replaced before its end, if at all. `luck` is uniform in (0, 1] and drawn once for
/// each request, however often it comes here: a second draw would make an early refresh less likely than its formula says.
#[inline]
pub(crate) fn decide<C: Held>(
    found: Found<C>,
    early: Option<f64>,
    wishes: Option<&Wishes>,
    now: Timestamp,
    luck: f64,
) -> Decision<C> {
    let (entry, soft) = match found {
        Found::Entry { entry, soft } => (entry, soft),
        Found::Nothing(reason) => return Decision::Fill(reason, None),
    };
    let lifetime = entry.lifetime();
    match worth(lifetime, now, soft, wishes) {
        Worth::Own(Freshness::Fresh) => match early {
            Some(beta) if refresh_early(lifetime, now, beta, luck) => Decision::HitAndRefresh(entry),
            _ => Decision::Hit(entry),
        },
        Worth::Granted => Decision::Hit(entry),
        Worth::Own(Freshness::Stale) => Decision::Stale(entry),
        Worth::Own(Freshness::IfError | Freshness::Gone) => Decision::Fill(MissReason::Expired, Some(entry)),
        Worth::Refused => Decision::Fill(MissReason::Request, Some(entry)),
    }
}

impl<C: Held> Decision<C> {
    /// Counts how long the look-up took that began at `began`. Of hits only those are counted that were `chosen`.
    pub(crate) fn looked_up(
        &self,
        (metrics, cache): (&Metrics, &str),
        began: std::time::Instant,
        chosen: bool,
        now: Timestamp,
    ) {
        let (entry, result) = match self {
            Self::Hit(entry) | Self::HitAndRefresh(entry) => {
                if chosen {
                    metrics.sample(cache, entry.tier(), began, entry.lifetime().age_ms(now));
                }
                return;
            }
            Self::Stale(entry) => (Some(entry), "stale"),
            Self::Fill(reason, _) if reason.is_failure() => (None, "error"),
            Self::Fill(_, Some(entry)) => (Some(entry), "stale"),
            Self::Fill(_, None) => (None, "miss"),
        };
        rare::looked_up(cache, entry.map(Held::tier), result, began.elapsed());
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
    let timer = Metrics::timer();
    let key = key::of_request(request, &layer.policy, None);
    let located = locate::at_once(core, &layer.policy, &key, request.headers(), asked.reading)?;
    let now = core.clock.now();
    let wishes = asked.wishes(request.headers());
    match decide(
        located.found,
        layer.policy.early_refresh,
        wishes.as_ref(),
        now,
        luck,
    ) {
        Decision::Hit(entry) => {
            if let Some(began) = timer {
                let age_ms = entry.entry().lifetime.age_ms(now);
                layer
                    .metrics
                    .sample(&layer.policy.name, entry.tier(), began, age_ms);
            }
            Some(layer.answer_hit(
                &entry,
                Asker {
                    asked,
                    headers: request.headers(),
                },
                now,
            ))
        }
        _ => None,
    }
}

/// A day: no wait is longer, and none so long that a clock could not hold its end.
pub(crate) const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How often a request joins a fill that turns out not to be for it, before its handler runs on its own.
pub(crate) const JOINS: usize = 3;

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
        // Who cannot say in time who asks leaves that to the handler.
        let limit = self.layer.policy.wait.min(LONGEST);
        let verdict = timeout(limit, scope.verdict(&mut parts))
            .await
            .unwrap_or(Verdict::Rejected);
        self.request = Request::from_parts(parts, body);
        let admitted = match verdict {
            // A name that is empty is none: all who have none would be one.
            Verdict::Verified(identity) if identity.as_str().is_empty() => Err(BypassReason::NoIdentity),
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
        // Not both forms of a key, which may be long, as long as a handler may take.
        let primary = {
            let key = key::of_request(&self.request, &self.layer.policy, self.identity.as_ref());
            Key::from(key.as_slice())
        };
        self.search = self.search();
        // The limit counts from here, however often this request waits.
        let until = Instant::now() + self.layer.policy.wait.min(LONGEST);
        for _ in 0..JOINS {
            match self.round(&primary, until).await? {
                ControlFlow::Break(response) => return Ok(response),
                ControlFlow::Continue(again) => self = again,
            }
        }
        // Each fill that it waited for was overtaken by an invalidation, was for another variant, or failed.
        let capture = self.capture().await.ok();
        let (reason, before) = (self.reason, self.before.take());
        let fill = Fill {
            primary,
            capture,
            before,
            reason,
        };
        fill::run(self, fill, None).await
    }

    /// Looks the entry up, and does what was decided.
    async fn round(self, primary: &Key, until: Instant) -> Round<S, ReqB, ResB, S::Error> {
        let layer = Arc::clone(&self.layer);
        let core = layer.engine.core();
        let (began, chosen) = (std::time::Instant::now(), Metrics::timer().is_some());
        let Located { found, varies } = locate::find(
            core,
            &layer.policy,
            primary.as_bytes(),
            self.search.as_ref(),
            self.request.headers(),
            self.asked.reading,
        )
        .await;
        let now = core.clock.now();
        let decision = decide(
            found,
            layer.policy.early_refresh,
            self.wishes.as_ref(),
            now,
            self.luck,
        );
        decision.looked_up((&layer.metrics, &layer.policy.name), began, chosen, now);
        match decision {
            Decision::Hit(entry) => Ok(ControlFlow::Break(layer.answer_hit(&entry, self.asker(), now))),
            Decision::HitAndRefresh(entry) => {
                let response = layer.answer_hit(&entry, self.asker(), now);
                self.refresh(primary.clone(), varies, "early", entry).await;
                Ok(ControlFlow::Break(response))
            }
            Decision::Stale(entry) => {
                let response = self.stale(&entry, now);
                self.refresh(primary.clone(), varies, "swr", entry).await;
                Ok(ControlFlow::Break(response))
            }
            Decision::Fill(reason, before) => {
                let fill = Fill {
                    primary: primary.clone(),
                    capture: None,
                    before,
                    reason,
                };
                // In a box, so that a hit on a server does not carry the future of a handler.
                Box::pin(self.ask_handler(fill, varies, until)).await
            }
        }
    }

    /// Has the handler answer: as a fill where its answer may be kept, and past the cache where it cannot.
    async fn ask_handler(
        self,
        mut fill: Fill,
        varies: Option<VaryNames>,
        until: Instant,
    ) -> Round<S, ReqB, ResB, S::Error> {
        let validates = self.layer.policy.rules.revalidate && fill.before.is_some();
        if self.wishes.is_some_and(|wishes| wishes.only_if_cached) {
            return Ok(ControlFlow::Break(self.layer.unsatisfied()));
        }
        // None of these can fill the entry, and all are answered best by a handler that sees all of the request.
        let past = if self.asked.range {
            Some(BypassReason::Range)
        } else if self.asked.head && !validates {
            Some(BypassReason::Head)
        } else {
            let keeps_nothing = self.wishes.is_some_and(|wishes| wishes.no_store);
            keeps_nothing.then_some(BypassReason::NoStore)
        };
        if let Some(reason) = past {
            return self.bypass(reason).await.map(ControlFlow::Break);
        }
        let capture = if fill.reason.is_failure() {
            Err(())
        } else {
            self.capture().await
        };
        let Ok(capture) = capture else {
            if !fill.reason.is_failure() {
                fill.reason = MissReason::TierError;
            }
            return self.unaided(fill, until).await.map(ControlFlow::Break);
        };
        fill.capture = Some(capture.clone());
        // The answer to a HEAD is for nobody else; and who wants it younger does not want what another asked for before.
        if self.asked.head || fill.reason == MissReason::Request {
            return fill::run(self, fill, None).await.map(ControlFlow::Break);
        }
        self.join(fill, varies, &capture, until).await
    }

    fn waited(&self, result: &'static str, began: Instant) {
        let layer = &self.layer;
        layer.metrics.waited(&layer.policy.name, result, began.elapsed());
    }

    /// Fills, or waits for the one who does.
    async fn join(
        self,
        fill: Fill,
        varies: Option<VaryNames>,
        capture: &Capture,
        until: Instant,
    ) -> Round<S, ReqB, ResB, S::Error> {
        let core = self.layer.engine.core();
        if core
            .loners
            .is_marked(key::loner_hash(&fill.primary), core.clock.now())
        {
            return fill::run(self, fill, None).await.map(ControlFlow::Break);
        }
        let flight = self.flight_key(&fill.primary, varies.as_ref(), capture);
        let turn = (flight.0.clone(), capture, until);
        let waiter = match core.flights.join(flight) {
            Role::Leader(leader) => return self.lead(fill, Lead::new(leader), turn).await,
            Role::Waiter(waiter) => waiter,
        };
        let began = Instant::now();
        let landing = timeout_at(until, waiter).await;
        let (result, leader) = match landing {
            Ok(Landing::Landed(flight)) => {
                self.waited(WITH_A_VALUE, began);
                let valid = match &flight {
                    // An invalidation may have come after this request joined; and some tags are known only now.
                    Flight::Made(made) => matches!(
                        core.ask(core.store.validity(made.entry.shared())).await,
                        Ok(Validity::Valid)
                    ),
                    Flight::Failed(failure) => match &fill.before {
                        Some(entry) => core.stands_in(entry, &self.layer.policy, *failure).await,
                        None => false,
                    },
                    Flight::Kept | Flight::Value(_) | Flight::Unkept(..) => false,
                };
                return Ok(match self.coalesced(&flight, &fill, valid) {
                    Some(response) => ControlFlow::Break(response),
                    None => ControlFlow::Continue(Trip {
                        reason: fill.reason,
                        before: fill.before,
                        ..self
                    }),
                });
            }
            Ok(Landing::Leads(leader)) => ("leader_failed", Some(leader)),
            Ok(Landing::Released) => ("released", None),
            Err(_) => ("timeout", None),
        };
        self.waited(result, began);
        match leader {
            Some(leader) => self.lead(fill, Lead::new(leader), turn).await,
            None => fill::run(self, fill, None).await.map(ControlFlow::Break),
        }
    }

    /// Fills, unless an earlier flight ended between the look-up and the joining: then its entry is there by now, and
    /// to run the handler would be one run too many.
    ///
    /// Before that it takes the turn among processes; where another has it, that one's entry is waited for.
    async fn lead(
        self,
        fill: Fill,
        leader: Lead,
        (turn, capture, until): (Key, &Capture, Instant),
    ) -> Round<S, ReqB, ResB, S::Error> {
        let layer = Arc::clone(&self.layer);
        let core = layer.engine.core();
        let taken = if layer.policy.fills_once_everywhere() {
            let cache = &layer.policy.name;
            leader.take(core, cache, &turn, capture, until).await
        } else {
            Taken::Own(leader)
        };
        let (leader, waited) = match taken {
            Taken::Own(leader) => (leader, false),
            Taken::There(leader) => (leader, true),
            Taken::Unshared(leader) => {
                leader.release();
                return fill::run(self, fill, None).await.map(ControlFlow::Break);
            }
        };
        let Located { found, .. } = locate::find(
            core,
            &layer.policy,
            fill.primary.as_bytes(),
            self.search.as_ref(),
            self.request.headers(),
            self.asked.reading,
        )
        .await;
        let now = core.clock.now();
        let decision = decide(
            found,
            layer.policy.early_refresh,
            self.wishes.as_ref(),
            now,
            self.luck,
        );
        if let Decision::Hit(entry) | Decision::HitAndRefresh(entry) = decision {
            leader.land(Flight::Kept, TurnEnd::Made);
            return Ok(ControlFlow::Break(layer.answer_hit(&entry, self.asker(), now)));
        }
        if waited {
            // What was made was overtaken by an invalidation, or is for another variant.
            leader.land(Flight::Kept, TurnEnd::Left);
            return Ok(ControlFlow::Continue(Trip {
                reason: fill.reason,
                before: fill.before,
                ..self
            }));
        }
        fill::run(self, fill, Some(leader)).await.map(ControlFlow::Break)
    }

    /// The answer from what another request's handler made, if it is for this request too.
    fn coalesced(&self, flight: &Flight, fill: &Fill, valid: bool) -> Option<Response<Body<ResB>>> {
        if !valid {
            return None;
        }
        let core = self.layer.engine.core();
        let now = core.clock.now();
        let made = match flight {
            Flight::Made(made) => made,
            Flight::Kept | Flight::Value(_) | Flight::Unkept(..) => return None,
            Flight::Failed(_) => {
                let entry = fill.before.as_ref()?;
                let age = now.since(entry.entry().lifetime.received);
                rare::stale_served(&self.layer.policy.name, "error", age);
                let status = CacheStatus::forwarded(MissReason::Expired)
                    .detail("stale_if_error")
                    .collapsed();
                return Some(
                    self.layer
                        .answer(entry, self.asker(), now, Outcome::StaleError, &status),
                );
            }
        };
        let fits = made.names.is_empty() || {
            let (primary, headers) = (made.primary.as_bytes(), self.request.headers());
            key::of_variant(primary, &made.names, headers, &self.layer.policy).as_slice()
                == made.key.as_bytes()
        };
        // What is validated is for who asked (RFC 9111 §4). Else all who waited have it, though its body took longer.
        let lifetime = &made.entry.entry().lifetime;
        let strict = self.layer.policy.rules.revalidate;
        let moment = if strict { now } else { lifetime.received };
        let worth = worth(lifetime, moment, false, self.wishes.as_ref());
        if !fits || !matches!(worth, Worth::Own(Freshness::Fresh) | Worth::Granted) {
            return None;
        }
        let status = CacheStatus::forwarded(fill.reason).collapsed();
        Some(
            self.layer
                .answer(&made.entry, self.asker(), now, Outcome::Coalesced, &status),
        )
    }

    fn stale(&self, entry: &Cached, now: Timestamp) -> Response<Body<ResB>> {
        let lifetime = &entry.entry().lifetime;
        let status = CacheStatus::hit(lifetime, now).detail("stale_while_revalidate");
        rare::stale_served(&self.layer.policy.name, "swr", now.since(lifetime.received));
        self.layer
            .answer(entry, self.asker(), now, Outcome::StaleSwr, &status)
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
        self.layer.bypassed(result, reason)
    }
}
