//! Looking an entry up: its stamps always on the server, its body in memory where it is there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_store::{Clock, Entry, Key, Lookup, SharedEntry, Shelf, StoreError, Useless, Validity};
use quick_cache::sync::Cache;
use xxhash_rust::xxh3::xxh3_64;

use crate::link::{Link, Live};
use crate::metrics::{self, Operation};
use crate::pack::unpack;
use crate::protocol::{RecordId, Verdict};
use crate::seal::{Seal, open};

/// Where entries are looked up.
pub(crate) struct Shelves {
    /// The bodies that this process has. What is here may be forgotten: its stamps are asked for at each use.
    pub(crate) memory: Option<Shelf>,
    /// Which records the entry of a key needed last, so that one trip brings both.
    hints: Cache<u64, Arc<[RecordId]>>,
    clock: Clock,
    /// No entry on the server has more bytes.
    largest: usize,
}

/// How many keys have a hint: some 4 MiB.
const HINTS: usize = 1 << 14;

impl Shelves {
    pub(crate) fn new(memory: u64, clock: Clock, largest: usize) -> Self {
        Self {
            memory: (memory > 0).then(|| Shelf::with_capacity(memory)),
            hints: Cache::new(HINTS),
            clock,
            largest,
        }
    }

    pub(crate) fn find(&self, key: &[u8]) -> Option<SharedEntry> {
        self.memory.as_ref()?.find(key)
    }

    /// Whether it is past its lifetime, so that another process may have made a younger one.
    pub(crate) fn is_old(&self, entry: &Entry) -> bool {
        entry.lifetime.age_ms(self.clock.now()) >= entry.lifetime.fresh_ms
    }

    pub(crate) fn hint(&self, key: &[u8]) -> Option<Arc<[RecordId]>> {
        self.hints.get(&xxh3_64(key))
    }

    /// Keeps an entry that this process has made or fetched.
    pub(crate) fn keep(&self, key: Key, entry: SharedEntry, records: &[RecordId]) {
        let hash = xxh3_64(key.as_bytes());
        let kept = self
            .memory
            .as_ref()
            .is_some_and(|memory| memory.keep(key, entry).is_ok());
        if !kept {
            self.hints.insert(hash, records.into());
        }
    }
}

/// What the records say of an entry that this process has.
pub(crate) async fn verdict(link: &Arc<Link>, live: &Arc<Live>, seal: &Seal) -> Result<Verdict, StoreError> {
    let noted = link.board.as_ref().zip(seal.proof.as_ref());
    let noted = noted.map(|(board, proof)| board.note_again(proof));
    let asking = live.server.records(&link.names, &seal.records);
    let records = link.within(live, Operation::Verify, asking).await?;
    let verdict = live.server.judge(seal.stamp, &records);
    if verdict == Verdict::Valid {
        seal.renew(noted.as_ref());
    }
    Ok(verdict)
}

/// The entry under `key`, if this process has it, it is fresh, and it is proved that nothing made known more than `bound` ago
/// speaks against it.
pub(crate) fn proved(link: &Link, shelves: &Shelves, key: &[u8], bound: Duration) -> Option<SharedEntry> {
    let board = link.board.as_ref()?;
    let entry = shelves.find(key)?;
    let proof = Seal::of(&entry)?.proof.as_ref()?;
    // Two connections, and one server.
    let same = link.current().map_or(!link.source.needs_confirming(), |live| {
        board.is_listening_to(live.server.run()) && link.is_confirmed(&live)
    });
    let proved = same && !link.is_in_debt() && board.proves(proof, Instant::now(), bound);
    (proved && !shelves.is_old(&entry)).then_some(entry)
}

/// What the records say of an entry that a store answered with before.
pub(crate) async fn validity(link: Arc<Link>, entry: SharedEntry) -> Result<Validity, StoreError> {
    let Some(seal) = Seal::of(&entry) else {
        return Ok(Validity::Dead);
    };
    let live = link.live()?;
    Ok(match verdict(&link, &live, seal).await? {
        Verdict::Valid => Validity::Valid,
        Verdict::Soft => Validity::Soft,
        Verdict::Intent | Verdict::Forgotten | Verdict::Epoch => Validity::Dead,
    })
}

