//! A cache that writes down what it is asked to forget, and fails or waits as a test tells it.
#![allow(dead_code, unreachable_pub, reason = "each suite uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_invalidation::{Cause, Forget, Forgetting, Invalidator, JournalLimits, Source};
use larder_store::{Forgotten, StoreError, StoreErrorKind, Strength, Tag};
use tokio::sync::Semaphore;

/// One call: the tags, or none for everything.
pub type Call = (Option<Vec<Tag>>, Strength, Source);

#[derive(Debug, Clone)]
pub struct Spy {
    calls: Arc<Mutex<Vec<Call>>>,
    fails: Arc<AtomicBool>,
    gate: Arc<Semaphore>,
}

impl Default for Spy {
    fn default() -> Self {
        Self {
            calls: Arc::default(),
            fails: Arc::default(),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        }
    }
}

impl Spy {
    pub fn invalidator(&self) -> Invalidator {
        Invalidator::new(self.clone(), JournalLimits::default())
    }

    /// From now on it fails, or does not.
    pub fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    /// From now on its answers wait until `open`.
    pub fn close(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub fn open(&self) {
        self.gate.add_permits(1000);
    }

    /// The calls that were completed since the last look.
    pub fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// The application's own tags in those calls, in their order.
    pub fn forgotten(&self) -> Vec<String> {
        let tags = self.calls().into_iter().filter_map(|(tags, ..)| tags).flatten();
        tags.filter(|tag| tag.kind() == larder_store::TagKind::Named)
            .map(|tag| tag.as_str().to_owned())
            .collect()
    }

    fn answer(&self, call: Call) -> Forgetting<'_> {
        Box::pin(async move {
            drop(self.gate.acquire().await.unwrap());
            self.calls.lock().unwrap().push(call);
            if self.fails.load(Ordering::SeqCst) {
                return Err(StoreError::new(StoreErrorKind::Io, "as the test asked"));
            }
            Ok(Forgotten::default())
        })
    }
}

impl Forget for Spy {
    fn forget<'a>(&'a self, tags: &'a [Tag], strength: Strength, cause: Cause) -> Forgetting<'a> {
        self.answer((Some(tags.to_vec()), strength, cause.source))
    }

    fn forget_everything(&self, strength: Strength, cause: Cause) -> Forgetting<'_> {
        self.answer((None, strength, cause.source))
    }
}

/// Lets the other tasks run until none has anything to do; for paused time.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}
