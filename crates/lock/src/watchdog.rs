//! The watchdog: a task that extends a lock while it is held.

use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use crate::hold::Hold;
use crate::metrics::ExtendResult;
use crate::nodes::Nodes;
use crate::outcome::LossCause;

/// Extends `hold` every third of its ttl until it is lost. Runs beside the holder's work, so that neither waits for the
/// other; aborted when the lock is released.
///
/// A round that fails is tried again while validity lasts: nodes that cannot be reached now say nothing about the lock.
pub(crate) async fn watch(hold: Arc<Hold>, nodes: Arc<Nodes>) {
    let ttl = hold.ttl();
    let mut next = Instant::now() + ttl / 3;
    let mut failed = false;
    loop {
        let valid_until = hold.valid_until();
        if next >= valid_until {
            sleep_until(valid_until).await;
            break;
        }
        sleep_until(next).await;
        let begun = Instant::now();
        if begun >= hold.valid_until() {
            break;
        }
        match hold.extend().await {
            ExtendResult::Extended => {
                next = begun + ttl / 3;
                failed = false;
            }
            ExtendResult::NotOwner => {
                hold.lose(LossCause::NotOwner);
                return;
            }
            ExtendResult::NoQuorum => {
                next = Instant::now() + nodes.entropy.between(ttl / 40, ttl / 20);
                failed = true;
            }
        }
        if cfg!(larder_mutant = "lock_watchdog_stops") {
            return;
        }
    }
    if failed {
        hold.lose(LossCause::Quorum);
    }
    // Otherwise it was held for as long as was allowed, or the process slept.
    hold.loss();
}
