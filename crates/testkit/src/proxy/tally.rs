//! What a proxy has counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Debug, Default)]
pub(super) struct Tally {
    open: AtomicUsize,
    accepted: AtomicUsize,
    faults: AtomicUsize,
}

impl Tally {
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub(super) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub(super) fn faults(&self) -> usize {
        self.faults.load(Ordering::SeqCst)
    }

    pub(super) fn fault(&self) {
        self.faults.fetch_add(1, Ordering::SeqCst);
    }

    /// Counts a connection that was accepted, as open until what is returned is dropped.
    pub(super) fn accept(self: &Arc<Self>) -> Open {
        self.accepted.fetch_add(1, Ordering::SeqCst);
        self.open.fetch_add(1, Ordering::SeqCst);
        Open {
            tally: Arc::clone(self),
        }
    }
}

/// A connection that is open.
#[derive(Debug)]
pub(super) struct Open {
    tally: Arc<Tally>,
}

impl Open {
    pub(super) fn fault(&self) {
        self.tally.fault();
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.tally.open.fetch_sub(1, Ordering::SeqCst);
    }
}
