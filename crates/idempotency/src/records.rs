//! The contract of what remembers: claims, their results, and nonces.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use larder_lock::{FencingToken, Owner};
use larder_store::Timestamp;

use crate::digest::Hex;
use crate::error::RecordsError;
use crate::result::RunResult;

/// The answer of [`Records`] that is waited for.
pub type RecordsFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, RecordsError>> + Send + 'a>>;

/// Remembers which operations were begun, how they ended, and which nonces were seen.
///
/// Every call is atomic with regard to all others, also of other instances. Times are reckoned by the records' own clock.
/// [`MemoryRecords`](crate::MemoryRecords) is for one process, and `RedisRecords` (feature `redis`) for several.
///
/// A record begins with a claim that is granted, which has an owner and a lease. It is finished by its owner, and then has
/// the result; or the lease ends first, and it is **lost**: nobody knows how far the operation came. Neither goes away
/// before its retention ends, unless its owner releases it.
pub trait Records: fmt::Debug + Send + Sync + 'static {
    /// The word for it in metrics and logs, such as `redis`.
    fn name(&self) -> &'static str;

    /// Claims a key that is free. One that is not stays as it is, and is told of; but a lost one is granted to who takes
    /// it over.
    fn claim<'a>(&'a self, claim: &'a Claim) -> RecordsFuture<'a, Claimed>;

    /// Lets the lease end `lease` from now; zero ends it at once. Also when it had ended already, as long as nobody took
    /// the record over. Begins the retention anew.
    fn renew<'a>(&'a self, renewal: &'a Renewal) -> RecordsFuture<'a, Hold>;

    /// Finishes a record with the result; also when its lease had ended, as long as nobody took it over. What finished it
    /// once stays, and a second call is [`Hold::Held`] too. Where there is no room for the result,
    /// [`NotKeptReason::NoRoom`](crate::NotKeptReason::NoRoom) takes its place.
    fn finish<'a>(&'a self, finish: &'a Finish) -> RecordsFuture<'a, Hold>;

    /// Frees a key whose operation was not begun. Not one that is finished, or another's.
    ///
    /// If the claim was never answered, it may be yet to arrive. It must then not be granted for a minute at least
    /// ([`Claimed::TooLate`]).
    fn release<'a>(&'a self, release: &'a Release) -> RecordsFuture<'a, Hold>;

    /// Spends a nonce, of which one call alone is told that it was fresh.
    fn spend<'a>(&'a self, spend: &'a Spend) -> RecordsFuture<'a, Spent>;
}

/// So that which records are used can be decided when the program starts.
impl<R: Records + ?Sized> Records for Arc<R> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn claim<'a>(&'a self, claim: &'a Claim) -> RecordsFuture<'a, Claimed> {
        (**self).claim(claim)
    }

    fn renew<'a>(&'a self, renewal: &'a Renewal) -> RecordsFuture<'a, Hold> {
        (**self).renew(renewal)
    }

    fn finish<'a>(&'a self, finish: &'a Finish) -> RecordsFuture<'a, Hold> {
        (**self).finish(finish)
    }

    fn release<'a>(&'a self, release: &'a Release) -> RecordsFuture<'a, Hold> {
        (**self).release(release)
    }

    fn spend<'a>(&'a self, spend: &'a Spend) -> RecordsFuture<'a, Spent> {
        (**self).spend(spend)
    }
}

/// A digest of 32 bytes that stands for a value.
macro_rules! digest {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The digest with these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            /// 64 hexadecimal digits.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Hex(&self.0).fmt(f)
            }
        }

        impl fmt::Debug for $name {
            /// The first digits: enough to tell digests apart in a log.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({}…)"), Hex(&self.0[..4]))
            }
        }
    };
}

digest! {
    /// The name of a record: SHA-256 over principal, method, target and idempotency key; or over key id and nonce.
    RecordKey
}

digest! {
    /// What has to be the same in each retry: SHA-256 over method, target, content type and body.
    Fingerprint
}

