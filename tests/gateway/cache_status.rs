//! What the cache says of itself (RFC 9211).

use crate::harness::{Case, case};

const FRESH: &str = "Cache-Control: max-age=100";

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = hits().into();
    cases.extend(forwarded());
    cases.extend(forwarded_again());
    cases.extend(bypassed());
    cases.extend(lists());
    cases
}

fn hits() -> [Case; 7] {
    let stored = |name: &str| case(name).get().ok(FRESH).miss().wait(30).get();
    [
        stored("rfc9211_2_1_a_hit")
            .hit()
            .member("hit")
            .no_member("fwd")
            .both(),
        stored("rfc9211_2_4_the_time_left").hit().member("ttl=70").both(),
        case("rfc9211_2_4_the_time_left_is_below_zero_when_stale")
            .get()
            .ok("Cache-Control: max-age=10, stale-while-revalidate=60")
            .miss()
            .wait(30)
            .get()
            .behind(304, "")
            .hit()
            .member("hit")
            .member("ttl=-20"),
        case("rfc9211_2_4_the_time_left_is_less_the_age")
            .get()
            .ok("Cache-Control: max-age=100 | Age: 40")
            .miss()
            .get()
            .hit()
            .member("ttl=60"),
        case("rfc9211_2_1_a_304_is_a_hit")
            .get()
            .ok("Cache-Control: max-age=100 | ETag: \"a\"")
            .miss()
            .get()
            .with("If-None-Match: \"a\"")
            .hit()
            .status(304)
            .member("hit"),
        case("rfc9211_2_1_a_head_is_a_hit")
            .get()
            .ok(FRESH)
            .miss()
            .head()
            .hit()
            .member("hit"),
        case("rfc9211_2_1_a_part_is_a_hit")
            .get()
            .ok(FRESH)
            .miss()
            .get()
            .with("Range: bytes=0-1")
            .hit()
            .status(206)
            .member("hit"),
    ]
}

fn forwarded() -> Vec<Case> {
    vec![
        case("rfc9211_2_2_nothing_stored")
            .get()
            .ok(FRESH)
            .miss()
            .member("fwd=uri-miss")
            .member("stored")
            .no_member("hit")
            .both(),
        case("rfc9211_2_3_the_status_of_the_origin")
            .get()
            .origin(404, FRESH)
            .miss()
            .member("fwd-status=404")
            .both(),
        case("rfc9211_2_5_what_is_not_stored")
            .get()
            .ok("Cache-Control: no-store")
            .miss()
            .member("fwd=uri-miss")
            .no_member("stored")
            .both(),
        case("rfc9211_2_8_why_it_is_not_stored")
            .get()
            .ok("Cache-Control: private")
            .miss()
            .member("detail"),
        case("rfc9211_2_2_another_variant")
            .get()
            .with("Accept: a")
            .ok("Cache-Control: max-age=100 | Vary: Accept")
            .miss()
            .get()
            .with("Accept: b")
            .ok("Cache-Control: max-age=100 | Vary: Accept")
            .miss()
            .member("fwd=vary-miss")
            .both(),
    ]
}

/// Where something was stored, or nothing could be.
fn forwarded_again() -> Vec<Case> {
    vec![
        case("rfc9211_2_2_a_stale_response")
            .get()
            .ok("Cache-Control: max-age=10")
            .miss()
            .wait(20)
            .get()
            .ok(FRESH)
            .miss()
            .member("fwd=stale")
            .member("fwd-status=200")
            .member("stored"),
        case("rfc9211_2_2_a_validated_response")
            .get()
            .ok("Cache-Control: max-age=10 | ETag: \"a\"")
            .miss()
            .wait(20)
            .get()
            .validated()
            .member("fwd=stale")
            .member("fwd-status=304")
            .no_member("hit"),
        case("rfc9211_2_2_a_method")
            .post()
            .miss()
            .member("fwd=method")
            .no_member("hit")
            .both(),
        case("rfc9211_2_2_an_unknown_method")
            .ask("FOO", "/")
            .miss()
            .member("fwd=method"),
        case("rfc9211_2_2_what_the_request_asks")
            .get()
            .ok(FRESH)
            .miss()
            .get()
            .with("Cache-Control: no-cache")
            .miss()
            .member("fwd=request"),
    ]
}

fn bypassed() -> [Case; 4] {
    [
        case("rfc9211_2_2_a_cookie")
            .get()
            .with("Cookie: a=1")
            .miss()
            .member("fwd=bypass")
            .member("detail=cookie")
            .safe(),
        case("rfc9211_2_2_credentials")
            .get()
            .with("Authorization: Basic YTpi")
            .miss()
            .member("fwd=bypass")
            .member("detail=authorization")
            .safe(),
        case("rfc9211_2_6_a_request_that_waited")
            .get()
            .ok(FRESH)
            .held()
            .miss()
            .no_member("collapsed")
            .get()
            .hit_of(1)
            .waiting()
            .member("collapsed")
            .release(1)
            .release(2)
            .both(),
        case("rfc9211_2_2_a_request_with_a_body")
            .get()
            .body_sent("x")
            .miss()
            .no_member("stored"),
    ]
}

fn lists() -> [Case; 5] {
    [
        // §6: a key tells what a cache keys by, and what others asked for.
        case("rfc9211_6_no_key_of_a_miss")
            .get()
            .ok(FRESH)
            .miss()
            .no_member("key")
            .get()
            .hit()
            .no_member("key")
            .both(),
        case("rfc9211_2_the_members_of_others_come_first")
            .get()
            .ok("Cache-Control: max-age=100 | Cache-Status: Other; hit")
            .miss()
            .starts("Cache-Status", "Other; hit, larder;")
            .member("fwd=uri-miss"),
        case("rfc9211_2_a_stored_member_of_another_stays")
            .get()
            .ok("Cache-Control: max-age=100 | Cache-Status: Other; hit")
            .miss()
            .get()
            .hit()
            .member("hit"),
        case("rfc9211_2_a_forged_member_of_a_request_says_nothing")
            .get()
            .with("Cache-Status: larder; hit")
            .miss()
            .member("fwd=uri-miss")
            .no_member("hit"),
        case("rfc9211_2_an_earlier_member_of_ours_is_not_replayed")
            .get()
            .ok(FRESH)
            .miss()
            .get()
            .hit()
            .no_member("stored")
            .no_member("fwd-status"),
    ]
}
