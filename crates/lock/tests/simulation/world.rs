//! The simulated world: servers with clocks of their own, the links to them, and what befalls both.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larder_lock::{Bell, LockTable, Owner};
use tokio::time::Instant;

use crate::chance::Chance;
use crate::checker::Checker;
use crate::process::Process;

/// How the network of a run behaves when nothing particular befalls it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Network {
    /// The longest ordinary way of a message.
    pub(crate) delay: Duration,
    /// The longest way of one that is held up, and how many in a thousand are.
    pub(crate) late: (Duration, usize),
    /// How many messages in a thousand are lost, on each way.
    pub(crate) loss: usize,
    /// How many requests in a thousand come twice.
    pub(crate) doubled: usize,
    /// Whether messages between two keep their order, as on one connection.
    pub(crate) ordered: bool,
}

impl Network {
    /// Quick, and loses nothing.
    pub(crate) const fn calm(delay_ms: u64) -> Self {
        Self {
            delay: Duration::from_millis(delay_ms),
            late: (Duration::ZERO, 0),
            loss: 0,
            doubled: 0,
            ordered: true,
        }
    }
}

/// A server that votes.
pub(crate) struct Server {
    pub(crate) table: LockTable,
    /// How fast its clock runs.
    pub(crate) rate: f64,
    /// Gets its messages, and does nothing with them until then.
    pub(crate) stopped_until: Instant,
    /// Refuses connections until then.
    pub(crate) down_until: Instant,
    pub(crate) bells: Vec<(Arc<str>, usize, Bell)>,
}

/// The way between one process and one server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    pub(crate) requests_cut_until: Instant,
    pub(crate) answers_cut_until: Instant,
    /// How many requests and answers are still to be lost, whatever the weather.
    pub(crate) lose: (usize, usize),
    pub(crate) last_arrival: Instant,
}

pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) epoch: Instant,
    pub(crate) network: Network,
    /// How long a server that was seen empty does not vote.
    pub(crate) quarantine: Duration,
    pub(crate) checker: Checker,
    servers: Vec<Mutex<Server>>,
    links: Mutex<Vec<Vec<Link>>>,
    faults: Mutex<BTreeMap<&'static str, u64>>,
}

impl World {
    pub(crate) fn new(seed: u64, servers: usize, network: Network, quarantine: Duration) -> Arc<Self> {
        let now = Instant::now();
        let server = || Server {
            table: LockTable::new(),
            rate: 1.0,
            stopped_until: now,
            down_until: now,
            bells: Vec::new(),
        };
        Arc::new(Self {
            chance: Chance::new(seed),
            epoch: now,
            network,
            quarantine,
            checker: Checker::default(),
            servers: (0..servers).map(|_| Mutex::new(server())).collect(),
            links: Mutex::default(),
            faults: Mutex::default(),
        })
    }

    /// A new process, with links to all servers.
    pub(crate) fn process(self: &Arc<Self>) -> Arc<Process> {
        let now = Instant::now();
        let link = Link {
            requests_cut_until: now,
            answers_cut_until: now,
            lose: (0, 0),
            last_arrival: now,
        };
        let number = {
            let mut links = lock(&self.links);
            links.push(vec![link; self.servers.len()]);
            links.len() - 1
        };
        Process::new(self, number)
    }

    pub(crate) fn servers(&self) -> usize {
        self.servers.len()
    }

    pub(crate) fn server(&self, server: usize) -> MutexGuard<'_, Server> {
        lock(&self.servers[server])
    }

    pub(crate) fn link<T>(&self, process: usize, server: usize, change: impl FnOnce(&mut Link) -> T) -> T {
        change(&mut lock(&self.links)[process][server])
    }

    /// The time by the clock of a server.
    pub(crate) fn time_at(&self, rate: f64) -> Duration {
        // An hour on, so that nothing is at the beginning of time.
        Duration::from_secs(3600) + self.epoch.elapsed().mul_f64(rate)
    }

    /// Who has the votes of a lock, server by server.
    pub(crate) fn holders(&self, key: &str) -> Vec<Option<Owner>> {
        let holder = |number| {
            let server = self.server(number);
            let holder = server.table.holder(key, self.time_at(server.rate));
            holder.map(|(owner, _)| owner)
        };
        (0..self.servers()).map(holder).collect()
    }

    /// Restarts a server that keeps nothing: it does not vote for as long as its quarantine lasts.
    pub(crate) fn forget(&self, number: usize, down_for: Duration) {
        let mut server = self.server(number);
        let up = Instant::now() + down_for;
        let until = self.time_at(server.rate) + (down_for + self.quarantine).mul_f64(server.rate);
        server.table = LockTable::quarantined_until(until);
        server.bells.clear();
        server.down_until = up;
    }

    /// Counts something that befell the run.
    pub(crate) fn count(&self, fault: &'static str) {
        *lock(&self.faults).entry(fault).or_default() += 1;
    }

    pub(crate) fn faults(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.faults).clone()
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
