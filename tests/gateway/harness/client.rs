//! The client: one connection, one request as it is written, one response as it came.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::wire::{Head, Wire};

/// A response.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: Head,
    pub(crate) body: String,
    /// Whether the body came to its end.
    pub(crate) whole: bool,
}

impl Answer {
    /// The connection was closed without a response.
    fn none() -> Self {
        Self {
            status: 0,
            head: Head::default(),
            body: String::new(),
            whole: false,
        }
    }
}

/// Sends `request` on a connection of its own, and reads the response.
pub(crate) async fn ask(address: SocketAddr, request: String) -> Result<Answer, String> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| format!("no connection: {error}"))?;
    let mut wire = Wire::new(stream);
    wire.write(&request)
        .await
        .map_err(|error| format!("not sent: {error}"))?;
    let (status, head) = loop {
        let Some(head) = wire.head().await? else {
            return Ok(Answer::none());
        };
        let status = status(&head.start)?;
        if status >= 200 {
            break (status, head);
        }
    };
    let framing = head.framing()?;
    let (body, whole) = match framing {
        _ if request.starts_with("HEAD ") || matches!(status, 204 | 304) => (String::new(), true),
        Some(framing) => wire.body(framing).await?,
        None => (wire.rest().await, true),
    };
    if whole && !wire.surplus().is_empty() {
        return Err(format!(
            "{} bytes more than the response has",
            wire.surplus().len()
        ));
    }
    Ok(Answer {
        status,
        head,
        body,
        whole,
    })
}

fn status(line: &str) -> Result<u16, String> {
    let status = line
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| line.strip_prefix("HTTP/1.0 "));
    status
        .and_then(|rest| rest.get(..3))
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| format!("no status line: {line:?}"))
}
