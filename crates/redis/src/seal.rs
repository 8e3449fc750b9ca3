//! What ties an entry to the records on the server.

use bytes::Bytes;
use larder_store::{Entry, Frame, FrameError, SharedEntry, Useless};

use crate::protocol::{RecordId, Stamp};

/// The stamp of an entry and the records of its tags, as the entry carries them.
#[derive(Debug)]
pub(crate) struct Seal {
    pub(crate) stamp: Stamp,
    pub(crate) records: Box<[RecordId]>,
}

/// The stamp of a fill and the records that it was taken with, as a capture carries them.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) stamp: Stamp,
    pub(crate) records: Box<[RecordId]>,
}

impl Seal {
    /// That of `entry`, if this kind of store took it in.
    pub(crate) fn of(entry: &Entry) -> Option<&Self> {
        entry.stamps()
    }

    pub(crate) fn new(stamp: Stamp, entry: &Entry) -> Self {
        Self {
            stamp,
            records: RecordId::of_all(&entry.tags),
        }
    }
}

/// The entry under `key` in what lies on the server, or why there is none of use.
pub(crate) fn open(bytes: &Bytes, key: &[u8]) -> Result<SharedEntry, Option<Useless>> {
    let frame = Frame::decode(bytes, key).map_err(|error| match error {
        // Two keys have one name on the server.
        FrameError::OtherKey => None,
        FrameError::Version => Some(Useless::Schema),
        _ => Some(Useless::Decode),
    })?;
    let stamp = Stamp::parse(&frame.stamps).ok_or(Some(Useless::Decode))?;
    let seal = Seal::new(stamp, &frame.entry);
    Ok(SharedEntry::new(frame.entry.with_stamps(seal)))
}
