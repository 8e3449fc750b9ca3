//! One connection through the proxy.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::fault::{Fault, noise};
use super::tally::Open;

/// The most that is read at a time.
const PIECE: usize = 16 << 10;

/// How many pieces may be on their way to the client.
const PIECES: usize = 64;

/// A piece for the client, and when it is to arrive. An empty one closes the connection.
struct Parcel {
    due: Instant,
    piece: Bytes,
}

pub(super) struct Link {
    fault: watch::Receiver<Fault>,
    open: Open,
    // Whether bytes were lost or made up.
    spoilt: AtomicBool,
}

impl Link {
    pub(super) fn new(fault: watch::Receiver<Fault>, open: Open) -> Self {
        let spoilt = AtomicBool::new(fault.borrow().is_deaf());
        Self { fault, open, spoilt }
    }

    /// Passes on what comes until one side closes the connection, or the fault that spoilt it is lifted.
    pub(super) async fn carry(self, client: TcpStream, server: SocketAddr) {
        let _ = client.set_nodelay(true);
        let (from_client, to_client) = client.into_split();
        let (parcels, sent) = mpsc::channel(PIECES);
        let both = async {
            if self.spoilt.load(Ordering::Relaxed) {
                return self.requests(from_client, None, &parcels).await;
            }
            let server = TcpStream::connect(server).await?;
            server.set_nodelay(true)?;
            let (from_server, to_server) = server.into_split();
            tokio::select! {
                ended = self.requests(from_client, Some(to_server), &parcels) => ended,
                never = self.answers(from_server, &parcels) => match never {},
            }
        };
        // Which of them ends the connection, and why, makes no difference to either side.
        tokio::select! {
            _ = both => {}
            _ = deliver(sent, to_client) => {}
            () = self.lifted() => {}
        }
    }

    /// What the client sends. Ends when the client does.
    async fn requests(
        &self,
        mut from: OwnedReadHalf,
        mut to: Option<OwnedWriteHalf>,
        parcels: &mpsc::Sender<Parcel>,
    ) -> io::Result<()> {
        let mut buffer = BytesMut::with_capacity(PIECE);
        while let Some(piece) = read(&mut from, &mut buffer).await {
            match self.fault_of_piece().await {
                Fault::HalfOpen => self.spoil(),
                Fault::Answer(answer) => {
                    self.spoil();
                    send(parcels, Instant::now(), answer).await;
                }
                _ => match &mut to {
                    Some(to) => to.write_all(&piece).await?,
                    None => self.spoil(),
                },
            }
        }
        if to.is_some() && self.fault_of_piece().await == Fault::HalfOpen {
            // The server is not told.
            self.spoil();
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    /// What the server sends. Ends only with the connection, when all of it was delivered.
    async fn answers(&self, mut from: OwnedReadHalf, parcels: &mpsc::Sender<Parcel>) -> Infallible {
        let mut buffer = BytesMut::with_capacity(PIECE);
        while let Some(mut piece) = read(&mut from, &mut buffer).await {
            let mut due = Instant::now();
            match self.fault_of_piece().await {
                Fault::Delay(delay) => {
                    self.open.fault();
                    due += delay;
                }
                Fault::LoseAnswers | Fault::HalfOpen | Fault::Answer(_) => {
                    self.spoil();
                    continue;
                }
                Fault::CutShort => {
                    self.spoil();
                    piece.truncate(piece.len() / 2);
                    send(parcels, due, piece).await;
                    break;
                }
                Fault::Garbage => {
                    self.spoil();
                    piece = noise(piece.len());
                }
                _ => {}
            }
            send(parcels, due, piece).await;
        }
        if matches!(self.fault_of_piece().await, Fault::LoseAnswers | Fault::HalfOpen) {
            // The client is not told.
            self.spoil();
        } else {
            send(parcels, Instant::now(), Bytes::new()).await;
        }
        std::future::pending().await
    }

    /// The fault that a piece meets; it is held while that is a stall.
    async fn fault_of_piece(&self) -> Fault {
        let mut fault = self.fault.clone();
        if *fault.borrow() == Fault::Stall {
            self.open.fault();
        }
        let free = fault.wait_for(|fault| *fault != Fault::Stall).await;
        match free.ok().map(|fault| fault.clone()) {
            Some(fault) => fault,
            // The door is gone, and this connection goes with it.
            None => std::future::pending().await,
        }
    }

    fn spoil(&self) {
        self.open.fault();
        self.spoilt.store(true, Ordering::Relaxed);
    }

    /// Ends when the fault changes after it has spoilt the connection.
    async fn lifted(&self) {
        let mut fault = self.fault.clone();
        while fault.changed().await.is_ok() {
            if self.spoilt.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

/// The next piece; `None` when there is none to come, for whatever reason.
async fn read(from: &mut OwnedReadHalf, buffer: &mut BytesMut) -> Option<Bytes> {
    buffer.reserve(PIECE);
    let length = from.read_buf(&mut (&mut *buffer).limit(PIECE)).await.ok()?;
    (length > 0).then(|| buffer.split().freeze())
}

async fn send(parcels: &mpsc::Sender<Parcel>, due: Instant, piece: Bytes) {
    // The receiver lives as long as this connection.
    let _ = parcels.send(Parcel { due, piece }).await;
}

/// Hands the parcels to the client, each when it is due. Ends when the connection is to be closed.
async fn deliver(mut parcels: mpsc::Receiver<Parcel>, mut to: OwnedWriteHalf) -> io::Result<()> {
    while let Some(Parcel { due, piece }) = parcels.recv().await {
        if piece.is_empty() {
            break;
        }
        sleep_until(due).await;
        to.write_all(&piece).await?;
    }
    Ok(())
}
