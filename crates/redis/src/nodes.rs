//! The entries in a Cluster: each on the node that has its slot, and each node left alone by itself when it fails.
//!
//! What an entry says is believed by the records alone, so that any node may answer for it, also one that lost its place
//! meanwhile. What cannot be had in time is a miss.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use larder_store::{StoreError, StoreErrorKind, Survey, Wanted};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, ServerErrorKind, Value};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::budget::{STRIKES, rest_again};
use crate::place::{Manner, address, host_or};
use crate::protocol::Names;
use crate::slot::slot;
use crate::survey::survey;

/// The nodes as they were named last.
pub(crate) struct Nodes {
    manner: Manner,
    /// How long a node may take for an entry.
    operation: Duration,
    /// How long it may take to connect.
    connect: Duration,
    map: Mutex<Arc<Map>>,
    /// Whether a node said, or its failure suggests, that the slots lie elsewhere.
    outdated: AtomicBool,
}

/// The last slot of each range, in order, and who has it.
#[derive(Default)]
struct Map {
    ranges: Vec<(u16, Arc<Node>)>,
    nodes: Vec<Arc<Node>>,
}

impl Map {
    fn at(&self, (host, port): &(String, u16)) -> Option<Arc<Node>> {
        let mut nodes = self.nodes.iter();
        nodes
            .find(|node| node.host == *host && node.port == *port)
            .cloned()
    }
}

struct Node {
    host: String,
    port: u16,
    client: Client,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    connecting: bool,
    strikes: u32,
    rest: Duration,
    /// Until when it is left alone.
    until: Option<Instant>,
}

impl Nodes {
    pub(crate) fn new(manner: Manner, operation: Duration, connect: Duration) -> Self {
        Self {
            manner,
            operation,
            connect,
            map: Mutex::default(),
            outdated: AtomicBool::new(false),
        }
    }

    /// Where the nodes are.
    pub(crate) fn addresses(&self) -> Vec<(String, u16)> {
        let map = self.map();
        map.nodes
            .iter()
            .map(|node| (node.host.clone(), node.port))
            .collect()
    }

    /// Whether the slots should be asked for again. Answers it once.
    pub(crate) fn is_outdated(&self) -> bool {
        self.outdated.swap(false, Ordering::Relaxed)
    }

    /// Takes the answer of the node at `asked` to `CLUSTER SLOTS`, and connects to who is new: waits at most `limit` for it.
    pub(crate) async fn learn(&self, slots: &Value, asked: &str, limit: Duration) {
        let known = self.map();
        let mut map = Map::default();
        for (last, host, port) in ranges(slots, asked) {
            let is_it = |node: &&Arc<Node>| node.host == host && node.port == port;
            let found = map.nodes.iter().find(is_it);
            let node = match found.or_else(|| known.nodes.iter().find(is_it)) {
                Some(node) => Arc::clone(node),
                None => match self.manner.at(&host, port) {
                    Ok(client) => Arc::new(Node::new(host, port, client)),
                    Err(_) => continue,
                },
            };
            if found.is_none() {
                map.nodes.push(Arc::clone(&node));
            }
            map.ranges.push((last, node));
        }
        map.ranges.sort_by_key(|(last, _)| *last);
        let mut connecting = JoinSet::new();
        for node in &map.nodes {
            if node.begins() {
                connecting.spawn(Arc::clone(node).connect(self.operation, self.connect));
            }
        }
        *self.map.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(map);
        let all = async { while connecting.join_next().await.is_some() {} };
        let _ = timeout(limit, all).await;
        connecting.detach_all();
    }

    /// Sends a command about `key` to its node, or to the one that this one names.
    pub(crate) async fn ask(&self, key: &str, command: &Cmd) -> Result<Value, StoreError> {
        let map = self.map();
        let slot = slot(key.as_bytes());
        let first = map.ranges.partition_point(|(last, _)| *last < slot);
        let Some((_, node)) = map.ranges.get(first) else {
            self.outdated.store(true, Ordering::Relaxed);
            return Err(lost(format!("no node is known to have slot {slot}")));
        };
        let asking = async {
            let error = match node.ask(command, self.connect, self.operation).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let named = error.named(&node.host);
            let moved = named.as_ref().is_some_and(|(_, moved)| *moved);
            let outdated = moved || error.is_of_the_node();
            self.outdated.fetch_or(outdated, Ordering::Relaxed);
            // One that is not known has its slots since they were asked for.
            let Some(other) = named.and_then(|(address, _)| map.at(&address)) else {
                return Err(error);
            };
            if !moved {
                let mut asking = redis::pipe();
                asking.cmd("ASKING").ignore().add_command(command.clone());
                return other.ask_all(asking, self.connect, self.operation).await;
            }
            other.ask(command, self.connect, self.operation).await
        };
        asking
            .await
            .map_err(|error| lost(format!("{}:{}: {error}", node.host, node.port)))
    }

