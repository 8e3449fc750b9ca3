//! The contract of a node: what keeps one vote of a lock.

use std::error::Error;
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::name::LockMode;
use crate::token::{FencingToken, Owner, Waiter};

/// What a node's method returns: its answer, later.
pub type NodeFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, NodeError>> + Send + 'a>>;

/// One of the independent servers that vote on locks.
///
/// Each method is one atomic step at the node. [`LockTable`](crate::LockTable) has the rules of those steps as a plain data
/// structure; a node that is made otherwise has to follow the same rules.
///
/// The caller limits its patience, not the node: it stops *counting* on an answer after
/// [`per_node_timeout`](crate::LockOptions::per_node_timeout) and then goes on polling the future for a while, because
/// a grant that comes late has to be undone. A node limits how long a call can hang at all, to a few seconds, and answers
/// with an error then. A future that is dropped may or may not have done its step.
///
/// `acquire`, `extend` and `release` of one lock should reach the server in the order in which they were first polled, as
/// they do on one connection. Where they do not, nothing breaks, but an acquisition may meet the remains of the last one.
pub trait LockNode: Send + Sync + 'static {
    /// The name of the node in logs, errors and the metric label `node`: an address, without credentials.
    fn name(&self) -> &str;

    /// Votes for the caller if the lock is free and the token above all that were granted before. A vote that is asked for
    /// [shared](Acquire::mode) is given beside other shared votes, and if the token is above all that were granted exclusively.
    fn acquire<'a>(&'a self, request: &'a Acquire) -> NodeFuture<'a, Vote>;

    /// Sets the time that the lock has left, if the caller still holds this node's vote.
    fn extend<'a>(&'a self, request: &'a Extend) -> NodeFuture<'a, Extension>;

    /// Takes the vote back if it is still the caller's, and sees to it that an [`acquire`](Self::acquire) of the same token
    /// that is still on its way is refused when it comes. The latter is left out for a shared vote that was there and is
    /// released with [`wake`](Release::wake): it has come, and those who share a lock do not outbid each other.
    fn release<'a>(&'a self, request: &'a Release) -> NodeFuture<'a, Removal>;

    /// Tells whenever the lock becomes free by a release with [`Release::wake`], from the moment at which this returns, and
    /// whose turn it should be: [`Ring::after`] is what to tell.
    /// Waiters also ask now and then by themselves, so a node without push returns [`Subscription::silent`].
    fn subscribe<'a>(&'a self, key: &'a str) -> NodeFuture<'a, Subscription>;

    /// Whether it can be asked. By default it can: there is nothing behind it that could fail.
    fn probe(&self) -> NodeFuture<'_, ()> {
        Box::pin(ready(Ok(())))
    }
}

/// A request for a node's vote.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Acquire {
    /// The name of the lock.
    pub key: Arc<str>,
    /// Who asks.
    pub owner: Owner,
    /// The proposed token.
    pub token: FencingToken,
    /// After this time the node forgets the vote by itself. Whole milliseconds.
    pub ttl: Duration,
    /// Whether the vote may be one of several.
    pub mode: LockMode,
    /// If an exclusive vote is refused because of shared ones, the node gives no further shared ones for this time, so that
    /// the caller has its turn when those there are have gone. Zero if the caller does not wait. Whole milliseconds.
    pub bar: Duration,
    /// Who is to be named when the lock becomes free, if it is held now by one who has it alone. A node may forget that, and
    /// needs not remember more than a few.
    pub waiter: Option<Waiter>,
}

impl Acquire {
    /// A request of `owner` for an exclusive vote, who does not wait.
    #[must_use]
    pub fn new(key: impl Into<Arc<str>>, owner: Owner, token: FencingToken, ttl: Duration) -> Self {
        Self {
            key: key.into(),
            owner,
            token,
            ttl,
            mode: LockMode::Exclusive,
            bar: Duration::ZERO,
            waiter: None,
        }
    }

    /// The same in this mode.
    #[must_use]
    pub const fn mode(mut self, mode: LockMode) -> Self {
        self.mode = mode;
        self
    }

    /// The same, and no further shared votes for so long if it is refused because of shared ones.
    #[must_use]
    pub const fn bar(mut self, time: Duration) -> Self {
        self.bar = time;
        self
    }

    /// The same for one who waits.
    #[must_use]
    pub const fn waiter(mut self, waiter: Option<Waiter>) -> Self {
        self.waiter = waiter;
        self
    }
}

/// A request to keep a node's vote for longer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Extend {
    /// The name of the lock.
    pub key: Arc<str>,
    /// Who holds it.
    pub owner: Owner,
    /// The time that it shall have left from now on, be that more or less than it has. Whole milliseconds.
    pub ttl: Duration,
}

impl Extend {
    /// A request of `owner`.
    #[must_use]
    pub fn new(key: impl Into<Arc<str>>, owner: Owner, ttl: Duration) -> Self {
        Self {
            key: key.into(),
            owner,
            ttl,
        }
    }
}

/// A request to take a vote back.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Release {
    /// The name of the lock.
    pub key: Arc<str>,
    /// Who held it.
    pub owner: Owner,
    /// The highest token that this owner proposed. The node raises its stored token to it.
    pub token: FencingToken,
    /// Whether to tell those who [subscribed](LockNode::subscribe), if there was a vote to take back.
    pub wake: bool,
    /// Who waits on where this one had the lock, and comes after those who wait elsewhere.
    pub waiter: Option<Waiter>,
}

impl Release {
    /// A request of `owner`.
    #[must_use]
    pub fn new(key: impl Into<Arc<str>>, owner: Owner, token: FencingToken, wake: bool) -> Self {
        Self {
            key: key.into(),
            owner,
            token,
            wake,
            waiter: None,
        }
    }

