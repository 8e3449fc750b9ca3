//! The idempotency service: admits a request by its head, and hands it over to the flow.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use crate::admit::{self, Admission};
use crate::body::Body;
use crate::flow::{self, Trip};
use crate::future::ResponseFuture;
use crate::metrics;
use crate::outcome::Outcome;
use crate::shared::Shared;

/// A service whose operations run once for each key; made by an [`IdempotencyLayer`](crate::IdempotencyLayer).
///
/// The inner service gets requests of the type that came, made anew from the bytes of the body. Errors are its own. It is
/// ready when the inner service is.
#[derive(Debug, Clone)]
pub struct Idempotency<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Idempotency<S> {
    pub(crate) const fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared }
    }

    /// The inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for Idempotency<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    ReqB: http_body::Body + From<Bytes> + Send + 'static,
    ReqB::Error: Send,
    ResB: http_body::Body + Send + 'static,
    ResB::Error: Send,
{
    type Response = Response<Body<ResB>>;
    type Error = S::Error;
    type Future = ResponseFuture<ResB, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let asked = match admit::request(&parts, &self.shared.policy) {
            Admission::Run(asked) => asked,
            Admission::Refuse(problem) => {
                return ResponseFuture::ready(flow::refused(problem));
            }
            Admission::Pass => {
                metrics::request(Outcome::Passed);
                let response = self.inner.call(Request::from_parts(parts, body));
                return ResponseFuture::waiting(async move {
                    let response = response.await?.map(Body::passed);
                    Ok(flow::marked(response, Outcome::Passed))
                });
            }
        };
        // The service that was made ready goes with the request; its clone, which was not, stays and will be asked.
        let clone = self.inner.clone();
        let service = std::mem::replace(&mut self.inner, clone);
        let trip = Trip {
            shared: Arc::clone(&self.shared),
            service,
            parts,
            asked,
        };
        ResponseFuture::waiting(trip.answer(body))
    }
}
