//! The guard of a hold: whoever drops it releases the lock.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::hold::Hold;
use crate::queue::Place;
use crate::removal::Removals;

/// Who has it holds the lock. When it is dropped the lock is released, by a task of its own.
pub(crate) struct Held {
    pub(crate) hold: Arc<Hold>,
    watchdog: Option<AbortHandle>,
    place: Option<Place>,
    /// It may be dropped where there is no runtime.
    runtime: Handle,
}

impl Held {
    pub(crate) fn new(hold: Arc<Hold>, watchdog: Option<AbortHandle>, place: Place) -> Self {
        Self {
            hold,
            watchdog,
            place: Some(place),
            runtime: Handle::current(),
        }
    }

    /// Releases the lock at once. What is returned tells when a majority has answered; nothing if the nodes keep the lock
    /// for `at_least_for`.
    pub(crate) fn release(mut self) -> Option<oneshot::Receiver<Removals>> {
        self.let_go()
    }

    fn let_go(&mut self) -> Option<oneshot::Receiver<Removals>> {
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.abort();
        }
        let lost = self.hold.loss().is_some();
        if !self.hold.end() {
            return None;
        }
        let place = self.place.take();
        if self.hold.is_to_be_left() && !lost {
            drop(self.runtime.spawn(Arc::clone(&self.hold).leave(place)));
            return None;
        }
        Some(self.hold.take_back(place).start(&self.runtime))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !cfg!(larder_mutant = "lock_cancel_leaks") {
            drop(self.let_go());
        }
    }
}
