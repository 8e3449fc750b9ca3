//! `functions`: the results of functions kept by Larder, by `cached` and by moka: a hit in memory, many who wait, and a hit
//! on a Redis server.

use std::convert::Infallible;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use larder::{FillPolicy, Larder, Values};
use larder_peers::{
    Outcome,
    args::Args,
    contenders::runtime,
    stats::{median, median_ratio},
};
use tokio::task::JoinSet;

/// What all keep: shared, so that a hit copies a pointer.
type Value = Arc<Vec<u8>>;
type Asking = Pin<Box<dyn Future<Output = Value> + Send>>;

/// How often a value was made.
static RUNS: AtomicUsize = AtomicUsize::new(0);

/// The function behind all caches: it takes a moment.
async fn make(key: u64) -> Value {
    RUNS.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(2)).await;
    Arc::new(vec![key.to_le_bytes()[0]; 10_240])
}

/// One cache: asks for a key once, or for many keys one after the other.
struct Contender {
    name: &'static str,
    ask: fn(&Caches, u64) -> Asking,
    hits: fn(&Caches, u64) -> Asking,
}

/// The caches that are no globals.
struct Caches {
    larder: Larder,
    values: Values<Value>,
    moka: moka::future::Cache<u64, Value>,
}

/// How many keys are asked for in turn.
const KEYS: u64 = 1_000;

const CONTENDERS: [Contender; 5] = [
    Contender {
        name: "moka get_with",
        ask: |caches, key| {
            let moka = caches.moka.clone();
            Box::pin(async move { moka.get_with(key, make(key)).await })
        },
        hits: |caches, count| {
            let moka = caches.moka.clone();
            Box::pin(async move {
                for turn in 0..count {
                    black_box(moka.get_with(turn % KEYS, make(turn % KEYS)).await);
                }
                Value::default()
            })
        },
    },
    Contender {
        name: "cached #[cached]",
        ask: |_, key| Box::pin(by_cached(key)),
        hits: |_, count| {
            Box::pin(async move {
                for turn in 0..count {
                    black_box(by_cached(turn % KEYS).await);
                }
                Value::default()
            })
        },
    },
    Contender {
        name: "cached #[concurrent_cached]",
        ask: |_, key| Box::pin(by_concurrent_cached(key)),
        hits: |_, count| {
            Box::pin(async move {
                for turn in 0..count {
                    black_box(by_concurrent_cached(turn % KEYS).await);
                }
                Value::default()
            })
        },
    },
    Contender {
        name: "Larder get_or_fill",
        ask: |caches, key| {
            let (larder, values) = (caches.larder.clone(), caches.values.clone());
            Box::pin(async move { by_slot(&larder, &values, key).await })
        },
        hits: |caches, count| {
            let (larder, values) = (caches.larder.clone(), caches.values.clone());
            Box::pin(async move {
                for turn in 0..count {
                    black_box(by_slot(&larder, &values, turn % KEYS).await);
                }
                Value::default()
            })
        },
    },
    Contender {
        name: "Larder #[cached]",
        ask: |caches, key| {
            let larder = caches.larder.clone();
            Box::pin(async move { by_attribute(&larder, key).await })
        },
        hits: |caches, count| {
            let larder = caches.larder.clone();
            Box::pin(async move {
                for turn in 0..count {
                    black_box(by_attribute(&larder, turn % KEYS).await);
                }
                Value::default()
            })
        },
    },
];

#[cached::macros::cached(max_size = 100_000, ttl_secs = 300, sync_writes = "by_key")]
async fn by_cached(key: u64) -> Value {
    make(key).await
}

#[cached::macros::concurrent_cached(max_size = 100_000, ttl_secs = 300)]
async fn by_concurrent_cached(key: u64) -> Value {
    make(key).await
}

async fn by_slot(larder: &Larder, values: &Values<Value>, key: u64) -> Value {
    let fill = || async { Ok::<_, Infallible>(make(key).await) };
    let Ok(value) = larder.get_or_fill(key, values, fill).await;
    value
}

