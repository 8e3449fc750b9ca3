//! Stale answers: when they are allowed, and when nothing allows them (RFC 9111 §4.2.4, RFC 5861).

use crate::harness::{Case, case};

const REVALIDATE: &str = "Cache-Control: max-age=10, stale-while-revalidate=60 | ETag: \"a\"";
const ERROR: &str = "Cache-Control: max-age=10, stale-if-error=60 | ETag: \"a\"";

/// What forbids a stale answer in a shared cache, whatever else is said (RFC 9111 §5.2.2.2, .4, .8, .10).
const FORBIDS: [&str; 4] = ["must-revalidate", "proxy-revalidate", "s-maxage=10", "no-cache"];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = while_revalidate().into();
    cases.extend(windows());
    cases.extend(behind());
    cases.extend([500, 502, 503, 504].map(if_error));
    cases.extend([404, 410, 403, 429].map(if_no_error));
    cases.extend(unreachable());
    cases.extend(FORBIDS.into_iter().flat_map(forbidden));
    cases.extend(by_default());
    cases
}

fn stale(name: &str, stored: &str, seconds: u64) -> Case {
    case(name).get().ok(stored).miss().wait(seconds).get()
}

fn while_revalidate() -> [Case; 5] {
    [
        stale("rfc5861_3_a_stale_answer_has_a_fill_behind_it", REVALIDATE, 20)
            .behind(200, "Cache-Control: max-age=10 | ETag: \"b\"")
            .hit()
            .lines("Age", &["20"])
            .get()
            .hit()
            .lines("Age", &["0"])
            .both(),
        stale("rfc5861_3_the_fill_behind_it_is_a_validation", REVALIDATE, 20)
            .behind(304, "ETag: \"a\" | X-New: 1")
            .hit()
            .sent("If-None-Match: \"a\"")
            .get()
            .hit()
            .has("X-New: 1")
            .lines("Age", &["0"]),
        stale("rfc5861_3_a_fresh_answer_has_no_fill_behind_it", REVALIDATE, 9).hit(),
        case("rfc5861_3_a_stale_answer_to_a_head_has_a_fill_behind_it")
            .get()
            .ok(REVALIDATE)
            .miss()
            .wait(20)
            .head()
            .behind(304, "")
            .hit_of(1)
            .get()
            .hit_of(1)
            .lines("Age", &["0"]),
        case("rfc5861_3_the_fill_behind_it_has_the_headers_that_it_varies_by")
            .get()
            .with("Accept-Language: de")
            .ok("Cache-Control: max-age=10, stale-while-revalidate=60 | Vary: Accept-Language")
            .miss()
            .wait(20)
            .get()
            .with("Accept-Language: de")
            .behind(200, "Cache-Control: max-age=10 | Vary: Accept-Language")
            .hit()
            .sent("Accept-Language: de"),
    ]
}

fn windows() -> [Case; 6] {
    [
        stale("rfc5861_3_the_window_begins_with_staleness", REVALIDATE, 10)
            .behind(304, "")
            .hit(),
        stale("rfc5861_3_the_last_second_of_the_window", REVALIDATE, 69)
            .behind(304, "")
            .hit(),
        stale("rfc5861_3_the_window_ends", REVALIDATE, 71).miss(),
        stale("rfc5861_3_after_the_window_it_is_validated", REVALIDATE, 71).validated(),
        stale("rfc5861_4_the_last_second_of_the_window", ERROR, 69)
            .origin(500, "")
            .stand_in(),
        stale("rfc5861_4_the_window_ends", ERROR, 71)
            .origin(500, "")
            .miss(),
    ]
}

/// How many fills there are, and what becomes of them.
fn behind() -> [Case; 4] {
    [
        stale("rfc5861_3_many_stale_answers_have_one_fill", REVALIDATE, 20)
            .behind(200, "Cache-Control: max-age=10")
            .held_behind()
            .hit()
            .get()
            .hit_of(1)
            .get()
            .hit_of(1)
            .get()
            .hit_of(1)
            .release(2)
            .get()
            .hit()
            .lines("Age", &["0"])
            .both(),
        stale("rfc5861_3_a_fill_that_fails_leaves_the_stale_one", REVALIDATE, 20)
            .behind(500, "")
            .hit()
            .wait(10)
            .get()
            .behind(304, "")
            .hit_of(1)
            .get()
            .hit_of(1)
            .lines("Age", &["0"]),
        stale(
            "rfc9111_3_a_fill_that_may_not_be_kept_ends_the_stale_one",
            REVALIDATE,
            20,
        )
        .behind(200, "Cache-Control: no-store")
        .hit()
        .get()
        .reached(),
        stale("rfc5861_3_a_fill_of_another_status_replaces_it", REVALIDATE, 20)
            .behind(404, "Cache-Control: max-age=10")
            .hit()
            .get()
            .hit(),
    ]
}

