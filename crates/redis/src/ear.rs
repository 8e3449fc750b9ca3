//! A connection that listens to one channel, and is made again when it is lost, or when the store asks another server.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use larder_store::{StoreError, StoreErrorKind};
use redis::{AsyncConnectionConfig, Client, ProtocolVersion, PushInfo, PushKind, Value};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::budget::{WATCH, rest_after};
use crate::failure::failed;
use crate::link::Link;
use crate::server::Server;

/// Whether this process listens, and the one task that sees to it.
pub(crate) struct Ear {
    channel: String,
    hears: Box<dyn Fn(Heard<'_>) + Send + Sync>,
    running: AtomicBool,
    /// The [server](Server::run) that is listened to.
    open: watch::Sender<Option<u64>>,
}

/// What comes over the connection.
pub(crate) enum Heard<'a> {
    Message(&'a [u8]),
    /// Nothing is heard from here on.
    Lost,
}

/// Says when the task has ended, however it ended.
struct Running(Weak<Ear>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(ear) = self.0.upgrade() {
            ear.closes();
            ear.running.store(false, Ordering::SeqCst);
        }
    }
}

impl Ear {
    /// An ear for `channel`, which listens from when it is told to [`begin`](Self::begin).
    pub(crate) fn new(channel: String, hears: impl Fn(Heard<'_>) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            channel,
            hears: Box::new(hears),
            running: AtomicBool::new(false),
            open: watch::Sender::new(None),
        })
    }

    /// Whether this process listens to that server.
    pub(crate) fn is_open_to(&self, server: u64) -> bool {
        *self.open.borrow() == Some(server)
    }

    /// Waits until it does. The limit is the caller's.
    pub(crate) async fn opened_to(&self, server: u64) {
        // The sender lives as long as this does.
        let _ = self.open.subscribe().wait_for(|open| *open == Some(server)).await;
    }

    /// Has a task listen, if none does and there is a runtime.
    pub(crate) fn begin(self: &Arc<Self>, link: &Arc<Link>) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if self.running.swap(true, Ordering::SeqCst) {
            return;
        }
        let running = Running(Arc::downgrade(self));
        drop(runtime.spawn(listen(running, Arc::downgrade(link))));
    }

    fn closes(&self) {
        // First: who begins to wait from here on knows that nothing is heard.
        self.open.send_replace(None);
        (self.hears)(Heard::Lost);
    }
}

/// Listens until the store is gone, again after each failure.
async fn listen(running: Running, link: Weak<Link>) {
    let mut rest = Duration::ZERO;
    loop {
        let Some((ear, held)) = running.0.upgrade().zip(link.upgrade()) else {
            return;
        };
        let began = Instant::now();
        let (gone, mut is_gone) = watch::channel(false);
        let late = || StoreError::new(StoreErrorKind::Timeout, "the channel was not opened in time");
        let opening = timeout(held.budget.connect, open(&ear, &held, gone)).await;
        match opening.unwrap_or_else(|_| Err(late())) {
            Ok((server, connection)) => {
                ear.open.send_replace(Some(server));
                drop((ear, held));
                while running.0.strong_count() > 0 && !*is_gone.borrow_and_update() && is_asked(&link, server)
                {
                    let _ = timeout(WATCH, is_gone.changed()).await;
                }
                drop(connection);
            }
            Err(error) => tracing::debug!(server = held.address, %error, "the channel is not heard"),
        }
        if let Some(ear) = running.0.upgrade() {
            ear.closes();
        }
        rest = rest_after(rest, began.elapsed());
        sleep(rest).await;
    }
}

/// Whether the store asks that server, if any. One that was replaced as the primary may answer on.
fn is_asked(link: &Weak<Link>, server: u64) -> bool {
    let live = link.upgrade().and_then(|link| link.current());
    live.is_none_or(|live| live.server.run() == server)
}

async fn open(
    ear: &Arc<Ear>,
    link: &Arc<Link>,
    gone: watch::Sender<bool>,
) -> Result<(u64, redis::aio::MultiplexedConnection), StoreError> {
    let found = link.listened().find(&link.names, link.budget.connect).await?;
    let info = found.get_connection_info();
    // Who is told without having asked needs RESP3.
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let client = Client::open(info.clone().set_redis_settings(settings)).map_err(failed)?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(link.budget.connect))
        .set_response_timeout(None)
        .set_push_sender(hearing(Arc::downgrade(ear), gone));
    let (server, mut connection) = Server::meet_on(&client, &config).await?;
    connection.subscribe(&ear.channel).await.map_err(failed)?;
    Ok((server.run(), connection))
}

/// What is done with each push, by the task that reads the connection.
fn hearing(ear: Weak<Ear>, gone: watch::Sender<bool>) -> impl Fn(PushInfo) -> Result<(), ()> + Send + Sync {
    move |push| {
        let ear = ear.upgrade().ok_or(())?;
        match push.kind {
            PushKind::Message => {
                if let Some(Value::BulkString(message)) = push.data.get(1) {
                    (ear.hears)(Heard::Message(message));
                }
            }
            PushKind::Disconnection => {
                ear.closes();
                gone.send_replace(true);
            }
            _ => {}
        }
        Ok(())
    }
}

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ear")
            .field("channel", &self.channel)
            .field("open", &*self.open.borrow())
            .finish_non_exhaustive()
    }
}
