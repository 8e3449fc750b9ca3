//! Randomness of the system.

/// `N` random bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(
        clippy::expect_used,
        reason = "a program without randomness cannot make a HashMap either"
    )]
    getrandom::fill(&mut bytes).expect("the system has no randomness");
    bytes
}
