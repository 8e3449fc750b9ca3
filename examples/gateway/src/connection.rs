//! One client's connection: served until it ends, stands still for too long, or the gateway stops.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::HeaderValue;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use larder::Cache;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep};

use crate::activity::Activity;
use crate::config::Timeouts;
use crate::front::Front;
use crate::origin::Origin;

pin_project! {
    /// A connection being served.
    pub(crate) struct Serving {
        #[pin]
        http: http1::Connection<TokioIo<Client>, Front>,
        stop: Option<oneshot::Receiver<()>>,
        #[pin]
        watch: Sleep,
        activity: Arc<Activity>,
        moves: u64,
        still_since: Instant,
        timeouts: Timeouts,
    }
}

/// Serves `stream` until it ends, or, told by `stop`, has answered what is under way.
pub(crate) fn serve(
    stream: TcpStream,
    cache: Cache<Origin>,
    default_host: HeaderValue,
    timeouts: Timeouts,
    stop: oneshot::Receiver<()>,
) -> Serving {
    let activity = Arc::new(Activity::default());
    let front = Front::new(cache, default_host, Arc::clone(&activity));
    let client = Client {
        stream,
        activity: Arc::clone(&activity),
    };
    Serving {
        http: http1::Builder::new().serve_connection(TokioIo::new(client), front),
        stop: Some(stop),
        watch: sleep(timeouts.request_head),
        moves: 0,
        still_since: Instant::now(),
        activity,
        timeouts,
    }
}

impl Future for Serving {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if let Some(stop) = this.stop.as_mut()
            && Pin::new(stop).poll(cx).is_ready()
        {
            *this.stop = None;
            this.http.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(result) = this.http.as_mut().poll(cx) {
            if let Err(error) = result {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "a client's connection ended"
                );
            }
            return Poll::Ready(());
        }
        while this.watch.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let moves = this.activity.moves();
            if moves != *this.moves {
                (*this.moves, *this.still_since) = (moves, now);
            } else if let Some(limit) = this.activity.limit(this.timeouts)
                && now - *this.still_since >= limit
            {
                tracing::debug!(?limit, "a client's connection stood still");
                return Poll::Ready(());
            }
            this.watch.as_mut().reset(now + this.timeouts.request_head);
        }
        Poll::Pending
    }
}

/// A client's stream, which tells what moves on it.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    activity: Arc<Activity>,
}

impl AsyncRead for Client {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.read();
        }
        result
    }
}

impl AsyncWrite for Client {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.activity.wrote(result.is_pending());
        result
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.activity.wrote(result.is_pending());
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
