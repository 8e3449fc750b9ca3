//! A real primary with a replica, and Sentinels that watch over them.

use std::time::Duration;

use crate::server::{RedisServer, RedisServerBuilder};
use crate::wait;

/// The name under which the Sentinels know the primary.
const NAME: &str = "larder";

/// The silence after which a Sentinel takes a server to be down, in milliseconds: more than the pauses of a busy machine.
const DOWN_AFTER: &str = "2000";

/// How long the servers may take to find each other, and a failover to be complete.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running primary and its replica, watched over by one Sentinel or several.
///
/// All of them are [`RedisServer`]s and end as those do. With one Sentinel they are ready in about a second.
///
/// ```
/// # #[cfg(unix)] {
/// use larder_testkit::RedisSentinel;
///
/// let mut redis = RedisSentinel::start();
/// let before = redis.primary();
/// redis.server(before).cli(&["SET", "shelf", "jam"]);
/// let after = redis.failover();
/// assert_ne!(after, before);
/// assert_eq!(redis.server(after).cli(&["GET", "shelf"]), "jam");
/// # }
/// ```
#[derive(Debug)]
pub struct RedisSentinel {
    // Before the servers, so that nobody is promoted while they end.
    sentinels: Vec<RedisServer>,
    servers: Vec<RedisServer>,
}

/// What a [`RedisSentinel`] is to be started with.
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `start` is called"]
pub struct RedisSentinelBuilder {
    server: RedisServerBuilder,
    sentinel: RedisServerBuilder,
    password: Option<String>,
    sentinels: usize,
}

impl RedisSentinelBuilder {
    /// How many Sentinels there are; by default one. Most of them must agree on a failover.
    ///
    /// # Panics
    ///
    /// When it is none.
    pub fn sentinels(mut self, sentinels: usize) -> Self {
        assert!(sentinels > 0, "a primary without a Sentinel is a `RedisServer`");
        self.sentinels = sentinels;
        self
    }

    /// The password of primary and replica, as [`RedisServerBuilder::password`]. The Sentinels have none.
    ///
    /// # Panics
    ///
    /// As there.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self.server = self.server.password(password);
        self
    }

    /// Has primary, replica and Sentinels speak TLS alone, also with each other, as
    /// [`RedisServerBuilder::tls`]. Clients must show a certificate of the `authority`.
    ///
    /// # Panics
    ///
    /// As there.
    pub fn tls(mut self, certificate: &str, key: &str, authority: &str) -> Self {
        self.server = self.server.tls(certificate, key, authority);
        self.sentinel = self.sentinel.tls(certificate, key, authority);
        self
    }

    /// Adds one word to the command line of primary and replica.
    pub fn arg(mut self, word: impl Into<String>) -> Self {
        self.server = self.server.arg(word);
        self
    }

    /// Starts all, and waits until the replica has its data and each Sentinel knows the others and the replica.
    ///
    /// # Panics
    ///
    /// As [`RedisServerBuilder::start`], and when they do not find each other in thirty seconds.
    #[must_use]
    pub fn start(self) -> RedisSentinel {
        // Else the replica waits for others that might want the same data.
        let server = self.server.arg("--repl-diskless-sync-delay").arg("0");
        let servers = vec![server.clone().start(), server.start()];
        let (primary, replica) = (&servers[0], &servers[1]);
        let port = primary.addr().port().to_string();
        replica.cli(&["REPLICAOF", "127.0.0.1", &port]);
        wait::until("a replica of the test follows", DEADLINE, || follows(replica));

        let quorum = (self.sentinels / 2 + 1).to_string();
        let sentinels: Vec<RedisServer> = (0..self.sentinels)
            .map(|_| self.sentinel.clone().watching().start())
            .collect();
        for sentinel in &sentinels {
            sentinel.cli(&["SENTINEL", "MONITOR", NAME, "127.0.0.1", &port, &quorum]);
            let password = self
                .password
                .iter()
                .map(|password| ("auth-pass", password.as_str()));
            let settings = [
                ("down-after-milliseconds", DOWN_AFTER),
                ("failover-timeout", "10000"),
            ];
            for (name, value) in settings.into_iter().chain(password) {
                sentinel.cli(&["SENTINEL", "SET", NAME, name, value]);
            }
        }
        let redis = RedisSentinel { sentinels, servers };
        redis.wait_until_watched();
        redis
    }
}

impl RedisSentinel {
    /// Starts a primary, a replica and one Sentinel.
    ///
    /// # Panics
    ///
    /// As [`RedisSentinelBuilder::start`].
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Starts from settings of your own.
    pub fn builder() -> RedisSentinelBuilder {
        RedisSentinelBuilder {
            server: RedisServer::builder(),
            sentinel: RedisServer::builder(),
            password: None,
            sentinels: 1,
        }
    }

