//! What three instances do once: a purchase with one key, and the scheduler's work at each tick.
#![allow(clippy::unwrap_used, reason = "a test ends with the first surprise")]

mod support;

use std::path::Path;
use std::time::Instant;

use larder_testkit::RedisServer;
use rusqlite::Connection;
use support::{Answer, Client, DEADLINE, Folder, Instance};
use tokio::task::JoinSet;

/// Three instances over one database and one server, which is new.
async fn site(folder: &Folder, redis: &RedisServer, more: &[&str]) -> Vec<Instance> {
    let url = redis.url();
    let arguments = [&["--redis", &url][..], more].concat();
    let mut instances = Vec::new();
    for _ in 0..3 {
        instances.push(Instance::start(&folder.database(), &arguments).await);
    }
    instances
}

fn number(database: &Path, query: &str) -> u64 {
    let rows = Connection::open(database).unwrap();
    rows.busy_timeout(DEADLINE).unwrap();
    rows.query_row(query, [], |row| row.get(0)).unwrap()
}

const PURCHASE: &str = "/api/v1/shop/purchase";

async fn buy(client: &mut Client, user: &str, key: &str, product: u32) -> Answer {
    let line = [("Idempotency-Key", key)];
    let order = format!(r#"{{"product": {product}}}"#);
    client
        .send("POST", PURCHASE, Some(user), &line, &order)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_purchases_with_one_key_are_one_and_others_come_in_turn() {
    let folder = Folder::new("once");
    let redis = RedisServer::start();
    let instances = site(&folder, &redis, &[]).await;
    let mut client = Client::new(instances[0].address);
    let points = client.post("/api/v1/energy-points", Some("ada"), r#"{"points": 1000}"#);
    assert_eq!(points.await.unwrap().status, 200);

    let mut purchases = JoinSet::new();
    for number in 0..60 {
        let mut client = Client::new(instances[number % 3].address);
        // Fifty with one key, and ten with their own.
        let key = if number < 50 { 1 } else { number };
        purchases.spawn(async move {
            let answer = buy(&mut client, "ada", &format!("order-{key}"), 2).await;
            (number < 50, answer)
        });
    }
    let mut receipts = Vec::new();
    while let Some(done) = purchases.join_next().await {
        let (one, answer) = done.unwrap();
        match answer.status {
            201 if one => receipts.push(answer.json()["purchase_id"].clone()),
            201 => {}
            409 if one => assert_eq!(answer.header("content-type"), "application/problem+json"),
            status => panic!("{status}: {}", String::from_utf8_lossy(&answer.body)),
        }
    }
    assert!(!receipts.is_empty(), "one of them ran");
    assert!(
        receipts.iter().all(|receipt| *receipt == receipts[0]),
        "{receipts:?}"
    );
    let database = folder.database();
    assert_eq!(number(&database, "SELECT count(*) FROM purchases"), 11);
    assert_eq!(number(&database, "SELECT energy FROM users"), 1000 - 11 * 9);
    assert_eq!(
        number(&database, "SELECT stock FROM products WHERE id = 2"),
        1000 - 11
    );

    // A retry, later and elsewhere.
    let mut client = Client::new(instances[2].address);
    let retry = buy(&mut client, "ada", "order-1", 2).await;
    assert_eq!(
        (retry.status, retry.header("idempotency-replayed")),
        (201, "true")
    );
    assert_eq!(retry.json()["purchase_id"], receipts[0]);
    assert_eq!(buy(&mut client, "ada", "order-1", 1).await.status, 422);
    let stranger = buy(&mut client, "eve", "order-1", 2).await;
    assert_eq!(stranger.status, 402, "her key is another, and she has no energy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scheduler_works_once_at_each_tick() {
    let folder = Folder::new("tick");
    let redis = RedisServer::start();
    let _instances = site(&folder, &redis, &["--tick", "1s"]).await;
    let database = folder.database();
    let runs = || number(&database, "SELECT coalesce(sum(runs), 0) FROM tasks");
    let (before, began) = (runs(), Instant::now());
    while runs() < before + 4 {
        assert!(began.elapsed() < DEADLINE, "nobody works");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // Three that work at each tick would have been at it three times as often.
    let most = began.elapsed().as_secs() + 2;
    assert!(
        runs() - before <= most,
        "{} runs, and {most} ticks at most",
        runs() - before
    );
}
