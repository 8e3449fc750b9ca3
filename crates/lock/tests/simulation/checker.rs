//! The checker: who may believe to hold a lock and with which token, and what a resource makes of that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use larder_lock::{FencingToken, Lease};
use tokio::time::Instant;

use crate::process::Process;
use crate::world::{World, lock};

#[derive(Default)]
pub(crate) struct Checker {
    locks: Mutex<BTreeMap<String, Known>>,
    violations: Mutex<Vec<String>>,
    tally: Mutex<Tally>,
}

/// What is known about one lock.
#[derive(Default)]
struct Known {
    believers: Vec<(u64, usize, Lease)>,
    tokens: BTreeSet<FencingToken>,
    resource: Resource,
}

/// A counter that its holders read and write back. One keeps the fence, the other takes whatever comes.
#[derive(Debug, Clone, Copy, Default)]
struct Resource {
    fence: Option<FencingToken>,
    fenced: Counter,
    bare: Counter,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counter {
    value: u64,
    acknowledged: u64,
}

/// What a run came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) holds: u64,
    pub(crate) losses: u64,
    pub(crate) increments: u64,
    pub(crate) refused: u64,
    /// Increments that the resource without a fence lost.
    pub(crate) lost_bare: u64,
    /// Stands for the whole history: the same in every run of a seed.
    pub(crate) digest: u64,
}

/// Somebody may believe to hold a lock. The belief ends when this is dropped, or when the lease is over.
pub(crate) struct Belief {
    world: Arc<World>,
    key: String,
    number: u64,
    token: FencingToken,
    lease: Lease,
}

impl Checker {
    pub(crate) fn violation(&self, what: String) {
        lock(&self.violations).push(what);
    }

    /// What went wrong first.
    pub(crate) fn first_violation(&self) -> Option<String> {
        lock(&self.violations).first().cloned()
    }

    pub(crate) fn lost(&self) {
        lock(&self.tally).losses += 1;
    }

    /// The highest token that anybody has got for a lock so far: whoever asks from now on gets a higher one.
    pub(crate) fn floor(&self, key: &str) -> Option<FencingToken> {
        lock(&self.locks).get(key)?.tokens.last().copied()
    }

    /// Closes the books: no increment that was acknowledged behind the fence is lost.
    pub(crate) fn close(&self) -> Tally {
        let mut tally = *lock(&self.tally);
        for (key, known) in &*lock(&self.locks) {
            let Resource { fenced, bare, .. } = known.resource;
            if fenced.value != fenced.acknowledged {
                self.violation(format!("increments lost behind the fence of {key}: {fenced:?}"));
            }
            tally.lost_bare += bare.acknowledged - bare.value;
            tally.increments += fenced.acknowledged;
        }
        tally
    }

    fn check(&self, process: &Process, key: &str, lease: &Lease, floor: Option<FencingToken>) {
        let mut locks = lock(&self.locks);
        let known = locks.entry(key.to_owned()).or_default();
        let token = token_of(lease, key);
        if known.tokens.contains(&token) {
            self.violation(format!("token used twice: {token} of {key}"));
        }
        if floor.is_some_and(|floor| token <= floor) {
            self.violation(format!("token order: {token} of {key} is not above {floor:?}"));
        }
        known.tokens.insert(token);
        if lease.remaining().is_zero() {
            self.violation(format!("dead on arrival: process {} gets {key}", process.number));
            return;
        }
        let others = known
            .believers
            .iter()
            .map(|(_, other, lease)| (other, lease.remaining()));
        for (other, left) in others.filter(|(_, left)| !left.is_zero()) {
            self.violation(format!(
                "overlap: process {} gets {key}, and process {other} has it for another {left:?}",
                process.number
            ));
        }
    }
}

fn token_of(lease: &Lease, key: &str) -> FencingToken {
    let (kind, id) = key.split_once(':').unwrap_or_default();
    let lock = larder_lock::Lock::new(kind.to_owned(), id);
    lease.fencing_token_of(&lock).unwrap_or(FencingToken::UNFENCED)
}

impl Belief {
    /// The answer is there: from now on the process may believe. `floor` is what [`Checker::floor`] said when it asked.
    pub(crate) fn begin(
        world: &Arc<World>,
        process: &Process,
        key: &str,
        lease: &Lease,
        floor: Option<FencingToken>,
    ) -> Self {
        let checker = &world.checker;
        checker.check(process, key, lease, floor);
        let (number, token) = (world.chance.number(), token_of(lease, key));
        let mut locks = lock(&checker.locks);
        let known = locks.entry(key.to_owned()).or_default();
        known.believers.push((number, process.number, lease.clone()));
        let mut tally = lock(&checker.tally);
        tally.holds += 1;
        let at = u64::try_from((Instant::now() - world.epoch).as_nanos()).unwrap_or_default();
        tally.digest = (tally.digest ^ at ^ token.as_u64()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self {
            world: Arc::clone(world),
            key: key.to_owned(),
            number,
            token,
            lease: lease.clone(),
        }
    }

    /// Registers the token at the resource and reads both counters; `None` if the fence refuses.
    pub(crate) fn read(&self) -> Option<(u64, u64)> {
        self.at_resource(|resource| {
            resource.fence = resource.fence.max(Some(self.token));
            Some((resource.fenced.value, resource.bare.value))
        })
    }

    /// Writes back what was read, and one more.
    pub(crate) fn write(&self, (fenced, bare): (u64, u64)) {
        let written = self.at_resource(|resource| {
            resource.fenced = Counter {
                value: fenced + 1,
                acknowledged: resource.fenced.acknowledged + 1,
            };
            Some(())
        });
        let mut locks = lock(&self.world.checker.locks);
        let resource = &mut locks.entry(self.key.clone()).or_default().resource;
        resource.bare = Counter {
            value: bare + 1,
            acknowledged: resource.bare.acknowledged + 1,
        };
        drop((written, locks));
    }

    /// One step at the resource, if its fence lets it pass. It never turns away who holds the lock.
    fn at_resource<T>(&self, step: impl FnOnce(&mut Resource) -> Option<T>) -> Option<T> {
        let checker = &self.world.checker;
        let mut locks = lock(&checker.locks);
        let resource = &mut locks.entry(self.key.clone()).or_default().resource;
        if resource.fence <= Some(self.token) {
            return step(resource);
        }
        lock(&checker.tally).refused += 1;
        if !self.lease.remaining().is_zero() {
            checker.violation(format!(
                "turned away: the holder of {} with {}, by {:?}",
                self.key, self.token, resource.fence
            ));
        }
        None
    }
}

impl Drop for Belief {
    fn drop(&mut self) {
        let mut locks = lock(&self.world.checker.locks);
        if let Some(known) = locks.get_mut(&self.key) {
            known.believers.retain(|(number, ..)| *number != self.number);
        }
    }
}
