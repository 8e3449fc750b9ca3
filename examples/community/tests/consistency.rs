//! No read that is sent after a change was acknowledged shows less than that, whichever instance answers, also where
//! instances are killed meanwhile.
#![allow(clippy::unwrap_used, reason = "a test ends with the first surprise")]

mod support;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use larder_testkit::RedisServer;
use serde_json::Value;
use support::{Client, DEADLINE, Folder, Instance};

const USERS: usize = 8;
const WRITERS: usize = 2;
const READERS: usize = 6;

/// How many reads are checked, how many of them must be hits, and how often an instance is killed.
struct Demand {
    reads: usize,
    hits: usize,
    writes: usize,
    crashes: usize,
}

#[derive(Default)]
struct World {
    /// What each user's energy is at least, by the answers to its writer.
    acknowledged: [AtomicU64; USERS],
    /// The same for the members of a team, whom writers add in order.
    members: AtomicU64,
    reads: AtomicUsize,
    hits: AtomicUsize,
    writes: AtomicUsize,
    failed: AtomicUsize,
    over: AtomicBool,
    /// What was acknowledged at some moments, the last of them at the end.
    past: Mutex<VecDeque<(Instant, Floors)>>,
}

/// What no read may show less than: the energy of each user, and how many members there are.
#[derive(Debug, Clone, Copy, Default)]
struct Floors {
    energy: [u64; USERS],
    members: u64,
}

impl World {
    fn floors(&self) -> Floors {
        Floors {
            energy: std::array::from_fn(|user| self.acknowledged[user].load(Ordering::SeqCst)),
            members: self.members.load(Ordering::SeqCst),
        }
    }

    /// What was acknowledged for longer than `bound`, as far as somebody looked.
    fn floors_before(&self, bound: Duration) -> Floors {
        if bound.is_zero() {
            return self.floors();
        }
        let past = self.past.lock().unwrap();
        let old = past.iter().rev().find(|(at, _)| at.elapsed() > bound);
        old.map_or_else(Floors::default, |(_, floors)| *floors)
    }

