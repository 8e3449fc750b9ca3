//! How a connection is made: by one task, again and again, until there is one that has carried out what is owed.

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use larder_store::StoreError;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};

use super::{Link, Live, State};
use crate::budget::{WATCH, rest_again};
use crate::metrics::{self, Breaker, Operation};
use crate::watch::confirm;

impl Link {
    /// Has one task connect, if none does and there is a runtime.
    pub(super) fn begin(self: &Arc<Self>, state: &mut State) {
        if state.connecting {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            state.connecting = true;
            let attempts = Attempts {
                link: Arc::downgrade(self),
                connected: false,
            };
            drop(runtime.spawn(attempts.run()));
        }
    }

    /// One attempt. Answers how long to rest before the next, if there must be one.
    async fn attempt(self: &Arc<Self>) -> Option<Duration> {
        Breaker::HalfOpen.enter();
        match self.connect().await {
            Ok(()) => {
                Breaker::Closed.enter();
                tracing::debug!(server = self.address, "connected");
                None
            }
            Err(error) => {
                Breaker::Open.enter();
                let mut state = self.state();
                state.rest = rest_again(state.rest);
                tracing::debug!(server = self.address, %error, rest = ?state.rest, "no connection");
                state.failure = Some((error.kind(), error.message().to_owned()));
                Some(state.rest)
            }
        }
    }

    async fn connect(self: &Arc<Self>) -> Result<(), StoreError> {
        let limit = self.budget.connect;
        let asked = Instant::now();
        let meeting = async {
            let server = self.source.meet(&self.names, limit).await?;
            server.teach().await?;
            Ok(server)
        };
        let server = timeout(limit, meeting)
            .await
            .unwrap_or_else(|_| Err(self.late(limit)))?;
        let probe = timeout(self.budget.operation, server.ping()).await;
        probe.unwrap_or_else(|_| Err(self.late(self.budget.operation)))?;
        loop {
            let owed = {
                let mut state = self.state();
                let Some(owed) = state.pending.first().cloned() else {
                    let live = Arc::new(Live {
                        server,
                        strikes: AtomicU32::new(0),
                        confirmed: Mutex::new(asked),
                    });
                    if let Ok(runtime) = Handle::try_current() {
                        let watched = keep_watch(Arc::downgrade(self), Arc::downgrade(&live));
                        drop(runtime.spawn(watched));
                    }
                    state.live = Some(live);
                    state.rest = Duration::ZERO;
                    state.failure = None;
                    // Before the lock is free: who owes something from here on begins another.
                    state.connecting = false;
                    drop(state);
                    self.connections.send_modify(|count| *count += 1);
                    return Ok(());
                };
                owed
            };
            let limit = self.budget.invalidation;
            let forgetting = server.forget(&self.names, &owed.scope, owed.strength, owed.intent);
            let began = Instant::now();
            let forgotten = timeout(limit, forgetting).await;
            let forgotten = forgotten.unwrap_or_else(|_| Err(self.late(limit)));
            metrics::asked(Operation::Forget, &forgotten, began.elapsed());
            forgotten?;
            self.state().pending.settle(&owed);
            metrics::replayed(owed.strength.as_str());
        }
    }
}

/// Has a connection confirmed for as long as it is the link's, and gives it up when it is not.
async fn keep_watch(link: Weak<Link>, live: Weak<Live>) {
    loop {
        sleep(WATCH).await;
        let Some((link, live)) = link.upgrade().zip(live.upgrade()) else {
            return;
        };
        match confirm(&link.source, &live.server, live.confirmed()).await {
            Ok(at) => live.confirm(at),
            Err(error) => {
                // What was told by a server that may be none any more is no proof.
                if let Some(board) = &link.board {
                    board.all_changed();
                }
                link.give_up(&live, &error);
                return;
            }
        }
    }
}

/// The task that connects. Does not keep the link between its attempts, and says so when it ends before it has connected,
/// as when its runtime does.
struct Attempts {
    link: Weak<Link>,
    connected: bool,
}

impl Attempts {
    async fn run(mut self) {
        while let Some(link) = self.link.upgrade() {
            let Some(rest) = link.attempt().await else {
                // Another task may be at work by now.
                self.connected = true;
                return;
            };
            drop(link);
            sleep(rest).await;
        }
    }
}

impl Drop for Attempts {
    fn drop(&mut self) {
        if !self.connected
            && let Some(link) = self.link.upgrade()
        {
            link.state().connecting = false;
        }
    }
}
