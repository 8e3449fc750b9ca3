//! The store.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_store::{
    Announcement, Answer, Capture, Condition, Entry, Finding, Forgotten, Frame, FrameError, Kept, Key,
    Lookup, Put, SharedEntry, Size, Store, StoreError, StoreErrorKind, Strength, Survey, Tag, Turn, Validity,
    Wanted,
};
use tokio::runtime::Handle;
use tokio::time::timeout;
use xxhash_rust::xxh3::xxh3_128;

use crate::builder::{Builder, ConnectError};
use crate::doctor;
use crate::feed::{Coherence, Feed};
use crate::link::Link;
use crate::lookup::{self, Shelves};
use crate::lookup_many::lookup_many;
use crate::metrics::{self, Operation};
use crate::pack::Packing;
use crate::pending::Invalidation;
use crate::place::Place;
use crate::protocol::{IntentId, RecordId, Verdict};
use crate::seal::{Seal, Seen};
use crate::server::{Scope, random};
use crate::turns::{TurnId, Turns};
use crate::writes::{Write, Writes};

/// Keeps entries on a Redis (6 or later) or Valkey server, shared by all instances of a service, and their bodies in this
/// process's memory.
///
/// A hit asks the server for the stamps of the entry's tags, in one round trip, and takes the body from memory if it is
/// there; so no instance serves what another has forgotten. What is put is in memory at once and on the server a moment
/// later, off the path of the response.
///
/// There is one connection, which is made in the background and made again when it fails. While there is none, and until
/// all invalidations that failed meanwhile went out, the store answers
/// [`StoreErrorKind::Unavailable`](larder_store::StoreErrorKind::Unavailable) at once.
///
/// **Keys.** `{namespace}:…` has the records of the tags, `namespace:e1:…` the entries. Each has a time to live. The server
/// may evict what it likes: what is lost is a miss. It may be flushed, restarted from a snapshot or fail over: then all is a
/// miss.
///
/// **Where.** One server, the primary that Sentinels name, or a Cluster: see [`Place`]. Not through a proxy that changes the
/// server beneath an open connection.
///
/// Needs a tokio runtime with its timer. Cheap to clone; clones are one store.
#[derive(Clone)]
pub struct RedisStore(Arc<Inner>);

struct Inner {
    link: Arc<Link>,
    shelves: Arc<Shelves>,
    writes: Writes,
    longest: Duration,
    largest: usize,
    packing: Packing,
    coherence: Coherence,
    feed: Arc<Feed>,
    turns: Arc<Turns>,
}

impl Builder {
    /// The store. It connects at its first use.
    ///
    /// # Errors
    /// When the URL cannot be read, or asks for what this build does not have.
    pub fn open(self) -> Result<RedisStore, ConnectError> {
        let link = Arc::new(self.link()?);
        Ok(RedisStore(Arc::new(Inner {
            turns: Turns::new(&link),
            link,
            shelves: Arc::new(Shelves::new(self.memory, self.clock, self.largest)),
            writes: Writes::new(self.budget.writing.max(2 * self.largest)),
            longest: self.longest,
            largest: self.largest,
            packing: self.packing,
            coherence: self.coherence,
            feed: Arc::default(),
        })))
    }

    /// The store, connected: to hear of a wrong configuration when the service starts.
    ///
    /// # Errors
    /// As [`open`](Self::open); and when the server cannot be reached within 2 s, refuses the credentials, or is none that
    /// can be used.
    pub async fn connect(self) -> Result<RedisStore, ConnectError> {
        let store = self.open()?;
        let link = &store.0.link;
        if timeout(2 * link.budget.connect, link.wait()).await.is_ok() {
            return Ok(store);
        }
        let error = link
            .failure()
            .unwrap_or_else(|| StoreError::new(StoreErrorKind::Timeout, "the server did not answer in time"));
        Err(ConnectError::new("the server cannot be used", error))
    }
}

impl RedisStore {
    /// Starts from settings of your own, at a URL or another [`Place`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), larder_redis::ConnectError> {
    /// use larder_redis::RedisStore;
    ///
    /// let store = RedisStore::builder("redis://127.0.0.1").namespace("shop").connect().await?;
    /// # drop(store);
    /// # Ok(()) }
    /// ```
    pub fn builder(place: impl Into<Place>) -> Builder {
        Builder::new(place.into())
    }

    /// A store at a URL or another [`Place`], with the settings of a [`builder`](Self::builder), connected.
    ///
    /// # Errors
    /// As [`Builder::connect`].
    pub async fn connect(place: impl Into<Place>) -> Result<Self, ConnectError> {
        Self::builder(place).connect().await
    }

