//! The replay-protection service: looks at the head, reads the body, and lets pass what is in order.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use super::verify::{Refusal, Verifier};
use crate::body::{self, Body, Read};
use crate::future::ResponseFuture;
use crate::metrics;
use crate::problem::Problem;
use crate::result::NotKeptReason;

/// A service that gets signed requests alone, each once; made by a
/// [`ReplayProtectionLayer`](super::ReplayProtectionLayer).
///
/// The inner service gets requests of the type that came, made anew from the bytes of the body. Errors are its own.
#[derive(Debug, Clone)]
pub struct ReplayProtection<S> {
    inner: S,
    verifier: Arc<Verifier>,
}

/// The request was signed with a known key: in the extensions of the request that a handler gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    key_id: Arc<str>,
}

impl Verified {
    /// The id of the key.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }
}

impl<S> ReplayProtection<S> {
    pub(super) const fn new(inner: S, verifier: Arc<Verifier>) -> Self {
        Self { inner, verifier }
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

impl<S, ReqB, ResB> Service<Request<ReqB>> for ReplayProtection<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    ReqB: http_body::Body + From<Bytes> + Send + 'static,
    ReqB::Error: Send,
    ResB: http_body::Body + Send + 'static,
{
    type Response = Response<Body<ResB>>;
    type Error = S::Error;
    type Future = ResponseFuture<ResB, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > self.verifier.max_body {
            return ResponseFuture::ready(refused(Problem::BodyTooLarge.into()));
        }
        let head = match self.verifier.head(&parts) {
            Ok(head) => head,
            Err(refusal) => return ResponseFuture::ready(refused(refusal)),
        };
        // The service that was made ready goes with the request; its clone, which was not, stays and will be asked.
        let clone = self.inner.clone();
        let mut service = std::mem::replace(&mut self.inner, clone);
        let verifier = Arc::clone(&self.verifier);
        ResponseFuture::waiting(async move {
            let bytes = match body::read(body, verifier.max_body).await {
                Read::Whole(bytes) => bytes,
                Read::Not(cut) => return Ok(refused(unread(cut.reason).into())),
            };
            if let Err(refusal) = verifier.whole(&head, &parts, &bytes).await {
                return Ok(refused(refusal));
            }
            metrics::signed_request("accepted");
            let key_id = head.key_id().into();
            parts.extensions.insert(Verified { key_id });
            let response = service.call(Request::from_parts(parts, bytes.into())).await?;
            Ok(response.map(Body::passed))
        })
    }
}

fn unread(reason: NotKeptReason) -> Problem {
    match reason {
        NotKeptReason::TooLarge => Problem::BodyTooLarge,
        _ => Problem::BodyUnreadable,
    }
}

fn refused<B: http_body::Body>(refusal: Refusal) -> Response<Body<B>> {
    metrics::signed_request(refusal.word);
    tracing::debug!(reason = refusal.word, "a signed request is refused");
    refusal.problem.response()
}
