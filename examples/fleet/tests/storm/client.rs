//! A client: one connection at a time to one instance.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a client waits for an answer: much longer than any limit of the service.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Default)]
pub(crate) struct Client {
    open: Option<(SocketAddr, SendRequest<Empty<Bytes>>)>,
    /// What drives the connection.
    driver: JoinSet<()>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// What the cache says of it.
    pub(crate) cache: String,
    pub(crate) body: String,
}

impl Client {
    /// Asks the instance at `addr`.
    pub(crate) async fn ask(
        &mut self,
        addr: SocketAddr,
        method: Method,
        path: &str,
    ) -> Result<Answer, String> {
        let answer = timeout(PATIENCE, self.exchange(addr, method, path)).await;
        let answer = answer.unwrap_or_else(|_| Err(format!("no answer in {PATIENCE:?}")));
        if answer.is_err() {
            self.open = None;
        }
        answer
    }

    async fn exchange(&mut self, addr: SocketAddr, method: Method, path: &str) -> Result<Answer, String> {
        let mut sender = match self.open.take() {
            Some((to, sender)) if to == addr && !sender.is_closed() => sender,
            _ => self.connect(addr).await?,
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            // The same for all instances, as behind one name.
            .header("host", "fleet")
            .body(Empty::new())
            .map_err(|e| e.to_string())?;
        sender.ready().await.map_err(|e| format!("not ready: {e}"))?;
        let response = sender
            .send_request(request)
            .await
            .map_err(|e| format!("no response: {e}"))?;
        let (head, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|e| format!("half a response: {e}"))?;
        let cache = head.headers.get("cache-status");
        let cache = cache.and_then(|value| value.to_str().ok()).unwrap_or_default();
        self.open = Some((addr, sender));
        Ok(Answer {
            status: head.status.as_u16(),
            cache: cache.to_owned(),
            body: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        })
    }

    async fn connect(&mut self, addr: SocketAddr) -> Result<SendRequest<Empty<Bytes>>, String> {
        // The one before, if there is one, is given up.
        self.driver = JoinSet::new();
        let stream = TcpStream::connect(addr)
            .await
            .map_err(|e| format!("no connection: {e}"))?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| e.to_string())?;
        // How it ends is told to who sends.
        self.driver.spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}
