//! Validation: what is asked of an origin about a stored response, and what its answer makes of it (RFC 9111 §4.3). Pure.

use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, response};
use larder_etag::EntityTag;
use larder_store::{Entry, StoredResponse, Tag, TagKind};

use crate::hide::CONDITIONS;

/// Makes the request ask whether the stored response is still the one, in the place of what its client asked (§4.3.1).
/// Answers whether there was anything to ask by.
pub(crate) fn condition(request: &mut HeaderMap, stored: &StoredResponse) -> bool {
    // The tag of a layer means nothing to its handler.
    let tag = if stored.generated_etag {
        None
    } else {
        // What is no tag would ask something else: `*` whether there is anything at all, a list about others too.
        only(stored, &ETAG).filter(|tag| EntityTag::from_header(tag).is_ok())
    };
    let date = only(stored, &LAST_MODIFIED);
    if tag.is_none() && date.is_none() {
        return false;
    }
    for name in CONDITIONS {
        request.remove(name);
    }
    for (name, value) in [(IF_NONE_MATCH, tag), (IF_MODIFIED_SINCE, date)] {
        if let Some(value) = value {
            request.insert(name, value.clone());
        }
    }
    true
}

/// The one line with this name: of two, neither is known to be meant.
fn only<'s>(stored: &'s StoredResponse, name: &HeaderName) -> Option<&'s HeaderValue> {
    let mut lines = stored.headers().filter(|(other, _)| *other == name);
    let (_, value) = lines.next()?;
    (lines.next().is_none() && !value.is_empty()).then_some(value)
}

