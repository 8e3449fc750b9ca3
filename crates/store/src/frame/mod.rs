//! Frames: an entry as bytes, for stores outside this process.
//!
//! All integers are little-endian and of fixed width. LEB128 would save a few dozen bytes of a frame, and cost what is
//! worth more here: with fixed widths there is one way to write an entry and one only, so that two frames are equal
//! where their entries are; the stamps lie where a script inside another store finds them; and what a length claims is
//! known before anything is read.
//!
//! | At | Bytes | What |
//! |---|---|---|
//! | 0 | 4 | the magic, `LRDR` |
//! | 4 | 1 | the version, 1 |
//! | 5 | 1 | flags, all 0 |
//! | 6 | 8 | the length of the whole frame |
//! | 14 | 4 + n | the stamps: length, bytes; the store's own |
//! | | 4 + n | the key: length, bytes |
//! | | 8 · 5 | received, initial age, fresh, stale while revalidate, stale if error, each in milliseconds |
//! | | 4 | how long the making took, in milliseconds |
//! | | 1 | whether it must be revalidated: 0 or 1 |
//! | | 2 + … | the tags: how many, then each |
//! | | 1 + … | the content: 1 a response, 2 variants, 3 searches, 4 a value, then what it is |
//! | end − 8 | 8 | the checksum: XXH3-64 of all bytes before it |
//!
//! | Part | Bytes |
//! |---|---|
//! | tag | kind (1), how much of its text is its own (4), the text: length (4), bytes; where bit 7 of the kind is set, the text is that of the tag before and not there again |
//! | response | status (2), whether the `ETag` was made here (1), header lines (2), then each: length (2) and name, length (4) and value; the body is the rest |
//! | variants | lists (2), then each: names (2), then each: length (2), name |
//! | searches | rules (2), then each: whether unordered (1), ignored (1: 0 none, 1 these, 2 all but these), and unless none: names (2), then each: length (4), text |
//! | value | schema (8); the value's own bytes are the rest |
//!
//! The checksum finds what storage and transport damage. It is no signature: whoever can write to the store can write a
//! frame with a right one, so a store must be as well guarded as the process. What such a writer cannot do is make this
//! code panic, or allocate more than a small multiple of the bytes that it was given.

mod read;
mod write;

use std::error::Error;
use std::fmt;

use bytes::Bytes;

use crate::entry::Entry;
use crate::tag::Tag;
#[cfg(any(test, fuzzing))]
pub(crate) use read::key_of;

const MAGIC: [u8; 4] = *b"LRDR";
const VERSION: u8 = 1;
/// The bytes before the stamps.
const HEAD: usize = 14;
/// The bytes after the content.
const CHECKSUM: usize = 8;
/// The most header lines, tags, lists, and names in a list, that a frame has.
const MOST: usize = 4096;
/// The bit of a tag's kind that says that it has the text of the tag before.
const SHARED_TEXT: u8 = 0x80;

/// A kind of content, as a frame names it.
const RESPONSE: u8 = 1;
const VARIANTS: u8 = 2;
const SEARCHES: u8 = 3;
const VALUE: u8 = 4;

/// Which parameters are ignored, as a frame names it.
const IGNORE_NONE: u8 = 0;
const IGNORE_ONLY: u8 = 1;
const IGNORE_EXCEPT: u8 = 2;

/// An [`Entry`] and its store's stamps, as they were read from bytes.
///
/// The bytes are for stores outside this process: they hold the version of their layout, the full key, the entry, the
/// stamps, and a checksum of all of it. An entry has one form in bytes, so that what was read is written as the same
/// bytes again.
///
/// ```
/// use std::time::Duration;
/// use bytes::Bytes;
/// use http::{HeaderMap, StatusCode};
/// use larder_store::{Content, Entry, Frame, FrameError, Lifetime, StoredResponse, Tag, Timestamp};
///
/// let response = StoredResponse::new(StatusCode::OK, &HeaderMap::new(), Bytes::from_static(b"jam"));
/// let lifetime = Lifetime::fresh(Timestamp::from_millis(0), Duration::from_secs(60));
/// let entry = Entry::new(lifetime, Content::Response(response), vec![Tag::new("jars")]);
///
/// let bytes = Frame::encode(b"key", &entry, b"stamps")?;
/// let frame = Frame::decode(&bytes, b"key")?;
/// assert_eq!(frame.entry.tags, entry.tags);
/// assert_eq!(frame.stamps, "stamps");
/// assert_eq!(Frame::decode(&bytes, b"other").err(), Some(FrameError::OtherKey));
/// # Ok::<(), FrameError>(())
/// ```
#[derive(Debug)]
pub struct Frame {
    /// The entry, which no store has taken in yet.
    pub entry: Entry,
    /// What the store wrote beside it.
    pub stamps: Bytes,
}

