//! What the fuzz targets call: each takes any bytes, and panics where a promise of this crate does not hold.
//!
//! An input is the lines of a field, or what each target says; bytes that cannot stand in a header are left out.

#[cfg(test)]
#[path = "../../../fuzz/corpus.rs"]
mod corpus;

use bytes::Bytes;
use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE};

use crate::{
    ByteRange, EntityTag, MAX_RANGES, Multipart, Precondition, RangeOutcome, TagList, Validators, evaluate,
    evaluate_range,
};

/// Lists of entity tags: what is printed is read as the same, and every tag of a list is found in it.
pub fn etag_list(data: &[u8]) {
    let lines: Vec<HeaderValue> = lines(data).flatten().collect();
    lines.iter().for_each(entity_tag);
    let request = with_field(&IF_NONE_MATCH, &lines);
    let Some(list) = TagList::of(&request, &IF_NONE_MATCH) else {
        assert!(lines.is_empty(), "no list in {lines:?}");
        return;
    };
    let tags: Vec<EntityTag> = list.tags().collect();
    assert!(!list.is_star() || tags.is_empty(), "`*` beside {tags:?}");
    for tag in &tags {
        assert!(list.any_weak(tag), "{tag:?} is not found");
        assert_eq!(list.any_strong(tag), !tag.is_weak(), "{tag:?}");
        conditions(&lines, tag);
    }
    let printed = tags
        .iter()
        .map(EntityTag::as_bytes)
        .collect::<Vec<_>>()
        .join(&b", "[..]);
    let printed = with_field(&IF_NONE_MATCH, &[value(&printed)]);
    let again = TagList::of(&printed, &IF_NONE_MATCH).map(|list| list.tags().collect());
    assert_eq!(again, Some(tags));
}

fn entity_tag(line: &HeaderValue) {
    let Ok(tag) = EntityTag::from_header(line) else {
        return;
    };
    assert_eq!(tag.as_bytes(), line.as_bytes());
    assert_eq!(EntityTag::parse(line.as_bytes()).as_ref(), Ok(&tag));
    let made = if tag.is_weak() {
        EntityTag::weak(tag.opaque())
    } else {
        EntityTag::strong(tag.opaque())
    };
    assert_eq!(made.as_ref(), Ok(&tag));
    assert!(
        tag.weaken().weak_eq(&tag) && !tag.weaken().strong_eq(&tag),
        "{tag:?}"
    );
}

/// A condition that names the tag of the representation is answered by it.
fn conditions(lines: &[HeaderValue], tag: &EntityTag) {
    let validators = Validators {
        etag: Some(tag.clone()),
        last_modified: None,
    };
    let reading = evaluate(&Method::GET, &with_field(&IF_NONE_MATCH, lines), &validators);
    assert_eq!(reading, Precondition::NotModified, "{tag:?}");
    let writing = evaluate(&Method::PUT, &with_field(&IF_MATCH, lines), &validators);
    let met = if tag.is_weak() {
        Precondition::Failed
    } else {
        Precondition::Proceed
    };
    assert_eq!(writing, met, "{tag:?}");
}

/// Ranges: the lines are `Range`, the length of the body, and `If-Range`. What is to be sent lies inside the body, and
/// is to be sent again where it is asked for as it was found.
pub fn range(data: &[u8]) {
    let mut lines = lines(data);
    let range = lines.next().flatten();
    let length = lines.next().flatten();
    let length = length
        .and_then(|line| line.to_str().ok()?.parse().ok())
        .unwrap_or(10);
    let mut request = with_field(&RANGE, range.as_slice());
    if let Some(condition) = lines.next().flatten() {
        request.insert(IF_RANGE, condition);
    }
    let validators = Validators {
        etag: EntityTag::strong(b"a").ok(),
        last_modified: None,
    };
    let ask = |request: &HeaderMap| evaluate_range(&Method::GET, request, length, &validators, None);
    let RangeOutcome::Partial(ranges) = ask(&request) else {
        return;
    };
    assert!((1..=MAX_RANGES).contains(&ranges.len()), "{ranges:?}");
    assert!(
        ranges
            .iter()
            .all(|range| range.first() <= range.last() && range.last() < length),
        "{ranges:?}"
    );
    let together = ranges
        .iter()
        .map(|range| u128::from(range.length()))
        .sum::<u128>();
    assert!(together <= u128::from(length), "{ranges:?} overlap");
    let printed: Vec<String> = ranges
        .iter()
        .map(|range| format!("{}-{}", range.first(), range.last()))
        .collect();
    request.insert(RANGE, value(format!("bytes={}", printed.join(",")).as_bytes()));
    assert_eq!(ask(&request), RangeOutcome::Partial(ranges.clone()));
    if let Ok(length @ ..=0xffff) = usize::try_from(length) {
        parts(&ranges, length);
    }
}

/// The body of several ranges is longer than its parts by no more than their headers.
fn parts(ranges: &[ByteRange], length: usize) {
    let body = Bytes::from(vec![b'-'; length]);
    let sent: usize = ranges
        .iter()
        .filter_map(|range| range.slice(&body))
        .map(|part| part.len())
        .sum();
    let multipart = Multipart::of(&body, ranges, None).map_or(0, |multipart| multipart.body.len());
    assert!(
        multipart >= sent && multipart <= sent + 140 * (ranges.len() + 1),
        "{ranges:?}"
    );
}

/// The lines of the input, `None` for one that cannot stand in a header.
fn lines(data: &[u8]) -> impl Iterator<Item = Option<HeaderValue>> {
    data.split(|byte| *byte == b'\n')
        .map(|line| HeaderValue::from_bytes(line).ok())
}

/// A value of bytes that were read from one, or of digits.
fn value(bytes: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(bytes).unwrap_or_else(|e| panic!("{}: {e}", bytes.escape_ascii()))
}

fn with_field(name: &HeaderName, lines: &[HeaderValue]) -> HeaderMap {
    lines.iter().map(|line| (name.clone(), line.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_holds() {
        corpus::run("etag_list", etag_list);
        corpus::run("range", range);
    }
}
