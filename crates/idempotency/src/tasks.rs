//! What runs for a layer: bounded in number, owned, and ended with its owner.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The tasks of one layer and its clones.
#[derive(Debug)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    permits: Arc<Semaphore>,
    stop: CancellationToken,
}

/// The right to run one operation, and what follows from it.
pub(crate) type Permit = Arc<OwnedSemaphorePermit>;

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

    /// The right to begin: none above the limit, or after shutdown.
    pub(crate) fn permit(&self) -> Option<Permit> {
        Arc::clone(&self.permits).try_acquire_owned().ok().map(Arc::new)
    }

    /// Runs `work`, which has a limit of its own, until it ends, whoever waits for it or not. It has to look for
    /// [`stopped`](Self::stopped) where that takes long.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.tracker.spawn(work)
    }

    /// The same on a runtime of one's choice; nothing happens if that has ended.
    pub(crate) fn spawn_on(&self, work: impl Future<Output = ()> + Send + 'static, runtime: &Handle) {
        drop(self.tracker.spawn_on(work, runtime));
    }

    /// Ends when the tasks are told to stop.
    pub(crate) async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    pub(crate) async fn shutdown(&self, deadline: Duration) -> bool {
        self.permits.close();
        let done = timeout(deadline, self.tracker.wait()).await.is_ok();
        self.stop.cancel();
        let _ = timeout(Self::LAST, self.tracker.wait()).await;
        done
    }
}
