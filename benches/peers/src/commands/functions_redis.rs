//! The part of `functions` that asks a Redis server: a hit there, by Larder, by `cached`, and by no more than a `GET`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cached::AsyncRedisCache;
use larder::{Larder, Limits};
use larder_peers::{
    Outcome,
    contenders::runtime,
    stats::{median, median_ratio},
};
use larder_redis::{Coherence, RedisStore};
use larder_testkit::RedisServer;
use redis::{AsyncCommands, Client, IntoConnectionInfo, aio::MultiplexedConnection, io::tcp::TcpSettings};
use serde::{Deserialize, Serialize};
use tokio::{runtime::Runtime, task::JoinSet};

/// How long one contender is asked in one round.
const ROUND: Duration = Duration::from_millis(150);
/// How many each task asks before the time is looked at.
const EACH: u64 = 20;
/// How many keys are asked for in turn.
const KEYS: u64 = 100;
/// How long a hit may wait for the server, so that a busy machine makes it slow and not a miss.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a value was made.
static RUNS: AtomicUsize = AtomicUsize::new(0);
/// Where the server is: the cache that `cached` makes is a global.
static URL: OnceLock<String> = OnceLock::new();

/// What all keep: 1.2 KB as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Profile {
    id: u64,
    name: String,
    mail: Option<String>,
    roles: Vec<String>,
    scores: Vec<u32>,
    about: String,
}

#[derive(Debug, Clone)]
struct Failed(String);

/// The function behind all caches.
fn make(id: u64) -> Profile {
    RUNS.fetch_add(1, Ordering::SeqCst);
    Profile {
        id,
        name: format!("person {id}"),
        mail: Some(format!("person{id}@example.org")),
        roles: (0..8).map(|role| format!("role {role}")).collect(),
        scores: (0..32).map(|at| at * 1_000).collect(),
        about: "x".repeat(800),
    }
}

#[cached::macros::concurrent_cached(
    map_error = |error| Failed(format!("{error:?}")),
    ty = "AsyncRedisCache<u64, Profile>",
    create = r##"{ connect().await }"##
)]
async fn by_cached(key: u64) -> Result<Profile, Failed> {
    Ok(make(key))
}

#[allow(clippy::expect_used, reason = "the macro has no room for an error here")]
async fn connect() -> AsyncRedisCache<u64, Profile> {
    let url = URL.get().map_or("", String::as_str);
    let builder = AsyncRedisCache::builder("functions").ttl(Duration::from_secs(300));
    let built = builder.connection_string(url).build().await;
    built.expect("the server of this bench is there")
}

#[larder::cached(ttl = "5m", tags = ["all"])]
async fn by_json(larder: &Larder, key: u64) -> Profile {
    make(key)
}

#[larder::cached(ttl = "5m", tags = ["all"], codec = "postcard")]
async fn by_postcard(larder: &Larder, key: u64) -> Profile {
    make(key)
}

#[derive(Clone)]
struct Caches {
    raw: MultiplexedConnection,
    /// Keeps values in memory too, and asks the server whether they are valid.
    strict: Larder,
    /// The same, and is told by the server what changes, so that a hit need not ask.
    bounded: Larder,
    /// Keeps nothing in memory.
    fetching: Larder,
}

#[derive(Clone, Copy)]
enum Contender {
    Raw,
    Cached,
    Json,
    Postcard,
    Memory,
    Told,
}

const CONTENDERS: [Contender; 6] = [
    Contender::Raw,
    Contender::Cached,
    Contender::Json,
    Contender::Postcard,
    Contender::Memory,
    Contender::Told,
];

