//! Validation of what is stored, and what its outcome does to it (RFC 9111 §3.2, §4.3).

use crate::harness::{Case, case};

const BOTH: &str = "Cache-Control: max-age=10 | ETag: \"a\" | Last-Modified: {date-1000}";
const TAGGED: &str = "Cache-Control: max-age=10 | ETag: \"a\"";
const AGAIN: &str = "Cache-Control: max-age=10 | ETag: \"a\"";

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = requests();
    cases.extend(UPDATED.map(updated));
    cases.extend(KEPT.map(left));
    cases.extend(merged());
    cases.extend(merged_times());
    cases.extend(renewed());
    cases.extend(replaced());
    cases.extend(failed());
    cases.extend(mismatched());
    cases
}

/// A response that is stale at the second request.
fn stale(name: &str, stored: &str) -> Case {
    case(name).get().ok(stored).miss().wait(20).get()
}

/// §4.3.1: what is asked.
fn requests() -> Vec<Case> {
    vec![
        stale("rfc9111_4_3_1_the_tag_is_sent", TAGGED)
            .validated()
            .sent("If-None-Match: \"a\"")
            .unsent("If-Modified-Since")
            .both(),
        stale(
            "rfc9111_4_3_1_a_weak_tag_is_sent_as_it_is",
            "Cache-Control: max-age=10 | ETag: W/\"a\"",
        )
        .validated()
        .sent("If-None-Match: W/\"a\""),
        stale(
            "rfc9111_4_3_1_the_time_of_modification_is_sent",
            "Cache-Control: max-age=10 | Last-Modified: {date-1000}",
        )
        .validated()
        .sent("If-Modified-Since: {date-1020}")
        .unsent("If-None-Match")
        .both(),
        stale("rfc9111_4_3_1_both_validators_are_sent", BOTH)
            .validated()
            .sent("If-None-Match: \"a\"")
            .sent("If-Modified-Since: {date-1020}"),
        stale(
            "rfc9111_4_3_1_without_validators_no_condition_is_sent",
            "Cache-Control: max-age=10",
        )
        .miss()
        .unsent("If-None-Match")
        .unsent("If-Modified-Since"),
        case("rfc9111_4_3_1_the_headers_that_it_varies_by_are_sent")
            .get()
            .with("Accept: a/b | Accept-Language: de")
            .ok("Cache-Control: max-age=10 | ETag: \"a\" | Vary: Accept, Accept-Language")
            .miss()
            .wait(20)
            .get()
            .with("Accept: a/b | Accept-Language: de")
            .validated()
            .sent("Accept: a/b")
            .sent("Accept-Language: de")
            .both(),
        stale("rfc9111_4_3_1_other_headers_of_the_request_are_sent", TAGGED)
            .with("X-Other: 1 | User-Agent: a/1")
            .validated()
            .sent("X-Other: 1")
            .sent("User-Agent: a/1"),
        case("rfc9111_4_3_1_the_same_target_is_asked")
            .get_at("/path?a=1&b=%20")
            .ok(TAGGED)
            .miss()
            .wait(20)
            .get_at("/path?a=1&b=%20")
            .validated()
            .get_at("/path?a=1&b=%20")
            .hit(),
        // What validates is the whole: a range would have a 206 for its answer.
        stale("rfc9111_4_3_1_a_stale_response_answers_no_range_unasked", TAGGED)
            .with("Range: bytes=0-3")
            .reached()
            .get()
            .any()
            .status(200),
        stale(
            "rfc9111_4_2_a_fresh_response_is_not_validated",
            "Cache-Control: max-age=100 | ETag: \"a\"",
        )
        .hit(),
    ]
}

/// §3.2: what a 304 says replaces what is stored.
const UPDATED: [&str; 16] = [
    "Content-Type: text/plain",
    "Content-Language: de",
    "Content-Location: /new",
    "Content-Disposition: inline",
    "Content-Security-Policy: default-src 'self'",
    "Link: </new>",
    "Server: new",
    "Set-Cookie: a=2",
    "Strict-Transport-Security: max-age=2",
    "Access-Control-Allow-Origin: *",
    "X-Test: new",
    "X-Content-Type-Options: nosniff",
    "X-Frame-Options: DENY",
    "Cache-Control: max-age=77",
    "Last-Modified: {date-10}",
    "Expires: {date+50}",
];

