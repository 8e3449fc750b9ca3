//! The contract between the read-through flow and what keeps the entries.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::entry::{Entry, SharedEntry};
use crate::error::{StoreError, StoreErrorKind};
use crate::finding::Finding;
use crate::key::Key;
use crate::ledger::{Sequence, Strength, Validity};
use crate::tag::Tag;
use crate::turn::Turn;

/// What a store answers: at once, or after a round trip.
///
/// A store in memory answers at once and allocates nothing for it, so that a hit is served without an await.
pub enum Answer<T> {
    /// The answer.
    Ready(T),
    /// The answer will come.
    Later(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T> Answer<T> {
    /// Waits for the answer. The time limit is the caller's.
    pub async fn wait(self) -> T {
        match self {
            Self::Ready(value) => value,
            Self::Later(value) => value.await,
        }
    }
}

impl<T: Send + Unpin + 'static> Answer<T> {
    /// All of `answers` in their order; those that come later are waited for together.
    #[must_use]
    pub fn all(answers: Vec<Self>) -> Answer<Vec<T>> {
        if answers.iter().all(|answer| matches!(answer, Self::Ready(_))) {
            return Answer::Ready(answers.into_iter().filter_map(Self::at_once).collect());
        }
        let mut answers = answers;
        Answer::Later(Box::pin(std::future::poll_fn(move |cx| {
            let mut waits = false;
            for answer in &mut answers {
                if let Self::Later(work) = answer {
                    match work.as_mut().poll(cx) {
                        Poll::Ready(value) => *answer = Self::Ready(value),
                        Poll::Pending => waits = true,
                    }
                }
            }
            if waits {
                return Poll::Pending;
            }
            let answers = std::mem::take(&mut answers);
            Poll::Ready(answers.into_iter().filter_map(Self::at_once).collect())
        })))
    }

    fn at_once(self) -> Option<T> {
        match self {
            Self::Ready(value) => Some(value),
            Self::Later(_) => None,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(value) => f.debug_tuple("Ready").field(value).finish(),
            Self::Later(_) => f.write_str("Later(..)"),
        }
    }
}

/// Keeps entries under keys and forgets them by their tags.
///
/// What an implementation owes (the conformance suite of `larder-testkit` holds each to it):
///
/// - **No stale fill.** An entry whose [`Capture`] was taken before [`forget`](Store::forget) was called for one of
///   its tags is not found by a [`lookup`](Store::lookup) that begins after that call completed. The same holds for
///   [`forget_everything`](Store::forget_everything).
/// - **Forgetting is cheap**: its cost depends on the number of tags named, not on the number of entries, and
///   forgetting a tag that no entry carries leaves nothing behind.
/// - **Lost records fail closed**: an entry whose tags' records are gone is not found.
/// - **The full key decides**: an entry is found under the key that it was stored under and no other, whatever the
///   hashes.
/// - **Bounded**: neither the entries nor the records grow without a bound that was set when the store was made.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// The word for this kind of store in metrics and logs, such as `memory`.
    fn name(&self) -> &'static str;

    /// Looks for the entry under `key`.
    fn lookup(&self, key: &[u8]) -> Answer<Result<Lookup, StoreError>>;

    /// Looks for the entry under `key` and knows of every invalidation that was complete before, also where
    /// [`lookup`](Store::lookup) was set to be behind for a while. By default they are the same.
    fn lookup_strictly(&self, key: &[u8]) -> Answer<Result<Lookup, StoreError>> {
        self.lookup(key)
    }

    /// Looks for the entries under all of `keys`, and answers in their order.
    ///
    /// By default it asks for each, for all at the same time. A store behind a connection does it in one round trip.
    fn lookup_many(&self, keys: &[Key]) -> Answer<Vec<Result<Lookup, StoreError>>> {
        Answer::all(keys.iter().map(|key| self.lookup(key.as_bytes())).collect())
    }

    /// Takes the stamps of `tags` for a fill that begins when this was answered.
    fn capture(&self, tags: &[Tag]) -> Answer<Result<Capture, StoreError>>;

    /// A number that every invalidation changes as it begins, before it is complete; `None` where that is known elsewhere.
    ///
    /// As long as it stays the same, nothing at all was forgotten, and the stamps of no tag have changed.
    fn pulse(&self) -> Option<u64> {
        None
    }

    /// Takes the turn to make what is missing under `key`, after `capture` was answered, among all processes that share this
    /// store; or says that another has it, and when that one has ended.
    ///
    /// It spares work, and nothing may rest on it: two processes may have one turn, and a process that died has its turn for a
    /// bounded time alone. What was made is judged by its stamps as ever. By default there is no other process.
    fn turn(&self, key: &[u8], capture: &Capture) -> Answer<Result<Turn, StoreError>> {
        let _ = (key, capture);
        Answer::Ready(Ok(Turn::Own(None)))
    }

    /// Keeps `entry`, whose fill began after `capture` was answered.
    ///
    /// The entry's tags may be more than those captured. The answer holds the entry whether it was kept or not.
    fn put(&self, key: Key, entry: Entry, capture: Capture) -> Answer<Put>;

