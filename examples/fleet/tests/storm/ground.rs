//! What the instances stand on: nothing, or one server with proxies in between.

use fleet::Backend;
use larder_testkit::{FaultProxy, RedisServer};

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
}

impl Ground {
    pub(crate) fn one(instances: usize) -> Self {
        let redis = RedisServer::start();
        let proxies = (0..instances).map(|_| FaultProxy::before(redis.addr())).collect();
        Self::One {
            redis: Box::new(redis),
            proxies,
        }
    }

    pub(crate) fn backend(&self, instance: usize) -> Backend {
        match self {
            Self::Nothing => Backend::Memory,
            Self::One { redis, proxies } => Backend::Redis(redis.url_at(proxies[instance].addr())),
        }
    }

    /// The server.
    pub(crate) fn server(&mut self) -> &mut RedisServer {
        match self {
            Self::Nothing => panic!("there is no server"),
            Self::One { redis, .. } => redis,
        }
    }

    /// One of the proxies, or all of them.
    pub(crate) fn proxies(&self, random: &mut Random) -> Vec<&FaultProxy> {
        let all: Vec<&FaultProxy> = match self {
            Self::Nothing => Vec::new(),
            Self::One { proxies, .. } => proxies.iter().collect(),
        };
        match all.get(random.below(all.len() as u64 + 1) as usize) {
            Some(one) => vec![one],
            None => all,
        }
    }
}
