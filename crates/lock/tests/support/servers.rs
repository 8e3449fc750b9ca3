//! Real servers for locks, and lockers as other processes would have them.

use std::sync::Arc;
use std::time::Duration;

use larder_lock::{Lock, LockNode, LockOptions, Locker, RedisNode};
use larder_testkit::RedisServer;

use super::ms;

pub const TTL: Duration = Duration::from_secs(10);
/// The key of [`lock`] on a server.
pub const KEY: &str = "larder:lock:{k:1}";

pub fn lock() -> Lock {
    Lock::new("k", 1)
}

/// Patient with servers that share their machine with other tests; a server that hangs costs a second at most all the same.
pub fn options() -> LockOptions {
    LockOptions::new(TTL).per_node_timeout(Duration::from_secs(5))
}

/// Servers that have been told that they hold no locks.
pub struct Servers(pub Vec<RedisServer>);

impl Servers {
    pub async fn start(servers: usize) -> Self {
        let servers = Self((0..servers).map(|_| RedisServer::start()).collect());
        for node in servers.nodes() {
            node.commission().await.unwrap();
        }
        servers
    }

    pub fn nodes(&self) -> Vec<RedisNode> {
        let node = |server: &RedisServer| {
            RedisNode::builder(server.url())
                .max_ttl(ms(30_000))
                .build()
                .unwrap()
        };
        self.0.iter().map(node).collect()
    }

    /// A locker with connections of its own, as another process would have it.
    pub fn locker(&self) -> Locker {
        Locker::new(
            self.nodes()
                .into_iter()
                .map(|node| Arc::new(node) as Arc<dyn LockNode>),
        )
    }

    /// The servers that hold a vote, exclusive or shared, of those that run.
    pub fn held(&self) -> usize {
        let readers = format!("{KEY}:readers");
        self.0
            .iter()
            .filter(|server| server.cli(&["EXISTS", KEY, &readers]) != "0")
            .count()
    }

    pub async fn until_free(&self) {
        super::until("every vote is taken back", || self.held() == 0).await;
    }
}
