//! Starts a gateway: `gateway --listen 127.0.0.1:8080 --origin http://127.0.0.1:9000`.

mod args;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use gateway::Gateway;
use larder::Larder;
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
    let listener = bind(listen)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {listen}: {error}")))?;
    tracing::info!(
        listen = %listener.local_addr()?,
        origin = %config.origin,
        profile = config.profile.as_str(),
        memory_mb,
        "listening"
    );
    let larder = Larder::in_memory(memory_mb << 20);
    Gateway::new(config, larder).serve(listener, stop).await
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
