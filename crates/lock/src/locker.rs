//! The locker: takes locks from its nodes and runs work under them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::acquisition::Acquisition;
use crate::entropy::Entropy;
use crate::held::Held;
use crate::lease::{Lease, LockGuard, Released};
use crate::memory::MemoryNode;
use crate::metrics::{self, AcquireResult};
use crate::name::{Lock, Locks};
use crate::node::LockNode;
#[cfg(feature = "redis")]
use crate::node::{NodeError, NodeErrorKind};
use crate::nodes::{NodeProbe, Nodes, WallClock, system_wall_clock};
use crate::options::{LockOptions, OnLoss, OnUnavailable};
use crate::outcome::{LockError, LockErrorKind, LossCause, Outcome};
use crate::queue::{Queue, QueuedLock};
#[cfg(feature = "redis")]
use crate::redis_node::RedisNode;

/// How many wait for one lock in one process, by default.
const MAX_WAITERS: usize = 1024;

/// Takes locks from a fixed set of nodes. Cheap to clone; clones share one queue of waiters.
///
/// All processes that are to exclude each other need lockers with the same nodes.
#[derive(Clone)]
pub struct Locker {
    nodes: Arc<Nodes>,
    queue: Arc<Queue>,
}

/// Makes a [`Locker`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct LockerBuilder {
    nodes: Vec<Arc<dyn LockNode>>,
    entropy: Entropy,
    wall: WallClock,
    max_waiters: usize,
}

impl LockerBuilder {
    /// Adds a node. Nodes have to be independent of each other: a replica of another node is none. Use an odd number.
    pub fn node(mut self, node: impl LockNode) -> Self {
        self.nodes.push(Arc::new(node));
        self
    }

    /// Adds a node that is shared.
    pub fn shared_node(mut self, node: Arc<dyn LockNode>) -> Self {
        self.nodes.push(node);
        self
    }

    /// How many may wait for one lock in this process; further ones are told at once that it is busy. 1,024 by default. Those
    /// who hold it, of whom there are several if they share it, are not counted.
    pub fn max_waiters(mut self, waiters: usize) -> Self {
        self.max_waiters = waiters;
        self
    }

    /// For tests: owners and delays come from this seed, so that a run repeats. Anybody can guess them then.
    pub fn seed(mut self, seed: u64) -> Self {
        self.entropy = Entropy::seeded(seed);
        self
    }

    /// For tests: another wall clock, which tells the time since the Unix epoch. Fencing tokens begin with it, and a
    /// [`Schedule`](crate::Schedule) has its ticks by it; nothing else uses it.
    pub fn wall_clock(mut self, clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.wall = Arc::new(clock);
        self
    }

    /// The locker.
    ///
    /// # Panics
    ///
    /// Without a node.
    #[must_use]
    pub fn build(self) -> Locker {
        assert!(!self.nodes.is_empty(), "a locker needs at least one node");
        Locker {
            nodes: Arc::new(Nodes::new(self.nodes, self.entropy, self.wall)),
            queue: Queue::new(self.max_waiters),
        }
    }
}

impl fmt::Debug for LockerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.nodes.iter().map(|node| node.name()).collect();
        f.debug_struct("LockerBuilder")
            .field("nodes", &names)
            .finish_non_exhaustive()
    }
}

impl Locker {
    /// A locker with the settings of a [`builder`](Self::builder) and these nodes.
    ///
    /// # Panics
    ///
    /// Without a node.
    #[must_use]
    pub fn new(nodes: impl IntoIterator<Item = Arc<dyn LockNode>>) -> Self {
        nodes
            .into_iter()
            .fold(Self::builder(), LockerBuilder::shared_node)
            .build()
    }

    /// A locker with one node in memory: its locks are known in this process alone.
    #[must_use]
    pub fn memory() -> Self {
        Self::builder().node(MemoryNode::new("memory")).build()
    }

    /// A locker with one [`RedisNode`](crate::RedisNode) of the default settings for each of `urls`: one server, or an odd
    /// number of servers that are independent of each other. All are connected to; those that cannot be reached now are
    /// used when they can.
    ///
    /// # Errors
    ///
    /// When a URL cannot be read, or when a server that can be reached is not fit: it evicts keys, or refuses the
    /// credentials.
    ///
    /// # Panics
    ///
    /// Without a URL.
    #[cfg(feature = "redis")]
    pub async fn redis<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Result<Self, NodeError> {
        let nodes: Vec<RedisNode> = urls.into_iter().map(RedisNode::new).collect::<Result<_, _>>()?;
        let checks: Vec<_> = nodes
            .iter()
            .cloned()
            .map(|node| tokio::spawn(async move { node.check().await }))
            .collect();
        for (check, node) in checks.into_iter().zip(&nodes) {
            match check.await {
                Ok(Err(error)) if matches!(error.kind(), NodeErrorKind::Io | NodeErrorKind::Timeout) => {
                    tracing::warn!(node = node.name(), %error, "a lock server cannot be reached");
                }
                Ok(Err(error)) => return Err(error),
                // A check does not panic; a runtime that shuts down needs no locker.
                Ok(Ok(())) | Err(_) => {}
            }
        }
        Ok(nodes
            .into_iter()
            .fold(Self::builder(), LockerBuilder::node)
            .build())
    }

