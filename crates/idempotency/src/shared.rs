//! What the services of one layer share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use larder_lock::{FencingToken, Owner};
use tokio::time::{Instant, sleep, timeout};

use crate::entropy::random;
use crate::error::{RecordsError, RecordsErrorKind};
use crate::metrics;
use crate::policy::Policy;
use crate::records::{Claim, Fingerprint, RecordKey, Records, RecordsFuture};
use crate::tasks::Tasks;

/// The first pause after a step that failed, which doubles up to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) records: Arc<dyn Records>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) tokens: Arc<Tokens>,
}

impl Shared {
    pub(crate) fn claim(
        &self,
        key: RecordKey,
        fingerprint: Fingerprint,
        take_over: Option<FencingToken>,
    ) -> Claim {
        let token = self.tokens.next(take_over.unwrap_or(FencingToken::UNFENCED));
        let owner = Owner::from_bytes(random());
        let (lease, retention) = (self.policy.lease, self.policy.retention);
        let mut claim = Claim::new(key, fingerprint, owner, token, lease, retention);
        claim.take_over = take_over;
        claim
    }

    /// The answer of the records, in limited time. A failure is counted and logged.
    pub(crate) async fn ask<T>(&self, step: RecordsFuture<'_, T>) -> Result<T, RecordsError> {
        ask(&*self.records, self.policy.store_timeout, step).await
    }

    /// Asks again and again until there is an answer, for `patience` at most, or until the tasks are stopped. `None` if
    /// there is none.
    pub(crate) async fn insist<'a, T>(
        &'a self,
        patience: Duration,
        step: impl Fn() -> RecordsFuture<'a, T>,
    ) -> Option<T> {
        let (mut pause, longest) = PAUSES;
        let end = Instant::now() + patience;
        let insisting = async {
            loop {
                if let Ok(answer) = self.ask(step()).await {
                    return Some(answer);
                }
                if Instant::now() + pause > end {
                    return None;
                }
                sleep(pause).await;
                pause = (pause * 2).min(longest);
            }
        };
        tokio::select! {
            answer = insisting => answer,
            () = self.tasks.stopped() => None,
        }
    }
}

/// The answer of `records` to one step, in limited time. A failure is counted and logged.
pub(crate) async fn ask<T>(
    records: &dyn Records,
    limit: Duration,
    step: RecordsFuture<'_, T>,
) -> Result<T, RecordsError> {
    let answer = timeout(limit, step).await.unwrap_or_else(|_| {
        let message = format!("no answer in {limit:?}");
        Err(RecordsError::new(RecordsErrorKind::Timeout, message))
    });
    if let Err(error) = &answer {
        metrics::store_error(records.name(), error.kind().as_str());
        tracing::warn!(store = records.name(), %error, "idempotency records failed");
    }
    answer
}

/// Makes fencing tokens as locks do: microseconds of the wall clock, and random bits for those of other processes in the
/// same microsecond.
#[derive(Debug, Default)]
pub(crate) struct Tokens(AtomicU64);

impl Tokens {
    /// A token above `above` and above all that were made here before, unless there is none.
    fn next(&self, above: FencingToken) -> FencingToken {
        let micros = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_micros() as u64);
        let low = u64::from(u16::from_le_bytes(random()) & 0x3ff);
        let wanted = (micros << 10 | low).max(above.as_u64().saturating_add(1));
        // Relaxed: the numbers alone matter, they publish nothing.
        let last = self.0.fetch_max(wanted, Ordering::Relaxed);
        if last < wanted {
            return FencingToken::from_u64(wanted);
        }
        // Somebody here was ahead: take the number after all of them.
        FencingToken::from_u64(self.0.fetch_add(1, Ordering::Relaxed).saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_rise_and_follow_what_they_are_to_exceed() {
        let tokens = Tokens::default();
        let ahead = FencingToken::from_u64(1 << 62);
        let made: Vec<_> = (0..1000).map(|_| tokens.next(FencingToken::UNFENCED)).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
        assert_eq!(tokens.next(ahead).as_u64(), (1 << 62) + 1);
        assert!(tokens.next(FencingToken::UNFENCED) > ahead);
    }
}
