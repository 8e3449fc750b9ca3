//! A store on what the user has: a connection manager, a pool, a connection to a Cluster.
#![cfg(all(feature = "cluster", feature = "connection-manager", feature = "deadpool"))]
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::{Config, Pool, Runtime};
use larder_redis::{Coherence, Place, RedisStore};
use larder_store::{Lookup, Store, Tag, Useless, Wanted};
use larder_testkit::{RedisCluster, RedisServer};
use redis::Client;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::cluster::ClusterClient;
use redis::cluster_read_routing::RandomReplicaStrategy;
use support::{
    PATIENCE, answers, at_once, capture, eventually, fill, fill_in_time, forget, hit, lookup, put, shop,
};

async fn manager(server: &RedisServer) -> ConnectionManager {
    let client = Client::open(server.url()).unwrap();
    let config = ConnectionManagerConfig::new().set_response_timeout(Some(PATIENCE));
    ConnectionManager::new_with_config(client, config).await.unwrap()
}

fn pool(server: &RedisServer) -> Pool {
    let mut config = Config::from_url(server.url());
    config.pool = Some(deadpool_redis::PoolConfig::new(2));
    config.create_pool(Some(Runtime::Tokio1)).unwrap()
}

/// What each place must keep to, beside a store that has a URL.
async fn holds(place: Place, beside: &RedisStore) {
    let store = shop(place.clone()).connect().await.unwrap();
    fill(&store, "key", "jam").await;
    assert_eq!(hit(beside, "key").await.as_deref(), Some("jam"));
    let captured = capture(&store).await.unwrap();
    forget(beside).await.unwrap();
    assert_eq!(hit(&store, "key").await, None);
    put(&store, "key", "old", captured).await;
    assert_eq!(hit(beside, "key").await, None, "overtaken");
    fill(beside, "key", "more").await;
    let reader = shop(place.clone()).memory(0).connect().await.unwrap();
    assert_eq!(hit(&reader, "key").await.as_deref(), Some("more"));
    forget(&reader).await.unwrap();
    assert_eq!(hit(beside, "key").await, None);
    // Not where a place does not lead to each of several servers.
    let surveyed = reader
        .survey(&(Arc::new(|_: &Tag| true) as Wanted), 0, 10)
        .wait()
        .await;
    let is_cluster = format!("{place:?}").contains("cluster");
    assert_eq!(surveyed.is_err(), is_cluster, "{surveyed:?}");
    let bounded = shop(place).coherence(Coherence::Bounded(Duration::from_secs(1)));
    let error = bounded.open().unwrap_err().to_string();
    assert!(error.contains("listen_at"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_manager_a_pool_and_a_cluster_connection_are_places() {
    let server = RedisServer::start();
    let beside = shop(server.url()).connect().await.unwrap();
    holds(manager(&server).await.into(), &beside).await;
    holds(pool(&server).into(), &beside).await;

    let cluster = RedisCluster::start();
    let beside = shop(Place::cluster(cluster.urls())).connect().await.unwrap();
    let client = ClusterClient::new(cluster.urls()).unwrap();
    holds(client.get_async_connection().await.unwrap().into(), &beside).await;
}

/// Replicas may be read from by others; what was forgotten is asked of the primary.
#[tokio::test(flavor = "multi_thread")]
async fn records_are_never_read_from_a_replica() {
    let cluster = RedisCluster::builder().replicated().start();
    let owner = cluster.owner_of("{shop}:root");
    let builder = ClusterClient::builder(cluster.urls()).read_routing_strategy(RandomReplicaStrategy);
    let connection = builder.build().unwrap().get_async_connection().await.unwrap();
    let store = shop(connection).connect().await.unwrap();
    fill(&store, "key", "old").await;
    assert_eq!(hit(&store, "key").await.as_deref(), Some("old"));
    support::cut_off(cluster.replica(owner), cluster.node(owner)).await;
    forget(&store).await.unwrap();
    for _ in 0..100 {
        assert_eq!(hit(&store, "key").await, None);
    }
}

/// One connection is taken out for good: what others do to those of the pool is not done to it.
#[tokio::test(flavor = "multi_thread")]
async fn the_connection_of_a_pool_is_lent_to_nobody_else() {
    let server = RedisServer::start();
    let pool = pool(&server);
    let store = shop(pool.clone()).connect().await.unwrap();
    fill(&store, "key", "jam").await;
    assert_eq!(pool.status().size, 0);
    let mut others = vec![pool.get().await.unwrap(), pool.get().await.unwrap()];
    for other in &mut others {
        let () = redis::cmd("SELECT").arg(3).query_async(other).await.unwrap();
    }
    assert_eq!(hit(&store, "key").await.as_deref(), Some("jam"));
    // A pool that is used up keeps nobody waiting for long.
    let connections = server.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    assert!(connections.parse::<u32>().unwrap() >= 3);
    eventually("it is noticed", async || lookup(&store, "key").await.is_err()).await;
    drop(others);
    answers(&store).await;
    assert_eq!(hit(&store, "key").await.as_deref(), Some("jam"));
}

/// What connects again by itself may lead to another life of the server.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(larder_mutant = "redis_believes_any_primary", should_panic)]
async fn a_connection_that_leads_elsewhere_is_noticed() {
    let mut server = RedisServer::start();
    let manager = manager(&server).await;
    let stores = [
        shop(manager.clone()).connect().await.unwrap(),
        shop(pool(&server)).connect().await.unwrap(),
    ];
    fill(&stores[0], "key", "old").await;
    server.snapshot();
    forget(&stores[0]).await.unwrap();
    server.restart();
    // Somebody else who uses the manager has it connect again.
    let mut others = manager.clone();
    eventually("it is connected again", async || {
        redis::cmd("PING")
            .query_async::<String>(&mut others.clone())
            .await
            .is_ok()
    })
    .await;
    let () = redis::cmd("PING").query_async(&mut others).await.unwrap();
    for store in &stores {
        eventually("it is noticed", async || {
            matches!(lookup(store, "key").await, Ok(Lookup::Useless(Useless::Epoch)))
        })
        .await;
    }
    fill_in_time(&stores[0], "key", "new").await;
    assert_eq!(hit(&stores[1], "key").await.as_deref(), Some("new"));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_url_beside_it_hits_ask_nobody() {
    let server = RedisServer::start();
    let bound = Coherence::Bounded(Duration::from_secs(5));
    let stores = [
        shop(manager(&server).await)
            .coherence(bound)
            .listen_at(server.url()),
        shop(pool(&server)).coherence(bound).listen_at(server.url()),
    ];
    let other = shop(server.url()).connect().await.unwrap();
    for store in stores {
        let store = store.connect().await.unwrap();
        fill(&other, "key", "jam").await;
        eventually("a hit asks nobody", async || {
            hit(&store, "key").await;
            at_once(&store, "key").as_deref() == Some("jam")
        })
        .await;
        forget(&other).await.unwrap();
        eventually("the change is told", async || at_once(&store, "key").is_none()).await;
    }
    // Another server tells nothing of this one.
    let elsewhere = RedisServer::start();
    let wrong = shop(manager(&server).await)
        .coherence(bound)
        .listen_at(elsewhere.url());
    let wrong = wrong.connect().await.unwrap();
    fill(&other, "key", "jam").await;
    for _ in 0..50 {
        assert_eq!(hit(&wrong, "key").await.as_deref(), Some("jam"));
        assert_eq!(at_once(&wrong, "key"), None);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
