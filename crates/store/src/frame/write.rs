//! Writing a frame: once to learn its length, and once into memory of that length.

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::{CHECKSUM, FrameError, MAGIC, MOST, SHARED_TEXT, VERSION};
use super::{IGNORE_EXCEPT, IGNORE_NONE, IGNORE_ONLY, RESPONSE, SEARCHES, VALUE, VARIANTS};
use crate::entry::{Content, Entry, Lifetime, StoredResponse, VaryNames};
use crate::search::{IgnoredParameters, SearchVariance};
use crate::tag::{Tag, TagKind};

type Written = Result<(), FrameError>;

/// Where a frame is written to.
trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

/// Counts and keeps nothing.
struct Length(usize);

impl Sink for Length {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

pub(super) fn frame(key: &[u8], entry: &Entry, stamps: &[u8]) -> Result<Bytes, FrameError> {
    // Once, for both passes.
    let value = match entry.value() {
        None => Bytes::new(),
        Some(value) => value.encoded().ok_or(FrameError::Unencodable)?,
    };
    let mut length = Length(CHECKSUM);
    put_frame(&mut length, 0, key, entry, &value, stamps)?;
    let mut bytes = Vec::with_capacity(length.0);
    put_frame(&mut bytes, length.0, key, entry, &value, stamps)?;
    let checksum = xxh3_64(&bytes);
    bytes.put(&checksum.to_le_bytes());
    Ok(bytes.into())
}

/// All but the checksum. `value` is the entry's as bytes, where it is one.
fn put_frame(
    sink: &mut impl Sink,
    length: usize,
    key: &[u8],
    entry: &Entry,
    value: &[u8],
    stamps: &[u8],
) -> Written {
    sink.put(&MAGIC);
    sink.put(&[VERSION, 0]);
    sink.put(&(length as u64).to_le_bytes());
    long(sink, stamps, "stamps")?;
    long(sink, key, "key")?;
    lifetime(sink, &entry.lifetime);
    tags(sink, &entry.tags)?;
    match &entry.content {
        Content::Response(response) => {
            sink.put(&[RESPONSE]);
            self::response(sink, response)
        }
        Content::Variants(lists) => {
            sink.put(&[VARIANTS]);
            count(sink, lists.len(), "variants")?;
            lists.iter().try_for_each(|names| variant(sink, names))
        }
        Content::Searches(rules) => {
            sink.put(&[SEARCHES]);
            count(sink, rules.len(), "searches")?;
            rules.iter().try_for_each(|rule| search(sink, rule))
        }
        Content::Value(stored) => {
            sink.put(&[VALUE]);
            sink.put(&stored.schema().to_le_bytes());
            sink.put(value);
            Ok(())
        }
    }
}

fn lifetime(sink: &mut impl Sink, lifetime: &Lifetime) {
    // Taken apart without `..`, so that no field is forgotten here.
    let Lifetime {
        received,
        initial_age_ms,
        fresh_ms,
        stale_while_revalidate_ms,
        stale_if_error_ms,
        load_ms,
        must_revalidate,
    } = lifetime;
    let times = [
        received.as_millis(),
        *initial_age_ms,
        *fresh_ms,
        *stale_while_revalidate_ms,
        *stale_if_error_ms,
    ];
    for time in times {
        sink.put(&time.to_le_bytes());
    }
    sink.put(&load_ms.to_le_bytes());
    sink.put(&[(*must_revalidate).into()]);
}

fn tags(sink: &mut impl Sink, tags: &[Tag]) -> Written {
    count(sink, tags.len(), "tags")?;
    let mut last: Option<&Tag> = None;
    for tag in tags {
        let shared = last.replace(tag).is_some_and(|last| tag.shares_text(last));
        sink.put(&[kind(tag.kind()) | if shared { SHARED_TEXT } else { 0 }]);
        sink.put(&number_of(tag.as_str().len(), "tag")?.to_le_bytes());
        if !shared {
            long(sink, tag.text().as_bytes(), "tag")?;
        }
    }
    Ok(())
}

/// The kind of a tag as a frame names it; never changed, only added to.
const fn kind(kind: TagKind) -> u8 {
    match kind {
        TagKind::Named => 1,
        TagKind::Layer => 2,
        TagKind::Identity => 3,
        TagKind::Path => 4,
        TagKind::Uri => 5,
        TagKind::Target => 6,
        TagKind::Searches => 7,
        TagKind::Group => 8,
        TagKind::Key => 9,
    }
}

fn response(sink: &mut impl Sink, response: &StoredResponse) -> Written {
    sink.put(&response.status.as_u16().to_le_bytes());
    sink.put(&[response.generated_etag.into()]);
    count(sink, response.headers().count(), "headers")?;
    for (name, value) in response.headers() {
        short(sink, name.as_str().as_bytes(), "header name")?;
        long(sink, value.as_bytes(), "header value")?;
    }
    sink.put(&response.body);
    Ok(())
}

fn variant(sink: &mut impl Sink, names: &VaryNames) -> Written {
    count(sink, names.len(), "variants")?;
    names
        .iter()
        .try_for_each(|name| short(sink, name.as_str().as_bytes(), "header name"))
}

fn search(sink: &mut impl Sink, rule: &SearchVariance) -> Written {
    let SearchVariance { unordered, ignored } = rule;
    let (kind, names) = match ignored {
        IgnoredParameters::None => (IGNORE_NONE, None),
        IgnoredParameters::Only(names) => (IGNORE_ONLY, Some(names)),
        IgnoredParameters::AllExcept(names) => (IGNORE_EXCEPT, Some(names)),
    };
    sink.put(&[(*unordered).into(), kind]);
    let Some(names) = names else { return Ok(()) };
    count(sink, names.len(), "searches")?;
    names
        .iter()
        .try_for_each(|name| long(sink, name.as_bytes(), "parameter"))
}

/// How many of a part follow.
fn count(sink: &mut impl Sink, count: usize, part: &'static str) -> Written {
    let number = u16::try_from(count).map_err(|_| FrameError::TooLarge(part))?;
    if count > MOST {
        return Err(FrameError::TooLarge(part));
    }
    sink.put(&number.to_le_bytes());
    Ok(())
}

fn short(sink: &mut impl Sink, bytes: &[u8], part: &'static str) -> Written {
    let length = u16::try_from(bytes.len()).map_err(|_| FrameError::TooLarge(part))?;
    sink.put(&length.to_le_bytes());
    sink.put(bytes);
    Ok(())
}

fn long(sink: &mut impl Sink, bytes: &[u8], part: &'static str) -> Written {
    sink.put(&number_of(bytes.len(), part)?.to_le_bytes());
    sink.put(bytes);
    Ok(())
}

fn number_of(length: usize, part: &'static str) -> Result<u32, FrameError> {
    u32::try_from(length).map_err(|_| FrameError::TooLarge(part))
}
