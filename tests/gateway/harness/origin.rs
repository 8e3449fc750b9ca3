//! The origin: it does what it is told, request by request, and keeps what it saw.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use super::case::Delivery;
use super::wire::{Framing, Head, Wire};

/// The targets that all may ask for at any time, and of which nothing is kept.
pub(crate) const ASIDE: &str = "/aside";

/// A request as the origin saw it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) head: Head,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn method(&self) -> &str {
        self.head.start.split(' ').next().unwrap_or_default()
    }

    pub(crate) fn is_conditional(&self) -> bool {
        self.head.has("if-none-match") || self.head.has("if-modified-since")
    }
}

/// What the origin answers.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) lines: Vec<String>,
    pub(crate) body: String,
    pub(crate) delivery: Delivery,
    pub(crate) gate: Option<Gate>,
    /// What tells this reply from all others, also where it has no body.
    pub(crate) mark: String,
}

/// Where a reply waits until the case lets it on.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    arrived: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            arrived: Arc::new(Semaphore::new(0)),
            open: Arc::new(Semaphore::new(0)),
        }
    }

    /// In the case: waits until a request is here.
    pub(crate) async fn reached(&self) {
        self.arrived.acquire().await.expect("an open semaphore").forget();
    }

    /// In the case: lets it on.
    pub(crate) fn open(&self) {
        self.open.add_permits(1);
    }

    async fn pass(&self) {
        self.arrived.add_permits(1);
        self.open.acquire().await.expect("an open semaphore").forget();
    }
}

#[derive(Debug, Default)]
struct State {
    replies: VecDeque<Reply>,
    seen: Vec<Seen>,
}

/// An origin on a port of its own.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

impl Origin {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::<Mutex<State>>::default();
        let serving = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self {
            address,
            state,
            serving,
        }
    }

    /// What it answers to the next requests, in their order; what was left of earlier ones is dropped.
    pub(crate) fn will(&self, replies: impl IntoIterator<Item = Reply>) {
        self.lock().replies = replies.into_iter().collect();
    }

    /// How many requests it saw.
    pub(crate) fn count(&self) -> usize {
        self.lock().seen.len()
    }

    /// The requests it saw, but for the first `first`.
    pub(crate) fn since(&self, first: usize) -> Vec<Seen> {
        self.lock().seen.iter().skip(first).cloned().collect()
    }

    /// Closes its port and all connections.
    pub(crate) async fn stop(&mut self) {
        self.serving.abort();
        // It ends by being stopped.
        let _ = (&mut self.serving).await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    // Dropped with this task, and all connections with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&state)));
    }
}

/// Serves one connection until either side closes it.
async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) -> Result<(), String> {
    let mut wire = Wire::new(stream);
    while let Some(head) = wire.head().await? {
        let framing = head.framing()?.unwrap_or(Framing::Length(0));
        let (body, _) = wire.body(framing).await?;
        let seen = Seen { head, body };
        let reply = reply_to(&seen, &state);
        if !give(&mut wire, &seen, reply).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Keeps what was seen, and says what is answered.
fn reply_to(seen: &Seen, state: &Mutex<State>) -> Reply {
    let plain = |status, body: &str| Reply {
        status,
        lines: vec!["Cache-Control: no-store".to_owned()],
        body: body.to_owned(),
        delivery: Delivery::Whole,
        gate: None,
        mark: body.to_owned(),
    };
    if seen.head.start.contains(ASIDE) {
        return plain(200, "aside");
    }
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.seen.push(seen.clone());
    match state.replies.pop_front() {
        // No origin answers so to a request without a condition.
        Some(reply) if reply.status == 304 && !seen.is_conditional() => Reply {
            gate: reply.gate,
            ..plain(200, "asked without a condition")
        },
        Some(reply) => reply,
        None => plain(200, "not expected"),
    }
}

/// Sends a reply; false when the connection is to be closed then.
async fn give(wire: &mut Wire, seen: &Seen, reply: Reply) -> Result<bool, String> {
    let failed = |error: std::io::Error| error.to_string();
    let early = matches!(reply.delivery, Delivery::HeadFirst);
    if let (Some(gate), false) = (&reply.gate, early) {
        gate.pass().await;
    }
    if reply.delivery == Delivery::Close {
        return Ok(false);
    }
    let bodiless = seen.method() == "HEAD" || matches!(reply.status, 204 | 304);
    wire.write(&head(seen, &reply)).await.map_err(failed)?;
    if let (Some(gate), true) = (&reply.gate, early) {
        gate.pass().await;
    }
    if !bodiless {
        wire.write(&body(&reply)).await.map_err(failed)?;
    }
    Ok(matches!(
        reply.delivery,
        Delivery::Whole | Delivery::Chunked | Delivery::HeadFirst
    ))
}

fn head(seen: &Seen, reply: &Reply) -> String {
    let mut head = format!("HTTP/1.1 {} Scripted\r\n", reply.status);
    for line in &reply.lines {
        head.push_str(line);
        head.push_str("\r\n");
    }
    // Neither may change the mark of what is stored.
    if seen.method() == "GET" && reply.status != 304 {
        let _ = write!(head, "X-Mark: {}\r\n", reply.mark);
    }
    let length = reply.body.chars().count();
    let said = reply
        .lines
        .iter()
        .any(|line| line.to_ascii_lowercase().starts_with("content-length:"));
    match reply.delivery {
        _ if said || matches!(reply.status, 204 | 304) => {}
        Delivery::Chunked | Delivery::CutChunk => head.push_str("Transfer-Encoding: chunked\r\n"),
        Delivery::Cut => {
            let _ = write!(head, "Content-Length: {}\r\n", length + 10);
        }
        Delivery::UntilClose => head.push_str("Connection: close\r\n"),
        _ => {
            let _ = write!(head, "Content-Length: {length}\r\n");
        }
    }
    head + "\r\n"
}

fn body(reply: &Reply) -> String {
    let body = &reply.body;
    match reply.delivery {
        Delivery::Chunked if body.is_empty() => "0\r\n\r\n".to_owned(),
        Delivery::Chunked => format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.chars().count()),
        Delivery::CutChunk => format!("{:x}\r\n{body}\r\n", body.chars().count()),
        _ => body.clone(),
    }
}
