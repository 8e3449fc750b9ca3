//! The kit's Redis server against a real one: that it serves, and that it always goes away.
#![cfg(unix)]

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use larder_testkit::RedisServer;

const PATIENCE: Duration = Duration::from_secs(10);

fn accepts(addr: SocketAddr) -> bool {
    TcpStream::connect_timeout(&addr, PATIENCE).is_ok()
}

/// Waits for `what` to become true; panics when it does not.
#[track_caller]
fn in_time(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < PATIENCE, "it did not happen in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_is_set_can_be_got() {
    let redis = RedisServer::start();
    assert_eq!(redis.cli(&["SET", "k", "a value\r\nof two lines"]), "OK");
    assert_eq!(redis.cli(&["GET", "k"]), "a value\r\nof two lines");
    assert_eq!(redis.cli(&["GET", "nothing"]), "(nil)");
    assert_eq!(redis.cli(&["INCR", "n"]), "1");
    assert_eq!(redis.cli(&["MGET", "n", "nothing"]), "1\n(nil)");
    assert!(accepts(redis.addr()));
    assert_eq!(redis.url(), format!("redis://{}/", redis.addr()));
}

#[test]
fn an_error_reply_is_an_error() {
    let redis = RedisServer::start();
    let error = redis.command(&["GET"], PATIENCE).unwrap_err();
    assert!(error.to_string().contains("wrong number of arguments"), "{error}");
}

#[test]
fn arguments_reach_the_server() {
    let redis = RedisServer::builder().arg("--databases").arg("3").start();
    assert_eq!(redis.cli(&["CONFIG", "GET", "databases"]), "databases\n3");
    assert_eq!(redis.cli(&["CONFIG", "GET", "save"]), "save\n");
}

#[test]
#[should_panic(expected = "instead of starting")]
fn a_server_that_refuses_its_arguments_says_so() {
    let _redis = RedisServer::builder().arg("--no-such-setting").arg("1").start();
}

#[test]
#[should_panic(expected = "no free port")]
fn a_taken_port_is_known_for_what_it_is() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let _redis = RedisServer::builder().arg("--port").arg(port).start();
}

#[test]
fn two_servers_know_nothing_of_each_other() {
    let (one, two) = (RedisServer::start(), RedisServer::start());
    one.cli(&["SET", "k", "one"]);
    two.cli(&["SET", "k", "two"]);
    assert_ne!(one.addr(), two.addr());
    assert_eq!(one.cli(&["GET", "k"]), "one");
    assert_eq!(two.cli(&["GET", "k"]), "two");
}

#[test]
fn a_dropped_server_is_gone() {
    let redis = RedisServer::start();
    let (addr, socket) = (redis.addr(), redis.socket());
    drop(redis);
    assert!(!accepts(addr));
    assert!(!socket.parent().unwrap().exists(), "its directory is left");
}

#[test]
fn a_server_is_gone_when_its_test_panics() {
    let addr = std::sync::Mutex::new(None);
    let caught = panic::catch_unwind(|| {
        let redis = RedisServer::start();
        *addr.lock().unwrap() = Some(redis.addr());
        panic!("on purpose");
    });
    assert!(caught.is_err());
    assert!(!accepts(addr.into_inner().unwrap().unwrap()));
}

#[test]
fn a_stopped_server_is_silent_until_it_goes_on() {
    let redis = RedisServer::start();
    redis.stop();
    let error = redis.command(&["PING"], Duration::from_millis(50)).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{error:?}"
    );
    assert!(
        accepts(redis.addr()),
        "a stopped server still has its connections accepted by the kernel"
    );
    redis.cont();
    assert_eq!(redis.cli(&["PING"]), "PONG");
}

#[test]
fn a_stopped_server_can_be_dropped() {
    let redis = RedisServer::start();
    let addr = redis.addr();
    redis.stop();
    drop(redis);
    assert!(!accepts(addr));
}

