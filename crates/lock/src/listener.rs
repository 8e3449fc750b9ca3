//! Listening for the release of a lock at all nodes.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::timeout;

use crate::name::Lock;
use crate::node::{Ring, Subscription};
use crate::nodes::Nodes;
use crate::round::Round;
use crate::token::{FencingToken, Waiter};

/// How long after the first node the others may take to ring, before it is tried without them.
const GRACE: Duration = Duration::from_millis(5);

/// Subscriptions to one lock.
pub(crate) struct Listener {
    /// Each with what it has told since it was last asked.
    subscriptions: Vec<(Subscription, Option<Ring>)>,
    /// The last release that is over and done with: nodes that are late with it tell nothing new.
    past: FencingToken,
    /// Those that are still being made: a node that hangs is not waited for.
    coming: Round<Subscription>,
    quorum: usize,
}

impl Listener {
    /// Subscribes at every node, and returns when a majority has answered, or when `patience` is over.
    pub(crate) async fn new(nodes: &Arc<Nodes>, lock: &Lock, patience: Duration) -> Self {
        let key = lock.shared_key();
        let mut coming = Round::new();
        for node in 0..nodes.len() {
            coming.call(node, nodes.subscribe(node, &key));
        }
        let mut listener = Self {
            subscriptions: Vec::with_capacity(nodes.len()),
            past: FencingToken::UNFENCED,
            coming,
            quorum: nodes.quorum(),
        };
        let _ = timeout(patience, listener.subscribed()).await;
        listener
    }

    async fn subscribed(&mut self) {
        while self.subscriptions.len() < self.quorum {
            let Some((_, answer)) = self.coming.next().await else {
                return;
            };
            self.subscriptions.extend(answer.ok().map(|made| (made, None)));
        }
    }

    /// Whether fewer than a majority of nodes would be heard, because connections were lost.
    pub(crate) fn is_deaf(&self) -> bool {
        let heard = self
            .subscriptions
            .iter()
            .filter(|(subscription, _)| subscription.is_open());
        heard.count() + self.coming.tags().count() < self.quorum
    }

    /// Forgets what has rung until now.
    pub(crate) fn forget_the_past(&mut self) {
        self.count(&mut Context::from_waker(Waker::noop()));
        self.past = self.last().map_or(self.past, |last| last.max(self.past));
        self.subscriptions.iter_mut().for_each(|(_, rung)| *rung = None);
    }

    /// Waits until a majority has told of a release, or one has and the rest do not follow. Says whether it is the turn of
    /// `waiter`, as most of them see it.
    pub(crate) async fn rung(&mut self, waiter: Option<Waiter>) -> bool {
        self.by(1).await;
        let _ = timeout(GRACE, self.by(self.quorum)).await;
        let is_for_us = |ring: &Ring| ring.next.is_none() || ring.next == waiter;
        let for_us = self.told().filter(is_for_us).count();
        waiter.is_none() || for_us * 2 >= self.told().count()
    }

    /// What is told of the last release, and by those who know of none but that there may be one.
    fn told(&self) -> impl Iterator<Item = Ring> {
        let last = self.last();
        self.rings()
            .filter(move |ring| Some(ring.token) == last || ring.token == FencingToken::UNFENCED)
    }

    fn last(&self) -> Option<FencingToken> {
        self.rings().map(|ring| ring.token).max()
    }

    fn rings(&self) -> impl Iterator<Item = Ring> {
        self.subscriptions.iter().filter_map(|(_, rung)| *rung)
    }

    async fn by(&mut self, enough: usize) {
        poll_fn(|cx| {
            if self.count(cx) >= enough {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    fn count(&mut self, cx: &mut Context<'_>) -> usize {
        while let Poll::Ready(Some((_, answer))) = self.coming.poll_next(cx) {
            self.subscriptions.extend(answer.ok().map(|made| (made, None)));
        }
        for (subscription, rung) in &mut self.subscriptions {
            let new = subscription.poll_rung(cx);
            let is_new = |ring: &Ring| ring.token > self.past || ring.token == FencingToken::UNFENCED;
            *rung = new.filter(is_new).or(*rung);
        }
        self.told().count()
    }
}
