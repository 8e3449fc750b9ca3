//! What the compiler says of derives that do not compile. What does is in the tests beside: built in their place by
//! `trybuild`, all of Larder would be built once more, and not only checked.
//!
//! After a change of a message: `TRYBUILD=overwrite cargo test -p larder-macros --test messages`, and read what it says now.

#[test]
fn a_wrong_derive_says_what_is_wrong() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/fail/*.rs");
}