/// RFC 5861 §4: an error is a 500, 502, 503 or 504.
fn if_error(status: u16) -> Case {
    stale(&format!("rfc5861_4_a_{status}_is_stood_in_for"), ERROR, 20)
        .origin(status, "")
        .stand_in()
        .status(200)
        .lines("Age", &["20"])
        .get()
        .validated_of(1)
        .both()
}

fn if_no_error(status: u16) -> Case {
    stale(&format!("rfc5861_4_a_{status}_is_no_error"), ERROR, 20)
        .origin(status, "")
        .miss()
}

fn unreachable() -> [Case; 6] {
    [
        stale("rfc5861_4_a_connection_that_is_closed_is_stood_in_for", ERROR, 20)
            .closes()
            .stand_in()
            .both(),
        stale("rfc5861_4_an_origin_that_is_gone_is_stood_in_for", ERROR, 0)
            .hit()
            .down()
            .wait(20)
            .get()
            .stand_in()
            .lines("Age", &["20"])
            .wait(60)
            .get()
            .own(&[502, 504]),
        stale("rfc5861_4_a_fresh_answer_needs_no_origin", ERROR, 0)
            .hit()
            .down()
            .get()
            .hit(),
        stale("rfc5861_4_a_head_is_stood_in_for", ERROR, 20)
            .validated()
            .wait(20)
            .head()
            .origin(503, "")
            .stand_in()
            .status(200),
        stale(
            "rfc5861_4_both_windows_while_the_origin_fails",
            "Cache-Control: max-age=10, stale-while-revalidate=10, stale-if-error=60",
            15,
        )
        .behind(500, "")
        .hit()
        .wait(15)
        .get()
        .origin(500, "")
        .stand_in(),
        stale(
            "rfc5861_4_an_error_is_not_kept_in_the_place_of_the_stale_one",
            ERROR,
            20,
        )
        .origin(500, "Cache-Control: max-age=100")
        .stand_in()
        .get()
        .validated_of(1),
    ]
}

/// RFC 9111 §4.2.4: a directive that forbids it beats those that allow it.
fn forbidden(directive: &str) -> [Case; 4] {
    let stored = format!(
        "Cache-Control: max-age=10, stale-while-revalidate=60, stale-if-error=60, {directive} | ETag: \"a\""
    );
    let id = directive.replace(['-', '='], "_");
    [
        stale(&format!("rfc9111_4_2_4_{id}_forbids_a_fill_behind"), &stored, 20)
            .ok("")
            .miss()
            .both(),
        stale(
            &format!("rfc9111_4_2_4_{id}_forbids_to_stand_in_for_a_500"),
            &stored,
            20,
        )
        .origin(500, "")
        .miss(),
        stale(
            &format!("rfc9111_4_2_4_{id}_forbids_to_stand_in_for_a_closed_connection"),
            &stored,
            20,
        )
        .closes()
        .own(&[502, 504])
        .both(),
        stale(&format!("rfc9111_4_2_4_{id}_is_validated"), &stored, 20)
            .validated()
            .sent("If-None-Match: \"a\""),
    ]
}

/// RFC 9111 §4.2.4 lets a cache that is disconnected answer stale; our policy is not to, unless it is switched on.
fn by_default() -> [Case; 5] {
    let plain = "Cache-Control: max-age=10";
    [
        stale("rfc9111_4_2_4_nothing_allows_a_stale_answer", plain, 10)
            .miss()
            .both(),
        stale("rfc9111_4_2_4_nothing_stands_in_for_a_500", plain, 20)
            .origin(500, "")
            .miss(),
        stale(
            "rfc9111_4_2_4_nothing_stands_in_for_a_closed_connection",
            plain,
            20,
        )
        .closes()
        .own(&[502, 504])
        .both(),
        stale(
            "rfc9111_4_2_4_nothing_stands_in_for_an_origin_that_is_gone",
            plain,
            5,
        )
        .hit()
        .down()
        .wait(20)
        .get()
        .own(&[502, 504]),
        stale(
            "rfc9111_4_2_4_no_store_beats_all_windows",
            "Cache-Control: no-store, max-age=10, stale-while-revalidate=60, stale-if-error=60",
            5,
        )
        .miss(),
    ]
}
