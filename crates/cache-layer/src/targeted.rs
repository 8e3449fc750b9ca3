//! Targeted cache control (RFC 9213): fields that speak to some caches in the place of `Cache-Control`.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

use crate::cache_control::Directives;
use crate::structured::{Value, dictionary};

/// What the first of the `targeted` fields says that is there, valid and not empty (RFC 9213 §2.2).
///
/// With it, `Cache-Control` and `Expires` are for other caches. `None` if there is no such field.
pub(crate) fn directives(headers: &HeaderMap, targeted: &[HeaderName]) -> Option<Directives> {
    targeted.iter().find_map(|name| of_field(headers, name))
}

/// The directives that are obeyed. Others are valid, and mean nothing.
const KNOWN: &[&str] = &[
    "max-age",
    "must-revalidate",
    "must-understand",
    "no-cache",
    "no-store",
    "private",
    "proxy-revalidate",
    "public",
    "s-maxage",
    "stale-if-error",
    "stale-while-revalidate",
];

/// Reads one field; `None` if it is not valid as a whole.
///
/// A lifetime that is not a whole number is not consumed (§2.1), and then nothing of its field is: what breaks a field's
/// own constraints is ignored as what breaks the syntax is (RFC 9651 §2). One below zero is over. A directive that forbids holds with any value
/// but false, field names included: they mean the whole response. One that permits holds only with the value true.
fn of_field(headers: &HeaderMap, name: &HeaderName) -> Option<Directives> {
    let mut all = Directives {
        present: true,
        ..Directives::default()
    };
    for (key, value) in dictionary(headers, name, KNOWN)? {
        let forbids = value != Value::Boolean(false);
        let permits = value == Value::Boolean(true);
        match key {
            "no-store" => all.no_store = forbids,
            "private" => all.private = forbids,
            "no-cache" => all.no_cache = forbids,
            "must-revalidate" => {
                all.must_revalidate |= forbids;
                all.consent |= permits;
            }
            "proxy-revalidate" => all.must_revalidate |= forbids,
            "public" => {
                all.public = permits;
                all.consent |= permits;
            }
            "must-understand" => all.must_understand = permits,
            "max-age" => all.max_age = Some(seconds(&value)?),
            "s-maxage" => {
                all.s_maxage = Some(seconds(&value)?);
                all.must_revalidate = true;
                all.consent = true;
            }
            "stale-while-revalidate" => all.stale_while_revalidate = Some(seconds(&value)?),
            "stale-if-error" => all.stale_if_error = Some(seconds(&value)?),
            _ => {}
        }
    }
    Some(all)
}

/// Whole seconds; more than 2^31 count as 2^31 (RFC 9111 §1.2.2).
fn seconds(value: &Value) -> Option<Duration> {
    let Value::Integer(number) = value else {
        return None;
    };
    Some(Duration::from_secs(
        u64::try_from(*number).unwrap_or(0).min(1 << 31),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    const CDN: HeaderName = HeaderName::from_static("cdn-cache-control");
    const EXAMPLE: HeaderName = HeaderName::from_static("example-cache-control");

    fn read(lines: &[(HeaderName, &str)]) -> Option<Directives> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        directives(&headers, &[EXAMPLE, CDN])
    }

    fn cdn(value: &str) -> Option<Directives> {
        read(&[(CDN, value)])
    }

    fn max_age(value: &str) -> Option<u64> {
        cdn(value)?.max_age.map(|age| age.as_secs())
    }

    #[test]
    fn the_first_field_that_is_valid_and_not_empty_counts() {
        let short = (CDN, "max-age=5");
        let age = |first: &str| read(&[(EXAMPLE, first), short.clone()]).unwrap().max_age;
        assert_eq!(age("max-age=9"), Some(Duration::from_secs(9)));
        assert_eq!(age("none"), None, "an unknown directive is a value");
        for ignored in [
            "",
            " ",
            "max-age=9,",
            "max-age=\"9\"",
            "MAX-AGE=9",
            "max-age=9, &",
        ] {
            assert_eq!(age(ignored), Some(Duration::from_secs(5)), "{ignored}");
        }
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[(http::header::CACHE_CONTROL, "max-age=5")]), None);
    }

    #[test]
    fn lifetimes_are_whole_numbers() {
        for (value, expected) in [
            ("max-age=3600", 3600),
            ("max-age=0", 0),
            ("max-age=0060", 60),
            ("max-age=60;x=1", 60),
            ("foobar, max-age=60", 60),
            ("max-age=1, max-age=60", 60),
            ("max-age=2147483648", 1 << 31),
            ("max-age=99999999999", 1 << 31),
        ] {
            assert_eq!(max_age(value), Some(expected), "{value}");
        }
    }

    #[test]
    fn a_field_with_what_is_no_lifetime_is_not_there() {
        for value in [
            "max-age=\"10000\"",
            "max-age",
            "max-age=?1",
            "max-age=1.5",
            "max-age=abc",
            "max-age=(1)",
            "max-age= 100",
            "max-age =100",
            "max-age=10000, &&&&&",
            "MaX-aGe=3600",
            "s-maxage=1.0, max-age=5",
            "max-age=5, stale-while-revalidate=x",
            "max-age=5, stale-if-error",
        ] {
            assert_eq!(cdn(value), None, "{value}");
        }
    }

    #[test]
    fn each_directive_is_obeyed_as_in_cache_control() {
        let mut headers = HeaderMap::new();
        for value in [
            "no-store",
            "no-cache",
            "private",
            "public",
            "must-revalidate",
            "proxy-revalidate",
            "must-understand",
            "s-maxage=5",
            "max-age=5, stale-while-revalidate=6, stale-if-error=7",
            "none",
        ] {
            headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_str(value).unwrap());
            assert_eq!(cdn(value), Some(Directives::of(&headers)), "{value}");
        }
    }

    #[test]
    fn what_forbids_needs_no_right_value_and_what_permits_does() {
        let nothing = Directives {
            present: true,
            ..Directives::default()
        };
        for name in [
            "no-store",
            "no-cache",
            "private",
            "must-revalidate",
            "public",
            "must-understand",
        ] {
            assert_eq!(cdn(&format!("{name}=?0")), Some(nothing.clone()), "{name}");
        }
        for value in ["\"a, b\"", "(\"a\")", "a", "1"] {
            let all = cdn(&format!("no-cache={value}, private={value}, no-store={value}")).unwrap();
            assert!(
                all.forbids_reuse(true) && all.is_private(true) && all.no_store,
                "{value}"
            );
            let all = cdn(&format!(
                "public={value}, must-understand={value}, must-revalidate={value}"
            ))
            .unwrap();
            assert!(!all.public && !all.must_understand && !all.consent, "{value}");
            assert!(all.must_revalidate, "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>, text in "(max-age|no-store|private|a)(=[0-9\"?(.-]{0,4})?(, ?)?[a-z;=]{0,5}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                if let Ok(value) = HeaderValue::from_bytes(bytes) {
                    let mut headers = HeaderMap::new();
                    headers.insert(CDN, value);
                    let _ = directives(&headers, &[EXAMPLE, CDN]);
                }
            }
        }
    }
}
