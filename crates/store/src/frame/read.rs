//! Reading a frame: every length is held against what is left before anything is reserved for it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use xxhash_rust::xxh3::xxh3_64;

use super::{CHECKSUM, Frame, FrameError, HEAD, MAGIC, MOST, SHARED_TEXT, VERSION};
use super::{IGNORE_EXCEPT, IGNORE_NONE, IGNORE_ONLY, RESPONSE, SEARCHES, VALUE, VARIANTS};
use crate::clock::Timestamp;
use crate::entry::{Content, Entry, Lifetime, StoredResponse, VaryNames};
use crate::search::{IgnoredParameters, SearchVariance};
use crate::tag::{Tag, TagKind};
use crate::value::StoredValue;

type Read<T> = Result<T, FrameError>;

pub(super) fn frame(bytes: &Bytes, key: &[u8]) -> Read<Frame> {
    let mut reader = Reader::open(bytes)?;
    let stamps = reader.long("stamps")?;
    let stamps = reader.shared(stamps);
    if reader.long("key")? != key {
        return Err(FrameError::OtherKey);
    }
    let lifetime = reader.lifetime()?;
    let tags = reader.tags()?;
    let content = reader.content()?;
    // The body is all that is left, so only a mark can be followed by something.
    if reader.left() > 0 {
        return Err(FrameError::Malformed("end"));
    }
    Ok(Frame {
        entry: Entry::new(lifetime, content, tags),
        stamps,
    })
}

/// The tags in the beginning of a frame, which nobody vouches for: the checksum is at its end.
pub(super) fn tags_at_the_start(start: &Bytes) -> Read<Vec<Tag>> {
    let mut reader = Reader {
        bytes: start,
        rest: start,
    };
    if reader.take(MAGIC.len())? != MAGIC {
        return Err(FrameError::Foreign);
    }
    if reader.byte()? != VERSION {
        return Err(FrameError::Version);
    }
    reader.take(HEAD - MAGIC.len() - 1)?;
    reader.long("stamps")?;
    reader.long("key")?;
    reader.lifetime()?;
    reader.tags()
}

/// The key in a frame, for tests that have the frame alone.
#[cfg(any(test, fuzzing))]
pub(crate) fn key_of(bytes: &Bytes) -> Read<&[u8]> {
    let mut reader = Reader::open(bytes)?;
    reader.long("stamps")?;
    reader.long("key")
}

