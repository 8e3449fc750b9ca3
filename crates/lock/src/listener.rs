//! Listening for the release of a lock at all nodes.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::timeout;

use crate::name::Lock;
use crate::node::Subscription;
use crate::nodes::Nodes;
use crate::round::Round;

/// How long after the first node the others may take to ring, before it is tried without them.
const GRACE: Duration = Duration::from_millis(5);

/// Subscriptions to one lock.
pub(crate) struct Listener {
    /// Each with whether it has rung.
    subscriptions: Vec<(Subscription, bool)>,
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
            self.subscriptions.extend(answer.ok().map(|made| (made, false)));
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
        self.subscriptions.iter_mut().for_each(|(_, rung)| *rung = false);
    }

    /// Waits until a majority has rung, or one has and the rest do not follow.
    pub(crate) async fn rung(&mut self) {
        self.by(1).await;
        let _ = timeout(GRACE, self.by(self.quorum)).await;
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
            self.subscriptions.extend(answer.ok().map(|made| (made, false)));
        }
        for (subscription, rung) in &mut self.subscriptions {
            *rung |= subscription.poll_rung(cx);
        }
        self.subscriptions.iter().filter(|(_, rung)| *rung).count()
    }
}
