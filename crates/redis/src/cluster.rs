//! Finding the primary of the records in a Cluster.
//!
//! They are talked to over a connection to that one process, and not over a client of the whole Cluster: such a one follows
//! a `MOVED` by itself, and then nobody knows whose records were read. A primary that takes over may have lost the last
//! invalidations.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use larder_store::{StoreError, StoreErrorKind};
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisResult, ServerErrorKind, Value};
use tokio::time::timeout;

use crate::budget::Budget;
use crate::failure::failed;
use crate::nodes::Nodes;
use crate::place::{Manner, address};
use crate::tls::Certificates;

/// A Cluster, as far as it is known.
pub(crate) struct Cluster {
    manner: Manner,
    /// Who is asked, beside those that were named.
    seeds: Vec<(String, u16)>,
    /// With whom to begin: one that hangs is not asked first for ever.
    turn: AtomicUsize,
    pub(crate) nodes: Arc<Nodes>,
}

/// So many nodes may send one on.
const HOPS: usize = 5;
/// So many nodes are asked at least in the time that there is.
const ASKED: u32 = 4;

impl Cluster {
    /// # Errors
    /// When a URL cannot be read, or there is none.
    pub(crate) fn new(urls: &[String], certificates: &Certificates, budget: Budget) -> RedisResult<Self> {
        let nodes: RedisResult<Vec<_>> = urls.iter().map(|url| Manner::read(url, certificates)).collect();
        let nodes = nodes?;
        let none = || (ErrorKind::InvalidClientConfig, "there is no URL of a node");
        let manner = nodes.first().cloned().ok_or_else(none)?;
        Ok(Self {
            seeds: nodes.iter().map(Manner::address).collect(),
            turn: AtomicUsize::new(0),
            nodes: Arc::new(Nodes::new(
                manner.clone(),
                budget.operation * 3 / 4,
                budget.connect,
            )),
            manner,
        })
    }

    pub(crate) fn describe(&self) -> String {
        let seeds = self.seeds.iter().map(|(host, port)| format!("{host}:{port}"));
        format!("the cluster of {}", seeds.collect::<Vec<_>>().join(", "))
    }

    /// The primary that has `key`, asked for within `limit`.
    pub(crate) async fn owner(&self, key: &str, limit: Duration) -> Result<Client, StoreError> {
        let mut asked = self.seeds.clone();
        let known = self.nodes.addresses();
        asked.extend(known.into_iter().filter(|node| !self.seeds.contains(node)));
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % asked.len();
        asked.rotate_left(first);
        let each = limit / ASKED;
        let mut error = StoreError::new(StoreErrorKind::Timeout, "no node of the cluster answered in time");
        for (host, port) in asked {
            match timeout(each, self.follow(key, host, port)).await {
                Ok(Ok(client)) => return Ok(client),
                Ok(Err(failure)) => error = failure,
                Err(_) => {}
            }
        }
        Err(error)
    }

    /// Asks the node at `host`, and whom it names.
    async fn follow(&self, key: &str, mut host: String, mut port: u16) -> Result<Client, StoreError> {
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        for _ in 0..HOPS {
            let client = self.manner.at(&host, port).map_err(failed)?;
            let connected = client.get_multiplexed_async_connection_with_config(&config).await;
            let mut connection = connected.map_err(failed)?;
            let exists: RedisResult<Value> = redis::cmd("EXISTS").arg(key).query_async(&mut connection).await;
            let error = match exists {
                Ok(_) => return Ok(client),
                Err(error) => error,
            };
            let moved = error.kind() == ErrorKind::Server(ServerErrorKind::Moved);
            let named = error.redirect_node().filter(|_| moved);
            let Some(named) = named.and_then(|(named, _)| address(named, &host)) else {
                return Err(failed(error));
            };
            (host, port) = named;
        }
        let message = format!("{HOPS} nodes of the cluster named another one each");
        Err(StoreError::new(StoreErrorKind::Protocol, message))
    }
}