impl Frame {
    /// The bytes of `entry` under `key`, with the `stamps` of its store, in one allocation.
    ///
    /// # Errors
    ///
    /// [`FrameError::TooLarge`] where there are more than 4096 header lines, tags, lists, or names in one list, or a
    /// text of 4 GiB. [`FrameError::Unencodable`] for a value that has no form in bytes.
    pub fn encode(key: &[u8], entry: &Entry, stamps: &[u8]) -> Result<Bytes, FrameError> {
        write::frame(key, entry, stamps)
    }

    /// Reads a frame that must hold an entry under `key`. Body and header values are not copied: they are slices of
    /// `bytes`, and hold on to all of them.
    ///
    /// It allocates at most a small multiple of the length of `bytes`, whatever they say.
    ///
    /// # Errors
    ///
    /// A [`FrameError`] for anything but a whole frame of this version, with a right checksum, under this key; a store
    /// takes it for a miss.
    pub fn decode(bytes: &Bytes, key: &[u8]) -> Result<Self, FrameError> {
        read::frame(bytes, key)
    }

    /// The tags of the entry whose frame begins with `start`. Nothing but their form is checked: for maintenance, not for
    /// what is served.
    ///
    /// # Errors
    ///
    /// [`FrameError::Truncated`] where the tags reach further; another for what is no beginning of a frame.
    pub fn tags(start: &Bytes) -> Result<Vec<Tag>, FrameError> {
        read::tags_at_the_start(start)
    }
}

/// Why bytes are not the frame that was looked for, or an entry has no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FrameError {
    /// They are no frame at all.
    Foreign,
    /// They are a frame of a version, or with a flag, that is not known here.
    Version,
    /// They end before the frame does.
    Truncated,
    /// They are not what was written: the checksum is another.
    Checksum,
    /// They are a frame under another key.
    OtherKey,
    /// The part that is named here is not as it must be.
    Malformed(&'static str),
    /// The entry has more than fits into a frame of the part that is named here.
    TooLarge(&'static str),
    /// The entry is a value of this process that has no form in bytes.
    Unencodable,
}

impl FrameError {
    /// The word for it in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::Version => "version",
            Self::Truncated => "truncated",
            Self::Checksum => "checksum",
            Self::OtherKey => "other_key",
            Self::Malformed(_) => "malformed",
            Self::TooLarge(_) => "too_large",
            Self::Unencodable => "unencodable",
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame {}", self.as_str())?;
        match self {
            Self::Malformed(part) | Self::TooLarge(part) => write!(f, ": {part}"),
            _ => Ok(()),
        }
    }
}

