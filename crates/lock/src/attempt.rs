//! One attempt at a lock: all nodes at once, a majority in time, and nothing left behind if it fails.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::name::{Lock, LockMode};
use crate::node::{Acquire, Release, Vote};
use crate::nodes::Nodes;
use crate::outcome::Unavailable;
use crate::removal::{Removals, Takeback};
use crate::round::Round;
use crate::tally::{Decision, Tally};
use crate::token::{FencingToken, Owner, Waiter};
use crate::validity;

/// How often a ballot is raised above those that nodes have stored before the attempt counts as a split.
const BALLOTS: usize = 4;

/// What an attempt asks for beside the lock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) ttl: Duration,
    /// How long a node is waited for.
    pub(crate) patience: Duration,
    /// For how long shared votes are held back if it fails because of shared votes.
    pub(crate) bar: Duration,
    /// Who is to be named when the lock becomes free.
    pub(crate) waiter: Option<Waiter>,
}

/// An attempt: one owner, and one ballot after the other until it is decided.
pub(crate) struct Attempt {
    pub(crate) nodes: Arc<Nodes>,
    pub(crate) key: Arc<str>,
    pub(crate) owner: Owner,
    pub(crate) token: FencingToken,
    pub(crate) ttl: Duration,
    pub(crate) patience: Duration,
    mode: LockMode,
    bar: Duration,
    waiter: Option<Waiter>,
    calls: Round<Vote>,
    /// How many calls to each node may have been granted, or may yet be.
    suspect: Vec<usize>,
    ballots: usize,
    #[cfg(larder_mutant = "lock_release_where_noticed")]
    noticed: Vec<usize>,
}

/// What came of an attempt.
pub(crate) enum Verdict {
    Won { valid_until: Instant },
    Held { retry_after: Duration },
    Split { retry_after: Duration },
    Unavailable(Unavailable),
}

impl Attempt {
    /// An attempt on these terms.
    pub(crate) fn new(nodes: &Arc<Nodes>, lock: &Lock, terms: Terms) -> Self {
        let Terms {
            ttl,
            patience,
            bar,
            waiter,
        } = terms;
        Self {
            nodes: Arc::clone(nodes),
            key: lock.shared_key(),
            owner: nodes.entropy.owner(),
            token: FencingToken::UNFENCED,
            ttl,
            patience,
            mode: lock.mode(),
            bar,
            waiter,
            calls: Round::new(),
            suspect: vec![0; nodes.len()],
            ballots: 0,
            #[cfg(larder_mutant = "lock_release_where_noticed")]
            noticed: Vec::new(),
        }
    }

    /// Asks until it is decided. May be dropped half way; what it then leaves behind is taken back by
    /// [`undo`](Self::undo), not by dropping.
    pub(crate) async fn run(&mut self) -> Verdict {
        let mut above = FencingToken::UNFENCED;
        for _ in 0..BALLOTS {
            let begun = Instant::now();
            let (decision, tally) = self.ballot(above).await;
            match decision {
                Decision::Won => {
                    let valid_until = validity::until(begun, self.ttl);
                    let unchecked = cfg!(larder_mutant = "lock_validity_unchecked");
                    if Instant::now() < valid_until || unchecked {
                        return Verdict::Won { valid_until };
                    }
                    // A majority, but too late.
                    return Verdict::Split {
                        retry_after: Duration::ZERO,
                    };
                }
                Decision::Outbid { stored } => above = stored,
                Decision::Held { retry_after } => return Verdict::Held { retry_after },
                Decision::Split { retry_after } => return Verdict::Split { retry_after },
                Decision::Unavailable => {
                    return Verdict::Unavailable(self.nodes.report(tally.into_errors()));
                }
            }
        }
        Verdict::Split {
            retry_after: Duration::ZERO,
        }
    }

    /// Proposes a token above `above` to all nodes.
    async fn ballot(&mut self, above: FencingToken) -> (Decision, Tally) {
        let nodes = self.nodes.len();
        self.token = self.nodes.propose(above);
        let request = Acquire::new(Arc::clone(&self.key), self.owner, self.token, self.ttl);
        let request = Arc::new(request.mode(self.mode).bar(self.bar).waiter(self.waiter));
        let first_tag = self.ballots * nodes;
        self.ballots += 1;
        let deadline = sleep_until(Instant::now() + self.patience);
        tokio::pin!(deadline);
        for node in 0..nodes {
            self.suspect[node] += 1;
            self.calls
                .call(first_tag + node, self.nodes.acquire(node, &request));
        }
        let mut tally = Tally::new(nodes);
        loop {
            if let Some(decision) = tally.decision() {
                return (decision, tally);
            }
            tokio::select! {
                biased;
                Some((tag, answer)) = self.calls.next() => {
                    self.note(tag % nodes, answer.as_ref().ok());
                    // What an earlier ballot is answered late is worth nothing.
                    if tag >= first_tag {
                        tally.cast(tag - first_tag, answer);
                    }
                }
                () = &mut deadline => {
                    let silent: Vec<usize> = tally.time_out(self.patience);
                    for node in silent {
                        self.nodes.timed_out(node, "acquire", self.patience);
                    }
                }
            }
        }
    }

