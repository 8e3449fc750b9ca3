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
pub(crate) struct Cached {
    shared: SharedEntry,
    tier: Tier,
}

/// Where an entry was when it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    /// In this process.
    Memory,
    /// Behind a connection.
    Remote,
}

impl Cached {
    /// `entry`, if it is a response.
    #[inline]
    pub(crate) fn of(shared: SharedEntry, tier: Tier) -> Option<Self> {
        matches!(shared.content, Content::Response(_)).then_some(Self { shared, tier })
    }

    /// A response as no store has taken it in.
    pub(crate) fn own(lifetime: Lifetime, response: StoredResponse) -> Self {
        let entry = Entry::new(lifetime, Content::Response(response), Vec::new());
        Self {
            shared: SharedEntry::new(entry),
            tier: Tier::Memory,
        }
    }

    #[inline]
    pub(crate) fn entry(&self) -> &Entry {
        &self.shared
    }

    pub(crate) const fn shared(&self) -> &SharedEntry {
        &self.shared
    }

    #[inline]
    pub(crate) const fn tier(&self) -> Tier {
        self.tier
    }

    #[inline]
    pub(crate) fn response(&self) -> &StoredResponse {
        match &self.shared.content {
            Content::Response(response) => response,
            _ => unreachable!("`of` lets nothing else in, and an entry never changes"),
        }
    }
}
