//! The names of the keys.

use larder_store::{Tag, TagKind};
use redis::Cmd;
use xxhash_rust::xxh3::xxh3_128;

/// The names of one namespace's keys.
///
/// The braces put all records into one slot of a cluster, so that one script reaches them and one primary has them;
/// entries are spread over all slots.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    namespace: String,
    root: String,
    /// What the names of all records of tags begin with.
    records: String,
}

/// Which record has the numbers of a tag.
///
/// Tags of which there are as many as URLs, or as values, share records, so that there are no more than [`BUCKETS`] of each: two tags with
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
    /// So long is the longest that [`write`](Self::write) writes.
    const LONGEST: usize = 33;

    /// The end of the record's name: the kind, and the number in hexadecimal without zeros before it. Not by `format!`, which
    /// takes ten times as long, for each of the records that every hit asks for.
    fn write(self, name: &mut String) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [b'0'; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.id.to_be_bytes()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 0xf)];
        }
        let zeros = (self.id.leading_zeros() / 4).min(31) as usize;
        name.push(self.kind.into());
        name.push_str(str::from_utf8(&digits[zeros..]).unwrap_or_default());
    }

    pub(crate) fn of(tag: &Tag) -> Self {
        let id = tag.id().as_u128();
        let (kind, shared) = match tag.kind() {
            TagKind::Uri | TagKind::Target | TagKind::Searches => (b'u', true),
            TagKind::Key => (b'k', true),
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
            root: format!("{{{namespace}}}:root"),
            records: format!("{{{namespace}}}:t:"),
        }
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    pub(crate) fn sequence(&self) -> String {
        format!("{{{}}}:seq", self.namespace)
    }

    /// What the names of all records of tags begin with.
    pub(crate) fn records(&self) -> &str {
        &self.records
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
        std::iter::once(self.root.clone()).chain(records).collect()
    }

    pub(crate) fn record(&self, id: RecordId) -> String {
        let mut name = String::with_capacity(self.records.len() + RecordId::LONGEST);
        name.push_str(&self.records);
        id.write(&mut name);
        name
    }

    /// The question for the root and the records `ids`, which every hit asks.
    pub(crate) fn reading(&self, ids: &[RecordId]) -> Cmd {
        let longest = self.records.len() + RecordId::LONGEST;
        let mut read = Cmd::with_capacity(ids.len() + 2, 4 + self.root.len() + ids.len() * longest);
        read.arg("MGET").arg(&self.root);
        let mut name = self.records.clone();
        for id in ids {
            name.truncate(self.records.len());
            id.write(&mut name);
            read.arg(&name);
        }
        read
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
    fn a_record_is_named_as_it_always_was() {
        let names = Names::new("a");
        for id in [
            0,
            1,
            0xf,
            0x10,
            0x3_ffff,
            u128::MAX,
            1 << 127,
            0x0123_4567_89ab_cdef_0011,
        ] {
            let id = RecordId { kind: b'n', id };
            assert_eq!(names.record(id), format!("{{a}}:t:n{:x}", id.id));
            let read = names.reading(&[id, id]);
            let words: Vec<_> = read
                .args_iter()
                .filter_map(|word| match word {
                    redis::Arg::Simple(word) => Some(String::from_utf8_lossy(word).into_owned()),
                    _ => None,
                })
                .collect();
            let record = names.record(id);
            assert_eq!(words, ["MGET", "{a}:root", &record, &record]);
        }
    }

    #[test]
    fn no_prefix_of_one_namespace_reaches_another() {
        let (short, long) = (Names::new("a"), Names::new("ab"));
        assert!(!long.root().starts_with(short.root()));
        assert!(!long.entry(b"k").starts_with("a:"));
    }
}
