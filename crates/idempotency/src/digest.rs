//! Digests of several parts, of which no two different lists have one text.

use std::fmt;

use sha2::{Digest, Sha256};

/// Digests parts one after the other, each with its length before it.
pub(crate) struct Parts(Sha256);

impl Parts {
    /// Begins with what the digest is for, so that no two purposes share one.
    pub(crate) fn of(purpose: &str) -> Self {
        Self(Sha256::new()).with(purpose.as_bytes())
    }

    pub(crate) fn with(mut self, part: &[u8]) -> Self {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
        self
    }

    /// A part that may be missing, which is another thing than an empty one.
    pub(crate) fn with_optional(self, part: Option<&[u8]>) -> Self {
        match part {
            Some(part) => self.with(b"1").with(part),
            None => self.with(b"0"),
        }
    }

    pub(crate) fn end(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// Writes bytes as hexadecimal digits.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads what [`Hex`] writes. `None` for anything else, upper case too: one value has one text.
pub(crate) fn from_hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_lists_have_different_digests() {
        let lists = [
            Parts::of("a").with(b"bc"),
            Parts::of("a").with(b"b").with(b"c"),
            Parts::of("ab").with(b"c"),
            Parts::of("a").with(b"bc").with(b""),
            Parts::of("a").with_optional(Some(b"bc")),
            Parts::of("a").with_optional(None),
            Parts::of("a").with_optional(Some(b"")),
        ];
        let mut digests: Vec<_> = lists.into_iter().map(Parts::end).collect();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), 7);
    }

    #[test]
    fn hex_is_read_as_it_is_written() {
        let bytes = [0x00, 0x7f, 0xab, 0xff];
        let text = Hex(&bytes).to_string();
        assert_eq!(text, "007fabff");
        assert_eq!(from_hex::<4>(text.as_bytes()), Some(bytes));
        for bad in ["007fabf", "007FABFF", "007fabfg", "007fabff00", ""] {
            assert_eq!(from_hex::<4>(bad.as_bytes()), None, "{bad}");
        }
    }
}
