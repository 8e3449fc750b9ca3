//! What ties an entry to the records on the server.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use larder_store::{Entry, Frame, FrameError, SharedEntry, Useless};

use crate::board::{Board, Noted, Proof};
use crate::link::Link;
use crate::protocol::{RecordId, Stamp};
use crate::turns::Held;

/// The stamp of an entry and the records of its tags, as the entry carries them.
#[derive(Debug)]
pub(crate) struct Seal {
    pub(crate) stamp: Stamp,
    pub(crate) records: Box<[RecordId]>,
    /// What was told of the records, where the server is listened to.
    pub(crate) proof: Option<Proof>,
}

/// The stamp of a fill and the records that it was taken with, as a capture carries them.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) stamp: Stamp,
    pub(crate) records: Box<[RecordId]>,
    /// What had been told before it was taken.
    pub(crate) noted: Option<Noted>,
    /// The turn that this process has for the fill.
    pub(crate) turn: Mutex<Weak<Held>>,
}

impl Seen {
    /// The turn for what is kept after this: the others are told when it has reached the server.
    pub(crate) fn turn(&self) -> Option<Arc<Held>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    /// The fill has this turn.
    pub(crate) fn has(&self, turn: Weak<Held>) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = turn;
    }
}

impl Seal {
    /// That of `entry`, if this kind of store took it in.
    pub(crate) fn of(entry: &Entry) -> Option<&Self> {
        entry.stamps()
    }

    pub(crate) fn new(stamp: Stamp, entry: &Entry, link: &Link) -> Self {
        let records = RecordId::of_all(&entry.tags);
        let proof = link
            .board
            .as_ref()
            .map(|_| Board::no_proof(link.names.of(&records)));
        Self {
            stamp,
            records,
            proof,
        }
    }

    /// The records allowed the entry, after this had been noted.
    pub(crate) fn renew(&self, noted: Option<&Noted>) {
        if let (Some(proof), Some(noted)) = (&self.proof, noted) {
            proof.renew(noted);
        }
    }
}

/// The entry under `key` in what lies on the server, or why there is none of use.
pub(crate) fn open(bytes: &Bytes, key: &[u8], link: &Link) -> Result<SharedEntry, Option<Useless>> {
    let frame = Frame::decode(bytes, key).map_err(|error| match error {
        // Two keys have one name on the server.
        FrameError::OtherKey => None,
        FrameError::Version => Some(Useless::Schema),
        _ => Some(Useless::Decode),
    })?;
    let stamp = Stamp::parse(&frame.stamps).ok_or(Some(Useless::Decode))?;
    let seal = Seal::new(stamp, &frame.entry, link);
    Ok(SharedEntry::new(frame.entry.with_stamps(seal)))
}
