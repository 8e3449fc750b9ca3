//! `No-Vary-Search` (draft-ietf-httpbis-no-vary-search): which queries a response answers as well.

use std::fmt::Write;

use http::{HeaderMap, HeaderName};
use larder_store::{IgnoredParameters, SearchVariance};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

use crate::structured::{Value, dictionary};

const NO_VARY_SEARCH: HeaderName = HeaderName::from_static("no-vary-search");

/// How many parameters a response may name, and how long their names may be. A field beyond is ignored, which costs
/// hits and nothing else.
const MOST_NAMES: usize = 64;
const LONGEST_NAME: usize = 256;

/// What a response's `No-Vary-Search` says; `None` if there is none, it is not valid, or it says what is so
/// without it.
pub(crate) fn variance(headers: &HeaderMap) -> Option<SearchVariance> {
    let mut variance = SearchVariance::default();
    let mut except = None;
    let mut wildcard = false;
    for (key, value) in dictionary(headers, &NO_VARY_SEARCH, &["except", "key-order", "params"])? {
        match (key, value) {
            ("key-order", Value::Boolean(unordered)) => variance.unordered = unordered,
            ("params", Value::Boolean(all)) => wildcard = all,
            ("params", Value::List(items)) => variance.ignored = IgnoredParameters::Only(names(items)?),
            ("except", Value::List(items)) => except = Some(names(items)?),
            _ => return None,
        }
    }
    variance.ignored = match (wildcard, except, variance.ignored) {
        (true, except, _) => IgnoredParameters::AllExcept(except.unwrap_or_default()),
        (false, Some(_), _) => return None,
        (false, None, IgnoredParameters::Only(names)) if names.is_empty() => IgnoredParameters::None,
        (false, None, ignored) => ignored,
    };
    (variance != SearchVariance::default()).then_some(variance)
}

/// The names of parameters in a list, decoded as those of a query are, sorted, each once: two lists that mean
/// the same are equal.
fn names(items: Vec<Value>) -> Option<Box<[Box<str>]>> {
    let mut names = Vec::new();
    for item in items {
        let Value::String(name) = item else {
            return None;
        };
        if names.len() == MOST_NAMES || name.len() > LONGEST_NAME {
            return None;
        }
        names.push(decoded(&name).into_boxed_str());
    }
    names.sort_unstable();
    names.dedup();
    Some(names.into_boxed_slice())
}

/// What is left of a query as far as a response depends on it: two queries are equivalent modulo the variance if and only if their
/// texts are equal.
///
/// Under the default variance every byte counts, and no query is not an empty one. Under any other the parameters count
/// as a form decoder reads them.
pub(crate) fn canonical(variance: &SearchVariance, query: Option<&str>) -> String {
    if *variance == SearchVariance::default() {
        return query.map(|query| format!("?{query}")).unwrap_or_default();
    }
    let mut parameters: Vec<(String, String)> = query
        .unwrap_or_default()
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (decoded(name), decoded(value))
        })
        .filter(|(name, _)| counts(&variance.ignored, name))
        .collect();
    if variance.unordered {
        // Stable: the order of equal names is kept.
        parameters.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    let mut text = String::new();
    for (name, value) in &parameters {
        // What parts names, values and parameters is never left in them, so no two lists have the same text. Writing to
        // a string does not fail.
        let _ = write!(text, "{}={}&", encoded(name), encoded(value));
    }
    text
}

fn counts(ignored: &IgnoredParameters, name: &str) -> bool {
    let named = |names: &[Box<str>]| names.iter().any(|other| **other == *name);
    match ignored {
        IgnoredParameters::None => true,
        IgnoredParameters::Only(names) => !named(names),
        IgnoredParameters::AllExcept(names) => named(names),
    }
}

/// Decodes a part of `application/x-www-form-urlencoded`; what is not UTF-8 is U+FFFD.
fn decoded(part: &str) -> String {
    let spaced = part.replace('+', " ");
    percent_decode(spaced.as_bytes()).decode_utf8_lossy().into_owned()
}

