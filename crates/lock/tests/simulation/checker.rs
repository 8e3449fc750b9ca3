//! The checker: who may believe to hold a lock and with which token, and what a resource makes of that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use larder_lock::{FencingToken, Lease, Lock, LockMode};
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
    believers: Vec<Believer>,
    /// The tokens of those who held it alone, and the highest of those who shared it.
    tokens: BTreeSet<FencingToken>,
    shared_token: Option<FencingToken>,
    resource: Resource,
}

struct Believer {
    number: u64,
    process: usize,
    mode: LockMode,
    lease: Lease,
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
    /// Those that began while others shared the lock.
    pub(crate) shared: u64,
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
    mode: LockMode,
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

    /// The highest token that anybody has got for a lock so far: whoever asks from now on gets a higher one. For those who
    /// share it, the highest of those who held it alone.
    pub(crate) fn floor(&self, name: &Lock) -> Option<FencingToken> {
        let locks = lock(&self.locks);
        let known = locks.get(name.key())?;
        let alone = known.tokens.last().copied();
        match name.mode() {
            LockMode::Exclusive => alone.max(known.shared_token),
            LockMode::Shared => alone,
        }
    }

    /// Whether the fence of a lock's resource lets this token pass.
    pub(crate) fn passes(&self, name: &Lock, token: FencingToken) -> bool {
        let locks = lock(&self.locks);
        let resource = locks.get(name.key()).map(|known| known.resource);
        resource.is_none_or(|resource| resource.fence <= Some(token))
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

    fn check(&self, process: &Process, name: &Lock, lease: &Lease, floor: Option<FencingToken>) {
        let (key, mode) = (name.key(), name.mode());
        let mut locks = lock(&self.locks);
        let known = locks.entry(key.to_owned()).or_default();
        let token = token_of(lease, name);
        if known.tokens.contains(&token) {
            self.violation(format!("token used twice: {token} of {key}"));
        }
        if floor.is_some_and(|floor| token <= floor) {
            self.violation(format!("token order: {token} of {key} is not above {floor:?}"));
        }
        match mode {
            LockMode::Exclusive => drop(known.tokens.insert(token)),
            LockMode::Shared => known.shared_token = known.shared_token.max(Some(token)),
        }
        if lease.remaining().is_zero() {
            self.violation(format!("dead on arrival: process {} gets {key}", process.number));
            return;
        }
        let believers = known
            .believers
            .iter()
            .filter(|other| !other.lease.remaining().is_zero());
        for other in believers {
            if other.mode == LockMode::Shared && mode == LockMode::Shared {
                lock(&self.tally).shared += 1;
                continue;
            }
            self.violation(format!(
                "overlap: process {} gets {key} ({}), and process {} has it ({}) for another {:?}",
                process.number,
                mode.as_str(),
                other.process,
                other.mode.as_str(),
                other.lease.remaining()
            ));
        }
    }
}

fn token_of(lease: &Lease, name: &Lock) -> FencingToken {
    lease.fencing_token_of(name).unwrap_or(FencingToken::UNFENCED)
}

impl Belief {
    /// The answer is there: from now on the process may believe. `floor` is what [`Checker::floor`] said when it asked.
    pub(crate) fn begin(
        world: &Arc<World>,
        process: &Process,
        name: &Lock,
        lease: &Lease,
        floor: Option<FencingToken>,
    ) -> Self {
        let checker = &world.checker;
        checker.check(process, name, lease, floor);
        let (number, token) = (world.chance.number(), token_of(lease, name));
        let (key, mode) = (name.key(), name.mode());
        let mut locks = lock(&checker.locks);
        let known = locks.entry(key.to_owned()).or_default();
        known.believers.push(Believer {
            number,
            process: process.number,
            mode,
            lease: lease.clone(),
        });
        let mut tally = lock(&checker.tally);
        tally.holds += 1;
        let at = u64::try_from((Instant::now() - world.epoch).as_nanos()).unwrap_or_default();
        tally.digest = (tally.digest ^ at ^ token.as_u64()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self {
            world: Arc::clone(world),
            key: key.to_owned(),
            number,
            mode,
            token,
            lease: lease.clone(),
        }
    }

    pub(crate) const fn mode(&self) -> LockMode {
        self.mode
    }

    /// Registers the token at the resource and reads the counter behind the fence. Who only reads is never refused: that the
    /// token is registered keeps out the late writes of those who held the lock before.
    pub(crate) fn look(&self) -> u64 {
        let mut locks = lock(&self.world.checker.locks);
        let resource = &mut locks.entry(self.key.clone()).or_default().resource;
        resource.fence = resource.fence.max(Some(self.token));
        resource.fenced.value
    }

    /// What was seen is still there, if the lock is.
    pub(crate) fn look_again(&self, seen: u64) {
        let value = self.look();
        if value != seen && !self.lease.remaining().is_zero() {
            let what = format!("changed under a reader: {} of {} to {value}", seen, self.key);
            self.world.checker.violation(what);
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
            known.believers.retain(|other| other.number != self.number);
        }
    }
}