    /// Looks at what is acknowledged.
    fn remember(&self) {
        let mut past = self.past.lock().unwrap();
        past.push_back((Instant::now(), self.floors()));
        if past.len() > 1000 {
            past.pop_front();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_instance_shows_every_change_that_was_acknowledged() {
    let demand = Demand {
        reads: 6_000,
        hits: 3_000,
        writes: 200,
        crashes: 2,
    };
    hold(1, &[], Duration::ZERO, &demand).await;
}

const THREE: Demand = Demand {
    reads: 6_000,
    hits: 2_000,
    writes: 150,
    crashes: 3,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_instances_show_every_change_that_one_of_them_acknowledged() {
    let redis = RedisServer::start();
    hold(3, &["--redis", &redis.url()], Duration::ZERO, &THREE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_instances_that_may_be_behind_are_so_for_no_longer_than_the_bound() {
    let redis = RedisServer::start();
    let more = ["--redis", &redis.url(), "--coherence", "bounded:100ms"];
    hold(3, &more, Duration::from_millis(100), &THREE).await;
}

/// Holds `count` instances over one database to it, whose answers may be behind by `bound`.
async fn hold(count: usize, more: &[&str], bound: Duration, demand: &Demand) {
    let folder = Folder::new("consistency");
    let mut instances = Vec::new();
    for _ in 0..count {
        instances.push(Instance::start(&folder.database(), more).await);
    }
    let addresses: Arc<[SocketAddr]> = instances.iter().map(|instance| instance.address).collect();
    let world = Arc::new(World::default());
    let mut tasks = Vec::new();
    for number in 0..WRITERS {
        tasks.push(tokio::spawn(write(
            Arc::clone(&world),
            Arc::clone(&addresses),
            number,
        )));
    }
    for number in 0..READERS {
        tasks.push(tokio::spawn(read(
            Arc::clone(&world),
            Arc::clone(&addresses),
            number,
            bound,
        )));
    }
    let began = Instant::now();
    let mut crashes = 0;
    loop {
        world.remember();
        let seen = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        let (reads, hits, writes) = (seen(&world.reads), seen(&world.hits), seen(&world.writes));
        if crashes < demand.crashes && reads > (crashes + 1) * demand.reads / (demand.crashes + 1) {
            instances[crashes % count].crash().await;
            crashes += 1;
        }
        let enough = reads >= demand.reads && hits >= demand.hits && writes >= demand.writes;
        if enough && crashes == demand.crashes || tasks.iter().any(tokio::task::JoinHandle::is_finished) {
            break;
        }
        assert!(
            began.elapsed() < 4 * DEADLINE,
            "{reads} reads, {hits} hits, {writes} writes"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.over.store(true, Ordering::SeqCst);
    for task in tasks {
        task.await.unwrap();
    }
    println!(
        "instances {count}: {} reads checked, {} of them hits, {} writes, {} requests failed, {crashes} instances killed",
        world.reads.load(Ordering::SeqCst),
        world.hits.load(Ordering::SeqCst),
        world.writes.load(Ordering::SeqCst),
        world.failed.load(Ordering::SeqCst),
    );
    assert!(
        world.failed.load(Ordering::SeqCst) < demand.reads / 10,
        "most requests are answered"
    );
}

/// Adds energy to the users that are its own, and members to the team.
async fn write(world: Arc<World>, addresses: Arc<[SocketAddr]>, number: usize) {
    let mut clients: Vec<Client> = addresses.iter().map(|address| Client::new(*address)).collect();
    let mut round = 0;
    while !world.over.load(Ordering::SeqCst) {
        round += 1;
        let at = round % clients.len();
        let client = &mut clients[at];
        let user = (round % (USERS / WRITERS)) * WRITERS + number;
        let name = format!("user-{user}");
        match client
            .post("/api/v1/energy-points", Some(&name), r#"{"points": 1}"#)
            .await
        {
            Ok(answer) => {
                assert_eq!((answer.status, answer.header("x-invalidation")), (200, ""));
                let energy = answer.json()["energy"].as_u64().unwrap();
                world.acknowledged[user].fetch_max(energy, Ordering::SeqCst);
                world.writes.fetch_add(1, Ordering::SeqCst);
                let cookie = answer.header("set-cookie").split(';').next().unwrap();
                let elsewhere = (at + 1) % clients.len();
                read_own(&mut clients[elsewhere], &name, cookie, energy).await;
            }
            Err(_) => failed(&world).await,
        }
        let client = &mut clients[at];
        if number == 0 {
            let body = format!(r#"{{"user": "member-{round:06}"}}"#);
            match client.post("/api/v1/teams/1/members", None, &body).await {
                Ok(answer) => {
                    let members = answer.json()["members"].as_array().unwrap().len() as u64;
                    world.members.fetch_max(members, Ordering::SeqCst);
                }
                Err(_) => failed(&world).await,
            }
        }
        // Room for reads between: without hits nothing would be shown.
        let until = world.reads.load(Ordering::SeqCst) + 40;
        while world.reads.load(Ordering::SeqCst) < until && !world.over.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Who changed it sees the change at once, on another instance and however far that may be behind for others.
async fn read_own(client: &mut Client, name: &str, cookie: &str, energy: u64) {
    let cookies = [("Cookie", cookie)];
    let answer = client
        .send("GET", "/api/v1/profile", Some(name), &cookies, "")
        .await;
    // It may have been killed.
    if let Ok(answer) = answer {
        let seen = answer.json()["energy"].as_u64().unwrap();
        let hit = answer.header("cache-status");
        assert!(seen >= energy, "{name} wrote {energy} and reads {seen}: {hit}");
    }
}

/// Reads by turns a profile, the ratings and the team, from each instance by turns.
async fn read(world: Arc<World>, addresses: Arc<[SocketAddr]>, number: usize, bound: Duration) {
    let mut clients: Vec<Client> = addresses.iter().map(|address| Client::new(*address)).collect();
    let mut round = number;
    while !world.over.load(Ordering::SeqCst) {
        round += 1;
        let at = round % clients.len();
        let client = &mut clients[at];
        let user = fastrand::usize(..USERS);
        let name = format!("user-{user}");
        let Floors {
            energy: floors,
            members,
        } = world.floors_before(bound);
        let answer = match round % 3 {
            0 => client.get("/api/v1/profile", Some(&name)).await,
            1 => client.get("/api/v1/ratings", None).await,
            _ => client.get("/api/v1/teams/1", None).await,
        };
        let Ok(answer) = answer else {
            failed(&world).await;
            continue;
        };
        assert_eq!(answer.status, 200);
        let json = answer.json();
        let hit = answer.header("cache-status");
        match round % 3 {
            0 => {
                let energy = json["energy"].as_u64().unwrap();
                assert!(
                    energy >= floors[user],
                    "{name} has {energy}, not {}: {hit}",
                    floors[user]
                );
            }
            1 => {
                for (user, floor) in floors.iter().enumerate() {
                    let energy = energy_of(&json, &format!("user-{user}"));
                    assert!(
                        energy >= *floor,
                        "user-{user} is rated {energy}, not {floor}: {hit}"
                    );
                }
            }
            _ => {
                let there = json["members"].as_array().unwrap().len() as u64;
                assert!(there >= members, "{there} members, not {members}: {hit}");
            }
        }
        world
            .hits
            .fetch_add(usize::from(answer.is_hit()), Ordering::SeqCst);
        world.reads.fetch_add(1, Ordering::SeqCst);
    }
}

fn energy_of(ratings: &Value, user: &str) -> u64 {
    let found = ratings.as_array().unwrap().iter().find(|row| row["user"] == user);
    found.map_or(0, |row| row["energy"].as_u64().unwrap())
}

/// The instance was killed, or is not there again yet.
async fn failed(world: &World) {
    world.failed.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(20)).await;
}
