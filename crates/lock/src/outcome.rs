//! What came of it: the outcome of a locked run, and why a lock was not to be had.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::node::NodeError;

/// What came of [`Locker::with_lock`](crate::Locker::with_lock).
#[derive(Debug)]
#[must_use = "the closure may not have run, or without the lock"]
pub enum Outcome<T> {
    /// The closure ran, and the lock was held until it returned.
    Ran(T),
    /// The closure ran without any lock, as [`OnUnavailable::RunUnlocked`](crate::OnUnavailable::RunUnlocked) allows.
    RanUnlocked(T),
    /// Another holds the lock. The closure did not run.
    Busy {
        /// When to try again: the time after which the lock is free if its holder has vanished.
        retry_after: Duration,
    },
    /// The lock was lost before the closure returned: another may have run beside it.
    Lost {
        /// What the closure returned, if it ran to its end.
        value: Option<T>,
        /// How the lock was lost.
        cause: LossCause,
    },
    /// No majority of nodes answered. The closure did not run.
    Unavailable(Unavailable),
}

impl<T> Outcome<T> {
    /// The word for it in logs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Ran(_) => "ran",
            Self::RanUnlocked(_) => "ran_unlocked",
            Self::Busy { .. } => "busy",
            Self::Lost { .. } => "lost",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// What the closure returned, if it ran and the lock was held until it returned.
    #[must_use]
    pub fn ran(self) -> Option<T> {
        match self {
            Self::Ran(value) => Some(value),
            _ => None,
        }
    }

    /// What the closure returned if the lock was held until then, and otherwise an error for `?`. The value of a closure
    /// that lost its lock is dropped.
    ///
    /// # Errors
    ///
    /// On every outcome but [`Ran`](Self::Ran) and [`RanUnlocked`](Self::RanUnlocked).
    pub fn into_result(self) -> Result<T, LockError> {
        let reason = match self {
            Self::Ran(value) | Self::RanUnlocked(value) => return Ok(value),
            Self::Busy { retry_after } => Reason::Busy { retry_after },
            Self::Lost { cause, .. } => Reason::Lost(cause),
            Self::Unavailable(nodes) => Reason::Unavailable(nodes),
        };
        Err(LockError { reason })
    }
}

/// How a lock was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LossCause {
    /// Its validity ended before it was extended: nothing extended it, or the process was paused or too busy to.
    Expired,
    /// It was held for `max_hold`.
    MaxHold,
    /// No majority of nodes answered the extensions until its validity ended.
    Quorum,
    /// So many nodes no longer had the vote that a majority was out of reach: they had forgotten it, or its time there
    /// had run out.
    NotOwner,
}

impl LossCause {
    /// The word for it in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::MaxHold => "max_hold",
            Self::Quorum => "quorum",
            Self::NotOwner => "not_owner",
        }
    }
}

impl fmt::Display for LossCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "its validity ended",
            Self::MaxHold => "it was held for the longest time allowed",
            Self::Quorum => "no majority of nodes answered until its validity ended",
            Self::NotOwner => "a majority of nodes no longer had the vote",
        })
    }
}

/// No majority of nodes answered: what each of them said.
#[derive(Debug, Clone)]
pub struct Unavailable {
    nodes: Vec<NodeReport>,
}

/// What one node said when no majority could be had.
#[derive(Debug, Clone)]
pub struct NodeReport {
    node: String,
    error: Option<NodeError>,
}

impl Unavailable {
    pub(crate) const fn new(nodes: Vec<NodeReport>) -> Self {
        Self { nodes }
    }

    /// Each node's report, in the order in which the nodes were given.
    #[must_use]
    pub fn nodes(&self) -> &[NodeReport] {
        &self.nodes
    }
}

impl NodeReport {
    pub(crate) const fn new(node: String, error: Option<NodeError>) -> Self {
        Self { node, error }
    }

    /// The node's name.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Why it did not vote, or `None` if it did.
    #[must_use]
    pub const fn error(&self) -> Option<&NodeError> {
        self.error.as_ref()
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.nodes.iter().filter(|report| report.error.is_some());
        write!(
            f,
            "{} of {} nodes did not vote",
            failed.clone().count(),
            self.nodes.len()
        )?;
        for (index, report) in failed.enumerate() {
            let Some(error) = &report.error else { continue };
            let separator = if index == 0 { ":" } else { ";" };
            write!(f, "{separator} {}: {error}", report.node)?;
        }
        Ok(())
    }
}

/// A lock was not to be had, or was lost.
#[derive(Debug)]
pub struct LockError {
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    Busy { retry_after: Duration },
    Lost(LossCause),
    Unavailable(Unavailable),
}

/// What kind of failure a [`LockError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LockErrorKind {
    /// Another holds the lock.
    Busy,
    /// The lock was lost.
    Lost,
    /// No majority of nodes answered.
    Unavailable,
}

impl LockErrorKind {
    /// The word for it in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Lost => "lost",
            Self::Unavailable => "unavailable",
        }
    }
}

impl LockError {
    pub(crate) const fn busy(retry_after: Duration) -> Self {
        Self {
            reason: Reason::Busy { retry_after },
        }
    }

    pub(crate) const fn unavailable(nodes: Unavailable) -> Self {
        Self {
            reason: Reason::Unavailable(nodes),
        }
    }

    pub(crate) const fn lost(cause: LossCause) -> Self {
        Self {
            reason: Reason::Lost(cause),
        }
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn kind(&self) -> LockErrorKind {
        match self.reason {
            Reason::Busy { .. } => LockErrorKind::Busy,
            Reason::Lost(_) => LockErrorKind::Lost,
            Reason::Unavailable(_) => LockErrorKind::Unavailable,
        }
    }

    /// When to try again, if another holds the lock.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self.reason {
            Reason::Busy { retry_after } => Some(retry_after),
            _ => None,
        }
    }

    /// How the lock was lost, if it was.
    #[must_use]
    pub const fn cause(&self) -> Option<LossCause> {
        match self.reason {
            Reason::Lost(cause) => Some(cause),
            _ => None,
        }
    }

    /// What each node said, if no majority of them answered.
    #[must_use]
    pub fn nodes(&self) -> Option<&[NodeReport]> {
        match &self.reason {
            Reason::Unavailable(unavailable) => Some(unavailable.nodes()),
            _ => None,
        }
    }

    pub(crate) fn into_outcome<T>(self) -> Outcome<T> {
        match self.reason {
            Reason::Busy { retry_after } => Outcome::Busy { retry_after },
            Reason::Lost(cause) => Outcome::Lost { value: None, cause },
            Reason::Unavailable(nodes) => Outcome::Unavailable(nodes),
        }
    }
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Busy { retry_after } => {
                write!(f, "the lock is held by another; try again in {retry_after:?}")
            }
            Reason::Lost(cause) => write!(f, "the lock was lost: {cause}"),
            Reason::Unavailable(nodes) => write!(f, "no majority for the lock: {nodes}"),
        }
    }
}

impl Error for LockError {}
