//! What the integration tests share: requests and answers, handlers that count and wait, and a raw HTTP/1.1 client.
#![allow(dead_code, unreachable_pub, reason = "each suite uses a part of it")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends with the first surprise"
)]

use std::fmt::Debug;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use larder::{FakeClock, Larder, MemoryStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tower::{Service, ServiceExt};

/// How long a test waits for what must come: long enough for a busy machine, and the end of a test that hangs.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A cache of its own, and the clock that it goes by, which stands until the test moves it.
pub fn cache(bytes: u64) -> (Larder, FakeClock) {
    let clock = FakeClock::new();
    let store = MemoryStore::with_capacity(bytes);
    (Larder::builder(store).clock(clock.clock()).build(), clock)
}

/// A response, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The first line of this name; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("a readable header"))
    }

    pub fn x_cache(&self) -> &str {
        self.header("x-cache")
    }

    pub fn cache_status(&self) -> &str {
        self.header("cache-status")
    }

    /// The word behind `detail=` in `Cache-Status`; empty when there is none.
    pub fn detail(&self) -> &str {
        self.cache_status()
            .split_once("detail=")
            .map_or("", |(_, word)| word.split(';').next().unwrap_or_default().trim())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a text body")
    }

    /// `X-Cache` and the detail: `BYPASS cookie`.
    pub fn became(&self) -> String {
        format!("{} {}", self.x_cache(), self.detail())
            .trim_end()
            .to_owned()
    }
}

/// A GET with these header lines.
pub fn get_with(uri: &str, lines: &[(&str, &str)]) -> Request<Body> {
    request("GET", uri, lines)
}

pub fn request(method: &str, uri: &str, lines: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).expect("a valid request")
}

/// Sends one request to a clone of the service, and reads the response to its end.
pub async fn send<S, B>(service: &S, request: Request<Body>) -> Answer
where
    S: Service<Request<Body>, Response = Response<B>> + Clone,
    S::Error: Debug,
    B: http_body::Body,
    B::Error: Debug,
{
    let response = soon(service.clone().oneshot(request)).await.expect("an answer");
    read(response).await
}

pub async fn get<S, B>(service: &S, uri: &str) -> Answer
where
    S: Service<Request<Body>, Response = Response<B>> + Clone,
    S::Error: Debug,
    B: http_body::Body,
    B::Error: Debug,
{
    send(service, get_with(uri, &[])).await
}

/// Reads a response to its end.
pub async fn read<B>(response: Response<B>) -> Answer
where
    B: http_body::Body,
    B::Error: Debug,
{
    let (parts, body) = response.into_parts();
    let body = soon(body.collect()).await.expect("a whole body").to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

/// Waits for what must come soon.
///
/// # Panics
/// When it does not come.
pub async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work)
        .await
        .expect("it takes far too long: something hangs")
}

/// Waits until `done` says yes.
///
/// # Panics
/// When it never does.
pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < DEADLINE, "waited in vain: {what}");
        tokio::task::yield_now().await;
    }
}

/// Polls once, and says whether it is still pending.
pub fn is_pending<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> bool {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_pending()
}

/// Counts the runs of a handler.
#[derive(Debug, Clone, Default)]
pub struct Calls(Arc<AtomicUsize>);

