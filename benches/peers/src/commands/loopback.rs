//! `loopback`: requests per second and server CPU per request on 127.0.0.1, contenders interleaved round by round.

use larder_peers::{
    Outcome,
    args::Args,
    contenders::{Contender, Kind},
    stats::{median, median_ratio},
};

use super::{server::Server, wrk};

pub(crate) fn run(words: &[String]) -> Outcome<()> {
    let args = Args::read(words, &["size", "only", "seconds", "rounds", "connections"])?;
    super::installed("wrk", "wrk")?;
    let (seconds, rounds) = (args.number("seconds", 3)?, args.number("rounds", 5_u32)?);
    let connections = args.number("connections", 50)?;
    for size in args.numbers("size", &[10_240])? {
        let mut lanes = Vec::new();
        for contender in args.contenders()? {
            lanes.push(Lane::open(contender, size, connections)?);
        }
        for _ in 0..rounds {
            for lane in &mut lanes {
                lane.drive(seconds, connections)?;
            }
        }
        println!("\n{size} bytes, {connections} connections, {rounds} rounds of {seconds} s\n");
        print(&lanes);
    }
    Ok(())
}

/// One contender's server, and what each round gave.
struct Lane {
    contender: Contender,
    server: Server,
    per_second: Vec<f64>,
    cpu_us: Vec<f64>,
}

impl Lane {
    fn open(contender: Contender, size: usize, connections: u32) -> Outcome<Self> {
        let server = Server::start(contender, size)?;
        // Over the wire `Host` differs from the one it was warmed up with, and that is another entry to some.
        wrk::drive(server.port, server.etag.as_deref(), 1, connections)?;
        Ok(Self {
            contender,
            server,
            per_second: Vec::new(),
            cpu_us: Vec::new(),
        })
    }

    fn drive(&mut self, seconds: u64, connections: u32) -> Outcome<()> {
        let (calls, cpu) = (self.server.calls()?, self.server.cpu_us()?);
        let load = wrk::drive(
            self.server.port,
            self.server.etag.as_deref(),
            seconds,
            connections,
        )?;
        let spent = self.server.cpu_us()? - cpu;
        let ran = self.server.calls()? - calls;
        if self.contender.kind != Kind::Handler && ran > 0 {
            return Err(format!("{}: the handler ran {ran} times under load", self.contender.name).into());
        }
        self.per_second.push(load.per_second);
        self.cpu_us.push(spent / load.requests);
        Ok(())
    }
}

fn print(lanes: &[Lane]) {
    println!(
        "| contender | requests/s | ×bare | server CPU µs per request | ×bare |\n|---|---:|---:|---:|---:|"
    );
    let Some(bare) = lanes.iter().find(|lane| lane.contender.name == "bare") else {
        return;
    };
    for lane in lanes {
        println!(
            "| {} | {:.0} | {:.2} | {:.2} | {:.2} |",
            lane.contender.name,
            median(&lane.per_second),
            median_ratio(&lane.per_second, &bare.per_second),
            median(&lane.cpu_us),
            median_ratio(&lane.cpu_us, &bare.cpu_us),
        );
    }
}
