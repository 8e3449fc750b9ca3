//! `faults`: what requests take while the Redis server fails, beside the same requests without a cache.

mod ground;
mod load;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use larder::Larder;
use larder_peers::{Outcome, args::Args, contenders::runtime, stats::median};
use larder_redis::Coherence;
use tokio::runtime::Runtime;

use ground::{FAULTS, Fault, Ground};
use load::{Seen, Service, Signs};

/// How long requests come before the fault, and after it.
const CALM: Duration = Duration::from_millis(500);

/// How long it may take until there are hits again.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run(words: &[String]) -> Outcome<()> {
    let args = Args::read(words, &["only", "pairs", "span", "bounded"])?;
    let pairs = args.number("pairs", 5_usize)?;
    let span = Duration::from_millis(args.number("span", 2_000)?);
    let bound = args.number("bounded", 0)?;
    let coherence = match bound {
        0 => Coherence::Strict,
        milliseconds => Coherence::Bounded(Duration::from_millis(milliseconds)),
    };
    let faults = chosen(args.text("only"))?;
    println!("{coherence:?}, {pairs} pairs, {span:?} of each fault; ms\n");
    println!(
        "| the server is | requests | failed | hits | p99 without a cache | p99 | added | longest | a hit again after | owed |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for fault in faults {
        let rows: Vec<Pair> = (0..pairs)
            .map(|_| pair(fault, coherence, span))
            .collect::<Outcome<_>>()?;
        print(fault, &rows)?;
    }
    Ok(())
}

fn chosen(only: Option<&str>) -> Outcome<Vec<Fault>> {
    let Some(only) = only else {
        return Ok(FAULTS.to_vec());
    };
    let named = |name: &str| {
        let found = FAULTS.into_iter().find(|fault| fault.as_str() == name);
        let known: Vec<_> = FAULTS.iter().map(|fault| fault.as_str()).collect();
        found.ok_or_else(|| format!("no fault `{name}`; there are {}", known.join(", ")).into())
    };
    only.split(',').map(named).collect()
}

/// The same load without a cache, and with one whose server fails.
struct Pair {
    /// The 99th percentile of the requests without a cache, in milliseconds.
    bare: f64,
    during: Summary,
    /// How long after the fault the first hit was asked for.
    again: f64,
    /// Pages that could not be forgotten in time.
    owed: u64,
}

/// The requests that were sent while the fault lasted; times in milliseconds.
struct Summary {
    requests: usize,
    hits: usize,
    failed: usize,
    p99: f64,
    longest: f64,
}

fn pair(fault: Fault, coherence: Coherence, span: Duration) -> Outcome<Pair> {
    let runtime = runtime()?;
    let bare = alone(&runtime, span);
    let mut ground = Ground::of(fault);
    let store = runtime.block_on(ground.store().coherence(coherence).connect())?;
    let service = Service::cached(Larder::new(store.clone()));
    runtime.block_on(async {
        service.warm().await;
        store.flush().await;
    });
    ground.prepare(fault);
    let signs = Arc::new(Signs::default());
    let (began, ended, seen) = scope(|scope| {
        let meddler = scope.spawn(|| meddle(&mut ground, fault, span, &signs));
        let seen = runtime.block_on(service.serve(&signs));
        let (began, ended) = meddler.join().map_err(|_| "the fault could not be made")?;
        Ok::<_, Box<dyn std::error::Error>>((began, ended, seen))
    })?;
    let again = seen
        .iter()
        .filter(|one| one.hit && one.sent >= ended)
        .map(|one| one.sent - ended)
        .min();
    let again = again.ok_or_else(|| {
        format!(
            "{}: no hit in {PATIENCE:?} after the fault was over",
            fault.as_str()
        )
    })?;
    Ok(Pair {
        bare: bare.p99,
        during: Summary::of(&seen, began, ended),
        again: milliseconds(again),
        owed: signs.owed.load(Ordering::SeqCst),
    })
}

/// The load on the handler alone.
fn alone(runtime: &Runtime, span: Duration) -> Summary {
    let signs = Arc::new(Signs::default());
    let service = Service::bare();
    let (seen, began) = scope(|scope| {
        let began = Instant::now() + CALM;
        scope.spawn(|| {
            sleep(CALM + span);
            signs.over.store(true, Ordering::SeqCst);
        });
        (runtime.block_on(service.serve(&signs)), began)
    });
    Summary::of(&seen, began, began + span)
}

/// Has the fault happen in the midst of the load. Returns when it began and ended.
fn meddle(ground: &mut Ground, fault: Fault, span: Duration, signs: &Signs) -> (Instant, Instant) {
    sleep(CALM);
    let began = Instant::now();
    ground.suffer(fault, span);
    let ended = Instant::now();
    signs.healed.store(true, Ordering::SeqCst);
    while !signs.hit_again.load(Ordering::SeqCst) && ended.elapsed() < PATIENCE {
        sleep(Duration::from_millis(1));
    }
    sleep(CALM);
    signs.over.store(true, Ordering::SeqCst);
    (began, ended)
}

impl Summary {
    fn of(seen: &[Seen], from: Instant, to: Instant) -> Self {
        let asked: Vec<&Seen> = seen
            .iter()
            .filter(|one| one.sent >= from && one.sent < to)
            .collect();
        let mut times: Vec<f64> = asked.iter().map(|one| milliseconds(one.took)).collect();
        times.sort_by(f64::total_cmp);
        Self {
            requests: asked.len(),
            hits: asked.iter().filter(|one| one.hit).count(),
            // Also those before and after it.
            failed: seen.iter().filter(|one| one.failed).count(),
            p99: times
                .get(times.len().saturating_sub(1) * 99 / 100)
                .copied()
                .unwrap_or(0.0),
            longest: times.last().copied().unwrap_or(0.0),
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// One row: medians of the pairs, and the sum or the longest where that says more. An error where a request failed.
#[allow(clippy::cast_precision_loss, reason = "counts of a few seconds")]
fn print(fault: Fault, pairs: &[Pair]) -> Outcome<()> {
    let of = |value: fn(&Pair) -> f64| median(&pairs.iter().map(value).collect::<Vec<_>>());
    let sum = |value: fn(&Pair) -> usize| pairs.iter().map(value).sum::<usize>();
    let (requests, failed) = (sum(|one| one.during.requests), sum(|one| one.during.failed));
    let hits = 100.0 * sum(|one| one.during.hits) as f64 / requests.max(1) as f64;
    let longest = pairs.iter().map(|one| one.during.longest).fold(0.0, f64::max);
    let owed: u64 = pairs.iter().map(|one| one.owed).sum();
    println!(
        "| {} | {requests} | {failed} | {hits:.0} % | {:.1} | {:.1} | {:+.1} | {longest:.0} | {:.0} | {owed} |",
        fault.describe(),
        of(|one| one.bare),
        of(|one| one.during.p99),
        of(|one| one.during.p99 - one.bare),
        of(|one| one.again),
    );
    if failed > 0 {
        return Err(format!("{}: {failed} requests failed", fault.as_str()).into());
    }
    Ok(())
}