impl Calls {
    /// Counts one, and says how many that makes.
    pub fn next(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Where handlers wait until the test lets them on.
#[derive(Debug, Clone)]
pub struct Gate {
    arrived: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    pub fn new() -> Self {
        Self {
            arrived: Arc::new(Semaphore::new(0)),
            open: Arc::new(Semaphore::new(0)),
        }
    }

    /// In the handler: says that it is here, and waits.
    pub async fn pass(&self) {
        self.arrived.add_permits(1);
        self.open.acquire().await.expect("an open semaphore").forget();
    }

    /// In the test: waits for one more handler to be here.
    pub async fn reached(&self) {
        soon(self.arrived.acquire())
            .await
            .expect("an open semaphore")
            .forget();
    }

    /// In the test: whether a handler came of which the test does not know yet.
    pub fn is_reached(&self) -> bool {
        self.arrived.available_permits() > 0
    }

    /// In the test: lets so many handlers on.
    pub fn open(&self, handlers: usize) {
        self.open.add_permits(handlers);
    }
}

/// A body whose frames a test sends, of a length that nobody knows before its end. It is not `Sync`.
pub struct SentBody {
    frames: mpsc::UnboundedReceiver<Result<Frame<Bytes>, std::io::Error>>,
    _not_sync: std::marker::PhantomData<std::cell::Cell<()>>,
}

/// Sends the frames of a [`SentBody`]; dropped, the body ends.
#[derive(Debug)]
pub struct Frames(mpsc::UnboundedSender<Result<Frame<Bytes>, std::io::Error>>);

impl Frames {
    pub fn send(&self, data: &'static str) {
        // Nobody reads it any more: the client has gone.
        let _ = self.0.send(Ok(Frame::data(Bytes::from_static(data.as_bytes()))));
    }

    pub fn trailers(&self, trailers: HeaderMap) {
        let _ = self.0.send(Ok(Frame::trailers(trailers)));
    }

    pub fn fail(&self) {
        let _ = self.0.send(Err(std::io::Error::other("the source broke")));
    }
}

pub fn sent_body() -> (Frames, SentBody) {
    let (sender, frames) = mpsc::unbounded_channel();
    let body = SentBody {
        frames,
        _not_sync: std::marker::PhantomData,
    };
    (Frames(sender), body)
}

impl http_body::Body for SentBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.frames.poll_recv(cx)
    }
}

/// The data of the next frame of a body.
pub async fn next_data<B>(body: &mut B) -> Option<Bytes>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Debug,
{
    let frame = soon(body.frame()).await?.expect("a frame");
    Some(frame.into_data().expect("data"))
}

/// Serves `router` on a port of its own until the runtime ends.
pub async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A raw HTTP/1.1 connection: what is sent is what the test wrote. Dropped, it is closed.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        Self {
            stream: soon(TcpStream::connect(address)).await.expect("a connection"),
            read: Vec::new(),
        }
    }

    pub async fn write(&mut self, text: &str) {
        soon(self.stream.write_all(text.as_bytes()))
            .await
            .expect("a write");
    }

    /// Sends a GET with these header lines, and `Host: test`.
    pub async fn get(&mut self, target: &str, lines: &str) -> Answer {
        self.write(&format!("GET {target} HTTP/1.1\r\nHost: test\r\n{lines}\r\n"))
            .await;
        self.answer(false).await
    }

    /// Reads one response; that to a HEAD has no body.
    pub async fn answer(&mut self, to_head: bool) -> Answer {
        let mut answer = self.head().await;
        if to_head || answer.status == StatusCode::NOT_MODIFIED {
            return answer;
        }
        if answer.header("transfer-encoding") == "chunked" {
            let mut body = Vec::new();
            while let Some(chunk) = self.chunk().await {
                body.extend_from_slice(&chunk);
            }
            answer.body = body.into();
        } else {
            let length: usize = answer.header("content-length").parse().expect("a length");
            while self.read.len() < length {
                self.more().await;
            }
            answer.body = self.read.drain(..length).collect();
        }
        answer
    }

    /// Reads the head of a response.
    pub async fn head(&mut self) -> Answer {
        let head = self.take_until("\r\n\r\n").await;
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .expect("a status");
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(':').expect("a header line");
            headers.append(
                http::HeaderName::try_from(name).expect("a name"),
                value.trim().parse().expect("a value"),
            );
        }
        Answer {
            status: status.parse().expect("a status"),
            headers,
            body: Bytes::new(),
        }
    }

    /// Reads one chunk of a chunked body; none at its end.
    pub async fn chunk(&mut self) -> Option<Bytes> {
        let size = self.take_until("\r\n").await;
        let size = usize::from_str_radix(&size, 16).expect("the size of a chunk");
        while self.read.len() < size + 2 {
            self.more().await;
        }
        let chunk: Bytes = self.read.drain(..size).collect();
        self.read.drain(..2);
        (size > 0).then_some(chunk)
    }

    /// Waits until the other side has closed the connection.
    pub async fn closed(&mut self) {
        let mut rest = Vec::new();
        // A reset is an end too.
        let _ = soon(self.stream.read_to_end(&mut rest)).await;
    }

    async fn take_until(&mut self, end: &str) -> String {
        let end = end.as_bytes();
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end) {
                let text = self.read.drain(..at + end.len()).take(at).collect();
                return String::from_utf8(text).expect("text");
            }
            self.more().await;
        }
    }

    async fn more(&mut self) {
        let read = soon(self.stream.read_buf(&mut self.read)).await.expect("a read");
        assert!(read > 0, "the server closed the connection early");
    }
}
