//! What a change at the origin makes the cache forget (RFC 9111 §4.4).

use crate::harness::{Case, case};

const STORED: &str = "Cache-Control: max-age=1000 | ETag: \"a\"";

/// Unsafe methods, and those of which nobody knows.
const METHODS: [&str; 12] = [
    "POST",
    "PUT",
    "DELETE",
    "PATCH",
    "FOO",
    "PURGE",
    "MKCOL",
    "PROPPATCH",
    "M-SEARCH",
    "LINK",
    "get",
    "X",
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = METHODS.map(forgets).into();
    cases.extend([200, 201, 202, 204, 205, 299, 301, 302, 303, 307, 308].map(succeeds));
    cases.extend([400, 401, 403, 404, 405, 409, 422, 500, 501, 503, 599].map(fails));
    cases.extend(["OPTIONS", "TRACE", "HEAD"].map(safe_method));
    cases.extend(
        NAMED
            .into_iter()
            .flat_map(|row| [names(row, "Location"), names(row, "Content-Location")]),
    );
    cases.extend(
        UNNAMED
            .into_iter()
            .flat_map(|row| [spares(row, "Location"), spares(row, "Content-Location")]),
    );
    cases.extend(reach());
    cases.extend(reach_of_fields());
    cases.extend(races());
    cases.extend(other_races());
    cases.extend(posts());
    cases
}

fn forgets(method: &str) -> Case {
    case(format!("rfc9111_4_4_{}_forgets_its_target", id(method)))
        .get()
        .ok(STORED)
        .miss()
        .ask(method, "/")
        .body_sent("x")
        .miss()
        .sent_method(method)
        .sent_body("x")
        .get()
        .miss()
        .both()
}

fn id(method: &str) -> String {
    if method == "get" {
        "get_in_small_letters".to_owned()
    } else {
        method.to_lowercase().replace('-', "_")
    }
}

/// §4.4: no error is 2xx or 3xx.
fn succeeds(status: u16) -> Case {
    case(format!("rfc9111_4_4_a_{status}_to_a_post_forgets"))
        .get()
        .ok(STORED)
        .miss()
        .post()
        .origin(status, "")
        .says("")
        .miss()
        .get()
        .miss()
}

fn fails(status: u16) -> Case {
    case(format!("rfc9111_4_4_a_{status}_to_a_post_forgets_nothing"))
        .get()
        .ok(STORED)
        .miss()
        .post()
        .origin(status, "Location: / | Content-Location: /")
        .miss()
        .get()
        .hit_of(1)
        .both()
}

fn safe_method(method: &str) -> Case {
    case(format!("rfc9111_4_4_{}_forgets_nothing", id(method)))
        .get()
        .ok(STORED)
        .miss()
        .ask(method, "/")
        .any()
        .get()
        .hit_of(1)
}

/// A name's end, and a reference to `/dir/other` of the same origin, from `/dir/form`.
const NAMED: [(&str, &str); 7] = [
    ("by_its_path", "/dir/other"),
    ("by_a_relative_path", "other"),
    ("by_a_path_with_dots", "../dir/./other"),
    ("by_its_uri", "http://gateway.test/dir/other"),
    ("by_its_uri_in_capitals", "HTTP://GATEWAY.TEST/dir/other"),
    ("by_its_uri_with_the_port", "http://gateway.test:80/dir/other"),
    ("by_its_authority", "//gateway.test/dir/other"),
];

const UNNAMED: [(&str, &str); 6] = [
    ("of_another_host", "http://other.test/dir/other"),
    ("of_another_port", "http://gateway.test:8080/dir/other"),
    (
        "of_a_host_that_only_begins_so",
        "http://gateway.test.evil.test/dir/other",
    ),
    (
        "of_a_host_behind_a_user",
        "http://gateway.test@evil.test/dir/other",
    ),
    ("of_another_authority", "//other.test/dir/other"),
    ("that_is_no_reference", "http://[/dir/other"),
];

fn named(name: String, field: &str, reference: &str) -> Case {
    case(name)
        .get_at("/dir/other")
        .ok(STORED)
        .miss()
        .ask("POST", "/dir/form")
        .body_sent("x")
        .origin(201, &format!("{field}: {reference}"))
        .miss()
        .get_at("/dir/other")
}

fn names((what, reference): (&str, &str), field: &str) -> Case {
    named(
        format!("rfc9111_4_4_{}_{what}_is_forgotten", id(field)),
        field,
        reference,
    )
    .miss()
    .both()
}

fn spares((what, reference): (&str, &str), field: &str) -> Case {
    named(
        format!("rfc9111_4_4_{}_{what}_is_not_forgotten", id(field)),
        field,
        reference,
    )
    .hit_of(1)
    .both()
}

fn reach() -> Vec<Case> {
    vec![
        case("rfc9111_4_4_all_variants_are_forgotten")
            .get()
            .with("Accept: a")
            .ok("Cache-Control: max-age=100 | Vary: Accept")
            .miss()
            .get()
            .with("Accept: b")
            .ok("Cache-Control: max-age=100 | Vary: Accept")
            .miss()
            .post()
            .miss()
            .get()
            .with("Accept: a")
            .miss()
            .get()
            .with("Accept: b")
            .miss()
            .both(),
        case("rfc9111_4_4_another_path_is_not_forgotten")
            .get_at("/a")
            .ok(STORED)
            .miss()
            .ask("POST", "/b")
            .miss()
            .get_at("/a")
            .hit_of(1),
        case("rfc9111_4_4_another_host_is_not_forgotten")
            .get()
            .with("Host: a.test")
            .ok(STORED)
            .miss()
            .post()
            .with("Host: b.test")
            .miss()
            .get()
            .with("Host: a.test")
            .hit_of(1)
            .both(),
    ]
}

