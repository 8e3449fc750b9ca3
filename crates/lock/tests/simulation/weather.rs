//! The weather of a run: all that its seed decides before it begins.

use std::time::Duration;

use crate::chance::Chance;
use crate::world::Network;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) network: Network,
    pub(crate) servers: usize,
    pub(crate) processes: usize,
    /// How many tasks of each process want locks.
    pub(crate) tasks: usize,
    pub(crate) locks: usize,
    /// How many in a thousand want a lock only together with others.
    pub(crate) shared: usize,
    pub(crate) ttl: Duration,
    pub(crate) patience: Option<Duration>,
    /// How long a server that was seen empty does not vote.
    pub(crate) quarantine: Duration,
    /// How far the wall clock of a process is off at most, either way.
    pub(crate) wall_error: Duration,
    /// Whether servers restart empty.
    pub(crate) restarts: bool,
    /// The mean time between two faults; `None` if there are none.
    pub(crate) faults_every: Option<Duration>,
}

impl Weather {
    pub(crate) fn draw(chance: &Chance) -> Self {
        let ttl = Duration::from_millis(chance.one_of(&[200, 500, 1000]));
        let calm = chance.strikes(150);
        let restarts = chance.strikes(500);
        let network = if calm {
            Network::calm(2)
        } else {
            Network {
                delay: Duration::from_millis(chance.one_of(&[1, 4, 15, 60])),
                late: (ttl * 2, chance.one_of(&[0, 5, 30])),
                loss: chance.one_of(&[0, 10, 60]),
                doubled: chance.one_of(&[0, 20]),
                ordered: chance.strikes(500),
            }
        };
        Self {
            network,
            servers: chance.one_of(&[3, 5, 5]),
            processes: 3 + chance.below(2),
            tasks: 1 + chance.below(2),
            locks: 1 + chance.below(2),
            shared: chance.one_of(&[0, 0, 400]),
            ttl,
            patience: chance
                .one_of(&[None, Some(ttl / 10), Some(ttl / 4)])
                .filter(|_| !calm),
            quarantine: ttl * 2 + Duration::from_secs(1),
            // Without servers that forget, order does not depend on clocks at all. With them, clocks have to be closer
            // to each other than a quarantine is long, less the time an attempt may take.
            wall_error: if restarts {
                ttl / 3
            } else {
                Duration::from_secs(3600)
            },
            restarts: restarts && !calm,
            faults_every: (!calm).then(|| ttl.mul_f64(chance.one_of(&[0.2, 0.5, 2.0]))),
        }
    }

    pub(crate) const fn is_calm(&self) -> bool {
        self.faults_every.is_none()
    }
}
