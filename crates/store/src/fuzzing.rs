//! What the fuzz targets call: each takes any bytes, and panics where a promise of this crate does not hold.

#[cfg(test)]
#[path = "../../../fuzz/corpus.rs"]
mod corpus;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use crate::frame::{Frame, FrameError, key_of};

/// Frames: the bytes as they are, and with a head and a checksum that let the reader look at what is between them.
pub fn entry_frame(data: &[u8]) {
    frame(&Bytes::copy_from_slice(data));
    let Some(inner) = data.len().checked_sub(8).and_then(|end| data.get(14..end)) else {
        return;
    };
    let mut bytes = b"LRDR\x01\x00".to_vec();
    bytes.extend_from_slice(&(data.len() as u64).to_le_bytes());
    bytes.extend_from_slice(inner);
    let checksum = xxh3_64(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    frame(&bytes.into());
}

/// What can be read is written as the same bytes, is found under its own key alone, and is nothing once it is damaged.
fn frame(bytes: &Bytes) {
    let Ok(key) = key_of(bytes) else {
        assert!(Frame::decode(bytes, b"").is_err(), "read, but without a key");
        return;
    };
    let other = [key, b"."].concat();
    assert_eq!(Frame::decode(bytes, &other).err(), Some(FrameError::OtherKey));
    let Ok(frame) = Frame::decode(bytes, key) else {
        return;
    };
    let again = Frame::encode(key, &frame.entry, &frame.stamps);
    assert_eq!(again.as_ref(), Ok(bytes), "another form of {frame:?}");
    // A header map keeps the lines of one name together; reading the stored lines as one must not fail.
    if let Some(response) = frame.entry.response() {
        assert_eq!(response.header_map(0).len(), response.headers().count());
    }
    let shorter = bytes.slice(..bytes.len() - 1);
    assert_eq!(Frame::decode(&shorter, key).err(), Some(FrameError::Truncated));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_holds() {
        corpus::run("entry_frame", entry_frame);
    }

    /// A change of the layout needs a new version: frames of this one are in stores.
    #[test]
    fn a_frame_written_by_this_version_is_read() {
        let Ok(bytes) = std::fs::read("../../fuzz/corpus/entry_frame/response") else {
            return;
        };
        let frame = Frame::decode(&bytes.into(), b"key").unwrap();
        assert_eq!(frame.entry.body_len(), 5);
        assert_eq!(frame.entry.response().unwrap().headers().count(), 3);
        assert_eq!(frame.stamps, "stamps");
    }
}
