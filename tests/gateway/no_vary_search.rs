//! `No-Vary-Search` (draft-ietf-httpbis-no-vary-search): which queries a response answers.

use crate::harness::{Case, case};

/// A name, the field, the target that is stored, and the target that is asked for.
type Row = (&'static str, &'static str, &'static str, &'static str);

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = SAME.map(|row| asked("same", row).hit().both()).into();
    cases.extend(OTHER.map(|row| asked("other", row).miss().both()));
    cases.push(
        case("draft_no_vary_search_several_are_stored")
            .get_at("/?a=1&x=1")
            .ok("Cache-Control: max-age=100 | No-Vary-Search: params=(\"x\")")
            .miss()
            .get_at("/?a=2&x=1")
            .ok("Cache-Control: max-age=100 | No-Vary-Search: params=(\"x\")")
            .miss()
            .get_at("/?x=9&a=1")
            .hit_of(1)
            .get_at("/?a=2")
            .hit_of(2),
    );
    cases.push(
        case("draft_no_vary_search_varies_by_headers_too")
            .get_at("/?x=1")
            .with("Accept: a")
            .ok("Cache-Control: max-age=100 | Vary: Accept | No-Vary-Search: params")
            .miss()
            .get_at("/?x=2")
            .with("Accept: b")
            .miss()
            .get_at("/?x=2")
            .with("Accept: a")
            .hit_of(1),
    );
    cases
}

fn asked(what: &str, (name, field, first, second): Row) -> Case {
    case(format!("draft_no_vary_search_{what}_{name}"))
        .get_at(first)
        .ok(&format!("Cache-Control: max-age=100 | No-Vary-Search: {field}"))
        .miss()
        .get_at(second)
}

const SAME: [Row; 25] = [
    ("key_order", "key-order", "/?a=1&b=2", "/?b=2&a=1"),
    (
        "key_order_keeps_the_order_of_one_key",
        "key-order",
        "/?a=1&b=2&a=3",
        "/?b=2&a=1&a=3",
    ),
    (
        "key_order_said_at_length",
        "key-order=?1",
        "/?a=1&b=2",
        "/?b=2&a=1",
    ),
    ("a_named_parameter", "params=(\"x\")", "/?a=1&x=1", "/?a=1&x=2"),
    (
        "a_named_parameter_that_is_absent",
        "params=(\"x\")",
        "/?a=1&x=1",
        "/?a=1",
    ),
    (
        "a_named_parameter_that_is_new",
        "params=(\"x\")",
        "/?a=1",
        "/?a=1&x=1",
    ),
    (
        "a_named_parameter_elsewhere",
        "params=(\"x\")",
        "/?x=1&a=1",
        "/?a=1&x=1",
    ),
    (
        "a_named_parameter_several_times",
        "params=(\"x\")",
        "/?x=1&a=1&x=2",
        "/?a=1",
    ),
    (
        "the_second_named_parameter",
        "params=(\"x\" \"y\")",
        "/?a=1&y=1",
        "/?a=1&x=3",
    ),
    (
        "a_named_parameter_without_a_value",
        "params=(\"x\")",
        "/?a=1&x",
        "/?a=1&x=",
    ),
    (
        "a_named_parameter_that_is_encoded",
        "params=(\"x\")",
        "/?a=1&%78=1",
        "/?a=1&x=2",
    ),
    ("all_parameters", "params", "/?a=1", "/?b=2"),
    ("all_parameters_and_none", "params", "/?a=1", "/"),
    ("all_parameters_said_at_length", "params=?1", "/?a=1", "/?b=2"),
    (
        "all_parameters_but_one",
        "params, except=(\"a\")",
        "/?a=1&x=1",
        "/?y=2&a=1",
    ),
    (
        "all_parameters_but_one_that_neither_has",
        "params, except=(\"a\")",
        "/?x=1",
        "/?y=2",
    ),
    (
        "all_parameters_but_two_in_another_order",
        "key-order, params, except=(\"a\" \"b\")",
        "/?a=1&x=1&b=2",
        "/?b=2&a=1",
    ),
    (
        "key_order_and_a_named_parameter",
        "key-order, params=(\"x\")",
        "/?a=1&b=2&x=1",
        "/?b=2&x=7&a=1",
    ),
    (
        "two_lines",
        "key-order | No-Vary-Search: params=(\"x\")",
        "/?a=1&b=2&x=1",
        "/?b=2&a=1",
    ),
    (
        "an_unknown_member",
        "params=(\"x\"), foo=1",
        "/?a=1&x=1",
        "/?a=1&x=2",
    ),
    (
        "a_name_of_other_letters",
        "params=(\"%C3%A9+b\")",
        "/?a=1&%C3%A9%20b=1",
        "/?a=1&%c3%a9+b=2",
    ),
    (
        "values_that_are_encoded",
        "params=(\"x\")",
        "/?a=b%20%63",
        "/?a=b+c",
    ),
    ("empty_pieces", "params=(\"x\")", "/?a=1&&b=2&", "/?a=1&b=2"),
    (
        "the_last_line_of_two",
        "params=(\"y\") | No-Vary-Search: params=(\"x\")",
        "/?a=1&x=1",
        "/?a=1&x=2",
    ),
    ("the_same_query", "params=(\"x\")", "/?a=1", "/?a=1"),
];

