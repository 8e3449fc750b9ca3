//! The values of request headers that a response varies by, in a form in which those that mean the same are equal.

use http::{HeaderName, HeaderValue, header};

use crate::directive::is_token;

/// The value of a request header as a part of a variant's key (RFC 9111 §4.1); `None` if the header is not there, which
/// is not the same as an empty one.
///
/// - Lines are one list, and white space around its commas means nothing, outside quoted strings.
/// - In `Accept-Encoding` and `Accept-Language` the case of letters, the order of members, members that are said twice
///   and the way in which a weight is written mean nothing (RFC 9110 §12.4.2, §12.5.3, §12.5.4). What is not of their
///   grammar is a list like any other.
/// - Headers that are no lists are kept as they are, without the white space around them.
pub(crate) fn normalised(
    name: &HeaderName,
    values: &mut dyn Iterator<Item = &HeaderValue>,
) -> Option<Vec<u8>> {
    let lines: Vec<&[u8]> = values.map(|value| value.as_bytes().trim_ascii()).collect();
    if lines.is_empty() {
        return None;
    }
    if WHOLE.contains(name) || !lines.iter().all(|line| quotes_end(line)) {
        return Some(whole(&lines));
    }
    let weighed = if *name == header::ACCEPT_ENCODING {
        weighed(&lines, coding)
    } else if *name == header::ACCEPT_LANGUAGE {
        weighed(&lines, |language| language)
    } else {
        None
    };
    Some(weighed.unwrap_or_else(|| list(&lines)))
}

/// Headers in which a comma parts nothing.
const WHOLE: [HeaderName; 10] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::DATE,
    header::HOST,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::ORIGIN,
    header::PROXY_AUTHORIZATION,
    header::REFERER,
    header::USER_AGENT,
];

/// The lines as they are, parted by a byte that none can have in it: what cannot be read equals nothing but itself.
fn whole(lines: &[&[u8]]) -> Vec<u8> {
    lines.join(&b'\n')
}

/// The members of all lines without the white space around them. Empty ones stay: not every header that has commas is
/// a list.
fn list(lines: &[&[u8]]) -> Vec<u8> {
    let members: Vec<&[u8]> = lines.iter().flat_map(|line| Members(Some(line))).collect();
    members.join(&b',')
}

/// The members of a list of tokens with weights: in order, each once; `None` if it is not one, or gives a token two
/// different weights.
fn weighed(lines: &[&[u8]], meaning: fn(&[u8]) -> &[u8]) -> Option<Vec<u8>> {
    let mut members = Vec::new();
    for member in lines.iter().flat_map(|line| Members(Some(line))) {
        if !member.is_empty() {
            let (token, weight) = token_and_weight(member)?;
            members.push((meaning(&token).to_owned(), weight));
        }
    }
    members.sort_unstable();
    members.dedup();
    if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return None;
    }
    let mut text = Vec::new();
    for (token, weight) in &members {
        if !text.is_empty() {
            text.push(b',');
        }
        text.extend_from_slice(token);
        if *weight != 1000 {
            text.extend_from_slice(b";q=");
            text.extend_from_slice(thousandths(*weight).as_bytes());
        }
    }
    Some(text)
}

/// The name that a content coding has now (RFC 9110 §8.4.1).
fn coding(token: &[u8]) -> &[u8] {
    match token {
        b"x-gzip" => b"gzip",
        b"x-compress" => b"compress",
        _ => token,
    }
}

/// A token in lower case and its weight in thousandths (RFC 9110 §12.4.2).
fn token_and_weight(member: &[u8]) -> Option<(Vec<u8>, u16)> {
    let mut parts = member.splitn(2, |byte| *byte == b';');
    let token = parts.next()?.trim_ascii_end();
    if token.is_empty() || !token.iter().all(|byte| is_token(*byte)) {
        return None;
    }
    let weight = match parts.next() {
        None => 1000,
        Some(weight) => match weight.trim_ascii_start() {
            [b'q' | b'Q', b'=', value @ ..] => weight_of(value)?,
            _ => return None,
        },
    };
    Some((token.to_ascii_lowercase(), weight))
}

