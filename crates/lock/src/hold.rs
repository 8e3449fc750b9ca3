//! A lock that is held: its term, its extension, and its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use crate::attempt::{Attempt, Late};
use crate::metrics::{self, ExtendResult};
use crate::name::Lock;
use crate::node::{Extend, Extension, Release};
use crate::nodes::Nodes;
use crate::options::LockOptions;
use crate::outcome::LossCause;
use crate::queue::Place;
use crate::removal::Takeback;
use crate::round::Round;
use crate::token::FencingToken;
use crate::validity;

/// How much sooner than the end of its validity a hold is called lost: timers have the precision of a millisecond, and who
/// holds the lock has to hear of the loss before the end.
const NOTICE: Duration = Duration::from_millis(1);

/// One lock, held.
pub(crate) struct Hold {
    pub(crate) lock: Lock,
    nodes: Arc<Nodes>,
    release: Arc<Release>,
    ttl: Duration,
    patience: Duration,
    acquired: Instant,
    /// Where extension ends.
    pub(crate) hard_end: Instant,
    at_least_until: Instant,
    term: watch::Sender<Term>,
    #[cfg(larder_mutant = "lock_release_where_noticed")]
    noticed: Vec<usize>,
}

/// How long a hold lasts, as far as is known.
#[derive(Debug, Clone, Copy)]
struct Term {
    valid_until: Instant,
    lost: Option<LossCause>,
    /// Released: nothing is extended any more.
    ended: bool,
}

impl Hold {
    /// The hold of an attempt that was won.
    pub(crate) fn new(attempt: &Attempt, lock: Lock, options: &LockOptions, valid_until: Instant) -> Self {
        let acquired = Instant::now();
        let hard_end = acquired + options.max_hold;
        metrics::held(lock.label());
        Self {
            lock,
            nodes: Arc::clone(&attempt.nodes),
            release: attempt.release_request(true),
            ttl: attempt.ttl,
            patience: attempt.patience,
            acquired,
            hard_end,
            at_least_until: acquired + options.at_least_for,
            term: watch::Sender::new(Term {
                valid_until: valid_until.min(hard_end),
                lost: None,
                ended: false,
            }),
            #[cfg(larder_mutant = "lock_release_where_noticed")]
            noticed: attempt.suspects(),
        }
    }

    pub(crate) fn token(&self) -> FencingToken {
        self.release.token
    }

    pub(crate) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn quorum(&self) -> usize {
        self.nodes.quorum()
    }

    pub(crate) const fn ttl(&self) -> Duration {
        self.ttl
    }

    pub(crate) fn valid_until(&self) -> Instant {
        self.term.borrow().valid_until
    }

    pub(crate) fn remaining(&self) -> Duration {
        let term = *self.term.borrow();
        if term.lost.is_some() {
            return Duration::ZERO;
        }
        term.valid_until.saturating_duration_since(Instant::now())
    }

    /// How the lock was lost, if it was: also when its validity has ended and nobody has noticed yet.
    pub(crate) fn loss(&self) -> Option<LossCause> {
        let term = *self.term.borrow();
        let unchecked = cfg!(larder_mutant = "lock_validity_unchecked");
        if term.lost.is_none() && !term.ended && Instant::now() >= term.valid_until && !unchecked {
            self.lose(self.cause_at_end(term.valid_until));
            return self.term.borrow().lost;
        }
        term.lost
    }

    /// Declares the lock lost, unless it has been before, or was released.
    pub(crate) fn lose(&self, cause: LossCause) {
        if !self.is_ended() {
            self.declare_lost(cause);
        }
    }

    /// Declares a lock lost that was released, and turned out not to be there.
    pub(crate) fn found_lost(&self) {
        self.declare_lost(LossCause::NotOwner);
    }

    fn declare_lost(&self, cause: LossCause) {
        let first = self.term.send_if_modified(|term| {
            let first = term.lost.is_none();
            term.lost = term.lost.or(Some(cause));
            first
        });
        if first {
            metrics::lost(self.lock.label(), cause);
            tracing::warn!(lock = self.lock.kind(), cause = cause.as_str(), "a lock was lost");
        }
    }

    /// Waits until the lock is lost. Also ends, at the latest, when its validity does; never if it is released first.
    pub(crate) async fn lost(&self) -> LossCause {
        let mut term = self.term.subscribe();
        loop {
            let now = *term.borrow_and_update();
            if let Some(cause) = now.lost {
                return cause;
            }
            if now.ended {
                return std::future::pending().await;
            }
            tokio::select! {
                // The sender lives in `self`.
                _ = term.changed() => {}
                () = sleep_until(now.valid_until - NOTICE) => {
                    if self.valid_until() == now.valid_until {
                        self.lose(self.cause_at_end(now.valid_until));
                    }
                }
            }
        }
    }

    fn cause_at_end(&self, valid_until: Instant) -> LossCause {
        if valid_until >= self.hard_end {
            LossCause::MaxHold
        } else {
            LossCause::Expired
        }
    }

    /// Asks all nodes for another `ttl`, and says what a majority answered. A failure takes nothing away.
    pub(crate) async fn extend(&self) -> ExtendResult {
        let begun = Instant::now();
        let result = match self.ask_to_extend(self.ttl).await {
            ExtendResult::Extended => self.renew(validity::until(begun, self.ttl)),
            failure => failure,
        };
        metrics::extension(self.lock.label(), result);
        result
    }

