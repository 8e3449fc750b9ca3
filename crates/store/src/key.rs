//! Keys: the full name of an entry, encoded so that different parts never make the same bytes.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use http::HeaderMap;

/// The full name under which an entry is stored.
///
/// A store keeps the whole key with the entry and compares it on a hit; a hash decides only where to look. Two
/// requests with the same hash and different keys are a miss for each other.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<[u8]>);

impl Key {
    /// The bytes of the key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Key {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.0.escape_ascii())
    }
}

/// Where the parts of a key are written: a buffer that grows.
pub trait KeyBuffer {
    /// Appends `bytes`.
    fn extend(&mut self, bytes: &[u8]);

    /// Appends a mark and a length, then `bytes`: the form of most parts.
    #[inline]
    fn extend_short(&mut self, head: [u8; 2], bytes: &[u8]) {
        self.extend(&head);
        self.extend(bytes);
    }
}

impl KeyBuffer for Vec<u8> {
    fn extend(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Writes the parts of a key, each so that it can be read back: equal bytes mean equal parts.
///
/// Every part is a mark, then its length, then its bytes; an absent part is another mark. So no content of a part,
/// whatever delimiters it holds, reads as the end of it, and absent differs from empty.
///
/// ```
/// use larder_store::KeyWriter;
///
/// let key = |parts: &[&str]| {
///     let mut bytes = Vec::new();
///     let mut writer = KeyWriter::new(&mut bytes);
///     for part in parts {
///         writer.part(part.as_bytes());
///     }
///     bytes
/// };
/// assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
/// ```
#[derive(Debug)]
pub struct KeyWriter<'a, W>(&'a mut W);

const PRESENT: u8 = 1;
const ABSENT: u8 = 0;
/// Lengths below this take one byte; this byte says that eight follow.
const LONG: u8 = 0xff;

impl<'a, W: KeyBuffer> KeyWriter<'a, W> {
    /// Writes to the end of `buffer`.
    pub fn new(buffer: &'a mut W) -> Self {
        Self(buffer)
    }

    /// A part that is there.
    #[inline]
    pub fn part(&mut self, bytes: &[u8]) {
        match u8::try_from(bytes.len()) {
            Ok(short) if short < LONG => self.0.extend_short([PRESENT, short], bytes),
            _ => {
                self.0.extend(&[PRESENT, LONG]);
                self.0.extend(&(bytes.len() as u64).to_be_bytes());
                self.0.extend(bytes);
            }
        }
    }

    /// A part that is not there.
    #[inline]
    pub fn absent(&mut self) {
        self.0.extend(&[ABSENT]);
    }

    /// A part that may be there.
    #[inline]
    pub fn option(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.part(bytes),
            None => self.absent(),
        }
    }

    /// All lines of the header `name`, in their order; absent when there is none.
    pub fn header(&mut self, headers: &HeaderMap, name: &str) {
        for value in headers.get_all(name) {
            self.part(value.as_bytes());
        }
        self.absent();
    }
}

/// Reads the parts of a key that a [`KeyWriter`] wrote, for people who look at it. It ends where the bytes are no part.
#[derive(Debug, Clone)]
pub struct KeyReader<'a>(&'a [u8]);

impl<'a> KeyReader<'a> {
    /// Reads `key` from its beginning.
    #[must_use]
    pub const fn new(key: &'a [u8]) -> Self {
        Self(key)
    }
}

impl<'a> Iterator for KeyReader<'a> {
    /// A part, or that it is not there.
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mark, rest) = self.0.split_first()?;
        if *mark == ABSENT {
            self.0 = rest;
            return Some(None);
        }
        let (length, rest) = rest.split_first().filter(|_| *mark == PRESENT)?;
        let (length, rest) = if *length == LONG {
            let (length, rest) = rest.split_first_chunk::<8>()?;
            (usize::try_from(u64::from_be_bytes(*length)).ok()?, rest)
        } else {
            (usize::from(*length), rest)
        };
        let (part, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Some(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(parts: &[Option<Vec<u8>>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = KeyWriter::new(&mut bytes);
        for part in parts {
            writer.option(part.as_deref());
        }
        bytes
    }

    proptest! {
        #[test]
        fn equal_bytes_mean_equal_parts(
            a in proptest::collection::vec(proptest::option::of(proptest::collection::vec(any::<u8>(), 0..5)), 0..5),
            b in proptest::collection::vec(proptest::option::of(proptest::collection::vec(any::<u8>(), 0..5)), 0..5),
        ) {
            prop_assert_eq!(a == b, encode(&a) == encode(&b));
        }

        #[test]
        fn what_was_written_is_read(
            parts in proptest::collection::vec(proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300)), 0..5),
            cut in 0usize..40,
        ) {
            let bytes = encode(&parts);
            let read = |bytes| KeyReader::new(bytes).map(|part| part.map(<[u8]>::to_vec)).collect::<Vec<_>>();
            prop_assert_eq!(read(&bytes), &*parts);
            // Whatever it is given, it reads no part that is not there.
            let short = read(&bytes[..bytes.len().saturating_sub(cut)]);
            prop_assert_eq!(&*short, &parts[..short.len()]);
        }

        #[test]
        fn a_delimiter_moved_between_parts_makes_another_key(bytes in proptest::collection::vec(0u8..3, 2..12), at in 0usize..12) {
            let at = at.min(bytes.len());
            let split = encode(&[Some(bytes[..at].to_vec()), Some(bytes[at..].to_vec())]);
            prop_assert_ne!(split, encode(&[Some(bytes), None]));
        }
    }

    #[test]
    fn long_parts_keep_their_length() {
        let long = vec![7; 255];
        let longer = vec![7; 256];
        assert_ne!(encode(&[Some(long.clone())]), encode(&[Some(longer)]));
        assert_ne!(encode(&[Some(long.clone()), Some(vec![])]), encode(&[Some(long)]));
    }
}
