//! The metrics, for Prometheus to fetch: at an address of their own, which no client of the site needs to reach.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// In seconds, from a look-up in memory to a handler that hangs.
const TIMES: &[f64] = &[
    0.000_001, 0.000_01, 0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
    2.5, 5.0, 10.0,
];

/// In seconds, from an entry that was just made to one of a day.
const AGES: &[f64] = &[1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0];

/// In bytes.
const SIZES: &[f64] = &[256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0];

/// How often what was recorded is summed up.
const UPKEEP: Duration = Duration::from_secs(5);

/// Takes what is counted from here on: before the cache is made, or it counts for nobody.
pub(crate) fn install() -> Result<PrometheusHandle, BuildError> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), TIMES)?
        .set_buckets_for_metric(Matcher::Suffix("_age_seconds".to_owned()), AGES)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), SIZES)?;
    builder.install_recorder()
}

/// Answers `GET /metrics` at `address` until `stop`, in a task that ends then.
pub(crate) async fn serve(
    handle: PrometheusHandle,
    address: SocketAddr,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let listener = TcpListener::bind(address).await?;
    tracing::info!(address = %listener.local_addr()?, "serving metrics");
    let upkeep = handle.clone();
    let page = get(async move || ([(CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render()));
    let router = Router::new().route("/metrics", page);
    Ok(tokio::spawn(async move {
        let upkeep = async {
            loop {
                tokio::time::sleep(UPKEEP).await;
                upkeep.run_upkeep();
            }
        };
        // At the end nobody waits for a connection that idles.
        tokio::select! {
            served = axum::serve(listener, router) => {
                if let Err(error) = served {
                    tracing::error!(%error, "metrics are not served any more");
                }
            }
            () = upkeep => {}
            () = stop => {}
        }
    }))
}
