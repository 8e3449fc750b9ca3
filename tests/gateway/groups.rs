//! `Cache-Groups` and `Cache-Group-Invalidation` (RFC 9875).

use crate::harness::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = FORGOTTEN.map(|row| change(row).miss().both()).into();
    cases.extend(SPARED.map(|row| change(row).hit_of(1).both()));
    cases.extend([400, 404, 500, 503].map(fails));
    cases.extend(reach());
    cases.extend(limits_and_times());
    cases
}

const MEMBER: &str = "Cache-Groups: \"a\"";

/// A name, the groups of a response, and the groups that a change elsewhere names.
type Row = (&'static str, &'static str, &'static str);

const FORGOTTEN: [Row; 12] = [
    (
        "rfc9875_3_a_group_is_forgotten",
        "Cache-Groups: \"a\"",
        "Cache-Group-Invalidation: \"a\"",
    ),
    (
        "rfc9875_3_the_second_group_of_a_response",
        "Cache-Groups: \"x\", \"a\"",
        "Cache-Group-Invalidation: \"a\"",
    ),
    (
        "rfc9875_3_the_second_group_of_a_change",
        "Cache-Groups: \"a\"",
        "Cache-Group-Invalidation: \"y\", \"a\"",
    ),
    (
        "rfc9875_2_groups_on_two_lines",
        "Cache-Groups: \"x\" | Cache-Groups: \"a\"",
        "Cache-Group-Invalidation: \"a\"",
    ),
    (
        "rfc9875_3_changes_on_two_lines",
        "Cache-Groups: \"a\"",
        "Cache-Group-Invalidation: \"y\" | Cache-Group-Invalidation: \"a\"",
    ),
    (
        "rfc9875_2_parameters_are_ignored",
        "Cache-Groups: \"a\";p=1",
        "Cache-Group-Invalidation: \"a\";q",
    ),
    (
        "rfc9875_2_a_name_with_spaces",
        "Cache-Groups: \"a b\"",
        "Cache-Group-Invalidation: \"a b\"",
    ),
    (
        "rfc9875_2_a_name_with_a_comma",
        "Cache-Groups: \"a, b\"",
        "Cache-Group-Invalidation: \"a, b\"",
    ),
    (
        "rfc9875_2_a_name_with_an_escaped_quote",
        "Cache-Groups: \"a\\\"b\"",
        "Cache-Group-Invalidation: \"a\\\"b\"",
    ),
    (
        "rfc9875_2_an_empty_name",
        "Cache-Groups: \"\"",
        "Cache-Group-Invalidation: \"\"",
    ),
    (
        "rfc9875_2_no_spaces_in_the_list",
        "Cache-Groups: \"x\",\"a\"",
        "Cache-Group-Invalidation: \"y\",\"a\"",
    ),
    (
        "rfc9875_2_32_characters",
        "Cache-Groups: \"12345678901234567890123456789012\"",
        "Cache-Group-Invalidation: \"12345678901234567890123456789012\"",
    ),
];

const SPARED: [Row; 10] = [
    (
        "rfc9875_3_another_group",
        "Cache-Groups: \"a\"",
        "Cache-Group-Invalidation: \"b\"",
    ),
    (
        "rfc9875_2_1_names_are_case_sensitive",
        "Cache-Groups: \"a\"",
        "Cache-Group-Invalidation: \"A\"",
    ),
    (
        "rfc9875_2_1_names_are_whole",
        "Cache-Groups: \"ab\"",
        "Cache-Group-Invalidation: \"a\"",
    ),
    (
        "rfc9875_2_1_spaces_count",
        "Cache-Groups: \"a\"",
        "Cache-Group-Invalidation: \"a \"",
    ),
    (
        "rfc9875_2_1_one_name_with_a_comma_is_not_two",
        "Cache-Groups: \"a, b\"",
        "Cache-Group-Invalidation: \"a\", \"b\"",
    ),
    ("rfc9875_3_no_group", "Cache-Groups: \"a\"", ""),
    (
        "rfc9875_3_a_response_without_groups",
        "X-None: 1",
        "Cache-Group-Invalidation: \"a\"",
    ),
    (
        "rfc9875_3_a_star_is_a_name",
        "Cache-Groups: \"a\"",
        "Cache-Group-Invalidation: \"*\"",
    ),
    (
        "rfc9651_4_2_a_change_that_cannot_be_read",
        "Cache-Groups: \"a\"",
        "Cache-Group-Invalidation: \"a\", @",
    ),
    (
        "rfc9651_4_2_groups_that_cannot_be_read",
        "Cache-Groups: \"a\",",
        "Cache-Group-Invalidation: \"a\"",
    ),
];

/// A response with these groups, a POST elsewhere whose answer names those, and a request for the first again.
fn change((name, groups, change): Row) -> Case {
    stored(name, groups)
        .ask("POST", "/elsewhere")
        .ok(change)
        .miss()
        .get_at("/member")
}

fn stored(name: &str, groups: &str) -> Case {
    case(name)
        .get_at("/member")
        .ok(&format!("Cache-Control: max-age=1000 | {groups}"))
        .miss()
}

/// §3 asks for an unsafe method and says nothing of the status: the origin named the group, so the group is forgotten,
/// also where an error came after a part of the change.
fn fails(status: u16) -> Case {
    stored(
        &format!("rfc9875_3_a_{status}_forgets_the_group_that_it_names"),
        MEMBER,
    )
    .ask("POST", "/elsewhere")
    .origin(status, "Cache-Group-Invalidation: \"a\"")
    .miss()
    .get_at("/member")
    .miss()
}

fn reach() -> Vec<Case> {
    vec![
        stored("rfc9875_3_all_members_are_forgotten", MEMBER)
            .get_at("/second")
            .ok("Cache-Control: max-age=1000 | Cache-Groups: \"b\", \"a\"")
            .miss()
            .get_at("/third")
            .ok("Cache-Control: max-age=1000 | Cache-Groups: \"b\"")
            .miss()
            .ask("PUT", "/elsewhere")
            .ok("Cache-Group-Invalidation: \"a\"")
            .miss()
            .get_at("/member")
            .miss()
            .get_at("/second")
            .miss()
            .get_at("/third")
            .hit_of(3)
            .both(),
        stored("rfc9875_3_an_unknown_method_forgets_a_group", MEMBER)
            .ask("FOO", "/elsewhere")
            .ok("Cache-Group-Invalidation: \"a\"")
            .miss()
            .get_at("/member")
            .miss(),
        stored("rfc9875_3_the_answer_to_a_get_forgets_no_group", MEMBER)
            .get_at("/elsewhere")
            .ok("Cache-Group-Invalidation: \"a\"")
            .miss()
            .get_at("/member")
            .hit_of(1)
            .both(),
        stored("rfc9875_2_1_the_group_of_another_origin", MEMBER)
            .ask("POST", "/elsewhere")
            .with("Host: other.test")
            .ok("Cache-Group-Invalidation: \"a\"")
            .miss()
            .get_at("/member")
            .hit_of(1)
            .both(),
    ]
}

fn limits_and_times() -> Vec<Case> {
    let all: Vec<String> = (0..32).map(|number| format!("\"group {number:026}\"")).collect();
    vec![
        // §2: at least 32 groups of at least 32 characters.
        stored(
            "rfc9875_2_the_last_of_32_groups",
            &format!("Cache-Groups: {}", all.join(", ")),
        )
        .ask("POST", "/elsewhere")
        .ok(&format!("Cache-Group-Invalidation: {}", all[31]))
        .miss()
        .get_at("/member")
        .miss(),
        stored(
            "rfc9875_3_the_last_of_32_groups_of_a_change",
            &format!("Cache-Groups: {}", all[31]),
        )
        .ask("POST", "/elsewhere")
        .ok(&format!("Cache-Group-Invalidation: {}", all.join(", ")))
        .miss()
        .get_at("/member")
        .miss(),
        stored("rfc9875_3_what_is_stored_after_the_change_stays", MEMBER)
            .ask("POST", "/elsewhere")
            .ok("Cache-Group-Invalidation: \"a\"")
            .miss()
            .get_at("/member")
            .ok("Cache-Control: max-age=1000 | Cache-Groups: \"a\"")
            .miss()
            .get_at("/member")
            .hit_of(3),
        // The groups of a response are known when it comes; that a change fell between is known then too.
        case("rfc9875_3_a_get_in_flight_across_a_change_of_its_group_is_not_reused")
            .get_at("/member")
            .ok("Cache-Control: max-age=1000 | Cache-Groups: \"a\"")
            .held()
            .miss()
            .ask("POST", "/elsewhere")
            .ok("Cache-Group-Invalidation: \"a\"")
            .miss()
            .release(1)
            .get_at("/member")
            .miss(),
    ]
}
