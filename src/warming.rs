//! Filling the cache before the first client comes.

use std::error::Error as StdError;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use http::{Request, Response, Uri};
use http_body::Body;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower_service::Service;

/// Sends requests through a router, a few at a time, so that its cache is full before clients come.
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use http::Request;
/// use larder::{Larder, Warming};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let larder = Larder::in_memory(1 << 20);
/// let app: Router = Router::new().route("/products/{id}", get(|| async { "jam" }).layer(larder.public_cache("products")));
/// let requests = (1..=100).map(|id| Request::get(format!("/products/{id}")).body(Body::empty()).unwrap());
/// let warmed = Warming::new(app.clone(), requests).concurrency(8).run().await;
/// assert_eq!((warmed.done, warmed.kept, warmed.failed), (100, 100, 0));
/// // Now listen.
/// # }
/// ```
///
/// The requests go the way of all others: what may not be kept is not kept, and what is there already is not made again. They
/// need a `Host` where the cached routes are to be told apart by it. Dropping the future ends all that is under way.
#[must_use = "nothing is warmed until it runs"]
pub struct Warming<S, I> {
    service: S,
    requests: I,
    concurrency: usize,
    time_limit: Duration,
    progress: Option<Show>,
}

/// What is called after each request.
type Show = Box<dyn FnMut(&Warmed) + Send>;

/// How far a [`Warming`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Warmed {
    /// The requests that have ended.
    pub done: usize,
    /// Those whose answer says, in `Cache-Status`, that it was kept or came from the cache. The answer to a body of unknown
    /// length leaves before anybody knows.
    pub kept: usize,
    /// Those that were answered with an error (4xx, 5xx), or not at all in their time.
    pub failed: usize,
}

impl<S, I> Warming<S, I> {
    /// Sends `requests` through `service`, one after the other until it is told more.
    pub fn new(service: S, requests: I) -> Self {
        Self {
            service,
            requests,
            concurrency: 1,
            time_limit: Duration::from_secs(30),
            progress: None,
        }
    }

    /// How many requests are under way at a time; 1 by default, and at least 1. What the handlers ask bears that many.
    pub const fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = if requests == 0 { 1 } else { requests };
        self
    }

    /// How long one request may take, its body included; 30 s by default.
    pub const fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Calls `show` after each request.
    pub fn progress(mut self, show: impl FnMut(&Warmed) + Send + 'static) -> Self {
        self.progress = Some(Box::new(show));
        self
    }

    /// Sends all of them, and tells what came of it. No failure ends it.
    pub async fn run<ReqB, ResB>(self) -> Warmed
    where
        S: Service<Request<ReqB>, Response = Response<ResB>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<Box<dyn StdError + Send + Sync>> + Send,
        I: IntoIterator<Item = Request<ReqB>>,
        ReqB: Send + 'static,
        ResB: Body + Send + 'static,
        ResB::Data: Send,
        ResB::Error: Into<Box<dyn StdError + Send + Sync>> + Send,
    {
        let (mut requests, mut show) = (self.requests.into_iter(), self.progress);
        let mut warmed = Warmed::default();
        let mut running = JoinSet::new();
        loop {
            while running.len() < self.concurrency
                && let Some(request) = requests.next()
            {
                running.spawn(ended(self.service.clone(), request, self.time_limit));
            }
            let Some(ended) = running.join_next().await else {
                return warmed;
            };
            warmed.done += 1;
            match ended {
                Ok(Some(kept)) => warmed.kept += usize::from(kept),
                // A handler that panicked has said so itself.
                Ok(None) | Err(_) => warmed.failed += 1,
            }
            if let Some(show) = &mut show {
                show(&warmed);
            }
        }
    }
}

/// Sends one request; whether its answer was kept, if it is a good one.
async fn ended<S, ReqB, ResB>(service: S, request: Request<ReqB>, limit: Duration) -> Option<bool>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
    S::Error: Into<Box<dyn StdError + Send + Sync>>,
    ResB: Body,
    ResB::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let uri = request.uri().clone();
    match timeout(limit, answered(service, request)).await {
        Ok(Ok(response)) if is_error(&response) => {
            let status = response.status().as_u16();
            tracing::warn!(
                url.path = uri.path(),
                http.response.status_code = status,
                "a page was not warmed"
            );
            None
        }
        Ok(Ok(response)) => Some(is_kept(&response)),
        Ok(Err(error)) => failed(&uri, &*error),
        Err(late) => failed(&uri, &late),
    }
}

fn failed(uri: &Uri, error: &(dyn StdError + 'static)) -> Option<bool> {
    tracing::warn!(url.path = uri.path(), error, "a page was not warmed");
    None
}

/// The answer, read to its end.
async fn answered<S, ReqB, ResB>(
    mut service: S,
    request: Request<ReqB>,
) -> Result<Response<()>, Box<dyn StdError + Send + Sync>>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
    S::Error: Into<Box<dyn StdError + Send + Sync>>,
    ResB: Body,
    ResB::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
    let (head, body) = service.call(request).await.map_err(Into::into)?.into_parts();
    let mut body = pin!(body);
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        frame.map_err(Into::into)?;
    }
    Ok(Response::from_parts(head, ()))
}

fn is_error<B>(response: &Response<B>) -> bool {
    response.status().is_client_error() || response.status().is_server_error()
}

/// Whether `Cache-Status` says so of the cache nearest to the client (RFC 9211 §2).
fn is_kept<B>(response: &Response<B>) -> bool {
    let Some(status) = response.headers().get_all("cache-status").iter().next_back() else {
        return false;
    };
    let nearest = status.to_str().unwrap_or_default();
    let nearest = nearest.rsplit(',').next().unwrap_or_default();
    nearest
        .split(';')
        .any(|part| matches!(part.trim(), "hit" | "stored"))
}

impl<S, I> fmt::Debug for Warming<S, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Warming")
            .field("concurrency", &self.concurrency)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}
