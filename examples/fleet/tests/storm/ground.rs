//! What the instances stand on: nothing, or servers with proxies in between.

use fleet::Backend;
use larder_testkit::{FaultProxy, RedisCluster, RedisServer};

use super::random::Random;

#[derive(Debug)]
pub(crate) enum Ground {
    /// Each its own memory.
    Nothing,
    /// One server, and a proxy for each instance, so that one can be cut off while the others are not.
    One {
        redis: Box<RedisServer>,
        proxies: Vec<FaultProxy>,
    },
    /// Three nodes, each with a proxy, and the one to which something is done next.
    Cluster { cluster: Box<RedisCluster>, next: usize },
}

/// A record that all others are with.
const ROOT: &str = "{fleet}:root";

impl Ground {
    pub(crate) fn one(instances: usize) -> Self {
        let redis = RedisServer::start();
        let proxies = (0..instances).map(|_| FaultProxy::before(redis.addr())).collect();
        Self::One {
            redis: Box::new(redis),
            proxies,
        }
    }

    pub(crate) fn cluster() -> Self {
        Self::Cluster {
            cluster: Box::new(RedisCluster::builder().proxied().start()),
            next: 0,
        }
    }

    pub(crate) fn backend(&self, instance: usize) -> Backend {
        match self {
            Self::Nothing => Backend::Memory,
            Self::One { redis, proxies } => Backend::Redis(redis.url_at(proxies[instance].addr())),
            Self::Cluster { cluster, .. } => {
                let nodes = (0..cluster.nodes().len()).map(|node| cluster.proxy(node).addr().to_string());
                Backend::Redis(format!("redis+cluster://{}", nodes.collect::<Vec<_>>().join(",")))
            }
        }
    }

    /// The server; of several every other time the one with the records.
    pub(crate) fn server(&mut self) -> &mut RedisServer {
        match self {
            Self::Nothing => panic!("there is no server"),
            Self::One { redis, .. } => redis,
            Self::Cluster { cluster, next } => {
                *next += 1;
                let records = cluster.owner_of(ROOT);
                let other = if next.is_multiple_of(2) {
                    *next / 2 % 2 + 1
                } else {
                    0
                };
                let node = (records + other) % cluster.nodes().len();
                cluster.node_mut(node)
            }
        }
    }

    /// Waits until a server that was restarted has its place again.
    pub(crate) fn settle(&self) {
        if let Self::Cluster { cluster, .. } = self {
            cluster.wait_until_whole();
        }
    }

    /// Has the records move to another node, step by step with `pause` in between.
    pub(crate) fn move_records(&self, pause: impl FnMut()) {
        let Self::Cluster { cluster, .. } = self else {
            panic!("there is no other node");
        };
        let to = (cluster.owner_of(ROOT) + 1) % cluster.nodes().len();
        cluster.move_slot(ROOT, to, pause);
    }

    /// One of the proxies, or all of them.
    pub(crate) fn proxies(&self, random: &mut Random) -> Vec<&FaultProxy> {
        let all: Vec<&FaultProxy> = match self {
            Self::Nothing => Vec::new(),
            Self::One { proxies, .. } => proxies.iter().collect(),
            Self::Cluster { cluster, .. } => {
                let nodes = 0..cluster.nodes().len();
                nodes.map(|node| cluster.proxy(node)).collect()
            }
        };
        match all.get(random.below(all.len() as u64 + 1) as usize) {
            Some(one) => vec![one],
            None => all,
        }
    }
}
