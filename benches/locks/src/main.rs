//! Measures Larder's locks beside the commands they are made of and beside rslock: one run, everything in turns.

mod contend;
mod contenders;
mod latency;

use std::error::Error;

use contenders::Servers;

/// How a measurement ends.
type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let one = Servers::start(1).await?;
    let five = Servers::start(5).await?;
    println!("Acquire and release, nobody else wants the lock; µs.\n");
    println!("| servers | contender | p50 | p95 | p99 | × raw |\n|---|---|---:|---:|---:|---:|");
    for servers in [&one, &five] {
        latency::uncontended(servers, 3_000).await?;
    }
    println!("\nThe same with some of five servers hung; µs.\n");
    println!("| hung | contender | p50 | p95 | × healthy |\n|---|---|---:|---:|---:|");
    latency::hung(&five).await?;
    println!("\n50 tasks want one lock, five servers.\n");
    contend::one_process(&five).await?;
    contend::five_processes(&five).await?;
    contend::idle_waiter(&five).await
}