    /// Starts with no nodes.
    pub fn builder() -> LockerBuilder {
        LockerBuilder {
            nodes: Vec::new(),
            entropy: Entropy::System,
            wall: system_wall_clock(),
            max_waiters: MAX_WAITERS,
        }
    }

    /// Runs `work` while it holds `locks`, and tells whether it held them until `work` returned.
    ///
    /// `options` is a `ttl` or [`LockOptions`]. To drop the future at any point releases the locks, or takes back what was
    /// granted of them.
    ///
    /// ```
    /// use std::time::Duration;
    /// use larder_lock::{Lock, Locker, Outcome};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # async fn charge(order: u32, fence: i64) -> u32 { order }
    /// let locker = Locker::memory();
    /// let outcome = locker
    ///     .with_lock(Lock::new("payment", 456), Duration::from_secs(60), async |lease| {
    ///         charge(456, lease.fencing_token().as_i64()).await
    ///     })
    ///     .await;
    /// match outcome {
    ///     Outcome::Ran(receipt) => assert_eq!(receipt, 456),
    ///     Outcome::Busy { retry_after } => println!("being charged already: look again in {retry_after:?}"),
    ///     other => println!("not charged under the lock: {}", other.as_str()),
    /// }
    /// # }
    /// ```
    pub async fn with_lock<T>(
        &self,
        locks: impl Into<Locks>,
        options: impl Into<LockOptions>,
        work: impl AsyncFnOnce(Lease) -> T,
    ) -> Outcome<T> {
        let (locks, options) = (locks.into(), options.into());
        let guard = match self.acquire_all(&locks, &options).await {
            Ok(guard) => guard,
            Err(error) => return unlocked(&locks, &options, error, work).await,
        };
        let lease = guard.lease();
        let value = match options.on_loss {
            OnLoss::Tell => Some(work(lease.clone()).await),
            OnLoss::Stop => tokio::select! {
                biased;
                value = work(lease.clone()) => Some(value),
                _ = lease.lost() => None,
            },
        };
        // Before the release, which takes its time: what counts is when the work was done.
        let loss = lease.loss();
        let loss = match guard.release().await {
            Released::Lost(cause) => loss.or(Some(cause)),
            _ => loss,
        };
        match (value, loss) {
            (Some(value), None) => Outcome::Ran(value),
            (Some(value), Some(_)) if cfg!(larder_mutant = "lock_ok_after_loss") => Outcome::Ran(value),
            (value, cause) => Outcome::Lost {
                value,
                cause: cause.unwrap_or(LossCause::Expired),
            },
        }
    }

    /// Acquires `locks`, to be released by hand. [`with_lock`](Self::with_lock) is harder to get wrong.
    ///
    /// [`OnUnavailable::RunUnlocked`] and [`OnLoss`] mean nothing here.
    ///
    /// # Errors
    ///
    /// When another holds a lock, or no majority of nodes answers, for the time `wait` of the options. Also when a lock was
    /// lost again before this returned: the process slept, or the wait for the last of several locks was longer than the
    /// first one lasts without being extended.
    pub async fn acquire(
        &self,
        locks: impl Into<Locks>,
        options: impl Into<LockOptions>,
    ) -> Result<LockGuard, LockError> {
        self.acquire_all(&locks.into(), &options.into()).await
    }

    /// Asks all nodes whether they can be asked, and waits for each for at most `limit`. A lock is to be had while a majority
    /// can.
    pub async fn probe(&self, limit: Duration) -> Vec<NodeProbe> {
        self.nodes.probe(limit).await
    }

    /// The locks that somebody in this process holds, acquires or waits for: at most `most`, those with the most waiters
    /// first. What other processes hold is not known here.
    #[must_use]
    pub fn queued(&self, most: usize) -> Vec<QueuedLock> {
        self.queue.standing(most)
    }

    /// The time since the Unix epoch.
    pub(crate) fn wall(&self) -> Duration {
        self.nodes.wall()
    }

