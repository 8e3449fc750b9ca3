//! Several responses to one target: which is chosen, and how each ages (RFC 9111 §4, §4.1).

use crate::harness::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = variants().into();
    cases.extend(choice());
    cases.extend(safe());
    cases
}

fn variants() -> [Case; 4] {
    let vary = "Cache-Control: max-age=100 | Vary: X-A";
    let many = (1..=8).fold(case("rfc9111_4_1_eight_variants_are_kept"), |case, number| {
        case.get().with(&format!("X-A: {number}")).ok(vary).miss()
    });
    [
        (1..=8).fold(many, |case, number| {
            case.get().with(&format!("X-A: {number}")).hit_of(number)
        }),
        case("rfc9111_4_1_each_variant_ages_on_its_own")
            .get()
            .with("X-A: 1")
            .ok("Cache-Control: max-age=10 | Vary: X-A")
            .miss()
            .get()
            .with("X-A: 2")
            .ok(vary)
            .miss()
            .wait(20)
            .get()
            .with("X-A: 2")
            .hit_of(2)
            .get()
            .with("X-A: 1")
            .miss(),
        case("rfc9111_4_3_1_each_variant_is_validated_on_its_own")
            .get()
            .with("X-A: 1")
            .ok("Cache-Control: max-age=10 | Vary: X-A | ETag: \"a\"")
            .miss()
            .get()
            .with("X-A: 2")
            .ok("Cache-Control: max-age=10 | Vary: X-A | ETag: \"b\"")
            .miss()
            .wait(20)
            .get()
            .with("X-A: 1")
            .origin(304, "ETag: \"a\"")
            .validated_of(1)
            .sent("X-A: 1")
            .get()
            .with("X-A: 2")
            .origin(304, "ETag: \"b\"")
            .validated_of(2)
            .sent("X-A: 2"),
        // The language that the client prefers is not what it gets: the request's header is what counts.
        case("rfc9111_4_1_content_language_does_not_choose")
            .get()
            .with("Accept-Language: de, en")
            .ok("Cache-Control: max-age=100 | Vary: Accept-Language | Content-Language: en")
            .miss()
            .get()
            .with("Accept-Language: en")
            .miss(),
    ]
}

/// §4: of several that fit, the one with the latest `Date`.
fn choice() -> [Case; 3] {
    [
        case("rfc9111_4_the_later_date_answers")
            .get()
            .with("X-A: 1")
            .ok("Cache-Control: max-age=1000 | Vary: X-A")
            .miss()
            .wait(10)
            .get()
            .with("X-A: 2")
            .ok("Cache-Control: max-age=1000")
            .miss()
            .get()
            .with("X-A: 1")
            .hit_of(2),
        case("rfc9111_4_the_later_date_answers_not_the_later_receipt")
            .get()
            .with("X-A: 1 | X-B: 1")
            .ok("Cache-Control: max-age=1000 | Vary: X-A")
            .miss()
            .get()
            .with("X-A: 2 | X-B: 1")
            .ok("Cache-Control: max-age=1000 | Vary: X-B | Date: {date-500}")
            .miss()
            .get()
            .with("X-A: 1 | X-B: 1")
            .hit_of(1),
        case("rfc9111_4_1_a_response_that_varies_by_more_leaves_the_others")
            .get()
            .with("X-A: 1 | X-B: 1")
            .ok("Cache-Control: max-age=1000 | Vary: X-A")
            .miss()
            .wait(10)
            .get()
            .with("X-A: 2 | X-B: 1")
            .ok("Cache-Control: max-age=1000 | Vary: X-A, X-B")
            .miss()
            .get()
            .with("X-A: 2 | X-B: 2")
            .miss()
            .get()
            .with("X-A: 1 | X-B: 9")
            .hit_of(1),
    ]
}

/// The profile `Safe` hides what is not in the key: what varies by it cannot be kept.
fn safe() -> [Case; 3] {
    let vary = |name: &str, field: &str| {
        case(name)
            .get()
            .with(&format!("{field}: a"))
            .ok(&format!("Cache-Control: max-age=100 | Vary: {field}"))
            .miss()
            .safe()
    };
    [
        vary("rfc9111_4_1_what_varies_by_a_hidden_header_is_not_kept", "X-A")
            .get()
            .with("X-A: b")
            .miss(),
        vary("rfc9111_4_1_languages_are_keyed", "Accept-Language")
            .get()
            .with("Accept-Language: b")
            .miss()
            .get()
            .with("Accept-Language: a")
            .hit_of(1),
        vary("rfc9111_4_1_encodings_are_keyed", "Accept-Encoding")
            .get()
            .with("Accept-Encoding: a")
            .hit(),
    ]
}
