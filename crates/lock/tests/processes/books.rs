//! What the processes told, and what is wrong with it.

use std::collections::BTreeMap;
use std::fmt;

/// Somebody believed to hold the lock, from one time to another, with this token. In microseconds.
#[derive(Debug, Clone, Copy)]
struct Belief {
    process: u32,
    from: u64,
    to: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Books {
    beliefs: BTreeMap<u64, Belief>,
    fenced: BTreeMap<u64, u64>,
    bare: BTreeMap<u64, u64>,
    refused: u64,
    told_losses: u64,
    faults: BTreeMap<&'static str, u64>,
}

/// What a bout came to.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) holds: usize,
    pub(crate) refused: u64,
    pub(crate) lost_bare: u64,
    told_losses: u64,
    faults: BTreeMap<&'static str, u64>,
}

impl Books {
    /// Takes down a line; returns whether its process believes to hold the lock from now on.
    pub(crate) fn take_down(&mut self, process: u32, line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |index: usize| words[index].parse::<u64>().unwrap();
        match words[0] {
            "belief" => {
                let (at, left, token) = (number(1), number(2), number(3));
                let first = !self.beliefs.contains_key(&token);
                let belief = self.beliefs.entry(token).or_insert(Belief {
                    process,
                    from: at,
                    to: at,
                });
                assert_eq!(belief.process, process, "a token of two processes");
                belief.to = belief.to.max(at + left);
                return first;
            }
            "end" => {
                if let Some(belief) = self.beliefs.get_mut(&number(2)) {
                    belief.to = belief.to.min(number(1));
                }
            }
            "fenced" => *self.fenced.entry(number(1)).or_default() += 1,
            "bare" => *self.bare.entry(number(1)).or_default() += 1,
            "refused" => self.refused += 1,
            "lost" => self.told_losses += 1,
            other => panic!("{other} is not in the language of workers"),
        }
        false
    }

    /// From now on a process believes nothing: it was killed.
    pub(crate) fn died(&mut self, process: u32, at: u64) {
        for belief in self
            .beliefs
            .values_mut()
            .filter(|belief| belief.process == process)
        {
            belief.to = belief.to.min(at);
        }
    }

    pub(crate) fn count(&mut self, fault: &'static str) {
        *self.faults.entry(fault).or_default() += 1;
    }

    /// Counts a fault of so many servers at the same moment.
    pub(crate) fn count_servers(&mut self, names: &[&'static str], servers: usize) {
        if let Some(name) = servers.checked_sub(1).and_then(|index| names.get(index)) {
            self.count(name);
        }
    }

    /// Whether a process believes to hold the lock, as far as it has told.
    pub(crate) fn holds(&self, process: u32, at: u64) -> bool {
        self.beliefs
            .values()
            .any(|belief| belief.process == process && belief.to > at)
    }

    fn by_time(&self) -> Vec<(u64, Belief)> {
        let mut beliefs: Vec<_> = self
            .beliefs
            .iter()
            .map(|(token, belief)| (*token, *belief))
            .collect();
        beliefs.sort_by_key(|(_, belief)| belief.from);
        beliefs
    }

    /// Those who believed to hold the lock at the same time.
    pub(crate) fn overlaps(&self) -> Vec<String> {
        let beliefs = self.by_time();
        let pairs = beliefs.windows(2).filter(|pair| pair[1].1.from < pair[0].1.to);
        pairs.map(|pair| format!("{pair:?}")).collect()
    }

    /// Those who held the lock after another, with a lower token.
    pub(crate) fn tokens_out_of_order(&self) -> Vec<String> {
        let beliefs = self.by_time();
        let pairs = beliefs
            .windows(2)
            .filter(|pair| pair[1].0 <= pair[0].0 && pair[1].1.from >= pair[0].1.to);
        pairs.map(|pair| format!("{pair:?}")).collect()
    }

    /// Numbers that two acknowledged increments wrote: one of the two is lost.
    pub(crate) fn lost_behind_the_fence(&self) -> Vec<String> {
        let twice = self.fenced.iter().filter(|(_, times)| **times > 1);
        twice
            .map(|(value, times)| format!("{value} was written {times} times"))
            .collect()
    }

    pub(crate) fn summary(&self) -> Summary {
        Summary {
            holds: self.beliefs.len(),
            refused: self.refused,
            lost_bare: self.bare.values().map(|times| times - 1).sum(),
            told_losses: self.told_losses,
            faults: self.faults.clone(),
        }
    }
}

impl Summary {
    pub(crate) fn has_seen(&self, fault: &str) -> bool {
        self.faults.contains_key(fault)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            holds,
            refused,
            lost_bare,
            told_losses,
            faults,
        } = self;
        write!(
            f,
            "{holds} holds, {told_losses} told of a loss, {refused} turned away by the fence, {lost_bare} updates lost without \
             it; faults: {faults:?}"
        )
    }
}
