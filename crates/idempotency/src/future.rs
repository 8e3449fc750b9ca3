//! The future of a response: ready where a request is refused by its head, and in a box for everything that waits.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;

use crate::body::Body;

/// The response of a service of this crate.
pub struct ResponseFuture<B: http_body::Body, E>(Kind<B, E>);

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

enum Kind<B: http_body::Body, E> {
    /// `None` once it was given out.
    Ready(Option<Response<Body<B>>>),
    Waiting(Boxed<Result<Response<Body<B>>, E>>),
}

impl<B: http_body::Body, E> ResponseFuture<B, E> {
    pub(crate) const fn ready(response: Response<Body<B>>) -> Self {
        Self(Kind::Ready(Some(response)))
    }

    pub(crate) fn waiting(
        response: impl Future<Output = Result<Response<Body<B>>, E>> + Send + 'static,
    ) -> Self {
        Self(Kind::Waiting(Box::pin(response)))
    }
}

/// No part of it is pinned in place.
impl<B: http_body::Body, E> Unpin for ResponseFuture<B, E> {}

impl<B: http_body::Body, E> Future for ResponseFuture<B, E> {
    type Output = Result<Response<Body<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            Kind::Ready(response) => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                None => panic!("a response future was polled after it was ready"),
            },
            Kind::Waiting(response) => response.as_mut().poll(cx),
        }
    }
}

impl<B: http_body::Body, E> fmt::Debug for ResponseFuture<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture(..)")
    }
}
