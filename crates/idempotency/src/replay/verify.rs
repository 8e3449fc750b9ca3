//! Whether a request is signed, timely and new: the checks, in their order.

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use larder_store::{Clock, Timestamp};

use super::canonical::{Canonical, SignedHeaders, host_received};
use super::signature::{NoSignature, Signature};
use super::signing_key::{SigningKey, SigningKeys};
use crate::admit;
use crate::digest;
use crate::problem::Problem;
use crate::records::{RecordKey, Records, Spend};
use crate::shared::ask;

/// How much longer than its window a nonce is remembered: the clocks of instances may be apart.
const MARGIN: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
pub(super) struct Verifier {
    pub(super) records: Arc<dyn Records>,
    pub(super) keys: SigningKeys,
    pub(super) clock: Clock,
    pub(super) window: Duration,
    pub(super) max_body: usize,
    pub(super) store_timeout: Duration,
    pub(super) host: Option<String>,
}

/// Why a request was refused: what the client is told, and the word for metrics, which says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) problem: Problem,
    pub(super) word: &'static str,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            word: problem.as_str(),
        }
    }
}

/// A signature that is rejected. The client is not told why.
const fn rejected(word: &'static str) -> Refusal {
    Refusal {
        problem: Problem::SignatureRejected,
        word,
    }
}

/// A request whose head is in order.
#[derive(Debug)]
pub(super) struct Head {
    signature: Signature,
    /// The keys with the id of the signature.
    keys: Vec<SigningKey>,
    host: Option<String>,
}

impl Head {
    pub(super) fn key_id(&self) -> &str {
        &self.signature.key_id
    }
}

impl Verifier {
    /// What the head says by itself: signature, time and key.
    pub(super) fn head(&self, parts: &Parts) -> Result<Head, Refusal> {
        let signature = Signature::read(&parts.headers).map_err(|no| match no {
            NoSignature::Missing => Problem::SignatureMissing,
            NoSignature::Malformed => Problem::SignatureMalformed,
        })?;
        let host = match &self.host {
            Some(host) => Some(host.clone()),
            None => host_received(&parts.uri, &parts.headers).map_err(|_| Problem::SignatureMalformed)?,
        };
        if SignedHeaders::of(&parts.headers).is_err() {
            return Err(Problem::SignatureMalformed.into());
        }
        if !is_timely(signature.timestamp, self.clock.now(), self.window) {
            return Err(Problem::SignatureOutdated.into());
        }
        let keys = self.keys.find(&signature.key_id);
        if keys.is_empty() {
            return Err(rejected("unknown_key"));
        }
        Ok(Head {
            signature,
            keys,
            host,
        })
    }

    /// Whether the signature is right for all of the request, and there for the first time.
    pub(super) async fn whole(&self, head: &Head, parts: &Parts, body: &[u8]) -> Result<(), Refusal> {
        let Head {
            signature,
            keys,
            host,
        } = head;
        let target = admit::target(parts);
        let canonical = Canonical {
            key_id: &signature.key_id,
            method: &parts.method,
            host: host.as_deref(),
            target: &target,
            timestamp: signature.timestamp,
            nonce: &signature.nonce,
            signed: SignedHeaders::of(&parts.headers).map_err(|_| Problem::SignatureMalformed)?,
        };
        let text = canonical.text(body);
        let right = keys.iter().any(|key| key.verify(&text, &signature.mac));
        if !right && !cfg!(larder_mutant = "replay_any_signature") {
            return Err(rejected("bad_signature"));
        }
        if cfg!(larder_mutant = "replay_nonce_unspent") {
            return Ok(());
        }
        self.first(signature).await
    }

    /// Spends the nonce.
    async fn first(&self, signature: &Signature) -> Result<(), Refusal> {
        let nonce = digest::Parts::of("larder replay nonce 1")
            .with(signature.key_id.as_bytes())
            .with(signature.nonce.as_bytes());
        let retention = self.window.saturating_mul(2).saturating_add(MARGIN);
        let spend = Spend::new(RecordKey::from_bytes(nonce.end()), retention, self.clock.now());
        let spent = ask(&*self.records, self.store_timeout, self.records.spend(&spend))
            .await
            .map_err(|_| Problem::Unavailable)?;
        if !spent.fresh {
            return Err(rejected("replayed"));
        }
        if precedes(signature.timestamp, spent.since) {
            // It may have been accepted before, and forgotten.
            return Err(Refusal {
                problem: Problem::SignatureOutdated,
                word: "forgotten_401",
            });
        }
        Ok(())
    }
}

/// Whether a time in seconds is within the window around now.
fn is_timely(seconds: u64, now: Timestamp, window: Duration) -> bool {
    let then = Timestamp::from_millis(seconds.saturating_mul(1000));
    now.since(then).max(then.since(now)) <= window
}

/// Whether all of the second is before `since`.
const fn precedes(seconds: u64, since: Timestamp) -> bool {
    seconds.saturating_mul(1000).saturating_add(999) < since.as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryRecords;
    use crate::replay::Signer;
    use larder_store::FakeClock;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const WINDOW: Duration = Duration::from_secs(300);

    #[test]
    fn the_window_is_five_minutes_to_both_sides() {
        for (seconds, timely) in [
            (1_699_999_699, false),
            (1_699_999_700, true),
            (1_700_000_000, true),
            (1_700_000_300, true),
            (1_700_000_301, false),
            (0, false),
            (u64::MAX, false),
        ] {
            assert_eq!(is_timely(seconds, NOW, WINDOW), timely, "{seconds}");
        }
        let later = Timestamp::from_millis(NOW.as_millis() + 1);
        assert!(!is_timely(1_699_999_700, later, WINDOW));
    }

    #[test]
    fn a_second_precedes_what_begins_after_it() {
        assert!(!precedes(1_700_000_000, NOW));
        assert!(precedes(1_699_999_999, NOW));
        assert!(!precedes(
            1_700_000_000,
            Timestamp::from_millis(NOW.as_millis() + 999)
        ));
        assert!(precedes(
            1_700_000_000,
            Timestamp::from_millis(NOW.as_millis() + 1000)
        ));
    }

    #[tokio::test]
    async fn a_nonce_is_of_one_key() {
        let fake = FakeClock::new();
        let records = MemoryRecords::with_clock(1 << 20, fake.clock());
        let keys = ["k1", "k2"].map(|id| SigningKey::new(id, &[7; 32]).unwrap());
        let verifier = Verifier {
            records: Arc::new(records),
            keys: SigningKeys::from_iter(keys.clone()),
            clock: fake.clock(),
            window: WINDOW,
            max_body: 0,
            store_timeout: WINDOW,
            host: None,
        };
        let now = fake.clock().now().as_millis() / 1000;
        let (mut parts, ()) = http::Request::new(()).into_parts();
        for (key, first) in keys.iter().zip([true, true]).chain([(&keys[0], false)]) {
            let signer = Signer::new(key.clone());
            let nonce = "0123456789abcdef".to_owned();
            let (method, uri) = (parts.method.clone(), parts.uri.clone());
            parts.headers.clear();
            let signature = signer
                .signature(&method, &uri, &parts.headers, b"", now, nonce)
                .unwrap();
            for (name, value) in signature.lines() {
                parts.headers.insert(name, value.parse().unwrap());
            }
            let head = verifier.head(&parts).unwrap();
            let passed = verifier.whole(&head, &parts, b"").await;
            assert_eq!(passed.is_ok(), first, "{passed:?}");
        }
    }
}
