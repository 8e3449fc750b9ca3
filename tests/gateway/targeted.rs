//! `CDN-Cache-Control` (RFC 9213): a field for caches such as this one, read in the place of `Cache-Control`.

use crate::harness::shapes::{kept, kept_for, not_kept, table};
use crate::harness::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = table("rfc9213_2", kept, &KEPT).collect();
    cases.extend(table("rfc9213_2", not_kept, &NOT_KEPT));
    cases.extend(table(
        "rfc9213_2",
        |name, lines| kept_for(name, 10, lines),
        &TEN_SECONDS,
    ));
    cases.extend(safe());
    cases.extend(others());
    cases
}

const KEPT: [(&str, &str); 17] = [
    ("alone", "CDN-Cache-Control: max-age=100"),
    (
        "beats_a_max_age_of_zero",
        "CDN-Cache-Control: max-age=100 | Cache-Control: max-age=0",
    ),
    (
        "beats_no_store",
        "CDN-Cache-Control: max-age=100 | Cache-Control: no-store",
    ),
    (
        "beats_private",
        "CDN-Cache-Control: max-age=100 | Cache-Control: private",
    ),
    (
        "beats_no_cache",
        "CDN-Cache-Control: max-age=100 | Cache-Control: no-cache",
    ),
    (
        "beats_expires",
        "CDN-Cache-Control: max-age=100 | Expires: {date-100}",
    ),
    (
        "beats_pragma",
        "CDN-Cache-Control: max-age=100 | Pragma: no-cache",
    ),
    (
        "empty_is_ignored",
        "CDN-Cache-Control: | Cache-Control: max-age=100",
    ),
    (
        "of_two_the_last_counts",
        "CDN-Cache-Control: max-age=0, max-age=100",
    ),
    (
        "on_two_lines_is_one",
        "CDN-Cache-Control: max-age=0 | CDN-Cache-Control: max-age=100",
    ),
    (
        "with_an_unknown_directive",
        "CDN-Cache-Control: foo=bar, max-age=100, baz",
    ),
    ("with_a_parameter", "CDN-Cache-Control: max-age=100;foo=1"),
    (
        "that_ends_with_a_comma_is_ignored",
        "CDN-Cache-Control: no-store, | Cache-Control: max-age=100",
    ),
    (
        "with_a_name_in_capitals_is_ignored",
        "CDN-Cache-Control: No-Store | Cache-Control: max-age=100",
    ),
    (
        "that_cannot_be_read_is_ignored",
        "CDN-Cache-Control: no-store, &&& | Cache-Control: max-age=100",
    ),
    (
        "with_an_open_string_is_ignored",
        "CDN-Cache-Control: no-store, foo=\"bar | Cache-Control: max-age=100",
    ),
    (
        "of_which_one_line_cannot_be_read_is_ignored",
        "CDN-Cache-Control: no-store | CDN-Cache-Control: @ | Cache-Control: max-age=100",
    ),
];

const NOT_KEPT: [(&str, &str); 19] = [
    ("max_age_as_a_string", "CDN-Cache-Control: max-age=\"100\""),
    ("max_age_as_a_decimal", "CDN-Cache-Control: max-age=100.0"),
    ("max_age_as_a_flag", "CDN-Cache-Control: max-age"),
    (
        "a_word_that_is_none",
        "CDN-Cache-Control: none | Cache-Control: max-age=100",
    ),
    (
        "no_store_beats_max_age",
        "CDN-Cache-Control: no-store | Cache-Control: max-age=100",
    ),
    (
        "private_beats_max_age",
        "CDN-Cache-Control: private | Cache-Control: public, max-age=100",
    ),
    (
        "no_cache_beats_max_age",
        "CDN-Cache-Control: no-cache | Cache-Control: max-age=100",
    ),
    (
        "zero_beats_max_age",
        "CDN-Cache-Control: max-age=0 | Cache-Control: max-age=100",
    ),
    (
        "zero_beats_s_maxage",
        "CDN-Cache-Control: max-age=0 | Cache-Control: s-maxage=100",
    ),
    (
        "zero_beats_expires",
        "CDN-Cache-Control: max-age=0 | Expires: {date+100}",
    ),
    (
        "without_a_lifetime_leaves_no_max_age",
        "CDN-Cache-Control: public | Cache-Control: max-age=100",
    ),
    (
        "without_a_lifetime_leaves_no_expires",
        "CDN-Cache-Control: public | Expires: {date+100}",
    ),
    (
        "max_age_below_zero",
        "CDN-Cache-Control: max-age=-1 | Cache-Control: max-age=100",
    ),
    (
        "of_two_the_last_counts_zero",
        "CDN-Cache-Control: max-age=100, max-age=0",
    ),
    (
        "no_store_beside_max_age",
        "CDN-Cache-Control: max-age=100, no-store",
    ),
    (
        "ignored_leaves_no_store",
        "CDN-Cache-Control: max-age=100, | Cache-Control: no-store",
    ),
    (
        "ignored_leaves_private",
        "CDN-Cache-Control: Max-Age=100 | Cache-Control: private, max-age=100",
    ),
    ("ignored_leaves_nothing", "CDN-Cache-Control: max-age=100 @"),
    (
        "for_others_says_nothing",
        "Surrogate-Control: max-age=100 | Other-Cache-Control: max-age=100",
    ),
];

