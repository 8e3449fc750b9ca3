//! What is measured: raw commands, Larder and rslock, on servers of their own.

use std::sync::Arc;
use std::time::Duration;

use larder_lock::{Lock, LockGuard, LockNode, LockOptions, Locker, RedisNode, Released};
use larder_testkit::RedisServer;
use redis::Script;
use redis::aio::MultiplexedConnection;
use rslock::LockManager;
use tokio::task::JoinSet;

use crate::Outcome;

pub(crate) const TTL: Duration = Duration::from_secs(10);

const DELETE: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end";

/// Servers that hold no locks.
pub(crate) struct Servers(pub(crate) Vec<RedisServer>);

impl Servers {
    pub(crate) async fn start(count: usize) -> Outcome<Self> {
        let servers = Self((0..count).map(|_| RedisServer::start()).collect());
        for node in servers.nodes()? {
            node.commission().await?;
        }
        Ok(servers)
    }

    fn nodes(&self) -> Outcome<Vec<RedisNode>> {
        let nodes = self.0.iter().map(|server| RedisNode::new(server.url()));
        Ok(nodes.collect::<Result<_, _>>()?)
    }

    /// A locker with connections of its own.
    pub(crate) fn locker(&self) -> Outcome<Locker> {
        let nodes = self.nodes()?.into_iter();
        Ok(Locker::new(nodes.map(|node| Arc::new(node) as Arc<dyn LockNode>)))
    }

    pub(crate) fn rslock(&self) -> LockManager {
        LockManager::new(self.0.iter().map(RedisServer::url).collect())
    }

    /// How many commands clients have sent to all servers, those within scripts not counted.
    pub(crate) fn commands(&self) -> u64 {
        let of = |server: &RedisServer| {
            let text = server.cli(&["INFO", "commandstats"]);
            let sent = ["evalsha", "eval", "subscribe", "unsubscribe"];
            let calls = text.lines().filter_map(|line| {
                let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
                let calls: u64 = rest.split(',').next()?.parse().ok()?;
                sent.contains(&name.split('|').next()?).then_some(calls)
            });
            calls.sum::<u64>()
        };
        self.0.iter().map(of).sum()
    }
}

/// `SET NX PX` and a script that compares and deletes, sent to all servers at once; a majority is waited for.
#[derive(Clone)]
pub(crate) struct Raw {
    connections: Vec<MultiplexedConnection>,
    delete: Arc<Script>,
}

impl Raw {
    pub(crate) async fn connect(servers: &Servers) -> Outcome<Self> {
        let mut connections = Vec::new();
        for server in &servers.0 {
            let client = redis::Client::open(server.url())?;
            connections.push(client.get_multiplexed_async_connection().await?);
        }
        Ok(Self {
            connections,
            delete: Arc::new(Script::new(DELETE)),
        })
    }

    pub(crate) async fn round(&self, key: &str) -> Outcome<()> {
        let owner = "0123456789012345678901234567890123456789";
        let mut set = redis::cmd("SET");
        set.arg(key).arg(owner).arg("NX").arg("PX").arg(10_000);
        let set = Arc::new(set);
        self.at_a_majority(|mut connection| {
            let set = Arc::clone(&set);
            async move {
                set.query_async::<Option<String>>(&mut connection)
                    .await
                    .map(|set| set.is_some())
            }
        })
        .await?;
        self.at_a_majority(|mut connection| {
            let (delete, key) = (Arc::clone(&self.delete), key.to_owned());
            async move {
                delete
                    .key(key)
                    .arg(owner)
                    .invoke_async::<i64>(&mut connection)
                    .await
                    .map(|done| done == 1)
            }
        })
        .await
    }

    async fn at_a_majority<F>(&self, call: impl Fn(MultiplexedConnection) -> F) -> Outcome<()>
    where
        F: Future<Output = redis::RedisResult<bool>> + Send + 'static,
    {
        let mut calls = JoinSet::new();
        for connection in &self.connections {
            calls.spawn(call(connection.clone()));
        }
        let mut done = 0;
        while done < self.connections.len() / 2 + 1 {
            let answer = calls.join_next().await.ok_or("no majority of raw commands")?;
            done += usize::from(answer??);
        }
        // The others go on.
        calls.detach_all();
        Ok(())
    }
}

pub(crate) async fn larder(locker: &Locker, id: u64) -> Outcome<()> {
    let guard: LockGuard = locker
        .acquire(Lock::new("bench", id), LockOptions::new(TTL))
        .await?;
    match guard.release().await {
        Released::Freed => Ok(()),
        other => Err(format!("the lock was not freed but {other:?}").into()),
    }
}

pub(crate) async fn rslock(manager: &LockManager, key: &str) -> Outcome<()> {
    let lock = manager.lock(key, TTL).await?;
    manager.unlock(&lock).await;
    Ok(())
}
