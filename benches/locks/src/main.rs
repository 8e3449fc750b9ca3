//! Measures Larder's locks beside the commands they are made of and beside rslock: one run, everything in turns.

mod contend;
mod contenders;
mod latency;

use std::error::Error;

use contenders::Servers;

/// How a measurement ends.
type Outcome<T> = Result<T, Box<dyn Error>>;

/// The parts of a run, in order. Arguments name those that are wanted; without any, all are.
const PARTS: [&str; 5] = ["uncontended", "hung", "one-process", "five-processes", "idle"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|name| !PARTS.contains(&name.as_str())) {
        return Err(format!("`{unknown}` is none of {PARTS:?}").into());
    }
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|name| name == part);
    let five = Servers::start(5).await?;
    if is_wanted("uncontended") {
        let one = Servers::start(1).await?;
        println!("Acquire and release, nobody else wants the lock; µs.\n");
        println!("| servers | contender | p50 | p95 | p99 | × raw |\n|---|---|---:|---:|---:|---:|");
        for servers in [&one, &five] {
            latency::uncontended(servers, 3_000).await?;
        }
    }
    if is_wanted("hung") {
        println!("\nThe same with some of five servers hung; µs.\n");
        println!("| hung | contender | p50 | p95 | × healthy |\n|---|---|---:|---:|---:|");
        latency::hung(&five).await?;
    }
    println!("\n50 tasks want one lock, five servers.\n");
    if is_wanted("one-process") {
        contend::one_process(&five).await?;
    }
    if is_wanted("five-processes") {
        contend::five_processes(&five).await?;
    }
    if is_wanted("idle") {
        contend::idle_waiter(&five).await?;
    }
    Ok(())
}
