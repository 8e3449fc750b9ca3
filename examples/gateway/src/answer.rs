//! Answers of the gateway's own: what happened, and what to do.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::download::OriginBody;
use crate::error::{Kind, OriginError};
use crate::target::Refusal;

pin_project! {
    /// The body of an answer: what the layer gave, or a text of the gateway's own.
    #[project = BodyProjection]
    pub(crate) enum Body {
        Layer { #[pin] body: larder::Body<OriginBody> },
        Own { text: Option<Bytes> },
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = OriginError;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, OriginError>>> {
        match self.project() {
            BodyProjection::Layer { body } => body.poll_frame(cx),
            BodyProjection::Own { text } => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Layer { body } => body.is_end_stream(),
            Self::Own { text } => text.is_none(),
        }
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Layer { body } => body.size_hint(),
            Self::Own { text } => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
        }
    }
}

/// The answer in the place of an origin that failed. It names no address: who asks may not be meant to know it.
pub(crate) fn failed(kind: Kind) -> Response<Body> {
    let (status, text) = match kind {
        Kind::Refused => (
            StatusCode::BAD_GATEWAY,
            "the origin cannot be reached. Its operator should see that it runs and listens.\n",
        ),
        Kind::ConnectTimeout => (
            StatusCode::GATEWAY_TIMEOUT,
            "the origin did not accept a connection in time. Try again later.\n",
        ),
        Kind::ResponseTimeout | Kind::BodyTimeout => (
            StatusCode::GATEWAY_TIMEOUT,
            "the origin did not answer in time. It may have done what was asked for: find out before you repeat it.\n",
        ),
        Kind::Closed => (
            StatusCode::BAD_GATEWAY,
            "the origin ended the connection before it answered. It may have done what was asked for: find out before you repeat it.\n",
        ),
        Kind::Protocol => (
            StatusCode::BAD_GATEWAY,
            "the origin answered with something that is no HTTP/1.1. Its operator should look at its answer.\n",
        ),
        Kind::RequestBody => (
            StatusCode::BAD_REQUEST,
            "the body of the request broke off, or was no HTTP/1.1. Send it again, whole.\n",
        ),
        Kind::RequestBodyTimeout => (
            StatusCode::REQUEST_TIMEOUT,
            "the body of the request did not come in time. Send it again.\n",
        ),
    };
    own(status, text)
}

/// The answer to a request that is not forwarded.
pub(crate) fn refused(refusal: Refusal) -> Response<Body> {
    let bad = StatusCode::BAD_REQUEST;
    let (status, text) = match refusal {
        Refusal::Connect => (
            StatusCode::NOT_IMPLEMENTED,
            "CONNECT is for proxies that make tunnels, and this is none.\n",
        ),
        Refusal::NoHost => (
            bad,
            "the request has no Host. Send one (RFC 9112, section 3.2).\n",
        ),
        Refusal::TwoHosts => (bad, "the request has more than one Host. Send one.\n"),
        Refusal::BadHost => (
            bad,
            "the request's Host, or the host in its target, is no host. Send a name or an address, and perhaps a port.\n",
        ),
        Refusal::Target => (
            bad,
            "the request's target is neither a path, nor a URI with a scheme, nor `*`.\n",
        ),
        Refusal::Coding => (
            StatusCode::NOT_IMPLEMENTED,
            "the only transfer coding understood here is chunked, alone and once.\n",
        ),
    };
    let mut response = own(status, text);
    // What follows on the connection may be no request.
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

fn own(status: StatusCode, text: &'static str) -> Response<Body> {
    let text = Some(Bytes::from_static(text.as_bytes()));
    let mut response = Response::new(Body::Own { text });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
