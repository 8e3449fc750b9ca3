//! A limit on how long something may stand still.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// Ends when nothing moved for `limit`. There is no timer until something has to be waited for.
#[derive(Debug)]
pub(crate) struct Idle {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    runs: bool,
}

impl Idle {
    pub(crate) const fn new(limit: Duration) -> Self {
        Self {
            limit,
            timer: None,
            runs: false,
        }
    }

    /// Something moved.
    pub(crate) const fn moved(&mut self) {
        self.runs = false;
    }

    /// Nothing moves. Ready when that has been so for too long.
    pub(crate) fn poll_stands(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(self.limit)));
        if !self.runs {
            self.runs = true;
            timer.as_mut().reset(Instant::now() + self.limit);
        }
        timer.as_mut().poll(cx)
    }
}
