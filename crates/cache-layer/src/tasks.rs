//! Background fills: bounded in number, owned, and ended with their owner.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The background fills of one engine.
pub(crate) struct Tasks {
    tracker: TaskTracker,
    permits: Arc<Semaphore>,
    stop: CancellationToken,
}

/// The right to start one background fill.
pub(crate) struct Permit {
    runtime: Handle,
    permit: OwnedSemaphorePermit,
}

impl Tasks {
    /// How long shutdown waits for what it has stopped.
    const LAST: Duration = Duration::from_millis(100);

    pub(crate) fn new(limit: usize) -> Self {
        let tracker = TaskTracker::new();
        tracker.close();
        Self {
            tracker,
            permits: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))),
            stop: CancellationToken::new(),
        }
    }

    /// The right to start a background fill: none after shutdown, above the limit, or where there is no runtime.
    pub(crate) fn permit(&self) -> Option<Permit> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        let runtime = Handle::try_current().ok()?;
        Some(Permit { runtime, permit })
    }

    /// Runs `work`, which has a limit of its own, in the background until it ends or the engine is shut down. When it is
    /// cut off it is dropped, and with it whatever others wait for.
    pub(crate) fn spawn(&self, permit: Permit, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        let Permit { runtime, permit } = permit;
        let owned = async move {
            let _permit = permit;
            stop.run_until_cancelled(work).await;
        };
        self.tracker.spawn_on(owned, &runtime);
    }

    /// Runs `work` in the background however much is under way there: it is short, and what it does is owed to a request
    /// that came, whose number is the only bound. Not after shutdown, nor where there is no runtime.
    pub(crate) fn spawn_owed(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        match Handle::try_current() {
            Ok(runtime) => {
                let owed = async move { stop.run_until_cancelled(work).await.unwrap_or_default() };
                self.tracker.spawn_on(owed, &runtime);
            }
            Err(_) => tracing::error!("an invalidation was not ended, since there is no runtime for it"),
        }
    }

    pub(crate) async fn idle(&self) {
        self.tracker.wait().await;
    }

    pub(crate) async fn shutdown(&self, deadline: Duration) -> bool {
        self.permits.close();
        let done = timeout(deadline, self.tracker.wait()).await.is_ok();
        self.stop.cancel();
        // They are dropped where they next wait; one that does not wait is not waited for either.
        let _ = timeout(Self::LAST, self.tracker.wait()).await;
        done
    }
}
