//! An acquisition: attempts until the lock is won or the wait is over, at whose every point one may leave.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use crate::attempt::{Attempt, Terms, Verdict};
use crate::held::Held;
use crate::hold::Hold;
use crate::listener::Listener;
use crate::name::{Lock, LockMode};
use crate::nodes::Nodes;
use crate::options::LockOptions;
use crate::outcome::LockError;
use crate::queue::Place;
use crate::token::Waiter;
use crate::watchdog;

/// How long a waiter sleeps at most before it asks the nodes again, in case that it missed a release; at least half of it.
const POLL: Duration = Duration::from_secs(2);

/// How long a waiter leaves a lock to the one that nodes have named, before it asks all the same; at least half of it. Who was
/// named may be gone.
const PASSED_OVER: Duration = Duration::from_millis(10);

/// How long a waiter for the whole lock keeps others from sharing it after it last asked: until it asks again, and a bit more.
const BAR: Duration = Duration::from_millis(2_500);

/// After the expiry of another's vote: nodes count in milliseconds.
const AFTER_EXPIRY: Duration = Duration::from_millis(2);

/// The longest pause after the first attempt that nobody won; doubled with each further one.
const SPLIT_PAUSE: Duration = Duration::from_millis(4);

/// For how long those go on at most whose votes are split and who do not wait.
const SPLIT_PATIENCE: Duration = Duration::from_secs(1);

/// The longest pause after the first attempt that found no majority; doubled with each further one.
const UNAVAILABLE_PAUSE: Duration = Duration::from_millis(50);

/// The longest of all pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// An acquisition of one lock, which has the turn in this process's queue. When it is dropped half way, what it has is taken
/// back by a task, and the next in the queue has its turn after that.
pub(crate) struct Acquisition<'a> {
    tries: Tries<'a>,
    place: Option<Place>,
    /// It may be dropped where there is no runtime.
    runtime: Handle,
}

impl<'a> Acquisition<'a> {
    pub(crate) fn new(
        nodes: &'a Arc<Nodes>,
        lock: &'a Lock,
        options: &'a LockOptions,
        deadline: Instant,
        place: Place,
    ) -> Self {
        Self {
            tries: Tries::new(nodes, lock, options, deadline, place.is_passed_over()),
            place: Some(place),
            runtime: Handle::current(),
        }
    }

    pub(crate) async fn run(mut self) -> Result<Held, LockError> {
        // What was granted to an attempt that failed is being taken back, before whatever the next in the queue sends.
        let valid_until = self.tries.until_won().await?;
        let Tries { lock, options, .. } = self.tries;
        match (self.tries.attempt.take(), self.place.take()) {
            (Some(attempt), Some(place)) => Ok(hold(attempt, lock.clone(), options, valid_until, place)),
            // The attempt that was won is there, and so is the place.
            _ => Err(LockError::busy(Duration::ZERO)),
        }
    }
}

impl Drop for Acquisition<'_> {
    fn drop(&mut self) {
        let attempt = self.tries.attempt.take();
        let Some(attempt) = attempt.filter(|_| !cfg!(larder_mutant = "lock_cancel_leaks")) else {
            return;
        };
        let _context = self.runtime.enter();
        if let Some(undone) = attempt.undo(false) {
            let place = self.place.take();
            drop(self.runtime.spawn(async move {
                let _ = undone.await;
                drop(place);
            }));
        }
    }
}

/// Makes a hold of an attempt that was won.
fn hold(attempt: Attempt, lock: Lock, options: &LockOptions, valid_until: Instant, place: Place) -> Held {
    let nodes = Arc::clone(&attempt.nodes);
    let hold = Arc::new(Hold::new(&attempt, lock, options, valid_until));
    place.holds_until(Some(hold.valid_until()));
    let watchdog = options
        .auto_extend
        .then(|| tokio::spawn(watchdog::watch(Arc::clone(&hold), nodes)).abort_handle());
    let late = attempt.into_late();
    if !late.is_empty() {
        drop(tokio::spawn(Arc::clone(&hold).linger(late)));
    }
    Held::new(hold, watchdog, place)
}

/// Attempt after attempt.
struct Tries<'a> {
    nodes: &'a Arc<Nodes>,
    lock: &'a Lock,
    options: &'a LockOptions,
    deadline: Instant,
    /// The attempt under way, or the one that was won. Not in the future that runs it: that one may be dropped.
    attempt: Option<Attempt>,
    /// The lock was released in this process, and nodes have named somebody elsewhere.
    is_passed_over: bool,
    begun: Instant,
    failures: u32,
}

impl<'a> Tries<'a> {
    fn new(
        nodes: &'a Arc<Nodes>,
        lock: &'a Lock,
        options: &'a LockOptions,
        deadline: Instant,
        is_passed_over: bool,
    ) -> Self {
        Self {
            nodes,
            lock,
            options,
            deadline,
            attempt: None,
            is_passed_over,
            begun: Instant::now(),
            failures: 0,
        }
    }

