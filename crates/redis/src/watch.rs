//! Whether a connection still leads to the server that has the records.
//!
//! A server that lost its place does not say so to who does not ask: a primary that was cut off answers on, one that is
//! demoted and promoted again is the same process, and a connection that is not ours may lead to another by now.

use larder_store::{StoreError, StoreErrorKind};
use tokio::time::{Instant, timeout};

use crate::budget::{LEASE, WATCH};
use crate::server::Server;
use crate::source::Source;

/// Asks whether `server` is the one still, which was `confirmed` at that time. Answers to when that is believed from now on.
///
/// # Errors
/// When it is another, or for [`LEASE`] nobody could say.
pub(crate) async fn confirm(
    source: &Source,
    server: &Server,
    confirmed: Instant,
) -> Result<Instant, StoreError> {
    let late = || {
        StoreError::new(
            StoreErrorKind::Timeout,
            "it was not said in time who has the records",
        )
    };
    let asking = timeout(WATCH, source.confirm(server, WATCH)).await;
    match asking.unwrap_or_else(|_| Err(late())) {
        Ok((true, asked)) => Ok(asked),
        Ok((false, _)) => {
            let other = "the server with the records is another, or was none in between";
            Err(StoreError::new(StoreErrorKind::ReadOnly, other))
        }
        Err(_) if confirmed.elapsed() < LEASE => Ok(confirmed),
        Err(error) => Err(error),
    }
}
