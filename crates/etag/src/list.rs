//! The list of entity tags in `If-Match` and `If-None-Match`, compared where it stands (RFC 9110 §13.1.1,
//! §13.1.2).

use http::header::{GetAll, HeaderMap, HeaderName, HeaderValue};

use crate::tag::EntityTag;
use crate::value::trim_ows;

/// A field that is `*` or a list of entity tags, over all its lines (RFC 9110 §5.3, §5.6.1, §13.1.1,
/// §13.1.2).
///
/// The list is read by the recipient's rules: members stand between commas that are outside double quotes,
/// and empty ones do not count. A member that is not an entity tag equals nothing, and the valid ones beside
/// it still count: one bad member costs a client its own match only. An open quote takes in the rest of its
/// line.
///
/// Nothing is copied or stored; every question reads the lines once.
#[derive(Debug)]
pub struct TagList<'h> {
    lines: GetAll<'h, HeaderValue>,
}

impl<'h> TagList<'h> {
    /// The list in the lines of the field `name`, or `None` if there is no such field.
    ///
    /// A field without members is a list: it is a condition that no tag meets.
    #[must_use]
    pub fn of(headers: &'h HeaderMap, name: &HeaderName) -> Option<Self> {
        let lines = headers.get_all(name);
        lines.iter().next()?;
        Some(Self { lines })
    }

    /// Whether the field is `*`, any current representation (RFC 9110 §13.1.1, §13.1.2).
    ///
    /// By the grammar `*` stands alone; within a list it is an invalid member.
    #[must_use]
    pub fn is_star(&self) -> bool {
        let mut lines = self.lines.iter();
        let first = lines.next().map(|line| trim_ows(line.as_bytes()));
        first == Some(b"*") && lines.next().is_none()
    }

    /// Whether a member equals `tag` by strong comparison, as `If-Match` asks (RFC 9110 §8.8.3.2, §13.1.1).
    #[must_use]
    pub fn any_strong(&self, tag: &EntityTag) -> bool {
        // A weak tag equals none, so the list need not be read.
        !tag.is_weak() && self.members().any(|member| tag.strong_eq_bytes(member))
    }

    /// Whether a member equals `tag` by weak comparison, as `If-None-Match` asks (RFC 9110 §8.8.3.2,
    /// §13.1.2).
    #[must_use]
    pub fn any_weak(&self, tag: &EntityTag) -> bool {
        self.members().any(|member| tag.weak_eq_bytes(member))
    }

    /// The valid tags of the list, made one at a time.
    pub fn tags(&self) -> impl Iterator<Item = EntityTag> + use<'h> {
        self.members().filter_map(|member| EntityTag::parse(member).ok())
    }

    /// The members as bytes, valid or not. Comparing them needs no check: what equals a tag is one.
    fn members(&self) -> impl Iterator<Item = &'h [u8]> + use<'h> {
        self.lines.iter().flat_map(|line| Members {
            rest: line.as_bytes(),
        })
    }
}

/// The members of one line that are not empty.
struct Members<'h> {
    rest: &'h [u8],
}

impl<'h> Iterator for Members<'h> {
    type Item = &'h [u8];

    fn next(&mut self) -> Option<&'h [u8]> {
        while !self.rest.is_empty() {
            let end = end_of_member(self.rest);
            let member = trim_ows(&self.rest[..end]);
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            if !member.is_empty() {
                return Some(member);
            }
        }
        None
    }
}