/// `qvalue`: 0 to 1 with at most three decimals.
fn weight_of(value: &[u8]) -> Option<u16> {
    let (whole, decimals) = match value {
        [whole] => (whole, &[][..]),
        [whole, b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let mut weight = 0;
    for place in 0..3 {
        let digit = decimals.get(place).unwrap_or(&b'0');
        if !digit.is_ascii_digit() {
            return None;
        }
        weight = weight * 10 + u16::from(digit - b'0');
    }
    match whole {
        b'0' => Some(weight),
        b'1' if weight == 0 => Some(1000),
        _ => None,
    }
}

fn thousandths(weight: u16) -> String {
    let text = format!("0.{weight:03}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The members of one line, empty ones too. Quoted strings end within the line.
struct Members<'h>(Option<&'h [u8]>);

impl<'h> Iterator for Members<'h> {
    type Item = &'h [u8];

    fn next(&mut self) -> Option<&'h [u8]> {
        let line = self.0?;
        let comma = unquoted(line).find(|(_, byte)| *byte == b',').map(|(at, _)| at);
        self.0 = comma.map(|at| &line[at + 1..]);
        Some(line[..comma.unwrap_or(line.len())].trim_ascii())
    }
}

/// The bytes of a line that are not within quotes, with their places; a quote that begins or ends a string is one.
fn unquoted(line: &[u8]) -> impl Iterator<Item = (usize, u8)> + '_ {
    let mut quoted = false;
    let mut escaped = false;
    line.iter().copied().enumerate().filter(move |(_, byte)| {
        let within = quoted;
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => {
                quoted = !quoted;
                return true;
            }
            _ => {}
        }
        !within
    })
}

