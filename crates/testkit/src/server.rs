//! A real Redis (or Valkey) server for one test.

mod binary;
mod builder;
mod directory;
pub(crate) mod port;
mod process;

use std::io::{self, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::resp::{self, Reply};
pub use builder::RedisServerBuilder;
use directory::Directory;
use port::Port;
use process::Process;

/// How long a server may take to answer its first `PING`, and any command sent with [`RedisServer::cli`].
const DEADLINE: Duration = Duration::from_secs(10);

/// The file that a snapshot is written to.
const SNAPSHOT: &str = "dump.rdb";

/// A running `redis-server` or `valkey-server` that belongs to one test.
///
/// It listens on a free port of 127.0.0.1 and on a Unix socket, keeps nothing on disk unless told to, and lives in a
/// directory of its own below the system's temporary directory. When the value is dropped (also by a panic)
/// the server is killed and the directory removed; when the test process itself is killed, the same happens
/// within moments.
///
/// The program is the one named by the environment variable `LARDER_REDIS_SERVER`, else the first
/// `redis-server` or `valkey-server` on the `PATH`. Without one, starting panics with a single line that says
/// what to install: a test that quietly skips itself proves nothing.
#[derive(Debug)]
pub struct RedisServer {
    binary: PathBuf,
    config: Option<String>,
    args: Vec<String>,
    password: Option<String>,
    tls: bool,
    port: Port,
    bus: Option<Port>,
    // Before the directory: the server goes first, then the place it writes to.
    process: Option<Process>,
    directory: Directory,
}

impl RedisServer {
    /// Starts a server with the kit's own settings.
    ///
    /// # Panics
    ///
    /// As [`RedisServerBuilder::start`].
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Starts from settings of your own.
    pub fn builder() -> RedisServerBuilder {
        RedisServerBuilder::default()
    }

    /// The address for a Redis client, `redis://127.0.0.1:PORT/` (`rediss` where it speaks
    /// [TLS](RedisServerBuilder::tls)), with the password if there is one. It stays the same
    /// over [`restart`](Self::restart).
    #[must_use]
    pub fn url(&self) -> String {
        self.url_at(self.addr())
    }

    /// The address for a client that reaches this server at `addr`, where a [`FaultProxy`](crate::FaultProxy) listens.
    #[must_use]
    pub fn url_at(&self, addr: SocketAddr) -> String {
        let scheme = if self.tls { "rediss" } else { "redis" };
        match &self.password {
            Some(password) => format!("{scheme}://:{password}@{addr}/"),
            None => format!("{scheme}://{addr}/"),
        }
    }

    /// The TCP address.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port.number()).into()
    }

    /// The port that nodes of a cluster talk to each other on; 0 for a server that is none.
    pub(crate) fn bus_port(&self) -> u16 {
        self.bus.as_ref().map_or(0, Port::number)
    }

    /// Has a node of a cluster tell clients that it is at another port, also after a restart.
    pub(crate) fn announce(&mut self, port: u16) {
        let name = if self.tls {
            "cluster-announce-tls-port"
        } else {
            "cluster-announce-port"
        };
        let port = port.to_string();
        self.cli(&["CONFIG", "SET", name, &port]);
        self.args.extend([format!("--{name}"), port]);
    }

    /// The path of the Unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }

    /// The id of the server's process, unless it was [killed](Self::kill).
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Sends one command and returns its reply as text: `(nil)` for no value, one line for each item of a list.
    ///
    /// # Panics
    ///
    /// When the server cannot be reached, does not answer in ten seconds, or answers with an error. To see
    /// such a failure, use [`command`](Self::command).
    #[track_caller]
    #[expect(
        clippy::must_use_candidate,
        reason = "most commands are sent for what they do"
    )]
    pub fn cli(&self, words: &[&str]) -> String {
        match self.command(words, DEADLINE) {
            Ok(reply) => reply,
            Err(e) => panic!("the test's Redis server at {} failed {words:?}: {e}", self.addr()),
        }
    }

    /// Sends one command over the Unix socket, on a connection of its own, as [`cli`](Self::cli) does.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached, answers with an error, or is silent for as long as `patience`.
    pub fn command(&self, words: &[&str], patience: Duration) -> io::Result<String> {
        let mut stream = UnixStream::connect(self.socket())?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let mut replies = BufReader::new(stream.try_clone()?);
        let mut ask = |words: &[&str]| {
            resp::send(&mut stream, words)?;
            match resp::receive(&mut replies)? {
                Reply::Error(text) => Err(io::Error::other(text)),
                reply => Ok(reply.text()),
            }
        };
        if let Some(password) = &self.password {
            ask(&["AUTH", password])?;
        }
        ask(words)
    }

    /// Kills the server at once (`SIGKILL`); its port then refuses connections. Its directory stays, for
    /// [`restart`](Self::restart).
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Writes all data to a snapshot (an RDB file), with which each later [`restart`](Self::restart) comes back: a server
    /// that is rolled back to an older state. Another snapshot takes its place.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use larder_testkit::RedisServer;
    ///
    /// let mut redis = RedisServer::start();
    /// redis.cli(&["SET", "shelf", "jam"]);
    /// redis.snapshot();
    /// redis.cli(&["SET", "shelf", "honey"]);
    /// redis.restart();
    /// assert_eq!(redis.cli(&["GET", "shelf"]), "jam");
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// When the server was killed, or cannot write.
    pub fn snapshot(&self) {
        self.cli(&["SAVE"]);
    }

    /// Throws the [snapshot](Self::snapshot) away, if there is one: the next restart comes back empty.
    pub fn discard_snapshot(&self) {
        let _ = std::fs::remove_file(self.directory.path().join(SNAPSHOT));
    }

    /// Kills the server, if it runs, and starts it again on the same port. It comes back empty, unless there is a
    /// [snapshot](Self::snapshot) or it was [told](RedisServerBuilder::arg) to keep its data.
    ///
    /// # Panics
    ///
    /// When the server does not come back.
    pub fn restart(&mut self) {
        self.kill();
        if let Err(failure) = self.launch() {
            panic!("{failure}");
        }
    }

    /// Stops the server in its tracks (`SIGSTOP`): connections stay open, and nothing is answered until
    /// [`cont`](Self::cont). On return the server has stopped.
    ///
    /// # Panics
    ///
    /// When the server was killed.
    pub fn stop(&self) {
        self.running().stop();
    }

    /// Lets a [stopped](Self::stop) server go on (`SIGCONT`).
    ///
    /// # Panics
    ///
    /// When the server was killed.
    pub fn cont(&self) {
        self.running().cont();
    }

    fn running(&self) -> &Process {
        let Some(process) = &self.process else {
            panic!("the test's Redis server was killed: call `restart` before this");
        };
        process
    }

    /// Starts the process and waits for its first answer.
    fn launch(&mut self) -> Result<(), String> {
        // A killed server leaves its socket behind; a connection must not wait on the old one.
        let _ = std::fs::remove_file(self.socket());
        let mut process = Process::spawn(&self.binary, &self.command_line(), &self.directory)?;
        self.wait_until_it_answers(&mut process)?;
        self.process = Some(process);
        Ok(())
    }

    fn command_line(&self) -> Vec<String> {
        let bus = self
            .bus
            .iter()
            .map(|bus| ("--cluster-port", bus.number().to_string()));
        let password = self
            .password
            .iter()
            .flat_map(|word| [("--requirepass", word.clone()), ("--masterauth", word.clone())]);
        let port = self.port.number().to_string();
        let (open, tls) = if self.tls {
            let yes = || "yes".to_owned();
            let tls = [
                ("--tls-port", port),
                ("--tls-replication", yes()),
                ("--tls-cluster", yes()),
            ];
            ("0".to_owned(), Some(tls))
        } else {
            (port, None)
        };
        let own = [
            ("--bind", "127.0.0.1".to_owned()),
            ("--port", open),
            ("--unixsocket", self.socket().display().to_string()),
            ("--unixsocketperm", "700".to_owned()),
            ("--dir", self.directory.path().display().to_string()),
            ("--dbfilename", SNAPSHOT.to_owned()),
            ("--save", String::new()),
            ("--appendonly", "no".to_owned()),
            ("--daemonize", "no".to_owned()),
        ];
        let own = own
            .into_iter()
            .chain(tls.into_iter().flatten())
            .chain(bus)
            .chain(password);
        let own = own.flat_map(|(name, value)| [name.to_owned(), value]);
        let config = self.config.iter().cloned();
        config.chain(own).chain(self.args.iter().cloned()).collect()
    }

    fn wait_until_it_answers(&self, process: &mut Process) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            let answer = self.command(&["PING"], DEADLINE);
            if answer.as_deref().is_ok_and(|text| text == "PONG") {
                return Ok(());
            }
            let log = || last_lines(&self.directory.log());
            if let Some(status) = process.ended() {
                return Err(format!(
                    "{} ended ({status}) instead of starting: {}",
                    self.binary.display(),
                    log()
                ));
            }
            if begun.elapsed() > DEADLINE {
                let binary = self.binary.display();
                return Err(format!(
                    "{binary} gave no PONG in {DEADLINE:?} but {answer:?}: {}",
                    log()
                ));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn port_was_taken(&self) -> bool {
        let log = std::fs::read_to_string(self.directory.log()).unwrap_or_default();
        log.contains("Address already in use")
    }
}

/// The end of the server's log, on one line.
fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if lines.is_empty() {
        "it printed nothing".to_owned()
    } else {
        lines[lines.len().saturating_sub(3)..].join(" | ")
    }
}