/// The parts of a frame that are not read yet.
struct Reader<'a> {
    bytes: &'a Bytes,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Looks at head and checksum.
    fn open(bytes: &'a Bytes) -> Read<Self> {
        let start = &bytes[..bytes.len().min(MAGIC.len())];
        if !MAGIC.starts_with(start) {
            return Err(FrameError::Foreign);
        }
        let all = Self { bytes, rest: bytes };
        let mut head = Self { ..all };
        head.take(MAGIC.len())?;
        if head.byte()? != VERSION || head.byte()? != 0 {
            return Err(FrameError::Version);
        }
        let length = head.u64()?;
        let there = bytes.len() as u64;
        if length > there || bytes.len() < HEAD + CHECKSUM {
            return Err(FrameError::Truncated);
        }
        if length < there {
            return Err(FrameError::Malformed("length"));
        }
        let (written, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
        if xxh3_64(written).to_le_bytes() != checksum {
            return Err(FrameError::Checksum);
        }
        let rest = &written[HEAD..];
        Ok(Self { bytes, rest })
    }

    fn left(&self) -> usize {
        self.rest.len()
    }

    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(FrameError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(FrameError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Read<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Read<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Read<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Read<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn flag(&mut self, part: &'static str) -> Read<bool> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(FrameError::Malformed(part)),
        }
    }

    fn short(&mut self) -> Read<&'a [u8]> {
        let length = self.u16()?;
        self.take(length.into())
    }

    fn long(&mut self, part: &'static str) -> Read<&'a [u8]> {
        let length = self.u32()?;
        self.take(usize::try_from(length).map_err(|_| FrameError::Malformed(part))?)
    }

    fn text(&mut self, part: &'static str) -> Read<&'a str> {
        std::str::from_utf8(self.long(part)?).map_err(|_| FrameError::Malformed(part))
    }

    /// The same bytes as a part of the whole, not copied.
    fn shared(&self, part: &'a [u8]) -> Bytes {
        self.bytes.slice_ref(part)
    }

    /// So many parts of at least `least` bytes each, every one made by `read`: none is reserved for that could not be
    /// there.
    fn list<T>(
        &mut self,
        part: &'static str,
        least: usize,
        mut read: impl FnMut(&mut Self) -> Read<T>,
    ) -> Read<Vec<T>> {
        let count = usize::from(self.u16()?);
        if count > MOST || count * least > self.left() {
            return Err(FrameError::Malformed(part));
        }
        let mut list = Vec::with_capacity(count);
        for _ in 0..count {
            list.push(read(self)?);
        }
        Ok(list)
    }

    fn lifetime(&mut self) -> Read<Lifetime> {
        Ok(Lifetime {
            received: Timestamp::from_millis(self.u64()?),
            initial_age_ms: self.u64()?,
            fresh_ms: self.u64()?,
            stale_while_revalidate_ms: self.u64()?,
            stale_if_error_ms: self.u64()?,
            load_ms: self.u32()?,
            must_revalidate: self.flag("lifetime")?,
        })
    }

    fn tags(&mut self) -> Read<Vec<Tag>> {
        let mut last: Option<Arc<str>> = None;
        self.list("tags", 1 + 4, |reader| {
            let mark = reader.byte()?;
            let kind = kind(mark & !SHARED_TEXT)?;
            let length = reader.u32()?;
            let text = match last.take() {
                Some(text) if mark & SHARED_TEXT != 0 => text,
                None if mark & SHARED_TEXT != 0 => return Err(FrameError::Malformed("tag")),
                _ => reader.text("tag")?.into(),
            };
            last = Some(Arc::clone(&text));
            Tag::of_parts(kind, text, length).ok_or(FrameError::Malformed("tag"))
        })
    }

    fn content(&mut self) -> Read<Content> {
        match self.byte()? {
            RESPONSE => self.response().map(Content::Response),
            VARIANTS => {
                let lists = self.list("variants", 2, Self::variant)?;
                Ok(Content::Variants(lists.into()))
            }
            SEARCHES => {
                let rules = self.list("searches", 2, Self::search)?;
                Ok(Content::Searches(rules.into()))
            }
            VALUE => {
                let schema = self.u64()?;
                let value = self.take(self.left())?;
                Ok(Content::Value(StoredValue::of_bytes(schema, self.shared(value))))
            }
            _ => Err(FrameError::Malformed("content")),
        }
    }

    fn response(&mut self) -> Read<StoredResponse> {
        let status = StatusCode::from_u16(self.u16()?).map_err(|_| FrameError::Malformed("status"))?;
        let generated_etag = self.flag("response")?;
        let lines = self.list("headers", 2 + 1 + 4, |reader| {
            let name = reader.header_name()?;
            let value = reader.long("header value")?;
            let value = HeaderValue::from_maybe_shared(reader.shared(value));
            Ok((name, value.map_err(|_| FrameError::Malformed("header value"))?))
        })?;
        let body = self.take(self.left())?;
        let response = StoredResponse::of_lines(status, lines, self.shared(body));
        Ok(response.with_generated_etag(generated_etag))
    }

    fn header_name(&mut self) -> Read<HeaderName> {
        let text = self.short()?;
        // Reading puts it into lower case, which is the only one that is written.
        HeaderName::from_bytes(text)
            .ok()
            .filter(|name| name.as_str().as_bytes() == text)
            .ok_or(FrameError::Malformed("header name"))
    }

    fn variant(&mut self) -> Read<VaryNames> {
        self.list("variants", 2 + 1, Self::header_name).map(Into::into)
    }

    fn search(&mut self) -> Read<SearchVariance> {
        let unordered = self.flag("searches")?;
        let kind = self.byte()?;
        if kind == IGNORE_NONE {
            return Ok(SearchVariance {
                unordered,
                ignored: IgnoredParameters::None,
            });
        }
        let names = self.list("searches", 4, |reader| reader.text("parameter").map(Into::into))?;
        let ignored = match kind {
            IGNORE_ONLY => IgnoredParameters::Only(names.into()),
            IGNORE_EXCEPT => IgnoredParameters::AllExcept(names.into()),
            _ => return Err(FrameError::Malformed("searches")),
        };
        Ok(SearchVariance { unordered, ignored })
    }
}

const fn kind(number: u8) -> Read<TagKind> {
    Ok(match number {
        1 => TagKind::Named,
        2 => TagKind::Layer,
        3 => TagKind::Identity,
        4 => TagKind::Path,
        5 => TagKind::Uri,
        6 => TagKind::Target,
        7 => TagKind::Searches,
        8 => TagKind::Group,
        9 => TagKind::Key,
        _ => return Err(FrameError::Malformed("tag")),
    })
}
