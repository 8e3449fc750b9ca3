//! The nodes of one locker, and what all of its acquisitions share.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::entropy::Entropy;
use crate::metrics;
use crate::node::{
    Acquire, Extend, Extension, LockNode, NodeError, NodeErrorKind, NodeFuture, Release, Removal,
    Subscription, Vote,
};
use crate::outcome::{NodeReport, Unavailable};
use crate::tally;
use crate::token::{Ballots, FencingToken, Waiter};

/// How many releases that failed at first are tried again at one time. Beyond that a vote that could not be taken back
/// stays until its time runs out, so that a node that is away for long gathers no crowd.
const CLEANUPS: usize = 256;

/// Tells the time since the Unix epoch.
pub(crate) type WallClock = Arc<dyn Fn() -> Duration + Send + Sync>;

pub(crate) struct Nodes {
    list: Vec<Arc<dyn LockNode>>,
    pub(crate) entropy: Entropy,
    ballots: Ballots,
    /// What nodes call all who wait here.
    pub(crate) waiter: Waiter,
    wall: WallClock,
    pub(crate) cleanups: Semaphore,
}

impl Nodes {
    pub(crate) fn new(list: Vec<Arc<dyn LockNode>>, entropy: Entropy, wall: WallClock) -> Self {
        let number = entropy.number();
        Self {
            list,
            entropy,
            ballots: Ballots::new(number),
            waiter: Waiter::from_u64(number),
            wall,
            cleanups: Semaphore::new(CLEANUPS),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn quorum(&self) -> usize {
        tally::quorum(self.list.len())
    }

    /// A ballot above `above`.
    pub(crate) fn propose(&self, above: FencingToken) -> FencingToken {
        self.ballots.propose(self.wall(), above)
    }

    pub(crate) fn wall(&self) -> Duration {
        (self.wall)()
    }

    pub(crate) fn acquire(&self, node: usize, request: &Arc<Acquire>) -> NodeFuture<'static, Vote> {
        let (node, request) = (Arc::clone(&self.list[node]), Arc::clone(request));
        Box::pin(async move {
            let answer = node.acquire(&request).await;
            if matches!(answer, Ok(Vote::Quarantined { .. })) {
                metrics::node_error(node.name(), NodeErrorKind::Quarantined);
            }
            answer.inspect_err(|error| failed(&*node, "acquire", error))
        })
    }

    pub(crate) fn extend(&self, node: usize, request: &Arc<Extend>) -> NodeFuture<'static, Extension> {
        let (node, request) = (Arc::clone(&self.list[node]), Arc::clone(request));
        Box::pin(async move {
            let answer = node.extend(&request).await;
            answer.inspect_err(|error| failed(&*node, "extend", error))
        })
    }

    pub(crate) fn release(&self, node: usize, request: &Arc<Release>) -> NodeFuture<'static, Removal> {
        let (node, request) = (Arc::clone(&self.list[node]), Arc::clone(request));
        Box::pin(async move {
            let answer = node.release(&request).await;
            answer.inspect_err(|error| failed(&*node, "release", error))
        })
    }

    pub(crate) fn subscribe(&self, node: usize, key: &Arc<str>) -> NodeFuture<'static, Subscription> {
        let (node, key) = (Arc::clone(&self.list[node]), Arc::clone(key));
        Box::pin(async move {
            let answer = node.subscribe(&key).await;
            answer.inspect_err(|error| failed(&*node, "subscribe", error))
        })
    }

    /// Counts a node that did not answer in time.
    pub(crate) fn timed_out(&self, node: usize, call: &'static str, patience: Duration) {
        let message = format!("no answer in {patience:?}");
        failed(
            &*self.list[node],
            call,
            &NodeError::new(NodeErrorKind::Timeout, message),
        );
    }

    /// Asks all nodes at the same time whether they can be asked, each for at most `limit`.
    pub(crate) async fn probe(&self, limit: Duration) -> Vec<NodeProbe> {
        let probes: Vec<_> = self
            .list
            .iter()
            .map(|node| tokio::spawn(probe(Arc::clone(node), limit)))
            .collect();
        let mut answers = Vec::with_capacity(probes.len());
        for (probe, node) in probes.into_iter().zip(&self.list) {
            answers.push(probe.await.unwrap_or_else(|_| NodeProbe {
                name: node.name().to_owned(),
                took: Duration::ZERO,
                error: Some(NodeError::new(NodeErrorKind::Protocol, "the node panicked")),
            }));
        }
        answers
    }

    pub(crate) fn report(&self, errors: Vec<Option<NodeError>>) -> Unavailable {
        let names = self.list.iter().map(|node| node.name().to_owned());
        Unavailable::new(
            names
                .zip(errors)
                .map(|(name, error)| NodeReport::new(name, error))
                .collect(),
        )
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.list.iter().map(|node| node.name()))
            .finish()
    }
}

/// Whether a node can be asked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NodeProbe {
    /// The name of the node: an address, without credentials.
    pub name: String,
    /// How long it took to answer, or to fail.
    pub took: Duration,
    /// Why it cannot be asked, if it cannot.
    pub error: Option<NodeError>,
}

async fn probe(node: Arc<dyn LockNode>, limit: Duration) -> NodeProbe {
    let began = Instant::now();
    let error = match timeout(limit, node.probe()).await {
        Ok(answer) => answer.err(),
        Err(_) => Some(NodeError::new(
            NodeErrorKind::Timeout,
            format!("no answer in {limit:?}"),
        )),
    };
    NodeProbe {
        name: node.name().to_owned(),
        took: began.elapsed(),
        error,
    }
}

/// The machine's wall clock.
pub(crate) fn system_wall_clock() -> WallClock {
    // A clock before 1970 proposes the lowest tokens, which nodes then raise.
    Arc::new(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn failed(node: &dyn LockNode, call: &'static str, error: &NodeError) {
    metrics::node_error(node.name(), error.kind());
    tracing::debug!(node = node.name(), call, %error, "a lock node failed");
}
