//! Records on a Redis or Valkey server.

mod link;
mod scripts;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larder_lock::FencingToken;
use larder_store::Timestamp;

use crate::error::{RecordsError, RecordsErrorKind};
use crate::records::{
    Claim, Claimed, Fingerprint, Finish, Hold, Record, RecordKey, RecordState, Records, RecordsFuture,
    Release, Renewal, Spend, Spent,
};
use crate::result::RunResult;
use link::Link;
use scripts::{Answer, Keys};

/// [`Records`] on a Redis (6 or later) or Valkey server, shared by all instances that use it.
///
/// There is one connection, which carries all commands and is made again when it fails. Each step is one script. A step
/// that is not answered fails after a second at most.
///
/// **What may be lost.** A server that evicts keys is refused, when it is connected to and at every reconnection: set
/// `maxmemory-policy` to `noeviction`. A server that restarts without its data, or fails over to a replica that lags, has
/// forgotten operations, so that a retry runs again; set `appendonly yes` and `appendfsync always` for what must not, or
/// keep records where the operation's own data are, in one transaction, by an implementation of [`Records`] of your own.
/// Forgotten nonces do not let a replay pass: what was signed before the server's memory began is refused.
///
/// **Keys.** `{prefix}:{…}` is a record or a nonce, with `:late` behind it the refusal of a claim that did not arrive in
/// time; `{prefix}:since` is when the memory of nonces began. Each ends by itself. The dots stand for a digest: neither
/// principals nor idempotency keys are sent to the server. Responses are, with headers and body.
///
/// Not for Redis Cluster. Behind Sentinel, connect to the primary's address.
#[derive(Debug, Clone)]
pub struct RedisRecords {
    link: Arc<Link>,
}

impl RedisRecords {
    /// Connects to the server at `url`, `redis://[user:password@]host[:port][/database]` or `unix:///path/to/socket`. The
    /// names of all keys begin with `larder:idem`.
    ///
    /// # Errors
    ///
    /// When the URL cannot be read or asks for TLS, which is not there; the server cannot be reached, or refuses the
    /// credentials; or it evicts keys ([`RecordsErrorKind::Evicting`]).
    pub async fn connect(url: impl AsRef<str>) -> Result<Self, RecordsError> {
        Self::connect_with_prefix(url, "larder:idem").await
    }

    /// The same with another beginning for the names of all keys. All instances of a service need the same; services that
    /// share a server need different ones.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_with_prefix(
        url: impl AsRef<str>,
        prefix: impl Into<String>,
    ) -> Result<Self, RecordsError> {
        let link = Arc::new(Link::new(url.as_ref(), Keys::new(prefix.into()))?);
        link.check().await?;
        Ok(Self { link })
    }
}

impl Records for RedisRecords {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn claim<'a>(&'a self, claim: &'a Claim) -> RecordsFuture<'a, Claimed> {
        Box::pin(async { claimed(&claim.key, self.link.claim(claim).await?) })
    }

    fn renew<'a>(&'a self, renewal: &'a Renewal) -> RecordsFuture<'a, Hold> {
        Box::pin(async { self.link.renew(renewal).await.map(hold) })
    }

    fn finish<'a>(&'a self, finish: &'a Finish) -> RecordsFuture<'a, Hold> {
        Box::pin(async { self.link.finish(finish).await.map(hold) })
    }

    fn release<'a>(&'a self, release: &'a Release) -> RecordsFuture<'a, Hold> {
        Box::pin(async { self.link.release(release).await.map(hold) })
    }

    fn spend<'a>(&'a self, spend: &'a Spend) -> RecordsFuture<'a, Spent> {
        Box::pin(async {
            let (fresh, since) = self.link.spend(spend).await?;
            Ok(Spent {
                fresh,
                since: Timestamp::from_millis(since),
            })
        })
    }
}

const fn hold(held: bool) -> Hold {
    if held { Hold::Held } else { Hold::Gone }
}

/// What the answer to a claim says. It comes from outside, and is believed nothing.
fn claimed(key: &RecordKey, answer: Answer) -> Result<Claimed, RecordsError> {
    let state = match answer.code {
        scripts::GRANTED => return Ok(Claimed::Granted),
        scripts::LATE => return Ok(Claimed::TooLate),
        scripts::RUNNING => RecordState::Running {
            remaining: Duration::from_millis(answer.remaining),
        },
        scripts::LOST => RecordState::Lost {
            token: token(&answer.token)?,
        },
        scripts::FINISHED => RecordState::Finished(
            RunResult::from_bytes(key, &Bytes::from(answer.result))
                .ok_or_else(|| odd("a result that is none"))?,
        ),
        scripts::TOO_LARGE => return Err(odd("a result above the limit")),
        code => return Err(odd(&format!("the code {code}"))),
    };
    let fingerprint =
        <[u8; 32]>::try_from(answer.fingerprint).map_err(|_| odd("a fingerprint of another length"))?;
    Ok(Claimed::Found(Record {
        fingerprint: Fingerprint::from_bytes(fingerprint),
        state,
    }))
}

fn token(digits: &[u8]) -> Result<FencingToken, RecordsError> {
    let number = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    number
        .map(FencingToken::from_u64)
        .ok_or_else(|| odd("a token that is no number"))
}

fn odd(what: &str) -> RecordsError {
    RecordsError::new(
        RecordsErrorKind::Protocol,
        format!("the server has {what} where a record is"),
    )
}

/// What the reader of answers promises, for any answer: no panic, and a result only if it was written for its key.
#[cfg(test)]
fn check_answer(code: i64, fingerprint: &[u8], token: &[u8], result: &[u8]) {
    let key = RecordKey::from_bytes([7; 32]);
    let answer = Answer {
        code,
        fingerprint: fingerprint.to_vec(),
        remaining: 0,
        token: token.to_vec(),
        result: result.to_vec(),
    };
    if let Ok(Claimed::Found(record)) = claimed(&key, answer) {
        assert_eq!(record.fingerprint.as_bytes()[..], *fingerprint);
        if let RecordState::Finished(found) = record.state {
            let again = RunResult::from_bytes(&key, &found.to_bytes(&key));
            assert_eq!(again, Some(found));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_answer_is_read_without_panic(
            code in -1i64..8,
            fingerprint in proptest::collection::vec(any::<u8>(), 30..34),
            token in "[0-9x]{0,22}",
            result in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            check_answer(code, &fingerprint, token.as_bytes(), &result);
            let framed = frame::framed(&RecordKey::from_bytes([7; 32]), &result);
            check_answer(code, &fingerprint, token.as_bytes(), &framed);
        }
    }
}
