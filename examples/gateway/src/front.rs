//! What hyper calls with a client's request: refuses it, or has the layer answer it.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use larder::Cache;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::activity::{Activity, Busy};
use crate::answer::{self, Body};
use crate::download::OriginBody;
use crate::error::OriginError;
use crate::log::Line;
use crate::origin::Origin;
use crate::target;
use crate::upload::RequestBody;

/// The layer around the origin, for one connection: its requests come one after the other.
pub(crate) struct Front {
    cache: RefCell<Cache<Origin>>,
    default_host: HeaderValue,
    activity: Arc<Activity>,
}

impl Front {
    pub(crate) const fn new(
        cache: Cache<Origin>,
        default_host: HeaderValue,
        activity: Arc<Activity>,
    ) -> Self {
        Self {
            cache: RefCell::new(cache),
            default_host,
            activity,
        }
    }
}

impl hyper::service::Service<Request<Incoming>> for Front {
    type Response = Response<Tracked>;
    type Error = std::convert::Infallible;
    type Future = Answering;

    fn call(&self, mut request: Request<Incoming>) -> Answering {
        let busy = Activity::begin(&self.activity);
        let line = Line::begin(&request);
        let state = match target::settle(&mut request, &self.default_host) {
            Err(refusal) => State::Refused {
                response: Some(answer::refused(refusal)),
            },
            Ok(()) => {
                let mut cache = self.cache.borrow_mut();
                // A cache is ready when its inner service is, and the origin always is. It is asked all the same, as
                // every service is to be.
                let _ = Service::poll_ready(&mut *cache, &mut Context::from_waker(Waker::noop()));
                State::Asked {
                    response: cache.call(request.map(RequestBody::from)),
                }
            }
        };
        Answering {
            state,
            line,
            busy: Some(busy),
        }
    }
}

pin_project! {
    /// An answer to come.
    pub(crate) struct Answering {
        #[pin]
        state: State,
        line: Option<Line>,
        busy: Option<Busy>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State {
        Asked { #[pin] response: larder::ResponseFuture<OriginBody, OriginError> },
        Refused { response: Option<Response<Body>> },
    }
}

impl Future for Answering {
    type Output = Result<Response<Tracked>, std::convert::Infallible>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = match this.state.project() {
            StateProjection::Asked { response } => match ready!(response.poll(cx)) {
                Ok(response) => response.map(|body| Body::Layer { body }),
                Err(error) => {
                    tracing::warn!(%error, "no answer of the origin");
                    answer::failed(error.kind())
                }
            },
            // Polled again after it was ready, it waits for ever, as it may.
            StateProjection::Refused { response } => match response.take() {
                Some(response) => response,
                None => return Poll::Pending,
            },
        };
        if let Some(line) = this.line.take() {
            line.write(&response);
        }
        let busy = this.busy.take();
        Poll::Ready(Ok(response.map(|body| Tracked {
            body,
            failed: None,
            _busy: busy,
        })))
    }
}

pin_project! {
    /// A body that keeps its connection busy as long as it is there, and fails no sooner than what came before is written.
    pub(crate) struct Tracked {
        #[pin]
        body: Body,
        failed: Option<OriginError>,
        _busy: Option<Busy>,
    }
}

impl http_body::Body for Tracked {
    type Data = bytes::Bytes;
    type Error = OriginError;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, OriginError>>> {
        let this = self.project();
        if let Some(error) = this.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match ready!(this.body.poll_frame(cx)) {
            Some(Err(error)) => {
                // hyper throws away what it has not written yet when a body fails, at worst the whole head, and what
                // looks like a connection that was closed before the request came is sent again. It writes when it has
                // to wait.
                *this.failed = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            frame => Poll::Ready(frame),
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    #[inline]
    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
