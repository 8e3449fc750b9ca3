//! The servers, and what is done to them.

use std::thread::sleep;
use std::time::Duration;

use larder_redis::{Builder, Place, RedisStore};
use larder_testkit::{Fault as Wire, FaultProxy, RedisSentinel, RedisServer};

/// What is done to the server while requests come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Killed,
    Hung,
    Slow,
    Garbage,
    HalfOpen,
    Refused,
    Full,
    Flushed,
    RolledBack,
    Replaced,
}

pub(super) const FAULTS: [Fault; 10] = [
    Fault::Killed,
    Fault::Hung,
    Fault::Slow,
    Fault::Garbage,
    Fault::HalfOpen,
    Fault::Refused,
    Fault::Full,
    Fault::Flushed,
    Fault::RolledBack,
    Fault::Replaced,
];

impl Fault {
    /// The name, as `--only` has it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Hung => "hung",
            Self::Slow => "slow",
            Self::Garbage => "garbage",
            Self::HalfOpen => "half-open",
            Self::Refused => "refused",
            Self::Full => "full",
            Self::Flushed => "flushed",
            Self::RolledBack => "rolled-back",
            Self::Replaced => "replaced",
        }
    }

    /// What it is, in the table.
    pub(super) const fn describe(self) -> &'static str {
        match self {
            Self::Killed => "killed (`SIGKILL`), then started empty",
            Self::Hung => "hung (`SIGSTOP`)",
            Self::Slow => "each answer 100 ms late",
            Self::Garbage => "answers garbage",
            Self::HalfOpen => "half open: what is sent is lost",
            Self::Refused => "connections refused",
            Self::Full => "full (`noeviction`)",
            Self::Flushed => "flushed, ten times",
            Self::RolledBack => "restarted from an older snapshot",
            Self::Replaced => "an old primary: two of three Sentinels name another, and it answers on",
        }
    }
}

/// The servers of one run.
pub(super) enum Ground {
    /// One, and what lies before it.
    One(Box<(RedisServer, FaultProxy)>),
    /// A primary and its replica, with Sentinels.
    Watched(Box<RedisSentinel>),
}

impl Ground {
    pub(super) fn of(fault: Fault) -> Self {
        if fault == Fault::Replaced {
            return Self::Watched(Box::new(RedisSentinel::builder().sentinels(3).start()));
        }
        let server = RedisServer::start();
        let proxy = FaultProxy::before(server.addr());
        Self::One(Box::new((server, proxy)))
    }

    /// A store with the defaults of its kind over them.
    pub(super) fn store(&self) -> Builder {
        RedisStore::builder(match self {
            Self::One(one) => Place::from(one.0.url_at(one.1.addr())),
            Self::Watched(all) => Place::sentinel(all.name(), all.urls()),
        })
    }

    /// What has to be there before requests come.
    pub(super) fn prepare(&self, fault: Fault) {
        if let (Self::One(one), Fault::RolledBack) = (self, fault) {
            one.0.snapshot();
        }
    }

    /// Does `fault`, undoes it after `span`, and returns.
    pub(super) fn suffer(&mut self, fault: Fault, span: Duration) {
        match self {
            Self::One(one) => {
                let (server, proxy) = &mut **one;
                suffer_alone(server, proxy, fault, span);
            }
            Self::Watched(all) => {
                let _ = all.replace_primary();
                sleep(span);
            }
        }
    }
}

fn suffer_alone(server: &mut RedisServer, proxy: &FaultProxy, fault: Fault, span: Duration) {
    /// How often it is flushed.
    const FLUSHES: u32 = 10;
    let on_the_wire = |wire| {
        proxy.set(wire);
        sleep(span);
        proxy.set(Wire::None);
    };
    match fault {
        Fault::Killed => {
            server.kill();
            sleep(span);
            server.restart();
        }
        Fault::Hung => {
            server.stop();
            sleep(span);
            server.cont();
        }
        Fault::Slow => on_the_wire(Wire::Delay(Duration::from_millis(100))),
        Fault::Garbage => on_the_wire(Wire::Garbage),
        Fault::HalfOpen => on_the_wire(Wire::HalfOpen),
        Fault::Refused => on_the_wire(Wire::Refuse),
        Fault::Full => {
            server.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
            server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
            sleep(span);
            server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
        }
        Fault::Flushed => {
            for _ in 0..FLUSHES {
                server.cli(&["FLUSHALL"]);
                sleep(span / FLUSHES);
            }
        }
        Fault::RolledBack => {
            server.restart();
            sleep(span);
        }
        Fault::Replaced => unreachable!("it takes Sentinels"),
    }
}
