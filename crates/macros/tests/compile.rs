//! What the attributes take, and the messages for what they do not take.

/// The messages are those of one compiler; another says the same in other words.
#[test]
fn what_is_refused_is_told_in_words_that_help() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/fail/*.rs");
}