    /// Tries until the lock is won, and returns the end of its validity, or until the wait is over.
    async fn until_won(&mut self) -> Result<Instant, LockError> {
        let mut listener: Option<Listener> = None;
        if self.is_passed_over && self.waiter().is_some() {
            let listener = listener.insert(self.listen().await);
            let wake_at = self.when_passed_over();
            self.pause(Some(listener), wake_at).await;
        }
        loop {
            if let Some(listener) = &mut listener {
                listener.forget_the_past();
            }
            let attempt = Attempt::new(self.nodes, self.lock, self.terms());
            let verdict = self.attempt.insert(attempt).run().await;
            if let Verdict::Won { valid_until } = verdict {
                return Ok(valid_until);
            }
            let held = matches!(verdict, Verdict::Held { .. });
            if let Some(attempt) = self.attempt.take() {
                drop(attempt.undo(held));
            }
            let deadline = self.deadline_after(&verdict);
            if Instant::now() >= deadline {
                return Err(error_of(verdict));
            }
            let wake_at = match &verdict {
                Verdict::Held { .. } if listener.is_none() => {
                    listener = Some(self.listen().await);
                    // It may have been released just before.
                    continue;
                }
                Verdict::Held { retry_after } => {
                    if listener.as_ref().is_some_and(Listener::is_deaf) {
                        listener = Some(self.listen().await);
                    }
                    self.when_held(*retry_after)
                }
                Verdict::Split { retry_after } => self.when_split(*retry_after),
                _ => self.when_failed(UNAVAILABLE_PAUSE),
            };
            let listener = listener
                .as_mut()
                .filter(|_| matches!(verdict, Verdict::Held { .. }));
            self.pause(listener, wake_at.min(deadline)).await;
            if Instant::now() >= deadline {
                return Err(error_of(verdict));
            }
        }
    }

    async fn listen(&mut self) -> Listener {
        Listener::new(self.nodes, self.lock, self.options.patience()).await
    }

    /// Who is to be named when the lock becomes free: those who want to share it ask without being named.
    fn waiter(&self) -> Option<Waiter> {
        let waits = Instant::now() < self.deadline && self.lock.mode() == LockMode::Exclusive;
        waits.then_some(self.nodes.waiter)
    }

    fn terms(&self) -> Terms {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let bar = left.min(BAR).as_millis();
        let bar = Duration::from_millis(u64::try_from(bar).unwrap_or(u64::MAX));
        Terms {
            ttl: self.options.ttl,
            patience: self.options.patience(),
            bar,
            waiter: self.waiter(),
        }
    }

    /// Until when it is tried. If several ask at the same moment and none of them wins, then also those go on for a while
    /// who do not want to wait: nobody holds the lock that they would wait for.
    fn deadline_after(&self, verdict: &Verdict) -> Instant {
        match verdict {
            Verdict::Split { .. } => {
                let patience = self.options.patience().saturating_mul(4).min(SPLIT_PATIENCE);
                self.deadline.max(self.begun + patience)
            }
            _ => self.deadline,
        }
    }

    /// Waits until `wake_at`, or until a release is heard of after which it is this one's turn, or after which whoever was named
    /// has had time.
    async fn pause(&mut self, listener: Option<&mut Listener>, mut wake_at: Instant) {
        let Some(listener) = listener else {
            return sleep_until(wake_at).await;
        };
        let waiter = self.waiter();
        loop {
            tokio::select! {
                biased;
                is_our_turn = listener.rung(waiter) => {
                    if is_our_turn {
                        return;
                    }
                    listener.forget_the_past();
                    wake_at = self.when_passed_over().min(self.deadline);
                }
                () = sleep_until(wake_at) => return,
            }
        }
    }

    fn when_passed_over(&self) -> Instant {
        Instant::now() + self.nodes.entropy.between(PASSED_OVER / 2, PASSED_OVER)
    }

    /// When to ask again for a lock that is held: when the votes run out, or now and then.
    fn when_held(&mut self, retry_after: Duration) -> Instant {
        self.failures = 0;
        let poll = self.nodes.entropy.between(POLL / 2, POLL);
        Instant::now() + retry_after.saturating_add(AFTER_EXPIRY).min(poll)
    }

    /// When to try again after an attempt that nobody won. At the latest when a majority of the votes has run out that others
    /// have: they may be those of a process that was killed half way, which gives nothing back.
    fn when_split(&mut self, retry_after: Duration) -> Instant {
        let wake_at = self.when_failed(SPLIT_PAUSE);
        if retry_after.is_zero() {
            return wake_at;
        }
        // At random again: others may know the same end.
        let jitter = self.nodes.entropy.between(Duration::ZERO, SPLIT_PAUSE);
        let free_at = Instant::now().checked_add(retry_after.saturating_add(AFTER_EXPIRY + jitter));
        free_at.map_or(wake_at, |free_at| free_at.min(wake_at))
    }

    /// When to try again after an attempt that failed: at random, so that those who clash do not clash again.
    fn when_failed(&mut self, pause: Duration) -> Instant {
        let longest = (pause * 2_u32.pow(self.failures.min(10))).min(LONGEST_PAUSE);
        self.failures += 1;
        Instant::now() + self.nodes.entropy.between(Duration::ZERO, longest)
    }
}

fn error_of(verdict: Verdict) -> LockError {
    match verdict {
        Verdict::Unavailable(nodes) => LockError::unavailable(nodes),
        Verdict::Held { retry_after } | Verdict::Split { retry_after } => LockError::busy(retry_after),
        Verdict::Won { .. } => LockError::busy(Duration::ZERO),
    }
}
