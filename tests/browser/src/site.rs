//! The community under load, and a client of it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Outcome;

/// The token of the page.
pub(crate) const TOKEN: &str = "browser-0123456789";

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process of the community, and those who ask it. Both end with this.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    folder: PathBuf,
    _child: Child,
    _load: JoinSet<()>,
}

/// What an answer says.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let (_, value) = lines.find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        Some(value)
    }
}

/// A port that is free now.
pub(crate) fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

impl Site {
    pub(crate) async fn start(program: &Path) -> Outcome<Self> {
        let folder = std::env::temp_dir().join(format!("larder-browser-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let address = free_address()?;
        let mut child = Command::new(program)
            .args(["--listen", &address.to_string(), "--admin", TOKEN])
            .arg("--database")
            .arg(folder.join("community.sqlite"))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or("it has no output")?;
        let mut line = String::new();
        timeout(PATIENCE, BufReader::new(output).read_line(&mut line)).await??;
        if !line.starts_with("listening on") {
            return Err(format!("the community does not listen: {line:?}").into());
        }
        Ok(Self {
            address,
            folder,
            _child: child,
            _load: load(address),
        })
    }

    pub(crate) async fn get(&self, path: &str) -> Outcome<Answer> {
        send(self.address, "GET", path, "", "").await
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Readers of all layers, with some slow handlers among them, and a writer now and then.
fn load(address: SocketAddr) -> JoinSet<()> {
    let mut load = JoinSet::new();
    for reader in 0..4_u64 {
        load.spawn(async move {
            let mut round = reader;
            loop {
                round += 4;
                for path in [
                    "/api/v1/ratings?delay_ms=25".to_owned(),
                    format!("/api/v1/products/{}?delay_ms=8", round % 3 + 1),
                    format!("/api/v1/products?delay_ms=40&page={}", round % 90),
                    "/api/v1/teams/2".to_owned(),
                    "/assets/logo.svg".to_owned(),
                ] {
                    let _ = send(address, "GET", &path, "", "").await;
                }
                let user = format!("Authorization: Bearer user{}\r\n", round % 7);
                let _ = send(address, "GET", "/api/v1/profile?delay_ms=12", &user, "").await;
                sleep(Duration::from_millis(20)).await;
            }
        });
    }
    load.spawn(async move {
        for round in 0_u64.. {
            let more = format!("Authorization: Bearer user{}\r\n", round % 7);
            let _ = send(address, "POST", "/api/v1/energy-points", &more, "{\"points\": 1}").await;
            sleep(Duration::from_millis(1500)).await;
        }
    });
    load
}

async fn send(address: SocketAddr, method: &str, path: &str, lines: &str, body: &str) -> Outcome<Answer> {
    timeout(PATIENCE, exchange(address, method, path, lines, body)).await?
}

async fn exchange(address: SocketAddr, method: &str, path: &str, lines: &str, body: &str) -> Outcome<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    let kind = match body.len() {
        0 => String::new(),
        length => format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"),
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{lines}{kind}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(1 << 20).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, _) = answer
        .split_once("\r\n\r\n")
        .ok_or("the answer has no end of its head")?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Ok(Answer {
        status: status.ok_or("the answer has no status")?,
        head: head.to_owned(),
    })
}
