//! One round of calls to the nodes, answered in any order.

use std::future::poll_fn;
use std::task::{Context, Poll};

use crate::node::{NodeError, NodeFuture};

/// The answer to a call, with its tag.
pub(crate) type Answer<T> = (usize, Result<T, NodeError>);

/// Calls under way, each with a tag. Nothing is lost when [`next`](Self::next) is dropped half way.
pub(crate) struct Round<T> {
    calls: Vec<(usize, NodeFuture<'static, T>)>,
    /// Answers that have come and were not asked for yet, the first one last.
    answers: Vec<Answer<T>>,
}

impl<T> Round<T> {
    pub(crate) const fn new() -> Self {
        Self {
            calls: Vec::new(),
            answers: Vec::new(),
        }
    }

    pub(crate) fn call(&mut self, tag: usize, call: NodeFuture<'static, T>) {
        self.calls.push((tag, call));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.answers.is_empty()
    }

    /// The tags of the calls whose answers [`next`](Self::next) has not returned yet.
    pub(crate) fn tags(&self) -> impl Iterator<Item = usize> {
        let calls = self.calls.iter().map(|(tag, _)| *tag);
        calls.chain(self.answers.iter().map(|(tag, _)| *tag))
    }

    /// The next answer and its tag; `None` if none is awaited.
    ///
    /// Every call is polled at each wake-up, so that all of them are sent before the first answer is looked at. There are as
    /// many as there are nodes, which are few.
    pub(crate) async fn next(&mut self) -> Option<Answer<T>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Answer<T>>> {
        if self.answers.is_empty() {
            self.poll_calls(cx);
        }
        match self.answers.pop() {
            Some(answer) => Poll::Ready(Some(answer)),
            None if self.calls.is_empty() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    fn poll_calls(&mut self, cx: &mut Context<'_>) {
        let answers = &mut self.answers;
        self.calls.retain_mut(|(tag, call)| match call.as_mut().poll(cx) {
            Poll::Ready(answer) => {
                answers.push((*tag, answer));
                false
            }
            Poll::Pending => true,
        });
        answers.reverse();
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn all_are_asked_before_the_first_answer_and_none_is_lost() {
        let mut round = Round::new();
        for tag in 0..3 {
            round.call(tag, Box::pin(ready(Ok(tag))));
        }
        round.call(3, Box::pin(pending()));
        assert_eq!(round.next().await.unwrap().0, 0);
        assert!(
            round.tags().eq([3, 2, 1]),
            "{:?}",
            round.tags().collect::<Vec<_>>()
        );
        assert_eq!(round.next().await.unwrap().0, 1);
        assert_eq!(round.next().await.unwrap().0, 2);
        assert!(round.tags().eq([3]) && !round.is_empty());
        assert!(
            round
                .poll_next(&mut Context::from_waker(std::task::Waker::noop()))
                .is_pending()
        );
    }
}