    /// Waits until all that was put has reached the server, or failed to: before the process ends, or in a test.
    pub async fn flush(&self) {
        self.0.writes.idle().await;
    }

    fn records_live(&self) -> Duration {
        2 * self.0.longest
    }

    /// Takes an entry in, whose tags all have a record: in memory now, on the server soon.
    fn take_in(inner: &Inner, key: Key, entry: Entry, seen: &Seen) -> Put {
        let seal = Seal::new(seen.stamp, &entry, &inner.link);
        seal.renew(seen.noted.as_ref());
        let frame = Frame::encode(key.as_bytes(), &entry, &seen.stamp.to_bytes());
        let time_to_live = time_to_live(&entry, inner.longest);
        let records = seal.records.clone();
        let entry = SharedEntry::new(entry.with_stamps(seal));
        let frame = match frame {
            Ok(frame) if frame.len() <= inner.largest => Ok(frame),
            Err(FrameError::Unencodable) => Err(Kept::RejectedForm),
            _ => Err(Kept::RejectedSize),
        };
        let frame = match frame {
            Ok(frame) => frame,
            Err(kept) => {
                metrics::put(&entry, kept);
                return Put { entry, kept };
            }
        };
        inner
            .shelves
            .keep(key.clone(), SharedEntry::clone(&entry), &records);
        let write = Write {
            key,
            entry: SharedEntry::clone(&entry),
            frame,
            packing: inner.packing,
            time_to_live,
            turn: seen.turn(),
        };
        inner.writes.begin(&inner.link, write);
        Put {
            entry,
            kept: Kept::Stored,
        }
    }

    fn forget_scope(
        &self,
        scope: Scope,
        strength: Strength,
        intent: Option<IntentId>,
    ) -> Answer<Result<Forgotten, StoreError>> {
        let invalidation = Invalidation {
            scope,
            strength,
            intent,
        };
        let forgetting = Arc::clone(&self.0.link).forget(invalidation);
        let no_runtime = || StoreError::new(StoreErrorKind::Unavailable, "there is no tokio runtime");
        let Ok(runtime) = Handle::try_current() else {
            return Answer::Ready(Err(no_runtime()));
        };
        // A task of its own, which goes on when nobody waits for it any more.
        let task = runtime.spawn(forgetting);
        Answer::Later(Box::pin(async move {
            let known = task.await.map_err(|_| no_runtime())??;
            let mut forgotten = Forgotten::default();
            forgotten.known = known;
            Ok(forgotten)
        }))
    }
}

/// What one step of a survey may take.
const SURVEY: Duration = Duration::from_secs(5);

impl Store for RedisStore {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn lookup(&self, key: &[u8]) -> Answer<Result<Lookup, StoreError>> {
        let (link, shelves) = (&self.0.link, &self.0.shelves);
        if let Some(bound) = self.0.coherence.bound() {
            if let Some(entry) = lookup::proved(link, shelves, key, bound) {
                return Answer::Ready(Ok(Lookup::Found(entry)));
            }
            self.0.feed.begin(link, bound);
        }
        self.lookup_strictly(key)
    }

    fn lookup_strictly(&self, key: &[u8]) -> Answer<Result<Lookup, StoreError>> {
        let (link, shelves) = (Arc::clone(&self.0.link), Arc::clone(&self.0.shelves));
        Answer::Later(Box::pin(lookup::lookup(link, shelves, Key::from(key))))
    }

    fn lookup_many(&self, keys: &[Key]) -> Answer<Vec<Result<Lookup, StoreError>>> {
        let (link, shelves) = (Arc::clone(&self.0.link), Arc::clone(&self.0.shelves));
        let Some(bound) = self.0.coherence.bound() else {
            return Answer::Later(Box::pin(lookup_many(link, shelves, keys.to_vec())));
        };
        let proved = |key: &Key| lookup::proved(&link, &shelves, key.as_bytes(), bound);
        let mut all: Vec<_> = keys.iter().map(proved).collect();
        let pairs = keys.iter().zip(&all);
        let asked: Vec<Key> = pairs
            .filter(|(_, found)| found.is_none())
            .map(|(key, _)| key.clone())
            .collect();
        if asked.is_empty() {
            let found = all.into_iter().flatten().map(|entry| Ok(Lookup::Found(entry)));
            return Answer::Ready(found.collect());
        }
        self.0.feed.begin(&link, bound);
        Answer::Later(Box::pin(async move {
            let mut asked = lookup_many(link, shelves, asked).await.into_iter();
            let absent = || Ok(Lookup::Absent);
            let all = all.iter_mut().map(Option::take);
            all.map(|proved| match proved {
                Some(entry) => Ok(Lookup::Found(entry)),
                None => asked.next().unwrap_or_else(absent),
            })
            .collect()
        }))
    }

