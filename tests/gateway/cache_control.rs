//! The directives of a response (RFC 9111 §5.2.2, RFC 8246).

use crate::harness::shapes::{kept, kept_for, not_kept, table};
use crate::harness::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = table("rfc9111_5_2", kept, &KEPT).collect();
    cases.extend(table("rfc9111_5_2", not_kept, &NOT_KEPT));
    cases.extend(precedence());
    cases.extend(forbidden());
    cases.extend(qualified());
    cases.extend(understood());
    cases.extend(revalidated());
    cases
}

const KEPT: [(&str, &str); 23] = [
    ("max_age_is_a_lifetime", "Cache-Control: max-age=3600"),
    ("names_in_mixed_case", "Cache-Control: MaX-aGe=3600"),
    ("names_in_capitals", "CACHE-CONTROL: MAX-AGE=3600"),
    ("max_age_with_leading_zeros", "Cache-Control: max-age=0003600"),
    ("max_age_as_a_quoted_string", "Cache-Control: max-age=\"3600\""),
    ("max_age_beyond_2_31", "Cache-Control: max-age=2147483649"),
    (
        "max_age_beyond_2_64",
        "Cache-Control: max-age=99999999999999999999",
    ),
    ("an_unknown_directive_before", "Cache-Control: foo, max-age=3600"),
    (
        "an_unknown_directive_after",
        "Cache-Control: max-age=3600, foo=bar",
    ),
    (
        "a_directive_that_only_begins_like_no_store",
        "Cache-Control: no-storage, max-age=3600",
    ),
    (
        "a_directive_that_only_ends_like_private",
        "Cache-Control: x-private, max-age=3600",
    ),
    (
        "no_store_within_a_quoted_string",
        "Cache-Control: foo=\"no-store\", max-age=3600",
    ),
    (
        "no_store_after_a_comma_within_a_quoted_string",
        "Cache-Control: foo=\"a, no-store, b\", max-age=3600",
    ),
    (
        "private_after_an_escaped_quote_within_a_quoted_string",
        "Cache-Control: foo=\"a\\\", private\", max-age=3600",
    ),
    (
        "max_age_on_the_second_line",
        "Cache-Control: public | Cache-Control: max-age=3600",
    ),
    ("empty_members", "Cache-Control: ,, max-age=3600 ,"),
    (
        "no_space_after_the_comma",
        "Cache-Control: public,max-age=3600,foo",
    ),
    ("tabs_around_the_comma", "Cache-Control: public\t,\tmax-age=3600"),
    ("public_max_age", "Cache-Control: public, max-age=3600"),
    ("s_maxage_is_a_lifetime", "Cache-Control: s-maxage=3600"),
    ("no_transform", "Cache-Control: no-transform, max-age=3600"),
    ("immutable", "Cache-Control: max-age=3600, immutable"),
    // §5.4 speaks of requests alone.
    (
        "pragma_in_a_response_says_nothing",
        "Cache-Control: max-age=3600 | Pragma: no-cache",
    ),
];

/// §4.2.1: caches are encouraged to take a response whose freshness cannot be read for stale, and we do.
const NOT_KEPT: [(&str, &str); 19] = [
    ("nothing_is_no_lifetime", ""),
    ("public_is_no_lifetime", "Cache-Control: public"),
    ("immutable_is_no_lifetime", "Cache-Control: immutable"),
    ("max_age_of_zero", "Cache-Control: max-age=0"),
    ("max_age_below_zero", "Cache-Control: max-age=-3600"),
    ("max_age_with_a_sign", "Cache-Control: max-age=+3600"),
    ("max_age_in_single_quotes", "Cache-Control: max-age='3600'"),
    ("max_age_with_a_fraction", "Cache-Control: max-age=3600.0"),
    ("max_age_with_a_unit", "Cache-Control: max-age=3600s"),
    ("max_age_of_a_word", "Cache-Control: max-age=abc"),
    ("max_age_with_nothing", "Cache-Control: max-age="),
    ("max_age_without_an_argument", "Cache-Control: max-age"),
    (
        "max_age_with_spaces_around_the_sign",
        "Cache-Control: max-age = 3600",
    ),
    ("max_age_with_a_colon", "Cache-Control: max-age:3600"),
    (
        "max_age_within_a_quoted_string",
        "Cache-Control: foo=\"max-age=3600\"",
    ),
    ("max_age_of_a_longer_name", "Cache-Control: x-max-age=3600"),
    (
        "s_maxage_of_zero_beats_max_age",
        "Cache-Control: max-age=3600, s-maxage=0",
    ),
    (
        "max_age_of_zero_beats_expires",
        "Cache-Control: max-age=0 | Expires: {date+3600}",
    ),
    (
        "an_invalid_max_age_leaves_no_guess",
        "Cache-Control: max-age=abc | Last-Modified: {date-100000}",
    ),
];

