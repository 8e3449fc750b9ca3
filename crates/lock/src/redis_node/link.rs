//! The connection to one server: made at first use, by one task for all who wait for it, and again when it fails.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, IntoConnectionInfo, ProtocolVersion, RedisError};
use redis::{Cmd, ErrorKind, PushInfo, PushKind, Script, ServerErrorKind, Value};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use super::bells::Bells;
use super::scripts::{self, Keys, Scripts};
use crate::name::LockMode;
use crate::node::{Acquire, Extend, NodeError, NodeErrorKind, Release, Removal, Ring, Subscription};
use crate::table::RETENTION;
use crate::token::{FencingToken, TOKEN_DIGITS, Waiter};

/// How long a command can hang. Callers count on an answer for a much shorter time; this is when the connection is given up.
const RESPONSE: Duration = Duration::from_secs(1);

/// How long it may take to connect and to learn what the server is.
const CONNECT: Duration = Duration::from_secs(1);

/// How far ahead of the server's clock a token may be that is not held against it once more. The server refuses an hour.
const AHEAD: Duration = Duration::from_secs(59 * 60);

/// Whether the rules are to be broken, which is done in the script that knows all.
const MUTANT: bool = cfg!(any(
    larder_mutant = "lock_no_quarantine",
    larder_mutant = "lock_fence_unchecked",
    larder_mutant = "lock_readers_ignored"
));

/// What the scripts that vote return: a code, a number, and an owner.
type Answer = (i64, String, String);

/// How long nobody tries to connect after a failure.
const REST: Duration = Duration::from_millis(100);

pub(super) struct Link {
    client: Client,
    name: String,
    keys: Keys,
    scripts: Scripts,
    max_ttl: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    live: Option<Arc<Live>>,
    /// Ends when the attempt to connect does.
    connecting: Option<watch::Receiver<()>>,
    failed: Option<(NodeError, Instant)>,
}

/// A connection that works, as far as is known.
pub(super) struct Live {
    connection: MultiplexedConnection,
    /// Which process the server is.
    run_id: String,
    /// The server's wall clock when the connection was made, and when that was.
    clock: (Duration, std::time::Instant),
    bells: Bells,
    /// Held while a channel is subscribed to or left, so that the two do not overtake each other.
    subscribing: tokio::sync::Mutex<()>,
}

impl Live {
    /// Whether a token may be ahead of the server's clock, as far as that has gone on like ours since.
    fn is_ahead(&self, token: FencingToken) -> bool {
        let (wall, then) = self.clock;
        token.proposed_at() > wall + then.elapsed() + AHEAD
    }
}

