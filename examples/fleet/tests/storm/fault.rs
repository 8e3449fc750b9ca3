//! What is done to the servers, to what lies between, and to the instances.

use std::thread::sleep;
use std::time::{Duration, Instant};

use bytes::Bytes;
use larder_testkit::{Fault as Wire, RedisServer};

use super::crew::Field;
use super::ground::Ground;
use super::random::Random;

/// How long a fault lasts at least.
const SPAN: Duration = Duration::from_millis(250);

/// How often a server is flushed in that time.
const FLUSHES: u32 = 10;

/// In how many steps, and of how many bytes each, a server is given less memory.
const STEPS: u32 = 5;
const STEP: u64 = 20_000;

/// How often some keys are lost or damaged in that time.
const ROUNDS: u32 = 25;

/// Loses a few keys, whichever: an eviction of any policy.
const LOSE: &str = "
local lost = 0
for _ = 1, 5 do
  local key = redis.call('RANDOMKEY')
  if key then lost = lost + redis.call('UNLINK', key) end
end
return lost
";

/// Cuts some values short, and puts others of another kind in their place.
const DAMAGE: &str = "
local damaged = 0
for n = 1, 4 do
  local key = redis.call('RANDOMKEY')
  if key and redis.call('TYPE', key).ok == 'string' then
    local value = redis.call('GET', key)
    redis.call('DEL', key)
    if n % 2 == 0 then redis.call('SET', key, value:sub(1, #value / 2)) else redis.call('RPUSH', key, value) end
    damaged = damaged + 1
  end
end
return damaged
";

/// How long it may take until a fault is felt.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    ServerKilled,
    ServerStopped,
    Flushed,
    RolledBack,
    KeysLost,
    Damaged,
    Evicting,
    Full,
    Slow,
    Stalled,
    HalfOpen,
    AnswersLost,
    CutShort,
    Garbage,
    Loading,
    Refused,
    Cut,
    InstanceKilled,
    InstanceStopped,
    Moved,
}

impl Fault {
    /// All that there are over `ground`.
    pub(crate) fn over(ground: &Ground) -> Vec<Self> {
        let moved = matches!(ground, Ground::Cluster { .. }).then_some(Self::Moved);
        Self::ALL.into_iter().chain(moved).collect()
    }

    const ALL: [Self; 19] = [
        Self::Flushed,
        Self::ServerKilled,
        Self::HalfOpen,
        Self::RolledBack,
        Self::Stalled,
        Self::KeysLost,
        Self::Cut,
        Self::Damaged,
        Self::ServerStopped,
        Self::AnswersLost,
        Self::Evicting,
        Self::InstanceKilled,
        Self::Slow,
        Self::CutShort,
        Self::Full,
        Self::Garbage,
        Self::InstanceStopped,
        Self::Loading,
        Self::Refused,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ServerKilled => "server killed",
            Self::ServerStopped => "server stopped",
            Self::Flushed => "flushed",
            Self::RolledBack => "rolled back to a snapshot",
            Self::KeysLost => "keys lost",
            Self::Damaged => "values damaged",
            Self::Evicting => "evicting (allkeys-lru)",
            Self::Full => "full (noeviction)",
            Self::Slow => "100 ms slow",
            Self::Stalled => "stalled",
            Self::HalfOpen => "half open",
            Self::AnswersLost => "answers lost",
            Self::CutShort => "answers cut short",
            Self::Garbage => "garbage",
            Self::Loading => "loading",
            Self::Refused => "connections refused",
            Self::Cut => "connections cut",
            Self::InstanceKilled => "instance killed",
            Self::InstanceStopped => "instance stopped",
            Self::Moved => "records moved",
        }
    }

    /// Does it, for a while, and undoes it. Answers how often it was felt.
    pub(crate) fn happen(self, ground: &mut Ground, field: &Field, random: &mut Random) -> u64 {
        let instance = &field.instances[random.below(field.instances.len() as u64) as usize];
        match self {
            Self::ServerKilled => {
                let server = ground.server();
                server.kill();
                sleep(SPAN);
                server.restart();
                ground.settle();
                1
            }
            Self::ServerStopped => {
                let server = ground.server();
                server.stop();
                sleep(SPAN);
                server.cont();
                1
            }
            Self::Flushed => {
                for _ in 0..FLUSHES {
                    ground.server().cli(&["FLUSHALL"]);
                    sleep(SPAN / FLUSHES);
                }
                FLUSHES.into()
            }
            Self::RolledBack => {
                let server = ground.server();
                server.snapshot();
                sleep(SPAN);
                server.restart();
                server.discard_snapshot();
                ground.settle();
                1
            }
            Self::KeysLost => spoil(ground.server(), LOSE),
            Self::Damaged => spoil(ground.server(), DAMAGE),
            Self::Evicting => out_of_memory(ground.server(), "allkeys-lru", "evicted_keys:"),
            Self::Full => out_of_memory(ground.server(), "noeviction", "errorstat_OOM:count="),
            Self::InstanceKilled => {
                instance.kill();
                sleep(SPAN);
                instance.restart();
                1
            }
            Self::InstanceStopped => {
                instance.stop();
                sleep(SPAN);
                instance.cont();
                1
            }
            Self::Moved => {
                ground.move_records(|| sleep(SPAN));
                1
            }
            Self::Cut => wire(ground, None, random),
            Self::Slow => wire(ground, Some(&Wire::Delay(Duration::from_millis(100))), random),
            Self::Stalled => wire(ground, Some(&Wire::Stall), random),
            Self::HalfOpen => wire(ground, Some(&Wire::HalfOpen), random),
            Self::AnswersLost => wire(ground, Some(&Wire::LoseAnswers), random),
            Self::CutShort => wire(ground, Some(&Wire::CutShort), random),
            Self::Garbage => wire(ground, Some(&Wire::Garbage), random),
            Self::Loading => {
                let loading = b"-LOADING Redis is loading the dataset in memory\r\n";
                wire(ground, Some(&Wire::Answer(Bytes::from_static(loading))), random)
            }
            Self::Refused => wire(ground, Some(&Wire::Refuse), random),
        }
    }
}