#[larder::cached(ttl = "5m", tags = ["all"], codec = "in_process", weigh = weigh)]
async fn by_attribute(larder: &Larder, key: u64) -> Value {
    make(key).await
}

fn weigh(value: &Value) -> usize {
    value.len()
}

pub(crate) fn run(words: &[String]) -> Outcome<()> {
    let args = Args::read(words, &["rounds", "hits", "waiters", "only", "redis-rounds"])?;
    let (rounds, hits) = (args.number("rounds", 25)?, args.number("hits", 100_000)?);
    let waiters = args.number("waiters", 1_000)?;
    let caches = Caches {
        larder: Larder::in_memory(1 << 30),
        values: FillPolicy::new("values").ttl("5m").tag("all").in_process(weigh),
        moka: moka::future::Cache::builder()
            .max_capacity(100_000)
            .time_to_live(Duration::from_secs(300))
            .build(),
    };
    let only = args.text("only").unwrap_or("");
    let contenders: Vec<&Contender> = CONTENDERS.iter().filter(|one| one.name.contains(only)).collect();
    memory_hits(&caches, &contenders, rounds, hits)?;
    many_waiters(&caches, &contenders, rounds, waiters)?;
    match args.number("redis-rounds", 15)? {
        0 => Ok(()),
        rounds => super::functions_redis::redis_hits(rounds),
    }
}

/// The time of a hit, and its ratio to that of moka.
fn memory_hits(caches: &Caches, contenders: &[&Contender], rounds: usize, hits: u64) -> Outcome<()> {
    let runtime = runtime()?;
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    for contender in contenders {
        let mut all: JoinSet<Value> = JoinSet::new();
        runtime.block_on(async {
            (0..KEYS).for_each(|key| drop(all.spawn((contender.ask)(caches, key))));
            while all.join_next().await.is_some() {}
        });
    }
    RUNS.store(0, Ordering::SeqCst);
    for _ in 0..rounds {
        for (contender, times) in contenders.iter().zip(&mut times) {
            let work = (contender.hits)(caches, hits);
            let began = Instant::now();
            runtime.block_on(work);
            times.push(began.elapsed().as_nanos() as f64 / hits as f64);
        }
    }
    if RUNS.load(Ordering::SeqCst) > 0 {
        return Err("a hit was a miss: the figures are of something else".into());
    }
    println!("| hit in memory | ns | to moka |\n|---|---|---|");
    for (contender, all) in contenders.iter().zip(&times) {
        let ratio = median_ratio(all, &times[0]);
        println!("| {} | {:.0} | {ratio:.2} |", contender.name, median(all));
    }
    Ok(())
}

/// The time until all who ask at once for one key have it, its ratio to that of moka, and how often it was made.
fn many_waiters(caches: &Caches, contenders: &[&Contender], rounds: usize, waiters: u64) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    let mut runs = vec![0; contenders.len()];
    for round in 0..rounds {
        // A key that no round before had.
        let key = KEYS + round as u64;
        for (number, contender) in contenders.iter().enumerate() {
            RUNS.store(0, Ordering::SeqCst);
            let began = Instant::now();
            runtime.block_on(async {
                let mut all: JoinSet<Value> = JoinSet::new();
                (0..waiters).for_each(|_| drop(all.spawn((contender.ask)(caches, key))));
                while all.join_next().await.is_some() {}
            });
            times[number].push(began.elapsed().as_nanos() as f64 / 1e6);
            runs[number] = runs[number].max(RUNS.load(Ordering::SeqCst));
        }
    }
    println!("\n| {waiters} wait for 2 ms of work | ms | to moka | runs at most |\n|---|---|---|---|");
    for ((contender, all), runs) in contenders.iter().zip(&times).zip(runs) {
        let ratio = median_ratio(all, &times[0]);
        println!(
            "| {} | {:.2} | {ratio:.2} | {runs} |",
            contender.name,
            median(all)
        );
    }
    Ok(())
}
