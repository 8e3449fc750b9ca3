//! Keys whose responses could not be kept: a hint of fixed size.

use std::sync::atomic::{AtomicU64, Ordering};

use larder_store::Timestamp;

/// Keys whose last response could not be kept: their requests do not wait for each other for a while.
///
/// It is a hint of fixed size, about coalescing alone: a response that can be kept is kept all the same.
pub(crate) struct Loners(Box<[AtomicU64]>);

impl Loners {
    const PLACES: usize = 1024;
    const LAST_MS: u64 = 10_000;

    pub(crate) fn new() -> Self {
        Self((0..Self::PLACES).map(|_| AtomicU64::new(0)).collect())
    }

    /// Each place holds the upper half of a key's hash and the second until which it counts.
    fn place(&self, hash: u64) -> &AtomicU64 {
        #[allow(clippy::cast_possible_truncation, reason = "any of its bits choose a place")]
        &self.0[hash as usize % Self::PLACES]
    }

    pub(crate) fn mark(&self, hash: u64, now: Timestamp) {
        let until = second(now.as_millis() + Self::LAST_MS);
        self.place(hash)
            .store(((hash >> 32) << 32) | until, Ordering::Relaxed);
    }

    pub(crate) fn clear(&self, hash: u64) {
        if self.place(hash).load(Ordering::Relaxed) >> 32 == hash >> 32 {
            self.place(hash).store(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_marked(&self, hash: u64, now: Timestamp) -> bool {
        let held = self.place(hash).load(Ordering::Relaxed);
        held >> 32 == hash >> 32 && (held & u64::from(u32::MAX)) > second(now.as_millis())
    }
}

/// A second, in the lower half.
const fn second(millis: u64) -> u64 {
    (millis / 1000) & (u32::MAX as u64)
}
