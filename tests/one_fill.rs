//! One fill for a key among several instances over one real Redis: who fills, who waits, and who goes on when the one who
//! fills, or the server, dies.
#![cfg(feature = "redis")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what goes wrong in a test is a panic"
)]

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::routing::get;
use http::Request;
use larder::{FillPolicy, Larder, Limits, OneFill, RedisStore, Values};
use larder_testkit::RedisServer;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::ServiceExt;

/// What a busy machine must not disturb.
const PATIENCE: Duration = Duration::from_secs(20);

async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("it takes far too long: something hangs")
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "it did not come to be that {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A handle of its own, as each process has one. `budget` is what it grants the server.
async fn instance(server: &RedisServer, budget: Duration) -> (Larder, RedisStore) {
    let store = RedisStore::builder(server.url())
        .budget(budget)
        .connect()
        .await
        .unwrap();
    let mut limits = Limits::default();
    limits.store_timeout = 2 * budget;
    (Larder::builder(store.clone()).limits(limits).build(), store)
}

async fn instances<const N: usize>(server: &RedisServer) -> Vec<Larder> {
    let mut all = Vec::new();
    for _ in 0..N {
        all.push(instance(server, PATIENCE).await.0);
    }
    all
}

fn values(among: OneFill) -> Values<usize> {
    FillPolicy::new("numbers")
        .one_fill(among)
        .wait(PATIENCE)
        .tag("numbers")
        .json()
}

/// Runs that are counted, and wait until they are let go on.
#[derive(Clone)]
struct Gate {
    runs: Arc<AtomicUsize>,
    open: Arc<Semaphore>,
}

impl Gate {
    fn closed() -> Self {
        Self {
            runs: Arc::default(),
            open: Arc::new(Semaphore::new(0)),
        }
    }

    async fn pass(&self) -> Result<usize, Infallible> {
        let run = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        drop(self.open.acquire().await.unwrap());
        Ok(run)
    }

