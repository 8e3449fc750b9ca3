//! `Age` and the age of a stored response (RFC 9111 §4.2.3, §5.1).

use crate::harness::shapes::{kept, not_kept, table};
use crate::harness::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = forms();
    cases.extend(generated());
    cases.extend(sums());
    cases.extend(delays());
    cases
}

/// §5.1: a list's first member counts, and what is no integer is ignored, not taken for old.
fn forms() -> Vec<Case> {
    let ignored = [
        ("with_a_fraction", "7200.0"),
        ("a_word", "abc"),
        ("below_zero", "-7200"),
        ("with_a_sign", "+7200"),
        ("with_a_word_before", "a7200"),
        ("with_a_word_after", "7200a"),
        ("with_a_unit", "7200 seconds"),
        ("in_quotes", "\"7200\""),
        ("with_a_parameter", "7200;foo=bar"),
        ("in_base_16", "0x1c20"),
        ("with_an_exponent", "72e2"),
        ("empty", ""),
        ("a_word_and_then_a_number", "abc, 7200"),
    ];
    let old = [
        ("above_the_lifetime", "Age: 7200"),
        ("as_high_as_the_lifetime", "Age: 3600"),
        ("with_leading_zeros", "Age: 0007200"),
        ("high_first_in_a_list", "Age: 7200, 0"),
        ("high_first_in_a_list_with_spaces", "Age: 7200 , 0"),
        ("high_on_the_first_line", "Age: 7200 | Age: 0"),
        ("of_2_31", "Age: 2147483648"),
        ("beyond_2_32", "Age: 4294967297"),
        ("beyond_2_64", "Age: 18446744073709551617"),
    ];
    let young = [
        ("below_the_lifetime", "Age: 3599"),
        ("of_zero", "Age: 0"),
        ("low_first_in_a_list", "Age: 0, 7200"),
        ("low_on_the_first_line", "Age: 0 | Age: 7200"),
        ("with_space_around", "Age:   7  "),
    ];
    let with = |age: &str| format!("Cache-Control: max-age=3600 | {age}");
    let start = "rfc9111_5_1_age";
    let ignored = ignored.map(|(what, age)| {
        kept(
            format!("{start}_{what}_is_ignored"),
            &with(&format!("Age: {age}")),
        )
        .lines("age", &["0"])
        .both()
    });
    let old = table(start, |name, age| not_kept(name + "_is_stale", &with(age)), &old).collect::<Vec<_>>();
    let young = table(start, |name, age| kept(name + "_is_fresh", &with(age)), &young).collect::<Vec<_>>();
    ignored.into_iter().chain(old).chain(young).collect()
}

/// §5.1: every answer from the cache has one, and it is the age at that moment.
fn generated() -> [Case; 6] {
    [
        kept("rfc9111_5_1_age_is_generated", "Cache-Control: max-age=3600")
            .lines("age", &["0"])
            .both(),
        kept("rfc9111_5_1_age_advances", "Cache-Control: max-age=3600")
            .wait(30)
            .get()
            .hit()
            .lines("age", &["30"])
            .wait(1000)
            .get()
            .hit()
            .lines("age", &["1030"])
            .both(),
        kept(
            "rfc9111_5_1_age_replaces_all_lines_of_the_origin",
            "Cache-Control: max-age=3600 | Age: 7 | Age: 9",
        )
        .lines("age", &["7"]),
        case("rfc9111_5_1_age_of_the_origin_is_passed_on")
            .get()
            .ok("Cache-Control: max-age=3600 | Age: 50")
            .miss()
            .lines("age", &["50"]),
        // It is the time since the response was generated or validated at the origin.
        case("rfc9111_5_1_age_begins_anew_with_a_validation")
            .get()
            .ok("Cache-Control: max-age=60 | Age: 50 | ETag: \"a\"")
            .miss()
            .wait(10)
            .get()
            .validated()
            .get()
            .hit()
            .lines("age", &["0"])
            .wait(20)
            .get()
            .hit()
            .lines("age", &["20"]),
        case("rfc9111_5_1_age_of_a_304_counts")
            .get()
            .ok("Cache-Control: max-age=60 | ETag: \"a\"")
            .miss()
            .wait(60)
            .get()
            .origin(304, "Age: 15")
            .validated()
            .wait(5)
            .get()
            .hit()
            .lines("age", &["20"])
            .wait(40)
            .get()
            .reached(),
    ]
}

/// §4.2.3: what the age of a stored response is made of.
fn sums() -> Vec<Case> {
    let hit = |name: &str, lines: &str, age: &str| kept(name, lines).lines("age", &[age]);
    vec![
        hit(
            "rfc9111_4_2_3_age_of_the_origin_is_counted",
            "Cache-Control: max-age=100 | Age: 40",
            "40",
        )
        .both()
        .wait(30)
        .get()
        .hit()
        .lines("age", &["70"])
        .wait(30)
        .get()
        .reached(),
        hit(
            "rfc9111_4_2_3_an_old_date_makes_it_old",
            "Cache-Control: max-age=100 | Date: {date-50}",
            "50",
        )
        .wait(50)
        .get()
        .reached(),
        hit(
            "rfc9111_4_2_3_a_date_older_than_the_age_counts",
            "Cache-Control: max-age=100 | Date: {date-50} | Age: 20",
            "50",
        ),
        hit(
            "rfc9111_4_2_3_an_age_above_that_of_the_date_counts",
            "Cache-Control: max-age=100 | Date: {date-20} | Age: 50",
            "50",
        ),
        hit(
            "rfc9111_4_2_3_a_fast_date_makes_it_no_younger",
            "Cache-Control: max-age=100 | Date: {date+1000}",
            "0",
        )
        .wait(99)
        .get()
        .hit()
        .wait(1)
        .get()
        .reached(),
        case("rfc9111_4_2_3_without_a_date_it_is_as_old_as_its_age")
            .get()
            .ok("Cache-Control: max-age=100 | Age: 20")
            .undated()
            .miss()
            .get()
            .hit()
            .lines("age", &["20"]),
        not_kept(
            "rfc9111_4_2_3_a_date_older_than_the_lifetime_is_stale",
            "Cache-Control: max-age=100 | Date: {date-100}",
        ),
    ]
}

/// §4.2.3: the time that the answer took to come counts.
fn delays() -> Vec<Case> {
    vec![
        case("rfc9111_4_2_3_the_way_to_here_adds_to_the_age")
            .get()
            .ok("Cache-Control: max-age=100 | Age: 10")
            .held()
            .miss()
            .wait(5)
            .release(1)
            .get()
            .hit()
            .lines("age", &["15"]),
        // A missing Age is an Age of zero, to which the delay adds as to any other.
        case("rfc9111_4_2_3_the_way_to_here_is_the_age_without_one")
            .get()
            .ok("Cache-Control: max-age=100 | Date: {date+5}")
            .held()
            .miss()
            .wait(5)
            .release(1)
            .get()
            .hit()
            .lines("age", &["5"]),
    ]
}
