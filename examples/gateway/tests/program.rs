//! The program itself: its command line, its log, and how it ends.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends with the first surprise"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(20);

fn gateway(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Ends with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn signal(&self, name: &str) {
        let kill = [
            "-c",
            "kill -s \"$1\" \"$2\"",
            "sh",
            name,
            &self.0.id().to_string(),
        ];
        assert!(Command::new("sh").args(kill).status().unwrap().success());
    }

    fn code(&mut self) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(begun.elapsed() < DEADLINE, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn a_wrong_command_line_ends_at_once_with_a_line() {
    for arguments in [
        &[
            "--listen",
            "127.0.0.1:0",
            "--origin",
            "http://127.0.0.1:9",
            "--redis",
        ][..],
        &["--listen", "127.0.0.1:0", "--origin", "https://127.0.0.1"],
        &["--listen", "127.0.0.1:0"],
    ] {
        let output = gateway(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.starts_with("gateway: ") && said.lines().count() == 1,
            "{said}"
        );
    }
}

#[test]
fn a_signal_ends_it_in_order_and_the_log_says_what_it_did() {
    for signal in ["TERM", "INT"] {
        let command = [
            "--listen",
            "127.0.0.1:0",
            "--origin",
            "http://127.0.0.1:0",
            "--profile",
            "rfc",
        ];
        let mut running = Running(gateway(&command).spawn().unwrap());
        let mut log = BufReader::new(running.0.stdout.take().unwrap());
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        assert!(
            line.contains("profile=\"rfc\"") && line.contains("memory_mb=256"),
            "{line}"
        );
        let addr = line.split("listen=").nth(1).unwrap().split(' ').next().unwrap();

        let mut client = TcpStream::connect(addr).unwrap();
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        client
            .write_all("GET /\u{85}\u{2028} HTTP/1.1\r\nHost: a\r\n\r\n".as_bytes())
            .unwrap();
        let mut answer = [0; 12];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 502");

        running.signal(signal);
        assert_eq!(running.code(), Some(0));
        let mut said = String::new();
        log.read_to_string(&mut said).unwrap();
        assert!(
            said.contains(r#"method=GET path="/\u{85}\u{2028}" status=502"#),
            "{said}"
        );
        assert!(said.contains("draining"), "{said}");
    }
}
