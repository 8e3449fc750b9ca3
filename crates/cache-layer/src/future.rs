//! The future of a response: ready on a hit, the handler's own on a bypass, the flow's else.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::Response;
use pin_project_lite::pin_project;

use crate::body::Body;
use crate::built::Built;
use crate::status::BypassReason;

pin_project! {
    /// The response of a [`Cache`](crate::Cache).
    pub struct ResponseFuture<F, B, E>
    where
        B: http_body::Body,
    {
        #[pin]
        kind: Kind<F, B, E>,
    }
}

type Flow<B, E> = Pin<Box<dyn Future<Output = Result<Response<Body<B>>, E>> + Send>>;

pin_project! {
    #[project = KindProjection]
    enum Kind<F, B, E>
    where
        B: http_body::Body,
    {
        Ready { response: Option<Response<Body<B>>> },
        Bypass { #[pin] handler: F, layer: Arc<Built>, reason: BypassReason },
        Flow { flow: Flow<B, E> },
    }
}

impl<F, B: http_body::Body, E> ResponseFuture<F, B, E> {
    #[inline]
    pub(crate) const fn ready(response: Response<Body<B>>) -> Self {
        Self {
            kind: Kind::Ready {
                response: Some(response),
            },
        }
    }

    pub(crate) const fn bypass(handler: F, layer: Arc<Built>, reason: BypassReason) -> Self {
        Self {
            kind: Kind::Bypass {
                handler,
                layer,
                reason,
            },
        }
    }

    pub(crate) fn flow(flow: impl Future<Output = Result<Response<Body<B>>, E>> + Send + 'static) -> Self {
        Self {
            kind: Kind::Flow { flow: Box::pin(flow) },
        }
    }
}

impl<F, B, E> Future for ResponseFuture<F, B, E>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: http_body::Body,
{
    type Output = Result<Response<Body<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Ready { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                None => panic!("a response future was polled after it was ready"),
            },
            KindProjection::Bypass {
                handler,
                layer,
                reason,
            } => {
                let result = ready!(handler.poll(cx));
                layer.count_bypass(*reason);
                Poll::Ready(result.map(|response| layer.bypassed(response, *reason)))
            }
            KindProjection::Flow { flow } => flow.as_mut().poll(cx),
        }
    }
}

impl<F, B: http_body::Body, E> fmt::Debug for ResponseFuture<F, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture(..)")
    }
}
