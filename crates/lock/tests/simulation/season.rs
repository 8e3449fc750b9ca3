//! Many runs: seeds from the environment, and the sum of what they came to.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::checker::Tally;
use crate::run::run;
use crate::world::lock;

/// How many seeds are run if the environment does not say.
const SEEDS: u64 = 200;

/// The sum of many runs.
#[derive(Debug, Default)]
pub(crate) struct Season {
    pub(crate) seeds: u64,
    pub(crate) tally: Tally,
    pub(crate) faults: BTreeMap<&'static str, u64>,
    pub(crate) took: Duration,
}

/// `LOCK_SIMULATION_SEED` is one seed alone, `LOCK_SIMULATION_SEEDS` how many there are, for a soak.
pub(crate) fn seeds() -> Range<u64> {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|value| value.parse::<u64>().unwrap())
    };
    match number("LOCK_SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LOCK_SIMULATION_SEEDS").unwrap_or(SEEDS),
    }
}

impl Season {
    /// Runs all `seeds`, or up to about the first that breaks a lock; that one's number and its violation are the error.
    pub(crate) fn run(seeds: Range<u64>) -> Result<Self, (u64, String)> {
        let begun = Instant::now();
        let next = AtomicU64::new(seeds.start);
        let season = Mutex::new(Self::default());
        let broken: Mutex<BTreeMap<u64, String>> = Mutex::default();
        let work = || {
            while lock(&broken).is_empty() {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end {
                    break;
                }
                let report = run(seed);
                lock(&season).add(&report.tally, &report.faults);
                if let Some(violation) = report.violation {
                    lock(&broken).insert(seed, violation);
                }
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4));
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
        if let Some(first) = lock(&broken).pop_first() {
            return Err(first);
        }
        let mut season = season.into_inner().unwrap();
        season.took = begun.elapsed();
        Ok(season)
    }

    fn add(&mut self, tally: &Tally, faults: &BTreeMap<&'static str, u64>) {
        self.seeds += 1;
        self.tally.holds += tally.holds;
        self.tally.shared += tally.shared;
        self.tally.losses += tally.losses;
        self.tally.increments += tally.increments;
        self.tally.refused += tally.refused;
        self.tally.lost_bare += tally.lost_bare;
        for (fault, times) in faults {
            *self.faults.entry(fault).or_default() += times;
        }
    }
}

impl fmt::Display for Season {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            holds,
            shared,
            losses,
            increments,
            refused,
            lost_bare,
            ..
        } = self.tally;
        writeln!(
            f,
            "{} seeds in {:.1?}: {holds} holds checked, {shared} beside others who shared the lock, {losses} of them lost; {increments} increments, {refused} turned \
             away by the fence, {lost_bare} lost where there is no fence",
            self.seeds, self.took
        )?;
        let faults: Vec<String> = self
            .faults
            .iter()
            .map(|(fault, times)| format!("{fault} {times}"))
            .collect();
        write!(f, "faults: {}", faults.join(", "))
    }
}
