//! Starts the community: `community --listen 127.0.0.1:8081 [--redis URL] [--metrics ADDRESS:PORT]`.

mod actions;
mod app;
mod args;
mod content;
mod database;
mod energy;
mod metrics;
mod problem;
mod scheduler;
mod schema;
mod shared;
mod shop;
mod teams;
mod user;
mod wait;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use crate::app::App;
use crate::args::Args;
use crate::database::Database;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args_os().skip(1)) {
        Ok(Some(args)) => args,
        Ok(None) => {
            print!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("community: {error}");
            return ExitCode::from(2);
        }
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("community: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    // Before anything is accepted: from then on a signal drains, and does not kill.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let recorder = args
        .metrics
        .map(|address| metrics::install().map(|handle| (handle, address)));
    let database = Database::open(&args.database)?;
    let (larder, idempotent) = shared::connect(args).await?;
    let larder = larder.with_actions(actions::all());
    let app = App::new(database, larder.clone());
    let mut router = app::router(app.clone(), idempotent.clone());
    if let Some(token) = &args.admin {
        let admin = larder.admin(token.clone()).warms(router.clone());
        router = router.nest("/admin", admin.router());
    }
    router = router.merge(larder.health_routes().router());
    let scheduler = tokio::spawn(scheduler::run(app, args.tick));
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", args.listen))?;
    let (stopping, stopped) = watch::channel(());
    let metrics = match recorder.transpose()? {
        Some((handle, address)) => {
            let mut stopped = stopped;
            let stop = async move { drop(stopped.changed().await) };
            let serving = metrics::serve(handle, address, stop).await;
            Some(serving.map_err(|error| format!("cannot serve metrics on {address}: {error}"))?)
        }
        None => None,
    };
    println!("listening on http://{}", listener.local_addr()?);
    // Answers are small: none is to wait for the next.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).with_graceful_shutdown(stop).await?;
    scheduler.abort();
    drop(stopping);
    if let Some(metrics) = metrics {
        metrics.await?;
    }
    idempotent.shutdown(Duration::from_secs(5)).await;
    larder.shutdown(Duration::from_secs(5)).await;
    Ok(())
}
