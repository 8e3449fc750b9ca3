//! The derives, as a user meets them: what compiles, and what the compiler says of what does not.
//!
//! After a change of a message: `TRYBUILD=overwrite cargo test -p larder-macros --test derives`, and read what it says now.

#[test]
fn derives() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