    fn capture(&self, tags: &[Tag]) -> Answer<Result<Capture, StoreError>> {
        let records = RecordId::of_all(tags);
        let link = Arc::clone(&self.0.link);
        let time_to_live = self.records_live();
        Answer::Later(Box::pin(async move {
            let live = link.live()?;
            let noted = link
                .board
                .as_ref()
                .map(|board| board.note(link.names.of(&records)));
            let capturing = live.server.capture(&link.names, &records, time_to_live);
            let captured = link.within(&live, Operation::Capture, capturing).await?;
            let stamp = captured.stamp;
            let noted = noted.filter(|_| captured.is_valid);
            let seen = Seen {
                stamp,
                records,
                noted,
                turn: Mutex::default(),
            };
            Ok(Capture::new(captured.fingerprint, seen))
        }))
    }

    fn turn(&self, key: &[u8], capture: &Capture) -> Answer<Result<Turn, StoreError>> {
        // The capture of another store tells nothing here; and where nobody hears how a turn ended, nobody waits for one.
        if capture.stamps::<Seen>().is_none() || !self.0.link.listened().can_listen() {
            return Answer::Ready(Ok(Turn::Own(None)));
        }
        let (turns, link) = (Arc::clone(&self.0.turns), Arc::clone(&self.0.link));
        let mut name = key.to_vec();
        name.extend_from_slice(&capture.fingerprint().to_be_bytes());
        let (id, capture) = (TurnId(xxh3_128(&name)), capture.clone());
        Answer::Later(Box::pin(async move {
            let (turn, held) = turns.take(link, id).await?;
            if let Some(seen) = capture.stamps::<Seen>() {
                seen.has(held);
            }
            Ok(turn)
        }))
    }

    fn put(&self, key: Key, entry: Entry, capture: Capture) -> Answer<Put> {
        let Some(seen) = capture.stamps::<Seen>() else {
            // The capture of another store tells nothing here.
            return Answer::Ready(Put {
                entry: SharedEntry::new(entry),
                kept: Kept::RejectedStamp,
            });
        };
        let records = RecordId::of_all(&entry.tags);
        let is_captured = records.iter().all(|id| seen.records.contains(id));
        if is_captured && !cfg!(larder_mutant = "redis_stamps_when_stored") {
            return Answer::Ready(Self::take_in(&self.0, key, entry, seen));
        }
        // Some tags are known only now. Their records must be there before anyone asks whether the entry is valid.
        let (inner, time_to_live) = (Arc::clone(&self.0), self.records_live());
        Answer::Later(Box::pin(async move {
            let late = if cfg!(larder_mutant = "redis_stamps_when_stored") {
                late(&inner, &records, time_to_live).await
            } else {
                None
            };
            let adopted = match late.as_ref().or_else(|| capture.stamps::<Seen>()) {
                Some(seen) => adopt(&inner, &records, time_to_live, seen).await,
                None => Err(Kept::RejectedStamp),
            };
            match adopted {
                Ok(seen) => Self::take_in(&inner, key, entry, seen),
                Err(kept) => {
                    metrics::put(&entry, kept);
                    Put {
                        entry: SharedEntry::new(entry),
                        kept,
                    }
                }
            }
        }))
    }

    fn validity(&self, entry: &SharedEntry) -> Answer<Result<Validity, StoreError>> {
        if cfg!(larder_mutant = "redis_joins_by_key") {
            return Answer::Ready(Ok(Validity::Valid));
        }
        let link = Arc::clone(&self.0.link);
        Answer::Later(Box::pin(lookup::validity(link, SharedEntry::clone(entry))))
    }

    fn forget(&self, tags: &[Tag], strength: Strength) -> Answer<Result<Forgotten, StoreError>> {
        self.forget_scope(Scope::Records(RecordId::of_all(tags)), strength, None)
    }

    fn forget_everything(&self, strength: Strength) -> Answer<Result<Forgotten, StoreError>> {
        self.forget_scope(Scope::Everything, strength, None)
    }

