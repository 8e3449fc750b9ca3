//! The gateway as a process of its own, with the memory that the kernel counts for it.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::traffic::Size;

/// How long it may take until it listens.
const PATIENCE: Duration = Duration::from_secs(10);

/// A gateway, killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// The memory of a process that is resident, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) now: u64,
    /// The most that it was so far.
    pub(crate) most: u64,
}

impl Process {
    /// Starts a gateway in front of `origin`.
    pub(crate) fn start(origin: SocketAddr, size: &Size) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.expect("a free port");
        let child = Command::new(env!("CARGO_BIN_EXE_gateway"))
            .args(["--listen", &address.to_string()])
            .args(["--origin", &format!("http://{origin}")])
            .args(["--memory-mb", &size.memory_mb.to_string()])
            .args(["--max-body-mb", "1", "--profile", "rfc", "--quiet"])
            .spawn()
            .expect("the gateway starts");
        let process = Self { child, address };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < PATIENCE, "the gateway does not listen");
            sleep(Duration::from_millis(10));
        }
        process
    }

    pub(crate) fn memory(&self) -> Memory {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the gateway is there");
        Memory {
            now: bytes(&status, "VmRSS:"),
            most: bytes(&status, "VmHWM:"),
        }
    }

    /// Tells it to end what is under way, and to stop.
    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.expect("the program `kill`").success());
    }

    /// How it ended, when it did so within `limit`.
    pub(crate) fn ended(&mut self, limit: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        loop {
            let ended = self.child.try_wait().expect("a child of this process");
            if ended.is_some() || begun.elapsed() > limit {
                return ended;
            }
            sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended needs no killing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The bytes on the line that begins with `name`, which are kB there.
fn bytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    number.expect("a line of the kernel") << 10
}