/// §4.2.1: which lifetime holds, to the second.
fn precedence() -> Vec<Case> {
    let rows = [
        ("max_age_ends", "Cache-Control: max-age=10"),
        (
            "max_age_beats_a_later_expires",
            "Cache-Control: max-age=10 | Expires: {date+3600}",
        ),
        (
            "max_age_beats_a_past_expires",
            "Cache-Control: max-age=10 | Expires: {date-3600}",
        ),
        (
            "max_age_beats_an_unreadable_expires",
            "Cache-Control: max-age=10 | Expires: 0",
        ),
        (
            "s_maxage_beats_a_longer_max_age",
            "Cache-Control: max-age=3600, s-maxage=10",
        ),
        (
            "s_maxage_beats_a_shorter_max_age",
            "Cache-Control: s-maxage=10, max-age=1",
        ),
        (
            "s_maxage_beats_a_max_age_of_zero",
            "Cache-Control: s-maxage=10, max-age=0",
        ),
        (
            "s_maxage_on_another_line_beats_max_age",
            "Cache-Control: max-age=3600 | Cache-Control: s-maxage=10",
        ),
        (
            "s_maxage_beats_expires",
            "Cache-Control: s-maxage=10 | Expires: {date+3600}",
        ),
        (
            "immutable_makes_it_no_longer",
            "Cache-Control: max-age=10, immutable",
        ),
    ];
    let mut cases: Vec<Case> = table(
        "rfc9111_4_2_1",
        |name, lines| kept_for(name, 10, lines).both(),
        &rows,
    )
    .collect();
    // Of two values the first is used, or the response is stale: never the second.
    cases.extend(
        ["max-age=10, max-age=3600", "max-age=10, max-age=\"3600\""].map(|directives| {
            case(format!(
                "rfc9111_4_2_1_the_second_is_not_used_of_{}",
                directives.replace([' ', ',', '"'], "_")
            ))
            .get()
            .ok(&format!("Cache-Control: {directives}"))
            .miss()
            .wait(10)
            .get()
            .reached()
        }),
    );
    cases
}

/// §3, §5.2.2.4, §5.2.2.5, §5.2.2.7: what forbids to keep a response, or to use it unasked.
fn forbidden() -> Vec<Case> {
    let lines = [
        ("no_store", "Cache-Control: no-store, max-age=3600"),
        ("no_store_last", "Cache-Control: max-age=3600, no-store"),
        ("no_store_in_mixed_case", "Cache-Control: max-age=3600, No-StOrE"),
        (
            "no_store_on_another_line",
            "Cache-Control: max-age=3600 | Cache-Control: no-store",
        ),
        (
            "no_store_with_expires",
            "Cache-Control: no-store | Expires: {date+3600}",
        ),
        (
            "no_store_with_an_argument",
            "Cache-Control: max-age=3600, no-store=1",
        ),
        (
            "no_store_after_a_quoted_string",
            "Cache-Control: foo=\"bar\", no-store, max-age=3600",
        ),
        ("private", "Cache-Control: private, max-age=3600"),
        ("private_in_capitals", "Cache-Control: max-age=3600, PRIVATE"),
        (
            "private_beside_public",
            "Cache-Control: public, private, max-age=3600",
        ),
        ("private_beside_s_maxage", "Cache-Control: private, s-maxage=3600"),
        ("no_cache", "Cache-Control: no-cache, max-age=3600"),
        ("no_cache_in_mixed_case", "Cache-Control: max-age=3600, No-CaChE"),
        (
            "no_cache_on_another_line",
            "Cache-Control: max-age=3600 | Cache-Control: no-cache",
        ),
        (
            "no_cache_beside_immutable",
            "Cache-Control: max-age=3600, immutable, no-cache",
        ),
    ];
    table(
        "rfc9111_3",
        |name, lines| not_kept(name + "_is_not_reused", lines).both(),
        &lines,
    )
    .collect()
}

