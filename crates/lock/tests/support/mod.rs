//! What several suites need: a node that fails as it is told, deadlines, and sets of nodes.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests; each suite uses a part of them"
)]

#[cfg(all(unix, feature = "redis"))]
pub mod servers;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_lock::{
    Acquire, Extend, Extension, LockNode, Locker, MemoryNode, NodeError, NodeErrorKind, NodeFuture, Release,
    Removal, Subscription, Vote,
};

pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Ends a wait that would otherwise hang the suite.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(value) => value,
        Err(_) => panic!("nothing happened for a minute"),
    }
}

/// Waits until `condition` holds.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    soon(async {
        while !condition() {
            tokio::time::sleep(ms(2)).await;
        }
    })
    .await;
    assert!(condition(), "{what}");
}

/// How a [`Faulty`] node treats a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Refuses the connection.
    Down,
    /// Does not get the call, and never answers.
    Hung,
    /// Does what it is asked and never answers.
    Mute,
    /// Does what it is asked, and answers after so many milliseconds.
    SlowAnswer(u64),
    /// Does what it is asked after so many milliseconds, even if nobody waits any more.
    SlowCall(u64),
}

/// A node in memory that fails as it is told, and counts.
pub struct Faulty {
    pub node: Arc<MemoryNode>,
    fault: Mutex<Fault>,
    pub acquires: AtomicUsize,
    pub extends: AtomicUsize,
    pub releases: AtomicUsize,
    /// When the last acquisition came, in milliseconds of the node's life.
    pub last_ttl: AtomicU64,
    pub owners: Mutex<Vec<String>>,
}

impl Faulty {
    pub fn new(name: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            node: Arc::new(MemoryNode::new(name)),
            fault: Mutex::new(Fault::None),
            acquires: AtomicUsize::new(0),
            extends: AtomicUsize::new(0),
            releases: AtomicUsize::new(0),
            last_ttl: AtomicU64::new(0),
            owners: Mutex::default(),
        })
    }

    pub fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    pub fn is_held(&self, key: &str) -> bool {
        self.node.holder(key).is_some()
    }

    pub fn acquires(&self) -> usize {
        self.acquires.load(Ordering::Relaxed)
    }

    pub fn extends(&self) -> usize {
        self.extends.load(Ordering::Relaxed)
    }

    pub fn releases(&self) -> usize {
        self.releases.load(Ordering::Relaxed)
    }

    /// Runs `step` as the fault has it.
    fn faulty<T: Send + 'static>(
        &self,
        step: impl Future<Output = Result<T, NodeError>> + Send + 'static,
    ) -> NodeFuture<'static, T> {
        match *self.fault.lock().unwrap() {
            Fault::None => Box::pin(step),
            Fault::Down => {
                Box::pin(async { Err(NodeError::new(NodeErrorKind::Io, "the connection was refused")) })
            }
            Fault::Hung => Box::pin(std::future::pending()),
            Fault::Mute => Box::pin(async {
                let _ = step.await;
                std::future::pending().await
            }),
            Fault::SlowAnswer(millis) => Box::pin(async move {
                let answer = step.await;
                tokio::time::sleep(ms(millis)).await;
                answer
            }),
            Fault::SlowCall(millis) => Box::pin(async move {
                let call = tokio::spawn(async move {
                    tokio::time::sleep(ms(millis)).await;
                    step.await
                });
                call.await.unwrap()
            }),
        }
    }
}

impl LockNode for Faulty {
    fn name(&self) -> &str {
        self.node.name()
    }

    fn acquire<'a>(&'a self, request: &'a Acquire) -> NodeFuture<'a, Vote> {
        self.acquires.fetch_add(1, Ordering::Relaxed);
        self.owners.lock().unwrap().push(request.owner.to_string());
        let (node, request) = (Arc::clone(&self.node), request.clone());
        self.faulty(async move { node.acquire(&request).await })
    }

    fn extend<'a>(&'a self, request: &'a Extend) -> NodeFuture<'a, Extension> {
        self.extends.fetch_add(1, Ordering::Relaxed);
        let (node, request) = (Arc::clone(&self.node), request.clone());
        self.faulty(async move { node.extend(&request).await })
    }

    fn release<'a>(&'a self, request: &'a Release) -> NodeFuture<'a, Removal> {
        self.releases.fetch_add(1, Ordering::Relaxed);
        let (node, request) = (Arc::clone(&self.node), request.clone());
        self.faulty(async move { node.release(&request).await })
    }

    fn subscribe<'a>(&'a self, key: &'a str) -> NodeFuture<'a, Subscription> {
        let (node, key) = (Arc::clone(&self.node), key.to_owned());
        self.faulty(async move { node.subscribe(&key).await })
    }
}

/// Faulty nodes and a way to make lockers of them.
pub struct Nodes(pub Vec<Arc<Faulty>>);

impl Nodes {
    pub fn new(nodes: usize) -> Self {
        Self(
            (0..nodes)
                .map(|node| Faulty::new(format!("node-{node}")))
                .collect(),
        )
    }

    /// A locker, as another process would have it.
    pub fn locker(&self) -> Locker {
        Locker::new(self.0.iter().map(|node| Arc::clone(node) as Arc<dyn LockNode>))
    }

    pub fn set(&self, nodes: impl IntoIterator<Item = usize>, fault: Fault) {
        nodes.into_iter().for_each(|node| self.0[node].set(fault));
    }

    /// How many nodes hold a vote for `key`.
    pub fn held(&self, key: &str) -> usize {
        self.0.iter().filter(|node| node.is_held(key)).count()
    }
}
