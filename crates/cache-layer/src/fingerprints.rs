//! The fingerprints under which keys were last captured: a hint of fixed size.

use std::sync::atomic::{AtomicU64, Ordering};

/// For each key, the fingerprint of the last capture and the pulse of the store then: while that is the same, another call
/// for the key needs no capture of its own to find the flight that it waits for.
///
/// It is a hint: what it says may be of another key or moment. It is of use only to find a flight of the same full key, and
/// who waits there asks afterwards whether what landed is valid for it.
pub(crate) struct Fingerprints(Box<[Place]>);

#[derive(Default)]
struct Place {
    /// The hash of the key, and the pulse.
    of: AtomicU64,
    fingerprint: AtomicU64,
}

impl Fingerprints {
    const PLACES: usize = 1024;

    pub(crate) fn new() -> Self {
        Self((0..Self::PLACES).map(|_| Place::default()).collect())
    }

    fn place(&self, hash: u64) -> &Place {
        #[allow(clippy::cast_possible_truncation, reason = "any of its bits choose a place")]
        &self.0[hash as usize % Self::PLACES]
    }

    pub(crate) fn note(&self, hash: u64, pulse: u64, fingerprint: u64) {
        let place = self.place(hash);
        place.fingerprint.store(fingerprint, Ordering::Relaxed);
        place.of.store(name(hash, pulse), Ordering::Relaxed);
    }

    pub(crate) fn known(&self, hash: u64, pulse: u64) -> Option<u64> {
        let place = self.place(hash);
        let known = place.of.load(Ordering::Relaxed) == name(hash, pulse);
        known.then(|| place.fingerprint.load(Ordering::Relaxed))
    }
}

const fn name(hash: u64, pulse: u64) -> u64 {
    hash ^ pulse.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_known_for_its_key_and_its_pulse() {
        let all = Fingerprints::new();
        assert_eq!(all.known(7, 1), None);
        all.note(7, 1, 70);
        assert_eq!(all.known(7, 1), Some(70));
        assert_eq!(all.known(7, 2), None, "something was forgotten since");
        assert_eq!(all.known(7 + 1024, 1), None, "another key in its place");
        all.note(7, 2, 71);
        assert_eq!(all.known(7, 2), Some(71));
    }
}
