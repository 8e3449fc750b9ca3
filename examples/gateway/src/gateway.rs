//! The gateway: accepts connections, and drains them when it is told to stop.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use http::HeaderValue;
use larder::{Cache, Larder};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};
use tower_layer::Layer;

use crate::config::{Config, Timeouts};
use crate::connection;
use crate::origin::Origin;

/// How long to wait after a connection could not be accepted: most often for a file descriptor.
const BREATH: Duration = Duration::from_millis(50);

/// A caching reverse proxy.
#[derive(Debug)]
pub struct Gateway {
    cache: Cache<Origin>,
    larder: Larder,
    default_host: HeaderValue,
    timeouts: Timeouts,
}

impl Gateway {
    /// A gateway as `config` says, which keeps what it keeps in `larder`.
    ///
    /// # Panics
    /// If `larder` has a layer called `gateway` already, such as that of another gateway.
    #[must_use]
    #[track_caller]
    pub fn new(config: Config, larder: Larder) -> Self {
        let Config {
            origin,
            profile,
            timeouts,
            max_body,
            stale_if_unreachable,
            ignore_cookies,
        } = config;
        let layer = larder
            .gateway_cache("gateway", profile)
            .max_body(max_body)
            .stale_if_unreachable(stale_if_unreachable);
        let layer = if ignore_cookies {
            layer.ignore_cookies()
        } else {
            layer
        };
        let host = origin.host().unwrap_or_default();
        let authority = origin.authority().map_or("", http::uri::Authority::as_str);
        let cache = layer.layer(Origin::new(host, origin.port_u16().unwrap_or(80), timeouts));
        Self {
            cache,
            larder,
            default_host: HeaderValue::from_str(authority).unwrap_or(HeaderValue::from_static("")),
            timeouts,
        }
    }

    /// Serves what `listener` accepts until `stop` is ready. Then it accepts no more, answers what is under way, for at
    /// most the [`drain`](Timeouts::drain) timeout, and returns.
    ///
    /// # Errors
    /// None so far: connections that cannot be accepted are logged.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) -> io::Result<()> {
        let mut clients = Clients::default();
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => clients.add(&self, stream),
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        sleep(BREATH).await;
                    }
                },
                () = clients.ended(), if !clients.are_gone() => {}
            }
        }
        drop(listener);
        let deadline = Instant::now() + self.timeouts.drain;
        if !clients.drain(deadline).await {
            tracing::warn!("stopped with requests under way: the drain timeout ended");
        }
        let rest = deadline.saturating_duration_since(Instant::now());
        self.larder.shutdown(rest).await;
        Ok(())
    }
}

/// The connections that are there, and how each is told to stop. Dropped, it ends them.
#[derive(Default)]
struct Clients {
    tasks: JoinSet<()>,
    stops: HashMap<Id, oneshot::Sender<()>>,
}

impl Clients {
    fn add(&mut self, gateway: &Gateway, stream: TcpStream) {
        // Without it answers wait for the client's acknowledgements; they come all the same.
        let _ = stream.set_nodelay(true);
        let (stop, stopped) = oneshot::channel();
        let serving = connection::serve(
            stream,
            gateway.cache.clone(),
            gateway.default_host.clone(),
            gateway.timeouts,
            stopped,
        );
        let id = self.tasks.spawn(serving).id();
        self.stops.insert(id, stop);
    }

    fn are_gone(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Waits until one has ended.
    async fn ended(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => {
                tracing::error!(%error, "a connection's task failed");
                error.id()
            }
            None => return,
        };
        self.stops.remove(&id);
    }

    /// Lets all answer what is under way; whether they did so until `deadline`.
    async fn drain(mut self, deadline: Instant) -> bool {
        for (_, stop) in self.stops.drain() {
            // Who ended meanwhile does not hear it.
            let _ = stop.send(());
        }
        let all = async { while self.tasks.join_next().await.is_some() {} };
        timeout_at(deadline, all).await.is_ok()
    }
}