/// The headers of the stored response as the headers of a 304, or of a 200 to a HEAD, update them (§3.2): those that it
/// names take the place of what was stored, line by line, but for what belongs to the stored body.
pub(crate) fn updated(stored: &StoredResponse, news: &HeaderMap) -> HeaderMap {
    let mut headers = stored.header_map(news.len());
    if stored.generated_etag {
        headers.remove(ETAG);
    }
    // It was confirmed now, not when it was made.
    headers.remove(DATE);
    // The question was about the stored tag, and the answer that it still holds.
    let tagged = headers.contains_key(ETAG);
    for name in news.keys() {
        if [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_RANGE].contains(name) || tagged && *name == ETAG {
            continue;
        }
        headers.remove(name);
        for value in news.get_all(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// Whether a 304 is about the stored response (§4.3.4): of its validators the one that counts is the stored one's too.
pub(crate) fn is_about(stored: &StoredResponse, news: &HeaderMap) -> bool {
    match (news.get(ETAG), news.get(LAST_MODIFIED)) {
        (Some(new), _) => only(stored, &ETAG).is_some_and(|old| same_tag(old, new)),
        (None, Some(new)) => only(stored, &LAST_MODIFIED).is_none_or(|old| old == new),
        (None, None) => true,
    }
}

/// A strong tag is the same as itself alone; a weak one as any of its text.
fn same_tag(old: &HeaderValue, new: &HeaderValue) -> bool {
    match (EntityTag::from_header(old), EntityTag::from_header(new)) {
        (Ok(old), Ok(new)) if new.is_weak() => old.weak_eq(&new),
        (Ok(old), Ok(new)) => old.strong_eq(&new),
        _ => old == new,
    }
}

/// Whether the answer to a HEAD updates the stored response (§4.3.5).
pub(crate) fn confirms(stored: &StoredResponse, answer: &response::Parts) -> bool {
    answer.status == StatusCode::OK && stored.status == StatusCode::OK && agrees(stored, &answer.headers)
}

/// Whether the answer to a HEAD has a validator that the stored response has too.
pub(crate) fn proves(stored: &StoredResponse, news: &HeaderMap) -> bool {
    let own_tag = !stored.generated_etag && only(stored, &ETAG).is_some();
    own_tag && news.contains_key(ETAG)
        || only(stored, &LAST_MODIFIED).is_some() && news.contains_key(LAST_MODIFIED)
}

/// Whether the answer to a HEAD shows that the stored response is no longer the one.
pub(crate) fn contradicts(stored: &StoredResponse, answer: &response::Parts) -> bool {
    answer.status == StatusCode::OK && !agrees(stored, &answer.headers)
}

/// Whether the headers of a 200 to a HEAD are those of the stored representation: each validator that both have is the
/// same, and so is the length.
fn agrees(stored: &StoredResponse, news: &HeaderMap) -> bool {
    let tags = (
        only(stored, &ETAG).filter(|_| !stored.generated_etag),
        news.get(ETAG),
    );
    let same_tag = match tags {
        (Some(old), Some(new)) => same_tag(old, new) || same_tag(new, old),
        _ => true,
    };
    let same_date = match (only(stored, &LAST_MODIFIED), news.get(LAST_MODIFIED)) {
        (Some(old), Some(new)) => old == new,
        _ => true,
    };
    let length = news
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    same_tag && same_date && length.is_none_or(|length: usize| length == stored.body.len())
}

/// With how many tags a response is asked for anew, not whether it is still the one: each answer may add some.
const MOST_TAGS: usize = 256;

/// Whether what is stored may be kept anew, with its tags and those of the answer about it.
pub(crate) fn has_room(stored: &Entry) -> bool {
    stored.tags.len() <= MOST_TAGS
}

/// Adds the tags that a stored response got from its handler, and its groups: the body is the same, and so is what it is
/// made of, though an answer about it may not name that again. Those of its target are the request's own.
pub(crate) fn keep_tags(tags: &mut Vec<Tag>, stored: &[Tag]) {
    for tag in stored {
        if matches!(tag.kind(), TagKind::Named | TagKind::Group) && !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn map(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn stored(lines: &[(&'static str, &str)]) -> StoredResponse {
        StoredResponse::new(StatusCode::OK, &map(lines), Bytes::from_static(b"12345"))
    }

    const MONDAY: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

    #[test]
    fn both_validators_take_the_place_of_the_clients_conditions() {
        let mut request = map(&[
            ("if-none-match", "\"x\""),
            ("if-match", "\"y\""),
            ("accept", "a/b"),
        ]);
        assert!(condition(
            &mut request,
            &stored(&[("etag", "W/\"a\""), ("last-modified", MONDAY)])
        ));
        assert_eq!(
            request,
            map(&[
                ("accept", "a/b"),
                ("if-none-match", "W/\"a\""),
                ("if-modified-since", MONDAY)
            ])
        );
    }

    #[test]
    fn without_a_validator_the_request_is_left_alone() {
        let client = map(&[("if-none-match", "\"x\"")]);
        for stored in [
            stored(&[]),
            stored(&[("etag", "\"a\""), ("etag", "\"b\"")]),
            stored(&[("etag", "")]),
            stored(&[("etag", "*")]),
            stored(&[("etag", "\"a\", \"b\"")]),
            stored(&[("etag", "\"a\"")]).with_generated_etag(true),
        ] {
            let mut request = client.clone();
            assert!(!condition(&mut request, &stored));
            assert_eq!(request, client);
        }
    }

    #[test]
    fn news_replace_what_was_stored_but_for_the_body() {
        let stored = stored(&[
            ("etag", "\"a\""),
            ("a", "1"),
            ("b", "1"),
            ("b", "2"),
            ("content-encoding", "gzip"),
        ]);
        let news = map(&[
            ("b", "3"),
            ("c", "4"),
            ("etag", "\"z\""),
            ("content-encoding", "br"),
            ("content-length", "0"),
            ("content-range", "bytes 0-1/2"),
        ]);
        let expected = map(&[
            ("etag", "\"a\""),
            ("a", "1"),
            ("b", "3"),
            ("c", "4"),
            ("content-encoding", "gzip"),
        ]);
        assert_eq!(updated(&stored, &news), expected);
    }

    #[test]
    fn a_304_counts_for_the_response_that_it_names() {
        let stored = stored(&[("etag", "\"a\""), ("last-modified", MONDAY)]);
        let tuesday = ("last-modified", "Tue, 08 Nov 1994 08:49:37 GMT");
        for same in [
            &[][..],
            &[("etag", "\"a\"")],
            &[("etag", "W/\"a\""), tuesday],
            &[("last-modified", MONDAY)],
        ] {
            assert!(is_about(&stored, &map(same)), "{same:?}");
        }
        for other in [&[("etag", "\"b\"")][..], &[("etag", "W/\"b\"")], &[tuesday]] {
            assert!(!is_about(&stored, &map(other)), "{other:?}");
        }
    }

    #[test]
    fn a_head_agrees_unless_it_says_otherwise() {
        let stored = stored(&[("etag", "\"a\""), ("last-modified", MONDAY)]);
        for same in [
            &[][..],
            &[("etag", "W/\"a\"")],
            &[("content-length", "5"), ("last-modified", MONDAY)],
        ] {
            assert!(agrees(&stored, &map(same)), "{same:?}");
        }
        for other in [
            &[("etag", "\"b\"")][..],
            &[("content-length", "6")],
            &[("last-modified", "Tue, 08 Nov 1994 08:49:37 GMT")],
        ] {
            assert!(!agrees(&stored, &map(other)), "{other:?}");
        }
    }
}