    /// The same where somebody else waits on.
    #[must_use]
    pub const fn waiter(mut self, waiter: Option<Waiter>) -> Self {
        self.waiter = waiter;
        self
    }
}

/// The answer to [`LockNode::acquire`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vote {
    /// The vote is the caller's.
    Granted,
    /// Another has it.
    Held {
        /// Who.
        holder: Owner,
        /// How long it stays so if it is neither extended nor released.
        remaining: Duration,
    },
    /// Several may have it together, or one who waits for it alone comes first.
    Taken {
        /// How long it stays so if nothing is extended or released.
        remaining: Duration,
    },
    /// The node has granted a token at least as high: propose a higher one.
    Outdated {
        /// The highest token granted.
        stored: FencingToken,
    },
    /// The node was seen empty, so it may have forgotten votes, and does not vote until they have all run out.
    Quarantined {
        /// How long that is.
        remaining: Duration,
    },
}

/// The answer to [`LockNode::extend`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// The vote has the new time left.
    Extended,
    /// The vote is not the caller's: it ran out, was forgotten, or is another's by now.
    NotOwner,
}

/// The answer to [`LockNode::release`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// The vote was the caller's and is free now.
    Removed,
    /// The same, and somebody who waits was named.
    PassedOn {
        /// Who.
        to: Waiter,
    },
    /// The vote was not the caller's.
    NotOwner,
}

/// The news of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ring {
    /// The token of the one who released.
    pub token: FencingToken,
    /// Whose turn it should be; `None` if the node knows of nobody.
    pub next: Option<Waiter>,
}

impl Ring {
    /// News of a release with this token, after which it should be `next`'s turn.
    #[must_use]
    pub const fn new(token: FencingToken, next: Option<Waiter>) -> Self {
        Self { token, next }
    }

    /// What a node has to tell after `request` came to `removal`, if the lock is free now.
    #[must_use]
    pub fn after(request: &Release, removal: Removal) -> Option<Self> {
        let next = match removal {
            Removal::Removed => None,
            Removal::PassedOn { to } => Some(to),
            Removal::NotOwner => return None,
        };
        request.wake.then_some(Self::new(request.token, next))
    }
}

/// How much news one who listens can have unread. What comes on top of it is not told: it has enough to wake up for.
const UNREAD: usize = 8;

/// Hears of the releases of one lock at one node. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription(Option<mpsc::Receiver<Ring>>);

/// The sending end of a [`Subscription`], for those who write a node.
#[derive(Debug, Clone)]
pub struct Bell(mpsc::Sender<Ring>);

impl Subscription {
    /// A subscription and the bell that rings for it.
    #[must_use]
    pub fn channel() -> (Bell, Self) {
        let (sender, receiver) = mpsc::channel(UNREAD);
        (Bell(sender), Self(Some(receiver)))
    }

    /// A subscription that never hears of anything.
    #[must_use]
    pub const fn silent() -> Self {
        Self(None)
    }

    /// Waits until the lock is released at the node. Pending for ever once the node has given up the subscription.
    pub async fn rung(&mut self) {
        let heard = match &mut self.0 {
            Some(receiver) => receiver.recv().await,
            None => None,
        };
        if heard.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether there is a bell, or none is to be expected.
    pub(crate) fn is_open(&self) -> bool {
        self.0.as_ref().is_none_or(|receiver| !receiver.is_closed())
    }

    /// The news since the last look, without waiting: of several the last.
    pub(crate) fn poll_rung(&mut self, cx: &mut Context<'_>) -> Option<Ring> {
        let receiver = self.0.as_mut()?;
        let mut last = None;
        while let Poll::Ready(Some(ring)) = receiver.poll_recv(cx) {
            last = Some(ring);
        }
        last
    }
}

impl Bell {
    /// Tells the subscriber that the lock may be free for anybody.
    pub fn ring(&self) {
        self.tell(Ring::new(FencingToken::UNFENCED, None));
    }

    /// Tells the subscriber of a release.
    pub fn tell(&self, ring: Ring) {
        // Full: it has been told and has not looked. Closed: it is gone.
        let _ = self.0.try_send(ring);
    }

    /// Whether the subscriber is gone.
    #[must_use]
    pub fn is_unheard(&self) -> bool {
        self.0.is_closed()
    }
}

/// A node could not answer, or refused to.
#[derive(Debug, Clone)]
pub struct NodeError {
    kind: NodeErrorKind,
    message: Arc<str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// What kind of failure a [`NodeError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NodeErrorKind {
    /// No answer in time. The node may have done what it was asked.
    Timeout,
    /// The connection failed.
    Io,
    /// The node answered what it should not.
    Protocol,
    /// The node does not vote, because it was seen empty and may have forgotten votes.
    Quarantined,
    /// The node may not be used for locks: it evicts keys.
    Evicting,
    /// The request asks for more than was declared, such as a lifetime above `max_ttl`.
    Refused,
    /// The clocks of this client and of the node are too far apart.
    ClockSkew,
}

impl NodeErrorKind {
    /// The word for it in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Io => "io",
            Self::Protocol => "protocol",
            Self::Quarantined => "quarantined",
            Self::Evicting => "evicting",
            Self::Refused => "refused",
            Self::ClockSkew => "clock_skew",
        }
    }
}

impl NodeError {
    /// A failure of `kind`: what happened.
    #[must_use]
    pub fn new(kind: NodeErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into().into(),
            source: None,
        }
    }

    /// The same with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn kind(&self) -> NodeErrorKind {
        self.kind
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.as_str(), self.message)
    }
}

impl Error for NodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_ref()
            .map(|source| &**source as &(dyn Error + 'static))
    }
}
