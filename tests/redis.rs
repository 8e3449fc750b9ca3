//! The layers over a real Redis: several instances, one truth, and no request lost because Redis is.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::routing::get;
use http::Request;
use larder::{Config, ErrorKind, FillPolicy, Larder, Limits, RedisStore, Values};
use larder_testkit::RedisServer;
use tower::ServiceExt;

const PATIENCE: Duration = Duration::from_secs(20);

/// One instance of a service, and how often its handler ran.
struct Instance {
    larder: Larder,
    store: RedisStore,
    app: Router,
    runs: Arc<AtomicUsize>,
}

impl Instance {
    async fn new(server: &RedisServer, price: &Arc<AtomicUsize>) -> Self {
        let builder = RedisStore::builder(server.url()).budget(Duration::from_secs(10));
        let store = builder.connect().await.unwrap();
        Self::on(store, price)
    }

    fn on(store: RedisStore, price: &Arc<AtomicUsize>) -> Self {
        let mut limits = Limits::default();
        limits.store_timeout = PATIENCE;
        let larder = Larder::builder(store.clone()).limits(limits).build();
        let runs = Arc::new(AtomicUsize::new(0));
        let (count, price) = (Arc::clone(&runs), Arc::clone(price));
        let handler = move || {
            count.fetch_add(1, Ordering::SeqCst);
            let price = price.load(Ordering::SeqCst);
            async move { price.to_string() }
        };
        let layer = larder
            .hot_cache("jars")
            .tag("jars")
            .stale_while_revalidate(Duration::from_secs(60));
        let app = Router::new().route("/jars", get(handler).layer(layer));
        Self {
            larder,
            store,
            app,
            runs,
        }
    }

    /// `X-Cache`, `Cache-Status` and the body.
    async fn ask(&self) -> (String, String, String) {
        let request = Request::get("/jars").body(Body::empty()).unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        assert!(response.status().is_success());
        let text = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        let (coarse, status) = (text("x-cache"), text("cache-status"));
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        self.store.flush().await;
        (coarse, status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn sees(&self, coarse: &str, body: &str) {
        let (seen, status, text) = self.ask().await;
        assert_eq!((&*seen, &*text), (coarse, body), "{status}");
    }
}

#[tokio::test]
async fn what_one_instance_fills_another_serves_and_what_one_forgets_all_forget() {
    let server = RedisServer::start();
    let price = Arc::new(AtomicUsize::new(7));
    let (one, two) = (
        Instance::new(&server, &price).await,
        Instance::new(&server, &price).await,
    );
    one.sees("MISS", "7").await;
    one.sees("HIT", "7").await;
    two.sees("HIT", "7").await;
    assert_eq!(
        two.runs.load(Ordering::SeqCst),
        0,
        "the handler of one ran for both"
    );
    for new in 8..12 {
        price.store(new, Ordering::SeqCst);
        let (writer, reader) = if new % 2 == 0 { (&one, &two) } else { (&two, &one) };
        writer.larder.invalidate_tag("jars").await.unwrap();
        let (_, status, _) = reader.ask().await;
        assert!(
            status.contains("fwd=stale; fwd-status=200") && status.contains("detail=tag"),
            "{status}"
        );
        writer.sees("HIT", &new.to_string()).await;
    }
    price.store(20, Ordering::SeqCst);
    one.larder.invalidate_tags(["jars"]).soft().await.unwrap();
    two.sees("STALE", "11").await;
    two.larder.idle().await;
    two.store.flush().await;
    one.sees("HIT", "20").await;
}

#[tokio::test]
async fn no_request_is_lost_because_the_server_is() {
    let mut server = RedisServer::start();
    let price = Arc::new(AtomicUsize::new(7));
    let one = Instance::new(&server, &price).await;
    one.sees("MISS", "7").await;
    server.kill();
    let mut reasons = Vec::new();
    for _ in 0..20 {
        let (coarse, status, body) = one.ask().await;
        assert_eq!((&*coarse, &*body), ("MISS", "7"));
        reasons.push(status);
    }
    assert!(reasons.last().unwrap().contains("detail=breaker"), "{reasons:?}");
    server.restart();
    let begun = Instant::now();
    while one.ask().await.0 != "HIT" {
        assert!(begun.elapsed() < PATIENCE, "caching resumes");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_environment_names_the_server_and_the_namespace() {
    let server = RedisServer::start();
    let url = server.url();
    let read = |url: String| {
        Config::read(|name| match name {
            "LARDER_REDIS_URL" => Some(url.clone()),
            "LARDER_NAMESPACE" => Some("shop-2".to_owned()),
            _ => None,
        })
    };
    let larder = Larder::from_config(&read(url).unwrap()).unwrap();
    let layer = larder.public_cache("p");
    let app: Router = Router::new().route("/", get(|| async { "jam" }).layer(layer));
    let begun = Instant::now();
    while server.cli(&["KEYS", "shop-2:e1:*"]).is_empty() {
        assert!(begun.elapsed() < PATIENCE, "nothing is kept under the namespace");
        app.clone()
            .oneshot(Request::get("/").body(Body::empty()).unwrap())
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let error = Larder::from_config(&read("nonsense".to_owned()).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
}

/// What a function made on one instance is not made again on another, with memory of its own or without.
#[tokio::test]
async fn a_value_of_a_function_comes_from_the_server() {
    let server = RedisServer::start();
    let values: Values<u64> = FillPolicy::new("prices").ttl(PATIENCE).json();
    let larder = async |memory| {
        let builder = RedisStore::builder(server.url()).budget(Duration::from_secs(10));
        let store = builder.memory(memory).connect().await.unwrap();
        let mut limits = Limits::default();
        limits.store_timeout = PATIENCE;
        (Larder::builder(store.clone()).limits(limits).build(), store)
    };
    let (here, store) = larder(1 << 20).await;
    assert_eq!(
        here.get_or_fill("jam", &values, || async { Ok::<_, ()>(3) })
            .await,
        Ok(3)
    );
    store.flush().await;
    for memory in [0, 1 << 20] {
        let (there, _) = larder(memory).await;
        let made = there.get_or_fill("jam", &values, || async { Err("it was made again") });
        assert_eq!(made.await, Ok(3), "{memory}");
        let (there, _) = larder(memory).await;
        assert_eq!(there.get("jam", &values).await, Some(3), "{memory}");
        let (there, _) = larder(memory).await;
        let many = there.fill_many(&["jam"], &values, async |_| Err("it was made again"));
        assert_eq!(many.await, Ok(vec![Some(3)]), "{memory}");
    }
}
