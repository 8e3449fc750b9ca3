//! The entity tag: an opaque name of one state of a representation, strong or weak (RFC 9110 §8.8.3).

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use http::HeaderValue;

use crate::value::visible;

/// An entity tag, `"…"` or `W/"…"` (RFC 9110 §8.8.3).
///
/// It is kept as the header value it came in, so a clone and [`EntityTag::to_header`] share the bytes.
///
/// `==` compares the text, weakness included: it is for maps and tests. A condition of HTTP is compared by
/// [`EntityTag::strong_eq`] or [`EntityTag::weak_eq`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EntityTag {
    /// The whole tag, checked: `"…"` or `W/"…"`.
    value: HeaderValue,
}

/// Why bytes are not an entity tag (RFC 9110 §8.8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTag {
    /// The bytes are not one pair of double quotes, alone or after `W/`.
    #[error("an entity tag is text in double quotes, alone or after `W/`")]
    Unquoted,
    /// A byte between the quotes is not an `etagc`: a space, a quote or a control character.
    #[error("byte {byte:#04x} is not allowed in an entity tag")]
    Forbidden {
        /// The first byte that is not allowed.
        byte: u8,
    },
}

impl EntityTag {
    /// The strong tag `"opaque"` (RFC 9110 §8.8.1, §8.8.3).
    ///
    /// # Errors
    ///
    /// [`InvalidTag::Forbidden`] if a byte is not an `etagc`.
    pub fn strong(opaque: &[u8]) -> Result<Self, InvalidTag> {
        Self::quoted(b"", opaque)
    }

    /// The weak tag `W/"opaque"` (RFC 9110 §8.8.1, §8.8.3).
    ///
    /// # Errors
    ///
    /// [`InvalidTag::Forbidden`] if a byte is not an `etagc`.
    pub fn weak(opaque: &[u8]) -> Result<Self, InvalidTag> {
        Self::quoted(WEAK, opaque)
    }

    /// Reads a tag, exactly by the grammar of RFC 9110 §8.8.3: `W/` in upper case, nothing around the tag.
    ///
    /// # Errors
    ///
    /// [`InvalidTag`] if the bytes are anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidTag> {
        check(bytes)?;
        Ok(Self {
            value: visible(Bytes::copy_from_slice(bytes)),
        })
    }

    /// Reads a tag of a header value as [`EntityTag::parse`] does, but shares the bytes instead of copying.
    ///
    /// # Errors
    ///
    /// [`InvalidTag`] if the value is not one entity tag.
    pub fn from_header(value: &HeaderValue) -> Result<Self, InvalidTag> {
        check(value.as_bytes())?;
        Ok(Self { value: value.clone() })
    }

    /// The value of the `ETag` field (RFC 9110 §8.8.3). Nothing is copied.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        self.value.clone()
    }

    /// The whole tag as it stands in a header.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.value.as_bytes()
    }

    /// The bytes between the quotes.
    #[must_use]
    pub fn opaque(&self) -> &[u8] {
        match without_weakness(self.as_bytes()) {
            [b'"', opaque @ .., b'"'] => opaque,
            other => other,
        }
    }

    /// Whether the tag is weak: equal tags mean an equivalent, not an identical, body (RFC 9110 §8.8.1).
    #[must_use]
    pub fn is_weak(&self) -> bool {
        self.as_bytes().starts_with(WEAK)
    }

    /// The weak tag with the same opaque text, for a body that was changed without a change of meaning, such
    /// as by a content coding applied on the way (RFC 9110 §8.8.3.3).
    #[must_use]
    pub fn weaken(&self) -> Self {
        if self.is_weak() {
            return self.clone();
        }
        Self {
            value: visible(Bytes::from([WEAK, self.as_bytes()].concat())),
        }
    }

    /// Strong comparison: both are strong and the text is equal (RFC 9110 §8.8.3.2).
    #[must_use]
    pub fn strong_eq(&self, other: &Self) -> bool {
        self.strong_eq_bytes(other.as_bytes())
    }

    /// Weak comparison: the text is equal, weak or not (RFC 9110 §8.8.3.2).
    #[must_use]
    pub fn weak_eq(&self, other: &Self) -> bool {
        self.weak_eq_bytes(other.as_bytes())
    }

    /// Strong comparison with bytes that may be no tag at all: those equal nothing, because this tag is one.
    pub(crate) fn strong_eq_bytes(&self, other: &[u8]) -> bool {
        !self.is_weak() && self.as_bytes() == other
    }

    /// Weak comparison with bytes that may be no tag at all: those equal nothing, because this tag is one.
    pub(crate) fn weak_eq_bytes(&self, other: &[u8]) -> bool {
        without_weakness(self.as_bytes()) == without_weakness(other)
    }

    /// A tag of bytes that its maker knows to be one.
    pub(crate) fn of_checked(bytes: Bytes) -> Self {
        debug_assert_eq!(check(&bytes), Ok(()));
        Self {
            value: visible(bytes),
        }
    }

    fn quoted(prefix: &[u8], opaque: &[u8]) -> Result<Self, InvalidTag> {
        check_opaque(opaque)?;
        Ok(Self {
            value: visible(Bytes::from([prefix, b"\"", opaque, b"\""].concat())),
        })
    }
}