impl Contender {
    const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw `GET`, `serde_json`",
            Self::Cached => "cached #[concurrent_cached], Redis (MessagePack)",
            Self::Json => "Larder #[cached], value from Redis (JSON)",
            Self::Postcard => "Larder #[cached], value from Redis (postcard)",
            Self::Memory => "Larder #[cached], value from memory, validated on Redis",
            Self::Told => "Larder #[cached], value from memory, `Coherence::Bounded(1s)`",
        }
    }

    async fn ask(self, caches: &mut Caches, key: u64) -> Outcome<Profile> {
        Ok(match self {
            Self::Raw => {
                let bytes: Vec<u8> = caches.raw.get(raw_key(key)).await?;
                serde_json::from_slice(&bytes)?
            }
            Self::Cached => by_cached(key).await.map_err(|failed| failed.0)?,
            Self::Json => by_json(&caches.fetching, key).await,
            Self::Postcard => by_postcard(&caches.fetching, key).await,
            Self::Memory => by_json(&caches.strict, key).await,
            Self::Told => by_json(&caches.bounded, key).await,
        })
    }

    /// The time of a hit, `concurrency` at a time.
    fn round(self, runtime: &Runtime, caches: &Caches, concurrency: u64) -> Outcome<f64> {
        let began = Instant::now();
        let mut hits = 0;
        while began.elapsed() < ROUND {
            runtime.block_on(async {
                let mut all = JoinSet::new();
                for task in 0..concurrency {
                    let mut caches = caches.clone();
                    all.spawn(async move {
                        for turn in 0..EACH {
                            let key = (task * EACH + turn) % KEYS;
                            let found = self
                                .ask(&mut caches, key)
                                .await
                                .map_err(|error| error.to_string())?;
                            if found.id != key {
                                return Err(format!("{} came for {key}", found.id));
                            }
                        }
                        Ok(())
                    });
                }
                while let Some(done) = all.join_next().await {
                    done??;
                }
                Ok::<_, Box<dyn std::error::Error>>(())
            })?;
            hits += concurrency * EACH;
        }
        Ok(began.elapsed().as_secs_f64() * 1e6 / hits as f64)
    }
}

fn raw_key(key: u64) -> String {
    format!("raw:{key}")
}

/// The time of a hit on a Redis server, and its ratio to a `GET` and the reading of its answer.
pub(super) fn redis_hits(rounds: usize) -> Outcome<()> {
    let server = RedisServer::start();
    let runtime = runtime()?;
    let mut caches = runtime.block_on(caches(&server))?;
    runtime.block_on(warm(&mut caches))?;
    for concurrency in [1, 16] {
        RUNS.store(0, Ordering::SeqCst);
        let mut times = vec![Vec::with_capacity(rounds); CONTENDERS.len()];
        for round in 0..rounds {
            for turn in 0..CONTENDERS.len() {
                // Each round starts with another contender, so that none always follows the same one.
                let index = (round + turn) % CONTENDERS.len();
                times[index].push(CONTENDERS[index].round(&runtime, &caches, concurrency)?);
            }
        }
        if RUNS.load(Ordering::SeqCst) > 0 {
            return Err("a hit was a miss: the figures are of something else".into());
        }
        println!("\n| hit on Redis, {concurrency} at a time | µs per hit | to raw |\n|---|---:|---:|");
        for (contender, all) in CONTENDERS.iter().zip(&times) {
            let (time, ratio) = (median(all), median_ratio(all, &times[0]));
            println!("| {} | {time:.1} | {ratio:.2} |", contender.name());
        }
    }
    Ok(())
}

async fn caches(server: &RedisServer) -> Outcome<Caches> {
    let url = server.url();
    let info = url.as_str().into_connection_info()?;
    let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    URL.get_or_init(|| url.as_str().to_owned());
    let store = |namespace: &str| RedisStore::builder(server.url()).namespace(namespace);
    let larder = |store: RedisStore| {
        let mut limits = Limits::default();
        limits.store_timeout = PATIENCE;
        Larder::builder(store).limits(limits).build()
    };
    let bound = Coherence::Bounded(Duration::from_secs(1));
    Ok(Caches {
        raw: Client::open(info)?.get_multiplexed_async_connection().await?,
        strict: larder(store("strict").connect().await?),
        bounded: larder(store("bounded").coherence(bound).connect().await?),
        fetching: larder(store("fetching").memory(0).connect().await?),
    })
}

/// Has all keys made by all, and waits until they are there.
async fn warm(caches: &mut Caches) -> Outcome<()> {
    for key in 0..KEYS {
        let bytes = serde_json::to_vec(&make(key))?;
        let () = caches.raw.set(raw_key(key), bytes).await?;
    }
    let until = Instant::now() + Duration::from_secs(20);
    for contender in CONTENDERS {
        loop {
            let before = RUNS.load(Ordering::SeqCst);
            for key in 0..KEYS {
                contender.ask(caches, key).await?;
            }
            if RUNS.load(Ordering::SeqCst) == before {
                break;
            }
            if Instant::now() > until {
                return Err(format!("{}: nothing is kept", contender.name()).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}
