//! The counting of votes: pure, so that every split of answers can be tested.

use std::time::Duration;

use crate::node::{NodeError, NodeErrorKind, Vote};
use crate::token::{FencingToken, Owner};

/// Half of the nodes and one more. Two majorities share a node, and that node has one holder.
pub(crate) const fn quorum(nodes: usize) -> usize {
    if cfg!(larder_mutant = "lock_quorum_minority") {
        // Two of five.
        return nodes.div_ceil(2) - (nodes > 2) as usize;
    }
    nodes / 2 + 1
}

/// What the nodes have said so far in one ballot.
#[derive(Debug)]
pub(crate) struct Tally {
    answers: Vec<Option<Result<Vote, NodeError>>>,
}

/// What the votes come to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// A majority granted.
    Won,
    /// A majority would grant a token above `stored`.
    Outbid { stored: FencingToken },
    /// One other holds a majority, or those who share the lock do.
    Held { retry_after: Duration },
    /// A majority voted, and nobody is known to have won it.
    Split { retry_after: Duration },
    /// No majority voted.
    Unavailable,
}

impl Tally {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            answers: vec![None; nodes],
        }
    }

    /// Takes down a node's answer.
    pub(crate) fn cast(&mut self, node: usize, answer: Result<Vote, NodeError>) {
        let answer = answer.and_then(|vote| match vote {
            // It gave no vote, so it counts like a node that is away.
            Vote::Quarantined { remaining } => Err(NodeError::new(
                NodeErrorKind::Quarantined,
                format!("it may have forgotten votes and does not vote for another {remaining:?}"),
            )),
            vote => Ok(vote),
        });
        self.answers[node] = Some(answer);
    }

    /// Counts those who have not answered yet as failed, and names them.
    pub(crate) fn time_out(&mut self, patience: Duration) -> Vec<usize> {
        let awaited = |node: &usize| self.answers[*node].is_none();
        let silent: Vec<usize> = (0..self.answers.len()).filter(awaited).collect();
        for &node in &silent {
            let message = format!("no answer in {patience:?}");
            self.answers[node] = Some(Err(NodeError::new(NodeErrorKind::Timeout, message)));
        }
        silent
    }

    /// The decision, as soon as no further answer can change it.
    pub(crate) fn decision(&self) -> Option<Decision> {
        let nodes = self.answers.len();
        let quorum = quorum(nodes);
        let awaited = self.answers.iter().filter(|answer| answer.is_none()).count();
        let failed = self.answers.iter().filter(|a| matches!(a, Some(Err(_)))).count();
        let granted = self.votes().filter(|vote| **vote == Vote::Granted).count();
        let outdated = self.votes().filter_map(|vote| match vote {
            Vote::Outdated { stored } => Some(*stored),
            _ => None,
        });
        if granted >= quorum {
            return Some(Decision::Won);
        }
        if granted + awaited >= quorum {
            return None;
        }
        if granted + outdated.clone().count() >= quorum {
            let stored = outdated.max().unwrap_or(FencingToken::UNFENCED);
            return Some(Decision::Outbid { stored });
        }
        if failed > nodes - quorum {
            return Some(Decision::Unavailable);
        }
        let retry_after = self.free_after(quorum);
        if self.most_held_by_one().max(self.taken()) >= quorum {
            return Some(Decision::Held { retry_after });
        }
        (awaited == 0).then_some(Decision::Split { retry_after })
    }

    /// Why each node did not vote, or `None` where it did.
    pub(crate) fn into_errors(self) -> Vec<Option<NodeError>> {
        self.answers
            .into_iter()
            .map(|answer| answer.and_then(Result::err))
            .collect()
    }

    fn votes(&self) -> impl Iterator<Item = &Vote> + Clone {
        self.answers
            .iter()
            .filter_map(|answer| answer.as_ref()?.as_ref().ok())
    }

    fn most_held_by_one(&self) -> usize {
        let holders: Vec<Owner> = self
            .votes()
            .filter_map(|vote| match vote {
                Vote::Held { holder, .. } => Some(*holder),
                _ => None,
            })
            .collect();
        let votes_of = |owner| holders.iter().filter(|holder| *holder == owner).count();
        holders.iter().map(votes_of).max().unwrap_or(0)
    }

    fn taken(&self) -> usize {
        self.votes()
            .filter(|vote| matches!(vote, Vote::Taken { .. }))
            .count()
    }

    /// The time after which `quorum` of the votes known now are free, if no holder extends or releases.
    fn free_after(&self, quorum: usize) -> Duration {
        let mut times: Vec<Duration> = self
            .votes()
            .map(|vote| match vote {
                Vote::Held { remaining, .. } | Vote::Taken { remaining } => *remaining,
                _ => Duration::ZERO,
            })
            .collect();
        times.sort_unstable();
        times
            .get(quorum - 1)
            .or(times.last())
            .copied()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(by: u8, ms: u64) -> Result<Vote, NodeError> {
        Ok(Vote::Held {
            holder: Owner::from_bytes([by; 20]),
            remaining: Duration::from_millis(ms),
        })
    }

    fn outdated(stored: u64) -> Result<Vote, NodeError> {
        Ok(Vote::Outdated {
            stored: FencingToken::from_u64(stored),
        })
    }

    fn down() -> Result<Vote, NodeError> {
        Err(NodeError::new(NodeErrorKind::Io, "down"))
    }

    const GRANTED: Result<Vote, NodeError> = Ok(Vote::Granted);

    /// The decision of five nodes of which these have answered.
    fn of_five(answers: impl IntoIterator<Item = Result<Vote, NodeError>>) -> Option<Decision> {
        let mut tally = Tally::new(5);
        for (node, answer) in answers.into_iter().enumerate() {
            tally.cast(node, answer);
        }
        tally.decision()
    }

    #[test]
    fn a_majority_is_more_than_half() {
        assert_eq!([1, 2, 3, 4, 5, 6, 7].map(quorum), [1, 2, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn the_third_of_five_grants_wins_without_the_rest() {
        assert_eq!(of_five([GRANTED, GRANTED]), None);
        assert_eq!(of_five([GRANTED, GRANTED, GRANTED]), Some(Decision::Won));
        assert_eq!(
            of_five([down(), GRANTED, GRANTED, down(), GRANTED]),
            Some(Decision::Won)
        );
    }

    #[test]
    fn one_holder_of_a_majority_is_known_without_the_rest() {
        let retry_after = Duration::from_millis(20);
        assert_eq!(
            of_five([held(1, 10), held(1, 30), held(1, 20)]),
            Some(Decision::Held {
                retry_after: Duration::from_millis(30)
            })
        );
        assert_eq!(
            of_five([held(1, 10), held(1, 30), held(1, 20), held(2, 5), GRANTED]),
            Some(Decision::Held {
                retry_after: Duration::from_millis(10)
            })
        );
        assert_eq!(
            of_five([held(1, 10), held(1, 30), held(1, 20), down(), down()]),
            Some(Decision::Held {
                retry_after: Duration::from_millis(30)
            })
        );
        assert!(retry_after > Duration::ZERO);
    }

    #[test]
    fn those_who_share_a_majority_are_like_one_holder() {
        let taken = |ms| {
            Ok(Vote::Taken {
                remaining: Duration::from_millis(ms),
            })
        };
        assert_eq!(
            of_five([taken(10), taken(30), taken(20)]),
            Some(Decision::Held {
                retry_after: Duration::from_millis(30)
            })
        );
        let split = of_five([taken(10), taken(10), held(1, 10), GRANTED, GRANTED]);
        assert!(matches!(split, Some(Decision::Split { .. })), "{split:?}");
    }

    #[test]
    fn votes_that_nobody_won_are_a_split() {
        let split = of_five([held(1, 10), held(1, 10), held(2, 10), GRANTED, GRANTED]);
        assert!(matches!(split, Some(Decision::Split { .. })), "{split:?}");
        assert_eq!(of_five([held(1, 10), held(1, 10), held(2, 10), GRANTED]), None);
    }

    #[test]
    fn old_tokens_are_raised_above_the_highest_stored() {
        let stored = FencingToken::from_u64(9);
        let answers = [outdated(9), outdated(4), GRANTED, down(), down()];
        assert_eq!(of_five(answers), Some(Decision::Outbid { stored }));
    }

    #[test]
    fn three_of_five_away_is_unavailable_whatever_the_others_say() {
        assert_eq!(of_five([down(), down(), down()]), Some(Decision::Unavailable));
        let quarantined = || {
            Ok(Vote::Quarantined {
                remaining: Duration::from_secs(1),
            })
        };
        assert_eq!(
            of_five([quarantined(), down(), GRANTED, GRANTED, quarantined()]),
            Some(Decision::Unavailable)
        );
        let mut tally = Tally::new(5);
        tally.cast(0, held(1, 5));
        assert_eq!(tally.time_out(Duration::from_millis(5)), [1, 2, 3, 4]);
        assert_eq!(tally.decision(), Some(Decision::Unavailable));
        assert_eq!(tally.into_errors().iter().flatten().count(), 4);
    }

    #[test]
    fn after_the_last_answer_there_is_always_a_decision() {
        let taken = Ok(Vote::Taken {
            remaining: Duration::ZERO,
        });
        let all = [GRANTED, held(1, 1), held(2, 1), outdated(3), down(), taken];
        for code in 0..6_usize.pow(5) {
            let answers = (0..5).map(|node| all[code / 6_usize.pow(node) % 6].clone());
            assert!(of_five(answers).is_some());
        }
    }
}