/// What is invalid is as none: each query is a target of its own.
const OTHER: [Row; 24] = [
    ("no_field", " ", "/?a=1", "/?a=2"),
    ("no_key_order", "params=(\"x\")", "/?a=1&b=2", "/?b=2&a=1"),
    ("key_order_denied", "key-order=?0", "/?a=1&b=2", "/?b=2&a=1"),
    (
        "key_order_and_another_value",
        "key-order",
        "/?a=1&b=2",
        "/?b=1&a=2",
    ),
    (
        "key_order_and_the_order_of_one_key",
        "key-order",
        "/?a=1&a=2",
        "/?a=2&a=1",
    ),
    ("another_parameter", "params=(\"x\")", "/?a=1&x=1", "/?a=2&x=1"),
    (
        "a_parameter_that_is_not_named",
        "params=(\"x\")",
        "/?a=1",
        "/?a=1&y=1",
    ),
    (
        "names_are_case_sensitive",
        "params=(\"x\")",
        "/?a=1&X=1",
        "/?a=1&X=2",
    ),
    ("params_denied", "params=?0", "/?a=1", "/?a=2"),
    ("no_params", "params=()", "/?a=1", "/?a=2"),
    (
        "the_excepted_parameter",
        "params, except=(\"a\")",
        "/?a=1&x=1",
        "/?a=2&x=1",
    ),
    (
        "the_excepted_parameter_and_none",
        "params, except=(\"a\")",
        "/?a=1",
        "/?x=1",
    ),
    (
        "except_without_params",
        "except=(\"a\")",
        "/?a=1&x=1",
        "/?a=1&x=2",
    ),
    (
        "except_with_a_list_of_params",
        "params=(\"x\"), except=(\"a\")",
        "/?a=1&x=1",
        "/?a=1&x=2",
    ),
    ("a_name_outside_a_list", "params=\"x\"", "/?a=1&x=1", "/?a=1&x=2"),
    ("a_token_in_the_list", "params=(x)", "/?a=1&x=1", "/?a=1&x=2"),
    (
        "a_number_in_the_list",
        "params=(\"x\" 1)",
        "/?a=1&x=1",
        "/?a=1&x=2",
    ),
    ("key_order_of_a_number", "key-order=1", "/?a=1&b=2", "/?b=2&a=1"),
    ("what_cannot_be_read", "params=(\"x\"", "/?a=1&x=1", "/?a=1&x=2"),
    ("only_an_unknown_member", "unknown", "/?a=1", "/?a=2"),
    (
        "except_of_a_token",
        "params, except=(a)",
        "/?a=1&x=1",
        "/?a=1&x=2",
    ),
    (
        "except_of_a_boolean",
        "params, except=?1",
        "/?a=1&x=1",
        "/?a=1&x=2",
    ),
    ("default_and_an_empty_query", "params=()", "/", "/?"),
    ("another_path", "params", "/a?x=1", "/b?x=1"),
];
