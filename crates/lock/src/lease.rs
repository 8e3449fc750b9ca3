//! What the holder of locks has in hand: the lease, and the guard for those who acquire and release by hand.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::held::Held;
use crate::hold::Hold;
use crate::metrics::ExtendResult;
use crate::name::Lock;
use crate::outcome::LossCause;
use crate::removal::Removals;
use crate::token::FencingToken;

/// What is known about the locks while they are held. Clones are about the same locks; none of them keeps them.
#[derive(Clone)]
pub struct Lease {
    /// Empty if the closure runs unlocked.
    holds: Arc<[Arc<Hold>]>,
}

impl Lease {
    pub(crate) fn new(held: &[Held]) -> Self {
        Self {
            holds: held.iter().map(|held| Arc::clone(&held.hold)).collect(),
        }
    }

    pub(crate) fn unlocked() -> Self {
        Self { holds: Arc::new([]) }
    }

    /// The token to pass to what the lock protects: see [`FencingToken`]. With several locks that of the first in the order
    /// of their keys; take [`fencing_token_of`](Self::fencing_token_of) then.
    ///
    /// In a run without a lock it is [`FencingToken::UNFENCED`].
    #[must_use]
    pub fn fencing_token(&self) -> FencingToken {
        self.holds
            .first()
            .map_or(FencingToken::UNFENCED, |hold| hold.token())
    }

    /// The token of one of several locks, in whichever mode it is held; `None` if `lock` is not among them.
    #[must_use]
    pub fn fencing_token_of(&self, lock: &Lock) -> Option<FencingToken> {
        let hold = self.holds.iter().find(|hold| hold.lock.key() == lock.key())?;
        Some(hold.token())
    }

    /// Waits until the lock is lost, and tells how. It is told a millisecond before the validity ends at the latest, if
    /// the runtime gets to run. Pending for ever if the lock is released first, and in a run without a lock.
    ///
    /// ```
    /// # async fn example(lease: larder_lock::Lease) {
    /// # async fn work() {}
    /// tokio::select! {
    ///     () = work() => {}
    ///     cause = lease.lost() => println!("stopped, because {cause}"),
    /// }
    /// # }
    /// ```
    pub async fn lost(&self) -> LossCause {
        let mut losses: Vec<Pin<Box<dyn Future<Output = LossCause> + Send + '_>>> = Vec::new();
        for hold in self.holds.iter() {
            losses.push(Box::pin(hold.lost()));
        }
        poll_fn(|cx| {
            let first = losses.iter_mut().find_map(|loss| match loss.as_mut().poll(cx) {
                Poll::Ready(cause) => Some(cause),
                Poll::Pending => None,
            });
            first.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// How the lock was lost, if it was.
    #[must_use]
    pub fn loss(&self) -> Option<LossCause> {
        self.holds.iter().find_map(|hold| hold.loss())
    }

    /// How long the lock stays valid if it is not extended; zero once it is lost, and in a run without a lock.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.holds
            .iter()
            .map(|hold| hold.remaining())
            .min()
            .unwrap_or_default()
    }

    /// Whether there is a lock: false only in a run that
    /// [`OnUnavailable::RunUnlocked`](crate::OnUnavailable::RunUnlocked) allowed.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        !self.holds.is_empty()
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field(
                "locks",
                &self.holds.iter().map(|hold| &hold.lock).collect::<Vec<_>>(),
            )
            .field("fencing_token", &self.fencing_token())
            .field("remaining", &self.remaining())
            .field("loss", &self.loss())
            .finish()
    }
}

/// Locks that are held until the guard is released or dropped.
///
/// Dropping it releases the locks as well, in a task of their runtime; only a runtime that shuts down, or a process that is
/// killed, leaves them to run out. Prefer [`Locker::with_lock`](crate::Locker::with_lock), which also tells whether the lock
/// was held to the end.
#[must_use = "to drop a guard is to release the lock"]
pub struct LockGuard {
    held: Vec<Held>,
    lease: Lease,
}

/// What came of [`LockGuard::release`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Released {
    /// The lock was held until now and is free.
    Freed,
    /// The lock was held until now, and stays taken for the rest of
    /// [`at_least_for`](crate::LockOptions::at_least_for).
    Kept,
    /// The lock was held until now, but no majority of nodes has confirmed that it is free. It is tried again in the
    /// background, and runs out at the end of its `ttl` in any case.
    Unconfirmed,
    /// The lock had been lost.
    Lost(LossCause),
}

impl LockGuard {
    pub(crate) fn new(held: Vec<Held>) -> Self {
        let lease = Lease::new(&held);
        Self { held, lease }
    }

    /// The lease: fencing token, time left, and loss.
    #[must_use]
    pub fn lease(&self) -> Lease {
        self.lease.clone()
    }

    /// Extends the locks by their `ttl` from now on, within `max_hold`. For those who switched
    /// [`auto_extend`](crate::LockOptions::auto_extend) off.
    ///
    /// # Errors
    ///
    /// With the cause when a lock is lost. While validity lasts and no majority answers, it is
    /// [`LossCause::Quorum`], and the lock is **not** lost yet: [`Lease::remaining`] tells how long there is to try again.
    pub async fn extend(&self) -> Result<Duration, LossCause> {
        for held in &self.held {
            let result = held.hold.extend().await;
            if result == ExtendResult::NotOwner {
                held.hold.lose(LossCause::NotOwner);
            }
            if let Some(cause) = held.hold.loss() {
                return Err(cause);
            }
            if result == ExtendResult::NoQuorum {
                return Err(LossCause::Quorum);
            }
        }
        Ok(self.lease.remaining())
    }

    /// Releases the locks and waits until a majority of nodes has answered, or the per-node timeout is over. To drop this
    /// future does not stop the release.
    pub async fn release(self) -> Released {
        let loss = self.lease.loss();
        let confirmed = self.let_go().await;
        if let (Some(cause), false) = (loss, cfg!(larder_mutant = "lock_ok_after_loss")) {
            return Released::Lost(cause);
        }
        confirmed
    }

    async fn let_go(self) -> Released {
        // All at once, and all of them before the first wait.
        let answers: Vec<_> = self
            .held
            .into_iter()
            .map(|held| (Arc::clone(&held.hold), held.release()))
            .collect();
        let mut released = Released::Freed;
        for (hold, answer) in answers {
            let Some(answer) = answer else {
                released = Released::Kept;
                continue;
            };
            let Removals {
                removed, not_owner, ..
            } = answer.await.unwrap_or_default();
            if not_owner > hold.nodes() - hold.quorum() {
                // More than those that may have voted too late to be counted.
                hold.found_lost();
                released = Released::Lost(LossCause::NotOwner);
            } else if removed + not_owner < hold.quorum() && released == Released::Freed {
                released = Released::Unconfirmed;
            }
        }
        released
    }
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LockGuard").field(&self.lease).finish()
    }
}