    /// A call that was refused has left nothing at the node.
    fn note(&mut self, node: usize, vote: Option<&Vote>) {
        match vote {
            Some(Vote::Granted) => {
                #[cfg(larder_mutant = "lock_release_where_noticed")]
                self.noticed.push(node);
            }
            Some(_) => self.suspect[node] -= 1,
            None => {}
        }
    }

    /// The nodes that may have a vote of this attempt.
    pub(crate) fn suspects(&self) -> Vec<usize> {
        #[cfg(larder_mutant = "lock_release_where_noticed")]
        return self.noticed.clone();
        #[cfg(not(larder_mutant = "lock_release_where_noticed"))]
        (0..self.suspect.len())
            .filter(|&node| self.suspect[node] > 0)
            .collect()
    }

    pub(crate) fn release_request(&self, wake: bool) -> Arc<Release> {
        Arc::new(Release::new(Arc::clone(&self.key), self.owner, self.token, wake))
    }

    /// Takes back what was granted, at every node that has not said that it granted nothing. Returns at once; what is
    /// returned tells when it is done.
    ///
    /// A node that has yet to answer gets its release now as well, unless there is `time`: then it gets it with its
    /// answer, if that is a grant, or when patience is over. Another holds the lock in that case, most answers are
    /// refusals, and a waiter asks half as much.
    pub(crate) fn undo(self, time: bool) -> Option<oneshot::Receiver<Removals>> {
        if cfg!(larder_mutant = "lock_failure_not_undone") {
            return None;
        }
        let later = if time { self.unanswered() } else { Vec::new() };
        let at: Vec<usize> = self
            .suspects()
            .into_iter()
            .filter(|node| !later.contains(node))
            .collect();
        let request = self.release_request(false);
        let done = (!at.is_empty()).then(|| self.take_back(&request, at));
        if !self.calls.is_empty() {
            drop(tokio::spawn(self.linger(request, later)));
        }
        done
    }

    /// The nodes that can have a vote of this attempt only by calls that are still under way.
    fn unanswered(&self) -> Vec<usize> {
        let nodes = self.nodes.len();
        let under_way = |node| self.calls.tags().filter(|tag| tag % nodes == node).count();
        (0..nodes)
            .filter(|&node| under_way(node) > 0 && under_way(node) == self.suspect[node])
            .collect()
    }

    fn take_back(&self, request: &Arc<Release>, at: Vec<usize>) -> oneshot::Receiver<Removals> {
        Takeback {
            nodes: Arc::clone(&self.nodes),
            request: Arc::clone(request),
            at,
            patience: self.patience,
            until: Instant::now() + self.ttl,
            place: None,
        }
        .start(&Handle::current())
    }

    /// Waits for the answers that are still to come, and takes back at once what is granted late. The nodes in `unasked`
    /// have been sent no release.
    ///
    /// A node refuses an acquisition that comes after the release of the same token, so that for the others this matters
    /// only where the release was lost.
    async fn linger(mut self, request: Arc<Release>, mut unasked: Vec<usize>) {
        let until = Instant::now() + self.ttl;
        let patience = Instant::now() + self.patience;
        loop {
            let deadline = if unasked.is_empty() { until } else { patience };
            match timeout_at(deadline, self.calls.next()).await {
                Ok(Some((tag, answer))) => {
                    let node = tag % self.nodes.len();
                    let was_asked = !unasked.contains(&node);
                    unasked.retain(|other| *other != node);
                    if matches!(answer, Ok(Vote::Granted)) || (answer.is_err() && !was_asked) {
                        drop(self.take_back(&request, vec![node]));
                    }
                }
                Err(_) if !unasked.is_empty() => {
                    drop(self.take_back(&request, mem::take(&mut unasked)));
                }
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Takes the calls that are still unanswered, to be waited for beside the hold.
    pub(crate) fn into_late(self) -> Late {
        Late {
            calls: self.calls,
            nodes: self.nodes.len(),
        }
    }
}

/// Calls of an attempt that was won before they were answered.
pub(crate) struct Late {
    calls: Round<Vote>,
    nodes: usize,
}

impl Late {
    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The next node that granted late.
    pub(crate) async fn granted(&mut self) -> Option<usize> {
        while let Some((tag, answer)) = self.calls.next().await {
            if matches!(answer, Ok(Vote::Granted)) {
                return Some(tag % self.nodes);
            }
        }
        None
    }
}
