//! A lifetime where the origin gave none (RFC 9111 §4.2.2).

use crate::harness::shapes::{kept, not_kept, table};
use crate::harness::{Case, case};

/// Those that RFC 9110 §15.1 calls heuristically cacheable; 206 is not kept at all.
const GUESSED: [u16; 9] = [200, 203, 204, 300, 301, 308, 404, 410, 414];

/// Of these RFC 9110 calls 405 and 501 heuristically cacheable. Our policy is not to guess for them: one client may have
/// provoked them with a header that others do not send.
const NOT_GUESSED: [u16; 25] = [
    201, 202, 299, 302, 303, 307, 400, 401, 402, 403, 405, 406, 409, 411, 413, 415, 422, 429, 499, 500, 501,
    502, 503, 504, 599,
];

/// 10 % of the time since then are 100 s.
const MODIFIED: &str = "Last-Modified: {date-1000}";

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = GUESSED
        .into_iter()
        .flat_map(|status| [guessed(status), unmodified(status)])
        .collect();
    cases.extend(NOT_GUESSED.map(not_guessed));
    cases.extend(GUESSED.map(public));
    cases.extend([201, 302, 303, 307, 403].map(public));
    cases.extend(table("rfc9111_4_2_2", not_kept, &NO_GUESS));
    cases.extend(lifetimes());
    cases
}

fn guessed(status: u16) -> Case {
    case(format!(
        "rfc9111_4_2_2_status_{status}_is_fresh_for_a_tenth_of_its_age"
    ))
    .get()
    .origin(status, MODIFIED)
    .miss()
    .wait(90)
    .get()
    .hit()
    .wait(20)
    .get()
    .reached()
    .both()
}

fn not_guessed(status: u16) -> Case {
    case(format!("rfc9111_4_2_2_status_{status}_is_not_guessed"))
        .get()
        .origin(status, MODIFIED)
        .miss()
        .get()
        .origin(status, MODIFIED)
        .miss()
        .both()
}

fn unmodified(status: u16) -> Case {
    case(format!(
        "rfc9111_4_2_2_status_{status}_without_last_modified_is_not_guessed"
    ))
    .get()
    .origin(status, "ETag: \"a\"")
    .miss()
    .get()
    .reached()
    .both()
}

/// §5.2.2.9: `public` makes a response cacheable that is not by its status.
fn public(status: u16) -> Case {
    case(format!("rfc9111_5_2_2_9_status_{status}_with_public_is_guessed"))
        .get()
        .origin(status, &format!("Cache-Control: public | {MODIFIED}"))
        .miss()
        .wait(90)
        .get()
        .hit()
        .wait(20)
        .get()
        .reached()
}

const NO_GUESS: [(&str, &str); 9] = [
    (
        "a_max_age_of_zero_leaves_no_guess",
        "Cache-Control: max-age=0 | Last-Modified: {date-1000}",
    ),
    (
        "an_s_maxage_of_zero_leaves_no_guess",
        "Cache-Control: s-maxage=0 | Last-Modified: {date-1000}",
    ),
    (
        "no_store_leaves_no_guess",
        "Cache-Control: no-store | Last-Modified: {date-1000}",
    ),
    (
        "no_cache_leaves_no_guess",
        "Cache-Control: no-cache | Last-Modified: {date-1000}",
    ),
    (
        "private_leaves_no_guess",
        "Cache-Control: private | Last-Modified: {date-1000}",
    ),
    ("modified_at_its_date", "Last-Modified: {date}"),
    ("modified_after_its_date", "Last-Modified: {date+1000}"),
    ("modified_at_no_date", "Last-Modified: long ago"),
    ("no_public_without_last_modified", "Cache-Control: public"),
];

fn lifetimes() -> [Case; 6] {
    [
        // Its age is 500 s, and its lifetime 100 s, by its own date.
        not_kept(
            "rfc9111_4_2_2_the_guess_is_of_the_date_not_of_now",
            "Date: {date-500} | Last-Modified: {date-1500}",
        ),
        kept(
            "rfc9111_4_2_2_the_guess_is_no_longer_for_a_slow_date",
            "Date: {date-50} | Last-Modified: {date-1050}",
        )
        .wait(40)
        .get()
        .hit()
        .wait(20)
        .get()
        .reached(),
        // A guess of more than a day would want a warning by RFC 7234; ours is a day at most.
        kept(
            "rfc9111_4_2_2_the_guess_is_a_day_at_most",
            "Last-Modified: {date-31536000}",
        )
        .wait(86_000)
        .get()
        .hit()
        .wait(500)
        .get()
        .reached(),
        kept(
            "rfc9111_4_2_2_unknown_directives_leave_the_guess",
            "Cache-Control: foo=bar | Last-Modified: {date-1000}",
        ),
        kept(
            "rfc9111_4_2_2_the_guess_takes_rfc850",
            "Last-Modified: {rfc850-1000}",
        ),
        case("rfc9111_4_3_1_a_guess_that_ended_is_validated")
            .get()
            .ok(MODIFIED)
            .miss()
            .wait(110)
            .get()
            .validated()
            .sent("If-Modified-Since: {date-1110}"),
    ]
}