    /// Asks all nodes to let the lock run for `ttl` from now on, and says what a majority answered.
    async fn ask_to_extend(&self, ttl: Duration) -> ExtendResult {
        let request = Arc::new(Extend::new(
            Arc::clone(&self.release.key),
            self.release.owner,
            ttl,
        ));
        let mut round = Round::new();
        for node in 0..self.nodes.len() {
            round.call(node, self.nodes.extend(node, &request));
        }
        let deadline = Instant::now() + self.patience;
        let (nodes, quorum) = (self.nodes.len(), self.nodes.quorum());
        let enough = if cfg!(larder_mutant = "lock_extend_minority") {
            (quorum - 1).max(1)
        } else {
            quorum
        };
        let (mut extended, mut not_owner, mut answers) = (0, 0, 0);
        while let Ok(Some((_, answer))) = timeout_at(deadline, round.next()).await {
            answers += 1;
            match answer {
                Ok(Extension::Extended) => extended += 1,
                Ok(Extension::NotOwner) => not_owner += 1,
                Err(_) => {}
            }
            if extended >= enough || not_owner > nodes - quorum || answers == nodes {
                break;
            }
        }
        if !round.is_empty() {
            // Nodes that take longer are to be extended as well.
            let (patience, mut round) = (self.ttl, round);
            drop(tokio::spawn(async move {
                let _ = timeout(patience, async { while round.next().await.is_some() {} }).await;
            }));
        }
        if extended >= enough {
            ExtendResult::Extended
        } else if not_owner > nodes - quorum {
            ExtendResult::NotOwner
        } else {
            ExtendResult::NoQuorum
        }
    }

    /// Moves the end of validity, unless it has come before.
    fn renew(&self, until: Instant) -> ExtendResult {
        let until = until.min(self.hard_end);
        let now = Instant::now();
        let mut in_time = false;
        self.term.send_if_modified(|term| {
            let unchecked = cfg!(larder_mutant = "lock_validity_unchecked");
            in_time =
                (now < term.valid_until && now < until || unchecked) && term.lost.is_none() && !term.ended;
            if in_time {
                term.valid_until = term.valid_until.max(until);
            }
            in_time
        });
        if in_time {
            ExtendResult::Extended
        } else {
            ExtendResult::NoQuorum
        }
    }

    /// Marks the end; false if it was marked before.
    pub(crate) fn end(&self) -> bool {
        let left = self.remaining();
        let first = self
            .term
            .send_if_modified(|term| !std::mem::replace(&mut term.ended, true));
        if first {
            metrics::ended(self.lock.label(), self.acquired.elapsed(), left);
        }
        first
    }

    fn is_ended(&self) -> bool {
        self.term.borrow().ended
    }

    /// The release: at every node, whatever it has answered.
    pub(crate) fn take_back(&self, place: Option<Place>) -> Takeback {
        #[cfg(larder_mutant = "lock_release_where_noticed")]
        let at = self.noticed.clone();
        #[cfg(not(larder_mutant = "lock_release_where_noticed"))]
        let at = (0..self.nodes.len()).collect();
        let mut takeback = self.take_back_at(at, None);
        if place.as_ref().is_some_and(Place::is_followed) {
            let release = Release::clone(&self.release).waiter(Some(self.nodes.waiter));
            takeback.request = Arc::new(release);
        }
        takeback.place = place;
        takeback
    }

    fn take_back_at(&self, at: Vec<usize>, place: Option<Place>) -> Takeback {
        Takeback {
            nodes: Arc::clone(&self.nodes),
            request: Arc::clone(&self.release),
            at,
            patience: self.patience,
            until: Instant::now() + self.ttl,
            place,
        }
    }

    /// Whether the nodes keep the lock after the holder is done.
    pub(crate) fn is_to_be_left(&self) -> bool {
        Instant::now() < self.at_least_until
    }

    /// Leaves the votes with the nodes for the rest of `at_least_for`.
    pub(crate) async fn leave(self: Arc<Self>, place: Option<Place>) {
        while Instant::now() < self.valid_until() {
            let rest = self.at_least_until.saturating_duration_since(Instant::now());
            let ttl = Duration::from_millis(u64::try_from(rest.as_millis()).unwrap_or(u64::MAX).max(1));
            match self.ask_to_extend(ttl).await {
                ExtendResult::NoQuorum => {
                    sleep(self.nodes.entropy.between(self.ttl / 40, self.ttl / 20)).await;
                }
                _ => return drop(place),
            }
        }
        let lock = self.lock.kind();
        tracing::warn!(
            lock,
            "no majority of nodes was told to keep a lock for at_least_for"
        );
    }

    /// Waits for the answers of nodes that were not needed to win. What they grant after the end is taken back.
    pub(crate) async fn linger(self: Arc<Self>, mut late: Late) {
        let until = Instant::now() + self.ttl;
        while let Ok(Some(node)) = timeout_at(until, late.granted()).await {
            if self.is_ended() {
                self.take_back_at(vec![node], None).start(&Handle::current());
            }
        }
    }
}