/// What [`Records::claim`] is asked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Claim {
    /// The key.
    pub key: RecordKey,
    /// The request's fingerprint.
    pub fingerprint: Fingerprint,
    /// Who claims: new for every claim.
    pub owner: Owner,
    /// The fencing token of the run. Above that of a record that is taken over.
    pub token: FencingToken,
    /// How long the claim holds unless it is renewed.
    pub lease: Duration,
    /// How long the record is kept.
    pub retention: Duration,
    /// The token of a lost record that is taken over; `None` takes none over.
    pub take_over: Option<FencingToken>,
}

impl Claim {
    /// A claim that takes nothing over.
    #[must_use]
    pub const fn new(
        key: RecordKey,
        fingerprint: Fingerprint,
        owner: Owner,
        token: FencingToken,
        lease: Duration,
        retention: Duration,
    ) -> Self {
        Self {
            key,
            fingerprint,
            owner,
            token,
            lease,
            retention,
            take_over: None,
        }
    }
}

/// What came of a [`Claim`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// The key is the caller's.
    Granted,
    /// The key has a record.
    Found(Record),
    /// The claim was [released](Records::release) before it arrived.
    TooLate,
}

/// A record that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The fingerprint of the request that claimed it.
    pub fingerprint: Fingerprint,
    /// How far the operation came.
    pub state: RecordState,
}

/// How far an operation came, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordState {
    /// It runs.
    Running {
        /// When its lease ends unless it is renewed.
        remaining: Duration,
    },
    /// It was begun, and its lease ended.
    Lost {
        /// The token of its run.
        token: FencingToken,
    },
    /// It ended.
    Finished(RunResult),
}

/// What [`Records::renew`] is asked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Renewal {
    /// The key.
    pub key: RecordKey,
    /// Who claimed it.
    pub owner: Owner,
    /// When the lease ends, from now.
    pub lease: Duration,
    /// How long the record is kept, from now.
    pub retention: Duration,
}

/// What [`Records::finish`] is asked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Finish {
    /// The key.
    pub key: RecordKey,
    /// Who claimed it.
    pub owner: Owner,
    /// What came of the operation.
    pub result: RunResult,
    /// How long the record is kept, from now.
    pub retention: Duration,
}

/// What [`Records::release`] is asked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Release {
    /// The key.
    pub key: RecordKey,
    /// Who claimed it.
    pub owner: Owner,
    /// Whether the claim was never answered, so that it may be yet to arrive.
    pub unanswered: bool,
}

impl Renewal {
    /// A renewal of `claim` for another lease.
    #[must_use]
    pub const fn of(claim: &Claim, lease: Duration) -> Self {
        Self {
            key: claim.key,
            owner: claim.owner,
            lease,
            retention: claim.retention,
        }
    }
}

impl Finish {
    /// The end of `claim`.
    #[must_use]
    pub const fn of(claim: &Claim, result: RunResult) -> Self {
        Self {
            key: claim.key,
            owner: claim.owner,
            result,
            retention: claim.retention,
        }
    }
}

impl Release {
    /// The release of `claim`.
    #[must_use]
    pub const fn of(claim: &Claim, unanswered: bool) -> Self {
        Self {
            key: claim.key,
            owner: claim.owner,
            unanswered,
        }
    }
}

/// Whether a record was still the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It was, and what was asked for is done.
    Held,
    /// It is another's, or gone.
    Gone,
}

/// What [`Records::spend`] is asked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Spend {
    /// The nonce.
    pub nonce: RecordKey,
    /// How long it is remembered.
    pub retention: Duration,
    /// The time by the caller's clock. Where nothing at all is remembered, the memory begins then.
    pub now: Timestamp,
}

impl Spend {
    /// What is asked to spend `nonce`.
    #[must_use]
    pub const fn new(nonce: RecordKey, retention: Duration, now: Timestamp) -> Self {
        Self {
            nonce,
            retention,
            now,
        }
    }
}

/// What came of a [`Spend`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// Whether the nonce had not been seen.
    pub fresh: bool,
    /// Since when nonces are remembered: those spent before may have been forgotten.
    pub since: Timestamp,
}
