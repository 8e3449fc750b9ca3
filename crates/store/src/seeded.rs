//! A hash of keys with a seed that nobody outside knows.

use std::hash::{BuildHasher, Hasher, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Hashes by XXH3, each piece with what came before as its seed, and the first with a seed of its own: so nobody outside
/// can choose keys that collide.
#[derive(Clone)]
pub(crate) struct Seeded(u64);

impl Default for Seeded {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for Seeded {
    type Hasher = Chained;

    #[inline]
    fn build_hasher(&self) -> Chained {
        Chained(self.0)
    }
}

pub(crate) struct Chained(u64);

impl Hasher for Chained {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_have_one_hash_and_others_another() {
        let (one, other) = (Seeded::default(), Seeded::default());
        let key = (&b"key"[..], 7_u64);
        assert_eq!(one.hash_one(key), one.clone().hash_one(key));
        assert_ne!(one.hash_one(key), other.hash_one(key), "each has its own seed");
        for another in [(&b"kez"[..], 7_u64), (b"key", 8), (b"key\0", 7)] {
            assert_ne!(one.hash_one(key), one.hash_one(another));
        }
    }
}