impl Link {
    pub(super) fn new(url: &str, keys: Keys, max_ttl: Duration) -> Result<Self, NodeError> {
        let refused = |error: RedisError| {
            NodeError::new(NodeErrorKind::Refused, "the URL of the server cannot be used").with_source(error)
        };
        let info = url.into_connection_info().map_err(refused)?;
        // Releases are told on the connection that carries the commands, which takes RESP3.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let info = info
            .set_redis_settings(settings)
            .set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let name = info.addr().to_string();
        Ok(Self {
            client: Client::open(info).map_err(refused)?,
            name,
            keys,
            scripts: Scripts::new(),
            max_ttl,
            state: Mutex::default(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn refuse_above_max(&self, ttl: Duration) -> Result<(), NodeError> {
        if ttl <= self.max_ttl {
            return Ok(());
        }
        let message = format!("a ttl of {ttl:?} is above the max_ttl of {:?}", self.max_ttl);
        Err(NodeError::new(NodeErrorKind::Refused, message))
    }

    pub(super) async fn acquire(self: &Arc<Self>, request: &Acquire) -> Result<Answer, NodeError> {
        let live = self.live().await?;
        let is_usual = !MUTANT && request.mode == LockMode::Exclusive && !live.is_ahead(request.token);
        if is_usual {
            let answer = self.grant(&live, request).await?;
            if answer.0 != scripts::UNUSUAL {
                return Ok(answer);
            }
        }
        let mut keys = self.keys.of(&request.key);
        let mut call = call(&self.scripts.acquire, 7, 10);
        call.arg(keys.vote())
            .arg(keys.fence())
            .arg(&self.keys.marker)
            .arg(&self.keys.quarantine)
            .arg(keys.shared_fence())
            .arg(keys.bar())
            .arg(keys.readers())
            .arg(&request.owner.digits())
            .arg(millis(request.ttl))
            .arg(&request.token.digits())
            .arg(millis(request.token.proposed_at()) * 1000)
            .arg(&live.run_id)
            .arg(millis(self.max_ttl))
            .arg(self.retention())
            .arg(request.mode.as_str())
            .arg(millis(request.bar))
            .arg(&request.token.an_hour_before().digits());
        self.invoke(&live, &self.scripts.acquire, call).await
    }

    /// Asks for a vote as it usually is.
    async fn grant(&self, live: &Arc<Live>, request: &Acquire) -> Result<Answer, NodeError> {
        let mut keys = self.keys.of(&request.key);
        let mut call = call(&self.scripts.grant, 6, 6);
        call.arg(keys.vote())
            .arg(keys.fence())
            .arg(&self.keys.marker)
            .arg(&self.keys.quarantine)
            .arg(keys.shared_fence())
            .arg(keys.line())
            .arg(&request.owner.digits())
            .arg(millis(request.ttl))
            .arg(&request.token.digits())
            .arg(&live.run_id)
            .arg(self.retention());
        name(&mut call, request.waiter);
        match self.invoke(live, &self.scripts.grant, call).await? {
            Value::Int(code) => Ok((code, String::new(), String::new())),
            answer => Answer::from_redis_value(answer).map_err(|error| node_error(error.into())),
        }
    }

    /// How long a fence is kept: it outlives every vote.
    fn retention(&self) -> u64 {
        millis(RETENTION.max(self.max_ttl * 2))
    }

    pub(super) async fn extend(self: &Arc<Self>, request: &Extend) -> Result<bool, NodeError> {
        let live = self.live().await?;
        let mut keys = self.keys.of(&request.key);
        let mut call = call(&self.scripts.extend, 4, 3);
        call.arg(keys.vote())
            .arg(keys.fence())
            .arg(keys.shared_fence())
            .arg(keys.readers())
            .arg(&request.owner.digits())
            .arg(millis(request.ttl))
            .arg(self.retention());
        self.invoke(&live, &self.scripts.extend, call).await
    }

    pub(super) async fn release(self: &Arc<Self>, request: &Release) -> Result<Removal, NodeError> {
        let live = self.live().await?;
        let mut keys = self.keys.of(&request.key);
        let mut call = call(&self.scripts.release, 5, 5);
        call.arg(keys.vote())
            .arg(keys.fence())
            .arg(keys.channel())
            .arg(keys.line())
            .arg(keys.readers())
            .arg(&request.owner.digits())
            .arg(&request.token.digits())
            .arg(self.retention())
            .arg(u8::from(request.wake));
        name(&mut call, request.waiter);
        match self.invoke(&live, &self.scripts.release, call).await? {
            Value::Int(0) => Ok(Removal::NotOwner),
            Value::BulkString(digits) => {
                let to = std::str::from_utf8(&digits).ok().and_then(Waiter::parse);
                Ok(to.map_or(Removal::Removed, |to| Removal::PassedOn { to }))
            }
            _ => Ok(Removal::Removed),
        }
    }

    pub(super) async fn commission(self: &Arc<Self>) -> Result<(), NodeError> {
        let live = self.live().await?;
        let mut call = call(&self.scripts.commission, 2, 1);
        call.arg(&self.keys.marker)
            .arg(&self.keys.quarantine)
            .arg(&live.run_id);
        self.invoke(&live, &self.scripts.commission, call).await
    }

    pub(super) async fn subscribe(self: &Arc<Self>, key: &str) -> Result<Subscription, NodeError> {
        let live = self.live().await?;
        let channel = self.keys.of(key).channel().to_owned();
        if let Some(subscription) = live.bells.listen(&channel) {
            return Ok(subscription);
        }
        let turn = live.subscribing.lock().await;
        let result = match live.bells.listen(&channel) {
            Some(_) => Ok(()),
            None => live.connection.clone().subscribe(&channel).await,
        };
        self.checked(&live, result)?;
        live.bells.open(channel.clone());
        drop(turn);
        Ok(live.bells.listen(&channel).unwrap_or(Subscription::silent()))
    }

    /// Gives the connection up, so that the next call makes a new one.
    pub(super) fn forget_connection(&self) {
        let live = self.state().live.take();
        if let Some(live) = live {
            live.bells.ring_all();
        }
    }

    /// Asks the server whether it is there.
    pub(super) async fn ping(self: &Arc<Self>) -> Result<(), NodeError> {
        let live = self.live().await?;
        let mut connection = live.connection.clone();
        let pong: Result<Value, _> = redis::cmd("PING").query_async(&mut connection).await;
        self.checked(&live, pong).map(drop)
    }

    /// The connection. Whoever comes first has it made, by a task of its own: those who wait may leave.
    pub(super) async fn live(self: &Arc<Self>) -> Result<Arc<Live>, NodeError> {
        let mut connecting = {
            let mut state = self.state();
            if let Some(live) = &state.live {
                return Ok(Arc::clone(live));
            }
            if let Some((error, until)) = &state.failed
                && Instant::now() < *until
            {
                return Err(error.clone());
            }
            match &state.connecting {
                Some(connecting) if connecting.has_changed().is_ok() => connecting.clone(),
                _ => {
                    let (done, connecting) = watch::channel(());
                    state.connecting = Some(connecting.clone());
                    drop(tokio::spawn(Arc::clone(self).connect(done)));
                    connecting
                }
            }
        };
        // Nothing is ever sent: this ends when the sender is dropped.
        let _ = connecting.changed().await;
        let state = self.state();
        match (&state.live, &state.failed) {
            (Some(live), _) => Ok(Arc::clone(live)),
            (None, Some((error, _))) => Err(error.clone()),
            (None, None) => Err(NodeError::new(
                NodeErrorKind::Io,
                "the connection was lost at once",
            )),
        }
    }

    async fn connect(self: Arc<Self>, done: watch::Sender<()>) {
        let result = timeout(CONNECT, self.meet()).await.unwrap_or_else(|_| {
            let message = format!("no connection in {CONNECT:?}");
            Err(NodeError::new(NodeErrorKind::Timeout, message))
        });
        let mut state = self.state();
        match result {
            Ok(live) => {
                state.live = Some(Arc::new(live));
                state.failed = None;
            }
            Err(error) => {
                if error.kind() == NodeErrorKind::Evicting {
                    tracing::error!(node = self.name, %error, "a server is not fit for locks");
                }
                state.failed = Some((error, Instant::now() + REST));
            }
        }
        drop(state);
        drop(done);
    }

    /// Connects, and learns who the server is and whether it may be used.
    async fn meet(self: &Arc<Self>) -> Result<Live, NodeError> {
        let (pushes, received) = mpsc::unbounded_channel();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(RESPONSE))
            .set_push_sender(pushes);
        let connected = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await;
        let mut connection = connected.map_err(node_error)?;
        let server: String = info(&mut connection, "server").await?;
        let memory: String = info(&mut connection, "memory").await?;
        let time = redis::cmd("TIME").query_async(&mut connection).await;
        let (seconds, micros): (u64, u64) = time.map_err(node_error)?;
        let wall = Duration::from_secs(seconds) + Duration::from_micros(micros);
        let policy = field(&memory, "maxmemory_policy").unwrap_or("noeviction");
        if policy != "noeviction" {
            return Err(NodeError::new(
                NodeErrorKind::Evicting,
                format!("maxmemory-policy is {policy}: locks could vanish, use noeviction"),
            ));
        }
        let run_id = field(&server, "run_id")
            .ok_or_else(|| NodeError::new(NodeErrorKind::Protocol, "INFO without a run_id"))?
            .to_owned();
        let mut admit = self.scripts.admit.prepare_invoke();
        admit
            .key(&self.keys.marker)
            .key(&self.keys.quarantine)
            .arg(&run_id)
            .arg(millis(self.max_ttl));
        let quarantined: bool = admit.invoke_async(&mut connection).await.map_err(node_error)?;
        if quarantined {
            tracing::warn!(node = self.name, time = ?self.max_ttl, "a lock server was empty, or is another than before: it does not vote for a time");
        }
        let usual = [
            &self.scripts.grant,
            &self.scripts.acquire,
            &self.scripts.extend,
            &self.scripts.release,
        ];
        for script in usual {
            // Only saves the first calls a detour.
            let _ = script.load_async(&mut connection).await;
        }
        let bells = Bells::default();
        drop(tokio::spawn(listen(
            Arc::downgrade(self),
            received,
            bells.clone(),
        )));
        Ok(Live {
            connection,
            run_id,
            clock: (wall, std::time::Instant::now()),
            bells,
            subscribing: tokio::sync::Mutex::default(),
        })
    }

    /// Leaves a channel whose messages nobody hears any more.
    async fn leave(self: Arc<Self>, channel: String) {
        let Some(live) = self.state().live.clone() else {
            return;
        };
        let _turn = live.subscribing.lock().await;
        if live.bells.close(&channel) {
            let result = live.connection.clone().unsubscribe(&channel).await;
            let _ = self.checked(&live, result);
        }
    }

    /// Calls `script`, and teaches it to a server that does not know it.
    async fn invoke<T: FromRedisValue>(
        &self,
        live: &Arc<Live>,
        script: &Script,
        call: Cmd,
    ) -> Result<T, NodeError> {
        let mut connection = live.connection.clone();
        let mut result = call.query_async(&mut connection).await;
        let unknown = ErrorKind::Server(ServerErrorKind::NoScript);
        if result
            .as_ref()
            .is_err_and(|error: &RedisError| error.kind() == unknown)
        {
            let learned = script.load_async(&mut connection).await;
            self.checked(live, learned)?;
            result = call.query_async(&mut connection).await;
        }
        self.checked(live, result)
    }

    /// Gives a connection up that has failed, or on which nothing is answered.
    fn checked<T>(&self, live: &Arc<Live>, result: Result<T, RedisError>) -> Result<T, NodeError> {
        result.map_err(|error| {
            if error.is_timeout() || error.is_io_error() || error.is_unrecoverable_error() {
                let mut state = self.state();
                // Unless it has been replaced already.
                if state
                    .live
                    .as_ref()
                    .is_some_and(|current| Arc::ptr_eq(current, live))
                {
                    state.live = None;
                }
                drop(state);
                live.bells.ring_all();
            }
            node_error(error)
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Consistent at every point at which a panic can come.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the client: its URL may have a password in it.
        f.debug_struct("Link")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A call of `script`, whose keys and arguments are still to come.
fn call(script: &Script, keys: usize, arguments: usize) -> Cmd {
    let mut call = Cmd::with_capacity(3 + keys + arguments, 64 * (keys + arguments));
    call.arg("EVALSHA").arg(script.get_hash()).arg(keys);
    call
}

/// The argument that says who waits.
fn name(call: &mut Cmd, waiter: Option<Waiter>) {
    match waiter {
        Some(waiter) => call.arg(waiter.to_string()),
        None => call.arg(""),
    };
}

/// The news in a message: a token, and who is named behind it.
fn ring(message: &str) -> Ring {
    let (token, next) = message.split_at_checked(TOKEN_DIGITS).unwrap_or_default();
    let token = token
        .parse()
        .map_or(FencingToken::UNFENCED, FencingToken::from_u64);
    Ring::new(token, Waiter::parse(next))
}

/// Rings for the releases that the server tells of, as long as the connection lives. Does not keep the link, which keeps the
/// connection.
async fn listen(link: Weak<Link>, mut pushes: mpsc::UnboundedReceiver<PushInfo>, bells: Bells) {
    while let Some(push) = pushes.recv().await {
        match push.kind {
            PushKind::Message => {
                let mut words = push.data.into_iter().map(String::from_redis_value);
                if let (Some(Ok(channel)), Some(Ok(message))) = (words.next(), words.next())
                    && !bells.ring(&channel, ring(&message))
                    && let Some(link) = link.upgrade()
                {
                    drop(tokio::spawn(link.leave(channel)));
                }
            }
            PushKind::Disconnection => break,
            _ => {}
        }
    }
    bells.ring_all();
}

async fn info(connection: &mut MultiplexedConnection, section: &str) -> Result<String, NodeError> {
    let answer = redis::cmd("INFO").arg(section).query_async(connection).await;
    answer.map_err(node_error)
}

/// A field of the answer to `INFO`.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn node_error(error: RedisError) -> NodeError {
    let kind = if error.is_timeout() {
        NodeErrorKind::Timeout
    } else if error.is_io_error() || error.is_unrecoverable_error() {
        NodeErrorKind::Io
    } else {
        NodeErrorKind::Protocol
    };
    NodeError::new(kind, error.to_string()).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_info_are_found_by_their_whole_name() {
        let text = "# Server\r\nrun_id_old:x\r\nrun_id:abc\r\n";
        assert_eq!(field(text, "run_id"), Some("abc"));
        assert_eq!(field(text, "run"), None);
    }

    #[test]
    fn neither_name_nor_debug_shows_the_password() {
        let keys = Keys::new("p");
        let link = Link::new("redis://me:secret@127.0.0.1:6390/", keys, Duration::from_secs(1)).unwrap();
        assert_eq!(link.name(), "127.0.0.1:6390");
        assert!(!format!("{link:?}").contains("secret"));
    }
}
