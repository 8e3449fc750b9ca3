//! `Cache-Control` as a response says it (RFC 9111 §5.2).

use std::time::Duration;

use http::{HeaderMap, header};

/// What the `Cache-Control` lines of a response say, as far as a cache obeys it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Directives {
    /// There is at least one line.
    pub(crate) present: bool,
    pub(crate) no_store: bool,
    /// `private`, with or without field names: a qualified one is obeyed as if it named all of the response.
    pub(crate) private: bool,
    /// `no-cache`, with or without field names, likewise.
    pub(crate) no_cache: bool,
    pub(crate) max_age: Option<Duration>,
    pub(crate) s_maxage: Option<Duration>,
    /// Any of `must-revalidate`, `proxy-revalidate` and `s-maxage`, which forbid a shared cache to serve stale.
    pub(crate) must_revalidate: bool,
    pub(crate) stale_while_revalidate: Option<Duration>,
    pub(crate) stale_if_error: Option<Duration>,
}

impl Directives {
    /// Reads all `Cache-Control` lines of `headers`.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut all = Self::default();
        for line in headers.get_all(header::CACHE_CONTROL) {
            all.present = true;
            for (name, argument) in Members(line.as_bytes()) {
                all.add(name, argument);
            }
        }
        all
    }

    fn add(&mut self, name: &[u8], argument: Option<Argument<'_>>) {
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        if is("no-store") {
            self.no_store = true;
        } else if is("private") {
            self.private = true;
        } else if is("no-cache") {
            self.no_cache = true;
        } else if is("must-revalidate") || is("proxy-revalidate") {
            self.must_revalidate = true;
        } else if is("max-age") {
            shorten(&mut self.max_age, argument);
        } else if is("s-maxage") {
            self.must_revalidate = true;
            shorten(&mut self.s_maxage, argument);
        } else if is("stale-while-revalidate") {
            shorten(&mut self.stale_while_revalidate, argument);
        } else if is("stale-if-error") {
            shorten(&mut self.stale_if_error, argument);
        }
    }
}

/// Takes the shorter of two lifetimes; one that cannot be read is none at all: zero (RFC 9111 §4.2.1).
fn shorten(lifetime: &mut Option<Duration>, argument: Option<Argument<'_>>) {
    let new = argument.and_then(Argument::delta_seconds).unwrap_or_default();
    *lifetime = Some(lifetime.map_or(new, |old| old.min(new)));
}

/// The argument of a directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Argument<'a> {
    /// Without the quotes.
    text: &'a [u8],
}

impl Argument<'_> {
    /// Whole seconds (RFC 9111 §1.2.2): digits only; more than 2^31 counts as 2^31.
    fn delta_seconds(self) -> Option<Duration> {
        if self.text.is_empty() || !self.text.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let seconds = self.text.iter().fold(0u64, |sum, digit| {
            (sum * 10 + u64::from(digit - b'0')).min(1 << 31)
        });
        Some(Duration::from_secs(seconds))
    }
}

/// The members of a list of directives: tokens in quoted strings are none.
struct Members<'a>(&'a [u8]);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], Option<Argument<'a>>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.0.is_empty() {
                return None;
            }
            let end = member_end(self.0);
            let member = self.0[..end].trim_ascii();
            self.0 = self.0.get(end + 1..).unwrap_or_default();
            if member.is_empty() {
                continue;
            }
            return Some(match member.iter().position(|byte| *byte == b'=') {
                None => (member, None),
                Some(at) => (member[..at].trim_ascii_end(), Some(argument(&member[at + 1..]))),
            });
        }
    }
}

/// Where the first member of `list` ends: at a comma outside quotes, or at the end.
fn member_end(list: &[u8]) -> usize {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in list.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return at,
            _ => {}
        }
    }
    list.len()
}

fn argument(text: &[u8]) -> Argument<'_> {
    let inner = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
    Argument {
        text: inner.unwrap_or(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn of(lines: &[&str]) -> Directives {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::CACHE_CONTROL, HeaderValue::from_str(line).unwrap());
        }
        Directives::of(&headers)
    }

    const fn secs(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn directives_are_case_insensitive_and_spread_over_lines() {
        let all = of(&["No-StOrE, MAX-age=60", "S-MaxAge=\"30\" , private"]);
        assert!(all.present && all.no_store && all.private && all.must_revalidate);
        assert_eq!((all.max_age, all.s_maxage), (secs(60), secs(30)));
    }

    #[test]
    fn a_token_in_a_quoted_string_is_no_directive() {
        let all = of(&["ext=\"a, no-store, \\\"private\", max-age=007"]);
        assert!(!all.no_store && !all.private);
        assert_eq!(all.max_age, secs(7));
    }

    #[test]
    fn qualified_forms_count_for_the_whole_response() {
        let all = of(&["private=\"set-cookie\", no-cache=\"x, y\""]);
        assert!(all.private && all.no_cache);
    }

    #[test]
    fn a_lifetime_that_cannot_be_read_is_none_at_all() {
        for bad in [
            "max-age=-1",
            "max-age=1.5",
            "max-age='3600'",
            "max-age",
            "max-age=",
            "max-age=1h",
        ] {
            assert_eq!(of(&[bad]).max_age, secs(0), "{bad}");
        }
        assert_eq!(of(&["max-age=99999999999999999999"]).max_age, secs(1 << 31));
        assert_eq!(of(&["max-age=10, max-age=5"]).max_age, secs(5));
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(of(&[]), Directives::default());
        assert_eq!(
            of(&[" , ,, "]),
            Directives {
                present: true,
                ..Directives::default()
            }
        );
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.insert(header::CACHE_CONTROL, value);
                let _ = Directives::of(&headers);
            }
        }
    }
}