impl Error for FrameError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::entry::{Content, Lifetime, StoredResponse};
    use crate::search::{IgnoredParameters, SearchVariance};
    use crate::tag::Tag;
    use crate::value::{AnyValue, StoredValue};
    use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
    use proptest::prelude::*;
    use xxhash_rust::xxh3::xxh3_64;

    /// All that can be seen of an entry.
    fn seen(entry: &Entry) -> impl PartialEq + fmt::Debug {
        let tags: Vec<_> = entry
            .tags
            .iter()
            .map(|tag| (tag.kind(), tag.as_str().to_owned(), tag.id()))
            .collect();
        let lines = |response: &StoredResponse| -> Vec<(HeaderName, HeaderValue)> {
            response.headers().map(|(n, v)| (n.clone(), v.clone())).collect()
        };
        let content = match &entry.content {
            Content::Response(r) => (
                Some((r.status, r.body.clone(), r.generated_etag, lines(r))),
                None,
                None,
                None,
            ),
            Content::Variants(lists) => (None, Some(lists.clone()), None, None),
            Content::Searches(rules) => (None, None, Some(rules.clone()), None),
            Content::Value(value) => (None, None, None, Some((value.schema(), value.encoded()))),
        };
        (entry.lifetime, tags, content, entry.overhead())
    }

    fn lifetimes() -> impl Strategy<Value = Lifetime> {
        let times = any::<(u64, u64, u64, u64, u64, u32, bool)>();
        times.prop_map(
            |(received, initial, fresh, swr, sie, load_ms, must_revalidate)| Lifetime {
                received: Timestamp::from_millis(received),
                initial_age_ms: initial,
                fresh_ms: fresh,
                stale_while_revalidate_ms: swr,
                stale_if_error_ms: sie,
                load_ms,
                must_revalidate,
            },
        )
    }

    fn names() -> impl Strategy<Value = HeaderName> {
        let names = ["etag", "vary", "set-cookie", "x-jam", "x-a-name-that-is-longer"];
        proptest::sample::select(names.map(HeaderName::from_static).to_vec())
    }

    fn responses() -> impl Strategy<Value = Content> {
        let value = proptest::collection::vec(
            any::<u8>().prop_map(|byte| byte.max(b' ') | u8::from(byte == 0x7f) << 7),
            0..20,
        );
        let line = (
            names(),
            value.prop_map(|bytes| HeaderValue::from_bytes(&bytes).unwrap()),
        );
        let lines = proptest::collection::vec(line, 0..8);
        let body = proptest::collection::vec(any::<u8>(), 0..200);
        (100u16..1000, lines, body, any::<bool>()).prop_map(|(status, lines, body, generated)| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(name, value);
            }
            let status = StatusCode::from_u16(status).unwrap();
            let response = StoredResponse::new(status, &headers, body.into());
            Content::Response(response.with_generated_etag(generated))
        })
    }

    fn contents() -> impl Strategy<Value = Content> {
        let list = proptest::collection::vec(names(), 0..4).prop_map(Into::into);
        let lists = proptest::collection::vec(list, 0..4);
        let words = proptest::collection::vec(any::<String>().prop_map(Into::into), 0..3);
        let ignored = (0..3, words).prop_map(|(kind, names): (_, Vec<Box<str>>)| match kind {
            0 => IgnoredParameters::None,
            1 => IgnoredParameters::Only(names.into()),
            _ => IgnoredParameters::AllExcept(names.into()),
        });
        let rule =
            (any::<bool>(), ignored).prop_map(|(unordered, ignored)| SearchVariance { unordered, ignored });
        let rules = proptest::collection::vec(rule, 0..4);
        prop_oneof![
            responses(),
            lists.prop_map(|lists| Content::Variants(lists.into())),
            rules.prop_map(|rules| Content::Searches(rules.into())),
            (any::<u64>(), bytes())
                .prop_map(|(schema, bytes)| { Content::Value(StoredValue::of_bytes(schema, bytes.into())) }),
        ]
    }

    fn tags() -> impl Strategy<Value = Vec<Tag>> {
        let text = any::<String>();
        let some = prop_oneof![
            text.prop_map(|text| vec![Tag::new(text)]),
            any::<String>().prop_map(|text| vec![Tag::layer(text.clone()), Tag::identity(text)]),
            "(/[a-zé]{1,3}){0,4}(\\?[a-c])?".prop_map(|target| Tag::of_target(&target).collect()),
            "[a-c/]{0,4}".prop_map(|text| {
                let target = Tag::target("jam.test", &text);
                vec![
                    target,
                    Tag::searches("jam.test", &text),
                    Tag::group("jam.test", &text),
                ]
            }),
        ];
        proptest::collection::vec(some, 0..3).prop_map(|some| some.concat())
    }

    fn entries() -> impl Strategy<Value = Entry> {
        (lifetimes(), contents(), tags())
            .prop_map(|(lifetime, content, tags)| Entry::new(lifetime, content, tags))
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), 0..24)
    }

    fn sample() -> Bytes {
        let mut headers = HeaderMap::new();
        headers.append("x-jam", HeaderValue::from_static("plum"));
        headers.append("x-jam", HeaderValue::from_static("fig"));
        let response = StoredResponse::new(StatusCode::OK, &headers, Bytes::from_static(b"toast"));
        let lifetime = Lifetime::fresh(Timestamp::from_millis(1), std::time::Duration::from_secs(1));
        let tags = Tag::of_target("/jam?of=plums").collect();
        let entry = Entry::new(lifetime, Content::Response(response), tags);
        Frame::encode(b"key", &entry, b"stamps").unwrap()
    }

    /// The frame with another part in it, and a checksum that is right again.
    fn forged(bytes: &[u8], at: usize, part: &[u8]) -> Bytes {
        let mut bytes = bytes[..bytes.len() - CHECKSUM].to_vec();
        bytes[at..at + part.len()].copy_from_slice(part);
        let checksum = xxh3_64(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes.into()
    }

    #[test]
    fn the_tags_are_read_from_the_start_alone() {
        let bytes = sample();
        let whole = Frame::decode(&bytes, b"key").unwrap();
        let mut read = 0;
        for end in 0..bytes.len() {
            match Frame::tags(&bytes.slice(..end)) {
                Ok(tags) => {
                    assert_eq!(tags, *whole.entry.tags, "{end}");
                    read += 1;
                }
                Err(error) => assert!(read == 0 && error != FrameError::Checksum, "{end}: {error}"),
            }
        }
        assert!(read > 0);
        assert_eq!(
            Frame::tags(&Bytes::from_static(b"nonsense")),
            Err(FrameError::Foreign)
        );
    }

    /// Where the number of tags stands in the sample.
    const TAGS: usize = HEAD + 4 + b"stamps".len() + 4 + b"key".len() + 45;

    fn error_of(bytes: &Bytes) -> FrameError {
        Frame::decode(bytes, b"key").unwrap_err()
    }

    #[test]
    fn the_head_is_told_apart() {
        let good = sample();
        assert_eq!(good[..6], *b"LRDR\x01\x00");
        assert_eq!(error_of(&Bytes::from_static(b"GIF89a")), FrameError::Foreign);
        assert_eq!(error_of(&forged(&good, 0, b"l")), FrameError::Foreign);
        assert_eq!(error_of(&forged(&good, 4, &[2])), FrameError::Version);
        assert_eq!(error_of(&forged(&good, 5, &[1])), FrameError::Version);
        let longer = Bytes::from([&good[..], b"\0"].concat());
        assert_eq!(error_of(&longer), FrameError::Malformed("length"));
        assert_eq!(Frame::decode(&good, b"kez").unwrap_err(), FrameError::OtherKey);
    }

    #[test]
    fn every_part_of_a_frame_is_truncated() {
        let good = sample();
        for length in 0..good.len() {
            assert_eq!(error_of(&good.slice(..length)), FrameError::Truncated, "{length}");
        }
    }

    #[test]
    fn every_single_bit_counts() {
        let good = sample();
        for bit in 0..good.len() * 8 {
            let mut bad = good.to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::decode(&bad.into(), b"key").is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_count_or_a_length_beyond_the_frame_is_an_error() {
        let good = sample();
        let most = u32::MAX.to_le_bytes();
        assert_eq!(error_of(&forged(&good, HEAD, &most)), FrameError::Truncated);
        assert_eq!(error_of(&forged(&good, HEAD + 10, &most)), FrameError::Truncated);
        for count in [0xff, u16::MAX] {
            let bad = forged(&good, TAGS, &count.to_le_bytes());
            assert_eq!(error_of(&bad), FrameError::Malformed("tags"));
        }
    }

    #[test]
    fn a_forged_part_is_named() {
        let good = sample();
        // The first tag has no text before it, and its length cannot be more than its text has.
        assert_eq!(
            error_of(&forged(&good, TAGS + 2, &[0x85])),
            FrameError::Malformed("tag")
        );
        assert_eq!(
            error_of(&forged(&good, TAGS + 3, &[0xff])),
            FrameError::Malformed("tag")
        );
        assert_eq!(
            error_of(&forged(&good, TAGS - 1, &[2])),
            FrameError::Malformed("lifetime")
        );
        let name = good.windows(5).position(|part| part == b"x-jam").unwrap();
        assert_eq!(
            error_of(&forged(&good, name, b"X")),
            FrameError::Malformed("header name")
        );
        assert_eq!(
            error_of(&forged(&good, name + 9, b"\n")),
            FrameError::Malformed("header value")
        );
    }

    #[test]
    fn what_has_too_many_parts_has_no_frame() {
        let lifetime = Lifetime::fresh(Timestamp::from_millis(0), std::time::Duration::ZERO);
        let entry = |tags: usize| {
            let tags = (0..tags).map(|number| Tag::new(number.to_string())).collect();
            Entry::new(lifetime, Content::Variants(Box::default()), tags)
        };
        let error = Frame::encode(b"", &entry(MOST + 1), b"").unwrap_err();
        assert_eq!(error.to_string(), "frame too_large: tags");
        let most = Frame::encode(b"", &entry(MOST), b"").unwrap();
        assert_eq!(Frame::decode(&most, b"").unwrap().entry.tags.len(), MOST);
    }

    #[test]
    fn a_value_is_written_as_its_bytes_or_not_at_all() {
        fn encode(value: &AnyValue) -> Option<Bytes> {
            Some(value.downcast_ref::<String>()?.clone().into())
        }
        let lifetime = Lifetime::fresh(Timestamp::from_millis(0), std::time::Duration::ZERO);
        let entry = |encode| {
            let value = StoredValue::live(std::sync::Arc::new("jam".to_owned()), 7, 3, encode);
            Entry::new(lifetime, Content::Value(value), Vec::new())
        };
        let written = Frame::encode(b"key", &entry(Some(encode)), b"").unwrap();
        let frame = Frame::decode(&written, b"key").unwrap();
        let value = frame.entry.value().unwrap();
        assert_eq!((value.schema(), value.encoded()), (7, Some("jam".into())));
        let error = Frame::encode(b"key", &entry(None), b"").unwrap_err();
        assert_eq!(error.to_string(), "frame unencodable");
    }

    #[test]
    fn neither_body_nor_header_values_are_copied() {
        let bytes = sample();
        let frame = Frame::decode(&bytes, b"key").unwrap();
        let response = frame.entry.response().unwrap();
        let values = response.headers().map(|(_, value)| value.as_bytes());
        for part in values.chain([&response.body[..], &frame.stamps]) {
            assert!(bytes.as_ptr_range().contains(&part.as_ptr()));
        }
    }

    proptest! {
        #[test]
        fn reading_undoes_writing(entry in entries(), key in bytes(), stamps in bytes()) {
            let written = Frame::encode(&key, &entry, &stamps).unwrap();
            let frame = Frame::decode(&written, &key).unwrap();
            prop_assert_eq!(seen(&frame.entry), seen(&entry));
            prop_assert_eq!(&frame.stamps, &stamps);
            prop_assert_eq!(key_of(&written).unwrap(), &key[..]);
            prop_assert_eq!(Frame::encode(&key, &frame.entry, &frame.stamps).unwrap(), written);
        }

        #[test]
        fn damage_is_an_error(entry in entries(), at: proptest::sample::Index, bit in 0..8, cut: bool) {
            let written = Frame::encode(b"key", &entry, b"").unwrap();
            let at = at.index(written.len());
            let mut bad = written.to_vec();
            if cut {
                bad.truncate(at);
            } else {
                bad[at] ^= 1u8 << bit;
            }
            prop_assert!(Frame::decode(&bad.into(), b"key").is_err());
        }

        #[test]
        fn what_a_forger_writes_is_an_error_or_another_entry(
            entry in entries(),
            changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut written = Frame::encode(b"key", &entry, b"").unwrap();
            for (at, byte) in changes {
                let at = HEAD + at.index(written.len() - HEAD - CHECKSUM);
                written = forged(&written, at, &[byte]);
            }
            if let Ok(frame) = Frame::decode(&written, b"key") {
                prop_assert_eq!(Frame::encode(b"key", &frame.entry, &frame.stamps).unwrap(), written);
            }
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            prop_assert!(Frame::decode(&bytes.into(), b"").is_err());
        }
    }
}
