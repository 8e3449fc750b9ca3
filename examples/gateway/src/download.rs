//! An origin's body on its way back, as it comes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::error::{Kind, OriginError};
use crate::idle::Idle;
use crate::pool::Lease;

/// The body of a response on its way from the origin. At its end the connection is free for the next request.
#[derive(Debug)]
pub(crate) struct OriginBody {
    incoming: Incoming,
    idle: Idle,
    lease: Option<Lease>,
}

impl OriginBody {
    /// `limit` is how long the origin may stop.
    pub(crate) fn new(incoming: Incoming, limit: Duration, lease: Lease) -> Self {
        let mut body = Self {
            incoming,
            idle: Idle::new(limit),
            lease: Some(lease),
        };
        body.release_at_end();
        body
    }

    fn release_at_end(&mut self) {
        if self.incoming.is_end_stream()
            && let Some(lease) = self.lease.take()
        {
            lease.release();
        }
    }
}

impl Body for OriginBody {
    type Data = Bytes;
    type Error = OriginError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, OriginError>>> {
        let this = &mut *self;
        loop {
            let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(cx) else {
                ready!(this.idle.poll_stands(cx));
                return Poll::Ready(Some(Err(OriginError::new(Kind::BodyTimeout))));
            };
            this.idle.moved();
            return Poll::Ready(match frame {
                Some(Ok(frame)) if !frame.is_data() => continue,
                Some(Ok(frame)) => {
                    this.release_at_end();
                    Some(Ok(frame))
                }
                Some(Err(error)) => {
                    this.lease = None;
                    Some(Err(error.into()))
                }
                None => {
                    if let Some(lease) = this.lease.take() {
                        lease.release();
                    }
                    None
                }
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
