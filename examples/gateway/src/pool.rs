//! Connections to the origin: made when there is none, kept for a while when there is nothing to send.

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{fmt, io};

use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::error::{Kind, OriginError};
use crate::upload::Upload;

/// How long a connection is kept with nothing to send: less than the 5 s after which Node.js and Apache close theirs, so
/// that a request hardly ever meets a close on its way.
const KEPT: Duration = Duration::from_secs(4);

/// How many are kept.
const MOST: usize = 256;

/// The connections to one origin.
#[derive(Debug)]
pub(crate) struct Pool {
    host: String,
    port: u16,
    connect: Duration,
    idle: Mutex<VecDeque<Idle>>,
}

/// A connection with nothing to send, the latest at the back.
#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

#[derive(Debug)]
struct Connection {
    sender: SendRequest<Upload>,
    /// The same that hyper reads from, to look whether it was closed.
    stream: Arc<TcpStream>,
}

/// A connection that is used for one request. Dropped, it is closed; released, the next one gets it.
pub(crate) struct Lease {
    connection: Connection,
    pool: Arc<Pool>,
    /// Whether it was used before, so that it may have been closed unnoticed.
    pub(crate) reused: bool,
}

impl Pool {
    /// Connections to `host`, each made within `connect`.
    pub(crate) fn new(host: &str, port: u16, connect: Duration) -> Arc<Self> {
        Arc::new(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            connect,
            idle: Mutex::default(),
        })
    }

    /// A connection that was not closed as far as this machine knows: one that is there, else a new one.
    pub(crate) async fn lease(self: &Arc<Self>) -> Result<Lease, OriginError> {
        let (connection, reused) = match self.take() {
            Some(connection) => (connection, true),
            None => (self.connect().await?, false),
        };
        Ok(Lease {
            connection,
            pool: Arc::clone(self),
            reused,
        })
    }

    /// The one used last, which is the least likely to be closed.
    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle();
        for at in (0..idle.len()).rev() {
            let Some(Idle { connection, since }) = idle.get(at) else {
                break;
            };
            if connection.sender.is_closed() || since.elapsed() > KEPT || !is_quiet(&connection.stream) {
                idle.remove(at);
            } else if connection.sender.is_ready() {
                return idle.remove(at).map(|idle| idle.connection);
            }
            // Else its last exchange is not over yet: a body still goes up, or the task that ends it did not run.
        }
        None
    }

    async fn connect(&self) -> Result<Connection, OriginError> {
        let stream = match timeout(self.connect, TcpStream::connect((self.host.as_str(), self.port))).await {
            Err(_) => return Err(OriginError::new(Kind::ConnectTimeout)),
            Ok(Err(error)) => return Err(OriginError::new(Kind::Refused).with(error)),
            Ok(Ok(stream)) => Arc::new(stream),
        };
        // Without it the small writes of a request wait for each other; the connection works all the same.
        let _ = stream.set_nodelay(true);
        let io = TokioIo::new(Stream(Arc::clone(&stream)));
        let (sender, connection) = Builder::new()
            // Both are to be mended by a proxy in what it forwards (RFC 9112 §5.1, §5.2).
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .handshake(io)
            .await?;
        tokio::spawn(async move {
            // Whose request it was is told by the sender.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the origin ended");
            }
        });
        Ok(Connection { sender, stream })
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle();
        let now = Instant::now();
        while idle.len() >= MOST || idle.front().is_some_and(|first| now - first.since > KEPT) {
            idle.pop_front();
        }
        idle.push_back(Idle {
            connection,
            since: now,
        });
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    pub(crate) const fn sender(&mut self) -> &mut SendRequest<Upload> {
        &mut self.connection.sender
    }

    /// Gives the connection to the next request.
    pub(crate) fn release(self) {
        if !self.connection.sender.is_closed() {
            self.pool.keep(self.connection);
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("reused", &self.reused)
            .finish_non_exhaustive()
    }
}

/// Whether nothing came: neither a close, nor bytes that nobody asked for. Asks the kernel, since the runtime may not have
/// heard of it yet.
fn is_quiet(stream: &TcpStream) -> bool {
    let peeked = SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]);
    peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// A stream that hyper reads and writes, while the pool looks at it.
#[derive(Debug)]
struct Stream(Arc<TcpStream>);

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            match self.0.try_read_buf(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_write_vectored(bufs) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.0).shutdown(Shutdown::Write))
    }
}
