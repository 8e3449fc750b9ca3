//! Taking votes back, in a task that outlives whoever asked for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use crate::node::{NodeError, NodeErrorKind, NodeFuture, Release, Removal};
use crate::nodes::Nodes;
use crate::queue::Place;
use crate::round::Round;

/// The pause after the first failure; doubled after each.
const FIRST_RETRY: Duration = Duration::from_millis(20);

/// What is to be taken back, where, and for how long it is tried.
pub(crate) struct Takeback {
    pub(crate) nodes: Arc<Nodes>,
    pub(crate) request: Arc<Release>,
    /// The nodes that may have the vote.
    pub(crate) at: Vec<usize>,
    pub(crate) patience: Duration,
    /// From then on the votes have run out by themselves.
    pub(crate) until: Instant,
    /// The place in this process's queue, given up when the votes are back.
    pub(crate) place: Option<Place>,
}

/// What the nodes said, as far as they answered in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Removals {
    pub(crate) removed: usize,
    pub(crate) not_owner: usize,
    /// Of `removed`, how many named somebody elsewhere.
    passed_on: usize,
}

impl Takeback {
    /// Starts a task that asks all nodes at once and asks again where that fails. What is returned tells when a majority
    /// of all nodes has answered, or when patience is over; whether anybody listens does not matter to the task.
    pub(crate) fn start(self, runtime: &Handle) -> oneshot::Receiver<Removals> {
        let (sender, receiver) = oneshot::channel();
        drop(runtime.spawn(self.run(sender)));
        receiver
    }

    async fn run(mut self, sender: oneshot::Sender<Removals>) {
        let mut round = Round::new();
        for &node in &self.at {
            round.call(node, self.persist(node));
        }
        let enough = self.at.len().min(self.nodes.quorum());
        let mut removals = Removals::default();
        let deadline = Instant::now() + self.patience;
        while removals.removed + removals.not_owner < enough {
            tokio::select! {
                biased;
                answer = round.next() => match answer {
                    Some((_, Ok(Removal::Removed))) => removals.removed += 1,
                    Some((_, Ok(Removal::PassedOn { .. }))) => {
                        removals.removed += 1;
                        removals.passed_on += 1;
                    }
                    Some((_, Ok(Removal::NotOwner))) => removals.not_owner += 1,
                    Some((_, Err(_))) => {}
                    None => break,
                },
                () = sleep_until(deadline) => break,
            }
        }
        if let Some(place) = self.place.take()
            && removals.passed_on * 2 > removals.removed
        {
            place.pass_on();
        }
        // Nobody may want to know.
        let _ = sender.send(removals);
        while round.next().await.is_some() {}
    }

    /// A release that is tried again until it is answered, or pointless, or too many others are being tried.
    fn persist(&self, node: usize) -> NodeFuture<'static, Removal> {
        let (nodes, request) = (Arc::clone(&self.nodes), Arc::clone(&self.request));
        let (patience, until) = (self.patience, self.until);
        Box::pin(async move {
            let mut pause = FIRST_RETRY;
            let mut cleanup = None;
            loop {
                match timeout(patience, nodes.release(node, &request)).await {
                    // An earlier try may have done it without an answer: what is known is that the vote is gone.
                    Ok(Ok(_)) if cleanup.is_some() => return Ok(Removal::Removed),
                    Ok(Ok(removal)) => return Ok(removal),
                    Ok(Err(_)) => {}
                    Err(_) => nodes.timed_out(node, "release", patience),
                }
                if cleanup.is_none() {
                    cleanup = nodes.cleanups.try_acquire().ok();
                }
                let next = Instant::now() + nodes.entropy.between(pause / 2, pause);
                if cleanup.is_none() || next >= until {
                    return Err(NodeError::new(
                        NodeErrorKind::Timeout,
                        "the vote was left to run out",
                    ));
                }
                sleep_until(next).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        })
    }
}
