//! What happens to tags that begin alike.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use larder_store::{Tag, TagKind};

use crate::recent::short;

/// How many families are told apart.
const MOST: usize = 256;

/// What was counted of the tags of one family: those that the application named and that begin alike, up to their first
/// colon. `team:7` and `team:8` are of the family `team`, and `ratings` is one of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TagFamily {
    /// What they begin with: at most 256 bytes. Empty for all that came after the first 256 families.
    pub name: Box<str>,
    /// How many entries were kept with one of them; an entry with several counts for each.
    pub kept: u64,
    /// How often one of them was forgotten.
    pub forgotten: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Families(Mutex<BTreeMap<Box<str>, (u64, u64)>>);

impl Families {
    pub(crate) fn kept(&self, tags: &[Tag]) {
        self.count(tags, |(kept, _)| kept);
    }

    pub(crate) fn forgotten(&self, tags: &[Tag]) {
        self.count(tags, |(_, forgotten)| forgotten);
    }

    fn count(&self, tags: &[Tag], which: fn(&mut (u64, u64)) -> &mut u64) {
        let mut named = tags.iter().filter(|tag| tag.kind() == TagKind::Named).peekable();
        if named.peek().is_none() {
            return;
        }
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for tag in named {
            let text = tag.as_str();
            let family = text.split_once(':').map_or(text, |(family, _)| family);
            if let Some(counts) = families.get_mut(family) {
                *which(counts) += 1;
                continue;
            }
            let name = if families.len() < MOST {
                short(family)
            } else {
                Box::default()
            };
            *which(families.entry(name).or_default()) += 1;
        }
    }

    pub(crate) fn all(&self) -> Vec<TagFamily> {
        let families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = families.iter().map(|(name, (kept, forgotten))| TagFamily {
            name: name.clone(),
            kept: *kept,
            forgotten: *forgotten,
        });
        all.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_told_apart_and_are_not_many() {
        let families = Families::default();
        families.kept(&[
            Tag::new("team:7"),
            Tag::new("team:8"),
            Tag::new("ratings"),
            Tag::layer("teams"),
        ]);
        families.forgotten(&[Tag::new("team:9"), Tag::path("/team")]);
        let of = |name: &str, kept, forgotten| TagFamily {
            name: name.into(),
            kept,
            forgotten,
        };
        assert_eq!(families.all(), [of("ratings", 1, 0), of("team", 2, 1)]);
        let many: Vec<Tag> = (0..1000)
            .map(|number| Tag::new(format!("{}{number:03}:x", "ü".repeat(500))))
            .collect();
        families.kept(&many[..1]);
        assert!(families.all().iter().all(|family| family.name.len() <= 256));
        let many: Vec<Tag> = (0..1000)
            .map(|number| Tag::new(format!("family-{number}:x")))
            .collect();
        families.forgotten(&many);
        families.forgotten(&many[..1]);
        let all = families.all();
        assert_eq!(all.len(), MOST + 1, "and one for the others");
        assert_eq!(all[0].name.len(), 0);
        let known = all.iter().filter(|family| family.name.starts_with("family-"));
        let known = known.map(|family| family.forgotten).sum::<u64>();
        assert_eq!(all[0].forgotten + known, 1001);
    }
}
