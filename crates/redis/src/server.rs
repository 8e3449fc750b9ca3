//! What is asked of one server over one connection, and what its answers mean.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larder_store::{Answer as Later, StoreError, StoreErrorKind, Strength, Survey, Wanted};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, RedisResult, Script, Value};
use xxhash_rust::xxh3::xxh3_64;

use crate::failure::{failed, is_full};
use crate::metrics;
use crate::nodes::Nodes;
use crate::place::host_and_port;
use crate::protocol::{
    Generation, IntentId, Names, RecordId, Scripts, Stamp, Tally, Verdict, fingerprint, judge,
};
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

    /// Takes the stamp of a fill, and makes the records that are missing.
    pub(crate) async fn capture(
        &self,
        names: &Names,
        ids: &[RecordId],
        time_to_live: Duration,
    ) -> Result<Captured, StoreError> {
        let mut values = self.run_capture(names, ids, time_to_live, "new", None).await?;
        // Every invalidation changes the sequence; the others are of these tags.
        let Tally(stamp) = Tally::parse(&values.remove(1).unwrap_or_default()).ok_or_else(nonsense)?;
        let fingerprint = fingerprint(values.iter().flatten().map(Vec::as_slice));
        Ok(Captured {
            stamp,
            fingerprint,
            is_valid: self.judge(stamp, &Records(values)) == Verdict::Valid,
        })
    }

    /// Makes the records of tags that only the response named, and says whether an entry with them and `stamp` is valid.
    pub(crate) async fn adopt(
        &self,
        names: &Names,
        ids: &[RecordId],
        time_to_live: Duration,
        stamp: Stamp,
    ) -> Result<Verdict, StoreError> {
        let mut values = self.run_capture(names, ids, time_to_live, "last", None).await?;
        values.remove(1);
        Ok(self.judge(stamp, &Records(values)))
    }

    async fn run_capture(
        &self,
        names: &Names,
        ids: &[RecordId],
        time_to_live: Duration,
        missing: &str,
        intent: Option<(IntentId, Duration)>,
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let generation = random().map(Generation)?;
        let mut call = self.scripts.capture.prepare_invoke();
        call.key(names.root()).key(names.sequence());
        for id in ids {
            call.key(names.record(*id));
        }
        call.arg(&*self.life)
            .arg(&generation.0[..])
            .arg(millis(time_to_live))
            .arg(missing);
        if let Some((id, lasts)) = intent {
            call.arg(&id.0[..]).arg(millis(lasts));
        }
        let answer = call.invoke_async(&mut self.wire.clone()).await.map_err(failed)?;
        let values = strings(answer)?;
        if values.len() == ids.len() + 2 || missing == "last" && values.len() == 2 {
            Ok(values)
        } else {
            Err(nonsense())
        }
    }

    /// Announces a change of what these records stand for: until it is finished, or `lasts` is over, no entry with one of
    /// them is valid.
    pub(crate) async fn announce(
        &self,
        names: &Names,
        ids: &[RecordId],
        time_to_live: Duration,
        intent: (IntentId, Duration),
    ) -> Result<(), StoreError> {
        for ids in ids.chunks(CHUNK) {
            let ttl = time_to_live.max(intent.1 * 2);
            self.run_capture(names, ids, ttl, "new", Some(intent)).await?;
        }
        Ok(())
    }

    /// Forgets, and answers how many of the tags had a record.
    pub(crate) async fn forget(
        &self,
        names: &Names,
        scope: &Scope,
        strength: Strength,
        intent: Option<IntentId>,
    ) -> Result<usize, StoreError> {
        let Scope::Records(ids) = scope else {
            return self.run_forget(names, &[], strength, true, None).await;
        };
        let mut known = 0;
        for ids in ids.chunks(CHUNK) {
            known += self.run_forget(names, ids, strength, false, intent).await?;
        }
        Ok(known)
    }

    async fn run_forget(
        &self,
        names: &Names,
        ids: &[RecordId],
        strength: Strength,
        everything: bool,
        intent: Option<IntentId>,
    ) -> Result<usize, StoreError> {
        let mut call = self.scripts.forget.prepare_invoke();
        call.key(names.root()).key(names.sequence());
        for id in ids {
            call.key(names.record(*id));
        }
        call.arg(&*self.life)
            .arg(strength.as_str())
            .arg(if everything { "everything" } else { "" });
        if let Some(id) = intent {
            call.arg(&id.0[..]);
        }
        match call.invoke_async(&mut self.wire.clone()).await {
            Ok(known) => Ok(known),
            Err(error) if is_full(&error) => {
                // Which deletes nothing but forgets everything, and takes no memory.
                let mut delete = redis::cmd("DEL");
                delete.arg(names.root());
                let deleted = delete.query_async(&mut self.wire.clone()).await;
                deleted.map_err(failed)
            }
            Err(error) => Err(failed(error)),
        }
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

    /// Takes the turn to make what is called `id`; else answers for how long another has it.
    pub(crate) async fn take_turn(
        &self,
        names: &Names,
        id: u128,
        token: [u8; 16],
        lasts: Duration,
    ) -> Result<Option<Duration>, StoreError> {
        let mut call = self.scripts.take_turn.prepare_invoke();
        call.key(names.turn(id)).arg(&token[..]).arg(millis(lasts));
        let left: i64 = call.invoke_async(&mut self.wire.clone()).await.map_err(failed)?;
        Ok(u64::try_from(left).ok().map(Duration::from_millis))
    }

    /// Has the turn last for so long from now, if it is still that of `token`.
    pub(crate) async fn renew_turn(
        &self,
        names: &Names,
        id: u128,
        token: [u8; 16],
        lasts: Duration,
    ) -> Result<(), StoreError> {
        let mut call = self.scripts.renew_turn.prepare_invoke();
        call.key(names.turn(id)).arg(&token[..]).arg(millis(lasts));
        call.invoke_async(&mut self.wire.clone()).await.map_err(failed)
    }

    /// Ends the turn, if it is still that of `token`, and tells those who wait.
    pub(crate) async fn end_turn(
        &self,
        names: &Names,
        id: u128,
        token: [u8; 16],
        message: [u8; 17],
    ) -> Result<(), StoreError> {
        let mut call = self.scripts.end_turn.prepare_invoke();
        call.key(names.turn(id)).arg(&token[..]);
        call.arg(names.turns()).arg(&message[..]);
        call.invoke_async(&mut self.wire.clone()).await.map_err(failed)
    }

    /// Has the server learn the scripts, so that their first calls need no detour.
    pub(crate) async fn teach(&self) -> Result<(), StoreError> {
        let Scripts {
            capture,
            forget,
            take_turn,
            renew_turn,
            end_turn,
        } = &self.scripts;
        for script in [capture, forget, take_turn, renew_turn, end_turn] {
            self.load(script).await?;
        }
        Ok(())
    }

    async fn load(&self, script: &Script) -> Result<(), StoreError> {
        let loaded = script.load_async(&mut self.wire.clone()).await;
        loaded.map(drop).map_err(failed)
    }
}

