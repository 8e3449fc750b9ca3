//! What runs invalidations: at once, detached, and again from the journal.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use larder_store::{Forgotten, StoreError, Strength, Tag};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::actions::Actions;
use crate::forget::{Cause, Forget, Source};
use crate::journal::{Batch, Journal, JournalLimits};

/// Runs actions and other invalidations on a cache; cheap to clone.
///
/// What an [`InvalidateLayer`](crate::InvalidateLayer) could not forget goes to a journal of [bounded](JournalLimits) size, from which one task
/// retries until it is done. What nobody waits for runs in tasks that [`shutdown`](Self::shutdown) ends.
#[derive(Clone)]
pub struct Invalidator {
    shared: Arc<Shared>,
    actions: Arc<Actions>,
}

struct Shared {
    forget: Arc<dyn Forget>,
    journal: Journal,
    /// Invalidations that nobody waits for.
    detached: TaskTracker,
    retries: TaskTracker,
    /// Hurries the retries, and then ends them.
    closing: CancellationToken,
    stop: CancellationToken,
}

impl Invalidator {
    /// How long a retry waits for the next, once the end has come.
    const HURRY: Duration = Duration::from_millis(50);
    /// How long shutdown waits for what it has stopped.
    const LAST: Duration = Duration::from_millis(100);

    /// Forgets through `forget`, without actions.
    #[must_use]
    pub fn new(forget: impl Forget, limits: JournalLimits) -> Self {
        let shared = Shared {
            forget: Arc::new(forget),
            journal: Journal::new(limits),
            detached: TaskTracker::new(),
            retries: TaskTracker::new(),
            closing: CancellationToken::new(),
            stop: CancellationToken::new(),
        };
        shared.detached.close();
        shared.retries.close();
        Self {
            shared: Arc::new(shared),
            actions: Arc::default(),
        }
    }

    /// The same with these actions, in place of others.
    #[must_use]
    pub fn with_actions(mut self, actions: Actions) -> Self {
        self.actions = Arc::new(actions);
        self
    }

    /// The actions.
    pub fn actions(&self) -> &Actions {
        &self.actions
    }

    /// Forgets all entries that carry one of `tags`; complete when it returns.
    ///
    /// # Errors
    /// When the cache failed: it is unknown which entries were forgotten.
    pub async fn forget(
        &self,
        tags: &[Tag],
        strength: Strength,
        cause: impl Into<Cause>,
    ) -> Result<Forgotten, StoreError> {
        self.shared.forget.forget(tags, strength, cause.into()).await
    }

    /// Forgets all entries; complete when it returns.
    ///
    /// # Errors
    /// When the cache failed: it is unknown which entries were forgotten.
    pub async fn forget_everything(
        &self,
        strength: Strength,
        cause: impl Into<Cause>,
    ) -> Result<Forgotten, StoreError> {
        self.shared.forget.forget_everything(strength, cause.into()).await
    }

    /// How many tags wait in the journal because they could not be forgotten; all entries count as one.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.shared.journal.len()
    }

    /// Waits until no detached invalidation is under way. Retries from the journal are not waited for.
    pub async fn idle(&self) {
        self.shared.detached.wait().await;
    }

    /// Ends background work: waits up to `deadline` for what is under way and for the journal to become empty, then stops
    /// it. Answers whether all of it was done.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        self.shared.closing.cancel();
        let all = || async {
            self.shared.detached.wait().await;
            self.shared.retries.wait().await;
        };
        let ended = timeout(deadline, all()).await.is_ok();
        self.shared.stop.cancel();
        // They are dropped where they next wait; one that does not wait is not waited for either.
        let _ = timeout(Self::LAST, all()).await;
        let pending = self.pending();
        if pending > 0 {
            tracing::error!(
                pending,
                "shut down with invalidations that were never carried out"
            );
        }
        ended && pending == 0
    }

    /// The same as [`forget`](Self::forget), and what fails goes to the journal.
    pub(crate) async fn forget_surely(
        &self,
        tags: &[Tag],
        strength: Strength,
        cause: Cause,
    ) -> Result<Forgotten, StoreError> {
        let result = self.forget(tags, strength, cause).await;
        if result.is_err() {
            self.shared.journal.add(tags);
            self.retry();
        }
        result
    }

    /// Forgets what nobody waits for: here if the cache answers at once, else in a task of its own.
    pub(crate) fn forget_detached(&self, tags: Vec<Tag>, strength: Strength, cause: Cause) {
        let own = self.clone();
        let mut work = Box::pin(async move {
            // That it failed is in the log, the metrics and the journal.
            let _ = own.forget_surely(&tags, strength, cause).await;
        });
        if work
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
        {
            return;
        }
        let stop = self.shared.stop.clone();
        match Handle::try_current() {
            Ok(_) if stop.is_cancelled() => {
                tracing::error!("an invalidation was not ended, since it came after the shutdown");
            }
            Ok(runtime) => {
                let owned = async move { stop.run_until_cancelled(work).await.unwrap_or_default() };
                self.shared.detached.spawn_on(owned, &runtime);
            }
            Err(_) => tracing::error!("an invalidation was not ended, since there is no runtime for it"),
        }
    }

    /// Sees to it that what is in the journal is retried.
    fn retry(&self) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if !self.shared.journal.retry() {
            return;
        }
        let retrying = Retrying(Arc::clone(&self.shared));
        let stop = self.shared.stop.clone();
        let owned = async move {
            stop.run_until_cancelled(retrying.run()).await;
        };
        self.shared.retries.spawn_on(owned, &runtime);
    }
}

/// The one who retries; its place is free again when it is dropped.
struct Retrying(Arc<Shared>);

impl Retrying {
    async fn run(self) {
        let Shared {
            forget,
            journal,
            closing,
            ..
        } = &*self.0;
        let mut wait = journal.limits.first_retry;
        loop {
            if closing.is_cancelled() {
                sleep(Invalidator::HURRY).await;
            } else {
                let _ = timeout(wait, closing.cancelled()).await;
            }
            let result = match journal.batch() {
                None => Ok(()),
                Some(batch) => {
                    let answer = match &batch {
                        Batch::Tags { tags, .. } => {
                            forget.forget(tags, Strength::Hard, Source::Replay.into()).await
                        }
                        Batch::Everything { .. } => {
                            forget
                                .forget_everything(Strength::Hard, Source::Replay.into())
                                .await
                        }
                    };
                    answer.map(|_| journal.done(&batch))
                }
            };
            match result {
                Ok(()) if journal.retried(false) => {
                    tracing::info!("all invalidations that had failed were made up for");
                    return;
                }
                Ok(()) => wait = journal.limits.first_retry,
                Err(_) => wait = wait.saturating_mul(2).min(journal.limits.longest_retry),
            }
        }
    }
}

impl Drop for Retrying {
    fn drop(&mut self) {
        self.0.journal.retried(true);
    }
}

impl fmt::Debug for Invalidator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invalidator")
            .field("actions", &self.actions.iter().count())
            .field("pending", &self.pending())
            .finish_non_exhaustive()
    }
}
