//! The road of a call that is no plain hit: rounds of looking up, deciding, and making the value or waiting for it.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use larder_store::{Capture, Key, Landing, Role, Tag, TurnEnd, Validity};
use tokio::time::{Instant, timeout_at};
use xxhash_rust::xxh3::xxh3_64;

use super::typed::{HeldValue, Keeping, Made, Values};
use super::work::Work;
use crate::cached::{Held, Tier};
use crate::engine::{Core, Engine, Failure, Flight, FlightKey};
use crate::flow::{Decision, JOINS, LONGEST, decide};
use crate::freshness::{Load, may_stand_in};
use crate::lead::{self, Taken, end_of};
use crate::metrics::{Metrics, WITH_A_VALUE};
use crate::status::{MissReason, Outcome};

pub(super) type Lead = Option<lead::Lead>;

/// One call on its way.
pub(super) struct Trip<'a, T> {
    pub(super) engine: &'a Engine,
    pub(super) values: &'a Values<T>,
    pub(super) key: Key,
    /// The tags that are known before the value is made; none until they are needed.
    pub(super) tags: Vec<Tag>,
    luck: f64,
    /// Why the value is made.
    pub(super) reason: MissReason,
    /// Whether it was counted how long a look-up takes.
    timed: bool,
    /// What was found and is past its use: it may stand in.
    pub(super) before: Option<HeldValue>,
}

/// How a wait for another's value ended.
enum Waited<T> {
    /// With this value.
    Value(T),
    /// With one that is not for this call: it goes another round.
    Again,
    /// Without one: this call makes its own.
    Alone(Lead),
}

/// What a call says of itself: its arguments, the tags that follow from them, and the making of the value.
pub(super) struct Making<A, G, F> {
    pub(super) args: A,
    pub(super) tags: G,
    pub(super) fill: F,
}

impl<A, G, F> Making<A, G, F> {
    pub(super) const fn new(args: A, tags: G, fill: F) -> Self {
        Self { args, tags, fill }
    }
}

impl<'a, T: Any + Clone + Send + Sync> Trip<'a, T> {
    pub(super) fn new(engine: &'a Engine, values: &'a Values<T>, key: Key, luck: f64) -> Self {
        Self {
            engine,
            values,
            key,
            tags: Vec::new(),
            luck,
            reason: MissReason::Absent,
            timed: false,
            before: None,
        }
    }