#[test]
fn a_killed_server_refuses_and_comes_back_empty_on_the_same_port() {
    let mut redis = RedisServer::start();
    let addr = redis.addr();
    redis.cli(&["SET", "k", "v"]);
    redis.kill();
    assert!(!accepts(addr));
    assert!(redis.command(&["PING"], PATIENCE).is_err());
    redis.restart();
    assert_eq!(redis.addr(), addr);
    assert_eq!(redis.cli(&["GET", "k"]), "(nil)");
}

#[test]
fn a_server_that_was_told_to_keep_its_data_keeps_it_over_a_restart() {
    let mut redis = RedisServer::builder()
        .arg("--appendonly")
        .arg("yes")
        .arg("--appendfsync")
        .arg("always")
        .start();
    redis.cli(&["SET", "k", "v"]);
    redis.restart();
    assert_eq!(redis.cli(&["GET", "k"]), "v");
}

/// Runs itself as a second process, which starts a server and is then killed outright.
#[test]
fn a_server_does_not_outlive_a_killed_test_process() {
    const ROLE: &str = "LARDER_TESTKIT_TO_BE_KILLED";
    if std::env::var_os(ROLE).is_some() {
        let redis = RedisServer::start();
        println!("\nserver {} {}", redis.addr(), redis.socket().display());
        loop {
            std::thread::park();
        }
    }
    let mut doomed = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_server_does_not_outlive_a_killed_test_process",
            "--nocapture",
        ])
        .env(ROLE, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(doomed.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let line = lines
        .into_iter()
        .find(|line| line.starts_with("server "))
        .unwrap();
    let mut words = line.split(' ').skip(1);
    let addr = words.next().unwrap().parse().unwrap();
    let socket = Path::new(words.next().unwrap());
    assert!(accepts(addr));

    doomed.kill().unwrap();
    doomed.wait().unwrap();
    in_time(|| !accepts(addr));
    in_time(|| !socket.parent().unwrap().exists());
}

#[test]
fn a_server_with_a_password_refuses_strangers() {
    let redis = RedisServer::builder().password("s3cret").start();
    assert_eq!(redis.cli(&["PING"]), "PONG");
    assert_eq!(redis.url(), format!("redis://:s3cret@{}/", redis.addr()));
    let mut stream = TcpStream::connect(redis.addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    assert!(line.starts_with("-NOAUTH"), "{line}");
}

#[test]
#[should_panic(expected = "letters and digits only")]
fn a_password_that_a_url_cannot_hold_is_refused() {
    let _builder = RedisServer::builder().password("p@ss");
}

#[test]
fn a_full_server_refuses_or_evicts_as_it_was_told() {
    let value = "x".repeat(100_000);
    let fill = |redis: &RedisServer| {
        (0..60).try_for_each(|n| {
            let words = ["SET", &format!("k{n}"), &value];
            redis.command(&words, PATIENCE).map(drop)
        })
    };
    let full = RedisServer::builder().maxmemory(3 << 20, "noeviction").start();
    let refused = fill(&full).unwrap_err();
    assert!(refused.to_string().starts_with("OOM"), "{refused}");
    assert_eq!(full.cli(&["STRLEN", "k0"]), "100000", "reading goes on");

    let evicting = RedisServer::builder().maxmemory(3 << 20, "allkeys-lru").start();
    fill(&evicting).unwrap();
    let kept: usize = evicting.cli(&["DBSIZE"]).parse().unwrap();
    assert!((1..60).contains(&kept), "{kept}");
}

#[test]
fn a_server_comes_back_with_its_snapshot_until_that_is_discarded() {
    let mut redis = RedisServer::start();
    redis.cli(&["SET", "k", "old"]);
    let run_id = |redis: &RedisServer| {
        let info = redis.cli(&["INFO", "server"]);
        info.lines()
            .find(|line| line.starts_with("run_id:"))
            .unwrap()
            .to_owned()
    };
    let id = run_id(&redis);
    redis.snapshot();
    for _ in 0..2 {
        redis.cli(&["SET", "k", "new"]);
        redis.restart();
        assert_eq!(redis.cli(&["GET", "k"]), "old");
    }
    assert_ne!(run_id(&redis), id, "another run of the server");
    redis.discard_snapshot();
    redis.restart();
    assert_eq!(redis.cli(&["GET", "k"]), "(nil)");
}
