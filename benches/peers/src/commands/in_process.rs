//! `in-process`: nanoseconds per hit, contenders interleaved round by round, so that a slow moment hits all alike.

use std::{collections::HashMap, process::Command, time::Instant};

use larder_peers::{
    Outcome,
    args::Args,
    contenders::{Contender, Running, runtime},
    stats::{median, median_ratio},
};
use tokio::runtime::Runtime;

/// How long one contender is asked in one round: short, so that most rounds are not interrupted.
const ROUND_NS: f64 = 2e6;

/// Allocations per hit by contender and size, as printed by the other program.
type Allocations = HashMap<(String, usize), String>;

pub(crate) fn run(words: &[String]) -> Outcome<()> {
    let args = Args::read(words, &["size", "rounds", "only"])?;
    let sizes = args.numbers("size", &[200, 10_240, 102_400])?;
    let rounds = args.number("rounds", 25_usize)?;
    let contenders = args.contenders()?;
    let allocations = allocations(&sizes, &contenders);
    for size in sizes {
        let measured = measure(size, rounds, &contenders)?;
        print(size, rounds, &measured, &allocations);
    }
    Ok(())
}

struct Measured {
    name: &'static str,
    /// Nanoseconds per hit, one a round.
    rounds: Vec<f64>,
}

fn measure(size: usize, rounds: usize, contenders: &[Contender]) -> Outcome<Vec<Measured>> {
    let runtime = runtime()?;
    let mut batches = Vec::new();
    for contender in contenders {
        let running = contender.start(size, &runtime)?;
        let count = batch(&running, &runtime)?;
        batches.push((running, count));
    }
    let mut measured: Vec<Measured> = contenders
        .iter()
        .map(|one| Measured {
            name: one.name,
            rounds: Vec::new(),
        })
        .collect();
    for round in 0..rounds {
        for turn in 0..batches.len() {
            // Each round starts with another contender, so that none always follows the same one.
            let index = (round + turn) % batches.len();
            let (running, count) = &batches[index];
            measured[index].rounds.push(timed(running, &runtime, *count)?);
        }
    }
    Ok(measured)
}

/// How many hits fill a round.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn batch(running: &Running, runtime: &Runtime) -> Outcome<u64> {
    timed(running, runtime, 20)?;
    Ok((ROUND_NS / timed(running, runtime, 20)?).max(10.0) as u64)
}

#[allow(clippy::cast_precision_loss)]
fn timed(running: &Running, runtime: &Runtime, count: u64) -> Outcome<f64> {
    let start = Instant::now();
    running.hits(runtime, count)?;
    let per_hit = start.elapsed().as_nanos() as f64 / count as f64;
    running.recording.upkeep();
    Ok(per_hit)
}

/// Asks the counting program beside this one; without it the column stays empty.
fn allocations(sizes: &[usize], contenders: &[Contender]) -> Allocations {
    let join = |parts: Vec<String>| parts.join(",");
    let sizes = join(sizes.iter().map(ToString::to_string).collect());
    let names = join(contenders.iter().map(|one| one.name.to_owned()).collect());
    let counted = super::myself().and_then(|path| {
        let mut command = Command::new(path.with_file_name("larder-peers-allocations"));
        Ok(command.args(["--size", &sizes, "--only", &names]).output()?)
    });
    match counted {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(row)
            .collect(),
        Ok(output) => {
            eprintln!(
                "allocations not counted: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
            Allocations::new()
        }
        Err(_) => {
            eprintln!(
                "allocations not counted: `larder-peers-allocations` is not beside this program; build the whole package"
            );
            Allocations::new()
        }
    }
}

fn row(line: &str) -> Option<((String, usize), String)> {
    let mut words = line.split(' ');
    let key = (words.next()?.to_owned(), words.next()?.parse().ok()?);
    let calls = words.next()?;
    Some((key, format!("{calls} ({} B)", words.next()?)))
}

fn print(size: usize, rounds: usize, measured: &[Measured], allocations: &Allocations) {
    println!("\n{size} bytes, {rounds} rounds\n");
    println!("| contender | median ns | ×bare | allocations per hit |\n|---|---:|---:|---:|");
    let bare = measured
        .iter()
        .find(|one| one.name == "bare")
        .map_or(&[][..], |one| &one.rounds);
    for one in measured {
        let counted = allocations
            .get(&(one.name.to_owned(), size))
            .map_or("–", String::as_str);
        let (ns, ratio) = (median(&one.rounds), median_ratio(&one.rounds, bare));
        println!("| {} | {ns:.0} | {ratio:.2} | {counted} |", one.name);
    }
}
