//! What a store is told when it is made.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use larder_store::Clock;
use redis::io::tcp::TcpSettings;
use redis::{Client, IntoConnectionInfo};

use crate::board::Board;
use crate::budget::Budget;
use crate::feed::Coherence;
use crate::link::Link;
use crate::protocol::Names;

/// Makes a [`RedisStore`](crate::RedisStore).
#[derive(Clone)]
#[must_use = "a builder does nothing until `open` or `connect` is called"]
pub struct Builder {
    url: String,
    namespace: String,
    pub(crate) memory: u64,
    pub(crate) longest: Duration,
    pub(crate) largest: usize,
    pub(crate) budget: Budget,
    pub(crate) clock: Clock,
    pub(crate) coherence: Coherence,
}

impl Builder {
    /// What parts this service's keys from another's: 1 to 64 of `a-z 0-9 - _ .`. `larder` by default. All instances that
    /// share entries need the same.
    ///
    /// # Panics
    /// If it is not that.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        let namespace = namespace.into();
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        assert!(
            (1..=64).contains(&namespace.len()) && namespace.bytes().all(allowed),
            "a namespace is 1 to 64 of a-z, 0-9, -, _ and ., not {namespace:?}"
        );
        self.namespace = namespace;
        self
    }

    /// The bound of the bodies in this process's memory, in bytes. 64 MiB by default; 0 keeps none, else the least is
    /// 64 KiB.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// How long a look-up, a capture or a write may take: what a request waits at most for a server that does not answer,
    /// each time, until it is not asked any more. 40 ms by default. Less than
    /// [`Limits::store_timeout`](https://docs.rs/larder), or that one cuts it off first and nobody learns that the server is
    /// slow.
    pub fn budget(mut self, operation: Duration) -> Self {
        self.budget.operation = operation;
        self
    }

    /// How long an invalidation may take. 1.9 s by default: within this time it is sent again after a lost connection, and
    /// then it fails, and is owed.
    pub fn invalidation_budget(mut self, invalidation: Duration) -> Self {
        self.budget.invalidation = invalidation;
        self
    }

    /// How many operations may be under way at once; above it the store says that it is not available. 1024 by default.
    pub fn in_flight(mut self, operations: usize) -> Self {
        self.budget.in_flight = operations;
        self
    }

    /// The clock, by which the store knows when to look for a younger entry than the one in memory; by default the
    /// machine's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How an entry in memory is told to be valid. [`Coherence::Strict`] by default.
    pub fn coherence(mut self, coherence: Coherence) -> Self {
        self.coherence = coherence;
        self
    }

    /// The longest that an entry is kept on the server, stale windows included. 24 h by default. The records of tags are
    /// kept for twice as long.
    pub fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest.max(Duration::from_secs(1));
        self
    }

    /// The largest entry that is sent to the server, in bytes. 8 MiB by default.
    pub fn largest(mut self, bytes: usize) -> Self {
        self.largest = bytes;
        self
    }

    /// With everything by its default.
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            namespace: "larder".to_owned(),
            memory: 64 << 20,
            longest: Duration::from_secs(24 * 60 * 60),
            largest: 8 << 20,
            budget: Budget::default(),
            clock: Clock::system(),
            coherence: Coherence::Strict,
        }
    }

    /// The connection, which is not made yet.
    pub(crate) fn link(&self) -> Result<Link, ConnectError> {
        let unusable = |error| ConnectError::new("the URL of the server cannot be used", error);
        let info = self.url.as_str().into_connection_info().map_err(unusable)?;
        // Otherwise small commands wait for the acknowledgement of those before.
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let address = info.addr().to_string();
        let client = Client::open(info).map_err(unusable)?;
        let names = Names::new(&self.namespace);
        let board = self.coherence.bound().map(|_| Board::new());
        Ok(Link::new(client, address, names, self.budget, board))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the URL, which may have a password in it.
        f.debug_struct("Builder")
            .field("namespace", &self.namespace)
            .field("coherence", &self.coherence)
            .finish_non_exhaustive()
    }
}

/// A [`RedisStore`](crate::RedisStore) could not be made.
#[derive(Debug)]
pub struct ConnectError {
    message: &'static str,
    source: Box<dyn Error + Send + Sync>,
}

impl ConnectError {
    pub(crate) fn new(message: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            message,
            source: source.into(),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.source)
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
