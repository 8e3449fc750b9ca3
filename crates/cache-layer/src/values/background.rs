//! Work that goes on without its caller: what is made anew, and what took longer than its caller would wait.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use larder_store::{Capture, Role, TurnEnd};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::fill::{Lead, Trip, land};
use super::typed::{HeldValue, Made};
use super::work::{Owned, Then, Work};
use crate::cached::Held;
use crate::engine::{Failure, Flight};
use crate::flow::{Decision, LONGEST};
use crate::freshness::Load;
use crate::lead;
use crate::metrics::rare;
use crate::status::Outcome;

impl<T: Any + Clone + Send + Sync> Trip<'_, T> {
    /// Makes the value here for as long as `soft`: then the stale one is the answer, and the work goes on in the background.
    pub(super) async fn make_softly<E, F, W>(
        self,
        fill: F,
        leader: Lead,
        capture: Capture,
        soft: Duration,
    ) -> Result<T, E>
    where
        F: FnOnce() -> W,
        W: Work<T, E>,
    {
        let core = self.core();
        self.values.policy.metrics.miss(self.name(), self.reason);
        let (answer, made) = oneshot::channel();
        let Some(mut work) = fill().detach(self.then(leader, capture, None), Some(answer)) else {
            unreachable!("`soft` has no limit for work that does not detach");
        };
        if timeout(soft, &mut work).await.is_err() {
            if self.stands_in().await.is_some()
                && let Some(permit) = core.tasks.permit()
                && let Some(value) = self.stale(Outcome::StaleSwr, "soft_timeout")
            {
                core.tasks.spawn(permit, self.limited("soft_timeout", work));
                return Ok(value);
            }
            work.await;
        }
        self.made(made).await
    }

    /// Makes the value here, and in the background when this call is dropped.
    pub(super) async fn make_to_its_end<E, F, W>(
        self,
        fill: F,
        leader: Lead,
        capture: Capture,
    ) -> Result<T, E>
    where
        F: FnOnce() -> W,
        W: Work<T, E>,
    {
        self.values.policy.metrics.miss(self.name(), self.reason);
        let (answer, made) = oneshot::channel();
        let Some(work) = fill().detach(self.then(leader, capture, None), Some(answer)) else {
            unreachable!("only work that detaches outlives its caller");
        };
        UntilItsEnd {
            trip: &self,
            work: Some(work),
        }
        .await;
        self.made(made).await
    }

    /// The answer of a call whose work has ended.
    async fn made<E>(&self, mut made: oneshot::Receiver<Result<T, E>>) -> Result<T, E> {
        let Ok(result) = made.try_recv() else {
            unreachable!("work that has ended has told its answer");
        };
        if result.is_err()
            && self.stands_in().await.is_some()
            && let Some(value) = self.stale(Outcome::StaleError, "error")
        {
            return Ok(value);
        }
        let outcome = if result.is_ok() {
            Outcome::Miss
        } else {
            Outcome::Uncacheable
        };
        self.values.count(outcome);
        result
    }

    /// Makes the value anew in the background, unless another does.
    pub(super) async fn refresh<E, F, W>(self, trigger: &'static str, served: &HeldValue, fill: F)
    where
        F: FnOnce() -> W,
        W: Work<T, E>,
    {
        if !W::DETACHES {
            return;
        }
        let core = self.core();
        let (Some(permit), Some(capture)) = (core.tasks.permit(), self.capture().await) else {
            rare::refresh(self.name(), trigger, "refused");
            return;
        };
        let Role::Leader(leader) = self.join(&capture) else {
            return;
        };
        let leader = lead::Lead::new(leader);
        // An earlier fill may have replaced it already.
        if let Decision::Hit(entry) = self.look().await
            && entry.lifetime() != served.lifetime()
        {
            leader.land(Flight::Kept, TurnEnd::Made);
            return;
        }
        let leader = if self.values.policy.fills_once_everywhere() {
            leader.take_at_once(core, &self.key, &capture).await
        } else {
            Some(leader)
        };
        let Some(leader) = leader else { return };
        if let Some(work) = fill().detach(self.then(Some(leader), capture, Some(trigger)), None) {
            core.tasks.spawn(permit, self.limited(trigger, work));
        }
    }

    /// What is done with a value that a detached work made; `trigger` is why it is made anew, if nobody waits for it.
    fn then(&self, leader: Lead, capture: Capture, trigger: Option<&'static str>) -> Then<T> {
        let (engine, values) = (self.engine.clone(), self.values.clone());
        let stands_in = self.before.is_some();
        let (key, tags) = (self.key.clone(), self.tags.clone());
        let began = self.core().clock.now();
        let inflight = values.policy.metrics.load(&values.policy.name);
        Box::new(move |value| {
            Box::pin(async move {
                drop(inflight);
                let core = engine.core();
                let ended = core.clock.now();
                let word = if value.is_some() { "ok" } else { "error" };
                let name = &*values.policy.name;
                values.policy.pace.took(ended.since(began));
                let mode = trigger.map_or("foreground", |_| "background");
                let (metrics, took) = (&values.policy.metrics, ended.since(began));
                metrics.ended(name, mode, word, took, core.slow_fill());
                if let Some(trigger) = trigger {
                    rare::refresh(name, trigger, word);
                }
                match value {
                    Some(value) => {
                        let load = Load { began, ended };
                        let made = Made {
                            key,
                            value,
                            tags,
                            load,
                            capture: Some(capture),
                        };
                        land(leader, values.keep(core, made).await);
                    }
                    None => {
                        match leader {
                            // Those who wait have what this call has, which may stand in.
                            Some(leader) if stands_in => {
                                leader.land(Flight::Failed(Failure::Unreachable), TurnEnd::Unshared);
                            }
                            Some(leader) => leader.release(),
                            None => {}
                        }
                    }
                }
            })
        })
    }

    /// `work` within the limit of the background.
    fn limited(
        &self,
        trigger: &'static str,
        work: Owned,
    ) -> impl Future<Output = ()> + Send + 'static + use<T> {
        let name = Arc::clone(&self.values.policy.name);
        let limit = self.values.policy.background_timeout.min(LONGEST);
        async move {
            if timeout(limit, work).await.is_err() {
                rare::refresh(&name, trigger, "timeout");
            }
        }
    }
}

/// Work that is done here, and in the background from when this is dropped.
struct UntilItsEnd<'a, 'b, T: Any + Clone + Send + Sync> {
    trip: &'b Trip<'a, T>,
    work: Option<Owned>,
}

impl<T: Any + Clone + Send + Sync> Future for UntilItsEnd<'_, '_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Put back where it goes on; one that panics does not, and frees those who wait as it falls.
        let Some(mut work) = self.work.take() else {
            return Poll::Ready(());
        };
        if work.as_mut().poll(cx).is_pending() {
            self.work = Some(work);
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl<T: Any + Clone + Send + Sync> Drop for UntilItsEnd<'_, '_, T> {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        let core = self.trip.core();
        // Without a permit it is dropped, and one of those who wait takes over.
        if let Some(permit) = core.tasks.permit() {
            core.tasks.spawn(permit, self.trip.limited("outlived", work));
        }
    }
}