impl FromStr for EntityTag {
    type Err = InvalidTag;

    fn from_str(text: &str) -> Result<Self, InvalidTag> {
        Self::parse(text.as_bytes())
    }
}

/// The tag as it stands in a header; bytes that are not UTF-8 (`obs-text`) show as the replacement character.
impl fmt::Display for EntityTag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.as_bytes().utf8_chunks() {
            out.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                out.write_str("\u{fffd}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for EntityTag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "EntityTag({self})")
    }
}

/// What a weak tag begins with; the case counts (RFC 9110 §8.8.3).
const WEAK: &[u8] = b"W/";

fn without_weakness(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(WEAK).unwrap_or(tag)
}

fn check(bytes: &[u8]) -> Result<(), InvalidTag> {
    match without_weakness(bytes) {
        [b'"', opaque @ .., b'"'] => check_opaque(opaque),
        _ => Err(InvalidTag::Unquoted),
    }
}

fn check_opaque(opaque: &[u8]) -> Result<(), InvalidTag> {
    match opaque.iter().find(|byte| !is_etagc(**byte)) {
        Some(&byte) => Err(InvalidTag::Forbidden { byte }),
        None => Ok(()),
    }
}

/// `etagc = %x21 / %x23-7E / obs-text` (RFC 9110 §8.8.3).
fn is_etagc(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x7e | 0x80..=0xff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tag(text: &str) -> EntityTag {
        text.parse().unwrap()
    }

    /// Valid tags over a small alphabet, so that equal ones are common.
    fn tags() -> impl Strategy<Value = EntityTag> {
        let opaque = proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'W'), Just(b'/')], 0..3);
        (any::<bool>(), opaque).prop_map(|(weak, opaque)| {
            if weak {
                EntityTag::weak(&opaque)
            } else {
                EntityTag::strong(&opaque)
            }
            .unwrap()
        })
    }

    /// RFC 9110 §8.8.3.2, table 3.
    #[test]
    fn the_comparison_table_of_the_rfc() {
        for (one, other, strong, weak) in [
            (r#"W/"1""#, r#"W/"1""#, false, true),
            (r#"W/"1""#, r#"W/"2""#, false, false),
            (r#"W/"1""#, r#""1""#, false, true),
            (r#""1""#, r#""1""#, true, true),
        ] {
            assert_eq!(tag(one).strong_eq(&tag(other)), strong, "{one} {other}");
            assert_eq!(tag(one).weak_eq(&tag(other)), weak, "{one} {other}");
        }
    }

    /// RFC 9110 §8.8.3, examples.
    #[test]
    fn the_examples_of_the_rfc_are_read() {
        let plain = tag(r#""xyzzy""#);
        assert_eq!((plain.is_weak(), plain.opaque()), (false, &b"xyzzy"[..]));
        let weak = tag(r#"W/"xyzzy""#);
        assert_eq!((weak.is_weak(), weak.opaque()), (true, &b"xyzzy"[..]));
        assert_eq!((tag(r#""""#).is_weak(), tag(r#""""#).opaque()), (false, &b""[..]));
    }

    #[test]
    fn anything_but_a_tag_is_an_error() {
        for text in [
            "", "\"", "a", "\"a", "a\"", "w/\"a\"", "W\"a\"", "W/", "W/\"", "W/a", " \"a\"", "\"a\" ", "*",
        ] {
            assert_eq!(
                EntityTag::parse(text.as_bytes()),
                Err(InvalidTag::Unquoted),
                "{text}"
            );
        }
        for byte in [0x00, 0x1f, b' ', b'\t', b'"', 0x7f] {
            let forbidden = InvalidTag::Forbidden { byte };
            assert_eq!(EntityTag::parse(&[b'"', byte, b'"']), Err(forbidden));
            assert_eq!(EntityTag::strong(&[byte]), Err(forbidden));
            assert_eq!(EntityTag::weak(&[byte]), Err(forbidden));
        }
    }

    #[test]
    fn a_tag_shows_as_its_text() {
        assert_eq!(tag(r#"W/"a""#).to_string(), r#"W/"a""#);
        assert_eq!(format!("{:?}", tag(r#""a""#)), r#"EntityTag("a")"#);
        assert_eq!(
            EntityTag::strong(b"a\xffb").unwrap().to_string(),
            "\"a\u{fffd}b\""
        );
    }

    #[test]
    fn the_header_value_is_shared_not_copied() {
        let value = HeaderValue::from_bytes(b"\"shared\"").unwrap();
        let tag = EntityTag::from_header(&value).unwrap();
        assert_eq!(tag.to_header().as_bytes().as_ptr(), value.as_bytes().as_ptr());
        assert!(EntityTag::from_header(&HeaderValue::from_static("bare")).is_err());
    }

    /// Any opaque text at all.
    fn opaques() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>().prop_filter("etagc", |byte| is_etagc(*byte)), 0..40)
    }

    proptest! {
        #[test]
        fn parse_undoes_print(weak: bool, opaque in opaques()) {
            let tag = if weak { EntityTag::weak(&opaque) } else { EntityTag::strong(&opaque) }.unwrap();
            prop_assert_eq!(tag.is_weak(), weak);
            prop_assert_eq!(tag.opaque(), &opaque[..]);
            prop_assert_eq!(&EntityTag::parse(tag.as_bytes()).unwrap(), &tag);
            prop_assert_eq!(&EntityTag::from_header(&tag.to_header()).unwrap(), &tag);
        }

        #[test]
        fn any_bytes_are_a_tag_or_an_error(bytes: Vec<u8>) {
            if let Ok(tag) = EntityTag::parse(&bytes) {
                prop_assert_eq!(tag.as_bytes(), &bytes[..]);
            }
        }

        #[test]
        fn comparisons_are_symmetric_and_strong_implies_weak(a in tags(), b in tags()) {
            prop_assert_eq!(a.strong_eq(&b), b.strong_eq(&a));
            prop_assert_eq!(a.weak_eq(&b), b.weak_eq(&a));
            prop_assert!(!a.strong_eq(&b) || a.weak_eq(&b));
            prop_assert_eq!(a.weak_eq(&b), a.opaque() == b.opaque());
            prop_assert_eq!(a.strong_eq(&b), a == b && !a.is_weak());
        }

        #[test]
        fn a_weakened_tag_is_weakly_equal_only(a in tags()) {
            let weak = a.weaken();
            prop_assert!(weak.is_weak() && weak.weak_eq(&a) && !weak.strong_eq(&a));
            prop_assert_eq!(weak.weaken(), weak);
        }
    }
}
