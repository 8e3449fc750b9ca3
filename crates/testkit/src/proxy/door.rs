//! The proxy's door: it lets clients in, and carries out what the test wishes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::fault::Fault;
use super::link::Link;
use super::tally::Tally;

/// How many connections may be open at a time.
const MOST: usize = 512;

/// How long the door stays shut after the system failed to accept, which is for want of files.
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(super) enum Wish {
    Do(Fault),
    Cut,
}

/// A wish, and whom to tell that it was carried out.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) wish: Wish,
    pub(super) done: SyncSender<()>,
}

pub(super) struct Door {
    addr: SocketAddr,
    // `None` while connections are refused.
    listener: Option<TcpListener>,
    server: SocketAddr,
    fault: watch::Sender<Fault>,
    links: JoinSet<()>,
    tally: Arc<Tally>,
}

impl Door {
    pub(super) fn new(
        listener: TcpListener,
        addr: SocketAddr,
        server: SocketAddr,
        tally: Arc<Tally>,
    ) -> Self {
        Self {
            addr,
            listener: Some(listener),
            server,
            fault: watch::Sender::new(Fault::None),
            links: JoinSet::new(),
            tally,
        }
    }

    /// Lets clients in until no more orders can come; then all connections end with it.
    pub(super) async fn keep(mut self, mut orders: mpsc::Receiver<Order>) {
        loop {
            let room = self.links.len() < MOST;
            tokio::select! {
                biased;
                order = orders.recv() => {
                    let Some(Order { wish, done }) = order else { return };
                    self.perform(wish).await;
                    // Who does not wait any longer need not be told.
                    let _ = done.try_send(());
                }
                Some(_) = self.links.join_next() => {}
                client = accept(self.listener.as_ref()), if room => match client {
                    Ok(client) => self.let_in(client),
                    Err(_) => tokio::time::sleep(PAUSE).await,
                },
            }
        }
    }

    fn let_in(&mut self, client: TcpStream) {
        let link = Link::new(self.fault.subscribe(), self.tally.accept());
        self.links.spawn(link.carry(client, self.server));
    }

    async fn perform(&mut self, wish: Wish) {
        match wish {
            Wish::Cut => self.close_all().await,
            Wish::Do(fault) => {
                if fault == Fault::Refuse {
                    self.listener = None;
                    self.close_all().await;
                } else if self.listener.is_none() {
                    let listener = TcpListener::bind(self.addr).await;
                    self.listener = Some(listener.unwrap_or_else(|e| {
                        panic!(
                            "the fault proxy cannot listen on its own port {} again: {e}",
                            self.addr
                        )
                    }));
                }
                self.fault.send_if_modified(|current| {
                    let other = *current != fault;
                    *current = fault;
                    other
                });
            }
        }
    }

    async fn close_all(&mut self) {
        (0..self.links.len()).for_each(|_| self.tally.fault());
        self.links.shutdown().await;
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(client, _)| client),
        None => std::future::pending().await,
    }
}
