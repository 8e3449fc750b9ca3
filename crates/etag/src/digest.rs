//! The tag of a body: a digest of its bytes, so that equal bodies have equal tags on every machine.

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use crate::tag::EntityTag;

impl EntityTag {
    /// The strong tag of a body: its XXH3-128 as 32 lowercase hexadecimal digits (RFC 9110 §8.8.1, §8.8.3).
    ///
    /// A strong tag must change with every change of the body. For bodies nobody has made to collide the
    /// chance of two with one tag is about 2⁻¹²⁸. XXH3 is not a cryptographic hash: whoever writes both
    /// bodies might find two with one tag, and would then be the one whose change goes unseen.
    ///
    /// It names the bytes given and nothing else; a response whose coding is chosen later needs the tag of
    /// the coded bytes, or [`EntityTag::weaken`] (§8.8.3.3).
    #[must_use]
    pub fn of_body(body: &[u8]) -> Self {
        let mut text = [b'"'; 34];
        text[1..33].copy_from_slice(&hex(xxh3_128(body)));
        Self::of_checked(Bytes::copy_from_slice(&text))
    }
}

/// The number as 32 lowercase hexadecimal digits, the most significant first.
pub(crate) fn hex(number: u128) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'0'; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(number.to_be_bytes()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0x0f)];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The digest of no bytes is a published constant: a change of it would change every tag ever given out.
    #[test]
    fn the_tag_of_no_bytes_is_the_published_digest() {
        assert_eq!(
            EntityTag::of_body(b"").to_string(),
            "\"99aa06d3014798d86001c324468d497f\""
        );
    }

    proptest! {
        #[test]
        fn hexadecimal_digits_are_those_of_the_standard_library(number: u128) {
            prop_assert_eq!(hex(number).to_vec(), format!("{number:032x}").into_bytes());
        }

        #[test]
        fn the_tag_of_a_body_is_strong_valid_and_its_own(body: Vec<u8>) {
            let tag = EntityTag::of_body(&body);
            prop_assert!(!tag.is_weak());
            prop_assert_eq!(&EntityTag::parse(tag.as_bytes()).unwrap(), &tag);
            prop_assert!(tag.strong_eq(&EntityTag::of_body(&body)));
            let mut longer = body;
            longer.push(0);
            prop_assert!(!tag.weak_eq(&EntityTag::of_body(&longer)));
        }
    }
}
