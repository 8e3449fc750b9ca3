//! A node on a Redis or Valkey server.

mod bells;
mod link;
mod scripts;

use std::sync::Arc;
use std::time::Duration;

use crate::node::{
    Acquire, Extend, Extension, LockNode, NodeError, NodeErrorKind, NodeFuture, Release, Removal,
    Subscription, Vote,
};
use crate::token::{FencingToken, Owner};
use link::Link;
use scripts::Keys;

/// The longest `ttl` by default.
const MAX_TTL: Duration = Duration::from_secs(5 * 60);

/// A vote on a Redis (6 or later) or Valkey server.
///
/// There is one connection, which is made at first use, carries all commands and the news of releases, and is made again
/// when it fails. Each step is one script.
///
/// **Memory.** A server that may have forgotten votes must not vote until they would have run out. So a node that is seen
/// empty, after `FLUSHALL` or on first use, or that is another process than before, after a restart or a failover, is
/// quarantined for [`max_ttl`](RedisNodeBuilder::max_ttl) and answers [`Vote::Quarantined`]. A server that was never used
/// for locks can be told so with [`commission`](Self::commission). A server that evicts keys is refused.
///
/// **Keys.** `{prefix}:{…}` has the vote, and with `:fence` behind it the highest token, which is forgotten after 24 hours
/// without use; `:readers`, `:shared` and `:bar` are there while a lock is shared, and `:line` for ten
/// seconds after somebody waited. The channel `{prefix}:{…}:free` tells of
/// releases; `{prefix}:marker` and `{prefix}:quarantine` are the memory of having a memory.
///
/// # Replicas, Sentinel and Cluster
///
/// These are weaker than servers that are independent of each other: replication is asynchronous, so that a failover may
/// forget votes. The new primary is then quarantined: nobody gets a lock for `max_ttl`, and no lock is given away twice,
/// unless two primaries go on beside each other. If the old one can still be reached by some, two may hold one lock until it
/// stops; only the fence keeps them apart then.
///
/// - **Sentinel**: the URL is that of the primary, by a name that follows it. A replica refuses to vote.
/// - **Cluster**: the URL is that of one primary, and the [`prefix`](RedisNodeBuilder::prefix) has a hash tag that lies in its
///   slots, such as `{lock}`: all locks are then in that slot, because a vote and the marker have to meet in one script. Without
///   the tag every call fails. The node does not follow a slot that moves.
#[derive(Debug, Clone)]
pub struct RedisNode {
    link: Arc<Link>,
}

/// Makes a [`RedisNode`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct RedisNodeBuilder {
    url: String,
    prefix: String,
    max_ttl: Duration,
}

impl RedisNodeBuilder {
    /// What the names of all keys and channels begin with. `larder:lock` by default. All who share locks need the same. On a
    /// primary of Redis Cluster it needs a hash tag.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The longest `ttl` (and `at_least_for`) that anybody uses with this server, and so the time for which it is
    /// quarantined when it may have forgotten votes. Five minutes by default. A lock with a longer one is refused
    /// ([`NodeErrorKind::Refused`]). All who share locks need the same.
    pub fn max_ttl(mut self, max_ttl: Duration) -> Self {
        self.max_ttl = max_ttl;
        self
    }

    /// The node. Does not connect yet.
    ///
    /// # Errors
    ///
    /// When the URL cannot be read, or asks for TLS, which is not there.
    pub fn build(self) -> Result<RedisNode, NodeError> {
        let link = Link::new(&self.url, Keys::new(&self.prefix), self.max_ttl)?;
        Ok(RedisNode { link: Arc::new(link) })
    }
}

impl RedisNode {
    /// A node at `url` with the settings of a [`builder`](Self::builder). Does not connect yet.
    ///
    /// # Errors
    ///
    /// When the URL cannot be read, or asks for TLS, which is not there.
    pub fn new(url: impl Into<String>) -> Result<Self, NodeError> {
        Self::builder(url).build()
    }

    /// Starts from settings of your own. The URL is `redis://[user:password@]host[:port][/database]` or
    /// `unix:///path/to/socket`.
    pub fn builder(url: impl Into<String>) -> RedisNodeBuilder {
        RedisNodeBuilder {
            url: url.into(),
            prefix: "larder:lock".to_owned(),
            max_ttl: MAX_TTL,
        }
    }

    /// Connects, if that has not been done yet, and says whether the server may be used for locks. Call it when your
    /// program starts, to hear of a wrong configuration then.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached, refuses the credentials, or evicts keys ([`NodeErrorKind::Evicting`]).
    pub async fn check(&self) -> Result<(), NodeError> {
        self.link.live().await.map(drop)
    }

    /// Declares that no lock is held on this server, and so ends a quarantine: for a server that is new, or all of whose
    /// users have been stopped. If that is not true, two can hold one lock.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached.
    pub async fn commission(&self) -> Result<(), NodeError> {
        self.link.commission().await
    }
}

impl LockNode for RedisNode {
    fn name(&self) -> &str {
        self.link.name()
    }

    fn acquire<'a>(&'a self, request: &'a Acquire) -> NodeFuture<'a, Vote> {
        Box::pin(async {
            self.link.refuse_above_max(request.ttl)?;
            let (code, number, owner) = self.link.acquire(request).await?;
            match code {
                scripts::GRANTED => Ok(Vote::Granted),
                scripts::HELD => Ok(Vote::Held {
                    holder: Owner::parse(&owner),
                    remaining: millis(&number),
                }),
                scripts::TAKEN => Ok(Vote::Taken {
                    remaining: millis(&number),
                }),
                scripts::OUTDATED => Ok(Vote::Outdated {
                    stored: FencingToken::from_u64(number.parse().unwrap_or(u64::MAX)),
                }),
                scripts::QUARANTINED => Ok(Vote::Quarantined {
                    remaining: millis(&number),
                }),
                scripts::ANOTHER_LIFE => {
                    self.link.forget_connection();
                    Err(NodeError::new(
                        NodeErrorKind::Io,
                        "the server is another than the one that was connected to",
                    ))
                }
                scripts::AHEAD => Err(NodeError::new(
                    NodeErrorKind::ClockSkew,
                    "this machine's clock is more than an hour ahead of the server's",
                )),
                _ => Err(NodeError::new(
                    NodeErrorKind::Protocol,
                    format!("answered {code}"),
                )),
            }
        })
    }

    fn extend<'a>(&'a self, request: &'a Extend) -> NodeFuture<'a, Extension> {
        Box::pin(async {
            self.link.refuse_above_max(request.ttl)?;
            let extended = self.link.extend(request).await?;
            Ok(if extended {
                Extension::Extended
            } else {
                Extension::NotOwner
            })
        })
    }

    fn release<'a>(&'a self, request: &'a Release) -> NodeFuture<'a, Removal> {
        Box::pin(async { self.link.release(request).await })
    }

    fn subscribe<'a>(&'a self, key: &'a str) -> NodeFuture<'a, Subscription> {
        Box::pin(self.link.subscribe(key))
    }

    fn probe(&self) -> NodeFuture<'_, ()> {
        Box::pin(self.link.ping())
    }
}

/// A time in milliseconds, as `PTTL` gives it.
fn millis(number: &str) -> Duration {
    match number.parse::<i64>() {
        // A key that lives for ever is none of ours: only somebody's hand removes it.
        Ok(-1) | Err(_) => Duration::from_secs(24 * 60 * 60),
        Ok(millis) => Duration::from_millis(u64::try_from(millis).unwrap_or(0)),
    }
}