    /// Whether an entry that [`put`](Store::put) answered is valid still.
    fn validity(&self, entry: &SharedEntry) -> Answer<Result<Validity, StoreError>>;

    /// Forgets all entries that carry one of `tags`. Complete when it answers `Ok`.
    fn forget(&self, tags: &[Tag], strength: Strength) -> Answer<Result<Forgotten, StoreError>>;

    /// Forgets all entries.
    fn forget_everything(&self, strength: Strength) -> Answer<Result<Forgotten, StoreError>>;

    /// Announces that what `tags` stand for is about to change: no entry that carries one of them is found until
    /// [`finish`](Store::finish), or until it `lasts` no longer, and then none that was there before. So a process that dies
    /// between its change and its invalidation leaves nothing stale behind.
    ///
    /// A store in the memory of the process dies with it, and has nothing to announce: that is the default.
    fn announce(&self, tags: &[Tag], lasts: Duration) -> Answer<Result<Announcement, StoreError>> {
        let _ = (tags, lasts);
        Answer::Ready(Ok(Announcement::default()))
    }

    /// Ends what was announced of these `tags`, and forgets them. Complete when it answers `Ok`. The announcements of others
    /// stay. By default it forgets them.
    fn finish(&self, tags: &[Tag], announcement: Announcement) -> Answer<Result<Forgotten, StoreError>> {
        let _ = announcement;
        self.forget(tags, Strength::Hard)
    }

    /// The tags that entries carry and `wanted` accepts: some at a time, from a place that is 0 at first and
    /// [`next`](Survey::next) then. A store that can looks at no more than about `most` entries each time. What comes in
    /// meanwhile may be left out. For maintenance: it costs as much as there are entries.
    ///
    /// By default it is [unsupported](crate::StoreErrorKind::Unsupported).
    fn survey(&self, wanted: &Wanted, from: u64, most: usize) -> Answer<Result<Survey, StoreError>> {
        let _ = (wanted, from, most);
        let message = format!("the store `{}` cannot tell which tags there are", self.name());
        Answer::Ready(Err(StoreError::new(StoreErrorKind::Unsupported, message)))
    }

    /// How much it holds in this process.
    fn size(&self) -> Size;

    /// Looks at what the store is on, and says what is amiss and what to change, the worst first. A store in memory has
    /// nothing to say: that is the default.
    fn doctor(&self) -> Answer<Vec<Finding>> {
        Answer::Ready(Vec::new())
    }

    /// Shows the entries that it holds in this process, dead and expired ones included, to `see`, in any order and until
    /// that breaks off. Answers whether it can show them: by default it cannot.
    ///
    /// It is for people who look, and walks over all entries: it costs their number, and holds up nobody meanwhile.
    fn visit(&self, see: &mut dyn FnMut(&Key, &SharedEntry) -> ControlFlow<()>) -> bool {
        let _ = see;
        false
    }

    /// The stamp of an entry that it took in, for people who look: the number of the last invalidation before its fill began.
    /// By default there is none to show.
    fn stamp(&self, entry: &Entry) -> Option<String> {
        let _ = entry;
        None
    }

    /// Whether it works: asks what is behind it, if anything is. The time limit is the caller's.
    fn probe(&self) -> Answer<Result<(), StoreError>> {
        Answer::Ready(Ok(()))
    }

    /// How it is, as far as it knows without asking anybody. By default all is well.
    fn condition(&self) -> Condition {
        Condition::default()
    }
}

/// How a store is, as far as it knows without asking anybody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Condition {
    /// Its breaker; `None` for a store that has no connection.
    pub breaker: Option<Breaker>,
    /// Why there is no connection, if there is none: without credentials.
    pub failure: Option<String>,
    /// Invalidations that it owes to its server: until they went out, nothing is read.
    pub owed: usize,
    /// Whether the feed of changes is heard; `None` for a store without one.
    pub feed: Option<bool>,
}

/// What the breaker of a store does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Breaker {
    /// The store is asked.
    Closed,
    /// A connection is being made or tried.
    HalfOpen,
    /// The store is left alone, because it failed.
    Open,
}

impl Breaker {
    /// The word for it in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// Which tags a [`survey`](Store::survey) looks for.
pub type Wanted = Arc<dyn Fn(&Tag) -> bool + Send + Sync>;

/// What a [`survey`](Store::survey) found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Survey {
    /// The tags, each once.
    pub tags: Vec<Tag>,
    /// How many entries were looked at.
    pub seen: usize,
    /// Where to go on; `None` at the end.
    pub next: Option<u64>,
}

/// The name of an announced change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Announcement([u8; 16]);

