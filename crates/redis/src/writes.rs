//! Entries on their way to the server: off the path of the response, and bounded in bytes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larder_store::{Kept, Key, SharedEntry, StoreError};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::link::Link;
use crate::lookup::verdict;
use crate::metrics::{self, Operation};
use crate::pack::Packing;
use crate::protocol::Verdict;
use crate::seal::Seal;
use crate::turns::Held;

/// The writes that are under way.
#[derive(Debug)]
pub(crate) struct Writes {
    room: Arc<Semaphore>,
    bytes: u32,
}

/// One entry to be written.
pub(crate) struct Write {
    pub(crate) key: Key,
    pub(crate) entry: SharedEntry,
    pub(crate) frame: Bytes,
    pub(crate) packing: Packing,
    pub(crate) time_to_live: Duration,
    /// The turn in which it was made, which is over when this is.
    pub(crate) turn: Option<Arc<Held>>,
}

impl Write {
    /// The server does not have it: those who wait for it elsewhere need not look.
    fn fails(&self) {
        if let Some(turn) = &self.turn {
            turn.fails();
        }
    }
}

impl Writes {
    pub(crate) fn new(bytes: usize) -> Self {
        let bytes = u32::try_from(bytes.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        Self {
            room: Arc::new(Semaphore::new(bytes as usize)),
            bytes,
        }
    }

    /// Writes in the background. Where too much is on its way already, this entry is left out: it is a miss for others.
    pub(crate) fn begin(&self, link: &Arc<Link>, write: Write) {
        let size = u32::try_from(write.frame.len()).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(size);
        let (Ok(room), Ok(runtime)) = (room, Handle::try_current()) else {
            metrics::put(&write.entry, Kept::Error);
            write.fails();
            return;
        };
        drop(runtime.spawn(run(Arc::clone(link), write, room)));
    }

    /// Waits until nothing is on its way. Each write has a limit, so this has one.
    pub(crate) async fn idle(&self) {
        // Never closed.
        let _ = self.room.acquire_many(self.bytes).await;
    }
}

async fn run(link: Arc<Link>, write: Write, room: OwnedSemaphorePermit) {
    let kept = match write_out(&link, &write).await {
        Ok(kept) => kept,
        Err(error) => {
            tracing::debug!(server = link.address, %error, "an entry did not reach the server");
            metrics::failed(&error);
            write.fails();
            Kept::Error
        }
    };
    if kept == Kept::RejectedStamp {
        metrics::overtaken(&write.entry);
    }
    metrics::put(&write.entry, kept);
    drop(room);
}

/// Sends the entry, unless it was overtaken by an invalidation: it would take the place of a newer one for nothing.
async fn write_out(link: &Arc<Link>, write: &Write) -> Result<Kept, StoreError> {
    let live = link.live()?;
    let Some(seal) = Seal::of(&write.entry) else {
        return Ok(Kept::RejectedStamp);
    };
    // One that was forgotten softly is of use still.
    if !matches!(verdict(link, &live, seal).await?, Verdict::Valid | Verdict::Soft) {
        return Ok(Kept::RejectedStamp);
    }
    let frame = write.packing.pack(write.frame.clone());
    let keeping = live
        .server
        .keep(&link.names, write.key.as_bytes(), &frame, write.time_to_live);
    link.within(&live, Operation::Put, keeping).await?;
    Ok(Kept::Stored)
}