    fn announce(&self, tags: &[Tag], lasts: Duration) -> Answer<Result<Announcement, StoreError>> {
        let (link, time_to_live) = (Arc::clone(&self.0.link), self.records_live());
        let records = RecordId::of_all(tags);
        Answer::Later(Box::pin(async move {
            let name = random()?;
            link.announce(records, time_to_live, (IntentId(name), lasts))
                .await?;
            Ok(Announcement::new(name))
        }))
    }

    fn finish(&self, tags: &[Tag], announcement: Announcement) -> Answer<Result<Forgotten, StoreError>> {
        let intent = Some(IntentId(announcement.name()));
        self.forget_scope(Scope::Records(RecordId::of_all(tags)), Strength::Hard, intent)
    }

    fn doctor(&self) -> Answer<Vec<Finding>> {
        let (link, coherence) = (Arc::clone(&self.0.link), self.0.coherence);
        Answer::Later(Box::pin(doctor::examine(link, coherence)))
    }

    fn survey(&self, wanted: &Wanted, from: u64, most: usize) -> Answer<Result<Survey, StoreError>> {
        let (link, wanted, largest) = (Arc::clone(&self.0.link), Arc::clone(wanted), self.0.largest);
        Answer::Later(Box::pin(async move {
            let live = link.live()?;
            let surveying = live.server.survey(&link.names, &wanted, (from, most), largest);
            // Not the budget of a request, nor its word on whether the server is well: this may take its time.
            match timeout(SURVEY, surveying).await {
                Ok(result) => result,
                Err(_) => Err(StoreError::new(
                    StoreErrorKind::Timeout,
                    "the survey of the entries took too long; ask for fewer at a time",
                )),
            }
        }))
    }

    fn stamp(&self, entry: &Entry) -> Option<String> {
        let stamp = Seal::of(entry)?.stamp;
        let generation = u128::from_be_bytes(stamp.generation.0);
        Some(format!("{} of {generation:032x}", stamp.sequence))
    }

    fn size(&self) -> Size {
        let mut size = Size::default();
        if let Some(memory) = &self.0.shelves.memory {
            size.entries = memory.len();
            size.bytes = memory.bytes();
            size.capacity = memory.capacity();
        }
        size
    }

    fn visit(&self, see: &mut dyn FnMut(&Key, &SharedEntry) -> ControlFlow<()>) -> bool {
        if let Some(memory) = &self.0.shelves.memory {
            memory.visit(see);
        }
        self.0.shelves.memory.is_some()
    }

    fn probe(&self) -> Answer<Result<(), StoreError>> {
        Answer::Later(Box::pin(Arc::clone(&self.0.link).probe()))
    }

    fn condition(&self) -> Condition {
        self.0.link.condition()
    }
}

/// Makes the records that are missing; the stamps, if an entry with these records and them is valid.
async fn adopt<'a>(
    inner: &Inner,
    records: &[RecordId],
    time_to_live: Duration,
    seen: &'a Seen,
) -> Result<&'a Seen, Kept> {
    let link = &inner.link;
    let live = link.live().map_err(|_| Kept::Error)?;
    let adopting = live.server.adopt(&link.names, records, time_to_live, seen.stamp);
    match link.within(&live, Operation::Adopt, adopting).await {
        Ok(Verdict::Valid) => Ok(seen),
        Ok(_) if cfg!(larder_mutant = "redis_joins_by_key") => Ok(seen),
        Ok(_) => Err(Kept::RejectedStamp),
        Err(_) => Err(Kept::Error),
    }
}

/// The stamp of now, after the fill: the bug `redis_stamps_when_stored`.
async fn late(inner: &Inner, records: &[RecordId], time_to_live: Duration) -> Option<Seen> {
    let live = inner.link.live().ok()?;
    let capturing = live.server.capture(&inner.link.names, records, time_to_live);
    let stamp = capturing.await.ok()?.stamp;
    Some(Seen {
        stamp,
        records: records.into(),
        noted: None,
        turn: Mutex::default(),
    })
}

/// How long an entry is kept on the server: while it may be served, and some minutes more in which it may be validated.
fn time_to_live(entry: &Entry, longest: Duration) -> Duration {
    const TO_VALIDATE: Duration = Duration::from_secs(10 * 60);
    let lifetime = &entry.lifetime;
    let windows = lifetime.stale_while_revalidate_ms.max(lifetime.stale_if_error_ms);
    let whole = lifetime.fresh_ms.saturating_add(windows);
    let left = Duration::from_millis(whole.saturating_sub(lifetime.initial_age_ms));
    left.saturating_add(TO_VALIDATE).min(longest)
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("link", &self.0.link)
            .field("namespace", &self.0.link.names.namespace())
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}
