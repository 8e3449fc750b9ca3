//! Where connections come from: each is to one server that has the records, whatever is asked to find it.

use std::sync::Arc;
use std::time::Duration;

use larder_store::StoreError;
#[cfg(any(feature = "cluster", feature = "connection-manager", feature = "deadpool"))]
use larder_store::StoreErrorKind;
use redis::{AsyncConnectionConfig, Client, RedisResult};
use tokio::time::Instant;

use crate::budget::Budget;
use crate::cluster::Cluster;
use crate::failure::failed;
use crate::place::{Kind, Manner, Place};
use crate::protocol::Names;
use crate::sentinel::Sentinels;
#[cfg(any(feature = "cluster", feature = "connection-manager", feature = "deadpool"))]
use crate::server::Entries;
use crate::server::{Mode, Server};
use crate::tls::Certificates;
#[cfg(any(feature = "cluster", feature = "connection-manager", feature = "deadpool"))]
use crate::wire::Wire;

/// Makes connections to the server that has the records.
pub(crate) struct Source {
    kind: From,
}

enum From {
    Server(Manner),
    Sentinels(Sentinels),
    Cluster(Cluster),
    #[cfg(feature = "connection-manager")]
    Managed(redis::aio::ConnectionManager),
    #[cfg(feature = "deadpool")]
    Pool(deadpool_redis::Pool),
    #[cfg(feature = "cluster")]
    Spread(redis::cluster_async::ClusterConnection, Duration),
}

impl Source {
    pub(crate) fn new(place: &Place, certificates: &Certificates, budget: Budget) -> RedisResult<Self> {
        let kind = match &place.0 {
            Kind::Server(url) => From::Server(Manner::read(url, certificates)?),
            Kind::Sentinel {
                name,
                sentinels,
                server,
            } => From::Sentinels(Sentinels::new(name, sentinels, server, certificates)?),
            Kind::Cluster(urls) => From::Cluster(Cluster::new(urls, certificates, budget)?),
            #[cfg(feature = "connection-manager")]
            Kind::Managed(manager) => From::Managed(manager.clone()),
            #[cfg(feature = "deadpool")]
            Kind::Pool(pool) => From::Pool(pool.clone()),
            #[cfg(feature = "cluster")]
            Kind::Spread(connection) => From::Spread(connection.clone(), budget.operation * 3 / 4),
        };
        Ok(Self { kind })
    }

    /// What it is, without a password.
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            From::Server(manner) => match manner.address() {
                (path, 0) => path,
                (host, port) => format!("{host}:{port}"),
            },
            From::Sentinels(sentinels) => sentinels.describe(),
            From::Cluster(cluster) => cluster.describe(),
            #[cfg(feature = "connection-manager")]
            From::Managed(_) => "the server of the connection manager".to_owned(),
            #[cfg(feature = "deadpool")]
            From::Pool(_) => "the server of the pool".to_owned(),
            #[cfg(feature = "cluster")]
            From::Spread(..) => "the cluster of the connection".to_owned(),
        }
    }

    /// Whether a connection of its own can be made, to listen on.
    pub(crate) fn can_listen(&self) -> bool {
        matches!(
            &self.kind,
            From::Server(_) | From::Sentinels(_) | From::Cluster(_)
        )
    }

    /// Whether what is read may be believed only for [`LEASE`](crate::budget::LEASE) after it was last confirmed that the
    /// server is still the one.
    pub(crate) fn needs_confirming(&self) -> bool {
        matches!(&self.kind, From::Sentinels(_))
    }

    /// The client for the server that has the records.
    pub(crate) async fn find(&self, names: &Names, limit: Duration) -> Result<Client, StoreError> {
        match &self.kind {
            From::Server(manner) => manner.client().map_err(failed),
            From::Sentinels(sentinels) => sentinels.primary(limit / 2).await,
            From::Cluster(cluster) => cluster.owner(names.root(), limit).await,
            #[cfg(any(feature = "cluster", feature = "connection-manager", feature = "deadpool"))]
            _ => {
                let message = "there is no address to connect to";
                Err(StoreError::new(StoreErrorKind::Unavailable, message))
            }
        }
    }

    /// Connects, and learns who the server is. The limit is the caller's too.
    pub(crate) async fn meet(&self, names: &Names, limit: Duration) -> Result<Server, StoreError> {
        let server = self.meet_any(names, limit).await?;
        let wanted = match &self.kind {
            From::Cluster(_) => return Ok(server),
            #[cfg(feature = "cluster")]
            From::Spread(..) => Mode::Cluster,
            _ => Mode::Alone,
        };
        server.must_be(wanted)?;
        Ok(server)
    }

    async fn meet_any(&self, names: &Names, limit: Duration) -> Result<Server, StoreError> {
        match &self.kind {
            From::Server(_) | From::Sentinels(_) | From::Cluster(_) => self.meet_own(names, limit).await,
            #[cfg(feature = "connection-manager")]
            From::Managed(manager) => Server::over(Wire::Managed(manager.clone()), Entries::Beside).await,
            #[cfg(feature = "deadpool")]
            From::Pool(pool) => {
                let none = |error: deadpool_redis::PoolError| {
                    StoreError::new(StoreErrorKind::Io, error.to_string()).with_source(error)
                };
                // For good: what others do to a connection that is lent to them would be done to this one.
                let connection = deadpool_redis::Connection::take(pool.get().await.map_err(none)?);
                Server::over(Wire::Own(connection), Entries::Beside).await
            }
            #[cfg(feature = "cluster")]
            From::Spread(connection, operation) => {
                use redis::cluster_routing::{Route, SlotAddr};

                let route = Route::with_key(names.root(), SlotAddr::Master);
                let entries = Entries::Spread(connection.clone(), *operation);
                Server::over(Wire::Spread(connection.clone(), route), entries).await
            }
        }
    }

    async fn meet_own(&self, names: &Names, limit: Duration) -> Result<Server, StoreError> {
        let client = self.find(names, limit).await?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(limit))
            .set_response_timeout(None);
        let (mut server, _) = Server::meet_on(&client, &config).await?;
        if let From::Cluster(cluster) = &self.kind {
            server.must_be(Mode::Cluster)?;
            server.spread_entries(Arc::clone(&cluster.nodes));
            server.learn_nodes(limit / 4).await?;
        }
        Ok(server)
    }

    /// Of how many Sentinels how many answer within `limit`; of none where there are none.
    pub(crate) async fn sentinels(&self, limit: Duration) -> Option<(usize, usize)> {
        match &self.kind {
            From::Sentinels(sentinels) => Some(sentinels.count(limit).await),
            _ => None,
        }
    }

    /// Whether the server is who it was, and the one that has the records, as was asked at the time that is answered. An
    /// error where that cannot be found out.
    pub(crate) async fn confirm(
        &self,
        server: &Server,
        limit: Duration,
    ) -> Result<(bool, Instant), StoreError> {
        let asked = Instant::now();
        if cfg!(larder_mutant = "redis_believes_any_primary") {
            return Ok((true, asked));
        }
        let mut same = server.is_who_it_was().await?;
        if let From::Sentinels(sentinels) = &self.kind {
            same &= Some(sentinels.named(limit).await?) == server.at;
        }
        if server.is_map_outdated() {
            server.learn_nodes(Duration::ZERO).await?;
        }
        Ok((same, asked))
    }
}
