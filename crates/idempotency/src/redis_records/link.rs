//! The connection to the server: made by one task for all who wait for it, and again when it fails.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, FromRedisValue, IntoConnectionInfo, RedisError, Script, ScriptInvocation,
};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::scripts::{Answer, Keys, Scripts};
use crate::error::{RecordsError, RecordsErrorKind};
use crate::records::{Claim, Finish, Release, Renewal, Spend};

/// How long an answer may take before the connection is given up.
const RESPONSE: Duration = Duration::from_secs(1);

/// How long it may take to connect and to learn what the server is.
const CONNECT: Duration = Duration::from_secs(1);

/// How long nobody tries to connect after a failure.
const REST: Duration = Duration::from_millis(100);

/// The largest result that is read, in bytes: above what any layer writes.
const LARGEST: usize = 64 << 20;

/// How long a claim that was not answered is refused once it has been released.
const REFUSED: Duration = Duration::from_secs(60);

/// How long the beginning of the memory of nonces is kept without a nonce: above any retention of theirs.
const SINCE: Duration = Duration::from_secs(7 * 24 * 3600);

pub(super) struct Link {
    client: Client,
    name: String,
    keys: Keys,
    scripts: Scripts,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    live: Option<Arc<MultiplexedConnection>>,
    /// Ends when the attempt to connect does.
    connecting: Option<watch::Receiver<()>>,
    failed: Option<(Failure, Instant)>,
}

/// Why there is no connection: told to everybody who wants one.
#[derive(Clone)]
struct Failure {
    kind: RecordsErrorKind,
    message: String,
}

impl Link {
    pub(super) fn new(url: &str, keys: Keys) -> Result<Self, RecordsError> {
        let refused = |error: RedisError| {
            RecordsError::new(
                RecordsErrorKind::Unavailable,
                "the URL of the server cannot be used",
            )
            .with_source(error)
        };
        let info = url.into_connection_info().map_err(refused)?;
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let name = info.addr().to_string();
        Ok(Self {
            client: Client::open(info).map_err(refused)?,
            name,
            keys,
            scripts: Scripts::new(),
            state: Mutex::default(),
        })
    }

    /// Connects, if there is no connection, and says whether the server may be used.
    pub(super) async fn check(self: &Arc<Self>) -> Result<(), RecordsError> {
        self.live().await.map(drop)
    }

    pub(super) async fn claim(self: &Arc<Self>, claim: &Claim) -> Result<Answer, RecordsError> {
        let mut call = self.scripts.claim.prepare_invoke();
        call.key(self.keys.record(&claim.key))
            .key(self.keys.late(&claim.key, &claim.owner))
            .arg(&claim.fingerprint.as_bytes()[..])
            .arg(claim.owner.to_string())
            .arg(format!("{:019}", claim.token.as_u64()))
            .arg(millis(claim.lease))
            .arg(millis(claim.retention))
            .arg(
                claim
                    .take_over
                    .map_or(String::new(), |token| format!("{:019}", token.as_u64())),
            )
            .arg(LARGEST);
        self.invoke(call).await
    }

    pub(super) async fn renew(self: &Arc<Self>, renewal: &Renewal) -> Result<bool, RecordsError> {
        let mut call = self.scripts.renew.prepare_invoke();
        call.key(self.keys.record(&renewal.key))
            .arg(renewal.owner.to_string())
            .arg(millis(renewal.lease))
            .arg(millis(renewal.retention));
        self.invoke(call).await
    }

    pub(super) async fn finish(self: &Arc<Self>, finish: &Finish) -> Result<bool, RecordsError> {
        let mut call = self.scripts.finish.prepare_invoke();
        call.key(self.keys.record(&finish.key))
            .arg(finish.owner.to_string())
            .arg(&finish.result.to_bytes(&finish.key)[..])
            .arg(millis(finish.retention));
        self.invoke(call).await
    }

    pub(super) async fn release(self: &Arc<Self>, release: &Release) -> Result<bool, RecordsError> {
        let mut call = self.scripts.release.prepare_invoke();
        call.key(self.keys.record(&release.key))
            .key(self.keys.late(&release.key, &release.owner))
            .arg(release.owner.to_string())
            .arg(u8::from(release.unanswered))
            .arg(millis(REFUSED));
        self.invoke(call).await
    }

    pub(super) async fn spend(self: &Arc<Self>, spend: &Spend) -> Result<(bool, u64), RecordsError> {
        let mut call = self.scripts.spend.prepare_invoke();
        call.key(self.keys.record(&spend.nonce))
            .key(&self.keys.since)
            .arg(millis(spend.retention))
            .arg(spend.now.as_millis())
            .arg(millis(SINCE.max(spend.retention)));
        self.invoke(call).await
    }

