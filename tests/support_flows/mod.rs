//! What the suites about flows share: services around handlers, bodies made by hand, and futures polled by hand.
#![allow(dead_code, reason = "each suite uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]
#![allow(clippy::needless_pass_by_value, reason = "reads better where it is called")]

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use larder::{CacheLayer, Clock, FakeClock, Larder, Limits, MemoryStore, Scope, Store};
use tokio::sync::{Notify, mpsc};
use tower::util::{BoxCloneService, ServiceExt};
use tower_layer::Layer;

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;
/// A service with a cache layer around it.
pub(crate) type App = BoxCloneService<Request<Body>, Answered, BoxError>;
pub(crate) type Answered = Response<larder::Body<Body>>;

/// How long a test waits for what must happen, in real time.
const PATIENCE: Duration = Duration::from_secs(10);

/// A cache on a fake clock, which stands still.
pub(crate) fn fake() -> (Larder, FakeClock) {
    with_store(MemoryStore::with_capacity(64 << 20), |_| {})
}

/// A cache in `store` on a fake clock.
pub(crate) fn with_store(store: impl Store, limit: impl FnOnce(&mut Limits)) -> (Larder, FakeClock) {
    let clock = FakeClock::new();
    (on_clock(store, clock.clock(), limit), clock)
}

fn on_clock(store: impl Store, clock: Clock, limit: impl FnOnce(&mut Limits)) -> Larder {
    let mut limits = Limits::default();
    limit(&mut limits);
    Larder::builder(store).clock(clock).limits(limits).build()
}

/// `handler` with `layer` around it.
pub(crate) fn app<Sc, F, Fut>(layer: &CacheLayer<Sc>, handler: F) -> App
where
    Sc: Scope,
    F: Fn(Request<Body>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Response<Body>> + Send + 'static,
{
    let service = tower::service_fn(move |request| {
        let response = handler(request);
        async move { Ok::<_, Infallible>(response.await) }
    });
    BoxCloneService::new(layer.layer(service).map_err(|never| match never {}))
}

/// `handler`, which may fail, with `layer` around it.
pub(crate) fn fallible<Sc, F, Fut>(layer: &CacheLayer<Sc>, handler: F) -> App
where
    Sc: Scope,
    F: Fn(Request<Body>) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<Response<Body>, BoxError>> + Send + 'static,
{
    BoxCloneService::new(layer.layer(tower::service_fn(handler)))
}

/// The answer of `app`; fails the test if the service failed.
pub(crate) async fn ask(app: &App, request: Request<Body>) -> Answered {
    app.clone().oneshot(request).await.unwrap()
}

/// The same in a task of its own.
pub(crate) fn spawn(
    app: &App,
    request: Request<Body>,
) -> tokio::task::JoinHandle<Result<Answered, BoxError>> {
    tokio::spawn(app.clone().oneshot(request))
}

/// The outcome in `X-Cache` and the body of a GET of `uri`.
pub(crate) async fn see(app: &App, uri: &str) -> (String, String) {
    seen(ask(app, get(uri)).await).await
}

/// The outcome in `X-Cache` and the body.
pub(crate) async fn seen(answer: Answered) -> (String, String) {
    (x_cache(&answer).to_owned(), text(answer).await)
}

/// The pair that [`see`] answers.
pub(crate) fn pair(x_cache: &str, body: impl ToString) -> (String, String) {
    (x_cache.to_owned(), body.to_string())
}

pub(crate) fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::empty()).unwrap()
}

pub(crate) fn get_with(uri: &str, name: &str, value: &str) -> Request<Body> {
    Request::get(uri).header(name, value).body(Body::empty()).unwrap()
}

pub(crate) fn response(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}

pub(crate) fn ok(body: impl ToString) -> Response<Body> {
    response(200, &[], body.to_string())
}

/// The value of a header; empty when it is not there.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

pub(crate) fn x_cache<B>(answer: &Response<B>) -> &str {
    header(answer.headers(), "x-cache")
}

pub(crate) fn cache_status<B>(answer: &Response<B>) -> &str {
    header(answer.headers(), "cache-status")
}

pub(crate) async fn text(answer: Answered) -> String {
    String::from_utf8(bytes(answer).await.to_vec()).unwrap()
}

pub(crate) async fn bytes(answer: Answered) -> Bytes {
    in_time(answer.into_body().collect()).await.unwrap().to_bytes()
}

/// Counts what happens, and lets a test wait until it happened so often.
#[derive(Debug, Clone, Default)]
pub(crate) struct Count(Arc<(AtomicUsize, Notify)>);

impl Count {
    /// Counts once more; answers the number of this time, from 1.
    pub(crate) fn add(&self) -> usize {
        let number = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.notify_waiters();
        number
    }

    pub(crate) fn get(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    /// Waits until it happened `times` times, but not for ever.
    pub(crate) async fn reach(&self, times: usize) {
        in_time(async {
            loop {
                let news = self.0.1.notified();
                if self.get() >= times {
                    return;
                }
                news.await;
            }
        })
        .await;
    }
}

/// Keeps handlers waiting until it is opened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<(AtomicBool, Notify)>);

impl Gate {
    pub(crate) fn open(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        self.0.1.notify_waiters();
    }

    pub(crate) fn close(&self) {
        self.0.0.store(false, Ordering::SeqCst);
    }

    pub(crate) async fn pass(&self) {
        loop {
            let news = self.0.1.notified();
            if self.0.0.load(Ordering::SeqCst) {
                return;
            }
            news.await;
        }
    }
}

/// Lets all other tasks of a current-thread runtime go on until they wait for something.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Waits for `what` in real time, but not for ever.
pub(crate) async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("it came in time")
}

/// A future that is polled by hand.
pub(crate) struct ByHand<T>(Pin<Box<dyn Future<Output = T>>>);

impl<T> ByHand<T> {
    pub(crate) fn new(future: impl Future<Output = T> + 'static) -> Self {
        Self(Box::pin(future))
    }

    pub(crate) fn poll(&mut self) -> Poll<T> {
        self.0.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Polls up to `times` times.
    pub(crate) fn poll_up_to(&mut self, times: usize) -> Option<T> {
        (0..times).find_map(|_| match self.poll() {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    }
}

/// A body whose frames a test sends one by one; of unknown length.
pub(crate) struct Frames(mpsc::UnboundedReceiver<Result<Frame<Bytes>, BoxError>>);

pub(crate) type Sender = mpsc::UnboundedSender<Result<Frame<Bytes>, BoxError>>;

/// A body of unknown length, and what sends its frames; the body ends when the sender is dropped.
pub(crate) fn frames() -> (Sender, Body) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, Body::new(Frames(receiver)))
}

/// A body of unknown length with these chunks.
pub(crate) fn chunks<C: Into<Bytes>>(all: impl IntoIterator<Item = C>) -> Body {
    let (sender, body) = frames();
    for chunk in all {
        sender.send(Ok(Frame::data(chunk.into()))).unwrap();
    }
    body
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(cx)
    }
}
