//! An entry that is a response: checked once, where it is found or made.

use larder_store::{Content, Entry, Lifetime, SharedEntry, StoredResponse};

/// An entry that is what its key is for.
pub(crate) trait Held {
    /// How long it is of use.
    fn lifetime(&self) -> &Lifetime;
}

impl Held for Cached {
    #[inline]
    fn lifetime(&self) -> &Lifetime {
        &self.entry().lifetime
    }
}

/// An entry whose content is a response.
#[derive(Debug, Clone)]
pub(crate) struct Cached(SharedEntry);

impl Cached {
    /// `entry`, if it is a response.
    #[inline]
    pub(crate) fn of(entry: SharedEntry) -> Option<Self> {
        matches!(entry.content, Content::Response(_)).then_some(Self(entry))
    }

    /// A response as no store has taken it in.
    pub(crate) fn own(lifetime: Lifetime, response: StoredResponse) -> Self {
        Self(SharedEntry::new(Entry::new(
            lifetime,
            Content::Response(response),
            Vec::new(),
        )))
    }

    #[inline]
    pub(crate) fn entry(&self) -> &Entry {
        &self.0
    }

    pub(crate) const fn shared(&self) -> &SharedEntry {
        &self.0
    }

    #[inline]
    pub(crate) fn response(&self) -> &StoredResponse {
        match &self.0.content {
            Content::Response(response) => response,
            _ => unreachable!("`of` lets nothing else in, and an entry never changes"),
        }
    }
}