    /// The tags of entries on one node after the other: the top byte of a place is the number of the node, by its address.
    pub(crate) async fn survey(
        &self,
        names: &Names,
        wanted: &Wanted,
        (from, most): (u64, usize),
        largest: usize,
    ) -> Result<Survey, StoreError> {
        let map = self.map();
        let mut nodes: Vec<&Arc<Node>> = map.nodes.iter().collect();
        nodes.sort_by_key(|node| (&node.host, node.port));
        let number = from >> NODE_SHIFT;
        let Some(node) = usize::try_from(number).ok().and_then(|number| nodes.get(number)) else {
            return Ok(Survey::default());
        };
        let connection = node.connection(self.connect, self.operation);
        let mut connection = connection.map_err(|error| lost(error.to_string()))?;
        let place = from & ((1 << NODE_SHIFT) - 1);
        let mut survey = survey(&mut connection, names, wanted, (place, most), largest).await?;
        survey.next = match survey.next {
            Some(next) if next >> NODE_SHIFT == 0 => Some(number << NODE_SHIFT | next),
            Some(_) => {
                let message = "the node names a place that is too far for a survey of a cluster";
                return Err(StoreError::new(StoreErrorKind::Unsupported, message));
            }
            None => (number + 1 < nodes.len() as u64).then_some((number + 1) << NODE_SHIFT),
        };
        Ok(survey)
    }