    /// The connection. Whoever comes first has it made, by a task of its own: those who wait may leave.
    async fn live(self: &Arc<Self>) -> Result<Arc<MultiplexedConnection>, RecordsError> {
        let mut connecting = {
            let mut state = self.state();
            if let Some(live) = &state.live {
                return Ok(Arc::clone(live));
            }
            if let Some((failure, until)) = &state.failed
                && Instant::now() < *until
            {
                return Err(failure.error());
            }
            match &state.connecting {
                Some(connecting) if connecting.has_changed().is_ok() => connecting.clone(),
                _ => {
                    let (done, connecting) = watch::channel(());
                    state.connecting = Some(connecting.clone());
                    drop(tokio::spawn(Arc::clone(self).connect(done)));
                    connecting
                }
            }
        };
        // Nothing is ever sent: this ends when the sender is dropped.
        let _ = connecting.changed().await;
        let state = self.state();
        match (&state.live, &state.failed) {
            (Some(live), _) => Ok(Arc::clone(live)),
            (None, Some((failure, _))) => Err(failure.error()),
            (None, None) => Err(RecordsError::new(
                RecordsErrorKind::Unavailable,
                "the connection was lost at once",
            )),
        }
    }

    async fn connect(self: Arc<Self>, done: watch::Sender<()>) {
        let result = timeout(CONNECT, self.meet()).await.unwrap_or_else(|_| {
            Err(Failure {
                kind: RecordsErrorKind::Unavailable,
                message: format!("no connection in {CONNECT:?}"),
            })
        });
        let mut state = self.state();
        match result {
            Ok(live) => {
                state.live = Some(Arc::new(live));
                state.failed = None;
            }
            Err(failure) => {
                if failure.kind == RecordsErrorKind::Evicting {
                    tracing::error!(
                        server = self.name,
                        error = failure.message,
                        "a server is not fit for idempotency records"
                    );
                }
                state.failed = Some((failure, Instant::now() + REST));
            }
        }
        drop(state);
        drop(done);
    }

    /// Connects, learns whether the server may be used, and lets the memory of nonces begin.
    async fn meet(&self) -> Result<MultiplexedConnection, Failure> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(RESPONSE));
        let connected = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await;
        let mut connection = connected.map_err(Failure::to_connect)?;
        let memory: String = redis::cmd("INFO")
            .arg("memory")
            .query_async(&mut connection)
            .await
            .map_err(Failure::to_connect)?;
        let policy = memory
            .lines()
            .find_map(|line| line.strip_prefix("maxmemory_policy:"))
            .map_or("noeviction", str::trim);
        if policy != "noeviction" {
            return Err(Failure {
                kind: RecordsErrorKind::Evicting,
                message: format!("maxmemory-policy is {policy}: records could vanish, use noeviction"),
            });
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis);
        let mut since = redis::cmd("SET");
        since
            .arg(&self.keys.since)
            .arg(now)
            .arg("NX")
            .arg("PX")
            .arg(millis(SINCE));
        since
            .exec_async(&mut connection)
            .await
            .map_err(Failure::to_connect)?;
        for script in self.scripts.all() {
            // Only saves the first calls a detour.
            let _ = script.load_async(&mut connection).await;
        }
        Ok(connection)
    }

    async fn invoke<T: FromRedisValue>(
        self: &Arc<Self>,
        call: ScriptInvocation<'_>,
    ) -> Result<T, RecordsError> {
        let live = self.live().await?;
        let result = call.invoke_async(&mut MultiplexedConnection::clone(&live)).await;
        result.map_err(|error| self.failed(&live, error))
    }

    /// Gives a connection up that has failed, or on which nothing is answered.
    fn failed(&self, live: &Arc<MultiplexedConnection>, error: RedisError) -> RecordsError {
        let kind = if error.is_timeout() {
            RecordsErrorKind::Timeout
        } else if error.is_io_error() || error.is_unrecoverable_error() {
            RecordsErrorKind::Io
        } else {
            RecordsErrorKind::Protocol
        };
        if kind != RecordsErrorKind::Protocol {
            let mut state = self.state();
            // Unless it has been replaced already.
            if state
                .live
                .as_ref()
                .is_some_and(|current| Arc::ptr_eq(current, live))
            {
                state.live = None;
            }
        }
        RecordsError::new(kind, error.to_string()).with_source(error)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Consistent at every point at which a panic can come.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scripts {
    const fn all(&self) -> [&Script; 5] {
        [&self.claim, &self.renew, &self.finish, &self.release, &self.spend]
    }
}

impl Failure {
    #[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
    fn to_connect(error: RedisError) -> Self {
        Self {
            kind: RecordsErrorKind::Unavailable,
            message: error.to_string(),
        }
    }

    fn error(&self) -> RecordsError {
        RecordsError::new(self.kind, self.message.clone())
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the client: its URL may have a password in it.
        f.debug_struct("Link")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_show_the_password() {
        let link = Link::new("redis://me:secret@127.0.0.1:6390/", Keys::new("p".into())).unwrap();
        let shown = format!("{link:?}");
        assert!(
            shown.contains("127.0.0.1:6390") && !shown.contains("secret"),
            "{shown}"
        );
    }
}
