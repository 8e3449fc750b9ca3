//! A layer that gives each request a memory of its own.

use std::task::{Context, Poll};

use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use crate::memo::Memo;

/// Gives each request a [`Memo`], among its extensions.
#[derive(Debug, Clone, Copy, Default)]
#[must_use = "a layer does nothing until it is laid around a service"]
pub struct MemoLayer;

impl MemoLayer {
    /// The layer.
    pub const fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for MemoLayer {
    type Service = Remembering<S>;

    fn layer(&self, inner: S) -> Remembering<S> {
        Remembering { inner }
    }
}

/// The service of a [`MemoLayer`].
#[derive(Debug, Clone)]
pub struct Remembering<S> {
    inner: S,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Remembering<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        // A memory that is there is the request's: it came through another such layer.
        request.extensions_mut().get_or_insert_default::<Memo>();
        self.inner.call(request)
    }
}
