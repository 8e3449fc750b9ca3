//! One round of calls to the nodes, answered in any order.

use std::future::poll_fn;
use std::task::{Context, Poll};

use crate::node::{NodeError, NodeFuture};

/// The answer to a call, with its tag.
pub(crate) type Answer<T> = (usize, Result<T, NodeError>);

/// Calls under way, each with a tag. Nothing is lost when [`next`](Self::next) is dropped half way.
pub(crate) struct Round<T> {
    calls: Vec<(usize, NodeFuture<'static, T>)>,
}

impl<T> Round<T> {
    pub(crate) const fn new() -> Self {
        Self { calls: Vec::new() }
    }

    pub(crate) fn call(&mut self, tag: usize, call: NodeFuture<'static, T>) {
        self.calls.push((tag, call));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The tags of the calls that are not answered yet.
    pub(crate) fn tags(&self) -> impl Iterator<Item = usize> {
        self.calls.iter().map(|(tag, _)| *tag)
    }

    /// The next answer and its tag; `None` if none is awaited.
    ///
    /// Every call is polled at each wake-up. There are as many as there are nodes, which are few.
    pub(crate) async fn next(&mut self) -> Option<Answer<T>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Answer<T>>> {
        if self.calls.is_empty() {
            return Poll::Ready(None);
        }
        for index in 0..self.calls.len() {
            let (tag, call) = &mut self.calls[index];
            if let Poll::Ready(answer) = call.as_mut().poll(cx) {
                let tag = *tag;
                drop(self.calls.swap_remove(index));
                return Poll::Ready(Some((tag, answer)));
            }
        }
        Poll::Pending
    }
}
