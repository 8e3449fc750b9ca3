//! What is asked of one server over one connection, and what its answers mean.

mod answer;
mod change;
mod said;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larder_store::{Answer as Later, StoreError, StoreErrorKind, Survey, Wanted};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, RedisResult, Value};
use xxhash_rust::xxh3::xxh3_64;

use self::answer::{nonsense, records, string, strings};
pub(crate) use self::change::{millis, random};
pub(crate) use self::said::field;
use self::said::{info, life, version};
use crate::failure::failed;
use crate::metrics;
use crate::nodes::Nodes;
use crate::place::host_and_port;
use crate::protocol::{Names, RecordId, Scripts, Stamp, Verdict, judge};
use crate::survey::survey;
use crate::wire::Wire;

/// A connection that works, as far as is known, to a server that said who it is.
#[derive(Clone)]
pub(crate) struct Server {
    wire: Wire,
    entries: Entries,
    /// Which process it is, and since when it has been the primary: the `run_id`, and the name of its stream of writes, which
    /// is another after each promotion.
    life: Box<[u8]>,
    /// Host and port that were connected to, where they are known.
    pub(crate) at: Option<(String, u16)>,
    scripts: Scripts,
    mode: Mode,
}

/// What kind of server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Alone,
    /// A node of a Cluster.
    Cluster,
}

/// Where the entries are.
#[derive(Clone)]
pub(crate) enum Entries {
    /// On the same connection.
    Beside,
    /// On the nodes of a Cluster.
    Nodes(Arc<Nodes>),
    /// The same, by a connection of the user's, and how long one may take.
    #[cfg(feature = "cluster")]
    Spread(redis::cluster_async::ClusterConnection, Duration),
}

/// What is captured before a fill.
pub(crate) struct Captured {
    pub(crate) stamp: Stamp,
    pub(crate) fingerprint: u64,
    /// Whether an entry with this stamp is valid as things are: not while a change is announced.
    pub(crate) is_valid: bool,
}

/// What is forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    Records(Box<[RecordId]>),
    Everything,
}

/// The root and the records, as they were at one moment.
pub(crate) struct Records(Vec<Option<Vec<u8>>>);

/// So many records go into one script at most: a server does nothing else meanwhile.
const CHUNK: usize = 500;

impl Server {
    /// Connects with these settings, and learns who the server is. The connection is answered too.
    pub(crate) async fn meet_on(
        client: &Client,
        config: &AsyncConnectionConfig,
    ) -> Result<(Self, MultiplexedConnection), StoreError> {
        let connected = client.get_multiplexed_async_connection_with_config(config).await;
        let connection = connected.map_err(failed)?;
        let mut server = Self::over(Wire::Own(connection.clone()), Entries::Beside).await?;
        server.at = Some(host_and_port(client.get_connection_info().addr()));
        Ok((server, connection))
    }

    /// Learns who the server at the other end is.
    pub(crate) async fn over(mut wire: Wire, entries: Entries) -> Result<Self, StoreError> {
        let info = info(&mut wire).await?;
        Ok(Self {
            wire,
            entries,
            life: life(&info)?.into_bytes().into(),
            at: None,
            scripts: Scripts::new(version(&info)),
            mode: if field(&info, "redis_mode") == Some("cluster") {
                Mode::Cluster
            } else {
                Mode::Alone
            },
        })
    }

    /// Fails where the server is of another kind than it was taken for.
    pub(crate) fn must_be(&self, mode: Mode) -> Result<(), StoreError> {
        let message = match (mode, self.mode) {
            (Mode::Alone, Mode::Cluster) => {
                "the server is a node of a cluster: name it with `redis+cluster://` or `Place::cluster`"
            }
            (Mode::Cluster, Mode::Alone) => "the server is no node of a cluster: name it with `redis://`",
            _ => return Ok(()),
        };
        Err(StoreError::new(StoreErrorKind::Protocol, message))
    }

    /// Whether the connection was made elsewhere and connects again by itself.
    pub(crate) fn connects_by_itself(&self) -> bool {
        !matches!(self.wire, Wire::Own(_))
    }

