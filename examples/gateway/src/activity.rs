//! What a client's connection does, as seen by who watches over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::config::Timeouts;

/// What a connection does, as seen by who watches over it.
///
/// One task reads and writes all of it, so that plain loads and stores are enough, and a request costs next to nothing;
/// hyper's own limit makes a timer for every request, and drops it.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// Goes up with each request that begins, and with all that is written.
    moves: AtomicU64,
    /// A request is being answered.
    busy: AtomicBool,
    /// Something was read since the last request began.
    read: AtomicBool,
    /// The client does not read what is written.
    blocked: AtomicBool,
}

impl Activity {
    /// A request begins, and is under way until what is returned is dropped.
    pub(crate) fn begin(activity: &Arc<Self>) -> Busy {
        activity.moved();
        activity.busy.store(true, Relaxed);
        activity.read.store(false, Relaxed);
        Busy(Arc::clone(activity))
    }

    /// Something was read.
    pub(crate) fn read(&self) {
        self.read.store(true, Relaxed);
    }

    /// Something was to be written; whether the client did not take it.
    pub(crate) fn wrote(&self, blocked: bool) {
        self.blocked.store(blocked, Relaxed);
        if !blocked {
            self.moved();
        }
    }

    /// A number that is another one when something moved.
    pub(crate) fn moves(&self) -> u64 {
        self.moves.load(Relaxed)
    }

    fn moved(&self) {
        self.moves
            .store(self.moves.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// How long it may stand still as it is; `None` where others watch over it.
    pub(crate) fn limit(&self, timeouts: &Timeouts) -> Option<Duration> {
        if self.blocked.load(Relaxed) {
            Some(timeouts.body_idle)
        } else if self.busy.load(Relaxed) {
            None
        } else if self.read.load(Relaxed) {
            Some(timeouts.request_head)
        } else {
            Some(timeouts.keep_alive)
        }
    }
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.store(false, Relaxed);
        self.0.moved();
    }
}
