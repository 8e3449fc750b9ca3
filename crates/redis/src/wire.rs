//! A connection, of whatever kind.

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, Pipeline, RedisFuture, Value};

/// What commands about records go over.
#[derive(Clone)]
pub(crate) enum Wire {
    /// A connection to one process, which ends with it.
    Own(MultiplexedConnection),
    /// One that connects again by itself.
    #[cfg(feature = "connection-manager")]
    Managed(redis::aio::ConnectionManager),
    /// One that goes to whatever node is the primary of a slot.
    #[cfg(feature = "cluster")]
    Spread(
        redis::cluster_async::ClusterConnection,
        redis::cluster_routing::Route,
    ),
}

impl ConnectionLike for Wire {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Own(connection) => connection.req_packed_command(cmd),
            #[cfg(feature = "connection-manager")]
            Self::Managed(connection) => connection.req_packed_command(cmd),
            #[cfg(feature = "cluster")]
            Self::Spread(connection, route) => {
                use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};

                // Also where reads may go to replicas: these do not know what was just forgotten.
                let routing = RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(*route));
                Box::pin(connection.route_command(cmd.clone(), routing))
            }
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Own(connection) => connection.req_packed_commands(pipeline, offset, count),
            #[cfg(feature = "connection-manager")]
            Self::Managed(connection) => connection.req_packed_commands(pipeline, offset, count),
            #[cfg(feature = "cluster")]
            Self::Spread(connection, route) => {
                use redis::cluster_routing::SingleNodeRoutingInfo;

                let routing = SingleNodeRoutingInfo::SpecificNode(*route);
                Box::pin(connection.route_pipeline(pipeline.clone(), offset, count, routing))
            }
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Own(connection) => connection.get_db(),
            #[cfg(feature = "connection-manager")]
            Self::Managed(connection) => connection.get_db(),
            #[cfg(feature = "cluster")]
            Self::Spread(..) => 0,
        }
    }
}
