//! Ranges of what is stored (RFC 9110 §13.1.5, §14, §15.3.7, §15.5.17), and what is not stored of them.

use crate::harness::{Case, case};

const STORED: &str =
    "Cache-Control: max-age=100 | ETag: \"a\" | Last-Modified: {date-1000} | Content-Type: text/plain";
const WEAK: &str = "Cache-Control: max-age=100 | ETag: W/\"a\"";
const DIGITS: &str = "0123456789";

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = SINGLE.into_iter().map(single).collect();
    cases.extend(
        WHOLE
            .into_iter()
            .map(|(name, stored, lines)| ranged(name, stored, lines).status(200).body(DIGITS).both()),
    );
    cases.extend(UNSATISFIABLE.into_iter().map(unsatisfiable));
    cases.extend(several());
    cases.extend(if_range());
    cases.extend(others());
    cases.extend(of_the_origin());
    cases
}

/// Ten digits stored, and a request with these lines that the cache answers.
fn ranged(name: &str, stored: &str, lines: &str) -> Case {
    case(name)
        .get()
        .ok(stored)
        .says(DIGITS)
        .miss()
        .get()
        .with(lines)
        .hit()
}

/// A name, the range, what it brings, and its first and last position.
type Row = (&'static str, &'static str, &'static str, &'static str);

const SINGLE: [Row; 11] = [
    ("from_the_beginning", "bytes=0-3", "0123", "0-3"),
    ("of_the_middle", "bytes=4-6", "456", "4-6"),
    ("of_one_byte", "bytes=9-9", "9", "9-9"),
    ("of_the_first_byte", "bytes=0-0", "0", "0-0"),
    ("that_is_open", "bytes=7-", "789", "7-9"),
    ("that_is_open_from_the_beginning", "bytes=0-", DIGITS, "0-9"),
    ("of_a_suffix", "bytes=-3", "789", "7-9"),
    ("of_a_suffix_longer_than_all", "bytes=-100", DIGITS, "0-9"),
    ("that_ends_after_the_end", "bytes=5-100", "56789", "5-9"),
    (
        "that_ends_far_after_the_end",
        "bytes=8-99999999999999999999",
        "89",
        "8-9",
    ),
    ("in_a_unit_in_capitals", "Bytes=0-3", "0123", "0-3"),
];

fn single((name, range, body, position): Row) -> Case {
    let case = ranged(
        &format!("rfc9110_14_1_2_a_range_{name}"),
        STORED,
        &format!("Range: {range}"),
    );
    case.status(206)
        .body(body)
        .lines("Content-Range", &[&format!("bytes {position}/10")])
        .lines("Content-Length", &[&body.len().to_string()])
        .lines("ETag", &["\"a\""])
        .lines("Content-Type", &["text/plain"])
        .both()
}

/// §14.2: what cannot be read, or not be used, is as if it were not there.
const WHOLE: [(&str, &str, &str); 7] = [
    (
        "rfc9110_14_2_a_range_in_another_unit_is_ignored",
        STORED,
        "Range: lines=0-3",
    ),
    (
        "rfc9110_13_1_5_if_range_of_another_tag_brings_the_whole",
        STORED,
        "Range: bytes=0-3 | If-Range: \"b\"",
    ),
    (
        "rfc9110_13_1_5_if_range_is_strong_of_a_weak_tag",
        WEAK,
        "Range: bytes=0-3 | If-Range: W/\"a\"",
    ),
    (
        "rfc9110_13_1_5_if_range_is_strong_of_a_strong_tag",
        STORED,
        "Range: bytes=0-3 | If-Range: W/\"a\"",
    ),
    (
        "rfc9110_13_1_5_if_range_of_a_later_date_brings_the_whole",
        STORED,
        "Range: bytes=0-3 | If-Range: {date-500}",
    ),
    (
        "rfc9110_13_1_5_if_range_of_an_earlier_date_brings_the_whole",
        STORED,
        "Range: bytes=0-3 | If-Range: {date-2000}",
    ),
    (
        "rfc9110_13_1_5_if_range_of_a_tag_where_none_is_stored",
        "Cache-Control: max-age=100",
        "Range: bytes=0-3 | If-Range: \"a\"",
    ),
];

const UNSATISFIABLE: [(&str, &str); 4] = [
    ("at_the_end", "bytes=10-"),
    ("behind_the_end", "bytes=100-200"),
    ("of_an_empty_suffix", "bytes=-0"),
    ("that_are_all_behind_the_end", "bytes=10-11, 20-"),
];

fn unsatisfiable((name, range): (&str, &str)) -> Case {
    ranged(
        &format!("rfc9110_15_5_17_a_range_{name}_is_not_satisfiable"),
        STORED,
        &format!("Range: {range}"),
    )
    .status(416)
    .lines("Content-Range", &["bytes */10"])
    .get()
    .hit()
    .both()
}

