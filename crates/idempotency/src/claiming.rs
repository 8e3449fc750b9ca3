//! Claims: made by a task that undoes them if nobody is there to take them.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::error::{RecordsError, RecordsErrorKind};
use crate::records::{Claim, Claimed, Record, Release};
use crate::shared::Shared;
use crate::tasks::Permit;

/// How long a claim that is of no use is tried to be undone.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of a claim.
pub(crate) enum Attempt {
    Granted(Held),
    Found(Record),
}

/// A key that is claimed, and whose operation has not begun: dropped, it frees the key.
pub(crate) struct Held {
    shared: Arc<Shared>,
    /// Where the claim was made: it may be dropped anywhere.
    runtime: Handle,
    /// `None` once the operation began.
    claim: Option<(Claim, Permit)>,
}

/// An operation that has begun: its key is never freed by itself.
pub(crate) struct Begun {
    pub(crate) shared: Arc<Shared>,
    pub(crate) claim: Claim,
    _permit: Permit,
}

/// Claims a key. Whoever waits for it may leave: then the key is freed again.
pub(crate) async fn claim(
    shared: &Arc<Shared>,
    claim: Claim,
    permit: &Permit,
) -> Result<Attempt, RecordsError> {
    let (shared, permit) = (Arc::clone(shared), Arc::clone(permit));
    let tasks = Arc::clone(&shared.tasks);
    let task = tasks.spawn(async move {
        match shared.ask(shared.records.claim(&claim)).await {
            Ok(Claimed::Granted) => Ok(Attempt::Granted(Held {
                shared,
                runtime: Handle::current(),
                claim: Some((claim, permit)),
            })),
            Ok(Claimed::Found(record)) => Ok(Attempt::Found(record)),
            Ok(Claimed::TooLate) => Err(RecordsError::new(
                RecordsErrorKind::Protocol,
                "the claim was refused as one that was given up",
            )),
            Err(error) => {
                if error.kind().may_be_done() {
                    let tasks = Arc::clone(&shared.tasks);
                    drop(tasks.spawn(undo(shared, claim, true, permit)));
                }
                Err(error)
            }
        }
    });
    // The task neither panics nor is aborted, unless the runtime ends.
    let ended = |_| RecordsError::new(RecordsErrorKind::Unavailable, "the runtime is shutting down");
    task.await.map_err(ended)?
}

impl Held {
    /// From here on nobody frees the key but who knows how the operation ended.
    ///
    /// `None` never: a key is begun once, by who owns it.
    pub(crate) fn begin(mut self) -> Option<Begun> {
        let (claim, permit) = self.claim.take()?;
        Some(Begun {
            shared: Arc::clone(&self.shared),
            claim,
            _permit: permit,
        })
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some((claim, permit)) = self.claim.take() {
            let shared = Arc::clone(&self.shared);
            let undo = undo(shared, claim, false, permit);
            self.shared.tasks.spawn_on(undo, &self.runtime);
        }
    }
}

async fn undo(shared: Arc<Shared>, claim: Claim, unanswered: bool, _permit: Permit) {
    let release = Release::of(&claim, unanswered);
    let undone = shared.insist(PATIENCE, || shared.records.release(&release)).await;
    if undone.is_none() {
        tracing::warn!("a claim could not be undone: its key counts as lost when its lease ends");
    }
}
