//! The records as bytes: fixed width, big-endian, and anything else is no record.

/// A random name for a time in which no record was lost. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Generation(pub(crate) [u8; 16]);

/// A random name for a change that was announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct IntentId(pub(crate) [u8; 16]);

/// The moment before a fill: the last number of its generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) generation: Generation,
    pub(crate) sequence: u64,
}

/// What `{ns}:root` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Root<'a> {
    pub(crate) generation: Generation,
    /// The number under which everything was last forgotten.
    pub(crate) hard: u64,
    /// The same, softly.
    pub(crate) soft: u64,
    /// The server's process that it belongs to.
    pub(crate) run_id: &'a [u8],
}

/// What `{ns}:seq` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally(pub(crate) Stamp);

/// What the record of a tag holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) generation: Generation,
    /// The number under which the tag was last forgotten, or its record made.
    pub(crate) hard: u64,
    /// The number under which it was last forgotten softly.
    pub(crate) soft: u64,
    /// The changes that were announced and are not finished: an id and a deadline each.
    pub(crate) intents: &'a [u8],
}

/// The bytes of one announced change.
pub(crate) const INTENT: usize = 16 + 8;

impl Stamp {
    /// How many bytes it takes beside an entry.
    pub(crate) const LENGTH: usize = 16 + 8;

    pub(crate) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let (generation, sequence) = bytes.split_at_mut(16);
        generation.copy_from_slice(&self.generation.0);
        sequence.copy_from_slice(&self.sequence.to_be_bytes());
        bytes
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (generation, rest) = bytes.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        rest.is_empty().then_some(Self {
            generation: Generation(*generation),
            sequence: u64::from_be_bytes(*sequence),
        })
    }
}

impl Tally {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        Stamp::parse(bytes).map(Self)
    }
}

impl<'a> Root<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (generation, hard, soft, run_id) = parts(bytes)?;
        (!run_id.is_empty()).then_some(Self {
            generation,
            hard,
            soft,
            run_id,
        })
    }
}

impl<'a> Record<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (generation, hard, soft, intents) = parts(bytes)?;
        intents.len().is_multiple_of(INTENT).then_some(Self {
            generation,
            hard,
            soft,
            intents,
        })
    }
}

fn parts(bytes: &[u8]) -> Option<(Generation, u64, u64, &[u8])> {
    let (generation, rest) = bytes.split_first_chunk()?;
    let (hard, rest) = rest.split_first_chunk()?;
    let (soft, rest) = rest.split_first_chunk()?;
    let number = u64::from_be_bytes;
    Some((Generation(*generation), number(*hard), number(*soft), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever lies on the server is read without a panic, and only what has the right length is a record.
        #[test]
        fn any_bytes_are_a_record_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let (record, root) = (Record::parse(&bytes), Root::parse(&bytes));
            prop_assert_eq!(record.is_some(), bytes.len() >= 32 && (bytes.len() - 32) % INTENT == 0);
            prop_assert_eq!(root.is_some(), bytes.len() > 32);
            prop_assert_eq!(Stamp::parse(&bytes).map(|stamp| stamp.to_bytes().to_vec()), (bytes.len() == 24).then_some(bytes));
        }
    }
}
