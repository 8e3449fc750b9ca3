//! One run: a world, its processes and its faults, from one seed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_lock::{Lock, LockOptions};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::chance::Chance;
use crate::checker::Tally;
use crate::client::Client;
use crate::faults::{Faults, Places};
use crate::weather::Weather;
use crate::world::{World, lock};

/// How long a run lasts, in its own time.
const LENGTH: Duration = Duration::from_secs(6);

/// How much a server's clock may be off, either way: less than the allowance for drift.
const RATE_ERROR: f64 = 0.009;

/// What came of a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) tally: Tally,
    pub(crate) faults: BTreeMap<&'static str, u64>,
    pub(crate) violation: Option<String>,
}

/// Runs `scenario` in a runtime of its own, with a clock that only the run moves.
pub(crate) fn in_simulated_time<T>(scenario: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(scenario)
}

pub(crate) fn run(seed: u64) -> Report {
    in_simulated_time(simulate(seed))
}

async fn simulate(seed: u64) -> Report {
    let weather = Weather::draw(&Chance::new(!seed));
    let world = World::new(seed, weather.servers, weather.network, weather.quarantine);
    for server in 0..world.servers() {
        world.server(server).rate = 1.0 + RATE_ERROR * (2.0 * world.chance.fraction() - 1.0);
    }
    let end = Instant::now() + LENGTH;
    let places: Places = Arc::new(Mutex::new(
        (0..weather.processes).map(|_| world.process()).collect(),
    ));
    let mut tasks = JoinSet::new();
    for place in 0..weather.processes {
        tasks.spawn(live(Arc::clone(&world), weather, Arc::clone(&places), place, end));
    }
    let faults = Faults {
        world: Arc::clone(&world),
        weather,
        places,
    };
    tasks.spawn(faults.strike_until(end));
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    settle(&world, &weather).await;
    let tally = world.checker.close();
    Report {
        tally,
        faults: world.faults(),
        violation: world.checker.first_violation(),
    }
}

/// The processes of one place, one after the other: whoever is killed has a successor.
async fn live(world: Arc<World>, weather: Weather, places: Places, place: usize, end: Instant) {
    while Instant::now() < end {
        let process = Arc::clone(&lock(&places)[place]);
        let faults = Faults {
            world: Arc::clone(&world),
            weather,
            places: Arc::clone(&places),
        };
        faults.set_wall_clock(&process);
        let mut clients = JoinSet::new();
        for _ in 0..weather.tasks {
            let client = Client {
                world: Arc::clone(&world),
                process: Arc::clone(&process),
                weather,
            };
            clients.spawn(client.live_until(end));
        }
        tokio::select! {
            biased;
            () = process.killed() => clients.shutdown().await,
            () = async { while let Some(ended) = clients.join_next().await { ended.unwrap() } } => {}
        }
        lock(&places)[place] = world.process();
    }
}

/// When all faults are over, whoever asks gets the lock.
async fn settle(world: &Arc<World>, weather: &Weather) {
    // A wall clock at the right time: the next token is above all others only by what the nodes answer.
    let process = world.process();
    sleep(weather.ttl * 3 + weather.quarantine).await;
    if weather.network.loss > 0 || weather.network.late.1 > 0 {
        return;
    }
    for number in 0..weather.locks {
        let options = LockOptions::new(weather.ttl)
            .wait(weather.ttl * 3)
            .per_node_timeout(weather.network.delay * 3 + Duration::from_millis(10));
        let got = process.locker.acquire(Lock::new("job", number), options).await;
        if let Err(error) = got {
            world
                .checker
                .violation(format!("not free in the end: job:{number}: {error}"));
        }
    }
}
