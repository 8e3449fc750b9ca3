//! The precondition of a request: whether it goes on, has not been modified, or failed (RFC 9110 §13).

use http::header::{HeaderMap, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use http::{HeaderName, Method};

use crate::date::HttpDate;
use crate::list::TagList;
use crate::validators::Validators;

/// What the conditions of a request ask for (RFC 9110 §13.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Precondition {
    /// No condition, or all of them met: answer as if there were none.
    Proceed,
    /// Answer 304 (Not Modified): the client holds this representation (RFC 9110 §15.4.5).
    NotModified,
    /// Answer 412 (Precondition Failed): the method must not be performed (RFC 9110 §15.5.13).
    Failed,
}

/// Whether any of the fields that [`evaluate`] reads is there; `If-Range` belongs to
/// [`evaluate_range`](crate::evaluate_range) (RFC 9110 §13.1).
#[must_use]
pub fn has_conditions(headers: &HeaderMap) -> bool {
    // The fields that a cache sees most come first.
    headers.contains_key(IF_NONE_MATCH)
        || headers.contains_key(IF_MODIFIED_SINCE)
        || headers.contains_key(IF_MATCH)
        || headers.contains_key(IF_UNMODIFIED_SINCE)
}

/// Evaluates the conditions of a request in the order of RFC 9110 §13.2.2.
///
/// 1. `If-Match`, by strong comparison, else `If-Unmodified-Since`: not met is [`Precondition::Failed`].
/// 2. `If-None-Match`, by weak comparison, else `If-Modified-Since` for GET and HEAD: not met is
///    [`Precondition::NotModified`] for GET and HEAD, and [`Precondition::Failed`] for any other method.
///
/// The validators are those of a representation that exists, so `*` matches it even without an entity tag.
/// The question must be put only if the answer without conditions would be a 2xx or a 412 (§13.2.1). CONNECT,
/// OPTIONS and TRACE, which select no representation, have no conditions (§13.2.1). A date is ignored if it
/// does not parse, stands there twice, or the representation has no modification date (§13.1.3, §13.1.4).
pub fn evaluate(method: &Method, headers: &HeaderMap, validators: &Validators) -> Precondition {
    if matches!(*method, Method::CONNECT | Method::OPTIONS | Method::TRACE) {
        return Precondition::Proceed;
    }
    if is_no_longer_the_one(headers, validators) {
        return Precondition::Failed;
    }
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let held = match TagList::of(headers, &IF_NONE_MATCH) {
        Some(list) => list.is_star() || validators.etag.as_ref().is_some_and(|etag| list.any_weak(etag)),
        None => reads && is_unmodified_since(headers, &IF_MODIFIED_SINCE, validators).unwrap_or(false),
    };
    match (held, reads) {
        (false, _) => Precondition::Proceed,
        (true, true) => Precondition::NotModified,
        (true, false) => Precondition::Failed,
    }
}

/// Whether `If-Match`, or without it `If-Unmodified-Since`, is not met (RFC 9110 §13.1.1, §13.1.4).
fn is_no_longer_the_one(headers: &HeaderMap, validators: &Validators) -> bool {
    match TagList::of(headers, &IF_MATCH) {
        Some(list) => !list.is_star() && !validators.etag.as_ref().is_some_and(|etag| list.any_strong(etag)),
        None => is_unmodified_since(headers, &IF_UNMODIFIED_SINCE, validators) == Some(false),
    }
}

/// Whether the last modification is not after the date of the field; `None` if the field is to be ignored.
fn is_unmodified_since(headers: &HeaderMap, name: &HeaderName, validators: &Validators) -> Option<bool> {
    let last_modified = validators.last_modified?;
    Some(last_modified <= HttpDate::of_field(headers, name)?)
}

#[cfg(test)]
mod tests {
    use super::Precondition::{Failed, NotModified, Proceed};
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    const BEFORE: &str = "Sat, 29 Oct 1994 19:43:30 GMT";
    const MODIFIED: &str = "Sat, 29 Oct 1994 19:43:31 GMT";
    const AFTER: &str = "Sat, 29 Oct 1994 19:43:32 GMT";

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn validators(etag: &str) -> Validators {
        Validators {
            etag: etag.parse().ok(),
            last_modified: MODIFIED.parse().ok(),
        }
    }

