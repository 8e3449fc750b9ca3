//! Invalidations that a server did not confirm, until it does.

use std::collections::VecDeque;

use larder_store::Strength;

use crate::protocol::IntentId;
use crate::server::Scope;

/// One invalidation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invalidation {
    pub(crate) scope: Scope,
    pub(crate) strength: Strength,
    /// The announced change that it ends.
    pub(crate) intent: Option<IntentId>,
}

/// Invalidations that are owed, in their order. Above its bound they become one of everything: too much is forgotten then,
/// and never too little.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    owed: VecDeque<Invalidation>,
    records: usize,
}

/// So many records are owed one by one.
const MOST: usize = 10_000;

impl Pending {
    pub(crate) fn push(&mut self, invalidation: Invalidation) {
        let records = weight(&invalidation);
        if self.records + records > MOST {
            self.owed.clear();
            self.records = 0;
            self.push(Invalidation {
                scope: Scope::Everything,
                strength: Strength::Hard,
                intent: None,
            });
            return;
        }
        self.records += records;
        self.owed.push_back(invalidation);
    }

    pub(crate) fn first(&self) -> Option<&Invalidation> {
        self.owed.front()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.owed.len()
    }

    /// The first was carried out; unless another has taken its place meanwhile.
    pub(crate) fn settle(&mut self, done: &Invalidation) {
        if self.owed.front() == Some(done) {
            self.records -= weight(done);
            self.owed.pop_front();
        }
    }
}

fn weight(invalidation: &Invalidation) -> usize {
    match &invalidation.scope {
        Scope::Records(ids) => ids.len().max(1),
        Scope::Everything => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::RecordId;
    use larder_store::Tag;

    fn of(tags: usize) -> Invalidation {
        let tags: Vec<Tag> = (0..tags).map(|n| Tag::new(n.to_string())).collect();
        Invalidation {
            scope: Scope::Records(RecordId::of_all(&tags)),
            strength: Strength::Soft,
            intent: None,
        }
    }

    #[test]
    fn what_is_owed_keeps_its_order_and_is_settled_once() {
        let mut pending = Pending::default();
        for n in 1..=3 {
            pending.push(of(n));
        }
        pending.settle(&of(2));
        for n in 1..=3 {
            assert_eq!(pending.first(), Some(&of(n)));
            pending.settle(&of(n));
        }
        assert_eq!((pending.first(), pending.records), (None, 0));
    }

    #[test]
    fn too_many_become_one_of_everything() {
        let mut pending = Pending::default();
        for _ in 0..3 * MOST {
            pending.push(of(1));
        }
        assert!(
            pending
                .owed
                .iter()
                .any(|owed| owed.scope == Scope::Everything && owed.strength == Strength::Hard)
        );
        assert!(pending.records <= MOST && pending.owed.len() <= MOST);
        while let Some(first) = pending.first().cloned() {
            pending.settle(&first);
        }
        assert_eq!(pending.records, 0);
    }
}
