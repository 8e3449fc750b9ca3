//! What a store is told when it is made.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use larder_store::Clock;
use redis::RedisError;

use crate::board::Board;
use crate::budget::Budget;
use crate::feed::Coherence;
use crate::link::Link;
use crate::pack::Packing;
use crate::place::Place;
use crate::protocol::Names;
use crate::source::Source;
use crate::tls::Certificates;

/// Makes a [`RedisStore`](crate::RedisStore).
#[derive(Clone)]
#[must_use = "a builder does nothing until `open` or `connect` is called"]
pub struct Builder {
    place: Place,
    listen_at: Option<Place>,
    certificates: Certificates,
    namespace: String,
    pub(crate) memory: u64,
    pub(crate) longest: Duration,
    pub(crate) largest: usize,
    pub(crate) budget: Budget,
    pub(crate) clock: Clock,
    pub(crate) coherence: Coherence,
    pub(crate) packing: Packing,
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

    /// Entries of at least so many bytes are compressed on the server, with LZ4, where that saves an eighth of them at least.
    /// 16 KiB by default; `usize::MAX` compresses none. For a program without the feature `compression` they are misses.
    #[cfg(feature = "compression")]
    pub fn compress_from(mut self, bytes: usize) -> Self {
        self.packing.from = bytes;
        self
    }

    /// Where the server is listened to for [`Coherence::Bounded`], if that is not the place that the store was made with: a
    /// connection manager, a pool or a cluster connection does not say where it leads. It must be the same server.
    pub fn listen_at(mut self, place: impl Into<Place>) -> Self {
        self.listen_at = Some(place.into());
        self
    }

    /// The certificate of the authority that servers are believed by, in PEM, in place of those of the machine. For
    /// `rediss://`, and connections of the store's own.
    #[cfg(feature = "tls")]
    pub fn authority(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates.authority = Some(pem.into());
        self
    }

    /// The certificate and the key, in PEM, by which servers know this service. By default there is none.
    #[cfg(feature = "tls")]
    pub fn certificate(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.certificates.own = Some((certificate.into(), key.into()));
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
    pub(crate) fn new(place: Place) -> Self {
        Self {
            place,
            listen_at: None,
            certificates: Certificates::default(),
            namespace: "larder".to_owned(),
            memory: 64 << 20,
            longest: Duration::from_secs(24 * 60 * 60),
            largest: 8 << 20,
            budget: Budget::default(),
            clock: Clock::system(),
            coherence: Coherence::Strict,
            packing: Packing::default(),
        }
    }

    /// The connection, which is not made yet.
    pub(crate) fn link(&self) -> Result<Link, ConnectError> {
        let unusable = |error: RedisError| ConnectError::new("the place of the server cannot be used", error);
        let source = |place| Source::new(place, &self.certificates, self.budget).map_err(unusable);
        let (here, listened) = (
            source(&self.place)?,
            self.listen_at.as_ref().map(source).transpose()?,
        );
        let board = self.coherence.bound().map(|_| Board::new());
        if board.is_some() && !listened.as_ref().unwrap_or(&here).can_listen() {
            let needed = "nobody can listen on a connection that is made elsewhere: name the server with `listen_at`, or \
                          choose `Coherence::Strict`";
            return Err(ConnectError::new(
                "`Coherence::Bounded` needs a connection of its own",
                needed,
            ));
        }
        let names = Names::new(&self.namespace);
        Ok(Link::new(here, listened, names, self.budget, board))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the URL, which may have a password in it.
        f.debug_struct("Builder")
            .field("place", &self.place)
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
