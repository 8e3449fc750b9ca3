//! Starts a gateway: `gateway --listen 127.0.0.1:8080 --origin http://127.0.0.1:9000`.

mod args;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use gateway::Gateway;
use larder::{Larder, RedisStore};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::args::Args;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args_os().skip(1)) {
        Ok(Some(args)) => args,
        Ok(None) => {
            print!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("gateway: {error}");
            return ExitCode::from(2);
        }
    };
    let default = if args.quiet { "warn" } else { "info" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).init();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gateway: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(args: Args) -> io::Result<()> {
    let Args {
        listen,
        config,
        memory_mb,
        redis,
        ..
    } = args;
    // Before anything is accepted: from then on a signal drains, and does not kill.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("draining");
    };
    let larder = match &redis {
        None => Larder::in_memory(memory_mb << 20),
        Some(url) => shared(url, memory_mb << 20, config.max_body).await?,
    };
    let listener = bind(listen)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {listen}: {error}")))?;
    tracing::info!(
        listen = %listener.local_addr()?,
        origin = %config.origin,
        profile = config.profile.as_str(),
        memory_mb,
        shared = redis.is_some(),
        "listening"
    );
    Gateway::new(config, larder).serve(listener, stop).await
}

/// A cache on the server at `url`, with `memory` bytes of it here too.
async fn shared(url: &str, memory: u64, max_body: u64) -> io::Result<Larder> {
    /// What an entry takes beside its body: the key, the headers, the tags.
    const REST: u64 = 1 << 20;
    let largest = usize::try_from(max_body.saturating_add(REST)).unwrap_or(usize::MAX);
    let store = RedisStore::builder(url)
        .namespace("gateway")
        .memory(memory)
        .largest(largest);
    // It says what is wrong, without the password.
    let store = store.connect().await.map_err(io::Error::other)?;
    Ok(Larder::new(store))
}

/// Listens with room for more clients who wait to be accepted than the 128 of the standard library.
fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = if listen.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A restart may follow at once: connections of before are still remembered then.
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    socket.listen(1024)
}