/// Does `fault` to one connection or to all, until it was felt and its time is over. Without a fault they are cut.
fn wire(ground: &Ground, fault: Option<&Wire>, random: &mut Random) -> u64 {
    let proxies = ground.proxies(random);
    let felt = || proxies.iter().map(|proxy| proxy.faults() as u64).sum::<u64>();
    let before = felt();
    for proxy in &proxies {
        match fault {
            Some(fault) => proxy.set(fault.clone()),
            None => proxy.cut(),
        }
    }
    sleep(SPAN);
    in_time("a fault on the wire is felt", || felt() > before);
    for proxy in &proxies {
        proxy.set(Wire::None);
    }
    felt() - before
}

/// Gives a server less and less memory than it has, until it counts that this was felt.
fn out_of_memory(server: &RedisServer, policy: &str, counter: &str) -> u64 {
    let felt = || number(server, counter);
    let before = felt();
    server.cli(&["CONFIG", "SET", "maxmemory-policy", policy]);
    let used = number(server, "used_memory:");
    for step in 1..=STEPS {
        let most = used.saturating_sub(STEP * u64::from(step));
        server.cli(&["CONFIG", "SET", "maxmemory", &most.to_string()]);
        sleep(SPAN / STEPS);
    }
    in_time("a server is out of memory", || felt() > before);
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    felt() - before
}

/// A number in what a server tells of itself; 0 where it is not told.
fn number(server: &RedisServer, name: &str) -> u64 {
    let info = server.cli(&["INFO", "everything"]);
    let told = info.lines().find_map(|line| line.strip_prefix(name));
    told.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// Has a server do something to some of its keys, again and again. Answers to how many.
fn spoil(server: &RedisServer, script: &str) -> u64 {
    let round = |_| {
        sleep(SPAN / ROUNDS);
        server.cli(&["EVAL", script, "0"]).parse().unwrap_or(0)
    };
    (0..ROUNDS).map(round).sum()
}

/// Waits for `what` to become true; panics when it does not.
pub(crate) fn in_time(doing: &str, what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < PATIENCE, "not in {PATIENCE:?}: {doing}");
        sleep(Duration::from_millis(5));
    }
}
