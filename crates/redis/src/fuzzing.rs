//! What the fuzz targets call: each takes any bytes, and panics where a promise of this crate does not hold.

#[cfg(test)]
#[path = "../../../fuzz/corpus.rs"]
mod corpus;

use bytes::Bytes;

use crate::pack::{Packing, unpack};

/// No frame is larger.
const MOST: usize = 1 << 20;

/// What lies on the server: as it is, with a head that says how long it is unpacked, and after it was packed.
pub fn entry_packed(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let packed = Packing { from: 0 }.pack(bytes.clone());
    assert!(packed.len() <= bytes.len(), "packed, it is longer");
    if packed != bytes {
        assert_eq!(unpack(packed, MOST), bytes, "packed and unpacked, it is another");
    }
    let mut headed = b"LRDZ".to_vec();
    headed.extend_from_slice(data);
    for bytes in [bytes, headed.into()] {
        let frame = unpack(bytes.clone(), MOST);
        assert!(frame == bytes || frame.len() <= MOST, "{} bytes", frame.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_holds() {
        corpus::run("entry_packed", entry_packed);
    }
}
