//! `serve`: one contender on 127.0.0.1 and one thread; `loopback` starts it, reads its port and talks to it by lines.

use std::{
    io::{BufRead, Write},
    net::Ipv4Addr,
    thread,
};

use larder_peers::{
    Outcome,
    args::Args,
    contenders::{named, runtime},
    origin::Origin,
};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;

pub(crate) fn run(words: &[String]) -> Outcome<()> {
    let args = Args::read(words, &["contender", "size"])?;
    let runtime = runtime()?;
    let running =
        named(args.text("contender").unwrap_or("bare"))?.start(args.number("size", 10_240)?, &runtime)?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let tag = running
        .etag
        .as_ref()
        .map_or("", |tag| tag.to_str().unwrap_or_default());
    println!("{} {tag}", listener.local_addr()?.port());
    let (origin, handle) = (running.origin.clone(), running.recording.handle());
    thread::spawn(move || answer(&origin, handle.as_ref()));
    running
        .recording
        .within(|| runtime.block_on(running.app.serve(listener)))?;
    Ok(())
}

/// Answers each line with the handler's call count, between two rounds; ends the process when the parent is gone.
fn answer(origin: &Origin, recorder: Option<&PrometheusHandle>) {
    let mut out = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        recorder.inspect(|handle| handle.run_upkeep());
        let written = line.and_then(|_| writeln!(out, "{}", origin.calls()));
        if written.and_then(|()| out.flush()).is_err() {
            break;
        }
    }
    std::process::exit(0);
}
