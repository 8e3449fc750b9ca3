//! Which of several responses answers a request (RFC 9111 §4, §4.1).

use crate::harness::shapes::{not_kept, table};
use crate::harness::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = table(
        "rfc9111_4_1_vary_star",
        |name, lines| not_kept(name, lines).both(),
        &STARS,
    )
    .collect();
    cases.extend(SAME.map(same));
    cases.extend(OTHER.map(other));
    cases
}

const STARS: [(&str, &str); 7] = [
    ("alone", "Cache-Control: max-age=100 | Vary: *"),
    ("last", "Cache-Control: max-age=100 | Vary: X-A, *"),
    ("first", "Cache-Control: max-age=100 | Vary: *, X-A"),
    ("in_the_middle", "Cache-Control: max-age=100 | Vary: X-A,*,X-B"),
    (
        "on_the_second_line",
        "Cache-Control: max-age=100 | Vary: X-A | Vary: *",
    ),
    (
        "on_the_first_line",
        "Cache-Control: max-age=100 | Vary: * | Vary: X-A",
    ),
    ("after_an_empty_member", "Cache-Control: max-age=100 | Vary: , *"),
];

/// What differs without a difference: a name, `Vary`, the lines of the first request, those of the second.
type Row = (&'static str, &'static str, &'static str, &'static str);

const SAME: [Row; 33] = [
    ("the_same_value", "X-A", "X-A: 1", "X-A: 1"),
    ("a_header_that_neither_has", "X-A", "", ""),
    (
        "a_header_that_is_not_named",
        "X-A",
        "X-A: 1 | X-B: 1",
        "X-A: 1 | X-B: 2",
    ),
    ("names_in_another_case", "x-a", "X-A: 1", "x-A: 1"),
    ("two_headers", "X-A, X-B", "X-A: 1 | X-B: 2", "X-B: 2 | X-A: 1"),
    (
        "two_lines_of_vary",
        "X-A | Vary: X-B",
        "X-A: 1 | X-B: 2",
        "X-A: 1 | X-B: 2",
    ),
    ("a_name_twice", "X-A, X-A", "X-A: 1", "X-A: 1"),
    ("an_empty_vary", "", "X-A: 1", "X-A: 2"),
    ("spaces_around_the_value", "X-A", "X-A: 1", "X-A:    1  "),
    ("spaces_in_a_list", "X-A", "X-A: 1, 2", "X-A: 1,2"),
    ("more_spaces_in_a_list", "X-A", "X-A: 1 ,  2", "X-A: 1, 2"),
    ("a_list_on_two_lines", "X-A", "X-A: 1, 2", "X-A: 1 | X-A: 2"),
    (
        "encodings_in_another_case",
        "Accept-Encoding",
        "Accept-Encoding: gzip",
        "Accept-Encoding: GZip",
    ),
    (
        "encodings_with_spaces",
        "Accept-Encoding",
        "Accept-Encoding: gzip, br",
        "Accept-Encoding: gzip,br",
    ),
    (
        "encodings_in_another_order",
        "Accept-Encoding",
        "Accept-Encoding: gzip, br",
        "Accept-Encoding: br, gzip",
    ),
    (
        "encodings_on_two_lines",
        "Accept-Encoding",
        "Accept-Encoding: gzip, br",
        "Accept-Encoding: gzip | Accept-Encoding: br",
    ),
    (
        "encodings_with_a_weight_of_1",
        "Accept-Encoding",
        "Accept-Encoding: gzip",
        "Accept-Encoding: gzip;q=1.0",
    ),
    (
        "encodings_with_a_weight_of_zeros",
        "Accept-Encoding",
        "Accept-Encoding: gzip;q=0.5",
        "Accept-Encoding: gzip; q=0.500",
    ),
    (
        "encodings_with_a_weight_in_capitals",
        "Accept-Encoding",
        "Accept-Encoding: gzip;q=0.5",
        "Accept-Encoding: gzip;Q=0.5",
    ),
    (
        "encodings_by_their_old_names",
        "Accept-Encoding",
        "Accept-Encoding: gzip",
        "Accept-Encoding: x-gzip",
    ),
    (
        "encodings_twice",
        "Accept-Encoding",
        "Accept-Encoding: gzip",
        "Accept-Encoding: gzip, gzip",
    ),
    (
        "weights_of_encodings_in_another_order",
        "Accept-Encoding",
        "Accept-Encoding: gzip;q=0.5, br",
        "Accept-Encoding: br, gzip;q=0.5",
    ),
    (
        "languages_in_another_case",
        "Accept-Language",
        "Accept-Language: en",
        "Accept-Language: EN",
    ),
    (
        "regions_in_another_case",
        "Accept-Language",
        "Accept-Language: en-GB",
        "Accept-Language: en-gb",
    ),
    (
        "languages_with_spaces",
        "Accept-Language",
        "Accept-Language: en, de",
        "Accept-Language: en,de",
    ),
    (
        "languages_on_two_lines",
        "Accept-Language",
        "Accept-Language: en, de",
        "Accept-Language: en | Accept-Language: de",
    ),
    (
        "languages_with_a_weight_of_1",
        "Accept-Language",
        "Accept-Language: en",
        "Accept-Language: en;q=1.0",
    ),
    (
        "languages_with_a_weight_of_zeros",
        "Accept-Language",
        "Accept-Language: en;q=0.5",
        "Accept-Language: en ;q=0.50",
    ),
    // RFC 9110 §12.5.4: "this behavior cannot be relied upon", although some origins read the order as priority.
    (
        "languages_in_another_order",
        "Accept-Language",
        "Accept-Language: en, de",
        "Accept-Language: de, en",
    ),
    (
        "weights_of_languages_in_another_order",
        "Accept-Language",
        "Accept-Language: en;q=0.5, de",
        "Accept-Language: de, en;q=0.5",
    ),
    (
        "user_agents",
        "User-Agent",
        "User-Agent: a/1 (x)",
        "User-Agent: a/1 (x)",
    ),
    ("cookies", "Cookie", "Cookie: a=1; b=2", "Cookie: a=1; b=2"),
    (
        "three_headers_of_which_one_is_absent",
        "X-A, X-B, X-C",
        "X-A: 1 | X-C: 3",
        "X-C: 3 | X-A: 1",
    ),
];

