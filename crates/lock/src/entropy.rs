//! Randomness: the system's, or for tests a seeded sequence.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::token::Owner;

/// Where owners, client ids and delays come from.
#[derive(Debug)]
pub(crate) enum Entropy {
    System,
    /// The state of a SplitMix64: the same seed makes the same run, and anybody can guess it.
    Seeded(Mutex<u64>),
}

impl Entropy {
    pub(crate) const fn seeded(seed: u64) -> Self {
        Self::Seeded(Mutex::new(seed))
    }

    pub(crate) fn owner(&self) -> Owner {
        let mut bytes = [0; 20];
        self.fill(&mut bytes);
        Owner::from_bytes(bytes)
    }

    pub(crate) fn number(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Somewhere between `from` and `to`.
    pub(crate) fn between(&self, from: Duration, to: Duration) -> Duration {
        // The upper 32 bits as a fraction of one.
        let fraction = (self.number() >> 32) as f64 / f64::from(u32::MAX);
        from + to.saturating_sub(from).mul_f64(fraction)
    }

    fn fill(&self, bytes: &mut [u8]) {
        match self {
            Self::System => {
                #[expect(
                    clippy::expect_used,
                    reason = "a program without randomness cannot make a HashMap either"
                )]
                getrandom::fill(bytes).expect("the system has no randomness");
            }
            Self::Seeded(state) => {
                // A number is consistent whenever a panic comes.
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                for chunk in bytes.chunks_mut(8) {
                    let number = split_mix(&mut state).to_le_bytes();
                    chunk.copy_from_slice(&number[..chunk.len()]);
                }
            }
        }
    }
}

/// Vigna's SplitMix64.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_unique_and_seeded_ones_repeat() {
        assert_ne!(Entropy::System.owner(), Entropy::System.owner());
        let (one, two) = (Entropy::seeded(7), Entropy::seeded(7));
        let first = one.owner();
        assert_eq!(first, two.owner());
        assert_ne!(first, one.owner());
    }

    #[test]
    fn a_delay_stays_between_its_bounds() {
        let (from, to) = (Duration::from_millis(3), Duration::from_millis(9));
        let entropy = Entropy::seeded(1);
        for _ in 0..1000 {
            assert!((from..=to).contains(&entropy.between(from, to)));
        }
        assert_eq!(entropy.between(to, from), to);
    }
}
