//! Conditions that go on to the origin: the client's, and the cache's own (RFC 9110 §13.2.1, RFC 9111 §4.3).

use crate::harness::{Case, case};

const MODIFIED: &str = "Cache-Control: max-age=3600 | Last-Modified: {date-1000}";
const TAGGED: &str = "Cache-Control: max-age=3600 | ETag: \"a\"";

pub(crate) fn cases() -> Vec<Case> {
    nothing_stored().into_iter().chain(stale()).collect()
}

/// RFC 9110 §13.2.1: a cache that has nothing to evaluate a condition against passes it on.
fn nothing_stored() -> [Case; 5] {
    [
        case("rfc9110_13_2_1_conditions_pass_when_nothing_is_stored")
            .get()
            .with("If-None-Match: \"a\" | If-Modified-Since: {date-100}")
            .origin(304, "ETag: \"a\" | Cache-Control: max-age=100")
            .miss()
            .sent("If-None-Match: \"a\"")
            .sent("If-Modified-Since: {date-100}")
            .get()
            .miss(),
        case("rfc9110_13_2_1_if_match_passes_when_nothing_is_stored")
            .get()
            .with("If-Match: \"a\"")
            .origin(412, "")
            .miss()
            .sent("If-Match: \"a\""),
        case("rfc9110_13_2_1_if_unmodified_since_passes_when_nothing_is_stored")
            .get()
            .with("If-Unmodified-Since: {date-100}")
            .origin(412, "")
            .miss()
            .sent("If-Unmodified-Since: {date-100}"),
        case("rfc9111_3_a_200_to_a_condition_of_the_client_is_kept")
            .get()
            .with("If-None-Match: \"a\"")
            .ok("Cache-Control: max-age=100 | ETag: \"b\"")
            .miss()
            .get()
            .hit(),
        case("rfc9111_4_3_4_a_304_to_a_condition_of_the_client_freshens_no_other_response")
            .get()
            .with("X-A: 1")
            .ok("Cache-Control: max-age=10 | ETag: \"a\" | Vary: X-A")
            .miss()
            .wait(20)
            .get()
            .with("X-A: 2 | If-None-Match: \"z\"")
            .origin(304, "ETag: \"z\" | Cache-Control: max-age=100 | Vary: X-A")
            .miss()
            .get()
            .with("X-A: 1")
            .reached(),
    ]
}

/// RFC 9111 §4.3.1, §4.3.2: the cache asks with its own validators, and answers the client by the client's.
fn stale() -> [Case; 5] {
    let stale = |name: &str, stored: &str| case(name).get().ok(stored).miss().wait(3600).get();
    [
        stale("rfc9111_4_3_2_a_condition_that_holds_after_a_validation", TAGGED)
            .with("If-None-Match: \"a\"")
            .validated()
            .status(304),
        stale("rfc9111_4_3_2_a_condition_that_fails_after_a_validation", TAGGED)
            .with("If-None-Match: \"b\"")
            .origin(304, "ETag: \"a\"")
            .validated(),
        stale("rfc9111_4_3_2_a_date_that_holds_after_a_validation", MODIFIED)
            .with("If-Modified-Since: {date-3600}")
            .validated()
            .status(304),
        stale("rfc9111_4_3_3_a_200_to_a_validation_answers_the_client", TAGGED)
            .with("If-None-Match: \"a\"")
            .ok("Cache-Control: max-age=3600 | ETag: \"b\"")
            .miss()
            .get()
            .hit(),
        stale("rfc9111_4_3_1_the_cache_asks_with_its_own_tag", TAGGED)
            .with("If-Modified-Since: {date-5000}")
            .validated()
            .sent("If-None-Match: \"a\""),
    ]
}
