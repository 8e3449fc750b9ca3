//! What the scripts do, in Rust: for the model, which visits every order of steps; held to the scripts by the differential
//! test.

use super::record::{Generation, INTENT, IntentId, Record, Root, Tally};

/// The values on a server, and its clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Table {
    pub(crate) root: Option<Vec<u8>>,
    pub(crate) seq: Option<Vec<u8>>,
    pub(crate) tags: Vec<Option<Vec<u8>>>,
    /// Milliseconds.
    pub(crate) now: u64,
}

/// How a record that is missing is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Missing {
    /// Under a new number.
    New,
    /// Under the last number.
    Last,
}

/// What is forgotten, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Forget<'a> {
    pub(crate) tags: &'a [usize],
    pub(crate) hard: bool,
    pub(crate) everything: bool,
    pub(crate) intent: Option<IntentId>,
}

/// The values as a capture answers them: the root, the sequence, the records.
pub(crate) type Values = Vec<Option<Vec<u8>>>;

pub(crate) fn bytes(generation: Generation, hard: u64, soft: u64, rest: &[u8]) -> Vec<u8> {
    let numbers = [hard.to_be_bytes(), soft.to_be_bytes()].concat();
    [&generation.0[..], &numbers, rest].concat()
}

impl Table {
    /// The generation and the last number, if nothing is lost.
    pub(crate) fn generation(&self, run_id: &[u8]) -> Option<(Generation, u64)> {
        let root = Root::parse(self.root.as_deref()?)?;
        let Tally(last) = Tally::parse(self.seq.as_deref()?)?;
        (root.run_id == run_id && root.generation == last.generation)
            .then_some((root.generation, last.sequence))
    }

    fn set_sequence(&mut self, generation: Generation, sequence: u64) {
        self.seq = Some([&generation.0[..], &sequence.to_be_bytes()].concat());
    }

    fn record(&self, tag: usize) -> Option<Record<'_>> {
        Record::parse(self.tags[tag].as_deref()?)
    }

    pub(crate) fn capture(
        &mut self,
        tags: &[usize],
        run_id: &[u8],
        fresh: Generation,
        missing: Missing,
        intent: Option<(IntentId, u64)>,
    ) -> Values {
        let (generation, last) = match self.generation(run_id) {
            Some(known) => known,
            None if missing == Missing::Last => return vec![None, None],
            None => {
                self.root = Some(bytes(fresh, 0, 0, run_id));
                (fresh, 0)
            }
        };
        let mut number = last;
        for tag in tags {
            let record = self.record(*tag);
            let of_now = record.filter(|record| record.generation == generation);
            let open = record.map_or(&[][..], |record| record.intents);
            let own = intent.map(|(id, _)| id);
            let others = open
                .chunks(INTENT)
                .filter(|one| own.is_none_or(|id| one[..16] != id.0));
            let is_open = |one: &&[u8]| one[16..] > self.now.to_be_bytes()[..];
            let expired = others.clone().any(|one| !is_open(&one));
            let mut kept: Vec<u8> = others.filter(is_open).flatten().copied().collect();
            if let Some((id, lasts)) = intent {
                kept.extend(id.0);
                kept.extend((self.now + lasts).to_be_bytes());
            }
            let new = match of_now {
                Some(record) if expired => {
                    number = last + 1;
                    bytes(generation, number, record.soft, &kept)
                }
                Some(record) => bytes(generation, record.hard, record.soft, &kept),
                None if missing == Missing::Last => bytes(generation, number, 0, &kept),
                None => {
                    number = last + 1;
                    bytes(generation, number, 0, &kept)
                }
            };
            self.tags[*tag] = Some(new);
        }
        self.set_sequence(generation, number);
        let head = [self.root.clone(), self.seq.clone()];
        head.into_iter()
            .chain(tags.iter().map(|tag| self.tags[*tag].clone()))
            .collect()
    }

    /// Answers how many of the tags had a record.
    pub(crate) fn forget(&mut self, run_id: &[u8], forget: Forget<'_>) -> usize {
        let known = self.generation(run_id);
        if let Some((generation, last)) = known {
            self.set_sequence(generation, last + 1);
            if forget.everything
                && let Some(root) = self.root.as_deref().and_then(Root::parse)
            {
                let (hard, soft) = marked(root.hard, root.soft, last + 1, forget.hard);
                self.root = Some(bytes(generation, hard, soft, run_id));
            }
        } else {
            self.root = None;
        }
        let mut count = 0;
        for tag in forget.tags {
            let Some(record) = self.record(*tag) else { continue };
            let rest = record.intents.chunks(INTENT);
            let rest = rest.filter(|one| forget.intent.is_none_or(|id| one[..16] != id.0));
            let rest: Vec<u8> = rest.flatten().copied().collect();
            let new = match known {
                Some((generation, last)) if generation == record.generation => {
                    count += 1;
                    let (hard, soft) = marked(record.hard, record.soft, last + 1, forget.hard);
                    bytes(generation, hard, soft, &rest)
                }
                _ => bytes(record.generation, record.hard, record.soft, &rest),
            };
            self.tags[*tag] = Some(new);
        }
        count
    }
}

fn marked(hard: u64, soft: u64, number: u64, is_hard: bool) -> (u64, u64) {
    if is_hard { (number, soft) } else { (hard, number) }
}