    /// The name under which the Sentinels know the primary: `larder`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        NAME
    }

    /// The addresses of the Sentinels.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.sentinels.iter().map(RedisServer::url).collect()
    }

    /// The Sentinels.
    #[must_use]
    pub fn sentinels(&self) -> &[RedisServer] {
        &self.sentinels
    }

    /// Which of the two servers the Sentinels name as the primary.
    ///
    /// # Panics
    ///
    /// When the first Sentinel names none of them.
    #[must_use]
    pub fn primary(&self) -> usize {
        let named = self.named(&self.sentinels[0]);
        named.unwrap_or_else(|state| panic!("the test's Sentinel names no primary: {state}"))
    }

    /// One of the two servers.
    ///
    /// # Panics
    ///
    /// When `server` is not below two.
    #[must_use]
    pub fn server(&self, server: usize) -> &RedisServer {
        &self.servers[server]
    }

    /// One of the two servers: to [kill](RedisServer::kill) and to [restart](RedisServer::restart). The Sentinels make
    /// a replica of an old primary that comes back, some seconds later.
    ///
    /// # Panics
    ///
    /// When `server` is not below two.
    #[must_use]
    pub fn server_mut(&mut self, server: usize) -> &mut RedisServer {
        &mut self.servers[server]
    }

    /// Makes the replica the primary, as an operator would do it, and waits until all Sentinels name it and it takes
    /// writes. What was written before is not lost, what is written meanwhile may be. The old primary becomes its
    /// replica. Returns the new primary.
    ///
    /// # Panics
    ///
    /// When that is not done in thirty seconds.
    pub fn failover(&mut self) -> usize {
        let other = 1 - self.primary();
        let written = offset(&self.servers[1 - other], "master_repl_offset:");
        wait::until("the test's Sentinel begins a failover", DEADLINE, || {
            let read = offset(&self.servers[other], "slave_repl_offset:");
            if read < written {
                return Err(format!(
                    "the replica is at {read:?}, the primary was at {written:?}"
                ));
            }
            let begun = self.sentinels[0].command(&["SENTINEL", "FAILOVER", NAME], DEADLINE);
            begun.map(drop).map_err(|e| e.to_string())
        });
        self.wait_until_primary(other);
        other
    }

    /// Makes the replica a primary as well, which most Sentinels name from then on, as if they could not reach the old one.
    /// Nobody tells the old one: it answers on. Returns the new one.
    ///
    /// # Panics
    ///
    /// When a server or a Sentinel refuses.
    #[must_use]
    pub fn replace_primary(&self) -> usize {
        let new = 1 - self.primary();
        self.server(new).cli(&["REPLICAOF", "NO", "ONE"]);
        let port = self.server(new).addr().port().to_string();
        let most = self.sentinels.len() / 2 + 1;
        for sentinel in &self.sentinels[..most] {
            sentinel.cli(&["SENTINEL", "REMOVE", self.name()]);
            sentinel.cli(&[
                "SENTINEL",
                "MONITOR",
                self.name(),
                "127.0.0.1",
                &port,
                &most.to_string(),
            ]);
        }
        new
    }

    /// Kills the primary and waits until the Sentinels, which see it after two seconds, have made the replica the
    /// primary. Returns the new one; the old one can be [restarted](Self::server_mut).
    ///
    /// # Panics
    ///
    /// When that is not done in thirty seconds.
    pub fn lose_primary(&mut self) -> usize {
        let lost = self.primary();
        self.servers[lost].kill();
        self.wait_until_primary(1 - lost);
        1 - lost
    }

    fn wait_until_primary(&self, server: usize) {
        wait::until("the test's Sentinels agree on a primary", DEADLINE, || {
            for sentinel in &self.sentinels {
                let named = self.named(sentinel)?;
                if named != server {
                    return Err(format!("server {named} is named"));
                }
            }
            let role = self.servers[server]
                .command(&["ROLE"], DEADLINE)
                .map_err(|e| e.to_string())?;
            if role.starts_with("master") {
                Ok(())
            } else {
                Err(role)
            }
        });
    }

    /// The server that `sentinel` names as the primary.
    fn named(&self, sentinel: &RedisServer) -> Result<usize, String> {
        let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME];
        let named = sentinel.command(&words, DEADLINE).map_err(|e| e.to_string())?;
        let port = named.lines().nth(1).unwrap_or_default();
        let found = self
            .servers
            .iter()
            .position(|server| server.addr().port().to_string() == port);
        found.ok_or(named)
    }

    fn wait_until_watched(&self) {
        let others = (self.sentinels.len() - 1).to_string();
        for sentinel in &self.sentinels {
            wait::until("a Sentinel of the test knows all", DEADLINE, || {
                let master = sentinel.cli(&["SENTINEL", "MASTER", NAME]);
                let replicas = sentinel.cli(&["SENTINEL", "REPLICAS", NAME]);
                let known = field(&master, "num-other-sentinels") == Some(&others)
                    && field(&replicas, "flags") == Some("slave")
                    && field(&replicas, "master-link-status") == Some("ok");
                if known {
                    Ok(())
                } else {
                    Err(master + "\n" + &replicas)
                }
            });
        }
    }
}

/// The value after `name` in a reply of names and values, a line each.
fn field<'a>(reply: &'a str, name: &str) -> Option<&'a str> {
    reply.lines().skip_while(|line| *line != name).nth(1)
}

/// How far a server has come in the stream of writes.
fn offset(server: &RedisServer, name: &str) -> Option<u64> {
    // A Sentinel that changes a server's place cuts its clients off.
    let info = server.command(&["INFO", "replication"], DEADLINE).ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix(name));
    line?.trim().parse().ok()
}

pub(crate) fn follows(replica: &RedisServer) -> Result<(), String> {
    let info = replica
        .command(&["INFO", "replication"], DEADLINE)
        .map_err(|e| e.to_string())?;
    if info.contains("master_link_status:up") {
        Ok(())
    } else {
        Err(info)
    }
}