fn encoded(part: &str) -> impl std::fmt::Display + '_ {
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'*');
    utf8_percent_encode(part, ESCAPED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn read(value: &str) -> Option<SearchVariance> {
        let mut headers = HeaderMap::new();
        headers.insert(NO_VARY_SEARCH, HeaderValue::from_str(value).unwrap());
        variance(&headers)
    }

    fn boxed(names: &[&str]) -> Box<[Box<str>]> {
        names.iter().map(|name| Box::from(*name)).collect()
    }

    fn only(names: &[&str]) -> SearchVariance {
        SearchVariance {
            unordered: false,
            ignored: IgnoredParameters::Only(boxed(names)),
        }
    }

    fn all_except(names: &[&str]) -> SearchVariance {
        SearchVariance {
            unordered: false,
            ignored: IgnoredParameters::AllExcept(boxed(names)),
        }
    }

    fn unordered(variance: SearchVariance) -> SearchVariance {
        SearchVariance {
            unordered: true,
            ..variance
        }
    }

    #[test]
    fn the_valid_examples_of_the_draft() {
        for (value, expected) in [
            ("params", all_except(&[])),
            ("params=?1", all_except(&[])),
            ("params=(\"a\")", only(&["a"])),
            ("params, except=(\"x\")", all_except(&["x"])),
            ("params, except=()", all_except(&[])),
            ("key-order", unordered(SearchVariance::default())),
            ("key-order=?1", unordered(SearchVariance::default())),
            ("params, key-order, except=(\"x\")", unordered(all_except(&["x"]))),
            ("except=(\"x\"), key-order, params", unordered(all_except(&["x"]))),
            (
                "params=(\"utm_source\" \"utm_medium\")",
                only(&["utm_medium", "utm_source"]),
            ),
            ("params=(\"%C3%A9+%E6%B0%97\")", only(&["é 気"])),
            (
                "params=(\"b\" \"a\" \"b\" \"%61\");x=1, new-key=1",
                only(&["a", "b"]),
            ),
            ("key-order=?0, params=(\"a\")", only(&["a"])),
            ("params=(\"a\"), key-order=?1", unordered(only(&["a"]))),
            ("params=1, params=(\"a\")", only(&["a"])),
        ] {
            assert_eq!(read(value), Some(expected), "{value}");
        }
    }

    #[test]
    fn what_is_invalid_or_says_nothing_is_ignored() {
        for value in [
            "",
            "unknown-key",
            "key-order=\"not a boolean\"",
            "key-order=1",
            "key-order=()",
            "params=\"not a boolean or inner list\"",
            "params=a",
            "params=(not-a-string)",
            "params=(\"a\" b)",
            "params=(\"a\"), except=(\"x\")",
            "params=(), except=()",
            "params=?0, except=(\"x\")",
            "params, except=(not-a-string)",
            "params, except=\"not an inner list\"",
            "params, except=?1",
            "params, except",
            "except=(\"x\")",
            "except=()",
            "params=?0",
            "params=()",
            "key-order=?0",
            "params, key-order=1",
            "params,",
            "Params",
            "params; key-order &",
        ] {
            assert_eq!(read(value), None, "{value}");
        }
        assert_eq!(variance(&HeaderMap::new()), None);
    }

    #[test]
    fn names_are_bounded() {
        let list = |count: usize, len: usize| {
            let names: Vec<String> = (0..count).map(|n| format!("\"{n:0>len$}\"")).collect();
            format!("params=({})", names.join(" "))
        };
        assert!(read(&list(MOST_NAMES, LONGEST_NAME)).is_some());
        assert_eq!(read(&list(MOST_NAMES + 1, 3)), None);
        assert_eq!(read(&list(1, LONGEST_NAME + 1)), None);
        assert_eq!(
            read(&list(1, LONGEST_NAME + 1).replace("params", "params, except")),
            None
        );
    }

    fn same(value: &str, a: Option<&str>, b: Option<&str>) -> bool {
        let variance = read(value).unwrap_or_default();
        canonical(&variance, a) == canonical(&variance, b)
    }

    /// The draft's examples of equivalence.
    #[test]
    fn under_any_variance_queries_are_read_as_forms() {
        for value in ["key-order", "params=(\"z\")", "params, except=(\"a\")"] {
            for (a, b) in [
                (None, Some("")),
                (Some("a=x"), Some("%61=%78")),
                (Some("a=é"), Some("a=%C3%A9")),
                (Some("a=%f6"), Some("a=%ef%bf%bd")),
                (Some("a=x&&&&"), Some("a=x")),
                (Some("a="), Some("a")),
                (Some("a=%20"), Some("a=+")),
                (Some("a=%20"), Some("a= &")),
            ] {
                assert!(same(value, a, b), "{value}: {a:?} {b:?}");
                assert!(!same("params=?0", a, b), "by default: {a:?} {b:?}");
            }
        }
    }

    #[test]
    fn what_is_ignored_makes_no_difference_and_all_else_does() {
        let value = "params=(\"utm_source\" \"%C3%A9+%E6%B0%97\")";
        assert!(same(value, Some("a=1&utm_source=x&utm%5Fsource"), Some("a=1")));
        assert!(same(
            value,
            Some("é 気=1"),
            Some("%C3%A9%20気=3&%C3%A9+%E6%B0%97=4")
        ));
        assert!(same(value, Some("utm_source=x"), None));
        assert!(!same(value, Some("a=1&b=2"), Some("b=2&a=1")));
        assert!(!same(value, Some("a=1"), Some("a=1&a=1")));
        assert!(!same(value, Some("a=1"), Some("A=1")));
        assert!(!same(value, Some("a=1%26b=2"), Some("a=1&b=2")));
        assert!(!same(value, Some("a=1;b=2"), Some("a=1&b=2")));
        assert!(!same(value, Some("a%3D1"), Some("a=1")));
        assert!(!same(value, Some("=1"), Some("1")));
        assert!(
            !same(value, Some("="), None),
            "a parameter without name and value is one"
        );

        let value = "params, except=(\"productId\")";
        assert!(same(value, Some("productId=1&a=2"), Some("b&productId=1")));
        assert!(!same(value, Some("productId=1"), Some("productId=2")));
        assert!(!same(value, Some("productId=1"), None));
        assert!(same("params", Some("a=1"), None));
    }

    #[test]
    fn without_order_equal_names_keep_theirs() {
        assert!(same("key-order", Some("b=1&a=2&b=3"), Some("a=2&b=1&b=3")));
        assert!(!same("key-order", Some("a=1&a=2"), Some("a=2&a=1")));
        assert!(same(
            "key-order, params=(\"c\")",
            Some("b=1&c&a=2"),
            Some("a=2&b=1&c=3&c")
        ));
    }

    /// The comparison as the draft has it: of lists, not texts.
    fn equivalent(variance: &SearchVariance, a: Option<&str>, b: Option<&str>) -> bool {
        if *variance == SearchVariance::default() {
            return a == b;
        }
        let list = |query: Option<&str>| {
            let mut pairs: Vec<(String, String)> = Vec::new();
            for sequence in query.unwrap_or_default().split('&').filter(|s| !s.is_empty()) {
                let mut halves = sequence.splitn(2, '=');
                let mut half = || decoded(halves.next().unwrap_or_default());
                pairs.push((half(), half()));
            }
            match &variance.ignored {
                IgnoredParameters::None => {}
                IgnoredParameters::Only(names) => pairs.retain(|(k, _)| !names.contains(&k.as_str().into())),
                IgnoredParameters::AllExcept(names) => {
                    pairs.retain(|(k, _)| names.contains(&k.as_str().into()));
                }
            }
            if variance.unordered {
                pairs.sort_by_key(|(key, _)| key.encode_utf16().collect::<Vec<_>>());
            }
            pairs
        };
        list(a) == list(b)
    }

    fn queries() -> impl Strategy<Value = Option<String>> {
        let part = proptest::sample::select(vec![
            "a",
            "b",
            "%61",
            "=",
            "&",
            "=1",
            "%26",
            "%3d",
            "+",
            "%20",
            "",
            "é",
            "%ff",
            "%",
            "\u{ffff}",
            "\u{10000}",
        ]);
        proptest::option::of(proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat()))
    }

    fn variances() -> impl Strategy<Value = SearchVariance> {
        let names = proptest::sample::select(vec![boxed(&[]), boxed(&["a"]), boxed(&["", "b"])]);
        let ignored = (0..3u8, names).prop_map(|(kind, names)| match kind {
            0 => IgnoredParameters::None,
            1 => IgnoredParameters::Only(names),
            _ => IgnoredParameters::AllExcept(names),
        });
        (any::<bool>(), ignored).prop_map(|(unordered, ignored)| SearchVariance { unordered, ignored })
    }

    proptest! {
        #[test]
        fn texts_are_equal_where_queries_are_equivalent(
            variance in variances(), a in queries(), b in queries(),
        ) {
            let (a, b) = (a.as_deref(), b.as_deref());
            let texts = canonical(&variance, a) == canonical(&variance, b);
            prop_assert_eq!(texts, equivalent(&variance, a, b));
        }

        #[test]
        fn the_canonical_text_stands_for_itself(variance in variances(), a in queries()) {
            if variance != SearchVariance::default() {
                let text = canonical(&variance, a.as_deref());
                prop_assert_eq!(canonical(&variance, Some(&text)), text);
            }
        }

        #[test]
        fn no_input_panics(bytes: Vec<u8>, text in "(params|except|key-order)(=[(\"?a01) %]{0,9})?(, ?)?[a-z;=(\")]{0,9}", query: String) {
            for bytes in [&bytes[..], text.as_bytes()] {
                if let Ok(value) = HeaderValue::from_bytes(bytes) {
                    let mut headers = HeaderMap::new();
                    headers.insert(NO_VARY_SEARCH, value);
                    let _ = canonical(&variance(&headers).unwrap_or_default(), Some(&query));
                }
            }
        }
    }
}
