//! The origin: what it answers is told by the request alone, so that a client knows each answer beforehand.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::traffic::Request;
use super::wire::{Framing, Wire};

/// How long it takes for what is slow.
const SLOW: Duration = Duration::from_millis(300);

/// More than a gateway with `--max-body-mb 1` keeps.
const TOO_LARGE: usize = 3 << 20;

/// How many groups a response is in, and how long their names are: the most that Larder keeps.
const GROUPS: u64 = 64;
const NAME: usize = 128;

/// What is answered to a request.
#[derive(Debug)]
pub(crate) struct Reply {
    lines: Vec<String>,
    pub(crate) body: String,
    chunked: bool,
    after: Duration,
}

/// The answer to `request`, whenever it is asked.
pub(crate) fn reply(request: &Request) -> Reply {
    let target = request.target.as_str();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let kept = |lines: &[String], seed: &str| Reply {
        lines: [&["Cache-Control: max-age=3600".to_owned()], lines].concat(),
        body: text(seed, 3_000),
        chunked: false,
        after: Duration::ZERO,
    };
    let uncached = |how: &str| Reply {
        lines: vec![format!("Cache-Control: {how}")],
        ..kept(&[], target)
    };
    if request.method == "POST" {
        let forgotten = names(query.parse().unwrap_or(u64::MAX));
        let mut reply = uncached("no-store");
        reply.lines.push(format!("Cache-Group-Invalidation: {forgotten}"));
        reply.lines.push(format!("Location: {path}/made"));
        return reply;
    }
    match path.split('/').nth(1).unwrap_or_default() {
        "vary" => {
            let list = request.value("x-list");
            let field = format!("x-{list}");
            let seed = format!("{target} {list} {}", request.value(&field));
            kept(&[format!("Vary: X-List, {field}")], &seed)
        }
        "search" => {
            let (asked, _junk) = query.split_once("&junk").unwrap_or((query, ""));
            let rule = asked.split_once("rule=").map_or("", |(_, rule)| rule);
            let line = format!("No-Vary-Search: params=(\"junk\" \"junk-{rule}\")");
            kept(&[line], &format!("{path} {asked}"))
        }
        "tags" => {
            let groups = names(query.parse().unwrap_or_default());
            kept(&[format!("Cache-Groups: {groups}")], target)
        }
        "slow" => Reply {
            after: SLOW,
            ..kept(&[], target)
        },
        "chunked" => Reply {
            chunked: true,
            body: text(target, 30_000),
            ..kept(&[], target)
        },
        "too-large" => Reply {
            body: text(target, TOO_LARGE),
            ..kept(&[], target)
        },
        "private" => uncached("private, max-age=3600"),
        "no-store" => uncached("no-store"),
        _ => kept(&[], target),
    }
}

/// A text of this length that no other seed has.
fn text(seed: &str, length: usize) -> String {
    // The end of a long seed tells nothing.
    let mut text: String = seed.chars().take(200).collect();
    text.extend(std::iter::repeat_n('x', length.saturating_sub(text.len())));
    text
}

/// The groups with this number.
fn names(number: u64) -> String {
    let names: Vec<String> = (0..GROUPS)
        .map(|nth| format!("\"{:g<NAME$}\"", format!("{number}-{nth}-")))
        .collect();
    names.join(", ")
}

/// An origin on a port of its own.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Origin {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(async move {
            // Dropped with this task, and all connections with it.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, serving }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Serves one connection until the gateway closes it.
async fn serve(stream: TcpStream) -> Result<(), String> {
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let mut wire = Wire::new(stream);
    while let Some(head) = wire.head().await? {
        wire.body(head.framing()?.unwrap_or(Framing::Length(0))).await?;
        let mut words = head.start.split(' ').map(str::to_owned);
        let (method, target) = (words.next(), words.next());
        let lines = head.lines.iter();
        let reply = reply(&Request {
            method: method.unwrap_or_default(),
            target: target.unwrap_or_default(),
            lines: lines
                .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
                .collect(),
        });
        if !reply.after.is_zero() {
            tokio::time::sleep(reply.after).await;
        }
        let sent = wire.write(&message(&reply)).await;
        sent.map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn message(reply: &Reply) -> String {
    let Reply {
        lines, body, chunked, ..
    } = reply;
    let lines = lines.join("\r\n");
    let length = body.len();
    if *chunked {
        format!(
            "HTTP/1.1 200 OK\r\n{lines}\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
        )
    } else {
        format!("HTTP/1.1 200 OK\r\n{lines}\r\nContent-Length: {length}\r\n\r\n{body}")
    }
}