/// Whether every quoted string of a line ends in it.
fn quotes_end(line: &[u8]) -> bool {
    unquoted(line).filter(|(_, byte)| *byte == b'"').count() % 2 == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FOO: HeaderName = HeaderName::from_static("foo");

    fn of_bytes(name: &HeaderName, lines: &[Vec<u8>]) -> Option<Vec<u8>> {
        let values: Vec<_> = lines
            .iter()
            .filter_map(|line| HeaderValue::from_bytes(line).ok())
            .collect();
        normalised(name, &mut values.iter())
    }

    fn of(name: &HeaderName, lines: &[&str]) -> Option<String> {
        let lines: Vec<Vec<u8>> = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
        of_bytes(name, &lines).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn absent_is_not_empty() {
        for name in [FOO, header::ACCEPT_ENCODING, header::COOKIE] {
            assert_eq!(of(&name, &[]), None);
            assert_eq!(of(&name, &[""]).as_deref(), Some(""));
            assert_eq!(of(&name, &["  "]).as_deref(), Some(""));
        }
    }

    #[test]
    fn lists_are_one_line_without_white_space_around_commas() {
        for lines in [&["1,2"][..], &["1, 2"], &[" 1 ,\t2 "], &["1", "2"], &[" 1", "2 "]] {
            assert_eq!(of(&FOO, lines).as_deref(), Some("1,2"), "{lines:?}");
        }
        for (line, expected) in [
            ("A b,  C", "A b,C"),
            ("1,,2", "1,,2"),
            (", 1 ,", ",1,"),
            ("\"a, b\" , c", "\"a, b\",c"),
            ("x=\"a \\\", b\" , c", "x=\"a \\\", b\",c"),
            ("a  b", "a  b"),
            ("2, 1, 1", "2,1,1"),
        ] {
            assert_eq!(of(&FOO, &[line]).as_deref(), Some(expected), "{line}");
        }
        assert_ne!(of(&FOO, &["a"]), of(&FOO, &["A"]));
        assert_ne!(of(&FOO, &["1, 2"]), of(&FOO, &["2, 1"]));
    }

    #[test]
    fn an_open_quote_equals_nothing_but_itself() {
        assert_eq!(of(&FOO, &["\"a , b"]).as_deref(), Some("\"a , b"));
        assert_eq!(of(&FOO, &["\"a\\\" , b"]).as_deref(), Some("\"a\\\" , b"));
        assert_ne!(of(&FOO, &["\"a", "b\""]), of(&FOO, &["\"a,b\""]));
        assert_ne!(of(&FOO, &["\"a", "b\""]), of(&FOO, &["\"a, b\""]));
        assert_eq!(
            of(&FOO, &["a\\, b"]).as_deref(),
            Some("a\\,b"),
            "a backslash means nothing outside quotes"
        );
    }

    #[test]
    fn what_is_no_list_is_kept() {
        assert_eq!(
            of(&header::USER_AGENT, &[" A (b, c)  d "]).as_deref(),
            Some("A (b, c)  d")
        );
        assert_ne!(of(&header::COOKIE, &["a=1, b"]), of(&header::COOKIE, &["a=1,b"]));
        assert_ne!(
            of(&header::COOKIE, &["a=1", "b"]),
            of(&header::COOKIE, &["a=1,b"])
        );
    }

    #[test]
    fn weights_and_order_are_written_in_one_way() {
        for name in [header::ACCEPT_LANGUAGE, header::ACCEPT_ENCODING] {
            for (line, expected) in [
                ("en, de", "de,en"),
                ("DE , en", "de,en"),
                ("en, de, EN", "de,en"),
                ("en;q=1, de;q=1.0, fr;q=1.000, it;q=1.", "de,en,fr,it"),
                ("gzip;q=0.5, br ; Q=0.50", "br;q=0.5,gzip;q=0.5"),
                ("a;q=0.500, A;q=0.5", "a;q=0.5"),
                ("identity;q=0, *;q=0.0, x;q=0.", "*;q=0,identity;q=0,x;q=0"),
                ("a;q=0.001, b;q=0.010, c;q=0.1", "a;q=0.001,b;q=0.01,c;q=0.1"),
                ("en-GB, en;\tq=0.8,,", "en-gb,en;q=0.8"),
                (", ,", ""),
            ] {
                let mut expected: Vec<_> = expected.split(',').collect();
                expected.sort_unstable();
                let mut found = of(&name, &[line]).unwrap();
                let ordered = found.clone();
                let mut members: Vec<_> = found.split(',').collect();
                members.sort_unstable();
                assert_eq!(members, expected, "{line}");
                found = of(&name, &line.split(',').collect::<Vec<_>>()).unwrap();
                assert_eq!(found, ordered, "over lines: {line}");
                let reversed: Vec<_> = line.rsplit(',').collect();
                assert_eq!(of(&name, &reversed).unwrap(), ordered, "in reverse: {line}");
            }
        }
        assert_ne!(
            of(&header::ACCEPT_ENCODING, &["gzip"]),
            of(&header::ACCEPT_ENCODING, &["gzip;q=0"])
        );
    }

    #[test]
    fn what_is_not_of_the_grammar_is_a_plain_list() {
        for (line, expected) in [
            ("B, a;q=2", "B,a;q=2"),
            ("B, a;q=0.1234", "B,a;q=0.1234"),
            ("B, a;q=1.001", "B,a;q=1.001"),
            ("B, a;q=.5", "B,a;q=.5"),
            ("B, a;q=", "B,a;q="),
            ("B, a;q=0.5;x", "B,a;q=0.5;x"),
            ("B, a;x=1", "B,a;x=1"),
            ("B, a b", "B,a b"),
            ("B, ;q=1", "B,;q=1"),
            ("B, a;q= 0.5", "B,a;q= 0.5"),
            ("B, \"a , b\"", "B,\"a , b\""),
            ("a;q=1, a;q=0.5", "a;q=1,a;q=0.5"),
            ("a;q=0.5, a;q=1", "a;q=0.5,a;q=1"),
        ] {
            assert_eq!(
                of(&header::ACCEPT_ENCODING, &[line]).as_deref(),
                Some(expected),
                "{line}"
            );
        }
    }

    fn lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let piece = proptest::sample::select(vec![
            &b","[..],
            b", ",
            b" ",
            b"\"",
            b"\\",
            b"en",
            b"EN",
            b"de",
            b"gzip",
            b";q=",
            b"; Q=",
            b"0.5",
            b"1",
            b"0",
            b".",
            b"000",
            b"\xe9",
            b"*",
            b"\t",
        ]);
        let line = proptest::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat());
        proptest::collection::vec(line, 0..4)
    }

    fn names() -> impl Strategy<Value = HeaderName> {
        proptest::sample::select(vec![
            FOO,
            header::ACCEPT_ENCODING,
            header::ACCEPT_LANGUAGE,
            header::COOKIE,
        ])
    }

    proptest! {
        #[test]
        fn the_form_is_its_own_form(name in names(), lines in lines()) {
            let once = of_bytes(&name, &lines);
            prop_assert_eq!(once.is_none(), lines.is_empty());
            let Some(once) = once else { return Ok(()) };
            let length: usize = lines.iter().map(|line| line.len() + 1).sum();
            prop_assert!(once.len() <= length);
            // Lines that are kept apart are no header's value any more.
            if !once.contains(&b'\n') {
                prop_assert_eq!(of_bytes(&name, std::slice::from_ref(&once)), Some(once.clone()));
            }
        }

        #[test]
        fn spaces_around_the_commas_of_plain_lists_mean_nothing(members in proptest::collection::vec("[a-zA-Z0-9=;]{0,4}", 1..6)) {
            let joined: Vec<Vec<u8>> = [",", ", ", "\t, "].map(|by| members.join(by).into_bytes()).into();
            let apart: Vec<Vec<u8>> = members.iter().map(|member| member.clone().into_bytes()).collect();
            for name in [FOO, header::ACCEPT_ENCODING] {
                let expected = of_bytes(&name, &joined[..1]);
                for line in &joined {
                    prop_assert_eq!(&of_bytes(&name, std::slice::from_ref(line)), &expected);
                }
                prop_assert_eq!(&of_bytes(&name, &apart), &expected);
            }
        }

        #[test]
        fn no_input_panics(name in names(), lines in proptest::collection::vec(any::<Vec<u8>>(), 0..3)) {
            let _ = of_bytes(&name, &lines);
        }
    }
}