    fn ask(method: &Method, lines: &[(HeaderName, &str)]) -> Precondition {
        evaluate(method, &headers(lines), &validators("\"a\""))
    }

    #[test]
    fn without_conditions_a_request_goes_on() {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
            assert_eq!(ask(&method, &[]), Proceed);
        }
        assert!(!has_conditions(&headers(&[(http::header::IF_RANGE, "\"a\"")])));
        for name in [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE] {
            assert!(has_conditions(&headers(&[(name, "")])));
        }
    }

    #[test]
    fn if_none_match_is_304_for_reading_and_412_for_the_rest() {
        for (value, matches) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", W/\"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
            ("", false),
        ] {
            let lines = [(IF_NONE_MATCH, value)];
            for method in [Method::GET, Method::HEAD] {
                assert_eq!(
                    ask(&method, &lines),
                    if matches { NotModified } else { Proceed },
                    "{value}"
                );
            }
            for method in [Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
                assert_eq!(
                    ask(&method, &lines),
                    if matches { Failed } else { Proceed },
                    "{value}"
                );
            }
        }
    }

    #[test]
    fn if_match_compares_strongly() {
        for (value, outcome) in [
            ("\"a\"", Proceed),
            ("\"b\", \"a\"", Proceed),
            ("*", Proceed),
            ("W/\"a\"", Failed),
            ("\"b\"", Failed),
            ("", Failed),
        ] {
            for method in [Method::GET, Method::PUT] {
                assert_eq!(ask(&method, &[(IF_MATCH, value)]), outcome, "{value}");
            }
        }
        let own = headers(&[(IF_MATCH, "W/\"a\"")]);
        assert_eq!(evaluate(&Method::PUT, &own, &validators("W/\"a\"")), Failed);
    }

    #[test]
    fn a_representation_without_a_tag_is_matched_by_the_star_only() {
        let none = Validators::default();
        let asked = |name, value| evaluate(&Method::GET, &headers(&[(name, value)]), &none);
        assert_eq!(asked(IF_NONE_MATCH, "*"), NotModified);
        assert_eq!(asked(IF_NONE_MATCH, "\"\""), Proceed);
        assert_eq!(asked(IF_MATCH, "*"), Proceed);
        assert_eq!(asked(IF_MATCH, "\"\""), Failed);
        assert_eq!(asked(IF_MODIFIED_SINCE, AFTER), Proceed);
        assert_eq!(asked(IF_UNMODIFIED_SINCE, BEFORE), Proceed);
    }

    #[test]
    fn if_modified_since_is_for_reading_only() {
        for (value, outcome) in [
            (BEFORE, Proceed),
            (MODIFIED, NotModified),
            (AFTER, NotModified),
            ("0", Proceed),
        ] {
            let lines = [(IF_MODIFIED_SINCE, value)];
            assert_eq!(ask(&Method::GET, &lines), outcome, "{value}");
            assert_eq!(ask(&Method::HEAD, &lines), outcome, "{value}");
            assert_eq!(ask(&Method::PUT, &lines), Proceed, "{value}");
        }
    }

    #[test]
    fn if_unmodified_since_is_for_every_method() {
        for (value, outcome) in [
            (BEFORE, Failed),
            (MODIFIED, Proceed),
            (AFTER, Proceed),
            ("0", Proceed),
        ] {
            for method in [Method::GET, Method::PUT] {
                assert_eq!(ask(&method, &[(IF_UNMODIFIED_SINCE, value)]), outcome, "{value}");
            }
        }
        assert_eq!(
            ask(
                &Method::PUT,
                &[(IF_UNMODIFIED_SINCE, "Wed, 31 Dec 1969 23:59:59 GMT")]
            ),
            Failed
        );
    }

    #[test]
    fn a_date_that_stands_there_twice_is_ignored() {
        assert_eq!(
            ask(
                &Method::GET,
                &[(IF_MODIFIED_SINCE, AFTER), (IF_MODIFIED_SINCE, AFTER)]
            ),
            Proceed
        );
        assert_eq!(
            ask(
                &Method::GET,
                &[(IF_UNMODIFIED_SINCE, BEFORE), (IF_UNMODIFIED_SINCE, BEFORE)]
            ),
            Proceed
        );
        let list = format!("{AFTER}, {AFTER}");
        assert_eq!(ask(&Method::GET, &[(IF_MODIFIED_SINCE, &list)]), Proceed);
    }

    /// RFC 9110 §13.2.2: a date counts only without the list of tags it stands in for.
    #[test]
    fn a_list_of_tags_takes_the_place_of_its_date() {
        for tag in ["\"b\"", "bad", ""] {
            let lines = [(IF_NONE_MATCH, tag), (IF_MODIFIED_SINCE, AFTER)];
            assert_eq!(ask(&Method::GET, &lines), Proceed, "{tag}");
        }
        assert_eq!(
            ask(
                &Method::GET,
                &[(IF_NONE_MATCH, "\"a\""), (IF_MODIFIED_SINCE, BEFORE)]
            ),
            NotModified
        );
        assert_eq!(
            ask(
                &Method::PUT,
                &[(IF_MATCH, "\"a\""), (IF_UNMODIFIED_SINCE, BEFORE)]
            ),
            Proceed
        );
        assert_eq!(
            ask(&Method::PUT, &[(IF_MATCH, "\"b\""), (IF_UNMODIFIED_SINCE, AFTER)]),
            Failed
        );
    }

    /// RFC 9110 §13.2.2: a failed `If-Match` is answered before `If-None-Match` is looked at.
    #[test]
    fn failing_comes_before_not_modified() {
        assert_eq!(
            ask(&Method::GET, &[(IF_MATCH, "\"b\""), (IF_NONE_MATCH, "\"a\"")]),
            Failed
        );
        assert_eq!(
            ask(&Method::GET, &[(IF_MATCH, "\"a\""), (IF_NONE_MATCH, "\"a\"")]),
            NotModified
        );
        assert_eq!(
            ask(
                &Method::GET,
                &[(IF_UNMODIFIED_SINCE, BEFORE), (IF_MODIFIED_SINCE, AFTER)]
            ),
            Failed
        );
        assert_eq!(
            ask(
                &Method::GET,
                &[(IF_UNMODIFIED_SINCE, AFTER), (IF_NONE_MATCH, "\"a\"")]
            ),
            NotModified
        );
    }

    #[test]
    fn methods_that_select_nothing_have_no_conditions() {
        for method in [Method::CONNECT, Method::OPTIONS, Method::TRACE] {
            assert_eq!(
                ask(&method, &[(IF_MATCH, "\"b\""), (IF_NONE_MATCH, "*")]),
                Proceed
            );
        }
    }

    /// The five steps of §13.2.2 as the text has them, from what each field holds.
    fn steps(
        reads: bool,
        if_match: Option<bool>,
        ius: Option<bool>,
        inm: Option<bool>,
        ims: Option<bool>,
    ) -> Precondition {
        let first = if_match.or(ius);
        if first == Some(false) {
            return Failed;
        }
        if let Some(matches) = inm {
            return match (matches, reads) {
                (true, true) => NotModified,
                (true, false) => Failed,
                (false, _) => Proceed,
            };
        }
        if reads && ims == Some(false) {
            NotModified
        } else {
            Proceed
        }
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_the_text(
            method in prop_oneof![Just(Method::GET), Just(Method::HEAD), Just(Method::PUT)],
            if_match: Option<bool>, ius: Option<bool>, inm: Option<bool>, ims: Option<bool>,
        ) {
            let tag = |matches| if matches { "\"a\"" } else { "\"b\"" };
            let mut lines = Vec::new();
            lines.extend(if_match.map(|matches| (IF_MATCH, tag(matches))));
            lines.extend(inm.map(|matches| (IF_NONE_MATCH, tag(matches))));
            lines.extend(ius.map(|holds| (IF_UNMODIFIED_SINCE, if holds { MODIFIED } else { BEFORE })));
            lines.extend(ims.map(|holds| (IF_MODIFIED_SINCE, if holds { BEFORE } else { MODIFIED })));
            let reads = method != Method::PUT;
            prop_assert_eq!(ask(&method, &lines), steps(reads, if_match, ius, inm, ims));
        }
    }
}