/// §3.2: what describes the bytes that are stored stays, whatever a 304 says.
const KEPT: [(&str, &str); 3] = [
    ("Content-Length", "99"),
    ("Content-Encoding", "gzip"),
    ("Content-Range", "bytes 0-3/99"),
];

fn old(name: &str) -> &'static str {
    match name {
        "Cache-Control" => "max-age=10",
        "Last-Modified" => "{date-1000}",
        "Expires" => "{date+10}",
        _ => "old",
    }
}

fn updated(line: &str) -> Case {
    let (name, new) = line.split_once(": ").expect("a line");
    let first = match name {
        "Expires" => "ETag: \"a\" | Expires: {date+10}".to_owned(),
        "Cache-Control" => TAGGED.to_owned(),
        _ => format!("{TAGGED} | {name}: {}", old(name)),
    };
    let id = name.to_ascii_lowercase().replace('-', "_");
    stale(&format!("rfc9111_3_2_{id}_is_updated_by_a_304"), &first)
        .origin(304, &format!("ETag: \"a\" | {line}"))
        .validated()
        .lines(name, &[new])
        .get()
        .hit()
        .lines(name, &[new])
}

fn left((name, value): (&str, &str)) -> Case {
    let id = name.to_ascii_lowercase().replace('-', "_");
    stale(&format!("rfc9111_3_2_{id}_is_not_updated_by_a_304"), TAGGED)
        .says("body 1")
        .origin(304, &format!("ETag: \"a\" | {name}: {value}"))
        .validated()
        .lacks(&format!("{name}: {value}"))
        .get()
        .hit()
        .lacks(&format!("{name}: {value}"))
}

/// §3.2: the rest of how headers are updated.
fn merged() -> Vec<Case> {
    vec![
        stale("rfc9111_3_2_a_new_field_of_a_304_is_added", TAGGED)
            .origin(304, "X-New: 1")
            .validated()
            .has("X-New: 1")
            .get()
            .hit()
            .lines("X-New", &["1"]),
        stale(
            "rfc9111_3_2_a_field_that_a_304_lacks_stays",
            "Cache-Control: max-age=10 | ETag: \"a\" | X-Old: 1",
        )
        .validated()
        .has("X-Old: 1")
        .get()
        .hit()
        .lines("X-Old", &["1"]),
        stale(
            "rfc9111_3_2_all_lines_of_a_field_are_replaced",
            "Cache-Control: max-age=10 | ETag: \"a\" | X-A: 1 | X-A: 2",
        )
        .origin(304, "X-A: 3")
        .validated()
        .get()
        .hit()
        .lines("X-A", &["3"]),
        stale(
            "rfc9111_3_2_one_line_is_replaced_by_several",
            "Cache-Control: max-age=10 | ETag: \"a\" | X-A: 1",
        )
        .origin(304, "X-A: 2 | X-A: 3")
        .validated()
        .get()
        .hit()
        .lines("X-A", &["2", "3"]),
        stale(
            "rfc9111_3_1_fields_of_the_connection_of_a_304_are_not_stored",
            TAGGED,
        )
        .origin(304, "Connection: X-Hop | X-Hop: 1 | Keep-Alive: timeout=5")
        .validated()
        .lacks("X-Hop")
        .get()
        .hit()
        .lacks("X-Hop")
        .lacks("Keep-Alive"),
    ]
}

fn merged_times() -> Vec<Case> {
    vec![
        stale("rfc9111_3_2_the_date_is_updated", TAGGED)
            .validated()
            .lines("Date", &["{date}"])
            .wait(5)
            .get()
            .hit()
            .lines("Date", &["{date-5}"])
            .lines("Age", &["5"]),
        stale(
            "rfc9111_4_3_4_a_304_makes_it_fresh_with_merged_headers",
            "Cache-Control: max-age=10 | ETag: \"a\" | X-A: 1 | X-B: 1",
        )
        .origin(304, "ETag: \"a\" | Cache-Control: max-age=500 | X-B: 2")
        .validated()
        .status(200)
        .lines("X-A", &["1"])
        .lines("X-B", &["2"])
        .wait(499)
        .get()
        .hit()
        .wait(1)
        .get()
        .reached()
        .both(),
    ]
}

