//! HEAD: answered from a stored GET, and what its answer says of that (RFC 9110 §9.3.2, RFC 9111 §4.3.5).

use crate::harness::{Case, case};

const STORED: &str = "Cache-Control: max-age=100 | ETag: \"a\" | Last-Modified: {date-1000} | X-Old: 1";

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = answers();
    cases.extend(others());
    cases.extend(freshened());
    cases.extend(contradicted());
    cases
}

fn answers() -> Vec<Case> {
    vec![
        case("rfc9110_9_3_2_a_head_is_answered_from_a_get")
            .get()
            .ok(STORED)
            .miss()
            .wait(10)
            .head()
            .hit()
            .lines("Content-Length", &["6"])
            .lines("X-Old", &["1"])
            .lines("ETag", &["\"a\""])
            .lines("Age", &["10"])
            .body("")
            .both(),
        case("rfc9110_9_3_2_a_head_is_answered_from_a_404")
            .get()
            .origin(404, "Cache-Control: max-age=100")
            .miss()
            .head()
            .hit()
            .status(404),
        case("rfc9111_4_a_get_is_not_answered_from_a_head")
            .head()
            .ok(STORED)
            .says("body 1")
            .miss()
            .get()
            .miss()
            .both(),
        case("rfc9110_9_3_2_a_head_goes_on_as_one")
            .head()
            .ok("")
            .miss()
            .sent_method("HEAD")
            .body(""),
        case("rfc9111_4_2_a_stale_get_answers_no_head")
            .get()
            .ok("Cache-Control: max-age=10")
            .miss()
            .wait(10)
            .head()
            .miss(),
    ]
}

fn others() -> Vec<Case> {
    vec![
        case("rfc9111_4_1_a_head_has_its_variant")
            .get()
            .with("Accept: a")
            .ok("Cache-Control: max-age=100 | Vary: Accept | X-Variant: a")
            .miss()
            .head()
            .with("Accept: a")
            .hit()
            .has("X-Variant: a")
            .head()
            .with("Accept: b")
            .miss(),
        case("rfc9110_14_2_a_range_of_a_head_is_ignored")
            .get()
            .ok(STORED)
            .miss()
            .head()
            .with("Range: bytes=0-1")
            .hit()
            .status(200),
        case("rfc9110_9_3_2_the_length_of_a_head_is_that_of_a_chunked_get_or_none")
            .get()
            .ok(STORED)
            .delivered(crate::harness::Delivery::Chunked)
            .miss()
            .head()
            .hit()
            .lacks("Content-Length: 0"),
    ]
}

/// A stored GET that is stale when a HEAD asks, which the origin answers with a 200.
fn after_head(name: &str, lines: &str) -> Case {
    case(name)
        .get()
        .ok(STORED)
        .miss()
        .wait(200)
        .head()
        .ok(lines)
        .reached()
        .get()
}

/// What was stored is fresh still, and a HEAD that insists reaches the origin.
fn while_fresh(name: &str, lines: &str) -> Case {
    case(name)
        .get()
        .ok(STORED)
        .miss()
        .head()
        .with("Cache-Control: no-cache")
        .ok(lines)
        .reached()
        .get()
}

/// §4.3.5: the answer to a HEAD updates a stored GET that it matches.
fn freshened() -> [Case; 5] {
    let same = "Cache-Control: max-age=100 | ETag: \"a\" | Content-Length: 6 | X-New: 1";
    [
        after_head("rfc9111_4_3_5_a_head_that_matches_freshens_a_get", same)
            .hit()
            .has("X-New: 1")
            .has("X-Old: 1")
            .has("Content-Length: 6")
            .wait(99)
            .get()
            .hit(),
        after_head(
            "rfc9111_4_3_5_a_head_that_matches_by_its_time_freshens_a_get",
            "Cache-Control: max-age=100 | Last-Modified: {date-1200} | Content-Length: 6 | X-New: 1",
        )
        .hit()
        .has("X-New: 1"),
        while_fresh("rfc9111_4_3_5_a_head_updates_a_get_that_is_fresh", same)
            .hit()
            .has("X-New: 1"),
        case("rfc9111_4_3_5_a_304_to_a_head_freshens_a_get")
            .get()
            .ok(STORED)
            .miss()
            .wait(200)
            .head()
            .validated()
            .status(200)
            .sent("If-None-Match: \"a\"")
            .get()
            .hit_of(1),
        case("rfc9111_4_3_5_a_500_to_a_head_freshens_nothing")
            .get()
            .ok(STORED)
            .miss()
            .wait(200)
            .head()
            .origin(
                500,
                "Cache-Control: max-age=100 | ETag: \"a\" | Content-Length: 6",
            )
            .reached()
            .get()
            .reached(),
    ]
}

/// §4.3.5: what it does not match is stale from then on.
fn contradicted() -> [Case; 5] {
    [
        while_fresh(
            "rfc9111_4_3_5_a_head_with_another_tag_makes_a_get_stale",
            "Cache-Control: max-age=100 | ETag: \"b\" | Content-Length: 6",
        )
        .miss(),
        while_fresh(
            "rfc9111_4_3_5_a_head_with_another_length_makes_a_get_stale",
            "Cache-Control: max-age=100 | ETag: \"a\" | Content-Length: 999",
        )
        .miss(),
        while_fresh(
            "rfc9111_4_3_5_a_head_with_another_time_makes_a_get_stale",
            "Cache-Control: max-age=100 | Last-Modified: {date-10} | Content-Length: 6",
        )
        .miss(),
        after_head(
            "rfc9111_4_3_5_a_head_with_another_tag_freshens_nothing",
            "Cache-Control: max-age=100 | ETag: \"b\" | Content-Length: 6",
        )
        .miss(),
        after_head(
            "rfc9111_4_3_5_a_head_with_another_length_freshens_nothing",
            "Cache-Control: max-age=100 | ETag: \"a\" | Content-Length: 7",
        )
        .miss(),
    ]
}
