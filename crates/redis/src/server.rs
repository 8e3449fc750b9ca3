//! What is asked of one server over one connection, and what its answers mean.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use larder_store::{Frame, FrameError, StoreError, StoreErrorKind, Strength, Survey, Wanted};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult, RetryMethod, Script, ServerErrorKind,
    Value,
};
use xxhash_rust::xxh3::xxh3_64;

use crate::protocol::{
    Generation, IntentId, Names, RecordId, Scripts, Stamp, Tally, Verdict, fingerprint, judge,
};

/// A connection that works, as far as is known, to a server that said who it is.
#[derive(Clone)]
pub(crate) struct Server {
    connection: MultiplexedConnection,
    /// Which process it is.
    run_id: Box<[u8]>,
    scripts: Scripts,
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

/// The first bytes of an entry, in which its tags are as a rule; and of how many they are asked for at once.
const START: usize = 4096;
const SURVEYED: usize = 200;

impl Server {
    /// Connects, and learns who the server is.
    pub(crate) async fn meet(client: &Client, within: Duration) -> Result<Self, StoreError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(within))
            .set_response_timeout(None);
        Self::meet_on(client, &config).await.map(|(server, _)| server)
    }

    /// The same on a connection with these settings, which is answered too.
    pub(crate) async fn meet_on(
        client: &Client,
        config: &AsyncConnectionConfig,
    ) -> Result<(Self, MultiplexedConnection), StoreError> {
        let connected = client.get_multiplexed_async_connection_with_config(config).await;
        let mut connection = connected.map_err(failed)?;
        let info = redis::cmd("INFO")
            .arg("server")
            .query_async(&mut connection)
            .await;
        let info: String = info.map_err(failed)?;
        let role = redis::cmd("ROLE")
            .query_async(&mut connection)
            .await
            .map_err(failed)?;
        if !is_primary(&role) {
            let message = "the server is a replica, which may not know what was forgotten";
            return Err(StoreError::new(StoreErrorKind::ReadOnly, message));
        }
        let unknown = || {
            StoreError::new(
                StoreErrorKind::Protocol,
                "INFO does not say which process the server is",
            )
        };
        let run_id = field(&info, "run_id").ok_or_else(unknown)?;
        let version =
            field(&info, "redis_version").and_then(|version| version.split('.').next()?.parse().ok());
        let server = Self {
            connection: connection.clone(),
            run_id: run_id.as_bytes().into(),
            scripts: Scripts::new(version.unwrap_or(6)),
        };
        Ok((server, connection))
    }

    /// A hash of who the server is.
    pub(crate) fn run(&self) -> u64 {
        xxh3_64(&self.run_id)
    }

    /// Waits for an answer, whatever it is.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        let pong: Value = redis::cmd("PING")
            .query_async(&mut self.connection.clone())
            .await
            .map_err(failed)?;
        drop(pong);
        Ok(())
    }

    /// The root and the records with these ids.
    pub(crate) async fn records(&self, names: &Names, ids: &[RecordId]) -> Result<Records, StoreError> {
        let answer = reading(names, ids)
            .query_async(&mut self.connection.clone())
            .await;
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

    /// The bytes of many entries, and after them the root and the records that they are thought to need.
    pub(crate) async fn entries(
        &self,
        names: &Names,
        keys: &[&[u8]],
        ids: &[RecordId],
    ) -> Result<(Vec<Option<Bytes>>, Records), StoreError> {
        let mut pipe = redis::pipe();
        for key in keys {
            pipe.cmd("GET").arg(names.entry(key));
        }
        let (first, rest) = ids.split_at(ids.len().min(CHUNK));
        pipe.add_command(reading(names, first));
        for ids in rest.chunks(CHUNK) {
            let ids: Vec<_> = ids.iter().map(|id| names.record(*id)).collect();
            pipe.cmd("MGET").arg(ids);
        }
        pipe.ignore_errors();
        let answers: Vec<RedisResult<Value>> = pipe
            .query_async(&mut self.connection.clone())
            .await
            .map_err(failed)?;
        let mut answers = answers.into_iter();
        let bytes = answers.by_ref().take(keys.len()).map(string);
        let bytes = bytes.collect::<Result<Vec<_>, _>>()?;
        let mut values = Vec::with_capacity(ids.len() + 1);
        for answer in answers {
            values.extend(strings(answer.map_err(failed)?)?);
        }
        if bytes.len() != keys.len() || values.len() != ids.len() + 1 {
            return Err(nonsense());
        }
        Ok((bytes, Records(values)))
    }

    /// What the records say of an entry.
    pub(crate) fn judge(&self, stamp: Stamp, records: &Records) -> Verdict {
        let root = records.0.first().and_then(|root| root.as_deref());
        let tags = records.0.iter().skip(1).map(Option::as_deref);
        judge(stamp, &self.run_id, root, tags)
    }

    /// What those of the records say that were asked for at these places.
    pub(crate) fn judge_some(&self, stamp: Stamp, records: &Records, places: &[usize]) -> Verdict {
        let at = |place: usize| records.0.get(place).and_then(|record| record.as_deref());
        judge(
            stamp,
            &self.run_id,
            at(0),
            places.iter().map(|place| at(place + 1)),
        )
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
        call.arg(&*self.run_id)
            .arg(&generation.0[..])
            .arg(millis(time_to_live))
            .arg(missing);
        if let Some((id, lasts)) = intent {
            call.arg(&id.0[..]).arg(millis(lasts));
        }
        let answer = call
            .invoke_async(&mut self.connection.clone())
            .await
            .map_err(failed)?;
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
        call.arg(&*self.run_id)
            .arg(strength.as_str())
            .arg(if everything { "everything" } else { "" });
        if let Some(id) = intent {
            call.arg(&id.0[..]);
        }
        match call.invoke_async(&mut self.connection.clone()).await {
            Ok(known) => Ok(known),
            Err(error) if is_full(&error) => {
                // Which deletes nothing but forgets everything, and takes no memory.
                let mut delete = redis::cmd("DEL");
                delete.arg(names.root());
                let deleted = delete.query_async(&mut self.connection.clone()).await;
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
        set.arg(names.entry(key)).arg(&bytes[..]);
        set.arg("PX").arg(millis(time_to_live).max(1));
        set.query_async(&mut self.connection.clone())
            .await
            .map_err(failed)
    }

    /// Looks at about `most` keys of the server from `from` on, and at the tags of those that are entries.
    pub(crate) async fn survey(
        &self,
        names: &Names,
        wanted: &Wanted,
        from: u64,
        most: usize,
    ) -> Result<Survey, StoreError> {
        let mut connection = self.connection.clone();
        let mut scan = redis::cmd("SCAN");
        scan.arg(from).arg("MATCH").arg(names.all_entries());
        scan.arg("COUNT").arg(most);
        let (next, keys): (u64, Vec<Vec<u8>>) = scan.query_async(&mut connection).await.map_err(failed)?;
        let mut survey = Survey::default();
        survey.next = (next != 0).then_some(next);
        survey.seen = keys.len();
        let mut tags = HashSet::new();
        // In portions, however many keys the server names at once.
        for keys in keys.chunks(SURVEYED) {
            let mut pipe = redis::pipe();
            for key in keys {
                pipe.cmd("GETRANGE").arg(&key[..]).arg(0).arg(START - 1);
            }
            let starts: Vec<Vec<u8>> = pipe.query_async(&mut connection).await.map_err(failed)?;
            for (key, start) in keys.iter().zip(starts) {
                let mut found = Frame::tags(&Bytes::from(start));
                if found == Err(FrameError::Truncated) {
                    let mut get = redis::cmd("GET");
                    let whole: Vec<u8> = get
                        .arg(&key[..])
                        .query_async(&mut connection)
                        .await
                        .map_err(failed)?;
                    found = Frame::tags(&Bytes::from(whole));
                }
                // What is no entry has none, and is nobody's.
                tags.extend(found.unwrap_or_default().into_iter().filter(|tag| wanted(tag)));
            }
        }
        survey.tags = tags.into_iter().collect();
        Ok(survey)
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
        let left: i64 = call
            .invoke_async(&mut self.connection.clone())
            .await
            .map_err(failed)?;
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
        call.invoke_async(&mut self.connection.clone())
            .await
            .map_err(failed)
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
        call.invoke_async(&mut self.connection.clone())
            .await
            .map_err(failed)
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
        let loaded = script.load_async(&mut self.connection.clone()).await;
        loaded.map(drop).map_err(failed)
    }
}

fn reading(names: &Names, ids: &[RecordId]) -> redis::Cmd {
    let mut read = redis::cmd("MGET");
    read.arg(names.root());
    for id in ids {
        read.arg(names.record(*id));
    }
    read
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

/// Whether the answer to `ROLE` is that of a primary.
fn is_primary(role: &Value) -> bool {
    let Value::Array(fields) = role else { return false };
    matches!(fields.first(), Some(Value::BulkString(role)) if role == b"master")
}

/// A field of the answer to `INFO`.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
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

fn is_full(error: &RedisError) -> bool {
    error.code() == Some("OOM") || error.to_string().contains("OOM command not allowed")
}

pub(crate) fn failed(error: RedisError) -> StoreError {
    let kind = if error.is_timeout() {
        StoreErrorKind::Timeout
    } else if is_full(&error) {
        StoreErrorKind::Full
    } else {
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::ReadOnly) => StoreErrorKind::ReadOnly,
            ErrorKind::Server(ServerErrorKind::BusyLoading) => StoreErrorKind::Loading,
            ErrorKind::Io => StoreErrorKind::Io,
            _ if error.is_unrecoverable_error() || matches!(error.retry_method(), RetryMethod::Reconnect) => {
                StoreErrorKind::Io
            }
            _ => StoreErrorKind::Protocol,
        }
    };
    StoreError::new(kind, error.to_string()).with_source(error)
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