/// §4.3.4: how long it is fresh after a 304.
fn renewed() -> [Case; 6] {
    [
        stale("rfc9111_4_3_4_a_304_without_validators_freshens", TAGGED)
            .validated()
            .get()
            .hit()
            .wait(10)
            .get()
            .validated(),
        stale("rfc9111_4_3_4_a_304_with_its_tag_freshens", TAGGED)
            .origin(304, AGAIN)
            .validated()
            .get()
            .hit(),
        stale("rfc9111_4_3_4_a_304_with_its_time_freshens", BOTH)
            .origin(304, "Last-Modified: {date-1020}")
            .validated()
            .get()
            .hit(),
        // Its Expires lies before its new Date.
        stale(
            "rfc9111_4_3_4_a_304_without_expires_leaves_an_expired_response",
            "Expires: {date+10} | ETag: \"a\"",
        )
        .validated()
        .get()
        .validated(),
        stale(
            "rfc9111_4_3_4_a_304_can_shorten_the_lifetime",
            "Cache-Control: max-age=10 | ETag: \"a\"",
        )
        .origin(304, "Cache-Control: max-age=2")
        .validated()
        .wait(1)
        .get()
        .hit()
        .wait(1)
        .get()
        .validated(),
        stale("rfc9111_4_3_4_a_304_that_says_no_cache", TAGGED)
            .origin(304, "Cache-Control: no-cache")
            .validated()
            .get()
            .validated(),
    ]
}

/// §4.3.3: a full response replaces what is stored.
fn replaced() -> [Case; 5] {
    [
        stale(
            "rfc9111_4_3_3_a_200_replaces_what_is_stored",
            "Cache-Control: max-age=10 | ETag: \"a\" | X-Old: 1",
        )
        .ok("Cache-Control: max-age=10 | ETag: \"b\" | X-New: 1")
        .miss()
        .sent("If-None-Match: \"a\"")
        .get()
        .hit()
        .lacks("X-Old")
        .has("X-New: 1")
        .wait(10)
        .get()
        .validated()
        .sent("If-None-Match: \"b\"")
        .both(),
        stale("rfc9111_4_3_3_a_404_replaces_what_is_stored", TAGGED)
            .origin(404, "Cache-Control: max-age=10")
            .miss()
            .get()
            .hit(),
        stale("rfc9111_4_3_3_a_301_replaces_what_is_stored", TAGGED)
            .origin(301, "Cache-Control: max-age=10 | Location: /new")
            .miss()
            .get()
            .hit()
            .has("Location: /new"),
        stale(
            "rfc9111_4_3_3_a_200_with_the_same_tag_replaces_what_is_stored",
            TAGGED,
        )
        .ok(TAGGED)
        .miss()
        .get()
        .hit(),
        // The new representation may not be kept; the old one is not what the origin has.
        stale(
            "rfc9111_4_3_3_a_200_that_may_not_be_kept_ends_the_old_one",
            TAGGED,
        )
        .ok("Cache-Control: no-store")
        .miss()
        .get()
        .miss(),
    ]
}

/// §4.3.3: an error of the origin is passed on where nothing allows a stale answer, and leaves what is stored.
fn failed() -> Vec<Case> {
    let mut cases: Vec<Case> = [500, 502, 503, 504]
        .map(|status| {
            stale(
                &format!("rfc9111_4_3_3_a_{status}_passes_and_leaves_what_is_stored"),
                TAGGED,
            )
            .origin(status, "")
            .miss()
            .get()
            .validated_of(1)
            .sent("If-None-Match: \"a\"")
        })
        .into();
    cases.push(
        stale("rfc9111_4_3_3_an_error_leaves_it_stale", TAGGED)
            .origin(503, "")
            .miss()
            .get()
            .reached(),
    );
    cases
}

/// §4.3.4: a 304 with a strong validator of something else updates nothing.
fn mismatched() -> [Case; 2] {
    [
        stale(
            "rfc9111_4_3_4_a_304_with_another_strong_tag_freshens_nothing",
            TAGGED,
        )
        .origin(304, "ETag: \"b\" | Cache-Control: max-age=1000")
        .reached()
        .wait(20)
        .get()
        .ok("Cache-Control: max-age=10 | ETag: \"b\"")
        .reached()
        .unsent("If-None-Match"),
        stale(
            "rfc9111_4_3_4_a_304_with_another_strong_tag_updates_nothing",
            "Cache-Control: max-age=10 | ETag: \"a\" | X-A: 1",
        )
        .origin(304, "ETag: \"b\" | X-A: 2")
        .reached()
        .lacks("X-A: 2"),
    ]
}