    /// A hash of who the server is.
    pub(crate) fn run(&self) -> u64 {
        xxh3_64(&self.life)
    }

    /// Whether the server at the other end is who it was when it was met.
    pub(crate) async fn is_who_it_was(&self) -> Result<bool, StoreError> {
        match life(&info(&mut self.wire.clone()).await?) {
            Ok(life) => Ok(*life.as_bytes() == *self.life),
            Err(error) if error.kind() == StoreErrorKind::ReadOnly => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Has entries go to the nodes of a Cluster.
    pub(crate) fn spread_entries(&mut self, nodes: Arc<Nodes>) {
        self.entries = Entries::Nodes(nodes);
    }

    /// Whether the nodes of the entries should be asked for again.
    pub(crate) fn is_map_outdated(&self) -> bool {
        matches!(&self.entries, Entries::Nodes(nodes) if nodes.is_outdated())
    }

    /// Asks for the nodes of the entries, and waits at most `limit` for connections to new ones.
    pub(crate) async fn learn_nodes(&self, limit: Duration) -> Result<(), StoreError> {
        if let Entries::Nodes(nodes) = &self.entries {
            let mut slots = redis::cmd("CLUSTER");
            slots.arg("SLOTS");
            let slots = self.ask(&slots).await?;
            let asked = self.at.as_ref().map_or("", |(host, _)| host);
            nodes.learn(&slots, asked, limit).await;
        }
        Ok(())
    }

    /// Sends a command to the server that has the records.
    pub(crate) async fn ask(&self, command: &Cmd) -> Result<Value, StoreError> {
        command.query_async(&mut self.wire.clone()).await.map_err(failed)
    }

    /// Waits for an answer, whatever it is.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        let pong: Value = redis::cmd("PING")
            .query_async(&mut self.wire.clone())
            .await
            .map_err(failed)?;
        drop(pong);
        Ok(())
    }

    /// The root and the records with these ids.
    pub(crate) async fn records(&self, names: &Names, ids: &[RecordId]) -> Result<Records, StoreError> {
        let answer = names.reading(ids).query_async(&mut self.wire.clone()).await;
        records(answer.map_err(failed)?, ids.len())
    }

    /// The bytes of an entry, with the root and the records that it is thought to need.
    pub(crate) async fn entry(
        &self,
        names: &Names,
        key: &[u8],
        ids: &[RecordId],
    ) -> Result<(Option<Bytes>, Records), StoreError> {
        let (mut bytes, records) = self.entries(names, &[key], ids).await?;
        Ok((bytes.pop().flatten(), records))
    }

    /// The bytes of many entries, and the root and the records that they are thought to need, which were asked for after them.
    pub(crate) async fn entries(
        &self,
        names: &Names,
        keys: &[&[u8]],
        ids: &[RecordId],
    ) -> Result<(Vec<Option<Bytes>>, Records), StoreError> {
        let gets = keys.iter().map(|key| {
            let mut get = redis::cmd("GET");
            get.arg(names.entry(key));
            get
        });
        let (bytes, values) = match &self.entries {
            Entries::Beside => {
                let mut pipe = redis::pipe();
                for get in gets {
                    pipe.add_command(get);
                }
                let mut bytes = self.answers(pipe, names, ids).await?;
                let values = bytes.split_off(keys.len());
                (bytes, values)
            }
            _ => {
                let asking = keys.iter().zip(gets).map(|(key, get)| {
                    let (server, name) = (self.clone(), names.entry(key));
                    Later::Later(Box::pin(async move { server.ask_for_entry(&name, &get).await }))
                });
                let asking = Later::all(asking.collect()).wait();
                let (bytes, values) = tokio::join!(asking, self.answers(redis::pipe(), names, ids));
                // Another node's affair, and no reason to leave this server alone.
                let bytes = bytes.into_iter().map(|bytes| {
                    Ok(bytes.unwrap_or_else(|error| {
                        tracing::debug!(%error, "an entry cannot be had");
                        metrics::failed(&error);
                        Value::Nil
                    }))
                });
                (bytes.collect(), values?)
            }
        };
        let bytes = bytes.into_iter().map(string).collect::<Result<Vec<_>, _>>()?;
        let mut records = Vec::with_capacity(ids.len() + 1);
        for answer in values {
            records.extend(strings(answer.map_err(failed)?)?);
        }
        if bytes.len() != keys.len() || records.len() != ids.len() + 1 {
            return Err(nonsense());
        }
        Ok((bytes, Records(records)))
    }

    /// Sends `pipe` to the server of the records, and behind it the questions for the root and for these.
    async fn answers(
        &self,
        mut pipe: redis::Pipeline,
        names: &Names,
        ids: &[RecordId],
    ) -> Result<Vec<RedisResult<Value>>, StoreError> {
        let (first, rest) = ids.split_at(ids.len().min(CHUNK));
        pipe.add_command(names.reading(first));
        for ids in rest.chunks(CHUNK) {
            let ids: Vec<_> = ids.iter().map(|id| names.record(*id)).collect();
            pipe.cmd("MGET").arg(ids);
        }
        pipe.ignore_errors();
        pipe.query_async(&mut self.wire.clone()).await.map_err(failed)
    }

    /// What the records say of an entry.
    pub(crate) fn judge(&self, stamp: Stamp, records: &Records) -> Verdict {
        let root = records.0.first().and_then(|root| root.as_deref());
        let tags = records.0.iter().skip(1).map(Option::as_deref);
        judge(stamp, &self.life, root, tags)
    }

    /// What those of the records say that were asked for at these places.
    pub(crate) fn judge_some(&self, stamp: Stamp, records: &Records, places: &[usize]) -> Verdict {
        let at = |place: usize| records.0.get(place).and_then(|record| record.as_deref());
        judge(stamp, &self.life, at(0), places.iter().map(|place| at(place + 1)))
    }

    /// Keeps the bytes of an entry for `time_to_live`.
    pub(crate) async fn keep(
        &self,
        names: &Names,
        key: &[u8],
        bytes: &Bytes,
        time_to_live: Duration,
    ) -> Result<(), StoreError> {
        let mut set = redis::cmd("SET");
        let name = names.entry(key);
        set.arg(&name).arg(&bytes[..]);
        set.arg("PX").arg(millis(time_to_live).max(1));
        self.ask_for_entry(&name, &set).await.map(drop)
    }

    /// Sends a command about the entry with this name to the server that has it. Where that is another than the one with the
    /// records, its failure is no failure of this one: [`StoreErrorKind::Unavailable`].
    async fn ask_for_entry(&self, name: &str, command: &Cmd) -> Result<Value, StoreError> {
        match &self.entries {
            Entries::Beside => self.ask(command).await,
            Entries::Nodes(nodes) => nodes.ask(name, command).await,
            #[cfg(feature = "cluster")]
            Entries::Spread(connection, limit) => {
                let mut connection = connection.clone();
                let answer: Result<RedisResult<Value>, _> =
                    tokio::time::timeout(*limit, command.query_async(&mut connection)).await;
                let lost = |why: String| StoreError::new(StoreErrorKind::Unavailable, why);
                answer
                    .map_err(|_| lost("the cluster gave no answer in time".to_owned()))?
                    .map_err(|error| lost(error.to_string()))
            }
        }
    }

    /// Looks at about `most` keys from `from` on, and at the tags of those that are entries.
    pub(crate) async fn survey(
        &self,
        names: &Names,
        wanted: &Wanted,
        range: (u64, usize),
        largest: usize,
    ) -> Result<Survey, StoreError> {
        match &self.entries {
            Entries::Beside => survey(&mut self.wire.clone(), names, wanted, range, largest).await,
            Entries::Nodes(nodes) => nodes.survey(names, wanted, range, largest).await,
            #[cfg(feature = "cluster")]
            Entries::Spread(..) => Err(StoreError::new(
                StoreErrorKind::Unsupported,
                "a cluster connection that was made elsewhere does not lead to each node: give the store URLs",
            )),
        }
    }
}