impl Announcement {
    /// The announcement with this name, which its store chose and no other has.
    #[must_use]
    pub const fn new(name: [u8; 16]) -> Self {
        Self(name)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> [u8; 16] {
        self.0
    }
}

/// What a [`lookup`](Store::lookup) found.
#[derive(Debug)]
#[non_exhaustive]
pub enum Lookup {
    /// An entry that may be used as far as its tags go; how fresh it is is not the store's to say.
    Found(SharedEntry),
    /// The same, and its body came from another process.
    Fetched(SharedEntry),
    /// An entry that was forgotten softly: stale whatever its age.
    Stale(SharedEntry),
    /// No entry.
    Absent,
    /// An entry that was forgotten.
    Forgotten,
    /// Something was kept under the key, and is of no use.
    Useless(Useless),
}

/// Why what is kept under a key is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Useless {
    /// It is of a time of which the store's records are gone: they were lost, or belong to another life of the server.
    Epoch,
    /// It has a form that is not known here: another version of this program wrote it.
    Schema,
    /// It is damaged, or no entry at all.
    Decode,
    /// A change that one of its tags names was announced and is not finished.
    Intent,
}

impl Useless {
    /// The word for it in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Epoch => "epoch",
            Self::Schema => "schema",
            Self::Decode => "decode",
            Self::Intent => "intent",
        }
    }
}

/// The stamps as they were before a fill: what they are is the store's own affair. Cheap to clone.
#[derive(Clone)]
pub struct Capture {
    fingerprint: u64,
    stamps: Captured,
}

/// The stamps of a capture.
#[derive(Clone)]
enum Captured {
    Ledger(Sequence),
    Foreign(Arc<dyn Any + Send + Sync>),
}

impl Capture {
    /// The capture of a store with `stamps` of its own, which it finds again with [`stamps`](Self::stamps).
    #[must_use]
    pub fn new(fingerprint: u64, stamps: impl Any + Send + Sync) -> Self {
        Self {
            fingerprint,
            stamps: Captured::Foreign(Arc::new(stamps)),
        }
    }

    pub(crate) const fn of_ledger(fingerprint: u64, sequence: Sequence) -> Self {
        Self {
            fingerprint,
            stamps: Captured::Ledger(sequence),
        }
    }

    /// The stamps that the store made this capture with; `None` if it was another store, with other stamps.
    #[must_use]
    pub fn stamps<T: Any>(&self) -> Option<&T> {
        match &self.stamps {
            Captured::Ledger(_) => None,
            Captured::Foreign(stamps) => stamps.downcast_ref(),
        }
    }

    pub(crate) const fn sequence(&self) -> Option<Sequence> {
        match &self.stamps {
            Captured::Ledger(sequence) => Some(*sequence),
            Captured::Foreign(_) => None,
        }
    }

    /// The [pulse](Store::pulse) of its store when it was taken, where that has one.
    #[must_use]
    pub const fn pulse(&self) -> Option<u64> {
        match &self.stamps {
            Captured::Ledger(Sequence(number)) => Some(*number),
            Captured::Foreign(_) => None,
        }
    }

    /// A number that two captures share only if no invalidation of their tags lies between them: requests join one
    /// fill only when it is the same.
    #[must_use]
    pub const fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// What became of an entry that was [`put`](Store::put).
#[derive(Debug)]
pub struct Put {
    /// The entry.
    pub entry: SharedEntry,
    /// Whether it was kept.
    pub kept: Kept,
}

/// Whether an entry was kept, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kept {
    /// It is in the store.
    Stored,
    /// One of its tags was forgotten since its capture: it was born dead.
    RejectedStamp,
    /// It is larger than what the store may give to one entry.
    RejectedSize,
    /// It is a value of this process that cannot be written as bytes, which the store needs.
    RejectedForm,
    /// The store failed.
    Error,
}

impl Kept {
    /// The word for it in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::RejectedStamp => "rejected_stamp",
            Self::RejectedSize => "rejected_size",
            Self::RejectedForm => "rejected_form",
            Self::Error => "error",
        }
    }
}

/// What an invalidation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Forgotten {
    /// How many of the tags named were carried by an entry.
    pub known: usize,
}

/// How much a store holds in this process. Of what it keeps elsewhere, there is no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Size {
    /// Entries, dead and expired ones that were not replaced yet included.
    pub entries: usize,
    /// Bytes of all entries: keys, headers, bodies, tags and bookkeeping.
    pub bytes: u64,
    /// The bound of `bytes`.
    pub capacity: u64,
    /// Tags that entries carry.
    pub tags: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Waker};

    /// Is ready when it is polled for the `n`th time.
    fn at_poll(mut n: u32, value: u8) -> Answer<u8> {
        Answer::Later(Box::pin(std::future::poll_fn(move |_| {
            n -= 1;
            if n == 0 { Poll::Ready(value) } else { Poll::Pending }
        })))
    }

    #[test]
    fn all_answers_come_in_their_order_and_are_waited_for_together() {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(
            matches!(Answer::all(vec![Answer::Ready(1), Answer::Ready(2)]), Answer::Ready(all) if all == [1, 2])
        );
        let Answer::Later(mut all) = Answer::all(vec![at_poll(3, 1), Answer::Ready(2), at_poll(3, 3)]) else {
            panic!("two of them come later");
        };
        assert!(all.as_mut().poll(&mut cx).is_pending());
        assert!(all.as_mut().poll(&mut cx).is_pending());
        assert_eq!(all.as_mut().poll(&mut cx), Poll::Ready(vec![1, 2, 3]));
    }
}
