//! Whether a connection still leads to the server that has the records.
//!
//! A server that lost its place does not say so to who does not ask: a primary that was cut off answers on, one that is
//! demoted and promoted again is the same process, and a connection that is not ours may lead to another by now.

use std::sync::{Arc, Weak};

use larder_store::{StoreError, StoreErrorKind};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use crate::budget::{LEASE, WATCH};
use crate::link::{Link, Live};

/// Has a task ask for as long as this is the link's connection, if there is a runtime.
pub(crate) fn watch(link: &Arc<Link>, live: &Arc<Live>) {
    if let Ok(runtime) = Handle::try_current() {
        drop(runtime.spawn(run(Arc::downgrade(link), Arc::downgrade(live))));
    }
}

async fn run(link: Weak<Link>, live: Weak<Live>) {
    loop {
        sleep(WATCH).await;
        let Some((link, live)) = link.upgrade().zip(live.upgrade()) else {
            return;
        };
        let asking = link.source.confirm(&live.server, WATCH);
        let late = || {
            StoreError::new(
                StoreErrorKind::Timeout,
                "it was not said in time who has the records",
            )
        };
        let error = match timeout(WATCH, asking).await.unwrap_or_else(|_| Err(late())) {
            Ok((true, asked)) => {
                live.confirm(asked);
                continue;
            }
            Ok((false, _)) => {
                let other = "the server with the records is another, or was none in between";
                StoreError::new(StoreErrorKind::ReadOnly, other)
            }
            Err(_) if live.confirmed().elapsed() < LEASE => continue,
            Err(error) => error,
        };
        // What was told by a server that may be none any more is no proof.
        if let Some(board) = &link.board {
            board.all_changed();
        }
        link.give_up(&live, &error);
        return;
    }
}
