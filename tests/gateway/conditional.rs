//! Conditional requests, answered from a stored response (RFC 9110 §13, §15.4.5, RFC 9111 §4.3.2).

use crate::harness::{Case, case};

const STRONG: &str = "Cache-Control: max-age=3600 | ETag: \"a\" | Last-Modified: {date-1000}";
const WEAK: &str = "Cache-Control: max-age=3600 | ETag: W/\"a\" | Last-Modified: {date-1000}";
const COMMA: &str = "Cache-Control: max-age=3600 | ETag: \"a,b\"";
const MODIFIED: &str = "Cache-Control: max-age=3600 | Last-Modified: {date-1000}";
const DATED: &str = "Cache-Control: max-age=3600 | Date: {date-100}";

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = NOT_MODIFIED
        .into_iter()
        .map(|row| asked(row).status(304).body(""))
        .collect();
    cases.extend(MODIFIED_SINCE.into_iter().map(|row| asked(row).status(200)));
    cases.extend(MATCHED.into_iter().map(|row| asked(row).status(200)));
    cases.extend(FAILED.into_iter().map(|row| asked(row).status(412)));
    cases.extend(fields());
    cases.extend(others());
    cases
}

/// A name, what is stored, and the lines of a request that the cache answers.
type Row = (&'static str, &'static str, &'static str);

fn asked((name, stored, lines): Row) -> Case {
    case(name).get().ok(stored).miss().get().with(lines).hit().both()
}

const NOT_MODIFIED: [Row; 22] = [
    (
        "rfc9110_13_1_2_if_none_match_of_its_tag",
        STRONG,
        "If-None-Match: \"a\"",
    ),
    (
        "rfc9110_13_1_2_if_none_match_is_weak_of_a_strong_tag",
        STRONG,
        "If-None-Match: W/\"a\"",
    ),
    (
        "rfc9110_13_1_2_if_none_match_is_weak_of_a_weak_tag",
        WEAK,
        "If-None-Match: \"a\"",
    ),
    (
        "rfc9110_13_1_2_if_none_match_of_the_same_weak_tag",
        WEAK,
        "If-None-Match: W/\"a\"",
    ),
    (
        "rfc9110_13_1_2_if_none_match_first_in_a_list",
        STRONG,
        "If-None-Match: \"a\", \"x\"",
    ),
    (
        "rfc9110_13_1_2_if_none_match_last_in_a_list",
        STRONG,
        "If-None-Match: \"x\", W/\"y\", \"a\"",
    ),
    (
        "rfc9110_13_1_2_if_none_match_in_a_list_without_spaces",
        STRONG,
        "If-None-Match: \"x\",\"a\"",
    ),
    (
        "rfc9110_13_1_2_if_none_match_on_the_second_line",
        STRONG,
        "If-None-Match: \"x\" | If-None-Match: \"a\"",
    ),
    ("rfc9110_13_1_2_if_none_match_of_any", STRONG, "If-None-Match: *"),
    (
        "rfc9110_13_1_2_if_none_match_of_any_without_a_tag",
        MODIFIED,
        "If-None-Match: *",
    ),
    (
        "rfc9110_8_8_3_a_comma_within_a_tag",
        COMMA,
        "If-None-Match: \"x\", \"a,b\"",
    ),
    (
        "rfc9110_13_2_2_if_none_match_beats_an_older_date",
        STRONG,
        "If-None-Match: \"a\" | If-Modified-Since: {date-5000}",
    ),
    (
        "rfc9110_13_1_3_if_modified_since_its_time",
        MODIFIED,
        "If-Modified-Since: {date-1000}",
    ),
    (
        "rfc9110_13_1_3_if_modified_since_a_later_time",
        MODIFIED,
        "If-Modified-Since: {date-500}",
    ),
    (
        "rfc9110_13_1_3_if_modified_since_with_a_tag_stored",
        STRONG,
        "If-Modified-Since: {date-1000}",
    ),
    (
        "rfc9110_5_6_7_if_modified_since_in_rfc850",
        MODIFIED,
        "If-Modified-Since: {rfc850-1000}",
    ),
    (
        "rfc9110_5_6_7_if_modified_since_in_asctime",
        MODIFIED,
        "If-Modified-Since: {asctime-1000}",
    ),
    (
        "rfc9110_5_6_7_last_modified_in_rfc850",
        "Cache-Control: max-age=3600 | Last-Modified: {rfc850-1000}",
        "If-Modified-Since: {date-1000}",
    ),
    (
        "rfc9110_5_6_7_last_modified_in_asctime",
        "Cache-Control: max-age=3600 | Last-Modified: {asctime-1000}",
        "If-Modified-Since: {date-1000}",
    ),
    (
        "rfc9111_4_3_2_if_modified_since_the_stored_date",
        DATED,
        "If-Modified-Since: {date-100}",
    ),
    (
        "rfc9111_4_3_2_if_modified_since_after_the_stored_date",
        DATED,
        "If-Modified-Since: {date-50}",
    ),
    (
        "rfc9110_13_2_2_if_match_and_then_if_none_match",
        STRONG,
        "If-Match: \"a\" | If-None-Match: \"a\"",
    ),
];

const MODIFIED_SINCE: [Row; 17] = [
    (
        "rfc9110_13_1_2_if_none_match_of_another_tag",
        STRONG,
        "If-None-Match: \"b\"",
    ),
    (
        "rfc9110_13_1_2_if_none_match_of_a_list_of_others",
        STRONG,
        "If-None-Match: \"b\", W/\"c\"",
    ),
    (
        "rfc9110_8_8_3_2_tags_are_case_sensitive",
        STRONG,
        "If-None-Match: \"A\"",
    ),
    (
        "rfc9110_8_8_3_2_a_tag_that_only_begins_so",
        STRONG,
        "If-None-Match: \"ab\"",
    ),
    (
        "rfc9110_8_8_3_a_part_of_a_tag_with_a_comma",
        COMMA,
        "If-None-Match: \"a\"",
    ),
    (
        "rfc9110_8_8_3_a_tag_without_quotes_is_none",
        STRONG,
        "If-None-Match: a",
    ),
    (
        "rfc9110_8_8_3_a_small_w_makes_no_weak_tag",
        STRONG,
        "If-None-Match: w/\"a\"",
    ),
    (
        "rfc9110_8_8_3_a_star_in_quotes_is_a_tag",
        STRONG,
        "If-None-Match: \"*\"",
    ),
    (
        "rfc9110_13_1_2_if_none_match_where_no_tag_is_stored",
        MODIFIED,
        "If-None-Match: \"a\"",
    ),
    (
        "rfc9110_13_1_3_if_modified_since_yields_to_if_none_match",
        STRONG,
        "If-None-Match: \"b\" | If-Modified-Since: {date}",
    ),
    (
        "rfc9110_13_1_3_if_modified_since_an_earlier_time",
        MODIFIED,
        "If-Modified-Since: {date-1001}",
    ),
    (
        "rfc9110_13_1_3_if_modified_since_no_date",
        MODIFIED,
        "If-Modified-Since: yesterday",
    ),
    (
        "rfc9110_13_1_3_if_modified_since_zero",
        MODIFIED,
        "If-Modified-Since: 0",
    ),
    (
        "rfc9110_13_1_3_if_modified_since_in_another_zone",
        MODIFIED,
        "If-Modified-Since: Thu, 18 Aug 2050 02:01:18 EST",
    ),
    (
        "rfc9110_13_1_3_if_modified_since_two_lines",
        MODIFIED,
        "If-Modified-Since: {date-1000} | If-Modified-Since: {date-1000}",
    ),
    (
        "rfc9110_13_1_3_if_modified_since_two_members",
        MODIFIED,
        "If-Modified-Since: {date-1000}, {date-1000}",
    ),
    (
        "rfc9111_4_3_2_if_modified_since_before_the_stored_date",
        DATED,
        "If-Modified-Since: {date-101}",
    ),
];

/// A cache may leave `If-Match` and `If-Unmodified-Since` aside (RFC 9110 §13.1.1, §13.1.4); our policy is to evaluate
/// them against what it would answer.
const MATCHED: [Row; 7] = [
    ("rfc9110_13_1_1_if_match_of_its_tag", STRONG, "If-Match: \"a\""),
    (
        "rfc9110_13_1_1_if_match_in_a_list",
        STRONG,
        "If-Match: \"x\", \"a\"",
    ),
    ("rfc9110_13_1_1_if_match_of_any", STRONG, "If-Match: *"),
    (
        "rfc9110_13_1_4_if_unmodified_since_its_time",
        MODIFIED,
        "If-Unmodified-Since: {date-1000}",
    ),
    (
        "rfc9110_13_1_4_if_unmodified_since_a_later_time",
        MODIFIED,
        "If-Unmodified-Since: {date}",
    ),
    (
        "rfc9110_13_1_4_if_unmodified_since_no_date",
        MODIFIED,
        "If-Unmodified-Since: yesterday",
    ),
    (
        "rfc9110_13_1_4_if_unmodified_since_yields_to_if_match",
        STRONG,
        "If-Match: \"a\" | If-Unmodified-Since: {date-5000}",
    ),
];

const FAILED: [Row; 5] = [
    (
        "rfc9110_13_1_1_if_match_of_another_tag",
        STRONG,
        "If-Match: \"b\"",
    ),
    (
        "rfc9110_13_1_1_if_match_is_strong_of_a_weak_tag",
        WEAK,
        "If-Match: W/\"a\"",
    ),
    (
        "rfc9110_13_1_1_if_match_is_strong_of_a_strong_tag",
        STRONG,
        "If-Match: W/\"a\"",
    ),
    (
        "rfc9110_13_1_4_if_unmodified_since_an_earlier_time",
        MODIFIED,
        "If-Unmodified-Since: {date-1001}",
    ),
    (
        "rfc9110_13_2_2_if_match_fails_before_if_none_match",
        STRONG,
        "If-Match: \"b\" | If-None-Match: \"a\"",
    ),
];

/// RFC 9110 §15.4.5: what a 304 carries.
fn fields() -> [Case; 2] {
    let stored = "Cache-Control: max-age=3600 | ETag: \"a\" | Expires: {date+7200} | Vary: Accept | \
                  Content-Location: /elsewhere | Content-Type: text/plain";
    let asked = |name: &str, lines: &str| {
        case(name)
            .get()
            .ok(stored)
            .miss()
            .wait(10)
            .get()
            .with(lines)
            .hit()
            .status(304)
    };
    [
        asked(
            "rfc9110_15_4_5_a_304_carries_what_a_200_would",
            "If-None-Match: \"a\"",
        )
        .lines("cache-control", &["max-age=3600"])
        .lines("etag", &["\"a\""])
        .lines("expires", &["{date+7190}"])
        .lines("vary", &["Accept"])
        .lines("content-location", &["/elsewhere"])
        .lines("date", &["{date-10}"])
        .lines("age", &["10"]),
        asked("rfc9110_15_4_5_a_304_has_no_body", "If-None-Match: \"a\"")
            .body("")
            .lacks("transfer-encoding")
            .lacks("content-length: 0"),
    ]
}

fn others() -> [Case; 5] {
    [
        // RFC 9110 §13.2.1: conditions count only where the answer without them would be 2xx.
        case("rfc9110_13_2_1_conditions_are_ignored_where_a_404_is_stored")
            .get()
            .origin(404, STRONG)
            .miss()
            .get()
            .with("If-None-Match: \"a\"")
            .hit(),
        case("rfc9110_13_2_1_conditions_are_ignored_where_a_301_is_stored")
            .get()
            .origin(301, STRONG)
            .miss()
            .get()
            .with("If-Modified-Since: {date}")
            .hit(),
        case("rfc9110_13_2_1_if_match_is_ignored_where_a_404_is_stored")
            .get()
            .origin(404, STRONG)
            .miss()
            .get()
            .with("If-Match: \"b\"")
            .hit(),
        case("rfc9110_13_1_2_a_head_is_conditional_too")
            .get()
            .ok(STRONG)
            .miss()
            .head()
            .with("If-None-Match: \"a\"")
            .hit()
            .status(304)
            .both(),
        case("rfc9111_4_3_2_each_variant_has_its_tag")
            .get()
            .with("Accept: a")
            .ok("Cache-Control: max-age=100 | Vary: Accept | ETag: \"a\"")
            .miss()
            .get()
            .with("Accept: b")
            .ok("Cache-Control: max-age=100 | Vary: Accept | ETag: \"b\"")
            .miss()
            .get()
            .with("Accept: a | If-None-Match: \"b\"")
            .hit_of(1)
            .get()
            .with("Accept: b | If-None-Match: \"b\"")
            .hit_of(2)
            .status(304),
    ]
}
