//! Waiting for a condition, up to a deadline.

use std::time::{Duration, Instant};

/// Asks `what` until it gives something; panics with what it said last when `patience` is over.
pub(crate) fn until<T>(doing: &str, patience: Duration, mut what: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match what() {
            Ok(found) => return found,
            Err(state) => assert!(
                begun.elapsed() < patience,
                "{doing}: not done in {patience:?}: {state}"
            ),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
