//! Entries on the server in less room.
//!
//! | At | Bytes | What |
//! |---|---|---|
//! | 0 | 4 | the magic, `LRDZ`, which no frame begins with |
//! | 4 | 4 | the length of the frame, little-endian |
//! | 8 | … | the frame as one block of LZ4 |
//!
//! What is unpacked is a frame, with its own checksum, and is read as one that was never packed. A program that cannot unpack
//! takes it for no frame: a miss.

use bytes::Bytes;
#[cfg(feature = "compression")]
use lz4_flex::block;

const MAGIC: [u8; 4] = *b"LRDZ";
#[cfg(feature = "compression")]
const HEAD: usize = 8;
/// One byte of LZ4 stands for no more than so many.
#[cfg(feature = "compression")]
const MOST_FOR_ONE: usize = 255;

/// From how many bytes on entries are packed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packing {
    pub(crate) from: usize,
}

impl Default for Packing {
    fn default() -> Self {
        Self { from: 16 << 10 }
    }
}

impl Packing {
    /// The frame as it goes to the server: packed where that saves an eighth of it at least.
    #[cfg(feature = "compression")]
    pub(crate) fn pack(self, frame: Bytes) -> Bytes {
        let Ok(length) = u32::try_from(frame.len()) else {
            return frame;
        };
        if frame.len() < self.from {
            return frame;
        }
        let mut packed = vec![0; HEAD + block::get_maximum_output_size(frame.len())];
        let (head, body) = packed.split_at_mut(HEAD);
        head[..4].copy_from_slice(&MAGIC);
        head[4..].copy_from_slice(&length.to_le_bytes());
        match block::compress_into(&frame, body) {
            Ok(written) if HEAD + written <= frame.len() - frame.len() / 8 => {
                packed.truncate(HEAD + written);
                packed.shrink_to_fit();
                packed.into()
            }
            _ => frame,
        }
    }

    #[cfg(not(feature = "compression"))]
    #[allow(clippy::unused_self, reason = "with the feature `compression` it is used")]
    pub(crate) fn pack(self, frame: Bytes) -> Bytes {
        let _ = self.from;
        frame
    }
}

/// Whether this is the beginning of a frame that was packed.
pub(crate) fn is_packed(start: &[u8]) -> bool {
    start.starts_with(&MAGIC)
}

/// What lies on the server as a frame of at most `most` bytes, if it is one that was packed; else as it is.
///
/// No more memory is taken than `most`, nor than what so few bytes can stand for.
#[cfg(feature = "compression")]
pub(crate) fn unpack(bytes: Bytes, most: usize) -> Bytes {
    let Some((length, body)) = packed(&bytes, most) else {
        return bytes;
    };
    let mut frame = vec![0; length];
    match block::decompress_into(body, &mut frame) {
        Ok(written) if written == length => frame.into(),
        // It begins as no frame does, and is found to be none.
        _ => bytes,
    }
}

/// The length of the frame that was packed, and what it was packed into: if it may be and can be so long.
#[cfg(feature = "compression")]
fn packed(bytes: &Bytes, most: usize) -> Option<(usize, &[u8])> {
    let (head, body) = bytes.split_first_chunk::<HEAD>()?;
    let length = head.strip_prefix(&MAGIC)?.try_into().ok()?;
    let length = u32::from_le_bytes(length) as usize;
    (length <= most && length / MOST_FOR_ONE <= body.len()).then_some((length, body))
}

#[cfg(not(feature = "compression"))]
pub(crate) fn unpack(bytes: Bytes, _most: usize) -> Bytes {
    bytes
}

#[cfg(all(test, feature = "compression"))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PACKING: Packing = Packing { from: 100 };

    fn headed(length: u32, body: &[u8]) -> Bytes {
        [&MAGIC[..], &length.to_le_bytes(), body].concat().into()
    }

    #[test]
    fn what_shrinks_is_packed_and_the_rest_is_not() {
        let long = Bytes::from(b"jam and honey ".repeat(1_000));
        let small = PACKING.pack(long.clone());
        assert!(small.len() < long.len() / 10 && small.starts_with(&MAGIC));
        assert_eq!(unpack(small, long.len()), long);
        let short = long.slice(..99);
        assert_eq!(PACKING.pack(short.clone()), short);
        let noise: Vec<u8> = (0..2_000_u32)
            .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
            .collect();
        assert_eq!(PACKING.pack(noise.clone().into()), noise);
    }

    #[test]
    fn a_bomb_takes_no_memory() {
        let zeros = Bytes::from(vec![0; 4 << 20]);
        let packed_zeros = PACKING.pack(zeros.clone());
        assert_eq!(unpack(packed_zeros.clone(), zeros.len()), zeros);
        // Larger than an entry may be; larger than what is said; more than so few bytes can be.
        assert_eq!(unpack(packed_zeros.clone(), zeros.len() - 1), packed_zeros);
        let lying = headed(1 << 10, &packed_zeros[HEAD..]);
        assert_eq!(unpack(lying.clone(), 8 << 20), lying);
        let huge = headed(u32::MAX, b"x");
        assert_eq!(packed(&huge, usize::MAX), None);
        assert_eq!(unpack(huge.clone(), usize::MAX), huge);
    }

    proptest! {
        #[test]
        fn any_bytes_are_unpacked_or_left_as_they_are(bytes in proptest::collection::vec(any::<u8>(), 0..200), length in 0..400_u32) {
            for bytes in [Bytes::from(bytes.clone()), headed(length, &bytes)] {
                let frame = unpack(bytes.clone(), 300);
                prop_assert!(frame == bytes || frame.len() == length as usize && length <= 300);
            }
            let frame = Bytes::from(bytes);
            prop_assert_eq!(unpack(PACKING.pack(frame.clone()), 200), frame);
        }
    }
}
