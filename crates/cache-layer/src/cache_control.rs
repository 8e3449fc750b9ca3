//! `Cache-Control` as a response says it (RFC 9111 §5.2).

use std::time::Duration;

use http::{HeaderMap, HeaderName, header};

use crate::directive::{Argument, Directive, directives};

/// What the `Cache-Control` lines of a response say, as far as a cache obeys it.
///
/// What is malformed never makes a response live longer: a lifetime that cannot be read is zero, a directive that forbids
/// holds whatever follows its name, and one that permits holds only if nothing does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Directives {
    /// There is at least one line.
    pub(crate) present: bool,
    pub(crate) no_store: bool,
    /// `private`, with or without field names.
    pub(crate) private: bool,
    /// The fields that all `private` directives name; none if one of them means the whole response.
    pub(crate) private_fields: Vec<HeaderName>,
    /// `no-cache`, with or without field names.
    pub(crate) no_cache: bool,
    /// The fields that all `no-cache` directives name; none if one of them means the whole response.
    pub(crate) no_cache_fields: Vec<HeaderName>,
    pub(crate) public: bool,
    /// A cache that knows what the status asks of it may store the response in spite of `no-store`, and one that does
    /// not must not store it (§5.2.2.3).
    pub(crate) must_understand: bool,
    pub(crate) max_age: Option<Duration>,
    pub(crate) s_maxage: Option<Duration>,
    /// Any of `must-revalidate`, `proxy-revalidate` and `s-maxage`, which forbid a shared cache to serve stale.
    pub(crate) must_revalidate: bool,
    /// Any of `public`, `s-maxage` and `must-revalidate`, which let a shared cache keep what a request with
    /// `Authorization` was answered with (§3.5).
    pub(crate) consent: bool,
    pub(crate) stale_while_revalidate: Option<Duration>,
    pub(crate) stale_if_error: Option<Duration>,
}

impl Directives {
    /// Reads all `Cache-Control` lines of `headers`.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self::of_field(headers, &header::CACHE_CONTROL)
    }

    /// Reads all lines of a field that is written as `Cache-Control` is.
    pub(crate) fn of_field(headers: &HeaderMap, name: &HeaderName) -> Self {
        let mut all = Self {
            present: headers.contains_key(name),
            ..Self::default()
        };
        for directive in directives(headers, name) {
            all.add(&directive);
        }
        all
    }

    /// Whether `private` means the whole response: where it names fields, only if those are not `left_out` of it.
    pub(crate) const fn is_private(&self, left_out: bool) -> bool {
        self.private && (!left_out || self.private_fields.is_empty())
    }

    /// Whether `no-cache` means the whole response, likewise.
    pub(crate) const fn forbids_reuse(&self, left_out: bool) -> bool {
        self.no_cache && (!left_out || self.no_cache_fields.is_empty())
    }

    fn add(&mut self, directive: &Directive<'_>) {
        let argument = directive.argument;
        let bare = argument == Argument::Absent;
        if directive.is("no-store") {
            self.no_store = true;
        } else if directive.is("private") {
            qualify(&mut self.private, &mut self.private_fields, argument);
        } else if directive.is("no-cache") {
            qualify(&mut self.no_cache, &mut self.no_cache_fields, argument);
        } else if directive.is("public") {
            self.public |= bare;
            self.consent |= bare;
        } else if directive.is("must-understand") {
            self.must_understand |= bare;
        } else if directive.is("must-revalidate") {
            self.must_revalidate = true;
            self.consent |= bare;
        } else if directive.is("proxy-revalidate") {
            self.must_revalidate = true;
        } else if directive.is("max-age") {
            shorten(&mut self.max_age, argument);
        } else if directive.is("s-maxage") {
            self.must_revalidate = true;
            self.consent |= argument.delta_seconds().is_some();
            shorten(&mut self.s_maxage, argument);
        } else if directive.is("stale-while-revalidate") {
            shorten(&mut self.stale_while_revalidate, argument);
        } else if directive.is("stale-if-error") {
            shorten(&mut self.stale_if_error, argument);
        }
    }
}

/// Adds the fields that a directive names to those of the same directive before it, in order; once the whole response is
/// meant, it stays so.
fn qualify(said: &mut bool, fields: &mut Vec<HeaderName>, argument: Argument<'_>) {
    let whole = *said && fields.is_empty();
    *said = true;
    match named(argument) {
        Some(names) if !whole => {
            for name in names {
                if let Err(at) = fields.binary_search_by(|other| other.as_str().cmp(name.as_str())) {
                    fields.insert(at, name);
                }
            }
            if fields.len() > MOST_FIELDS {
                fields.clear();
            }
        }
        _ => fields.clear(),
    }
}

/// The field names of the qualified form (§5.2.2.4, §5.2.2.7), which is a quoted string; `None` if there are none, or
/// one is no name, so that it cannot be known which field is meant.
fn named(argument: Argument<'_>) -> Option<Vec<HeaderName>> {
    let Argument::Quoted(list) = argument else {
        return None;
    };
    let names = list
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty())
        // One more than is read: a list that is too long is not read in part.
        .take(MOST_FIELDS + 1)
        .map(|name| HeaderName::from_bytes(name).ok())
        .collect::<Option<Vec<_>>>()?;
    (1..=MOST_FIELDS).contains(&names.len()).then_some(names)
}

/// How many fields a directive may name, however often it is said.
const MOST_FIELDS: usize = 64;

