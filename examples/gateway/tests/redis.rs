//! Two gateways that share a Redis server: what one keeps the other answers with, and what one forgets both have forgotten.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends with the first surprise"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use larder_testkit::RedisServer;

const DEADLINE: Duration = Duration::from_secs(20);

/// Answers each request with how many there were.
struct Origin {
    address: SocketAddr,
    requests: Arc<AtomicU64>,
}

impl Origin {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while lines
                    .next()
                    .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
                {}
                let body = (count.fetch_add(1, Ordering::SeqCst) + 1).to_string();
                let head =
                    "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nConnection: close\r\nContent-Length: ";
                let _ = write!(stream, "{head}{}\r\n\r\n{body}", body.len());
            }
        });
        Self { address, requests }
    }
}

/// A gateway, killed when this is dropped.
struct Process(Child, SocketAddr);

impl Process {
    fn start(origin: &Origin, redis: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_gateway"))
            .args(["--listen", &free.to_string(), "--redis", redis, "--quiet"])
            .args(["--origin", &format!("http://{}", origin.address)])
            .spawn()
            .unwrap();
        until("the gateway listens", || TcpStream::connect(free).is_ok());
        Self(child, free)
    }

    /// The body of the answer; it must be a good one.
    fn ask(&self, method: &str, target: &str) -> String {
        let mut stream = TcpStream::connect(self.1).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let lines = "Host: shop.test\r\nConnection: close\r\nContent-Length: 0";
        write!(stream, "{method} {target} HTTP/1.1\r\n{lines}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        answer.rsplit("\r\n\r\n").next().unwrap().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn gateways_share_what_they_keep_and_what_they_forget() {
    let mut redis = RedisServer::start();
    let origin = Origin::start();
    let gateways = [0; 2].map(|_| Process::start(&origin, &redis.url()));
    let [one, other] = &gateways;

    assert_eq!(one.ask("GET", "/jam"), "1");
    // It is written after it was answered.
    until("the entry is on the server", || {
        redis.cli(&["KEYS", "gateway:e1:*"]).contains("gateway:e1:")
    });
    assert_eq!(other.ask("GET", "/jam"), "1");
    assert_eq!(origin.requests.load(Ordering::SeqCst), 1);

    assert_eq!(other.ask("POST", "/jam"), "2");
    assert_eq!(one.ask("GET", "/jam"), "3", "forgotten on both");

    redis.kill();
    for gateway in &gateways {
        gateway.ask("GET", "/jam");
        gateway.ask("GET", "/else");
    }
}

#[test]
fn a_server_that_is_not_there_is_told_at_the_start() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(["--listen", "127.0.0.1:0", "--origin", "http://127.0.0.1:9"])
        .args(["--redis", &format!("redis://:secret@{gone}")])
        .stdout(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        told.contains("the server cannot be used") && !told.contains("secret"),
        "{told}"
    );
}
