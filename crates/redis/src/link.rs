//! The connection to a server: made in the background, given up when it fails, and the breaker at the same time.
//!
//! There is a connection, or there is none; while there is none, nobody waits for the server but invalidations. It is given
//! up at the first failure of the connection, or after a few operations in a row without an answer in time, and made again
//! by one task, which rests between its attempts. A new connection is used when the server has answered a probe within the
//! time that an operation may take, and has carried out all invalidations that are owed to it.

mod making;

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larder_store::{Condition, StoreError, StoreErrorKind};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};

use crate::board::Board;
use crate::budget::{Budget, LEASE, STRIKES};
use crate::metrics::{self, Breaker, Operation};
use crate::pending::{Invalidation, Pending};
use crate::protocol::{IntentId, Names, RecordId};
use crate::server::{Scope, Server};
use crate::source::Source;

/// A supervised connection to one server.
pub(crate) struct Link {
    pub(crate) source: Source,
    /// Where the connection that listens comes from, if from elsewhere.
    listened: Option<Source>,
    /// Where the server is, without a password.
    pub(crate) address: String,
    pub(crate) names: Names,
    pub(crate) budget: Budget,
    /// What is known without asking, where the server is listened to.
    pub(crate) board: Option<Board>,
    state: Mutex<State>,
    /// Counts the connections; who waits for one watches it.
    connections: watch::Sender<u64>,
    in_flight: Semaphore,
}

#[derive(Default)]
struct State {
    live: Option<Arc<Live>>,
    connecting: bool,
    rest: Duration,
    /// Why there is no connection.
    failure: Option<(StoreErrorKind, String)>,
    pending: Pending,
}

/// A connection that works, as far as is known.
pub(crate) struct Live {
    pub(crate) server: Server,
    strikes: AtomicU32,
    /// When it was asked last whether it is still the one, and was.
    confirmed: Mutex<Instant>,
}