/// Takes the shorter of two lifetimes; one that cannot be read is none at all: zero (RFC 9111 §4.2.1).
fn shorten(lifetime: &mut Option<Duration>, argument: Argument<'_>) {
    let new = argument.delta_seconds().unwrap_or_default();
    *lifetime = Some(lifetime.map_or(new, |old| old.min(new)));
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

    #[test]
    fn spaces_around_the_equals_sign_are_no_lifetime() {
        for bad in [
            "max-age =100",
            "max-age= 100",
            "max-age = 100",
            "max-age 100",
            "max-age=100 1",
            "max-age=100; x",
            "max-age=3600.0",
            "max-age=a3600",
            "max-age=3600a",
            "max-age=\"100",
            "max-age=\" 100\"",
            "ext=\"open, max-age=100",
        ] {
            assert_eq!(of(&[bad]).max_age, secs(0), "{bad}");
        }
        assert_eq!(of(&["max-age=\"3600\""]).max_age, secs(3600));
        assert_eq!(of(&["max-age=10", "max-age =5"]).max_age, secs(0));
        assert_eq!(of(&["s-maxage =5, max-age=10"]).s_maxage, secs(0));
    }

    #[test]
    fn the_shorter_of_two_counts_in_any_order() {
        for lines in [
            &["max-age=1800, max-age=1"][..],
            &["max-age=1, max-age=1800"],
            &["max-age=1800", "max-age=1"],
            &["max-age=1", "max-age=1800"],
            &["extension=\"max-age=3600\", max-age=1"],
            &["max-age=1, extension=\"max-age=0\""],
        ] {
            assert_eq!(of(lines).max_age, secs(1), "{lines:?}");
        }
    }

    fn names(fields: &[HeaderName]) -> Vec<&str> {
        fields.iter().map(HeaderName::as_str).collect()
    }

    #[test]
    fn the_qualified_forms_name_fields() {
        let all = of(&["no-cache=\"A, b ,,\", private=\"Set-Cookie\""]);
        assert!(all.private && all.no_cache);
        assert!(!all.is_private(true) && !all.forbids_reuse(true));
        assert_eq!(names(&all.no_cache_fields), ["a", "b"]);
        assert_eq!(names(&all.private_fields), ["set-cookie"]);
        let several = of(&["no-cache=\"c, b\"", "no-cache=\"b, a\""]);
        assert_eq!(names(&several.no_cache_fields), ["a", "b", "c"]);
    }

    #[test]
    fn what_names_no_fields_means_the_whole_response() {
        for line in [
            "private",
            "private=set-cookie",
            "private=\"\"",
            "private=\" , \"",
            "private=\"a b\"",
            "private=\"a, b:\"",
            "private=\"a\\\"b\"",
            "private= \"a\"",
            "private =\"a\"",
            "private=\"a",
            "private=",
            "private; x",
            "private, private=\"a\"",
            "private=\"a\", private",
            "private=\"a\", private=\"b\", private=x, private=\"c\"",
        ] {
            assert!(of(&[line]).is_private(true), "{line}");
            let line = line.replace("private", "no-cache");
            assert!(of(&[&line]).forbids_reuse(true), "{line}");
        }
        let many: Vec<String> = (0..=MOST_FIELDS).map(|n| format!("f{n}")).collect();
        assert!(of(&[&format!("private=\"{}\"", many.join(","))]).is_private(true));
        let most = many[1..].join(",");
        assert_eq!(
            of(&[&format!("private=\"{most}\"")]).private_fields.len(),
            MOST_FIELDS
        );
        let more = [format!("private=\"{most}\""), "private=\"f0\"".to_owned()];
        for lines in [[&*more[0], &more[1]], [&more[1], &more[0]]] {
            assert!(of(&lines).is_private(true), "all lines together");
        }
        assert!(!of(&["max-age=1"]).is_private(true));
    }

    #[test]
    fn what_forbids_holds_however_it_is_written() {
        for line in [
            "no-store=1, no-cache=1, private=1, must-revalidate=1",
            "no-store; a, no-cache b, private=, must-revalidate = 3",
            "x=\"open, no-store, no-cache, private, proxy-revalidate",
        ] {
            let all = of(&[line]);
            assert!(
                all.no_store && all.no_cache && all.private && all.must_revalidate,
                "{line}"
            );
            assert!(!all.consent, "{line}");
        }
    }

    #[test]
    fn what_permits_holds_only_as_the_grammar_has_it() {
        assert!(of(&["PUBLIC"]).public && of(&["Must-Understand"]).must_understand);
        for line in [
            "public=1",
            "public;",
            "x=\"open, public",
            "\"public\"",
            "publicly",
        ] {
            assert!(!of(&[line]).public && !of(&[line]).consent, "{line}");
            let line = line.replace("public", "must-understand");
            assert!(!of(&[&line]).must_understand, "{line}");
        }
    }

    /// RFC 9111 §3.5.
    #[test]
    fn three_directives_let_answers_to_authorized_requests_be_shared() {
        for line in ["public", "s-maxage=0", "s-maxage=\"60\"", "must-revalidate"] {
            assert!(of(&[line]).consent, "{line}");
        }
        for line in [
            "max-age=60",
            "proxy-revalidate",
            "s-maxage",
            "s-maxage=x",
            "must-revalidate=",
        ] {
            assert!(!of(&[line]).consent, "{line}");
        }
        assert!(of(&["s-maxage=x"]).must_revalidate && of(&["proxy-revalidate"]).must_revalidate);
    }

    #[test]
    fn another_field_is_read_alike() {
        let mut headers = HeaderMap::new();
        let name = HeaderName::from_static("surrogate-control");
        headers.insert(&name, HeaderValue::from_static("max-age=5"));
        assert_eq!(Directives::of_field(&headers, &name).max_age, secs(5));
        assert_eq!(Directives::of(&headers), Directives::default());
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