    fn opens(&self) {
        self.open.add_permits(1);
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

/// How many turns are waited for, as the server knows it.
fn waited_for(server: &RedisServer) -> usize {
    let leases = server.cli(&["KEYS", "{larder}:f1:*"]);
    leases
        .lines()
        .filter(|lease| !lease.is_empty() && server.cli(&["STRLEN", lease.trim()]).trim() == "17")
        .count()
}

/// Calls on each of `larders`, and waits until one runs and the others wait for it.
async fn calls(
    server: &RedisServer,
    larders: &[Larder],
    values: &Values<usize>,
    gate: &Gate,
) -> JoinSet<Result<usize, Infallible>> {
    let mut calls = JoinSet::new();
    for (number, larder) in larders.iter().enumerate() {
        let (larder, values, gate) = (larder.clone(), values.clone(), gate.clone());
        let own = gate.clone();
        calls.spawn(async move {
            larder
                .get_or_fill("key", &values, || async move { own.pass().await })
                .await
        });
        if number == 0 {
            until("one runs", || gate.runs() == 1).await;
        }
    }
    if larders.len() > 1 {
        until("another waits", || waited_for(server) == 1).await;
    }
    calls
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_misses_on_four_instances_are_one_run() {
    let server = RedisServer::start();
    let handler_runs = Arc::new(AtomicUsize::new(0));
    let mut apps = Vec::new();
    for larder in instances::<4>(&server).await {
        let runs = Arc::clone(&handler_runs);
        let handler = move || {
            runs.fetch_add(1, Ordering::SeqCst);
            async {
                tokio::time::sleep(Duration::from_millis(300)).await;
                "ratings"
            }
        };
        let layer = larder.hot_cache("ratings").wait(PATIENCE);
        apps.push(Router::new().route("/", get(handler).layer(layer)));
    }
    for round in 1..4 {
        let mut requests = JoinSet::new();
        for number in 0..1_000 {
            let app: Router = apps[number % 4].clone();
            let uri = format!("/?round={round}");
            requests.spawn(async move {
                let request = Request::get(uri).body(Body::empty()).unwrap();
                let response = app.oneshot(request).await.unwrap();
                assert_eq!(response.status(), StatusCode::OK);
                to_bytes(response.into_body(), 1 << 10).await.unwrap()
            });
        }
        while let Some(body) = soon(requests.join_next()).await {
            assert_eq!(body.unwrap(), "ratings");
        }
        assert_eq!(handler_runs.load(Ordering::SeqCst), round, "round {round}");
    }
}

/// As long as the one who runs lives, nobody takes its turn, however long it takes: the lease is renewed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_wait_for_a_run_that_outlasts_its_lease() {
    let server = RedisServer::start();
    let (larders, gate) = (instances::<4>(&server).await, Gate::closed());
    let mut calls = calls(&server, &larders, &values(OneFill::Automatic), &gate).await;
    tokio::time::sleep(Duration::from_millis(4_500)).await;
    assert_eq!(gate.runs(), 1);
    gate.opens();
    while let Some(value) = soon(calls.join_next()).await {
        assert_eq!(value.unwrap(), Ok(1));
    }
    assert_eq!(gate.runs(), 1);
    until("no lease is left", || {
        server.cli(&["KEYS", "{larder}:f1:*"]).trim().is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_can_be_switched_off() {
    let server = RedisServer::start();
    let (larders, gate) = (instances::<4>(&server).await, Gate::closed());
    let values = values(OneFill::InProcess);
    let mut calls = JoinSet::new();
    for larder in larders {
        let (values, gate) = (values.clone(), gate.clone());
        calls.spawn(async move {
            larder
                .get_or_fill("key", &values, || async move { gate.pass().await })
                .await
        });
    }
    until("each runs", || gate.runs() == 4).await;
    assert_eq!(server.cli(&["KEYS", "{larder}:f1:*"]).trim(), "", "nobody asked");
    gate.opens();
    while let Some(value) = soon(calls.join_next()).await {
        value.unwrap().unwrap();
    }
}

/// A call that is dropped leaves its turn at once; one of those who wait takes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_cancelled_is_taken_over_by_one_of_the_others() {
    let server = RedisServer::start();
    let (larders, gate) = (instances::<3>(&server).await, Gate::closed());
    let values = values(OneFill::Everywhere);
    let first = {
        let (larder, values, gate) = (larders[0].clone(), values.clone(), gate.clone());
        tokio::spawn(async move {
            larder
                .get_or_fill("key", &values, || async move { gate.pass().await })
                .await
        })
    };
    until("it runs", || gate.runs() == 1).await;
    let mut others = JoinSet::new();
    for larder in &larders[1..] {
        let (larder, values, gate) = (larder.clone(), values.clone(), gate.clone());
        others.spawn(async move {
            larder
                .get_or_fill("key", &values, || async move { gate.pass().await })
                .await
        });
    }
    until("another waits", || waited_for(&server) == 1).await;
    first.abort();
    until("it is taken over", || gate.runs() == 2).await;
    gate.opens();
    while let Some(value) = soon(others.join_next()).await {
        assert_eq!(value.unwrap(), Ok(2));
    }
    assert_eq!(gate.runs(), 2);
}

/// The leader's runtime ends with all that runs on it, as a process that is killed does: it tells nobody.
#[test]
fn a_process_that_dies_is_waited_for_no_longer_than_its_lease() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let server = RedisServer::start();
    let (dying, living) = (runtime(), runtime());
    let (values, gate) = (values(OneFill::Everywhere), Gate::closed());
    let larder = dying.block_on(instance(&server, PATIENCE)).0;
    let (own, policy) = (gate.clone(), values.clone());
    dying.spawn(async move {
        larder
            .get_or_fill("key", &policy, || async move { own.pass().await })
            .await
    });
    living.block_on(async {
        until("it runs", || gate.runs() == 1).await;
        let mut calls = JoinSet::new();
        for larder in instances::<2>(&server).await {
            let (values, gate) = (values.clone(), gate.clone());
            calls.spawn(async move {
                larder
                    .get_or_fill("key", &values, || async move { gate.pass().await })
                    .await
            });
        }
        until("another waits", || waited_for(&server) == 1).await;
        dying.shutdown_background();
        gate.opens();
        while let Some(value) = soon(calls.join_next()).await {
            assert_eq!(value.unwrap(), Ok(2), "one of the two ran, for both");
        }
        assert_eq!(gate.runs(), 2);
    });
}

/// Those who wait for another instance run themselves when the server is gone; nobody waits out its patience.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_server_dies_meanwhile_each_runs() {
    let mut server = RedisServer::start();
    let mut larders = Vec::new();
    for _ in 0..3 {
        larders.push(instance(&server, Duration::from_secs(1)).await.0);
    }
    let gate = Gate::closed();
    let mut calls = calls(&server, &larders, &values(OneFill::Everywhere), &gate).await;
    server.kill();
    until("each runs", || gate.runs() == 3).await;
    gate.opens();
    while let Some(value) = soon(calls.join_next()).await {
        assert!((1..=3).contains(&value.unwrap().unwrap()));
    }
}

/// An invalidation comes while one runs and another waits: who waits does not get what was made before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_gets_nothing_that_was_forgotten_meanwhile() {
    let server = RedisServer::start();
    let (larders, gate) = (instances::<2>(&server).await, Gate::closed());
    let values = values(OneFill::Everywhere);
    let mut waiting = calls(&server, &larders, &values, &gate).await;
    larders[1].invalidate_tag("numbers").await.unwrap();
    gate.opens();
    while let Some(value) = soon(waiting.join_next()).await {
        value.unwrap().unwrap();
    }
    // Whoever calls now gets what was made after the invalidation.
    for larder in &larders {
        let own = gate.clone();
        let value = larder.get_or_fill("key", &values, || async move { own.pass().await });
        assert!(soon(value).await.unwrap() >= 2);
    }
}

/// A response that is not kept frees those who wait elsewhere, each for its own: they do not run one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_kept_is_waited_for_once() {
    let server = RedisServer::start();
    let (runs, ends) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let mut requests = JoinSet::new();
    for (number, larder) in instances::<3>(&server).await.into_iter().enumerate() {
        let (own, may_end) = (Arc::clone(&runs), Arc::clone(&ends));
        let handler = move || async move {
            own.fetch_add(1, Ordering::SeqCst);
            may_end.acquire().await.unwrap().forget();
            StatusCode::NOT_FOUND
        };
        let layer = larder
            .hot_cache("missing")
            .one_fill(OneFill::Everywhere)
            .wait(PATIENCE);
        let app: Router = Router::new().route("/", get(handler).layer(layer));
        requests.spawn(async move { app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await });
        if number == 0 {
            until("one runs", || runs.load(Ordering::SeqCst) == 1).await;
        }
    }
    until("another waits", || waited_for(&server) == 1).await;
    ends.add_permits(1);
    until("the others run beside each other", || {
        runs.load(Ordering::SeqCst) == 3
    })
    .await;
    ends.add_permits(2);
    while let Some(response) = soon(requests.join_next()).await {
        assert_eq!(response.unwrap().unwrap().status(), StatusCode::NOT_FOUND);
    }
}

/// In the background too: of all instances that serve a stale value, one makes it anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_all_refreshes() {
    let server = RedisServer::start();
    let (larders, gate) = (instances::<3>(&server).await, Gate::closed());
    let values: Values<usize> = FillPolicy::new("numbers")
        .one_fill(OneFill::Everywhere)
        .ttl("50ms")
        .stale_while_revalidate("1h")
        .json();
    assert!(larders[0].put("key", &values, 100).await);
    until("it is on the server", || {
        !server.cli(&["KEYS", "larder:e1:*"]).trim().is_empty()
    })
    .await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    let ask = async |larder: &Larder| {
        let own = gate.clone();
        let slot = larder.slot("key", &values);
        soon(slot.get_or_refresh(|| async move { own.pass().await }))
            .await
            .unwrap()
    };
    assert_eq!(ask(&larders[0]).await, 100);
    until("one refreshes", || gate.runs() == 1).await;
    for larder in &larders[1..] {
        assert_eq!(ask(larder).await, 100, "stale");
        soon(larder.idle()).await;
    }
    assert_eq!(gate.runs(), 1);
    gate.opens();
    soon(larders[0].idle()).await;
    assert_eq!(gate.runs(), 1);
}
