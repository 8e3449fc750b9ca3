//! A node in this process's memory.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::node::{
    Acquire, Bell, Extend, Extension, LockNode, NodeFuture, Release, Removal, Ring, Subscription, Vote,
};
use crate::table::LockTable;
use crate::token::Owner;

/// A node in memory: for locks within one process, and for tests.
///
/// It tells the time by tokio's clock, so that it follows a test with paused time.
#[derive(Debug)]
pub struct MemoryNode {
    name: String,
    epoch: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    table: LockTable,
    bells: HashMap<String, Vec<Bell>>,
}

impl MemoryNode {
    /// An empty node of this name. It votes at once.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            epoch: Instant::now(),
            state: Mutex::default(),
        }
    }

    /// Forgets all votes and tokens, as a server does that restarts empty, and does not vote for the time `quarantine`.
    /// A quarantine below the longest `ttl` in use lets two hold one lock.
    pub fn forget(&self, quarantine: Duration) {
        let until = self.now() + quarantine;
        self.state().table = LockTable::quarantined_until(until);
    }

    /// Who holds this node's vote for the lock with this [key](crate::Lock::key), and for how long it does; of several who
    /// share it, the one who does longest.
    #[must_use]
    pub fn holder(&self, key: &str) -> Option<(Owner, Duration)> {
        let now = self.now();
        self.state().table.holder(key, now)
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in it can panic half way but a failed allocation of one entry.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LockNode for MemoryNode {
    fn name(&self) -> &str {
        &self.name
    }

    fn acquire<'a>(&'a self, request: &'a Acquire) -> NodeFuture<'a, Vote> {
        Box::pin(async {
            let now = self.now();
            Ok(self.state().table.acquire(request, now))
        })
    }

    fn extend<'a>(&'a self, request: &'a Extend) -> NodeFuture<'a, Extension> {
        Box::pin(async {
            let now = self.now();
            Ok(self.state().table.extend(request, now))
        })
    }

    fn release<'a>(&'a self, request: &'a Release) -> NodeFuture<'a, Removal> {
        Box::pin(async {
            let now = self.now();
            let mut state = self.state();
            let removal = state.table.release(request, now);
            let is_free = state.table.holder(&request.key, now).is_none();
            if let Some(ring) = Ring::after(request, removal).filter(|_| is_free) {
                for bell in state.bells.get(&*request.key).into_iter().flatten() {
                    bell.tell(ring);
                }
            }
            Ok(removal)
        })
    }

    fn subscribe<'a>(&'a self, key: &'a str) -> NodeFuture<'a, Subscription> {
        let (bell, subscription) = Subscription::channel();
        let mut state = self.state();
        // Those who are gone leave with the next to come, so that the list is as long as the most that ever waited.
        state.bells.retain(|_, bells| {
            bells.retain(|bell| !bell.is_unheard());
            !bells.is_empty()
        });
        state.bells.entry(key.to_owned()).or_default().push(bell);
        Box::pin(ready(Ok(subscription)))
    }
}
