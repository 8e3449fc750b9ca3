//! What a hit allocates, and what a kept response takes up: with everything on that a service would switch on.
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::alloc::System;
use std::convert::Infallible;
use std::future::Future;
use std::sync::{Mutex, Once, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::get;
use http::{StatusCode, header};
use http_body_util::BodyExt;
use larder::{CacheLayer, Larder};
use metrics_exporter_prometheus::PrometheusBuilder;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};
use tower::{Layer, Service};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations per hit, those of the request itself and of reading the answer included.
const MOST_ALLOCATIONS: usize = 17;
/// Bytes per kept response beside its body.
const MOST_BYTES: usize = 1000;
const HITS: usize = 2_000;
const KEPT: usize = 10_000;

/// Runs one test at a time, so that it has the heap to itself, with a recorder of metrics in place.
fn alone(test: impl Future<Output = ()>) {
    static ALONE: Mutex<()> = Mutex::new(());
    static RECORDER: Once = Once::new();
    let _guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    RECORDER.call_once(|| PrometheusBuilder::new().install_recorder().map(drop).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(test);
}

fn layer(larder: &Larder) -> CacheLayer {
    larder
        .hot_cache("items")
        .tag("items")
        .age_header(true)
        .cache_status_header(true)
        .x_cache_header(true)
        .etag(true)
}

async fn items() -> ([(header::HeaderName, &'static str); 2], String) {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::ETAG, "\"0123456789abcdef\""),
    ];
    (headers, "x".repeat(200))
}

fn request(uri: &str) -> Request {
    Request::builder()
        .uri(uri)
        .header(header::HOST, "shop.example")
        .header(header::ACCEPT, "application/json")
        .header(header::USER_AGENT, "a browser/1.0")
        .body(Body::empty())
        .unwrap()
}

async fn ask<S, B>(service: &mut S, uri: &str) -> Response<()>
where
    S: Service<Request, Response = Response<B>, Error = Infallible>,
    B: http_body::Body + Unpin,
{
    let Ok(response) = service.call(request(uri)).await;
    let (parts, mut body) = response.into_parts();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            panic!("the body is complete")
        };
        length += frame.data_ref().map_or(0, bytes::Buf::remaining);
    }
    assert_eq!((parts.status, length), (StatusCode::OK, 200));
    Response::from_parts(parts, ())
}

fn made(stats: Stats) -> usize {
    stats.allocations + stats.reallocations
}

fn held(stats: Stats) -> usize {
    stats.bytes_allocated - stats.bytes_deallocated
}

async fn allocations_per_hit<S, B>(service: &mut S) -> usize
where
    S: Service<Request, Response = Response<B>, Error = Infallible>,
    B: http_body::Body + Unpin,
{
    const URI: &str = "/api/items?page=2&sort=name";
    for _ in 0..100 {
        ask(service, URI).await;
    }
    let hit = ask(service, URI).await;
    let names = ["age", "cache-status", "x-cache", "etag"];
    assert!(
        names.iter().all(|name| hit.headers().contains_key(*name)),
        "all of it is on: {hit:?}"
    );
    assert_eq!(hit.headers()["x-cache"], "HIT");
    let mut counts = Vec::with_capacity(HITS);
    for _ in 0..HITS {
        let region = Region::new(HEAP);
        ask(service, URI).await;
        counts.push(made(region.change()));
    }
    let region = Region::new(HEAP);
    drop(request(URI));
    let own = made(region.change());
    counts.sort_unstable();
    // One hit in 64 is measured, for which the recorder may allocate.
    let each = counts[HITS * 9 / 10];
    println!("{each} allocations per hit, {own} of them the request's own");
    each
}

/// With its state given, as a server does that is started: before, axum makes its routes anew for each request.
/// One test, so that the heap is this thread's alone: another that ends or begins meanwhile would be counted too.
#[test]
fn hits_and_kept_responses_cost_little() {
    a_hit_on_a_route_allocates_little();
    a_hit_around_a_router_allocates_little();
    a_kept_response_takes_up_little();
}

fn a_hit_on_a_route_allocates_little() {
    alone(async {
        let larder = Larder::in_memory(16 << 20);
        let mut app = Router::new()
            .route("/api/items", get(items).layer(layer(&larder)))
            .with_state(());
        let each = allocations_per_hit(&mut app).await;
        assert!(each <= MOST_ALLOCATIONS, "{each} allocations per hit");
    });
}

fn a_hit_around_a_router_allocates_little() {
    alone(async {
        let larder = Larder::in_memory(16 << 20);
        let app: Router = Router::new().route("/api/items", get(items));
        let each = allocations_per_hit(&mut layer(&larder).layer(app)).await;
        assert!(each <= MOST_ALLOCATIONS, "{each} allocations per hit");
    });
}

fn a_kept_response_takes_up_little() {
    // What a recorder keeps of each response until it sums it up is none of theirs.
    let _no_recorder = metrics::set_default_local_recorder(&metrics::NoopRecorder);
    alone(async {
        let larder = Larder::in_memory(64 << 20);
        let mut app = Router::new()
            .route("/api/items/{id}", get(items).layer(layer(&larder)))
            .with_state(());
        // What is there once for all entries is there before.
        for n in 0..100 {
            ask(&mut app, &uri(n)).await;
        }
        let region = Region::new(HEAP);
        let counted = larder.size();
        for n in 100..100 + KEPT {
            ask(&mut app, &uri(n)).await;
        }
        let (stats, size) = (region.change(), larder.size());
        assert_eq!(size.entries - counted.entries, KEPT);
        let beside = held(stats) / KEPT - 200;
        let weight = (size.bytes - counted.bytes) as usize / KEPT - 200;
        println!(
            "{beside} bytes per kept response beside its body of 200, in {:.1} pieces; counted as {weight}",
            (stats.allocations - stats.deallocations) as f64 / KEPT as f64
        );
        // A hit keeps the headers that it rendered.
        let region = Region::new(HEAP);
        for n in 100..100 + KEPT {
            ask(&mut app, &uri(n)).await;
        }
        println!(
            "{} bytes more once it was asked for",
            held(region.change()) / KEPT
        );
        assert!(beside <= MOST_BYTES, "{beside} bytes per kept response");
    });
}

fn uri(n: usize) -> String {
    format!("/api/items/{n}?page=2&sort=name")
}
