//! The kit's proxy before a real server: what each fault does, and that it ends when it is lifted.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::Bytes;
use larder_testkit::{Fault, FaultProxy, RedisServer};

const PATIENCE: Duration = Duration::from_secs(10);

/// A while in which nothing comes.
const SILENCE: Duration = Duration::from_millis(50);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A connection of a client.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    fn send(&mut self, line: &str) {
        // Into a connection that may be closed already.
        let _ = self.0.get_mut().write_all(format!("{line}\r\n").as_bytes());
    }

    fn hear(&mut self, patience: Duration) -> io::Result<String> {
        self.0.get_ref().set_read_timeout(Some(patience))?;
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn ask(&mut self, line: &str) -> io::Result<String> {
        self.send(line);
        self.hear(PATIENCE)
    }

    /// Nothing comes, and the connection is open.
    #[track_caller]
    fn hears_nothing(&mut self) {
        let heard = self.hear(SILENCE);
        let kind = heard.as_ref().map_err(io::Error::kind);
        assert!(
            matches!(kind, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)),
            "{heard:?}"
        );
    }

    /// What comes until the other side closes; panics when it does not.
    #[track_caller]
    fn last_words(&mut self) -> Vec<u8> {
        self.0.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
        let mut words = Vec::new();
        match self.0.read_to_end(&mut words) {
            Ok(_) => {}
            Err(e) => assert_eq!(e.kind(), ErrorKind::ConnectionReset),
        }
        words
    }
}

/// A server, a proxy before it, and a client that has reached the server through it.
fn connected() -> (RedisServer, FaultProxy, Client) {
    let redis = RedisServer::start();
    let proxy = FaultProxy::before(redis.addr());
    let mut client = Client::connect(proxy.addr()).unwrap();
    assert_eq!(client.ask("PING").unwrap(), "+PONG");
    (redis, proxy, client)
}

/// Waits for `what` to become true; panics when it does not.
#[track_caller]
fn in_time(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < PATIENCE, "it did not happen in {PATIENCE:?}");
        std::thread::sleep(ms(2));
    }
}

#[track_caller]
fn passes_again(proxy: &FaultProxy) {
    let mut client = Client::connect(proxy.addr()).unwrap();
    assert_eq!(client.ask("PING").unwrap(), "+PONG");
}

