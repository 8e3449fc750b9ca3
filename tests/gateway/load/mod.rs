//! A flood of requests on a gateway: the traffic, the origin behind it, and the gateway's process.

mod origin;
mod process;
mod traffic;
#[allow(
    dead_code,
    unreachable_pub,
    reason = "a flood needs less of it than the suite that it is made for"
)]
#[path = "../harness/wire.rs"]
mod wire;

pub(crate) use self::origin::{Origin, reply};
pub(crate) use self::process::{Memory, Process};
pub(crate) use self::traffic::{HEAD, Phase, Request, Size, hot, large, phases, slow};

use std::net::SocketAddr;

use tokio::net::TcpStream;

use self::wire::{Framing, Wire};

/// A client's connection, which is used for one request after the other.
#[derive(Debug)]
pub(crate) struct Client(Wire);

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) body: String,
    /// Whether the gateway says that it answered from its cache (RFC 9211).
    pub(crate) hit: bool,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| format!("no connection: {error}"))?;
        // Without it a request in two packets waits for an acknowledgement.
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        Ok(Self(Wire::new(stream)))
    }

    pub(crate) async fn ask(&mut self, request: &Request) -> Result<Answer, String> {
        let sent = self.0.write(&request.text()).await;
        sent.map_err(|error| format!("not sent: {error}"))?;
        let head = self.0.head().await?.ok_or("closed without a response")?;
        let framing = head.framing()?.unwrap_or(Framing::Length(0));
        let (body, true) = self.0.body(framing).await? else {
            return Err("the body was cut short".to_owned());
        };
        let status = head.start.split(' ').nth(1).unwrap_or_default().to_owned();
        let hit = head.values("cache-status").any(|member| member.contains("; hit"));
        Ok(Answer { status, body, hit })
    }

    /// Asks, and fails where the answer is not the one that the origin would give.
    pub(crate) async fn demand(&mut self, request: &Request) -> Result<Answer, String> {
        let problem = |problem: String| {
            let target: String = request.target.chars().take(80).collect();
            format!("{} {target}: {problem}", request.method)
        };
        let answer = self.ask(request).await.map_err(problem)?;
        if answer.status != "200" || answer.body != reply(request).body {
            let body: String = answer.body.chars().take(80).collect();
            return Err(problem(format!("answered {} {body:?}", answer.status)));
        }
        Ok(answer)
    }
}
