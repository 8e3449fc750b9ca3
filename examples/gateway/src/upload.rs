//! A client's body on its way to the origin, which is never held.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::error::{Kind, OriginError};
use crate::idle::Idle;

/// The body of a request as the cache layer sees it: the client's, or none.
#[derive(Debug, Default)]
pub(crate) struct RequestBody(Option<Incoming>);

impl From<Incoming> for RequestBody {
    fn from(incoming: Incoming) -> Self {
        Self(Some(incoming))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.0 {
            Some(incoming) => Pin::new(incoming).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

/// How far a client's body is: who waits for the response goes by it.
#[derive(Debug, Clone)]
pub(crate) struct Progress(Arc<Mutex<Moved>>);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Moved {
    /// When it last did.
    pub(crate) at: Instant,
    /// Whether it was the end.
    pub(crate) ended: bool,
}

impl Progress {
    fn new() -> Self {
        let at = Instant::now();
        Self(Arc::new(Mutex::new(Moved { at, ended: false })))
    }

    fn moved(&self, ended: bool) {
        let at = Instant::now();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Moved { at, ended };
    }

    pub(crate) fn last(&self) -> Moved {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of a request on its way to the origin.
#[derive(Debug)]
pub(crate) struct Upload {
    body: RequestBody,
    idle: Idle,
    progress: Option<Progress>,
}

impl Upload {
    /// `limit` is how long the client may stop.
    pub(crate) fn new(body: RequestBody, limit: Duration) -> Self {
        let progress = (!body.is_end_stream()).then(Progress::new);
        Self {
            body,
            idle: Idle::new(limit),
            progress,
        }
    }

    /// How far it is; none where there is no body.
    pub(crate) fn progress(&self) -> Option<Progress> {
        self.progress.clone()
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = OriginError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, OriginError>>> {
        let this = &mut *self;
        loop {
            let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
                ready!(this.idle.poll_stands(cx));
                return Poll::Ready(Some(Err(OriginError::new(Kind::RequestBodyTimeout))));
            };
            this.idle.moved();
            if let Some(progress) = &this.progress {
                progress.moved(frame.is_none() || this.body.is_end_stream());
            }
            return Poll::Ready(match frame {
                // Trailer fields are left out (RFC 9110 §6.5.1).
                Some(Ok(frame)) if !frame.is_data() => continue,
                Some(Ok(frame)) => Some(Ok(frame)),
                Some(Err(error)) => Some(Err(OriginError::new(Kind::RequestBody).with(error))),
                None => None,
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