const OTHER: [Row; 26] = [
    ("another_value", "X-A", "X-A: 1", "X-A: 2"),
    ("a_value_in_another_case", "X-A", "X-A: a", "X-A: A"),
    ("a_header_that_only_the_first_has", "X-A", "X-A: 1", ""),
    ("a_header_that_only_the_second_has", "X-A", "", "X-A: 1"),
    ("an_empty_header_and_none", "X-A", "X-A:", ""),
    ("no_header_and_an_empty_one", "X-A", "", "X-A:"),
    (
        "one_of_two_headers",
        "X-A, X-B",
        "X-A: 1 | X-B: 1",
        "X-A: 1 | X-B: 2",
    ),
    (
        "one_of_three_headers",
        "X-A, X-B, X-C",
        "X-A: 1 | X-B: 1 | X-C: 1",
        "X-A: 1 | X-B: 1 | X-C: 2",
    ),
    (
        "a_header_on_the_second_line_of_vary",
        "X-A | Vary: X-B",
        "X-A: 1 | X-B: 1",
        "X-A: 1 | X-B: 2",
    ),
    (
        "values_that_changed_places",
        "X-A, X-B",
        "X-A: 1 | X-B: 2",
        "X-A: 2 | X-B: 1",
    ),
    ("a_longer_list", "X-A", "X-A: 1", "X-A: 1, 2"),
    ("a_list_in_another_order", "X-A", "X-A: 1, 2", "X-A: 2, 1"),
    ("a_space_within_a_value", "X-A", "X-A: 1 2", "X-A: 12"),
    (
        "a_value_that_looks_like_two_headers",
        "X-A, X-B",
        "X-A: 1 | X-B: 2",
        "X-A: 1, X-B: 2",
    ),
    ("spaces_within_quotes", "X-A", "X-A: \"a, b\"", "X-A: \"a,b\""),
    (
        "other_encodings",
        "Accept-Encoding",
        "Accept-Encoding: gzip",
        "Accept-Encoding: br",
    ),
    (
        "fewer_encodings",
        "Accept-Encoding",
        "Accept-Encoding: gzip, br",
        "Accept-Encoding: gzip",
    ),
    (
        "an_encoding_that_is_refused",
        "Accept-Encoding",
        "Accept-Encoding: gzip",
        "Accept-Encoding: gzip;q=0",
    ),
    (
        "an_encoding_of_another_weight",
        "Accept-Encoding",
        "Accept-Encoding: gzip;q=0.5, br",
        "Accept-Encoding: gzip, br;q=0.5",
    ),
    (
        "no_encodings_and_an_empty_list",
        "Accept-Encoding",
        "",
        "Accept-Encoding:",
    ),
    (
        "identity_and_nothing",
        "Accept-Encoding",
        "Accept-Encoding: identity;q=0",
        "",
    ),
    (
        "other_languages",
        "Accept-Language",
        "Accept-Language: en",
        "Accept-Language: de",
    ),
    (
        "a_narrower_language",
        "Accept-Language",
        "Accept-Language: en",
        "Accept-Language: en-GB",
    ),
    (
        "a_language_of_another_weight",
        "Accept-Language",
        "Accept-Language: en, de;q=0.5",
        "Accept-Language: en;q=0.5, de",
    ),
    ("other_cookies", "Cookie", "Cookie: a=1", "Cookie: a=2"),
    (
        "other_user_agents",
        "User-Agent",
        "User-Agent: a/1",
        "User-Agent: a/2",
    ),
];

fn pair(name: &str, (what, vary, first, second): Row) -> Case {
    case(format!("rfc9111_4_1_{name}_{what}"))
        .get()
        .with(first)
        .ok(&format!("Cache-Control: max-age=100 | Vary: {vary}"))
        .miss()
        .get()
        .with(second)
}

fn same(row: Row) -> Case {
    pair("same", row).hit()
}

/// Two variants, of which each is found again.
fn other(row: Row) -> Case {
    let (_, vary, first, second) = row;
    pair("other", row)
        .ok(&format!("Cache-Control: max-age=100 | Vary: {vary}"))
        .miss()
        .get()
        .with(first)
        .hit_of(1)
        .get()
        .with(second)
        .hit_of(2)
}