/// Looks for the entry under `key`, in memory and then on the server: another process may have made a newer one.
pub(crate) async fn lookup(link: Arc<Link>, shelves: Arc<Shelves>, key: Key) -> Result<Lookup, StoreError> {
    let live = link.live()?;
    let held = shelves.find(key.as_bytes());
    let mut hint: Arc<[RecordId]> = Arc::default();
    let mut local = Lookup::Absent;
    if let Some(entry) = held
        && let Some(seal) = Seal::of(&entry)
    {
        hint = (*seal.records).into();
        if cfg!(larder_mutant = "redis_trusts_memory") {
            return Ok(Lookup::Found(entry));
        }
        let verdict = verdict(&link, &live, seal).await?;
        metrics::revalidated(verdict);
        local = found(verdict, entry, Lookup::Found);
        if let Lookup::Found(entry) = &local
            && !shelves.is_old(entry)
        {
            return Ok(local);
        }
    } else if let Some(known) = shelves.hint(key.as_bytes()) {
        hint = known;
    }
    let remote = fetch(&link, &live, &shelves, key, &hint).await?;
    Ok(better(local, remote))
}

/// Fetches the entry, with the records that `hint` names, and with those that it needs where these are others.
async fn fetch(
    link: &Arc<Link>,
    live: &Arc<Live>,
    shelves: &Shelves,
    key: Key,
    hint: &[RecordId],
) -> Result<Lookup, StoreError> {
    let noted = link.board.as_ref().map(|board| board.note(link.names.of(hint)));
    let asking = live.server.entry(&link.names, key.as_bytes(), hint);
    let (bytes, records) = link.within(live, Operation::Lookup, asking).await?;
    let Some(bytes) = bytes else {
        return Ok(Lookup::Absent);
    };
    let bytes = unpack(bytes, shelves.largest);
    let entry = match open(&bytes, key.as_bytes(), link) {
        Ok(entry) => entry,
        Err(useless) => return Ok(useless.map_or(Lookup::Absent, Lookup::Useless)),
    };
    let Some(seal) = Seal::of(&entry) else {
        return Ok(Lookup::Absent);
    };
    let verdict = if *seal.records == *hint {
        let verdict = live.server.judge(seal.stamp, &records);
        if verdict == Verdict::Valid {
            seal.renew(noted.as_ref());
        }
        verdict
    } else {
        verdict(link, live, seal).await?
    };
    if matches!(verdict, Verdict::Valid | Verdict::Soft) {
        shelves.keep(key, Arc::clone(&entry), &seal.records);
    }
    Ok(found(verdict, entry, Lookup::Fetched))
}

/// What is of more use: of what was found in memory, old or stale, and on the server.
pub(crate) fn better(local: Lookup, remote: Lookup) -> Lookup {
    let received = |entry: &SharedEntry| entry.lifetime.received;
    match (local, remote) {
        (Lookup::Found(local), Lookup::Fetched(remote)) if received(&remote) <= received(&local) => {
            Lookup::Found(local)
        }
        (_, remote @ Lookup::Fetched(_)) => remote,
        (local @ Lookup::Found(_), _) => local,
        (_, remote @ Lookup::Stale(_)) => remote,
        (local @ Lookup::Stale(_), _) => local,
        (local, Lookup::Absent) => local,
        (_, remote) => remote,
    }
}

pub(crate) fn found(verdict: Verdict, entry: SharedEntry, valid: fn(SharedEntry) -> Lookup) -> Lookup {
    match verdict {
        Verdict::Valid => valid(entry),
        Verdict::Soft => Lookup::Stale(entry),
        Verdict::Intent => Lookup::Useless(Useless::Intent),
        Verdict::Forgotten => Lookup::Forgotten,
        Verdict::Epoch => Lookup::Useless(Useless::Epoch),
    }
}