/// §15.3.7.2: several ranges are several parts; overlapping ones may be joined, or all of it sent.
fn several() -> [Case; 4] {
    let many = format!("Range: bytes={}", vec!["0-"; 500].join(","));
    [
        ranged(
            "rfc9110_15_3_7_2_two_ranges_are_two_parts",
            STORED,
            "Range: bytes=0-1, 8-9",
        )
        .status(206)
        .lacks("Content-Range")
        .contains("content-range: bytes 0-1/10")
        .contains("content-range: bytes 8-9/10")
        .contains("content-type: text/plain"),
        ranged(
            "rfc9110_14_2_of_several_ranges_those_behind_the_end_are_left_out",
            STORED,
            "Range: bytes=0-1, 20-30",
        )
        .status(206)
        .contains("01"),
        // A server may ignore, coalesce or refuse them, but not answer with 500 times the whole.
        ranged(
            "rfc9110_17_15_many_overlapping_ranges_do_not_multiply",
            STORED,
            &many,
        )
        .statuses(&[200, 206, 416])
        .body_at_most(2000),
        ranged(
            "rfc9110_14_2_a_suffix_and_a_range",
            STORED,
            "Range: bytes=-1, 0-0",
        )
        .status(206)
        .contains("bytes 9-9/10")
        .contains("bytes 0-0/10"),
    ]
}

fn if_range() -> [Case; 4] {
    let part = |name: &str, lines: &str| ranged(name, STORED, lines).status(206).body("0123").both();
    [
        part(
            "rfc9110_13_1_5_if_range_of_its_tag_brings_the_part",
            "Range: bytes=0-3 | If-Range: \"a\"",
        ),
        part(
            "rfc9110_13_1_5_if_range_of_its_time_brings_the_part",
            "Range: bytes=0-3 | If-Range: {date-1000}",
        ),
        // A time as late as the Date is no strong validator (§8.8.2.2).
        ranged(
            "rfc9110_13_1_5_if_range_of_a_weak_time_brings_the_whole",
            "Cache-Control: max-age=100 | Last-Modified: {date}",
            "Range: bytes=0-3 | If-Range: {date}",
        )
        .status(200)
        .body(DIGITS),
        ranged(
            "rfc9110_13_1_5_if_range_without_a_range_says_nothing",
            STORED,
            "If-Range: \"b\"",
        )
        .status(200),
    ]
}

fn others() -> [Case; 9] {
    [
        ranged(
            "rfc9110_13_2_2_if_none_match_comes_before_the_range",
            STORED,
            "Range: bytes=0-3 | If-None-Match: \"a\"",
        )
        .status(304),
        ranged(
            "rfc9110_13_2_2_a_range_after_if_none_match_of_another",
            STORED,
            "Range: bytes=0-3 | If-None-Match: \"b\"",
        )
        .status(206)
        .body("0123"),
        ranged(
            "rfc9110_13_2_2_if_match_comes_before_the_range",
            STORED,
            "Range: bytes=0-3 | If-Match: \"b\"",
        )
        .status(412),
        case("rfc9110_14_2_a_stored_404_has_no_ranges")
            .get()
            .origin(404, STORED)
            .says(DIGITS)
            .miss()
            .get()
            .with("Range: bytes=0-3")
            .hit()
            .both(),
        ranged("rfc9110_15_3_7_a_part_has_its_age", STORED, "Range: bytes=0-3")
            .status(206)
            .wait(10)
            .get()
            .with("Range: bytes=0-3")
            .hit()
            .status(206)
            .lines("Age", &["10"])
            .lines("Date", &["{date-10}"]),
        ranged("rfc9110_14_2_a_part_leaves_the_whole", STORED, "Range: bytes=0-3")
            .status(206)
            .get()
            .hit()
            .body(DIGITS),
        // An invalid range may be ignored or refused (§14.2).
        ranged("rfc9110_14_2_a_range_that_is_none", STORED, "Range: bytes=cow")
            .statuses(&[200, 416])
            .get()
            .hit(),
        ranged(
            "rfc9110_14_1_1_a_range_that_ends_before_it_begins",
            STORED,
            "Range: bytes=5-3",
        )
        .statuses(&[200, 416])
        .get()
        .hit(),
        case("rfc9110_14_2_a_range_of_a_variant")
            .get()
            .with("Accept: a")
            .ok("Cache-Control: max-age=100 | Vary: Accept")
            .says(DIGITS)
            .miss()
            .get()
            .with("Accept: b | Range: bytes=0-3")
            .reached(),
    ]
}

/// RFC 9111 §3.3: a part is never stored as the whole.
fn of_the_origin() -> [Case; 5] {
    let part = |name: &str, content_range: &str, body: &str| {
        case(name)
            .get()
            .with("Range: bytes=0-3")
            .origin(206, &format!("{STORED} | Content-Range: {content_range}"))
            .says(body)
            .miss()
            .status(206)
            .body(body)
    };
    [
        part("rfc9111_3_3_a_206_is_no_whole", "bytes 0-3/10", "0123")
            .get()
            .miss(),
        part(
            "rfc9111_3_3_a_206_answers_no_head_as_the_whole",
            "bytes 0-3/10",
            "0123",
        )
        .head()
        .miss(),
        // An origin errs that answers so to a request for the whole.
        case("rfc9111_3_3_a_206_that_nobody_asked_for_is_not_kept")
            .get()
            .origin(206, &format!("{STORED} | Content-Range: bytes 0-3/10"))
            .says("0123")
            .reached()
            .get()
            .miss(),
        case("rfc9110_15_5_17_a_416_of_the_origin_is_not_for_others")
            .get()
            .with("Range: bytes=100-")
            .origin(416, "Content-Range: bytes */10 | Cache-Control: max-age=100")
            .miss()
            .get()
            .miss(),
        case("rfc9110_14_2_a_200_to_a_range_passes")
            .get()
            .with("Range: bytes=0-3")
            .ok(STORED)
            .says(DIGITS)
            .miss(),
    ]
}
