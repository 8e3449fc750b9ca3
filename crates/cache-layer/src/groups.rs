//! Cache groups (RFC 9875): which stored responses belong together, and which of them a mutation forgets.

use http::{HeaderMap, HeaderName};

use crate::structured::{Value, list};

const CACHE_GROUPS: HeaderName = HeaderName::from_static("cache-groups");
const CACHE_GROUP_INVALIDATION: HeaderName = HeaderName::from_static("cache-group-invalidation");

/// How many groups a stored response may belong to, and how long their names may be; the RFC asks for 32 of 32
/// characters at least (§2).
const MOST_GROUPS: usize = 64;
const LONGEST_NAME: usize = 128;

/// A response belongs to more groups, or to one with a longer name, than are kept.
///
/// It must not be stored: without all of its groups it would stay when one of them is invalidated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

/// The groups that a response belongs to (§2): each once, in order.
///
/// A field that is no list is ignored. A member that is no string is, too, and the others are not: a response in a group
/// too many is only forgotten too early.
pub(crate) fn groups(headers: &HeaderMap) -> Result<Vec<String>, TooMany> {
    let names = names(headers, &CACHE_GROUPS);
    if names.len() > MOST_GROUPS || names.iter().any(|name| name.len() > LONGEST_NAME) {
        return Err(TooMany);
    }
    Ok(names)
}

/// The groups that the answer to a request with an unsafe method invalidates (§3): each once, in order.
///
/// There is no bound to their number but that of the headers themselves: a group left out would stay stale. One with a
/// name longer than any that is kept has no responses, and is left out.
pub(crate) fn invalidated_groups(headers: &HeaderMap) -> Vec<String> {
    let mut names = names(headers, &CACHE_GROUP_INVALIDATION);
    names.retain(|name| name.len() <= LONGEST_NAME);
    names
}

fn names(headers: &HeaderMap, field: &HeaderName) -> Vec<String> {
    let mut names: Vec<String> = list(headers, field)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|value| match value {
            Value::String(name) => Some(name),
            _ => None,
        })
        .collect();
    // The order of members means nothing.
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for name in [CACHE_GROUPS, CACHE_GROUP_INVALIDATION] {
            for line in lines {
                headers.append(&name, HeaderValue::from_str(line).unwrap());
            }
        }
        headers
    }

    fn both(lines: &[&str]) -> Vec<String> {
        let headers = headers(lines);
        let groups = groups(&headers).unwrap();
        assert_eq!(invalidated_groups(&headers), groups);
        groups
    }

    #[test]
    fn groups_are_strings_in_any_order_each_once() {
        assert_eq!(
            both(&["\"eurovision-results\", \"australia\""]),
            ["australia", "eurovision-results"]
        );
        assert_eq!(both(&["\"b\";x=1, \"a\"", "\"b\""]), ["a", "b"]);
        assert_eq!(
            both(&["\"A\", \"a\", \"\", \"a b, c\""]),
            ["", "A", "a", "a b, c"]
        );
        assert!(both(&[]).is_empty() && both(&[""]).is_empty());
    }

    #[test]
    fn members_of_other_types_are_left_out() {
        assert_eq!(both(&["a, \"b\", 1, (\"c\" \"d\"), ?1, :aGk=:"]), ["b"]);
    }

    #[test]
    fn a_field_that_is_no_list_is_ignored_as_a_whole() {
        for line in [
            "\"a\",",
            "\"a\" \"b\"",
            "\"a\", 'b'",
            "\"a",
            "\"a\", \"\u{e9}\"",
            "\"a\", &",
        ] {
            assert!(both(&[line]).is_empty(), "{line}");
        }
    }

    fn line(count: usize, len: usize) -> String {
        let names: Vec<String> = (0..count).map(|n| format!("\"{n:0>len$}\"")).collect();
        names.join(", ")
    }

    #[test]
    fn a_response_of_too_many_groups_is_not_kept_and_none_is_passed_over_when_forgetting() {
        let most = headers(&[&line(MOST_GROUPS, LONGEST_NAME)]);
        assert_eq!(groups(&most).unwrap().len(), MOST_GROUPS);
        let more = headers(&[&line(MOST_GROUPS + 1, 3)]);
        assert_eq!(groups(&more), Err(TooMany));
        assert_eq!(invalidated_groups(&more).len(), MOST_GROUPS + 1);
        let again = headers(&[&line(MOST_GROUPS, 3), &line(MOST_GROUPS, 3)]);
        assert_eq!(groups(&again).unwrap().len(), MOST_GROUPS, "the same ones twice");
        let longer = headers(&[&line(2, LONGEST_NAME + 1), "\"a\""]);
        assert_eq!(groups(&longer), Err(TooMany));
        assert_eq!(invalidated_groups(&longer), ["a"]);
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>, text in "[ab=\"(),; ?0-9.\\\\]{0,30}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                if let Ok(value) = HeaderValue::from_bytes(bytes) {
                    let mut headers = HeaderMap::new();
                    headers.insert(CACHE_GROUPS, value.clone());
                    headers.insert(CACHE_GROUP_INVALIDATION, value);
                    let _ = groups(&headers);
                    let _ = invalidated_groups(&headers);
                }
            }
        }
    }
}