/// The place of the first comma outside quotes, or the length.
fn end_of_member(line: &[u8]) -> usize {
    let mut quoted = false;
    for (at, byte) in line.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => return at,
            _ => {}
        }
    }
    line.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{IF_MATCH, IF_NONE_MATCH};
    use proptest::prelude::*;

    fn headers(lines: &[&[u8]]) -> HeaderMap {
        lines
            .iter()
            .map(|line| (IF_NONE_MATCH, HeaderValue::from_bytes(line).unwrap()))
            .collect()
    }

    fn weak(lines: &[&str], tag: &str) -> bool {
        let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
        TagList::of(&headers(&lines), &IF_NONE_MATCH)
            .unwrap()
            .any_weak(&tag.parse().unwrap())
    }

    fn strong(line: &str, tag: &str) -> bool {
        TagList::of(&headers(&[line.as_bytes()]), &IF_NONE_MATCH)
            .unwrap()
            .any_strong(&tag.parse().unwrap())
    }

    /// RFC 9110 §13.1.1 and §13.1.2, examples.
    #[test]
    fn the_examples_of_the_rfc_match() {
        for line in [
            r#""xyzzy""#,
            r#"W/"xyzzy""#,
            r#""xyzzy", "r2d2xxxx", "c3piozzzz""#,
        ] {
            assert!(weak(&[line], r#""xyzzy""#), "{line}");
            assert!(weak(&[line], r#"W/"xyzzy""#), "{line}");
        }
        let several = r#"W/"xyzzy", W/"r2d2xxxx", W/"c3piozzzz""#;
        assert!(weak(&[several], r#""c3piozzzz""#));
        assert!(!strong(several, r#""c3piozzzz""#));
        assert!(strong(r#""xyzzy", "r2d2xxxx""#, r#""r2d2xxxx""#));
        assert!(!strong(r#""xyzzy", "r2d2xxxx""#, r#"W/"r2d2xxxx""#));
    }

    #[test]
    fn a_comma_within_quotes_is_part_of_the_tag() {
        assert!(weak(&[r#""a,b""#], r#""a,b""#));
        assert!(!weak(&[r#""a,b""#], r#""a""#));
        assert!(!weak(&[r#""x,"b",y""#], r#""b""#));
    }

    #[test]
    fn lines_and_empty_members_are_one_list() {
        assert!(weak(&[r#""a""#, "", r#", ,"b" ,, "c","#], r#""b""#));
        assert!(weak(&[r#""a""#, "", r#", ,"b" ,, "c","#], r#""c""#));
        assert!(!weak(&["", ",,"], r#""""#));
        assert!(weak(&[r#""""#], r#""""#));
    }

    #[test]
    fn an_invalid_member_never_matches_and_spoils_no_other() {
        assert!(weak(&[r#"bare, w/"b", "x y", "b""#], r#""b""#));
        assert!(!weak(&[r#"b, w/"b", "b"b, b"b", W/ "b", *"#], r#""b""#));
        assert!(!weak(&[r#""open, "b""#], r#""b""#));
        assert!(
            weak(&[r#""open, "x""#, r#""b""#], r#""b""#),
            "an open quote ends with its line"
        );
    }

    #[test]
    fn the_star_stands_alone() {
        let star = |lines: &[&[u8]]| TagList::of(&headers(lines), &IF_NONE_MATCH).unwrap().is_star();
        assert!(star(&[b"*"]) && star(&[b" *\t"]));
        for lines in [
            &[&b"*, \"a\""[..]][..],
            &[b"*", b"*"],
            &[b"*", b""],
            &[b"**"],
            &[b"\"*\""],
            &[b""],
        ] {
            assert!(!star(lines), "{lines:?}");
        }
        assert!(!weak(&["*"], r#""*""#));
    }

    #[test]
    fn a_field_that_is_not_there_is_no_list() {
        assert!(TagList::of(&headers(&[b"\"a\""]), &IF_MATCH).is_none());
        assert!(TagList::of(&headers(&[b""]), &IF_NONE_MATCH).is_some());
    }

    /// The slow oracle: replaces the commas within quotes, splits, and reads each member as a whole tag.
    fn oracle(lines: &[Vec<u8>]) -> Vec<(bool, Vec<u8>)> {
        let mut found = Vec::new();
        for line in lines {
            let by_quotes: Vec<Vec<u8>> = line.split(|byte| *byte == b'"').map(<[u8]>::to_vec).collect();
            let mut hidden = Vec::new();
            for (place, piece) in by_quotes.iter().enumerate() {
                let inside = place % 2 == 1;
                hidden.extend(
                    piece
                        .iter()
                        .map(|b| if inside && *b == b',' { 256 } else { u16::from(*b) }),
                );
                if place + 1 < by_quotes.len() {
                    hidden.push(u16::from(b'"'));
                }
            }
            for member in hidden.split(|unit| *unit == u16::from(b',')) {
                let text: Vec<u8> = member.iter().map(|u| u8::try_from(*u).unwrap_or(b',')).collect();
                let text: String = text.iter().map(|b| char::from(*b)).collect();
                let text = text.trim_matches([' ', '\t']);
                let (weak, quoted) = (text.starts_with("W/"), text.trim_start_matches("W/"));
                let prefix = if weak { 2 } else { 0 };
                let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                let Some(inner) = inner.filter(|_| quoted.len() + prefix == text.len()) else {
                    continue;
                };
                if inner.chars().all(|c| c > ' ' && c != '"' && c != '\u{7f}') {
                    found.push((
                        weak,
                        inner
                            .chars()
                            .map(|c| u8::try_from(u32::from(c)).unwrap())
                            .collect(),
                    ));
                }
            }
        }
        found
    }

    fn lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let piece = prop_oneof![
            4 => Just(&b"\"a\""[..]), 2 => Just(&b"W/\"a\""[..]), 2 => Just(&b"\"a,\""[..]),
            4 => Just(&b", "[..]),
            1 => Just(&b"\""[..]), 1 => Just(&b","[..]), 1 => Just(&b"a"[..]), 1 => Just(&b"W/"[..]),
            1 => Just(&b"*"[..]), 1 => Just(&b" "[..]), 1 => Just(&b"\xe9"[..]), 1 => Just(&b"\"\""[..]),
        ];
        proptest::collection::vec(
            proptest::collection::vec(piece, 0..9).prop_map(|p| p.concat()),
            1..4,
        )
    }

    fn header_bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = any::<u8>().prop_filter("allowed in a header", |byte| *byte >= 32 && *byte != 127);
        proptest::collection::vec(byte, 0..64)
    }

    proptest! {
        #[test]
        fn matching_equals_the_slow_oracle(
            lines in lines(), weak: bool, opaque in proptest::sample::select(vec!["a", "a,", "", ",", "a,a"]),
        ) {
            let opaque = opaque.as_bytes();
            let tag = if weak { EntityTag::weak(opaque) } else { EntityTag::strong(opaque) }.unwrap();
            let known = oracle(&lines);
            let refs: Vec<_> = lines.iter().map(Vec::as_slice).collect();
            let headers = headers(&refs);
            let list = TagList::of(&headers, &IF_NONE_MATCH).unwrap();
            prop_assert_eq!(list.any_weak(&tag), known.iter().any(|(_, text)| text == opaque));
            let strong = known.iter().any(|(is_weak, text)| !is_weak && !weak && text == opaque);
            prop_assert_eq!(list.any_strong(&tag), strong);
            let tags: Vec<_> = list.tags().map(|tag| (tag.is_weak(), tag.opaque().to_vec())).collect();
            prop_assert_eq!(tags, known);
        }

        #[test]
        fn any_header_line_is_read(bytes in header_bytes()) {
            let headers = headers(&[&bytes]);
            let list = TagList::of(&headers, &IF_NONE_MATCH).unwrap();
            prop_assert!(list.tags().all(|tag| list.any_weak(&tag)));
        }
    }
}
