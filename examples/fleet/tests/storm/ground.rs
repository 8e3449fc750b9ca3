//! What the instances stand on: nothing, one server, or a cluster, with proxies in between.

use fleet::Backend;
use larder_testkit::{FaultProxy, RedisCluster, RedisServer};

use super::random::Random;

#[derive(Debug)]
pub(crate) enum Ground {
    /// Each its own memory.
    Nothing,
    /// One server, and a proxy for each instance, so that one can be cut off while the others are not.
    One {
        redis: RedisServer,
        proxies: Vec<FaultProxy>,
    },
    /// A cluster, and a proxy before each node.
    Cluster(RedisCluster),
}

impl Ground {
    pub(crate) fn one(instances: usize) -> Self {
        let redis = RedisServer::start();
        let proxies = (0..instances).map(|_| FaultProxy::before(redis.addr())).collect();
        Self::One { redis, proxies }
    }

    pub(crate) fn cluster() -> Self {
        Self::Cluster(RedisCluster::builder().proxied().start())
    }

    pub(crate) fn backend(&self, instance: usize) -> Backend {
        match self {
            Self::Nothing => Backend::Memory,
            Self::One { redis, proxies } => Backend::Redis(redis.url_at(proxies[instance].addr())),
            Self::Cluster(cluster) => Backend::Cluster(cluster.urls()),
        }
    }

    /// One of the servers.
    pub(crate) fn server(&mut self, random: &mut Random) -> &mut RedisServer {
        match self {
            Self::Nothing => panic!("there is no server"),
            Self::One { redis, .. } => redis,
            Self::Cluster(cluster) => cluster.node_mut(random.below(3) as usize),
        }
    }

    /// One of the proxies, or all of them.
    pub(crate) fn proxies(&self, random: &mut Random) -> Vec<&FaultProxy> {
        let all: Vec<&FaultProxy> = match self {
            Self::Nothing => Vec::new(),
            Self::One { proxies, .. } => proxies.iter().collect(),
            Self::Cluster(cluster) => (0..3).map(|node| cluster.proxy(node)).collect(),
        };
        match all.get(random.below(all.len() as u64 + 1) as usize) {
            Some(one) => vec![one],
            None => all,
        }
    }

    /// Waits until what was killed serves again.
    pub(crate) fn wait_until_whole(&self) {
        if let Self::Cluster(cluster) = self {
            cluster.wait_until_whole();
        }
    }
}
