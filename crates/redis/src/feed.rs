//! The feed: a connection on which the server tells of every change of a record, and on which this process hears itself.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use larder_store::{StoreError, StoreErrorKind};
use redis::{AsyncConnectionConfig, Client, ProtocolVersion, PushInfo, PushKind, RedisError, Value};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use crate::board::Board;
use crate::budget::{WATCH, rest_after};
use crate::failure::failed;
use crate::link::Link;
use crate::metrics;
use crate::server::{Server, random};

/// How an entry in this process's memory is told to be valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Coherence {
    /// By asking the server at each hit: nothing is served that was forgotten before the request came.
    #[default]
    Strict,
    /// By being told: a hit asks nobody, and is never older than this after an invalidation completed, whatever is lost on the
    /// way. The server is listened to on a connection of its own (RESP3, `CLIENT TRACKING`), and while it is not proved that
    /// it tells everything, hits ask it. At least 100 ms.
    Bounded(Duration),
}

impl Coherence {
    pub(crate) fn bound(self) -> Option<Duration> {
        match self {
            Self::Strict => None,
            Self::Bounded(bound) => Some(bound.max(Duration::from_millis(100))),
        }
    }
}

/// The task that listens, at most one.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    running: AtomicBool,
    connections: AtomicU64,
}

/// Says when the task has ended, however it ended.
struct Running {
    feed: Weak<Feed>,
    link: Weak<Link>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(link) = self.link.upgrade() {
            lapse(&link, "disconnect");
        }
        if let Some(feed) = self.feed.upgrade() {
            feed.running.store(false, Ordering::SeqCst);
        }
    }
}

impl Feed {
    /// Has a task listen, if none does and there is a runtime.
    pub(crate) fn begin(self: &Arc<Self>, link: &Arc<Link>, bound: Duration) {
        if self.running.load(Ordering::SeqCst) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if self.running.swap(true, Ordering::SeqCst) {
            return;
        }
        let running = Running {
            feed: Arc::downgrade(self),
            link: Arc::downgrade(link),
        };
        drop(runtime.spawn(listen(running, bound)));
    }
}

/// Listens until the store is gone, again after each failure.
async fn listen(running: Running, bound: Duration) {
    let mut rest = Duration::ZERO;
    loop {
        let Some((feed, link)) = running.feed.upgrade().zip(running.link.upgrade()) else {
            return;
        };
        let number = feed.connections.fetch_add(1, Ordering::SeqCst) + 1;
        drop(feed);
        let began = Instant::now();
        let (reason, error) = match Ear::open(&link, number).await {
            Ok(ear) => {
                drop(link);
                ear.hear(&running.link, bound).await
            }
            Err(error) => ("disconnect", error),
        };
        if let Some(link) = running.link.upgrade() {
            lapse(&link, reason);
            if rest.is_zero() {
                tracing::warn!(server = link.address, %error, reason, "the server is not listened to: hits ask it");
            } else {
                tracing::debug!(server = link.address, %error, reason, "the server is not listened to");
            }
        }
        rest = rest_after(rest, began.elapsed());
        sleep(rest).await;
    }
}

fn lapse(link: &Link, reason: &'static str) {
    if let Some(board) = &link.board
        && board.lapse()
    {
        metrics::lapsed(reason);
    }
}

/// One connection that listens.
struct Ear {
    connection: redis::aio::MultiplexedConnection,
    number: u64,
    beat: String,
}

impl Ear {
    /// Connects, and has the server tell of every change from here on.
    async fn open(link: &Arc<Link>, number: u64) -> Result<Self, StoreError> {
        let limit = link.budget.connect;
        let late = || StoreError::new(StoreErrorKind::Timeout, "the feed was not set up in time");
        timeout(limit, Self::set_up(link, number))
            .await
            .unwrap_or_else(|_| Err(late()))
    }