fn records(answer: Value, ids: usize) -> Result<Records, StoreError> {
    let values = strings(answer)?;
    if values.len() == ids + 1 {
        Ok(Records(values))
    } else {
        Err(nonsense())
    }
}

/// A string, which may be missing. What is none is one that nobody can read: the server is well.
fn string(answer: RedisResult<Value>) -> Result<Option<Bytes>, StoreError> {
    match answer {
        Ok(Value::BulkString(bytes)) => Ok(Some(Bytes::from(bytes))),
        Ok(Value::Nil) => Ok(None),
        Ok(_) => Err(nonsense()),
        Err(error) if error.code() == Some("WRONGTYPE") => Ok(Some(Bytes::new())),
        Err(error) => Err(failed(error)),
    }
}

/// A list of strings, of which some may be missing.
fn strings(answer: Value) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
    let Value::Array(values) = answer else {
        return Err(nonsense());
    };
    let string = |value| match value {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::Nil | Value::Boolean(false) => Ok(None),
        _ => Err(nonsense()),
    };
    values.into_iter().map(string).collect()
}

pub(crate) fn random() -> Result<[u8; 16], StoreError> {
    let mut bytes = [0; 16];
    let none = |error: getrandom::Error| StoreError::new(StoreErrorKind::Unavailable, error.to_string());
    getrandom::fill(&mut bytes).map_err(none)?;
    Ok(bytes)
}

