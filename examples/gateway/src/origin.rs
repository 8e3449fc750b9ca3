//! The service inside the cache layer: sends a request to the origin, once.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use tokio::time::{Instant, timeout_at};
use tower_service::Service;

use crate::config::Timeouts;
use crate::download::OriginBody;
use crate::error::{Kind, OriginError};
use crate::forward;
use crate::pool::{Lease, Pool};
use crate::upload::{Moved, Progress, RequestBody, Upload};

/// The origin. It is always ready, and fails with the reason, so that the layer can answer with what is stale.
#[derive(Debug, Clone)]
pub(crate) struct Origin(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pool: Arc<Pool>,
    timeouts: Timeouts,
}

impl Origin {
    /// The origin at `host` and `port`.
    pub(crate) fn new(host: &str, port: u16, timeouts: Timeouts) -> Self {
        Self(Arc::new(Shared {
            pool: Pool::new(host, port, timeouts.connect),
            timeouts,
        }))
    }
}

impl Service<Request<RequestBody>> for Origin {
    type Response = Response<OriginBody>;
    type Error = OriginError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<OriginBody>, OriginError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OriginError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move { shared.exchange(request).await })
    }
}

impl Shared {
    async fn exchange(&self, request: Request<RequestBody>) -> Result<Response<OriginBody>, OriginError> {
        let mut request = self.outgoing(request);
        loop {
            let mut lease = self.pool.lease().await?;
            match self.head(&mut lease, request).await {
                Ok(response) => return self.incoming(response, lease),
                // hyper gives back what it did not begin to write, so that it cannot have reached the origin: the idle
                // connection was closed meanwhile. Each turn uses up one of those; a new one is the last.
                Err(Failed::Unsent(unsent)) if lease.reused => request = *unsent,
                Err(Failed::Unsent(_)) => return Err(OriginError::new(Kind::Closed)),
                Err(Failed::Sent(error)) => return Err(error),
            }
        }
    }

    /// The request as the origin gets it.
    fn outgoing(&self, request: Request<RequestBody>) -> Request<Upload> {
        let (mut parts, body) = request.into_parts();
        forward::add_via(&mut parts.headers, parts.version);
        parts.version = Version::HTTP_11;
        // The framing of a body is told anew. On a GET hyper leaves a body out that no header announces.
        parts.headers.remove(TRANSFER_ENCODING);
        if !body.is_end_stream() && !parts.headers.contains_key(CONTENT_LENGTH) {
            let chunked = HeaderValue::from_static("chunked");
            parts.headers.insert(TRANSFER_ENCODING, chunked);
        }
        let upload = Upload::new(body, self.timeouts.body_idle);
        Request::from_parts(parts, upload)
    }

    /// The head of the response. It may take `response_head` from when all of the request was sent.
    async fn head(&self, lease: &mut Lease, request: Request<Upload>) -> Result<Response<Incoming>, Failed> {
        let began = Instant::now();
        let progress = request.body().progress();
        let mut response = pin!(lease.sender().try_send_request(request));
        loop {
            let deadline = self.deadline(began, progress.as_ref());
            if let Ok(result) = timeout_at(deadline, &mut response).await {
                return result.map_err(Failed::from);
            }
            if self.deadline(began, progress.as_ref()) <= deadline {
                // Dropping what waits for it closes the connection.
                return Err(Failed::Sent(OriginError::new(Kind::ResponseTimeout)));
            }
        }
    }

    /// Until when to wait for the head, as it looks now.
    fn deadline(&self, began: Instant, progress: Option<&Progress>) -> Instant {
        let Timeouts {
            response_head,
            body_idle,
            ..
        } = self.timeouts;
        match progress.map(Progress::last) {
            None => began + response_head,
            Some(Moved { at, ended: true }) => at + response_head,
            // The client has its own limit, which ends before this one; but an origin that does not read keeps the body from
            // being asked for at all.
            Some(Moved { at, ended: false }) => at + response_head + body_idle,
        }
    }

    /// The response as the layer gets it.
    fn incoming(
        &self,
        response: Response<Incoming>,
        lease: Lease,
    ) -> Result<Response<OriginBody>, OriginError> {
        let (mut parts, body) = response.into_parts();
        if parts.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(OriginError::new(Kind::Protocol).with("it switched protocols unasked"));
        }
        if !forward::is_readable(&parts.headers) {
            return Err(OriginError::new(Kind::Protocol).with("a transfer coding that was not asked for"));
        }
        forward::strip_response(&mut parts.headers);
        forward::add_via(&mut parts.headers, parts.version);
        parts.version = Version::HTTP_11;
        let body = OriginBody::new(body, self.timeouts.body_idle, lease);
        Ok(Response::from_parts(parts, body))
    }
}

/// How sending failed.
enum Failed {
    /// Not a byte was written.
    Unsent(Box<Request<Upload>>),
    /// Some may have been.
    Sent(OriginError),
}

impl From<TrySendError<Request<Upload>>> for Failed {
    fn from(mut error: TrySendError<Request<Upload>>) -> Self {
        match error.take_message() {
            Some(request) => Self::Unsent(Box::new(request)),
            None => Self::Sent(error.into_error().into()),
        }
    }
}
