//! One instance of the fleet: a service that answers pages of rows and keeps them with Larder.
//!
//! It says where it listens, and ends when its standard input does.

use std::hash::{BuildHasher, RandomState};
use std::io::Read as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use fleet::{Backend, Options, Page, ROWS, Truth};
use larder::{CacheHints, Larder};
use larder_redis::{Coherence, RedisStore};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

/// How long pages are fresh: longer than any run, so that only invalidations make them go.
const TTL: Duration = Duration::from_secs(3_600);

/// How long a handler takes at most, in milliseconds; and one in so many, which takes that much longer.
const SLOWEST: u64 = 12;
const SLOW_ONE_IN: u64 = 6;
const SLOWER: u64 = 60;

/// How often what the metrics collected is summed up.
const UPKEEP: Duration = Duration::from_secs(5);

/// What the handlers share.
#[derive(Debug, Clone)]
struct App {
    name: Arc<str>,
    truth: Arc<Truth>,
    larder: Larder,
    metrics: PrometheusHandle,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), String> {
    let options = Options::read(std::env::args().skip(1))?;
    let recorder = PrometheusBuilder::new().install_recorder();
    let app = App {
        truth: Arc::new(Truth::open(&options.truth).map_err(|e| format!("no truth: {e}"))?),
        larder: larder(&options)?,
        metrics: recorder.map_err(|e| format!("no metrics: {e}"))?,
        name: options.name.into(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.map_err(|e| format!("cannot listen: {e}"))?;
    let addr = listener.local_addr().map_err(|e| e.to_string())?;
    println!("listening on {addr}");
    std::thread::spawn(|| {
        // Who started this is gone, or wants it to be.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let upkeep = app.metrics.clone();
    let kept_up = async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    };
    tokio::select! {
        served = axum::serve(listener, router(app)) => served.map_err(|e| e.to_string()),
        () = kept_up => Ok(()),
    }
}

fn larder(options: &Options) -> Result<Larder, String> {
    match &options.backend {
        Backend::Memory => Ok(Larder::in_memory(32 << 20)),
        Backend::Redis(url) => {
            let coherence = options.bounded.map_or(Coherence::Strict, Coherence::Bounded);
            let store = RedisStore::builder(url).namespace("fleet").coherence(coherence);
            store.open().map(Larder::new).map_err(|e| e.to_string())
        }
    }
}

fn router(app: App) -> Router {
    let pages = app.larder.hot_cache("pages").tag("pages").ttl(TTL);
    Router::new()
        .route("/rows/{row}", get(page).layer(pages))
        .route("/rows/{row}/forget", post(forget))
        .route("/metrics", get(metrics))
        .with_state(app)
}

/// A page of a row. What is read first may be old news when it is answered.
async fn page(State(app): State<App>, Path(row): Path<u64>) -> Result<impl IntoResponse, StatusCode> {
    if row >= ROWS {
        return Err(StatusCode::NOT_FOUND);
    }
    let version = app.truth.version(row);
    let version = version.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let chance = RandomState::new().hash_one(version);
    let is_slow = (chance >> 32).is_multiple_of(SLOW_ONE_IN);
    let pause = chance % (SLOWEST + 1) + if is_slow { SLOWER } else { 0 };
    tokio::time::sleep(Duration::from_millis(pause)).await;
    let maker = app.name.to_string();
    let page = Page { row, version, maker };
    // Known only to who has read the row.
    Ok((CacheHints::new().tag(format!("row:{row}")), page.to_string()))
}

/// Has everybody forget a row: by the tag that its handler gave it, by its address, or by what lies below that.
async fn forget(State(app): State<App>, Path(row): Path<u64>) -> Result<(), (StatusCode, String)> {
    let forgotten = match row % 3 {
        0 => app.larder.invalidate_tag(format!("row:{row}")).await,
        1 => app.larder.invalidate_uri(&format!("/rows/{row}")).await,
        _ => app.larder.invalidate_prefix(&format!("/rows/{row}")).await,
    };
    forgotten
        .map(drop)
        .map_err(|e| (StatusCode::SERVICE_UNAVAILABLE, e.to_string()))
}

async fn metrics(State(app): State<App>) -> String {
    app.metrics.render()
}