/// What the server says of itself.
async fn info(wire: &mut Wire) -> Result<String, StoreError> {
    let mut pipe = redis::pipe();
    pipe.cmd("INFO").arg("server").cmd("INFO").arg("replication");
    let (server, replication): (String, String) = pipe.query_async(wire).await.map_err(failed)?;
    Ok(server + &replication)
}

/// Which process says this, and since when it has been a primary.
fn life(info: &str) -> Result<String, StoreError> {
    if field(info, "redis_mode") == Some("sentinel") {
        let message = "the server is a Sentinel: name it with `redis+sentinel://` or `Place::sentinel`";
        return Err(StoreError::new(StoreErrorKind::Protocol, message));
    }
    if field(info, "role") != Some("master") {
        let message = "the server is a replica, which may not know what was forgotten";
        return Err(StoreError::new(StoreErrorKind::ReadOnly, message));
    }
    let Some(run_id) = field(info, "run_id") else {
        let message = "INFO does not say which process the server is";
        return Err(StoreError::new(StoreErrorKind::Protocol, message));
    };
    // A primary that was a replica in between is the same process, and may have lost what it was told as a primary before.
    let stream = field(info, "master_replid").unwrap_or_default();
    let stream = stream.get(..STREAM).unwrap_or(stream);
    if cfg!(larder_mutant = "redis_ignores_promotions") {
        return Ok(run_id.to_owned());
    }
    Ok(format!("{run_id}:{stream}"))
}

/// So much of the name of a stream of writes tells it from others: 64 random bits.
const STREAM: usize = 16;

/// The major version; 6 where none is said.
fn version(info: &str) -> u32 {
    let version = field(info, "redis_version").and_then(|version| version.split('.').next()?.parse().ok());
    version.unwrap_or(6)
}

/// A field of the answer to `INFO`.
pub(crate) fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim()).filter(|value| !value.is_empty())
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX >> 12)
}

fn nonsense() -> StoreError {
    StoreError::new(StoreErrorKind::Protocol, "the server answered what it should not")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_info_are_found_by_their_whole_name() {
        let text = "# Server\r\nrun_id_old:x\r\nrun_id:abc\r\nempty:\r\n";
        assert_eq!(field(text, "run_id"), Some("abc"));
        assert_eq!(field(text, "run"), None);
        assert_eq!(field(text, "empty"), None);
    }

    #[test]
    fn a_life_is_a_process_and_its_time_as_a_primary() {
        let of = |text: &str| life(text).map_err(|error| error.kind());
        let first = of("run_id:a\r\nrole:master\r\nmaster_replid:0123456789abcdef0123\r\n");
        assert_eq!(first.as_deref(), Ok("a:0123456789abcdef"));
        assert_eq!(
            of("run_id:a\r\nrole:master\r\nmaster_replid:1\r\n").as_deref(),
            Ok("a:1")
        );
        assert_eq!(of("run_id:a\r\nrole:master\r\n").as_deref(), Ok("a:"));
        assert_eq!(of("run_id:a\r\nrole:slave\r\n"), Err(StoreErrorKind::ReadOnly));
        assert_eq!(of("role:master\r\n"), Err(StoreErrorKind::Protocol));
        assert_eq!((version("redis_version:7.0.15\r\n"), version("")), (7, 6));
    }

    #[test]
    fn an_answer_of_another_form_is_an_error_and_no_panic() {
        for answer in [
            Value::Nil,
            Value::Int(3),
            Value::Array(vec![]),
            Value::Array(vec![Value::Int(1), Value::Nil]),
            Value::Array(vec![Value::Nil; 3]),
            Value::BulkString(vec![0; 40]),
        ] {
            assert!(records(answer, 1).is_err());
        }
        assert!(records(Value::Array(vec![Value::Nil, Value::Nil]), 1).is_ok());
    }
}