    async fn acquire_all(&self, locks: &Locks, options: &LockOptions) -> Result<LockGuard, LockError> {
        let deadline = Instant::now() + options.wait;
        let mut held = Vec::new();
        for lock in locks.iter() {
            let begun = Instant::now();
            let result = self.acquire_one(lock, options, deadline).await;
            let counted = match result.as_ref().map_err(LockError::kind) {
                Ok(_) => AcquireResult::Acquired,
                Err(LockErrorKind::Busy) if options.wait.is_zero() => AcquireResult::Busy,
                Err(LockErrorKind::Busy) => AcquireResult::Timeout,
                Err(_) => AcquireResult::NoQuorum,
            };
            metrics::acquisition(lock.label(), counted, begun.elapsed());
            if let Err(error) = &result {
                tracing::debug!(lock = lock.key(), %error, "a lock was not acquired");
            }
            held.push(result?);
        }
        let guard = LockGuard::new(held);
        // The process may have slept since a majority granted, or waited too long for the last of several locks.
        match guard.lease().loss() {
            Some(cause) if !cfg!(larder_mutant = "lock_validity_unchecked") => Err(LockError::lost(cause)),
            _ => Ok(guard),
        }
    }

    async fn acquire_one(
        &self,
        lock: &Lock,
        options: &LockOptions,
        deadline: Instant,
    ) -> Result<Held, LockError> {
        let busy = |held_until: Option<Instant>| {
            let left = held_until.map(|until| until.saturating_duration_since(Instant::now()));
            // An end that is past was moved by an extension.
            LockError::busy(left.filter(|left| !left.is_zero()).unwrap_or(options.ttl))
        };
        let mut place = self.queue.join(lock.shared_key(), lock.mode()).map_err(busy)?;
        if !place.turn(deadline).await {
            return Err(busy(place.held_until()));
        }
        Acquisition::new(&self.nodes, lock, options, deadline, place)
            .run()
            .await
    }
}

impl fmt::Debug for Locker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locker")
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}

/// What becomes of work whose locks were not to be had.
async fn unlocked<T>(
    locks: &Locks,
    options: &LockOptions,
    error: LockError,
    work: impl AsyncFnOnce(Lease) -> T,
) -> Outcome<T> {
    let may_run = options.on_unavailable == OnUnavailable::RunUnlocked;
    if error.kind() != LockErrorKind::Unavailable || !may_run {
        return error.into_outcome();
    }
    for lock in locks.iter() {
        metrics::unlocked_run(lock.label());
        tracing::error!(lock = lock.kind(), %error, "work runs WITHOUT its lock, as its options allow");
    }
    Outcome::RanUnlocked(work(Lease::unlocked()).await)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::FencingToken;

    const TTL: Duration = Duration::from_secs(10);

    fn five() -> (Vec<Arc<MemoryNode>>, Locker) {
        let nodes: Vec<_> = (0..5)
            .map(|n| Arc::new(MemoryNode::new(format!("n{n}"))))
            .collect();
        let locker = Locker::new(nodes.iter().map(|node| Arc::clone(node) as Arc<dyn LockNode>));
        (nodes, locker)
    }

    #[tokio::test(start_paused = true)]
    async fn work_runs_under_the_lock_and_the_lock_is_free_afterwards() {
        let (nodes, locker) = five();
        let lock = Lock::new("payment", 1);
        let outcome = locker
            .with_lock(lock.clone(), TTL, async |lease| {
                let holders = nodes
                    .iter()
                    .filter(|node| node.holder("payment:1").is_some())
                    .count();
                (holders, lease.fencing_token(), lease.remaining())
            })
            .await;
        let (holders, token, remaining) = outcome.ran().unwrap();
        assert!(holders >= 3, "{holders}");
        assert!(token > FencingToken::UNFENCED);
        assert_eq!(remaining, Duration::from_millis(10_000 - 102));
        assert!(nodes.iter().all(|node| node.holder("payment:1").is_none()));
        let guard = locker.acquire(lock, TTL).await.unwrap();
        assert!(guard.lease().fencing_token() > token);
        assert_eq!(guard.release().await, Released::Freed);
    }

    #[tokio::test]
    async fn the_futures_can_be_spawned() {
        let locker = Locker::memory();
        let outcome = tokio::spawn(async move {
            locker
                .with_lock(Lock::new("k", 1), TTL, async |lease| {
                    tokio::task::yield_now().await;
                    lease.is_locked()
                })
                .await
        });
        assert!(outcome.await.unwrap().ran().unwrap());
    }
}
