//! The kit's Cluster: that it is one, that it survives its nodes, and that proxies can be put before them.
#![cfg(unix)]

use larder_testkit::{Fault, RedisCluster, RedisServer};

/// The ports that the cluster tells its clients.
fn announced(cluster: &RedisCluster) -> Vec<String> {
    let nodes = cluster.node(0).cli(&["CLUSTER", "NODES"]);
    // A line: id, ip:port@bus, …
    let port = |line: &str| line.split([' ', ':', '@']).nth(2).map(str::to_owned);
    let mut ports: Vec<_> = nodes.lines().filter_map(port).collect();
    ports.sort();
    ports
}

fn ports(urls: &[String]) -> Vec<String> {
    let port = |url: &String| url.trim_end_matches('/').rsplit(':').next().map(str::to_owned);
    let mut ports: Vec<_> = urls.iter().filter_map(port).collect();
    ports.sort();
    ports
}

#[test]
fn three_primaries_share_the_keys() {
    let cluster = RedisCluster::shared();
    assert_eq!(cluster.nodes().len(), 3);
    assert_eq!(announced(cluster), ports(&cluster.urls()));
    let mut owners = [0; 3];
    for n in 0..100 {
        let key = format!("three:{n}");
        let owner = cluster.owner_of(&key);
        owners[owner] += 1;
        assert_eq!(cluster.node(owner).cli(&["SET", &key, "v"]), "OK");
        let other = cluster.node((owner + 1) % 3);
        let moved = other.command(&["GET", &key], std::time::Duration::from_secs(10));
        assert!(moved.unwrap_err().to_string().starts_with("MOVED"));
    }
    assert!(owners.iter().all(|keys| *keys > 10), "{owners:?}");
    assert_eq!(cluster.owner_of("{three:1}:other"), cluster.owner_of("three:1"));
    assert!(std::ptr::eq(cluster, RedisCluster::shared()));
}

#[test]
fn nodes_are_killed_and_come_back_to_their_place_behind_their_proxies() {
    let node = RedisServer::builder()
        .password("s3cret")
        .maxmemory(8 << 20, "allkeys-lru");
    let mut cluster = RedisCluster::builder().node(node).proxied().start();
    assert_eq!(announced(&cluster), ports(&cluster.urls()));
    for n in 0..3 {
        assert_eq!(
            cluster.urls()[n],
            format!("redis://:s3cret@{}/", cluster.proxy(n).addr())
        );
        assert_ne!(cluster.proxy(n).addr(), cluster.node(n).addr());
    }
    let owner = cluster.owner_of("k");
    cluster.node(owner).cli(&["SET", "k", "v"]);
    cluster.node(owner).snapshot();
    cluster.node_mut(owner).kill();
    assert_eq!(cluster.owner_of("k"), owner);
    cluster.node_mut(owner).restart();
    cluster.wait_until_whole();
    assert_eq!(cluster.node(owner).cli(&["GET", "k"]), "v");
    assert_eq!(
        announced(&cluster),
        ports(&cluster.urls()),
        "it still announces its proxy"
    );
    cluster.proxy(owner).set(Fault::Refuse);
    assert!(std::net::TcpStream::connect(cluster.proxy(owner).addr()).is_err());
    // The nodes talk past the proxies.
    cluster.wait_until_whole();
}

#[test]
#[should_panic(expected = "has no proxies")]
fn a_proxy_that_was_not_asked_for_is_not_there() {
    let _proxy = RedisCluster::shared().proxy(0);
}

#[test]
fn a_replica_takes_over_and_nodes_change_places() {
    let mut cluster = RedisCluster::builder().replicated().start();
    let owner = cluster.owner_of("k");
    cluster.node(owner).cli(&["SET", "k", "v"]);
    cluster.swap(owner);
    assert_eq!(cluster.replica(owner).cli(&["GET", "k"]), "v");
    assert!(cluster.replica(owner).cli(&["ROLE"]).starts_with("master"));
    cluster.swap(owner);
    assert!(cluster.node(owner).cli(&["ROLE"]).starts_with("master"));
    cluster.lose(owner);
    assert_eq!(cluster.replica(owner).cli(&["GET", "k"]), "v");
}

#[test]
fn a_slot_is_moved_while_it_is_in_use() {
    let cluster = RedisCluster::start();
    let owner = cluster.owner_of("k");
    let to = (owner + 1) % 3;
    cluster.node(owner).cli(&["SET", "k", "v"]);
    let mut asked = Vec::new();
    cluster.move_slot("k", to, || {
        let patience = std::time::Duration::from_secs(10);
        asked.push(cluster.node(owner).command(&["GET", "k"], patience));
    });
    assert_eq!(asked[0].as_deref().unwrap(), "v");
    assert!(asked[1].as_ref().unwrap_err().to_string().starts_with("ASK"));
    assert_eq!(cluster.node(to).cli(&["GET", "k"]), "v");
}
