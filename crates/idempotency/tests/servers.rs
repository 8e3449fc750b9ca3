//! The promises on a real Redis server, over two instances; and the server killed, hung, emptied and misconfigured.
#![cfg(all(unix, feature = "redis"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod scenarios;
mod support;

use std::time::{Duration, Instant};

use larder_idempotency::replay::{ReplayProtectionLayer, Signer};
use larder_idempotency::{IdempotencyLayer, OnUnavailable, Outcome, Problem, RecordsErrorKind, RedisRecords};
use larder_store::FakeClock;
use larder_testkit::RedisServer;
use scenarios as promised;
use support::{Shop, ask, begin, post, soon, until};

/// Two instances, each with a connection of its own.
async fn layers(server: &RedisServer) -> [IdempotencyLayer; 2] {
    let layer = |records| IdempotencyLayer::shared_by_all(records).store_timeout(Duration::from_secs(20));
    [
        layer(RedisRecords::connect(server.url()).await.unwrap()),
        layer(RedisRecords::connect(server.url()).await.unwrap()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_promises_hold_over_two_instances() {
    let server = RedisServer::start();
    let layers = layers(&server).await;
    promised::fifty_run_once(&layers, "fifty").await;
    promised::fifty_wait_for_one(&layers, "patient").await;
    promised::another_body_is_refused(&layers, "body").await;
    promised::a_client_that_leaves_stops_nothing(&layers, "leaves").await;
    promised::a_lost_run_is_not_run_again(&layers, "lost").await;
    // Every key ends by itself, and none tells whose it is.
    let keys = server.cli(&["KEYS", "*"]);
    assert!(keys.lines().count() >= 5, "{keys}");
    for key in keys.lines() {
        let ttl: i64 = server.cli(&["PTTL", key]).parse().unwrap();
        assert!(ttl > 0, "{key} has no end");
        assert!(key.starts_with("larder:idem:") && !key.contains("fifty"), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nonce_is_accepted_once_over_two_instances() {
    let server = RedisServer::start();
    let records = [
        RedisRecords::connect(server.url()).await.unwrap(),
        RedisRecords::connect(server.url()).await.unwrap(),
    ];
    let clock = FakeClock::new();
    clock.advance(Duration::from_secs(2));
    let layers = records.map(|records| {
        ReplayProtectionLayer::new(records, promised::signing_key())
            .store_timeout(Duration::from_secs(20))
            .clock(clock.clock())
    });
    let signer = Signer::new(promised::signing_key()).clock(clock.clock());
    promised::a_nonce_is_accepted_once(&layers, &signer).await;

    // What was copied cannot be used once the server has forgotten it, and a new signature is accepted.
    let mut request = post("k", "5 EUR");
    signer.sign(&mut request, b"5 EUR").unwrap();
    clock.advance(Duration::from_secs(2));
    server.cli(&["FLUSHALL"]);
    for answer in promised::fifty_times(&layers, &request).await {
        let refusals = [Problem::SignatureOutdated, Problem::SignatureRejected];
        assert!(
            answer.problem.is_some_and(|problem| refusals.contains(&problem)),
            "{answer:?}"
        );
    }
    promised::a_nonce_is_accepted_once(&layers, &signer).await;
}

#[tokio::test]
async fn a_hung_server_is_waited_for_in_bounds_and_nothing_runs() {
    let server = RedisServer::start();
    let records = RedisRecords::connect(server.url()).await.unwrap();
    let shop = Shop::open();
    let app = shop.behind(&IdempotencyLayer::shared_by_all(records.clone()));
    assert_eq!(ask(&app, post("before", "")).await.outcome, Some(Outcome::First));
    server.stop();
    for _ in 0..3 {
        let begun = Instant::now();
        let answer = ask(&app, post("hung", "")).await;
        assert_eq!((answer.status, answer.problem), (503, Some(Problem::Unavailable)));
        assert_eq!(answer.headers["retry-after"], "1");
        // Two seconds at most, on a machine that has the time.
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    }
    assert_eq!(shop.runs(), 1);
    // The claims arrive now, and are of nobody: whichever comes first, claim or release, the key is free in the end.
    server.cont();
    soon(async {
        loop {
            let answer = ask(&app, post("hung", "")).await;
            if answer.outcome == Some(Outcome::First) {
                return;
            }
            assert!(
                matches!(answer.problem, Some(Problem::Unavailable | Problem::InFlight)),
                "{answer:?}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(shop.runs(), 2);
}

#[tokio::test]
async fn a_killed_server_is_503_or_explicitly_unprotected_and_comes_back() {
    let mut server = RedisServer::start();
    let layer = IdempotencyLayer::shared_by_all(RedisRecords::connect(server.url()).await.unwrap());
    let shop = Shop::open();
    let app = shop.behind(&layer);
    let open = shop.behind(&layer.clone().on_unavailable(OnUnavailable::RunUnprotected));
    server.kill();
    assert_eq!(ask(&app, post("k", "")).await.status, 503);
    assert_eq!(shop.runs(), 0);
    let answer = ask(&open, post("k", "")).await;
    assert_eq!((answer.status, answer.outcome), (201, Some(Outcome::Unprotected)));
    server.restart();
    soon(async {
        while ask(&app, post("k", "")).await.outcome != Some(Outcome::First) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert!(ask(&app, post("k", "")).await.replayed());
}

#[tokio::test]
async fn a_result_is_written_down_when_the_server_is_back() {
    let server = RedisServer::start();
    let shop = Shop::closed();
    let app = shop.behind(&IdempotencyLayer::shared_by_all(
        RedisRecords::connect(server.url()).await.unwrap(),
    ));
    let first = begin(&app, &shop, post("k", "")).await;
    server.stop();
    shop.let_through(1);
    // The client is told, although nothing could be written down.
    let answer = soon(first).await.unwrap();
    assert_eq!((answer.status, answer.outcome), (201, Some(Outcome::First)));
    server.cont();
    soon(async {
        while !ask(&app, post("k", "")).await.replayed() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(shop.runs(), 1);
}

#[tokio::test]
async fn a_server_that_is_full_begins_nothing() {
    let server = RedisServer::start();
    let shop = Shop::open();
    let app = shop.behind(&IdempotencyLayer::shared_by_all(
        RedisRecords::connect(server.url()).await.unwrap(),
    ));
    ask(&app, post("before", "")).await;
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(ask(&app, post("k", "")).await.problem, Some(Problem::Unavailable));
    // What is there is told all the same.
    assert!(ask(&app, post("before", "")).await.replayed());
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    soon(async { while ask(&app, post("k", "")).await.outcome != Some(Outcome::First) {} }).await;
    assert_eq!(shop.runs(), 2);
}

#[tokio::test]
async fn a_server_that_evicts_is_refused() {
    let server = RedisServer::builder()
        .arg("--maxmemory-policy")
        .arg("allkeys-lru")
        .start();
    let refused = RedisRecords::connect(server.url()).await.unwrap_err();
    assert_eq!(refused.kind(), RecordsErrorKind::Evicting);
    assert!(refused.to_string().contains("noeviction"), "{refused}");
    server.cli(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    soon(async {
        while RedisRecords::connect(server.url()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_somebody_else_wrote_is_never_an_answer() {
    let server = RedisServer::start();
    let records = RedisRecords::connect(server.url()).await.unwrap();
    let shop = Shop::open();
    let app = shop.behind(&IdempotencyLayer::shared_by_all(records));
    ask(&app, post("k", "")).await;
    let keys = server.cli(&["KEYS", "larder:idem:{*}"]);
    let key = keys.lines().next().unwrap();
    let large = "x".repeat(1000);
    for (field, value) in [("r", "LRID"), ("r", large.as_str()), ("f", "short")] {
        server.cli(&["HSET", key, field, value]);
        assert_eq!(
            ask(&app, post("k", "")).await.problem,
            Some(Problem::Unavailable),
            "{field}"
        );
    }
    server.cli(&["DEL", key]);
    server.cli(&["SET", key, "a string"]);
    assert_eq!(ask(&app, post("k", "")).await.problem, Some(Problem::Unavailable));
    server.cli(&["DEL", key]);
    server.cli(&["HSET", key, "f", &"f".repeat(32), "u", "soon", "t", "x"]);
    assert_eq!(ask(&app, post("k", "")).await.problem, Some(Problem::Unavailable));
    assert_eq!(shop.runs(), 1);
    until("all claims are given back", || {
        server.cli(&["EXISTS", key]) == "1"
    })
    .await;
}
