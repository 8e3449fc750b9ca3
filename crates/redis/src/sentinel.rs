//! The primary that most of the Sentinels name.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use larder_store::{StoreError, StoreErrorKind};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisResult};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::failure::failed;
use crate::place::Manner;
use crate::tls::Certificates;

/// The Sentinels of one primary.
pub(crate) struct Sentinels {
    name: Arc<str>,
    all: Vec<Arc<Sentinel>>,
    manner: Manner,
}

/// One of them, and the connection to it.
struct Sentinel {
    client: Client,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Sentinels {
    /// # Errors
    /// When a URL cannot be read, or there is none.
    pub(crate) fn new(
        name: &str,
        sentinels: &[String],
        server: &str,
        certificates: &Certificates,
    ) -> RedisResult<Self> {
        if sentinels.is_empty() || name.is_empty() {
            let none = "there is no URL of a Sentinel, or no name of a primary";
            return Err((ErrorKind::InvalidClientConfig, none).into());
        }
        let sentinel = |url: &String| {
            Ok(Arc::new(Sentinel {
                client: Manner::read(url, certificates)?.client()?,
                connection: Mutex::default(),
            }))
        };
        Ok(Self {
            name: name.into(),
            all: sentinels.iter().map(sentinel).collect::<RedisResult<_>>()?,
            manner: Manner::read(server, certificates)?,
        })
    }

    pub(crate) fn describe(&self) -> String {
        format!("the primary {:?} of {} Sentinels", self.name, self.all.len())
    }

    /// The primary.
    pub(crate) async fn primary(&self, limit: Duration) -> Result<Client, StoreError> {
        let (host, port) = self.named(limit).await?;
        self.manner.at(&host, port).map_err(failed)
    }

    /// How many Sentinels there are, and how many of them name a primary within `limit`.
    pub(crate) async fn count(&self, limit: Duration) -> (usize, usize) {
        let mut asking = self.ask_all(limit);
        let mut answered = 0;
        while let Some(answer) = asking.join_next().await {
            answered += usize::from(matches!(answer, Ok(Ok(_))));
        }
        (self.all.len(), answered)
    }

    fn ask_all(&self, limit: Duration) -> JoinSet<Result<(String, u16), String>> {
        let mut asking = JoinSet::new();
        for sentinel in &self.all {
            let (sentinel, name) = (Arc::clone(sentinel), Arc::clone(&self.name));
            asking.spawn(async move {
                let asked = timeout(limit, sentinel.ask(&name)).await;
                asked.unwrap_or_else(|_| Err("one gave no answer in time".to_owned()))
            });
        }
        asking
    }

    /// The address that most of all Sentinels name. Those that do not answer within `limit` name none: who hears a minority
    /// alone may be cut off together with a primary that is none any more.
    pub(crate) async fn named(&self, limit: Duration) -> Result<(String, u16), StoreError> {
        let mut asking = self.ask_all(limit);
        let mut votes: HashMap<(String, u16), usize> = HashMap::new();
        let (mut answers, mut why) = (0, String::new());
        while let Some(answer) = asking.join_next().await {
            let named = match answer {
                Ok(Ok(named)) => named,
                Ok(Err(failure)) => {
                    why = format!(": {failure}");
                    continue;
                }
                Err(_) => continue,
            };
            answers += 1;
            let votes_for = votes.entry(named.clone()).or_default();
            *votes_for += 1;
            if *votes_for > self.all.len() / 2 {
                return Ok(named);
            }
        }
        let message = format!(
            "of {} Sentinels, {answers} named a primary {:?}, and most did not name the same{why}",
            self.all.len(),
            self.name
        );
        Err(StoreError::new(StoreErrorKind::Unavailable, message))
    }
}

impl Sentinel {
    /// The primary that it names, or why it names none.
    async fn ask(&self, name: &str) -> Result<(String, u16), String> {
        // Whoever asks at the same time waits here, for as long as its own limit allows.
        let mut kept = self.connection.lock().await;
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => {
                let config = AsyncConnectionConfig::new().set_response_timeout(None);
                let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
                connecting.await.map_err(|error| error.to_string())?
            }
        };
        let mut ask = redis::cmd("SENTINEL");
        ask.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
        let answer: RedisResult<Option<(String, u16)>> = ask.query_async(&mut connection).await;
        let answer = answer.map_err(|error| error.to_string())?;
        // One that did not answer, or not in time, is dropped.
        *kept = Some(connection);
        answer.ok_or_else(|| "one knows no primary of this name".to_owned())
    }
}
