//! The directives of a request (RFC 9111 §5.2.1, §5.4). The profile `Safe` does not obey them, so that no client makes
//! the origin work at will.

use crate::harness::{Case, case};

const FRESH: &str = "Cache-Control: max-age=100";
const TAGGED: &str = "Cache-Control: max-age=100 | ETag: \"a\"";

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = no_cache().into();
    cases.extend(bounds());
    cases.extend(min_fresh());
    cases.extend(max_stale());
    cases.extend(no_store());
    cases.extend(only_if_cached());
    cases.extend(safe());
    cases
}

/// A stored response, and after so many seconds a request with these lines.
fn asked(name: &str, response: &str, seconds: u64, request: &str) -> Case {
    case(name)
        .get()
        .ok(response)
        .miss()
        .wait(seconds)
        .get()
        .with(request)
}

fn no_cache() -> [Case; 9] {
    [
        asked(
            "rfc9111_5_2_1_4_no_cache_reaches_the_origin",
            FRESH,
            0,
            "Cache-Control: no-cache",
        )
        .miss(),
        asked(
            "rfc9111_5_2_1_4_no_cache_in_mixed_case",
            FRESH,
            0,
            "Cache-Control: No-Cache",
        )
        .miss(),
        asked(
            "rfc9111_5_2_1_4_no_cache_on_the_second_line",
            FRESH,
            0,
            "Cache-Control: foo | Cache-Control: no-cache",
        )
        .miss(),
        asked(
            "rfc9111_5_2_1_4_no_cache_within_a_quoted_string_says_nothing",
            FRESH,
            0,
            "Cache-Control: foo=\"no-cache\"",
        )
        .hit(),
        asked(
            "rfc9111_5_2_1_4_no_cache_validates",
            TAGGED,
            0,
            "Cache-Control: no-cache",
        )
        .validated()
        .sent("If-None-Match: \"a\""),
        asked(
            "rfc9111_5_2_1_4_what_no_cache_brings_is_kept",
            FRESH,
            0,
            "Cache-Control: no-cache",
        )
        .ok("Cache-Control: max-age=200")
        .miss()
        .wait(150)
        .get()
        .hit_of(2),
        asked(
            "rfc9111_5_4_pragma_no_cache_reaches_the_origin",
            FRESH,
            0,
            "Pragma: no-cache",
        )
        .miss(),
        asked(
            "rfc9111_5_4_pragma_says_nothing_beside_cache_control",
            FRESH,
            0,
            "Pragma: no-cache | Cache-Control: max-age=50",
        )
        .hit(),
        asked(
            "rfc9111_5_4_pragma_of_another_word_says_nothing",
            FRESH,
            0,
            "Pragma: foo",
        )
        .hit(),
    ]
}

fn bounds() -> Vec<Case> {
    vec![
        asked(
            "rfc9111_5_2_1_1_max_age_above_the_age",
            FRESH,
            20,
            "Cache-Control: max-age=30",
        )
        .hit(),
        asked(
            "rfc9111_5_2_1_1_max_age_of_the_age",
            FRESH,
            20,
            "Cache-Control: max-age=20",
        )
        .hit(),
        asked(
            "rfc9111_5_2_1_1_max_age_below_the_age",
            FRESH,
            20,
            "Cache-Control: max-age=10",
        )
        .miss(),
        asked(
            "rfc9111_5_2_1_1_max_age_of_zero",
            FRESH,
            1,
            "Cache-Control: max-age=0",
        )
        .miss(),
        asked(
            "rfc9111_5_2_1_1_max_age_of_zero_validates",
            TAGGED,
            1,
            "Cache-Control: max-age=0",
        )
        .validated(),
        asked(
            "rfc9111_5_2_1_1_max_age_counts_the_age_of_the_origin",
            "Cache-Control: max-age=100 | Age: 40",
            0,
            "Cache-Control: max-age=30",
        )
        .miss(),
        asked(
            "rfc9111_5_2_1_1_max_age_makes_nothing_fresh",
            FRESH,
            100,
            "Cache-Control: max-age=1000",
        )
        .miss(),
    ]
}

fn min_fresh() -> Vec<Case> {
    vec![
        asked(
            "rfc9111_5_2_1_3_min_fresh_below_what_is_left",
            FRESH,
            60,
            "Cache-Control: min-fresh=30",
        )
        .hit(),
        asked(
            "rfc9111_5_2_1_3_min_fresh_of_what_is_left",
            FRESH,
            60,
            "Cache-Control: min-fresh=40",
        )
        .hit(),
        asked(
            "rfc9111_5_2_1_3_min_fresh_above_what_is_left",
            FRESH,
            60,
            "Cache-Control: min-fresh=50",
        )
        .miss(),
        asked(
            "rfc9111_5_2_1_3_min_fresh_validates",
            TAGGED,
            60,
            "Cache-Control: min-fresh=50",
        )
        .validated(),
        asked(
            "rfc9111_5_2_1_directives_on_two_lines",
            FRESH,
            60,
            "Cache-Control: max-age=90 | Cache-Control: min-fresh=50",
        )
        .miss(),
    ]
}

