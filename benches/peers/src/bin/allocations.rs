//! Counts allocations per hit, in a program of its own so that the timed one keeps the plain allocator.

use std::alloc::System;

use larder_peers::{Outcome, args::Args, contenders::runtime};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const HITS: u64 = 1_000;

/// Prints `name size allocations bytes`, one line for each contender and size.
fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let args = Args::read(&words, &["size", "only"])?;
    let runtime = runtime()?;
    for size in args.numbers("size", &[10_240])? {
        for contender in args.contenders()? {
            let running = contender.start(size, &runtime)?;
            running.hits(&runtime, HITS)?;
            let region = Region::new(ALLOCATOR);
            running.hits(&runtime, HITS)?;
            let change = region.change();
            let calls = per_hit(change.allocations + change.reallocations);
            println!(
                "{} {size} {calls:.1} {:.0}",
                contender.name,
                per_hit(change.bytes_allocated)
            );
        }
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss)]
fn per_hit(total: usize) -> f64 {
    total as f64 / HITS as f64
}
