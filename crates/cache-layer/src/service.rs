//! The service: admits a request, answers a hit at once, and hands everything else to the flow.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use crate::admit;
use crate::body::Body;
use crate::built::Built;
use crate::flow;
use crate::future::ResponseFuture;
use crate::identity::{Scope, Shared};
use crate::mutation::Mutation;
use crate::status::{BypassReason, MissReason};
use crate::trip::Trip;

/// A service whose responses are cached; made by a [`CacheLayer`](crate::CacheLayer).
///
/// It asks nothing of the inner service but what a server asks of it anyway: `Clone`, because an answer from the cache
/// may leave a fill behind in the background, and `Send`. Errors are the inner service's own. It is ready when the
/// inner service is, so that backpressure is kept, also where a hit would not need the inner service.
#[derive(Debug, Clone)]
pub struct Cache<S, Sc = Shared> {
    inner: S,
    layer: Arc<Built>,
    scope: Sc,
}

impl<S, Sc> Cache<S, Sc> {
    pub(crate) const fn new(inner: S, layer: Arc<Built>, scope: Sc) -> Self {
        Self { inner, layer, scope }
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

impl<S, Sc, ReqB, ResB> Service<Request<ReqB>> for Cache<S, Sc>
where
    Sc: Scope,
    S: Service<Request<ReqB>, Response = Response<ResB>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    ReqB: http_body::Body + Send + 'static,
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
        let layer = &self.layer;
        let asked = if layer.is_on() {
            admit::request(&request, &layer.policy)
        } else {
            Err(BypassReason::Disabled)
        };
        let asked = match asked {
            Ok(asked) => asked,
            Err(reason) => {
                let layer = Arc::clone(layer);
                let mutation = Mutation::of(&request, &layer);
                let response = self.inner.call(request);
                return ResponseFuture::waiting(async move {
                    let result = response.await;
                    if let Some(mutation) = mutation {
                        mutation.happened(&result).await;
                    }
                    layer.bypassed(result, reason)
                });
            }
        };
        let luck = layer.policy.luck();
        if Sc::SHARED
            && let Some(response) = flow::hit_at_once(layer, &request, asked, luck)
        {
            return ResponseFuture::ready(response);
        }
        // The service that was made ready goes with the request; its clone, which was not, stays and will be asked.
        let clone = self.inner.clone();
        let service = std::mem::replace(&mut self.inner, clone);
        let trip = Trip {
            layer: Arc::clone(layer),
            service,
            wishes: asked.wishes(request.headers()),
            request,
            asked,
            identity: None,
            reason: MissReason::Absent,
            before: None,
            search: None,
            luck,
        };
        ResponseFuture::waiting(trip.identify(self.scope.clone()))
    }
}
