//! Looking many entries up: one trip for all of them and for their records.

use std::collections::HashMap;
use std::sync::Arc;

use larder_store::{Key, Lookup, SharedEntry, StoreError};

use crate::board::Noted;
use crate::link::{Link, Live};
use crate::lookup::{Shelves, better, found};
use crate::metrics::{self, Operation};
use crate::pack::unpack;
use crate::protocol::{RecordId, Verdict};
use crate::seal::{Seal, open};
use crate::server::Records;

/// One entry that is wanted, and what this process knows of it.
struct Want {
    key: Key,
    held: Option<SharedEntry>,
    /// Whether the server is asked for the entry too, and not for its records alone.
    fetches: bool,
    /// The records that it is thought to need.
    hint: Arc<[RecordId]>,
    /// What had been told of these before they were asked for.
    noted: Option<Noted>,
}

/// An entry that was fetched, and whose records are others than was thought.
struct Open {
    place: usize,
    local: Lookup,
    entry: SharedEntry,
    noted: Option<Noted>,
}

/// Looks for the entries under `keys`, and answers in their order. It takes one trip, and a second one where an entry that
/// was fetched has records that this process did not expect.
pub(crate) async fn lookup_many(
    link: Arc<Link>,
    shelves: Arc<Shelves>,
    keys: Vec<Key>,
) -> Vec<Result<Lookup, StoreError>> {
    let count = keys.len();
    match many(&link, &shelves, keys).await {
        Ok(found) => found.into_iter().map(Ok).collect(),
        Err(error) => {
            let again = || StoreError::new(error.kind(), error.message());
            (0..count).map(|_| Err(again())).collect()
        }
    }
}

async fn many(link: &Arc<Link>, shelves: &Shelves, keys: Vec<Key>) -> Result<Vec<Lookup>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let live = link.live()?;
    let wants: Vec<Want> = keys.into_iter().map(|key| want(link, shelves, key)).collect();
    let fetched: Vec<&[u8]> = wants
        .iter()
        .filter(|want| want.fetches)
        .map(|want| want.key.as_bytes())
        .collect();
    let places = Places::of(wants.iter().flat_map(|want| want.hint.iter().copied()));
    let asking = live.server.entries(&link.names, &fetched, &places.ids);
    let (bytes, records) = link.within(&live, Operation::Lookup, asking).await?;
    let mut bytes = bytes.into_iter();
    let (mut all, mut open_ones) = (Vec::with_capacity(wants.len()), Vec::new());
    for (place, want) in wants.into_iter().enumerate() {
        let judge = |seal: &Seal| judge(&live, seal, &places, &records, want.noted.as_ref());
        let local = match &want.held {
            Some(entry) => match Seal::of(entry).and_then(judge) {
                Some(verdict) => {
                    metrics::revalidated(verdict);
                    found(verdict, Arc::clone(entry), Lookup::Found)
                }
                None => Lookup::Absent,
            },
            None => Lookup::Absent,
        };
        let fetched = if want.fetches {
            bytes.next().flatten()
        } else {
            None
        };
        let Some(fetched) = fetched else {
            all.push(local);
            continue;
        };
        let fetched = unpack(fetched, shelves.largest);
        let entry = match open(&fetched, want.key.as_bytes(), link) {
            Ok(entry) => entry,
            Err(useless) => {
                all.push(better(local, useless.map_or(Lookup::Absent, Lookup::Useless)));
                continue;
            }
        };
        match Seal::of(&entry).and_then(judge) {
            Some(verdict) => all.push(better(local, taken_in(shelves, want.key, entry, verdict))),
            None => {
                all.push(Lookup::Absent);
                open_ones.push((
                    want.key,
                    Open {
                        place,
                        local,
                        entry,
                        noted: None,
                    },
                ));
            }
        }
    }
    settle(link, &live, shelves, &mut all, open_ones).await?;
    Ok(all)
}

/// The second trip: for the records that were not expected.
async fn settle(
    link: &Arc<Link>,
    live: &Arc<Live>,
    shelves: &Shelves,
    all: &mut [Lookup],
    mut open_ones: Vec<(Key, Open)>,
) -> Result<(), StoreError> {
    if open_ones.is_empty() {
        return Ok(());
    }
    let seals = open_ones.iter().filter_map(|(_, open)| Seal::of(&open.entry));
    let places = Places::of(seals.flat_map(|seal| seal.records.iter().copied()));
    for (_, open) in &mut open_ones {
        let proof = Seal::of(&open.entry).and_then(|seal| seal.proof.as_ref());
        open.noted = link
            .board
            .as_ref()
            .zip(proof)
            .map(|(board, proof)| board.note_again(proof));
    }
    let asking = live.server.entries(&link.names, &[], &places.ids);
    let (_, records) = link.within(live, Operation::Verify, asking).await?;
    for (key, open) in open_ones {
        let seal = Seal::of(&open.entry);
        let verdict = seal.and_then(|seal| judge(live, seal, &places, &records, open.noted.as_ref()));
        if let Some(verdict) = verdict {
            all[open.place] = better(open.local, taken_in(shelves, key, open.entry, verdict));
        }
    }
    Ok(())
}

/// What this process knows of the entry under `key`, as it is before the server is asked.
fn want(link: &Link, shelves: &Shelves, key: Key) -> Want {
    let held = shelves.find(key.as_bytes());
    let seal = held.as_ref().and_then(|entry| Seal::of(entry));
    let hint = match seal {
        Some(seal) => (*seal.records).into(),
        None => shelves.hint(key.as_bytes()).unwrap_or_default(),
    };
    let fetches = held.as_ref().is_none_or(|entry| shelves.is_old(entry)) || seal.is_none();
    let noted = link.board.as_ref().map(|board| board.note(link.names.of(&hint)));
    Want {
        key,
        held,
        fetches,
        hint,
        noted,
    }
}

/// What the records say of an entry; `None` where one of its own was not asked for.
fn judge(
    live: &Live,
    seal: &Seal,
    places: &Places,
    records: &Records,
    noted: Option<&Noted>,
) -> Option<Verdict> {
    let own = seal.records.iter().map(|id| places.at.get(id).copied());
    let own = own.collect::<Option<Vec<usize>>>()?;
    let verdict = live.server.judge_some(seal.stamp, records, &own);
    if verdict == Verdict::Valid {
        seal.renew(noted);
    }
    Some(verdict)
}

/// A fetched entry, which is kept here where it is of use.
fn taken_in(shelves: &Shelves, key: Key, entry: SharedEntry, verdict: Verdict) -> Lookup {
    if let (Verdict::Valid | Verdict::Soft, Some(seal)) = (verdict, Seal::of(&entry)) {
        shelves.keep(key, Arc::clone(&entry), &seal.records);
    }
    found(verdict, entry, Lookup::Fetched)
}

/// Records that are asked for together, each once.
struct Places {
    ids: Vec<RecordId>,
    at: HashMap<RecordId, usize>,
}

impl Places {
    fn of(wanted: impl Iterator<Item = RecordId>) -> Self {
        let (mut ids, mut at) = (Vec::new(), HashMap::new());
        for id in wanted {
            at.entry(id).or_insert_with(|| {
                ids.push(id);
                ids.len() - 1
            });
        }
        Self { ids, at }
    }
}
