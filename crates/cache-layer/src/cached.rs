//! An entry that is a response: checked once, where it is found or made.

use larder_store::{Content, Entry, Lifetime, SharedEntry, StoredResponse};

use crate::status::Outcome;

/// An entry that is what its key is for.
pub(crate) trait Held {
    /// How long it is of use.
    fn lifetime(&self) -> &Lifetime;

    /// Where it was found.
    fn tier(&self) -> Tier;
}

impl Held for Cached {
    #[inline]
    fn lifetime(&self) -> &Lifetime {
        &self.entry().lifetime
    }

    #[inline]
    fn tier(&self) -> Tier {
        self.tier
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

impl Tier {
    /// The word in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "l1",
            Self::Remote => "l2",
        }
    }

    /// What a fresh entry from there comes to.
    #[inline]
    pub(crate) const fn hit(self) -> Outcome {
        match self {
            Self::Memory => Outcome::HitL1,
            Self::Remote => Outcome::HitL2,
        }
    }
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
    pub(crate) fn response(&self) -> &StoredResponse {
        match &self.shared.content {
            Content::Response(response) => response,
            _ => unreachable!("`of` lets nothing else in, and an entry never changes"),
        }
    }
}