const TEN_SECONDS: [(&str, &str); 5] = [
    (
        "max_age_beats_a_longer_one",
        "CDN-Cache-Control: max-age=10 | Cache-Control: max-age=100",
    ),
    (
        "max_age_beats_a_longer_s_maxage",
        "CDN-Cache-Control: max-age=10 | Cache-Control: s-maxage=100",
    ),
    (
        "s_maxage_beats_its_max_age",
        "CDN-Cache-Control: max-age=100, s-maxage=10",
    ),
    (
        "max_age_beats_a_longer_expires",
        "CDN-Cache-Control: max-age=10 | Expires: {date+100}",
    ),
    ("max_age_less_the_age", "CDN-Cache-Control: max-age=30 | Age: 20"),
];

/// §5: that it lifts `private` and `no-store` wants trust, which the profile `Safe` does not have.
fn safe() -> Vec<Case> {
    vec![
        kept(
            "rfc9213_2_a_lifetime_is_read",
            "CDN-Cache-Control: max-age=100 | Cache-Control: max-age=0",
        )
        .safe(),
        kept_for(
            "rfc9213_2_a_shorter_lifetime_is_read",
            10,
            "CDN-Cache-Control: max-age=10 | Cache-Control: max-age=100",
        )
        .safe(),
        not_kept(
            "rfc9213_2_no_store_is_read",
            "CDN-Cache-Control: no-store | Cache-Control: max-age=100",
        )
        .safe(),
        not_kept(
            "rfc9213_5_no_store_is_not_lifted",
            "CDN-Cache-Control: max-age=100 | Cache-Control: no-store",
        )
        .safe(),
        not_kept(
            "rfc9213_5_private_is_not_lifted",
            "CDN-Cache-Control: max-age=100 | Cache-Control: private",
        )
        .safe(),
    ]
}

fn others() -> [Case; 7] {
    let stale = |name: &str, lines: &str| case(name).get().ok(lines).miss().wait(20).get();
    [
        stale(
            "rfc9213_2_its_window_counts",
            "CDN-Cache-Control: max-age=10, stale-while-revalidate=60 | Cache-Control: max-age=10, must-revalidate",
        )
        .behind(200, "")
        .hit(),
        stale(
            "rfc9213_2_the_window_beside_it_does_not",
            "CDN-Cache-Control: max-age=10 | Cache-Control: max-age=10, stale-while-revalidate=60",
        )
        .miss(),
        stale("rfc9213_2_its_window_for_errors_counts", "CDN-Cache-Control: max-age=10, stale-if-error=60 | Cache-Control: no-store")
            .origin(500, "")
            .stand_in(),
        stale("rfc9213_2_a_304_updates_it", "CDN-Cache-Control: max-age=10 | Cache-Control: no-store | ETag: \"a\"")
            .origin(304, "CDN-Cache-Control: max-age=100")
            .validated()
            .wait(50)
            .get()
            .hit(),
        kept(
            "rfc9213_2_2_fields_for_others_are_passed_through",
            "Cache-Control: max-age=100 | Other-Cache-Control: no-store",
        )
        .lines("Other-Cache-Control", &["no-store"]),
        kept("rfc9213_3_1_the_field_is_passed_on", "CDN-Cache-Control: max-age=100")
            .lines("CDN-Cache-Control", &["max-age=100"]),
        // §2.2: whoever is behind this cache reads what it reads.
        kept("rfc9213_2_2_cache_control_is_for_those_behind", "CDN-Cache-Control: max-age=100 | Cache-Control: max-age=1")
            .lines("Cache-Control", &["max-age=1"]),
    ]
}
