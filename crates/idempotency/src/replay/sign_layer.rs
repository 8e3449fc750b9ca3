//! The client's side as a layer.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use super::signer::Signer;
use crate::body::{self, Read};
use crate::result::NotKeptReason;

type BoxError = Box<dyn Error + Send + Sync>;

/// Signs each request of a client with a [`Signer`].
///
/// It goes nearest to the client, so that nothing changes the request after it; inside of a retry layer, so that each
/// retry is signed anew.
#[derive(Debug, Clone)]
#[must_use = "a layer does nothing until it is laid around a service"]
pub struct SignLayer {
    signer: Signer,
    max_body: usize,
}

impl SignLayer {
    /// Signs with `signer`.
    pub const fn new(signer: Signer) -> Self {
        Self {
            signer,
            max_body: 1 << 20,
        }
    }

    /// The largest body that is read to be signed, in bytes; the request with a larger one fails. 1 MiB by default.
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }
}

impl<S> Layer<S> for SignLayer {
    type Service = Sign<S>;

    fn layer(&self, inner: S) -> Sign<S> {
        Sign {
            inner,
            layer: self.clone(),
        }
    }
}

/// A client whose requests are signed; made by a [`SignLayer`].
///
/// Its errors are those of the client, a [`SignError`](super::SignError), or those of the request's body; boxed.
#[derive(Debug, Clone)]
pub struct Sign<S> {
    inner: S,
    layer: SignLayer,
}

impl<S, B> Service<Request<B>> for Sign<S>
where
    S: Service<Request<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: http_body::Body + From<Bytes> + Send + 'static,
    B::Error: Send,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = SignFuture<S::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that was made ready goes with the request.
        let clone = self.inner.clone();
        let mut service = std::mem::replace(&mut self.inner, clone);
        let SignLayer { signer, max_body } = self.layer.clone();
        SignFuture(Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let bytes = match body::read(body, max_body).await {
                Read::Whole(bytes) => bytes,
                Read::Not(cut) => return Err(unsigned(cut.reason)),
            };
            signer.sign_headers(&parts.method, &parts.uri, &mut parts.headers, &bytes)?;
            let request = Request::from_parts(parts, bytes.into());
            service.call(request).await.map_err(Into::into)
        }))
    }
}

fn unsigned(reason: NotKeptReason) -> BoxError {
    match reason {
        NotKeptReason::TooLarge => "the body of the request is too large to be signed",
        NotKeptReason::Streaming => "a request with trailers cannot be signed",
        _ => "the body of the request failed before it was signed",
    }
    .into()
}

/// The response to a signed request.
pub struct SignFuture<T>(Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>);

impl<T> Future for SignFuture<T> {
    type Output = Result<T, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<T> fmt::Debug for SignFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignFuture(..)")
    }
}
