//! `Expires`, and the dates that freshness is reckoned from (RFC 9111 §4.2.1, §5.3).

use crate::harness::shapes::{kept, kept_for, not_kept, table};
use crate::harness::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = lifetimes().into();
    cases.extend(table("rfc9111_4_2_expires", kept, &READABLE));
    cases.extend(table("rfc9111_5_3_expires", not_kept, &UNREADABLE));
    cases.extend(without_guess());
    cases
}

/// §4.2.1: the lifetime is `Expires` less `Date`, whatever the clock here says.
fn lifetimes() -> [Case; 11] {
    [
        kept_for("rfc9111_5_3_expires_ends_the_lifetime", 10, "Expires: {date+10}").both(),
        kept_for(
            "rfc9111_4_2_1_expires_counts_from_a_slow_date",
            10,
            "Date: {date-3600} | Expires: {date+10}",
        ),
        kept_for(
            "rfc9111_4_2_1_expires_counts_from_a_fast_date",
            10,
            "Date: {date+1000} | Expires: {date+1010}",
        ),
        not_kept(
            "rfc9111_4_2_1_expires_before_a_fast_date_is_stale",
            "Date: {date+1000} | Expires: {date+100}",
        ),
        not_kept(
            "rfc9111_4_2_1_expires_in_the_past_of_an_old_date_is_stale",
            "Date: {date-100} | Expires: {date-10}",
        ),
        not_kept("rfc9111_5_3_expires_at_its_date_is_stale", "Expires: {date}").both(),
        not_kept(
            "rfc9111_5_3_expires_before_its_date_is_stale",
            "Expires: {date-10}",
        ),
        kept_for(
            "rfc9111_4_2_3_age_is_spent_of_the_lifetime_of_expires",
            40,
            "Expires: {date+100} | Age: 60",
        ),
        case("rfc9110_6_6_1_expires_without_a_date_counts_from_receipt")
            .get()
            .ok("Expires: {date+10}")
            .undated()
            .miss()
            .wait(9)
            .get()
            .hit()
            .wait(1)
            .get()
            .reached(),
        kept("rfc9111_5_3_expires_is_replayed_unchanged", "Expires: {date+100}")
            .wait(50)
            .get()
            .hit()
            .lines("expires", &["{date+50}"])
            .lines("date", &["{date-50}"]),
        // §5.3: a Date that cannot be read is as none, and the time of receipt stands in for it.
        kept(
            "rfc9111_4_2_3_expires_counts_from_receipt_where_the_date_is_unreadable",
            "Date: yesterday | Expires: {date+100}",
        ),
    ]
}

/// §4.2: all three forms, in capitals and small letters.
const READABLE: [(&str, &str); 10] = [
    ("in_the_form_of_rfc850", "Expires: {rfc850+1000}"),
    ("in_the_form_of_asctime", "Expires: {asctime+1000}"),
    ("in_capitals", "Expires: THU, 18 AUG 2050 02:01:18 GMT"),
    ("in_small_letters", "Expires: thu, 18 aug 2050 02:01:18 gmt"),
    ("with_a_small_zone", "Expires: Thu, 18 Aug 2050 02:01:18 gmt"),
    ("with_a_small_month", "Expires: Thu, 18 aug 2050 02:01:18 GMT"),
    (
        "with_a_weekday_in_capitals",
        "Expires: THU, 18 Aug 2050 02:01:18 GMT",
    ),
    ("far_in_the_future", "Expires: Fri, 31 Dec 9999 23:59:59 GMT"),
    (
        "counted_from_a_date_of_rfc850",
        "Date: {rfc850} | Expires: {date+100}",
    ),
    (
        "counted_from_a_date_of_asctime",
        "Date: {asctime} | Expires: {date+100}",
    ),
];

/// §5.3: what is no date, the value `0` first of all, is in the past. Of two lines the RFC allows to use the first or
/// to take the response for stale (§4.2.1); the second is our policy.
const UNREADABLE: [(&str, &str); 24] = [
    ("of_0_is_stale", "Expires: 0"),
    ("below_zero_is_stale", "Expires: -1"),
    ("of_a_word_is_stale", "Expires: never"),
    ("that_is_empty_is_stale", "Expires:"),
    ("in_seconds_is_stale", "Expires: 4102444800"),
    ("in_iso_8601_is_stale", "Expires: 2050-08-18T02:01:18Z"),
    (
        "in_another_zone_is_stale",
        "Expires: Thu, 18 Aug 2050 02:01:18 EST",
    ),
    ("in_utc_is_stale", "Expires: Thu, 18 Aug 2050 02:01:18 UTC"),
    (
        "in_a_zone_of_digits_is_stale",
        "Expires: Thu, 18 Aug 2050 02:01:18 +0000",
    ),
    ("without_a_zone_is_stale", "Expires: Thu, 18 Aug 2050 02:01:18"),
    (
        "with_a_year_of_2_digits_is_stale",
        "Expires: Thu, 18 Aug 50 02:01:18 GMT",
    ),
    (
        "without_a_comma_is_stale",
        "Expires: Thu 18 Aug 2050 02:01:18 GMT",
    ),
    (
        "with_two_spaces_is_stale",
        "Expires: Thu, 18  Aug  2050 02:01:18 GMT",
    ),
    ("with_dashes_is_stale", "Expires: Thu, 18-Aug-2050 02:01:18 GMT"),
    (
        "with_an_hour_of_1_digit_is_stale",
        "Expires: Thu, 18 Aug 2050 2:01:18 GMT",
    ),
    (
        "with_a_day_of_1_digit_is_stale",
        "Expires: Mon, 1 Aug 2050 02:01:18 GMT",
    ),
    ("without_seconds_is_stale", "Expires: Thu, 18 Aug 2050 02:01 GMT"),
    ("without_a_weekday_is_stale", "Expires: 18 Aug 2050 02:01:18 GMT"),
    (
        "with_a_full_month_is_stale",
        "Expires: Thu, 18 August 2050 02:01:18 GMT",
    ),
    (
        "with_a_day_that_is_none_is_stale",
        "Expires: Thu, 31 Feb 2050 02:01:18 GMT",
    ),
    (
        "with_an_hour_that_is_none_is_stale",
        "Expires: Thu, 18 Aug 2050 25:01:18 GMT",
    ),
    (
        "with_more_behind_it_is_stale",
        "Expires: Thu, 18 Aug 2050 02:01:18 GMT, 0",
    ),
    (
        "on_two_lines_is_stale",
        "Expires: {date+100} | Expires: {date+1000}",
    ),
    (
        "on_two_lines_of_which_one_is_no_date_is_stale",
        "Expires: {date+100} | Expires: 0",
    ),
];

/// §4.2.2: where there is an explicit time, however wrong, nothing is guessed.
fn without_guess() -> [Case; 3] {
    [
        not_kept(
            "rfc9111_4_2_2_an_unreadable_expires_leaves_no_guess",
            "Expires: 0 | Last-Modified: {date-100000}",
        )
        .both(),
        not_kept(
            "rfc9111_4_2_2_a_past_expires_leaves_no_guess",
            "Expires: {date-1} | Last-Modified: {date-100000}",
        ),
        not_kept(
            "rfc9111_4_2_2_an_empty_expires_leaves_no_guess",
            "Expires: | Last-Modified: {date-100000}",
        ),
    ]
}