    fn map(&self) -> Arc<Map> {
        Arc::clone(&self.map.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where the number of a node is in a place of a survey.
const NODE_SHIFT: u32 = 56;

/// Why a node did not answer.
enum NoAnswer {
    /// It is not connected, or left alone.
    Away,
    Late,
    Failed(RedisError),
}

impl NoAnswer {
    /// Whether it may have lost its slots to another that nobody has named yet.
    fn is_of_the_node(&self) -> bool {
        matches!(self, Self::Away | Self::Late) || matches!(self, Self::Failed(error) if error.is_io_error())
    }

    /// The address that was named in place of the one at `asked`, and whether it has the slot for good.
    fn named(&self, asked: &str) -> Option<((String, u16), bool)> {
        let Self::Failed(error) = self else { return None };
        let named = address(error.redirect_node()?.0, asked)?;
        let moved = error.kind() == ErrorKind::Server(ServerErrorKind::Moved);
        Some((named, moved))
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away => f.write_str("the node is left alone"),
            Self::Late => f.write_str("the node gave no answer in time"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl Node {
    fn new(host: String, port: u16, client: Client) -> Self {
        Self {
            host,
            port,
            client,
            state: Mutex::default(),
        }
    }

    /// Whether somebody must connect now: the caller does.
    fn begins(&self) -> bool {
        let mut state = self.state();
        let rests = state.until.is_some_and(|until| Instant::now() < until);
        if state.connection.is_some() || state.connecting || rests {
            return false;
        }
        state.connecting = true;
        true
    }

    async fn connect(self: Arc<Self>, operation: Duration, limit: Duration) {
        let mut attempt = Attempt {
            node: &self,
            connection: None,
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(limit))
            .set_response_timeout(None);
        let connecting = async {
            let mut connection = self
                .client
                .get_multiplexed_async_connection_with_config(&config)
                .await
                .ok()?;
            let ping = redis::cmd("PING");
            let ponged = timeout(operation, ping.query_async::<Value>(&mut connection)).await;
            matches!(ponged, Ok(Ok(_))).then_some(connection)
        };
        attempt.connection = timeout(limit, connecting).await.ok().flatten();
    }

    fn connection(
        self: &Arc<Self>,
        connect: Duration,
        operation: Duration,
    ) -> Result<MultiplexedConnection, NoAnswer> {
        if let Some(connection) = &self.state().connection {
            return Ok(connection.clone());
        }
        if let Ok(runtime) = Handle::try_current()
            && self.begins()
        {
            drop(runtime.spawn(Arc::clone(self).connect(operation, connect)));
        }
        Err(NoAnswer::Away)
    }

    async fn ask(
        self: &Arc<Self>,
        command: &Cmd,
        connect: Duration,
        limit: Duration,
    ) -> Result<Value, NoAnswer> {
        let mut connection = self.connection(connect, limit)?;
        let answer = timeout(limit, command.query_async(&mut connection)).await;
        self.judged(
            answer
                .map_err(|_| NoAnswer::Late)
                .and_then(|answer| answer.map_err(NoAnswer::Failed)),
        )
    }

    async fn ask_all(
        self: &Arc<Self>,
        commands: redis::Pipeline,
        connect: Duration,
        limit: Duration,
    ) -> Result<Value, NoAnswer> {
        let mut connection = self.connection(connect, limit)?;
        let answer = timeout(limit, commands.query_async::<Vec<Value>>(&mut connection)).await;
        let answer = answer
            .map_err(|_| NoAnswer::Late)
            .and_then(|answer| answer.map_err(NoAnswer::Failed));
        self.judged(answer.map(|mut values| values.pop().unwrap_or(Value::Nil)))
    }

    /// Leaves the node alone after it failed.
    fn judged(&self, answer: Result<Value, NoAnswer>) -> Result<Value, NoAnswer> {
        let mut state = self.state();
        match &answer {
            Ok(_) => state.strikes = 0,
            Err(NoAnswer::Late) => {
                state.strikes += 1;
                if state.strikes >= STRIKES {
                    state.fails();
                }
            }
            Err(NoAnswer::Failed(error)) if error.is_unrecoverable_error() => state.fails(),
            Err(_) => {}
        }
        answer
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fails(&mut self) {
        self.connection = None;
        self.strikes = 0;
        self.rest = rest_again(self.rest);
        self.until = Some(Instant::now() + self.rest);
    }
}

/// An attempt to connect, which ends however it ends.
struct Attempt<'a> {
    node: &'a Node,
    connection: Option<MultiplexedConnection>,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut state = self.node.state();
        state.connecting = false;
        match self.connection.take() {
            Some(connection) => {
                *state = State {
                    connection: Some(connection),
                    ..State::default()
                };
            }
            None => state.fails(),
        }
    }
}

fn lost(why: String) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, why)
}

/// The last slot of each range and the primary that has it, in an answer to `CLUSTER SLOTS`.
fn ranges(slots: &Value, asked: &str) -> Vec<(u16, String, u16)> {
    let Value::Array(ranges) = slots else {
        return Vec::new();
    };
    let range = |range: &Value| {
        let Value::Array(fields) = range else { return None };
        let (Value::Int(last), Value::Array(primary)) = (fields.get(1)?, fields.get(2)?) else {
            return None;
        };
        let host = match primary.first()? {
            Value::BulkString(host) => String::from_utf8(host.clone()).ok()?,
            Value::Nil => String::new(),
            _ => return None,
        };
        let Value::Int(port) = primary.get(1)? else {
            return None;
        };
        Some((
            u16::try_from(*last).ok()?,
            host_or(&host, asked),
            u16::try_from(*port).ok()?,
        ))
    };
    // There are no more slots.
    ranges.iter().take(1 << 14).filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(host: &str, port: i64) -> Value {
        Value::Array(vec![Value::BulkString(host.into()), Value::Int(port), Value::Nil])
    }

    #[test]
    fn slots_are_read_and_nonsense_is_passed_over() {
        let slots = Value::Array(vec![
            Value::Array(vec![
                Value::Int(0),
                Value::Int(99),
                node("a", 1),
                node("replica", 2),
            ]),
            Value::Int(3),
            Value::Array(vec![Value::Int(0)]),
            Value::Array(vec![Value::Int(0), Value::Int(-1), node("b", 1)]),
            Value::Array(vec![Value::Int(100), Value::Int(200), node("", 70_000)]),
            Value::Array(vec![Value::Int(100), Value::Int(200), node("", 7)]),
        ]);
        let expected = vec![(99, "a".to_owned(), 1), (200, "asked".to_owned(), 7)];
        assert_eq!(ranges(&slots, "asked"), expected);
        assert_eq!(ranges(&Value::Nil, "asked"), []);
    }
}
