//! Instances of the program, and clients that speak HTTP/1.1 to them over connections that stay.
#![allow(dead_code, unreachable_pub, reason = "each suite uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long anything may take: long enough for a busy machine, and the end of a test that hangs.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A folder of its own for one test, removed at its end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("community-{name}-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn database(&self) -> PathBuf {
        self.0.join("community.sqlite")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A process of the program; it is killed when it is dropped.
pub struct Instance {
    pub address: SocketAddr,
    arguments: Vec<String>,
    child: Child,
}

impl Instance {
    /// Starts one at a free port, and waits until it listens.
    pub async fn start(database: &Path, more: &[&str]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let mut arguments = vec!["--database".to_owned(), database.display().to_string()];
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        let child = spawn(address, &arguments).await;
        Self {
            address,
            arguments,
            child,
        }
    }

    /// Kills it at once, as a crash would, and starts another in its place.
    pub async fn crash(&mut self) {
        self.child.kill().await.unwrap();
        self.child = spawn(self.address, &self.arguments).await;
    }
}

async fn spawn(address: SocketAddr, arguments: &[String]) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_community"))
        .args(["--listen", &address.to_string()])
        .args(arguments)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    timeout(DEADLINE, output.read_line(&mut line))
        .await
        .expect("it does not listen")
        .unwrap();
    assert!(line.starts_with("listening on"), "{line:?}");
    child
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn is_hit(&self) -> bool {
        self.header("x-cache") == "HIT"
    }
}

/// A client of one instance, with one connection at a time.
pub struct Client {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    pub const fn new(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
        }
    }

    pub async fn get(&mut self, path: &str, user: Option<&str>) -> io::Result<Answer> {
        self.send("GET", path, user, &[], "").await
    }

    pub async fn post(&mut self, path: &str, user: Option<&str>, body: &str) -> io::Result<Answer> {
        self.send("POST", path, user, &[], body).await
    }

    /// Sends a request once, and reads its answer. After an error it is unknown what became of it.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        user: Option<&str>,
        lines: &[(&str, &str)],
        body: &str,
    ) -> io::Result<Answer> {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: community\r\n");
        if let Some(user) = user {
            text.push_str(&format!("Authorization: Bearer {user}\r\n"));
        }
        for (name, value) in lines {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            let length = body.len();
            text.push_str(&format!(
                "Content-Type: application/json\r\nContent-Length: {length}\r\n"
            ));
        }
        text.push_str("\r\n");
        text.push_str(body);
        let done = timeout(DEADLINE, self.exchange(&text)).await;
        let answer = done.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if answer.is_err() {
            self.stream = None;
        }
        answer
    }

    async fn exchange(&mut self, text: &str) -> io::Result<Answer> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            self.stream = Some(BufReader::new(stream));
        }
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        stream.write_all(text.as_bytes()).await?;
        let status = line(stream).await?;
        let status = status.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or(io::ErrorKind::InvalidData)?;
        let mut headers = HashMap::new();
        loop {
            let line = line(stream).await?;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length = headers
            .get("content-length")
            .map_or(Ok(0), |length| length.parse());
        let mut body = vec![0; length.map_err(|_| io::ErrorKind::InvalidData)?];
        stream.read_exact(&mut body).await?;
        Ok(Answer {
            status,
            headers,
            body,
        })
    }
}

async fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}
