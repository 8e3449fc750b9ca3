//! What is said of servers of each kind, and of what is amiss with them.
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

mod support;

use std::time::Duration;

use larder_redis::{Coherence, Place, RedisStore};
use larder_store::{Finding, Severity, Store};
use larder_testkit::{Fault, FaultProxy, RedisCluster, RedisSentinel, RedisServer};
use support::{eventually, fill, hit, shop};

async fn findings(store: &RedisStore) -> Vec<Finding> {
    store.doctor().wait().await
}

/// The names of what is found, but for what depends on how busy the machine is.
async fn names(store: &RedisStore) -> Vec<&'static str> {
    let all = findings(store).await;
    let names = all.iter().map(|finding| finding.name);
    names
        .filter(|name| !["latency", "version"].contains(name))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_examined_and_mended() {
    let server = RedisServer::builder().arg("--appendonly").arg("yes").start();
    let store = shop(server.url()).connect().await.unwrap();
    assert_eq!(names(&store).await, ["memory", "persistence"]);
    server.cli(&["CONFIG", "SET", "appendonly", "no"]);
    server.cli(&["CONFIG", "SET", "maxmemory", "100mb"]);
    assert_eq!(names(&store).await, ["eviction"]);
    let said = findings(&store)
        .await
        .iter()
        .map(ToString::to_string)
        .collect::<String>();
    assert!(said.contains("Set it to `allkeys-lru`"), "{said}");
    server.cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    assert_eq!(names(&store).await, [""; 0]);

    let replica = RedisServer::start();
    replica.cli(&["REPLICAOF", "127.0.0.1", &server.addr().port().to_string()]);
    eventually("it has a replica", async || names(&store).await == ["replicas"]).await;
    server.cli(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    assert_eq!(names(&store).await, [""; 0]);
    // Who may not ask for settings is told the rest.
    server.cli(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    server.cli(&["ACL", "SETUSER", "default", "-config"]);
    assert_eq!(names(&store).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_or_slow_is_said_to_be() {
    let mut server = RedisServer::builder().maxmemory(64 << 20, "allkeys-lru").start();
    let proxy = FaultProxy::before(server.addr());
    let budget = Duration::from_millis(200);
    let store = shop(server.url_at(proxy.addr())).budget(budget).open().unwrap();
    eventually("nothing is amiss", async || findings(&store).await.is_empty()).await;
    proxy.set(Fault::Delay(Duration::from_millis(60)));
    eventually("it is slow", async || {
        let all = findings(&store).await;
        all.iter().any(|finding| finding.name == "latency")
    })
    .await;
    proxy.set(Fault::None);
    server.kill();
    eventually("it is away", async || {
        let all = findings(&store).await;
        all.len() == 1 && all[0].name == "unreachable" && all[0].severity == Severity::Problem
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_heard_is_said_to_be() {
    let server = RedisServer::builder().maxmemory(64 << 20, "allkeys-lru").start();
    let bounded = Coherence::Bounded(Duration::from_secs(5));
    let store = shop(server.url()).coherence(bounded).connect().await.unwrap();
    fill(&store, "key", "jam").await;
    eventually("it is heard", async || {
        hit(&store, "key").await;
        names(&store).await.is_empty()
    })
    .await;
    server.cli(&[
        "ACL", "SETUSER", "shop", "on", ">s3cret", "~*", "&*", "+@all", "-client",
    ]);
    let url = server.url().replace("redis://", "redis://shop:s3cret@");
    let deaf = shop(url).coherence(bounded).connect().await.unwrap();
    fill(&deaf, "key", "jam").await;
    assert_eq!(hit(&deaf, "key").await.as_deref(), Some("jam"));
    assert_eq!(names(&deaf).await, ["listening"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_lost_a_node_is_said_to_have() {
    let node = RedisServer::builder()
        .maxmemory(64 << 20, "allkeys-lru")
        .arg("--cluster-node-timeout")
        .arg("1000")
        .arg("--cluster-require-full-coverage")
        .arg("no");
    let mut cluster = RedisCluster::builder().node(node).start();
    let store = shop(Place::cluster(cluster.urls())).connect().await.unwrap();
    assert_eq!(names(&store).await, [""; 0]);
    let other = (cluster.owner_of("{shop}:root") + 1) % 3;
    cluster.node_mut(other).kill();
    eventually("it is said", async || names(&store).await == ["cluster"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_that_are_few_or_away_are_said_to_be() {
    let redis = RedisSentinel::builder()
        .arg("--maxmemory")
        .arg("64mb")
        .arg("--maxmemory-policy")
        .arg("allkeys-lru")
        .arg("--min-replicas-to-write")
        .arg("1")
        .start();
    let place = |urls: Vec<String>| Place::sentinel(redis.name(), urls);
    let store = shop(place(redis.urls())).connect().await.unwrap();
    assert_eq!(names(&store).await, ["sentinels"]);
    let away = RedisServer::start().url();
    let urls = [redis.urls(), redis.urls(), vec![away]].concat();
    let store = shop(place(urls)).connect().await.unwrap();
    let all = findings(&store).await;
    assert!(
        all.iter()
            .any(|finding| finding.text.contains("of 3 Sentinels 2 answer")),
        "{all:?}"
    );
}

/// What is named as another kind than it is, is refused when the service starts.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_of_another_kind_is_refused() {
    let (server, cluster, redis) = (
        RedisServer::start(),
        RedisCluster::shared(),
        RedisSentinel::start(),
    );
    let refused = async |place: Place| shop(place).connect().await.unwrap_err().to_string();
    let error = refused(cluster.urls()[0].as_str().into()).await;
    assert!(error.contains("node of a cluster"), "{error}");
    let error = refused(redis.urls()[0].as_str().into()).await;
    assert!(error.contains("is a Sentinel"), "{error}");
    let error = refused(Place::cluster([server.url()])).await;
    assert!(error.contains("no node of a cluster"), "{error}");
}
