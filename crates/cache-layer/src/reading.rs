//! What a reader is content with.

/// What a reader is content with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// What the store answers.
    Usual,
    /// Nothing that was forgotten before it asked, not even softly: it has a [`ReadToken`](larder_store::ReadToken).
    Strict,
}
