//! The list of directives that `Cache-Control` and `Pragma` are made of (RFC 9111 §5.2), read with caution.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

use crate::age::whole_seconds;

/// The directives of all lines of a field, in their order.
///
/// Tokens in quoted strings are no directives. What is malformed is not passed over, since it may forbid something: a
/// directive is known by the token that it begins with, and has a [malformed](Argument::Malformed) argument.
pub(crate) fn directives<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = Directive<'h>> {
    headers.get_all(name).into_iter().flat_map(|line| Members {
        rest: line.as_bytes(),
        broken: false,
    })
}

/// A directive: a token, and what may stand after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Directive<'h> {
    name: &'h [u8],
    pub(crate) argument: Argument<'h>,
}

impl Directive<'_> {
    /// Whether it is the directive of this name, in any case.
    #[inline]
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// What stands after a directive's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Argument<'h> {
    /// Nothing.
    Absent,
    /// A token.
    Token(&'h [u8]),
    /// A quoted string, without its quotes.
    Quoted(&'h [u8]),
    /// Something that the grammar does not have.
    Malformed,
}

impl Argument<'_> {
    /// Whole seconds (RFC 9111 §1.2.2), in either form (§5.2).
    pub(crate) fn delta_seconds(self) -> Option<Duration> {
        match self {
            Self::Token(text) | Self::Quoted(text) => whole_seconds(text),
            Self::Absent | Self::Malformed => None,
        }
    }
}

struct Members<'h> {
    rest: &'h [u8],
    /// A quote before here has no end, so it cannot be known what it quotes: no argument is to be trusted.
    broken: bool,
}

impl<'h> Iterator for Members<'h> {
    type Item = Directive<'h>;

    fn next(&mut self) -> Option<Directive<'h>> {
        while !self.rest.is_empty() {
            let member = self.member().trim_ascii();
            let (name, rest) = member.split_at(member.iter().take_while(|byte| is_token(**byte)).count());
            if !name.is_empty() {
                let argument = if self.broken {
                    Argument::Malformed
                } else {
                    argument(rest)
                };
                return Some(Directive { name, argument });
            }
        }
        None
    }
}

impl<'h> Members<'h> {
    /// Takes the bytes to the first comma outside quotes, or to the end.
    fn member(&mut self) -> &'h [u8] {
        let mut at = 0;
        while let Some(byte) = self.rest.get(at) {
            match byte {
                b',' => break,
                b'"' if !self.broken => match quoted_len(&self.rest[at..]) {
                    Some(len) => at += len,
                    None => self.broken = true,
                },
                _ => at += 1,
            }
        }
        let member = &self.rest[..at];
        self.rest = self.rest.get(at + 1..).unwrap_or_default();
        member
    }
}

/// How many bytes the quoted string takes that `text` begins with, its quotes included; `None` if it does not end.
fn quoted_len(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Reads what stands after a name.
fn argument(rest: &[u8]) -> Argument<'_> {
    let text = match rest {
        [] => return Argument::Absent,
        [b'=', text @ ..] => text,
        _ => return Argument::Malformed,
    };
    match text {
        [_, ..] if text.iter().all(|byte| is_token(*byte)) => Argument::Token(text),
        [b'"', inner @ .., b'"'] if quoted_len(text) == Some(text.len()) => Argument::Quoted(inner),
        _ => Argument::Malformed,
    }
}

/// `tchar` (RFC 9110 §5.6.2).
pub(crate) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, header::CACHE_CONTROL};
    use proptest::prelude::*;

    fn read(line: &str) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_str(line).unwrap());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        directives(&headers, &CACHE_CONTROL)
            .map(|directive| {
                let argument = match directive.argument {
                    Argument::Absent => String::new(),
                    Argument::Token(token) => text(token),
                    Argument::Quoted(inner) => format!("'{}'", text(inner)),
                    Argument::Malformed => "?".into(),
                };
                (text(directive.name), argument)
            })
            .collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected
            .iter()
            .map(|(name, argument)| ((*name).into(), (*argument).into()))
            .collect()
    }

    #[test]
    fn names_and_arguments_are_told_apart() {
        for (line, expected) in [
            ("", &[][..]),
            (" , ,,", &[]),
            ("a", &[("a", "")]),
            ("a=b , c=\"d\"", &[("a", "b"), ("c", "'d'")]),
            ("a=\"\"", &[("a", "''")]),
            ("a=\"b, c\\\", d\", e", &[("a", "'b, c\\\", d'"), ("e", "")]),
            ("\"a\", b", &[("b", "")]),
            ("=a, b", &[("b", "")]),
        ] {
            assert_eq!(read(line), pairs(expected), "{line}");
        }
    }

    #[test]
    fn what_is_malformed_keeps_its_name_alone() {
        for line in [
            "a=",
            "a =b",
            "a= b",
            "a = b",
            "a=b c",
            "a b",
            "a; b",
            "a=b; c=d",
            "a=\"b\"c",
            "a=b\"c\"",
            "a==b",
            "a=\"b\" c",
            "a=\"",
        ] {
            assert_eq!(read(line), pairs(&[("a", "?")]), "{line}");
        }
    }

    #[test]
    fn a_quote_without_an_end_hides_nothing_and_spoils_what_follows() {
        assert_eq!(
            read("a=1, b=\"c, no-store, d=2"),
            pairs(&[("a", "1"), ("b", "?"), ("no-store", "?"), ("d", "?")])
        );
        assert_eq!(read("b=\"c\\\", d"), pairs(&[("b", "?"), ("d", "?")]));
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60), text in "[ab=\", \\\\;0-9]{0,20}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                if let Ok(value) = HeaderValue::from_bytes(bytes) {
                    let mut headers = HeaderMap::new();
                    headers.insert(CACHE_CONTROL, value);
                    let all: Vec<_> = directives(&headers, &CACHE_CONTROL).collect();
                    prop_assert!(all.iter().all(|directive| !directive.name.is_empty()));
                }
            }
        }
    }
}