fn reach_of_fields() -> Vec<Case> {
    vec![
        case("rfc9111_4_4_the_target_with_its_query_is_forgotten")
            .get_at("/a?b=1")
            .ok(STORED)
            .miss()
            .ask("PUT", "/a?b=1")
            .miss()
            .get_at("/a?b=1")
            .miss(),
        case("rfc9111_4_4_both_fields_and_the_target_are_forgotten")
            .get_at("/a")
            .ok(STORED)
            .miss()
            .get_at("/b")
            .ok(STORED)
            .miss()
            .get_at("/c")
            .ok(STORED)
            .miss()
            .ask("POST", "/a")
            .origin(303, "Location: /b | Content-Location: /c")
            .miss()
            .get_at("/a")
            .miss()
            .get_at("/b")
            .miss()
            .get_at("/c")
            .miss(),
        case("rfc9111_4_4_a_stale_response_is_forgotten_too")
            .get()
            .ok("Cache-Control: max-age=10, stale-while-revalidate=1000 | ETag: \"a\"")
            .miss()
            .wait(20)
            .post()
            .miss()
            .get()
            .miss(),
    ]
}

/// A GET at the origin, a change, the answer to the GET, and another GET.
fn race(name: &str, method: &str, status: u16) -> Case {
    case(name)
        .get()
        .ok(STORED)
        .held()
        .miss()
        .ask(method, "/")
        .body_sent("x")
        .origin(status, "")
        .miss()
        .release(1)
        .get()
}

/// A response that was made before a change is not kept after it, whoever was faster.
fn races() -> Vec<Case> {
    vec![
        race(
            "rfc9111_4_4_a_get_in_flight_across_a_post_is_not_reused",
            "POST",
            200,
        )
        .miss()
        .both(),
        race(
            "rfc9111_4_4_a_get_in_flight_across_a_put_is_not_reused",
            "PUT",
            201,
        )
        .miss(),
        race(
            "rfc9111_4_4_a_get_in_flight_across_a_delete_is_not_reused",
            "DELETE",
            202,
        )
        .miss(),
        race(
            "rfc9111_4_4_a_get_in_flight_across_an_unknown_method_is_not_reused",
            "FOO",
            200,
        )
        .miss(),
        race(
            "rfc9111_4_4_a_get_in_flight_across_a_post_that_fails_is_reused",
            "POST",
            403,
        )
        .hit_of(1),
    ]
}

/// The same where something else than a first GET is in flight.
fn other_races() -> Vec<Case> {
    vec![
        case("rfc9111_4_4_a_body_in_flight_across_a_post_is_not_reused")
            .get()
            .ok(STORED)
            .held_body()
            .miss()
            .post()
            .miss()
            .release(1)
            .get()
            .miss(),
        case("rfc9111_4_4_a_get_in_flight_across_a_location_is_not_reused")
            .get_at("/other")
            .ok(STORED)
            .held()
            .miss()
            .post()
            .origin(201, "Location: /other")
            .miss()
            .release(1)
            .get_at("/other")
            .miss(),
        case("rfc9111_4_4_a_validation_in_flight_across_a_post_is_not_reused")
            .get()
            .ok("Cache-Control: max-age=10 | ETag: \"a\"")
            .miss()
            .wait(20)
            .get()
            .validated()
            .held()
            .post()
            .miss()
            .release(2)
            .get()
            .miss(),
        case("rfc9111_4_4_a_fill_behind_in_flight_across_a_post_is_not_reused")
            .get()
            .ok("Cache-Control: max-age=10, stale-while-revalidate=1000")
            .miss()
            .wait(20)
            .get()
            .behind(200, STORED)
            .held_behind()
            .hit()
            .post()
            .miss()
            .release(2)
            .get()
            .miss(),
        case("rfc9111_4_4_a_get_after_the_post_is_kept")
            .get()
            .ok(STORED)
            .held()
            .miss()
            .post()
            .miss()
            .get()
            .ok(STORED)
            .miss()
            .release(1)
            .get()
            .hit_of(3),
    ]
}

/// RFC 9110 §9.3.3 lets the answer to a POST be kept in rare cases; our policy is not to.
fn posts() -> [Case; 3] {
    [
        case("rfc9110_9_3_3_the_answer_to_a_post_answers_no_get")
            .post()
            .ok("Cache-Control: max-age=100")
            .miss()
            .get()
            .miss()
            .both(),
        case("rfc9111_4_a_post_is_not_answered_from_the_cache")
            .get()
            .ok(STORED)
            .miss()
            .post()
            .miss()
            .post()
            .miss(),
        case("rfc9111_4_an_unknown_method_is_not_answered_from_the_cache")
            .get()
            .ok(STORED)
            .miss()
            .ask("FOO", "/")
            .miss()
            .sent_method("FOO"),
    ]
}
