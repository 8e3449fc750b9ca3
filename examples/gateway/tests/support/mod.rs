//! What the tests share: a gateway on a port of its own, and raw connections, to it and from it, that a test scripts.
#![allow(dead_code, unreachable_pub, reason = "each suite uses a part of it")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends with the first surprise"
)]

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use gateway::{Config, Gateway, Timeouts};
use larder::{FakeClock, Larder, MemoryStore, Profile};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long a test waits for what must come: long enough for a busy machine, and the end of a test that hangs.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// How long a test waits for what must not come.
pub const A_WHILE: Duration = Duration::from_millis(150);

/// A limit that ends at once, as tests go.
pub const SHORT: Duration = Duration::from_millis(200);

pub async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future)
        .await
        .expect("nothing happened until the deadline")
}

/// One end of a connection, read and written by hand.
pub struct Peer {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Peer {
    const fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            read: Vec::new(),
        }
    }

    pub async fn connect(addr: SocketAddr) -> Self {
        Self::new(soon(TcpStream::connect(addr)).await.unwrap())
    }

    /// Writes, unless the other side has closed.
    pub async fn say(&mut self, text: impl AsRef<[u8]>) {
        let _ = soon(self.stream.write_all(text.as_ref())).await;
    }

    /// Writes until the other side has closed.
    pub async fn pour(&mut self) {
        while soon(self.stream.write_all(&[b'x'; 1 << 16])).await.is_ok() {}
    }

    /// Reads more; whether there was more.
    async fn more(&mut self) -> bool {
        soon(self.stream.read_buf(&mut self.read))
            .await
            .is_ok_and(|read| read > 0)
    }

    /// The head of the next message, without the empty line.
    pub async fn head(&mut self) -> String {
        loop {
            let end = self.read.windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(end) = end {
                let head = self.read.drain(..end + 4).take(end).collect();
                return String::from_utf8(head).unwrap();
            }
            assert!(
                self.more().await,
                "the connection ended within a head: {:?}",
                self.shown()
            );
        }
    }

    /// The next `length` bytes.
    pub async fn exactly(&mut self, length: usize) -> String {
        while self.read.len() < length {
            assert!(
                self.more().await,
                "the connection ended too early: {:?}",
                self.shown()
            );
        }
        String::from_utf8(self.read.drain(..length).collect()).unwrap()
    }

    /// All until the connection ends, in whatever way.
    pub async fn rest(&mut self) -> String {
        while self.more().await {}
        String::from_utf8(std::mem::take(&mut self.read)).unwrap()
    }

    /// The head and the body, which has a `Content-Length`.
    pub async fn message(&mut self) -> (String, String) {
        let head = self.head().await;
        let length = field(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        let body = self.exactly(length).await;
        (head, body)
    }

    /// Whether nothing comes for a while, and the connection stays open.
    pub async fn is_silent(&mut self) -> bool {
        self.read.is_empty()
            && tokio::time::timeout(A_WHILE, self.stream.read_buf(&mut self.read))
                .await
                .is_err()
    }

    /// Whether it is not known to be closed.
    pub fn is_open(&self) -> bool {
        let read = self.stream.try_read(&mut [0]);
        read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.read).into_owned()
    }
}

/// The value of the first field of this name.
pub fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines
        .filter(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .next()
}

/// The status of a response.
pub fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

/// A gateway, and the listener that is its origin.
pub struct Scene {
    pub addr: SocketAddr,
    pub clock: FakeClock,
    origin: TcpListener,
    stop: Option<oneshot::Sender<()>>,
    gateway: JoinHandle<std::io::Result<()>>,
}

impl Scene {
    /// In the profile `rfc`.
    pub async fn new() -> Self {
        Self::with(Profile::Rfc, Timeouts::default()).await
    }

    pub async fn with(profile: Profile, timeouts: Timeouts) -> Self {
        Self::of(|config| config.profile(profile).timeouts(timeouts)).await
    }

    pub async fn of(told: impl FnOnce(Config) -> Config) -> Self {
        let origin = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let uri = format!("http://{}", origin.local_addr().unwrap())
            .parse()
            .unwrap();
        let config = told(Config::new(uri).unwrap());
        let clock = FakeClock::new();
        let larder = Larder::builder(MemoryStore::with_capacity(8 << 20))
            .clock(clock.clock())
            .build();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let gateway = tokio::spawn(Gateway::new(config, larder).serve(listener, async {
            let _ = stopped.await;
        }));
        Self {
            addr,
            clock,
            origin,
            stop: Some(stop),
            gateway,
        }
    }

    pub async fn client(&self) -> Peer {
        Peer::connect(self.addr).await
    }

    /// The next connection of the gateway.
    pub async fn origin(&self) -> Peer {
        Peer::new(soon(self.origin.accept()).await.unwrap().0)
    }

    /// Whether the gateway makes no connection for a while.
    pub async fn is_left_alone(&self) -> bool {
        tokio::time::timeout(A_WHILE, self.origin.accept()).await.is_err()
    }

    /// Nobody listens from now on.
    pub async fn without_origin(self) -> (SocketAddr, JoinHandle<std::io::Result<()>>) {
        drop(self.origin);
        // Kept from telling the gateway to stop.
        std::mem::forget(self.stop);
        (self.addr, self.gateway)
    }

    pub fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits until the gateway has stopped.
    pub async fn stopped(self) {
        soon(self.gateway).await.unwrap().unwrap();
    }

    /// One request, and what the origin got, answered with `response`; then what the client got.
    pub async fn exchange(&self, request: &str, response: &str) -> (String, (String, String)) {
        let mut client = self.client().await;
        client.say(request).await;
        let mut origin = self.origin().await;
        let asked = origin.head().await;
        origin.say(response).await;
        (asked, client.message().await)
    }
}

/// A response with no body that closes its connection.
pub const NOTHING: &str =
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\nCache-Control: no-store\r\n\r\n";

/// A request for `target`, with more lines.
pub fn get(target: &str, lines: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: shop.example\r\n{lines}\r\n")
}
