//! What a reader is content with.

use larder_store::{Answer, Lookup, Store, StoreError};

/// What a reader is content with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// What the store answers.
    Usual,
    /// Nothing that was forgotten before it asked, not even softly: it has a [`ReadToken`](larder_store::ReadToken).
    Strict,
}

impl Reading {
    /// The look-up of such a reader.
    #[inline]
    pub(crate) fn ask(self, store: &dyn Store, key: &[u8]) -> Answer<Result<Lookup, StoreError>> {
        match self {
            Self::Usual => store.lookup(key),
            Self::Strict => store.lookup_strictly(key),
        }
    }
}