#[test]
fn without_a_fault_all_is_passed_on_and_counted() {
    let (redis, proxy, mut client) = connected();
    let value = "x".repeat(1_000_000);
    client.send(&format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n{value}"));
    assert_eq!(client.hear(PATIENCE).unwrap(), "+OK");
    assert_eq!(client.ask("GET k").unwrap(), "$1000000");
    assert_eq!(client.hear(PATIENCE).unwrap(), value);
    assert_eq!((proxy.open(), proxy.accepted(), proxy.faults()), (1, 1, 0));
    assert_eq!(redis.url_at(proxy.addr()), format!("redis://{}/", proxy.addr()));
    drop(client);
    in_time(|| proxy.open() == 0);
}

#[test]
fn answers_are_delayed_by_a_distance_not_one_after_the_other() {
    let (_redis, proxy, mut client) = connected();
    proxy.set(Fault::Delay(ms(200)));
    let begun = Instant::now();
    assert_eq!(client.ask("PING").unwrap(), "+PONG");
    assert!(begun.elapsed() >= ms(200));

    // One after the other they would take 40 s.
    let begun = Instant::now();
    for n in 0..200 {
        client.send(&format!("ECHO {n}"));
        std::thread::sleep(ms(1));
    }
    for n in 0..200 {
        client.hear(PATIENCE).unwrap();
        assert_eq!(client.hear(PATIENCE).unwrap(), n.to_string());
    }
    let took = begun.elapsed();
    assert!((ms(200)..ms(20_000)).contains(&took), "{took:?}");
    assert!(proxy.faults() > 1);
    proxy.set(Fault::None);
    assert_eq!(client.ask("PING").unwrap(), "+PONG");
}

#[test]
fn a_stall_holds_what_is_sent_and_loses_nothing() {
    let (redis, proxy, mut client) = connected();
    proxy.set(Fault::Stall);
    client.send("SET k late");
    client.hears_nothing();
    assert_eq!(redis.cli(&["GET", "k"]), "(nil)");
    assert!(proxy.faults() > 0);
    proxy.set(Fault::None);
    assert_eq!(client.hear(PATIENCE).unwrap(), "+OK");
    assert_eq!(redis.cli(&["GET", "k"]), "late");
}

#[test]
fn lost_answers_leave_the_deed_done() {
    let (redis, proxy, mut client) = connected();
    proxy.set(Fault::LoseAnswers);
    client.send("SET k done");
    in_time(|| redis.cli(&["GET", "k"]) == "done");
    client.hears_nothing();
    in_time(|| proxy.faults() > 0);
    proxy.set(Fault::None);
    assert!(
        client.last_words().is_empty(),
        "a connection that lost bytes ends"
    );
    passes_again(&proxy);
}

#[test]
fn half_open_connections_swallow_everything_in_silence() {
    let (mut redis, proxy, mut client) = connected();
    let mut idle = Client::connect(proxy.addr()).unwrap();
    assert_eq!(idle.ask("PING").unwrap(), "+PONG");
    proxy.set(Fault::HalfOpen);
    client.send("SET k v");
    let mut newcomer = Client::connect(proxy.addr()).unwrap();
    newcomer.send("SET k v");
    client.hears_nothing();
    newcomer.hears_nothing();
    assert_eq!(redis.cli(&["GET", "k"]), "(nil)");
    // Not even the end of the server is heard of.
    redis.kill();
    client.hears_nothing();
    idle.hears_nothing();
    redis.restart();
    proxy.set(Fault::None);
    for client in [&mut client, &mut newcomer, &mut idle] {
        assert!(client.last_words().is_empty());
    }
    passes_again(&proxy);
}

#[test]
fn an_answer_is_cut_short() {
    let (_redis, proxy, mut client) = connected();
    proxy.set(Fault::CutShort);
    client.send("ECHO abcdefgh");
    // Of `$8\r\nabcdefgh\r\n`.
    assert_eq!(client.last_words(), b"$8\r\nabc");
    proxy.set(Fault::None);
    passes_again(&proxy);
}

#[test]
fn garbage_is_no_reply_and_as_long_as_one() {
    let (_redis, proxy, mut client) = connected();
    proxy.set(Fault::Garbage);
    client.send("PING");
    let mut garbage = [0; 7];
    client.0.read_exact(&mut garbage).unwrap();
    assert_eq!(garbage[0], 0xff);
    assert!(proxy.faults() > 0);
    proxy.set(Fault::None);
    assert!(client.last_words().is_empty());
    passes_again(&proxy);
}

#[test]
fn answers_are_made_up_without_the_server() {
    let (mut redis, proxy, mut client) = connected();
    proxy.set(Fault::Answer(Bytes::from_static(b"-LOADING wait\r\n")));
    assert_eq!(client.ask("SET k v").unwrap(), "-LOADING wait");
    assert_eq!(redis.cli(&["GET", "k"]), "(nil)");
    redis.kill();
    let mut newcomer = Client::connect(proxy.addr()).unwrap();
    assert_eq!(newcomer.ask("PING").unwrap(), "-LOADING wait");
    redis.restart();
    proxy.set(Fault::None);
    assert!(newcomer.last_words().is_empty());
    passes_again(&proxy);
}

#[test]
fn refused_clients_are_refused_until_they_are_not() {
    let (_redis, proxy, mut client) = connected();
    for _ in 0..3 {
        proxy.set(Fault::Refuse);
        assert!(client.last_words().is_empty());
        assert_eq!(
            Client::connect(proxy.addr()).err().map(|e| e.kind()),
            Some(ErrorKind::ConnectionRefused)
        );
        assert_eq!(proxy.open(), 0);
        proxy.set(Fault::None);
        client = Client::connect(proxy.addr()).unwrap();
        assert_eq!(client.ask("PING").unwrap(), "+PONG");
    }
}

#[test]
fn a_cut_closes_what_is_open_and_lets_in_what_comes() {
    let (redis, proxy, mut client) = connected();
    proxy.cut();
    assert_eq!(proxy.open(), 0);
    assert!(client.last_words().is_empty());
    passes_again(&proxy);
    in_time(|| redis.cli(&["INFO", "clients"]).contains("connected_clients:1"));
}

#[test]
fn a_server_that_is_away_closes_its_clients_connections() {
    let (mut redis, proxy, mut client) = connected();
    redis.kill();
    assert!(client.last_words().is_empty());
    assert!(Client::connect(proxy.addr()).unwrap().last_words().is_empty());
    redis.restart();
    passes_again(&proxy);
}

#[test]
fn a_dropped_proxy_is_gone_with_its_connections() {
    let (_redis, proxy, mut client) = connected();
    let addr = proxy.addr();
    proxy.set(Fault::HalfOpen);
    drop(proxy);
    assert!(client.last_words().is_empty());
    assert!(Client::connect(addr).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_proxy_works_beside_a_test_that_has_stopped_the_time() {
    let (_redis, proxy, mut client) = connected();
    proxy.set(Fault::Delay(ms(20)));
    assert_eq!(client.ask("PING").unwrap(), "+PONG");
    proxy.set(Fault::None);
    proxy.cut();
}