/// §5.2.2.4, §5.2.2.7: with field names, only these fields are not reused.
fn qualified() -> Vec<Case> {
    let without = |name: &str, directive: &str, gone: &[&str]| {
        let lines = format!("Cache-Control: max-age=3600, {directive} | X-A: 1 | X-B: 2 | X-C: 3");
        let case = case(name)
            .get()
            .ok(&lines)
            .miss()
            .has("X-A: 1")
            .has("X-B: 2")
            .get()
            .hit();
        let left = ["X-A", "X-B", "X-C"]
            .into_iter()
            .filter(|name| !gone.contains(name));
        let case = left.fold(case, Case::has);
        gone.iter().fold(case, |case, name| case.lacks(name))
    };
    vec![
        without(
            "rfc9111_5_2_2_4_no_cache_of_a_field_leaves_it_out",
            "no-cache=\"x-a\"",
            &["X-A"],
        ),
        without(
            "rfc9111_5_2_2_4_no_cache_of_two_fields_leaves_them_out",
            "no-cache=\"X-A, x-b\"",
            &["X-A", "X-B"],
        ),
        without(
            "rfc9111_5_2_2_4_no_cache_of_a_field_that_is_not_there",
            "no-cache=\"x-z\"",
            &[],
        ),
        without(
            "rfc9111_5_2_2_7_private_of_a_field_leaves_it_out",
            "private=\"x-a\"",
            &["X-A"],
        ),
        without(
            "rfc9111_5_2_2_7_private_of_two_fields_leaves_them_out",
            "private=\"x-c,x-a\"",
            &["X-A", "X-C"],
        ),
        without(
            "rfc9111_5_2_2_7_private_and_no_cache_of_fields",
            "private=\"x-a\", no-cache=\"x-b\"",
            &["X-A", "X-B"],
        ),
        not_kept(
            "rfc9111_5_2_2_4_no_cache_of_a_field_beside_a_plain_one",
            "Cache-Control: no-cache=\"x-a\", no-cache, max-age=3600",
        ),
        not_kept(
            "rfc9111_5_2_2_7_private_of_a_field_beside_a_plain_one",
            "Cache-Control: private=\"x-a\", private, max-age=3600",
        ),
    ]
}

/// §5.2.2.3: who implements it ignores `no-store` for a status that it understands, and keeps no other.
fn understood() -> Vec<Case> {
    let answered = |name: &str, status: u16, lines: &str| case(name).get().origin(status, lines).miss().get();
    let both = "Cache-Control: must-understand, no-store, max-age=3600";
    let alone = "Cache-Control: must-understand, max-age=3600";
    vec![
        answered("rfc9111_5_2_2_3_must_understand_lifts_no_store_of_200", 200, both).hit(),
        answered("rfc9111_5_2_2_3_must_understand_lifts_no_store_of_404", 404, both).hit(),
        answered("rfc9111_5_2_2_3_must_understand_keeps_200", 200, alone).hit(),
        answered("rfc9111_5_2_2_3_must_understand_refuses_299", 299, alone).miss(),
        answered("rfc9111_5_2_2_3_must_understand_refuses_599", 599, alone).miss(),
        answered(
            "rfc9111_5_2_2_3_must_understand_lifts_no_store_of_no_unknown_status",
            299,
            both,
        )
        .miss(),
        answered(
            "rfc9111_5_2_2_3_must_understand_does_not_lift_private",
            200,
            "Cache-Control: must-understand, private, max-age=3600",
        )
        .miss(),
    ]
}

/// §5.2.2.4, RFC 8246: kept, and asked for.
fn revalidated() -> [Case; 4] {
    [
        case("rfc9111_5_2_2_4_no_cache_is_validated_at_each_use")
            .get()
            .ok("Cache-Control: no-cache, max-age=3600 | ETag: \"a\"")
            .miss()
            .get()
            .validated()
            .sent("If-None-Match: \"a\"")
            .get()
            .validated()
            .both(),
        case("rfc9111_5_2_2_4_no_cache_without_validators_is_asked_for_anew")
            .get()
            .ok("Cache-Control: no-cache, max-age=3600")
            .miss()
            .get()
            .miss()
            .unsent("If-None-Match")
            .unsent("If-Modified-Since"),
        case("rfc9111_4_3_max_age_of_zero_is_validated_at_each_use")
            .get()
            .ok("Cache-Control: max-age=0 | ETag: \"a\"")
            .miss()
            .get()
            .validated()
            .sent("If-None-Match: \"a\""),
        case("rfc8246_2_immutable_is_validated_once_stale")
            .get()
            .ok("Cache-Control: max-age=10, immutable | ETag: \"a\"")
            .miss()
            .wait(10)
            .get()
            .validated(),
    ]
}