fn max_stale() -> Vec<Case> {
    let mut cases = vec![
        asked(
            "rfc9111_5_2_1_2_max_stale_above_its_staleness",
            FRESH,
            105,
            "Cache-Control: max-stale=10",
        )
        .hit()
        .has("Age: 105"),
        asked(
            "rfc9111_5_2_1_2_max_stale_below_its_staleness",
            FRESH,
            120,
            "Cache-Control: max-stale=10",
        )
        .miss(),
        asked(
            "rfc9111_5_2_1_2_max_stale_without_a_number",
            FRESH,
            100_000,
            "Cache-Control: max-stale",
        )
        .hit(),
        asked(
            "rfc9111_5_2_1_2_max_stale_of_what_is_fresh",
            FRESH,
            10,
            "Cache-Control: max-stale=10",
        )
        .hit(),
        asked(
            "rfc9111_5_2_1_2_a_request_without_max_stale_is_not_answered_stale",
            FRESH,
            105,
            "Cache-Control: max-stale=10",
        )
        .hit()
        .get()
        .miss(),
    ];
    let forbids = ["must-revalidate", "proxy-revalidate", "s-maxage=100", "no-cache"];
    cases.extend(forbids.map(|directive| {
        let name = format!(
            "rfc9111_4_2_4_max_stale_yields_to_{}",
            directive.replace(['-', '='], "_")
        );
        let lines = format!("Cache-Control: max-age=100, {directive}");
        asked(&name, &lines, 105, "Cache-Control: max-stale=10").miss()
    }));
    cases
}

fn no_store() -> [Case; 3] {
    [
        case("rfc9111_5_2_1_5_no_store_keeps_nothing")
            .get()
            .with("Cache-Control: no-store")
            .ok(FRESH)
            .miss()
            .get()
            .miss(),
        // It may be answered from the cache or not; what is stored stays.
        asked(
            "rfc9111_5_2_1_5_no_store_forgets_nothing",
            FRESH,
            0,
            "Cache-Control: no-store",
        )
        .any()
        .get()
        .hit_of(1),
        case("rfc9111_5_2_1_5_no_store_beside_other_directives")
            .get()
            .with("Cache-Control: max-age=10, No-Store")
            .ok(FRESH)
            .miss()
            .get()
            .miss(),
    ]
}

fn only_if_cached() -> [Case; 6] {
    let only = "Cache-Control: only-if-cached";
    [
        case("rfc9111_5_2_1_7_only_if_cached_with_nothing_stored")
            .get()
            .with(only)
            .own(&[504]),
        asked(
            "rfc9111_5_2_1_7_only_if_cached_with_a_fresh_response",
            FRESH,
            10,
            only,
        )
        .hit(),
        asked(
            "rfc9111_5_2_1_7_only_if_cached_with_a_stale_response",
            FRESH,
            100,
            only,
        )
        .own(&[504]),
        asked(
            "rfc9111_5_2_1_7_only_if_cached_with_max_stale",
            FRESH,
            105,
            "Cache-Control: only-if-cached, max-stale=10",
        )
        .hit(),
        asked(
            "rfc9111_5_2_1_7_only_if_cached_with_max_age",
            FRESH,
            20,
            "Cache-Control: only-if-cached, max-age=10",
        )
        .own(&[504]),
        case("rfc9111_5_2_1_7_only_if_cached_with_another_variant")
            .get()
            .with("X-A: 1")
            .ok("Cache-Control: max-age=100 | Vary: X-A")
            .miss()
            .get()
            .with("X-A: 2 | Cache-Control: only-if-cached")
            .own(&[504]),
    ]
}

fn safe() -> Vec<Case> {
    let lines = [
        ("no_cache", "Cache-Control: no-cache"),
        ("max_age", "Cache-Control: max-age=0"),
        ("min_fresh", "Cache-Control: min-fresh=1000"),
        ("pragma", "Pragma: no-cache"),
    ];
    let mut cases: Vec<Case> = lines
        .iter()
        .map(|(what, lines)| {
            asked(&format!("rfc9111_5_2_1_{what}_is_advisory"), FRESH, 10, lines)
                .hit()
                .safe()
        })
        .collect();
    cases.push(
        asked(
            "rfc9111_5_2_1_2_max_stale_is_advisory",
            FRESH,
            105,
            "Cache-Control: max-stale",
        )
        .miss()
        .safe(),
    );
    cases
}