impl Live {
    fn confirmed(&self) -> Instant {
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn confirm(&self, at: Instant) {
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

impl Link {
    pub(crate) fn new(
        source: Source,
        listened: Option<Source>,
        names: Names,
        budget: Budget,
        board: Option<Board>,
    ) -> Self {
        Self {
            address: source.describe(),
            source,
            listened,
            names,
            budget,
            board,
            state: Mutex::default(),
            connections: watch::Sender::new(0),
            in_flight: Semaphore::new(budget.in_flight),
        }
    }

    /// The connection, if there is one; else one is being made, and this says why there is none.
    pub(crate) fn live(self: &Arc<Self>) -> Result<Arc<Live>, StoreError> {
        let mut state = self.state();
        if let Some(live) = &state.live {
            if self.is_confirmed(live) {
                return Ok(Arc::clone(live));
            }
            let why = format!("{} is not confirmed to be the primary", self.address);
            return Err(StoreError::new(StoreErrorKind::Unavailable, why));
        }
        self.begin(&mut state);
        let why = match &state.failure {
            Some((kind, text)) => format!("{} is left alone: {}: {text}", self.address, kind.as_str()),
            None => format!("{} is not connected yet", self.address),
        };
        Err(StoreError::new(StoreErrorKind::Unavailable, why))
    }

    /// Where a connection that listens comes from.
    pub(crate) fn listened(&self) -> &Source {
        self.listened.as_ref().unwrap_or(&self.source)
    }

    /// Whether what the server says may be believed.
    pub(crate) fn is_confirmed(&self, live: &Live) -> bool {
        !self.source.needs_confirming() || live.confirmed().elapsed() < LEASE
    }

    /// The connection, if there is one.
    pub(crate) fn current(&self) -> Option<Arc<Live>> {
        self.state().live.clone()
    }

    /// Whether an invalidation is owed, so that nothing may be served.
    pub(crate) fn is_in_debt(&self) -> bool {
        self.state().pending.first().is_some()
    }

    /// Waits for a connection. The limit is the caller's.
    pub(crate) async fn wait(self: &Arc<Self>) -> Arc<Live> {
        let mut connections = self.connections.subscribe();
        loop {
            connections.borrow_and_update();
            if let Ok(live) = self.live() {
                return live;
            }
            // The sender lives as long as this does.
            let _ = connections.changed().await;
        }
    }

    /// Why there is no connection, as far as an attempt has shown.
    pub(crate) fn failure(&self) -> Option<StoreError> {
        let (kind, text) = self.state().failure.clone()?;
        Some(StoreError::new(kind, text))
    }

    /// Asks the server whether it is there, on the connection that is in use.
    pub(crate) async fn probe(self: Arc<Self>) -> Result<(), StoreError> {
        let live = self.live()?;
        // It is no operation: neither counted among them, nor held against the server.
        let limit = self.budget.operation;
        let pong = timeout(limit, live.server.ping()).await;
        pong.unwrap_or_else(|_| Err(self.late(limit)))
    }

    /// How it is, without asking the server.
    pub(crate) fn condition(&self) -> Condition {
        let state = self.state();
        let breaker = match (&state.live, &state.failure) {
            (Some(_), _) => larder_store::Breaker::Closed,
            (None, Some(_)) => larder_store::Breaker::Open,
            (None, None) => larder_store::Breaker::HalfOpen,
        };
        let mut condition = Condition::default();
        condition.breaker = Some(breaker);
        let failure = state.failure.as_ref();
        condition.failure = failure.map(|(kind, text)| format!("{}: {text}", kind.as_str()));
        condition.owed = state.pending.len();
        condition.feed = self.board.as_ref().map(Board::is_up);
        condition
    }

    /// Waits for `operation` for as long as one may take, and holds the server to it.
    pub(crate) async fn within<T>(
        self: &Arc<Self>,
        live: &Arc<Live>,
        what: Operation,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let Ok(_permit) = self.in_flight.try_acquire() else {
            let most = self.budget.in_flight;
            let message = format!("{most} operations are under way");
            return Err(StoreError::new(StoreErrorKind::Unavailable, message));
        };
        let began = Instant::now();
        let result = match timeout(self.budget.operation, operation).await {
            Ok(result) => result,
            Err(_) => Err(self.late(self.budget.operation)),
        };
        metrics::asked(what, &result, began.elapsed());
        match &result {
            Ok(_) => live.strikes.store(0, Ordering::Relaxed),
            Err(error) => match error.kind() {
                // Of these operations alone.
                StoreErrorKind::Full | StoreErrorKind::Unavailable => {}
                StoreErrorKind::Timeout | StoreErrorKind::Protocol => {
                    if live.strikes.fetch_add(1, Ordering::Relaxed) + 1 >= STRIKES {
                        self.give_up(live, error);
                    }
                }
                _ => self.give_up(live, error),
            },
        }
        result
    }

    /// Carries out an invalidation. Where that is not confirmed in time, it is owed: no entry is read until it was carried
    /// out after all.
    pub(crate) async fn forget(self: Arc<Self>, invalidation: Invalidation) -> Result<usize, StoreError> {
        let until = Instant::now() + self.budget.invalidation;
        let Ok(live) = timeout_at(until, self.wait()).await else {
            let error = self
                .failure()
                .unwrap_or_else(|| self.late(self.budget.invalidation));
            self.owe(invalidation, None, &error);
            return Err(error);
        };
        let Invalidation {
            scope,
            strength,
            intent,
        } = &invalidation;
        let forgotten = {
            // Whoever forgets sees it here at once, whatever the feed has told by then.
            let _told = Told(&self, scope);
            let forgetting = live.server.forget(&self.names, scope, *strength, *intent);
            let began = Instant::now();
            let forgotten = timeout_at(until, forgetting).await;
            let forgotten = forgotten.unwrap_or_else(|_| Err(self.late(self.budget.invalidation)));
            metrics::asked(Operation::Forget, &forgotten, began.elapsed());
            forgotten
        };
        let error = match forgotten {
            Ok(known) => return Ok(known),
            Err(_) if cfg!(larder_mutant = "redis_lost_is_done") => return Ok(0),
            Err(error) => error,
        };
        self.owe(invalidation, Some(&live), &error);
        // The next connection begins with what is owed.
        match timeout_at(until, self.wait()).await {
            Ok(_) => Ok(0),
            Err(_) => Err(error),
        }
    }

    /// Announces a change. Where that is not confirmed in time it fails, and what the server heard of it ends by itself.
    pub(crate) async fn announce(
        self: Arc<Self>,
        ids: Box<[RecordId]>,
        time_to_live: Duration,
        intent: (IntentId, Duration),
    ) -> Result<(), StoreError> {
        let limit = self.budget.invalidation;
        let announcing = async {
            let live = self.wait().await;
            // Seen here at once, as an invalidation is.
            let scope = Scope::Records(ids.clone());
            let _told = Told(&self, &scope);
            live.server
                .announce(&self.names, &ids, time_to_live, intent)
                .await
        };
        let began = Instant::now();
        let announced = timeout(limit, announcing).await;
        let announced = announced.unwrap_or_else(|_| Err(self.late(limit)));
        metrics::asked(Operation::Announce, &announced, began.elapsed());
        announced
    }

    fn late(&self, limit: Duration) -> StoreError {
        let message = format!("{} gave no answer within {} ms", self.address, limit.as_millis());
        StoreError::new(StoreErrorKind::Timeout, message)
    }

    fn owe(self: &Arc<Self>, invalidation: Invalidation, used: Option<&Arc<Live>>, error: &StoreError) {
        if let Some(board) = &self.board {
            board.all_changed();
        }
        let mut state = self.state();
        state.pending.push(invalidation);
        // Whatever connection there is was made before this was owed.
        let live = state.live.take();
        state.failure = Some((error.kind(), error.message().to_owned()));
        if live.is_some() || used.is_some() {
            Breaker::Open.enter();
        }
        self.begin(&mut state);
        drop(state);
        drop(live);
    }

    /// Gives a connection up, unless it has been replaced already.
    fn give_up(self: &Arc<Self>, live: &Arc<Live>, error: &StoreError) {
        let mut state = self.state();
        if !state
            .live
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, live))
        {
            return;
        }
        let given_up = state.live.take();
        state.failure = Some((error.kind(), error.message().to_owned()));
        self.begin(&mut state);
        drop(state);
        drop(given_up);
        Breaker::Open.enter();
        tracing::warn!(server = self.address, %error, "the server is left alone until it answers again");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Consistent at every point at which a panic can come.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the board of an invalidation when it is over, however it ended.
struct Told<'a>(&'a Link, &'a Scope);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        let Some(board) = &self.0.board else { return };
        match self.1 {
            Scope::Everything => board.all_changed(),
            Scope::Records(ids) => ids
                .iter()
                .for_each(|id| board.changed(self.0.names.record(*id).as_bytes())),
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the client: its URL may have a password in it.
        f.debug_struct("Link")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