    pub(super) fn core(&self) -> &'a Arc<Core> {
        self.engine.core()
    }

    pub(super) fn name(&self) -> &str {
        &self.values.policy.name
    }

    /// `absent` is why there is nothing, where that was found by now.
    pub(super) async fn answer<A, E, G, F, W>(
        mut self,
        making: Making<A, G, F>,
        mut absent: Option<MissReason>,
    ) -> Result<T, E>
    where
        G: FnOnce(&A) -> Vec<Tag>,
        F: FnOnce(A) -> W,
        W: Work<T, E>,
    {
        let Making { args, tags, fill } = making;
        let mut tags = Some(tags);
        let mut name = |trip: &mut Self, args: &A| {
            if let Some(tags) = tags.take() {
                trip.name_tags(tags(args));
            }
        };
        let start = Instant::now();
        let until = start + self.values.policy.wait.min(LONGEST);
        let mut first = Some(start);
        for _ in 0..JOINS {
            let began = first.take().unwrap_or_else(Instant::now);
            let decision = match absent.take() {
                Some(reason) => Decision::Fill(reason, None),
                None => self.look_timed().await,
            };
            if let Decision::Hit(entry) = &decision
                && let Some(value) = self.values.hit(entry)
            {
                return Ok(value);
            }
            match decision {
                Decision::HitAndRefresh(entry) => {
                    if let Some(value) = self.values.hit(&entry) {
                        name(&mut self, &args);
                        self.refresh("early", &entry, || fill(args)).await;
                        return Ok(value);
                    }
                }
                Decision::Stale(entry) if W::DETACHES => {
                    let now = self.core().clock.now();
                    if let Some(value) = self.values.stale(&entry, now, Outcome::StaleSwr, "swr") {
                        name(&mut self, &args);
                        self.refresh("swr", &entry, || fill(args)).await;
                        return Ok(value);
                    }
                }
                Decision::Hit(entry) | Decision::Stale(entry) => {
                    (self.reason, self.before) = (MissReason::Expired, Some(entry));
                }
                Decision::Fill(reason, before) => (self.reason, self.before) = (reason, before),
            }
            let early = match self.wait_early(began, until).await {
                Some((_, Waited::Value(value))) => return Ok(value),
                Some((_, Waited::Again)) => continue,
                Some((fingerprint, Waited::Alone(leader))) => Some((fingerprint, leader)),
                None => None,
            };
            name(&mut self, &args);
            let Some(capture) = self.capture_unless_failed().await else {
                drop(early);
                // Beyond the wait it goes on: it must not fail because the cache did.
                let _permit = timeout_at(until, self.core().unaided.acquire()).await;
                return self.make(fill(args), None, None).await;
            };
            let soft = self.soft::<W, E>().await;
            let limit = soft.map_or(until, |soft| until.min(Instant::now() + soft));
            let wait = (began, limit, soft.is_some());
            let waited = self.join_or_lead(early, &capture, wait).await;
            let leader = match waited {
                Waited::Value(value) => return Ok(value),
                Waited::Again => continue,
                Waited::Alone(leader) => leader,
            };
            return self.make_as_told(|| fill(args), leader, capture).await;
        }
        // Each value that it waited for was overtaken by an invalidation, or could not be made.
        name(&mut self, &args);
        let capture = self.capture().await;
        self.make(fill(args), None, capture).await
    }

    /// Waits for the one who makes the value, or takes the lead; `early` is the lead, if there is one, with which this call
    /// left the flight of a fingerprint.
    async fn join_or_lead(
        &mut self,
        early: Option<(u64, Lead)>,
        capture: &Capture,
        wait: (Instant, Instant, bool),
    ) -> Waited<T> {
        let waited = match early {
            // One of its tags was forgotten while it waited: what that flight makes would be of no use.
            Some((fingerprint, Some(_))) if fingerprint != capture.fingerprint() => return Waited::Again,
            Some((_, leader)) => Waited::Alone(leader),
            None => match self.join(capture) {
                Role::Leader(leader) => Waited::Alone(Some(lead::Lead::new(leader))),
                Role::Waiter(waiter) => self.wait(waiter, wait, Some(capture)).await,
            },
        };
        match waited {
            Waited::Alone(Some(leader)) => self.take_lead(leader, capture, wait.1).await,
            waited => waited,
        }
    }

    /// Waits for the flight that this call would join, where that is known without its tags and their stamps; with the
    /// fingerprint of that.
    async fn wait_early(&mut self, began: Instant, until: Instant) -> Option<(u64, Waited<T>)> {
        // What stands in for a value that cannot be made has its own limits.
        if self.before.is_some() || self.reason.is_failure() {
            return None;
        }
        let core = self.core();
        let fingerprint = core.fingerprints.known(self.hash(), core.store.pulse()?)?;
        let waiter = core.flights.wait_for(&(self.key.clone(), fingerprint))?;
        Some((fingerprint, self.wait(waiter, (began, until, false), None).await))
    }

    /// Makes the value, in the way that the policy and the call say.
    async fn make_as_told<E, F, W>(self, fill: F, leader: Lead, capture: Capture) -> Result<T, E>
    where
        F: FnOnce() -> W,
        W: Work<T, E>,
    {
        if let Some(soft) = self.soft::<W, E>().await {
            return self.make_softly(fill, leader, capture, soft).await;
        }
        if W::OUTLIVES {
            return self.make_to_its_end(fill, leader, capture).await;
        }
        self.make(fill(), leader, Some(capture)).await
    }

    /// Looks the value up, and decides.
    pub(super) async fn look(&self) -> Decision<HeldValue> {
        let core = self.core();
        let found = core.ask(core.store.lookup(self.key.as_bytes())).await;
        let now = core.clock.now();
        let early = self.values.policy.early_refresh;
        decide(self.values.found(found), early, None, now, self.luck)
    }

    /// The same, and counts how long it took.
    async fn look_timed(&mut self) -> Decision<HeldValue> {
        let (began, chosen) = (std::time::Instant::now(), Metrics::timer().is_some());
        let decision = self.look().await;
        let metrics = (&self.values.policy.metrics, self.name());
        decision.looked_up(metrics, began, chosen, self.core().clock.now());
        self.timed = true;
        decision
    }

    /// The stamps of all tags that are known by now.
    pub(super) async fn capture(&self) -> Option<Capture> {
        let core = self.core();
        core.ask(core.store.capture(&self.tags)).await.ok()
    }

    /// The same, where the store is of help.
    async fn capture_unless_failed(&mut self) -> Option<Capture> {
        if self.reason.is_failure() {
            return None;
        }
        let capture = self.capture().await;
        if capture.is_none() {
            self.reason = MissReason::TierError;
        }
        capture
    }

    /// Those of the policy, `own`, which follow from the arguments, and that of the key.
    fn name_tags(&mut self, own: Vec<Tag>) {
        self.tags.clone_from(&self.values.policy.tags);
        self.tags.extend(own);
        self.tags.push(Tag::key(self.key.as_bytes()));
    }

    pub(super) fn join(&self, capture: &Capture) -> Role<FlightKey, Flight> {
        let core = self.core();
        if let Some(pulse) = capture.pulse() {
            core.fingerprints.note(self.hash(), pulse, capture.fingerprint());
        }
        core.flights.join((self.key.clone(), capture.fingerprint()))
    }

    fn hash(&self) -> u64 {
        xxh3_64(self.key.as_bytes())
    }

    /// Takes the lead, here and among processes, unless another's value is there by now: an earlier flight may have ended
    /// between the look-up and the joining.
    async fn take_lead(&mut self, leader: lead::Lead, capture: &Capture, until: Instant) -> Waited<T> {
        let taken = if self.values.policy.fills_once_everywhere() {
            leader
                .take(self.core(), self.name(), &self.key, capture, until)
                .await
        } else {
            Taken::Own(leader)
        };
        let (leader, waited) = match taken {
            Taken::Own(leader) => (leader, false),
            Taken::There(leader) => (leader, true),
            Taken::Unshared(leader) => {
                leader.release();
                return Waited::Alone(None);
            }
        };
        let found = if self.timed {
            self.look().await
        } else {
            self.look_timed().await
        };
        if let Decision::Hit(entry) | Decision::HitAndRefresh(entry) = found
            && let Some(value) = self.values.hit(&entry)
        {
            leader.land(Flight::Kept, TurnEnd::Made);
            return Waited::Value(value);
        }
        if waited {
            // What was made was overtaken by an invalidation.
            leader.land(Flight::Kept, TurnEnd::Left);
            return Waited::Again;
        }
        Waited::Alone(Some(leader))
    }

    /// Whether what was found before may be served in the place of a new value.
    pub(super) async fn stands_in(&self) -> Option<&HeldValue> {
        let core = self.core();
        let entry = self.before.as_ref()?;
        let known = core.is_known(&entry.0).await;
        (known && may_stand_in(entry.lifetime(), core.clock.now(), Duration::ZERO)).then_some(entry)
    }

    /// How long this call waits before it is answered with what was found before, if it may be.
    async fn soft<W: Work<T, E>, E>(&self) -> Option<Duration> {
        let soft = self.values.policy.soft_timeout.filter(|_| W::DETACHES)?;
        self.stands_in().await.map(|_| soft.min(LONGEST))
    }

    pub(super) fn stale(&self, outcome: Outcome, cause: &'static str) -> Option<T> {
        let entry = self.before.as_ref()?;
        let now = self.core().clock.now();
        self.values.stale(entry, now, outcome, cause)
    }

    /// Waits for the one who makes the value; `soft` is whether a stale one stands in after the `limit`. `joined` are the
    /// stamps with which this call joined, if it has taken any.
    async fn wait(
        &mut self,
        waiter: larder_store::Waiter<FlightKey, Flight>,
        (began, limit, soft): (Instant, Instant, bool),
        joined: Option<&Capture>,
    ) -> Waited<T> {
        let landing = timeout_at(limit, waiter).await;
        let (word, waited) = match landing {
            Ok(Landing::Landed(flight)) => {
                self.count_wait(WITH_A_VALUE, began);
                return match self.landed(flight, joined).await {
                    Some(value) => Waited::Value(value),
                    None => Waited::Again,
                };
            }
            Ok(Landing::Leads(leader)) => ("leader_failed", Waited::Alone(Some(lead::Lead::new(leader)))),
            Ok(Landing::Released) => ("released", Waited::Alone(None)),
            Err(_) => ("timeout", Waited::Alone(None)),
        };
        self.count_wait(word, began);
        // The stale value is for who waited long enough, unless it was forgotten meanwhile.
        if soft
            && word == "timeout"
            && self.stands_in().await.is_some()
            && let Some(value) = self.stale(Outcome::StaleSwr, "soft_timeout")
        {
            return Waited::Value(value);
        }
        waited
    }

    fn count_wait(&self, word: &'static str, began: Instant) {
        let metrics = &self.values.policy.metrics;
        metrics.waited(self.name(), word, began.elapsed());
    }

    /// The value that another made, if it is for this call.
    async fn landed(&mut self, flight: Flight, joined: Option<&Capture>) -> Option<T> {
        let core = self.core();
        let (entry, valid) = match flight {
            // An invalidation may have come after this call joined; and some tags are known only now.
            Flight::Value(entry) => {
                let validity = core.ask(core.store.validity(&entry)).await;
                (entry, matches!(validity, Ok(Validity::Valid)))
            }
            Flight::Unkept(entry, pulse) => (entry, self.is_unforgotten(pulse, joined).await),
            Flight::Failed(_) => {
                self.stands_in().await?;
                return self.stale(Outcome::StaleError, "error");
            }
            Flight::Made(_) | Flight::Kept => return None,
        };
        if !valid {
            return None;
        }
        self.values
            .serve(&HeldValue(entry, Tier::Memory), Outcome::Coalesced)
    }

    /// Whether a value that has no stamps of its own may be this call's: nothing at all was forgotten since its making
    /// began, at `pulse`; or the stamps with which this call joined are still what they were.
    async fn is_unforgotten(&self, pulse: Option<u64>, joined: Option<&Capture>) -> bool {
        if pulse.is_some() && pulse == self.core().store.pulse() {
            return true;
        }
        let Some(joined) = joined else { return false };
        let now = self.capture().await;
        now.is_some_and(|now| now.fingerprint() == joined.fingerprint())
    }

    /// Makes the value here. `leader` frees those who wait, however this ends.
    async fn make<E>(
        mut self,
        work: impl Future<Output = Result<T, E>>,
        leader: Lead,
        capture: Option<Capture>,
    ) -> Result<T, E> {
        self.values.policy.metrics.miss(self.name(), self.reason);
        let core = self.core();
        let values = self.values;
        let policy = &*values.policy;
        tracing::debug!(cache = &*policy.name, reason = self.reason.as_str(), "filling");
        let began = core.clock.now();
        let result = {
            let _inflight = policy.metrics.load(&policy.name);
            work.await
        };
        let load = Load {
            began,
            ended: core.clock.now(),
        };
        let word = if result.is_ok() { "ok" } else { "error" };
        let took = load.ended.since(began);
        policy.pace.took(took);
        policy
            .metrics
            .ended(&policy.name, "foreground", word, took, core.slow_fill());
        match result {
            Ok(value) => {
                let made = Made {
                    key: self.key.clone(),
                    value: value.clone(),
                    tags: std::mem::take(&mut self.tags),
                    load,
                    capture,
                };
                let kept = values.keep(core, made).await;
                let outcome = match &kept {
                    Keeping::Judged(_, larder_store::Kept::Stored) => Outcome::Miss,
                    _ => Outcome::Uncacheable,
                };
                values.count(outcome);
                land(leader, kept);
                Ok(value)
            }
            Err(error) => {
                if self.stands_in().await.is_some()
                    && let Some(value) = self.stale(Outcome::StaleError, "error")
                {
                    if let Some(leader) = leader {
                        leader.land(Flight::Failed(Failure::Unreachable), TurnEnd::Unshared);
                    }
                    return Ok(value);
                }
                values.count(Outcome::Uncacheable);
                if let Some(leader) = leader {
                    leader.release();
                }
                Err(error)
            }
        }
    }
}

/// Frees those who wait, with what they may have of it.
pub(super) fn land(leader: Lead, kept: Keeping) {
    let Some(leader) = leader else { return };
    match kept {
        Keeping::Judged(entry, kept) => leader.land(Flight::Value(entry), end_of(kept)),
        Keeping::Not(Some(unkept)) => leader.land(unkept, TurnEnd::Unshared),
        Keeping::Not(None) => leader.release(),
    }
}