    async fn set_up(link: &Arc<Link>, number: u64) -> Result<Self, StoreError> {
        let found = link.listened().find(&link.names, link.budget.connect).await?;
        let info = found.get_connection_info();
        // Who is told without having asked needs RESP3.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.clone().set_redis_settings(settings)).map_err(failed)?;
        let beat = link.names.beat(u128::from_be_bytes(random()?));
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(link.budget.connect))
            .set_response_timeout(None)
            .set_push_sender(hearing(Arc::downgrade(link), number, beat.clone()));
        let (server, mut connection) = Server::meet_on(&client, &config).await?;
        let mut track = redis::cmd("CLIENT");
        track.arg("TRACKING").arg("ON").arg("BCAST");
        for prefix in [link.names.records(), link.names.root(), &beat] {
            track.arg("PREFIX").arg(prefix);
        }
        let _: Value = track.query_async(&mut connection).await.map_err(failed)?;
        // Who listens too slowly is cut off by the limit for subscribers, instead of filling the server's memory.
        connection.subscribe(&beat).await.map_err(failed)?;
        if let Some(board) = &link.board {
            // What changed before is not told.
            board.all_changed();
            board.listens_to(server.run());
        }
        Ok(Self {
            connection,
            number,
            beat,
        })
    }

    /// Beats, and ends when a beat is not heard in time, or the store is gone.
    async fn hear(mut self, link: &Weak<Link>, bound: Duration) -> (&'static str, StoreError) {
        let mut sent = Instant::now();
        while let Some(link) = link.upgrade() {
            let Some(board) = &link.board else { break };
            // Two connections, and one server: this one may be the one that was left behind.
            if let Some(live) = link.current()
                && !board.is_listening_to(live.server.run())
            {
                let other = "the records are on another server";
                return ("server", StoreError::new(StoreErrorKind::ReadOnly, other));
            }
            if !board.is_awaiting() {
                sent = Instant::now();
                board.beats(self.number, sent);
                let mut set = redis::cmd("SET");
                set.arg(&self.beat).arg("").arg("PX").arg(LAST_BEAT);
                let beaten: Result<Result<Value, RedisError>, _> =
                    timeout(bound, set.query_async(&mut self.connection)).await;
                match beaten {
                    Ok(Ok(_)) => metrics::up(),
                    Ok(Err(error)) => return ("disconnect", failed(error)),
                    Err(_) if cfg!(larder_mutant = "redis_feed_without_heartbeat") => {}
                    Err(_) => break,
                }
            } else if sent.elapsed() > bound && cfg!(not(larder_mutant = "redis_feed_without_heartbeat")) {
                break;
            }
            drop(link);
            sleep((bound / 4).min(WATCH)).await;
        }
        let error = StoreError::new(StoreErrorKind::Timeout, "a beat was not heard in time");
        ("heartbeat", error)
    }
}

/// How long a beat stays on the server after the last, in milliseconds.
const LAST_BEAT: u64 = 60_000;

/// What is done with each push, by the task that reads the connection and in the order in which they came.
fn hearing(link: Weak<Link>, number: u64, beat: String) -> impl Fn(PushInfo) -> Result<(), ()> + Send + Sync {
    move |push| {
        let link = link.upgrade().ok_or(())?;
        match push.kind {
            PushKind::Invalidate => {
                if let Some(board) = &link.board {
                    invalidated(board, number, &beat, &push.data);
                }
            }
            PushKind::Disconnection => lapse(&link, "disconnect"),
            _ => {}
        }
        Ok(())
    }
}

/// The server names the keys that changed, or none where all did.
fn invalidated(board: &Board, number: u64, beat: &str, data: &[Value]) {
    let Some(Value::Array(keys)) = data.first() else {
        board.all_changed();
        return;
    };
    let mut beaten = false;
    for key in keys {
        match key {
            Value::BulkString(key) if key == beat.as_bytes() => beaten = true,
            Value::BulkString(key) => board.changed(key),
            _ => board.all_changed(),
        }
    }
    metrics::told();
    // What came with it was told before it.
    if beaten && let Some(after) = board.hears_itself(number) {
        metrics::heard(after);
    }
}
