//! The names of the keys.

use larder_store::{Tag, TagKind};
use xxhash_rust::xxh3::xxh3_128;

/// The names of one namespace's keys.
///
/// The braces put all records into one slot of a cluster, so that one script reaches them and one primary has them;
/// entries are spread over all slots.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    namespace: String,
}

/// Which record has the numbers of a tag.
///
/// Tags of which there are as many as URLs share records, so that there are no more than [`BUCKETS`] of each: two tags with
/// one record are forgotten together, a miss too many and never a stale hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RecordId {
    kind: u8,
    id: u128,
}

/// How many records the tags of one kind share: with 1 URI forgotten a second, entries of 5 min and 3 such tags each, one
/// entry in 290 is forgotten without need.
const BUCKETS: u128 = 1 << 18;

impl RecordId {
    pub(crate) fn of(tag: &Tag) -> Self {
        let id = tag.id().as_u128();
        let (kind, shared) = match tag.kind() {
            TagKind::Uri | TagKind::Target | TagKind::Searches => (b'u', true),
            // Near the root there are few, and each is forgotten alone.
            TagKind::Path => (b'p', tag.as_str().matches('/').count() > 2),
            _ => (b'n', false),
        };
        if shared {
            Self {
                kind,
                id: id % BUCKETS,
            }
        } else {
            Self { kind: b'n', id }
        }
    }

    /// The records of `tags`, each once.
    pub(crate) fn of_all(tags: &[Tag]) -> Box<[Self]> {
        let mut ids = Vec::with_capacity(tags.len());
        for id in tags.iter().map(Self::of) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids.into()
    }
}

impl Names {
    pub(crate) fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
        }
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(crate) fn root(&self) -> String {
        format!("{{{}}}:root", self.namespace)
    }

    pub(crate) fn sequence(&self) -> String {
        format!("{{{}}}:seq", self.namespace)
    }

    /// What the names of all records of tags begin with.
    pub(crate) fn records(&self) -> String {
        format!("{{{}}}:t:", self.namespace)
    }

    /// A key that is written to be heard, and by nobody else.
    pub(crate) fn beat(&self, id: u128) -> String {
        format!("{{{}}}:b:{id:032x}", self.namespace)
    }

    /// The lease of who makes what is called `id`.
    pub(crate) fn turn(&self, id: u128) -> String {
        format!("{{{}}}:f1:{id:032x}", self.namespace)
    }

    /// The channel on which the ends of turns are told.
    pub(crate) fn turns(&self) -> String {
        format!("{}:turns", self.namespace)
    }

    /// The keys that decide on an entry with these records.
    pub(crate) fn of(&self, ids: &[RecordId]) -> Vec<String> {
        let records = ids.iter().map(|id| self.record(*id));
        std::iter::once(self.root()).chain(records).collect()
    }

    pub(crate) fn record(&self, id: RecordId) -> String {
        let RecordId { kind, id } = id;
        format!("{{{}}}:t:{}{id:x}", self.namespace, char::from(kind))
    }

    /// The pattern of the keys of all entries, for `SCAN`. Nothing in a namespace has a meaning there.
    pub(crate) fn all_entries(&self) -> String {
        format!("{}:e1:*", self.namespace)
    }

    /// The key of the entry under `key`. Other keys may have the same: the frame holds the whole of its own. The number is
    /// the version of the frame, so that programs of two versions do not take each other's place.
    pub(crate) fn entry(&self, key: &[u8]) -> String {
        format!("{}:e1:{:032x}", self.namespace, xxh3_128(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_unique_urls_share_a_bounded_number_of_records_and_others_have_their_own() {
        let many = |make: fn(String) -> Tag| {
            let mut ids: Vec<_> = (0..1000)
                .map(|n| RecordId::of(&make(format!("/a/b/c/{n}"))))
                .collect();
            assert!(ids.iter().all(|id| id.id < BUCKETS));
            ids.dedup();
            assert!(ids.len() > 990, "they are spread");
        };
        many(Tag::uri);
        many(|path| Tag::path(&path));
        for tag in [
            Tag::new("a"),
            Tag::layer("a"),
            Tag::path("/a/b"),
            Tag::path("/"),
            Tag::identity("a"),
        ] {
            assert!(RecordId::of(&tag).id > BUCKETS, "{tag:?} has a record of its own");
        }
        assert_ne!(RecordId::of(&Tag::new("a")), RecordId::of(&Tag::layer("a")));
    }

    #[test]
    fn no_prefix_of_one_namespace_reaches_another() {
        let (short, long) = (Names::new("a"), Names::new("ab"));
        assert!(!long.root().starts_with(&short.root()));
        assert!(!long.entry(b"k").starts_with("a:"));
    }
}
