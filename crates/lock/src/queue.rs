//! The queues of this process: who wants the same lock here waits in line, and only those whose turn it is ask the nodes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::name::LockMode;

/// How many may have their turn together if all of them share the lock; one who does not needs all permits.
const SHARES: u32 = 1 << 20;

/// The lines of one locker, by key. A line is in the table as long as somebody stands in it.
#[derive(Debug)]
pub(crate) struct Queue {
    lines: Mutex<HashMap<Arc<str>, Line>>,
    /// How many may wait in one line.
    limit: usize,
}

#[derive(Debug)]
struct Line {
    /// [`SHARES`] permits, handed on in the order of waiting.
    turn: Arc<Semaphore>,
    /// Those who wait, and those whose turn it is.
    places: usize,
    waiting: usize,
    /// Until when those whose turn it is hold the lock, as far as they have said.
    held_until: Option<Instant>,
    /// The lock was released here, and nodes have named somebody elsewhere.
    passed_on: bool,
}

/// A place in a line. When it is dropped the next in line has its turn.
#[derive(Debug)]
pub(crate) struct Place {
    queue: Arc<Queue>,
    key: Arc<str>,
    mode: LockMode,
    turn: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Queue {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            lines: Mutex::default(),
            limit,
        })
    }

    /// Goes to the line of `key`, or says how long the lock is held if that line is full.
    pub(crate) fn join(self: &Arc<Self>, key: Arc<str>, mode: LockMode) -> Result<Place, Option<Instant>> {
        let mut lines = self.lines();
        let line = lines.entry(Arc::clone(&key)).or_insert_with(|| Line {
            turn: Arc::new(Semaphore::new(SHARES as usize)),
            places: 0,
            waiting: 0,
            held_until: None,
            passed_on: false,
        });
        let free = Arc::clone(&line.turn).try_acquire_many_owned(shares(mode));
        // Nobody passes one who waits, be there room for those who share.
        let permit = free.ok().filter(|_| line.waiting == 0);
        if permit.is_none() {
            if line.waiting >= self.limit {
                return Err(line.held_until);
            }
            line.waiting += 1;
        }
        line.places += 1;
        Ok(Place {
            queue: Arc::clone(self),
            key,
            mode,
            turn: Arc::clone(&line.turn),
            permit,
        })
    }

    /// The lines that somebody stands in: `most` of them, the longest first.
    pub(crate) fn standing(&self, most: usize) -> Vec<QueuedLock> {
        let now = Instant::now();
        let mut all: Vec<QueuedLock> = {
            let lines = self.lines();
            let line = |(key, line): (&Arc<str>, &Line)| QueuedLock {
                key: Arc::clone(key),
                holding: line.places - line.waiting,
                waiting: line.waiting,
                remaining: line.held_until.map(|until| until.saturating_duration_since(now)),
            };
            lines.iter().map(line).collect()
        };
        all.sort_by(|a, b| b.waiting.cmp(&a.waiting).then_with(|| a.key.cmp(&b.key)));
        all.truncate(most);
        all
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<Arc<str>, Line>> {
        // Consistent at every point at which a panic can come.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lock that somebody in this process holds, acquires or waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueuedLock {
    /// Its whole name: kind and id.
    pub key: Arc<str>,
    /// How many have their turn here: they hold it, or ask the nodes for it.
    pub holding: usize,
    /// How many wait for their turn here.
    pub waiting: usize,
    /// How long it stays held at least if nobody extends it; `None` where nobody here holds it.
    pub remaining: Option<Duration>,
}

const fn shares(mode: LockMode) -> u32 {
    match mode {
        LockMode::Exclusive => SHARES,
        LockMode::Shared => 1,
    }
}

impl Place {
    /// Waits for the turn until `deadline`, and says whether it came. Without waiting if the deadline is over.
    pub(crate) async fn turn(&mut self, deadline: Instant) -> bool {
        if self.permit.is_some() {
            return true;
        }
        if deadline <= Instant::now() {
            return false;
        }
        let wanted = Arc::clone(&self.turn).acquire_many_owned(shares(self.mode));
        // The semaphore is never closed, so that an error of its own does not come.
        self.permit = timeout_at(deadline, wanted).await.ok().and_then(Result::ok);
        if self.permit.is_some()
            && let Some(line) = self.queue.lines().get_mut(&self.key)
        {
            line.waiting -= 1;
        }
        self.permit.is_some()
    }

    /// Lets those behind know until when the lock is held.
    pub(crate) fn holds_until(&self, until: Option<Instant>) {
        if let Some(line) = self.queue.lines().get_mut(&self.key) {
            line.held_until = match self.mode {
                LockMode::Exclusive => until,
                LockMode::Shared => until.max(line.held_until),
            };
        }
    }

    /// Whether somebody waits behind this place.
    pub(crate) fn is_followed(&self) -> bool {
        let lines = self.queue.lines();
        lines.get(&self.key).is_some_and(|line| line.waiting > 0)
    }

    /// Lets the next in line know that nodes have named somebody elsewhere.
    pub(crate) fn pass_on(&self) {
        if let Some(line) = self.queue.lines().get_mut(&self.key) {
            line.passed_on = true;
        }
    }

    /// Whether the last one here said that nodes have named somebody elsewhere. It is told once.
    pub(crate) fn is_passed_over(&self) -> bool {
        let mut lines = self.queue.lines();
        let line = lines.get_mut(&self.key);
        line.is_some_and(|line| std::mem::take(&mut line.passed_on))
    }

    /// Until when those whose turn it is hold the lock, if they have said so.
    pub(crate) fn held_until(&self) -> Option<Instant> {
        self.queue.lines().get(&self.key)?.held_until
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lines = self.queue.lines();
        let Some(line) = lines.get_mut(&self.key) else {
            return;
        };
        line.places -= 1;
        if self.permit.is_none() {
            line.waiting -= 1;
        } else if self.mode == LockMode::Exclusive {
            line.held_until = None;
        }
        if line.places == 0 {
            lines.remove(&self.key);
        }
        drop(lines);
        // Outside the lock: this wakes the next.
        self.permit = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Arc<str> {
        "k".into()
    }

    #[tokio::test(start_paused = true)]
    async fn turns_come_in_the_order_of_waiting() {
        let queue = Queue::new(10);
        let later = Instant::now() + Duration::from_secs(60);
        let mut first = queue.join(key(), LockMode::Exclusive).unwrap();
        assert!(first.turn(later).await);
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for number in 0..5 {
            let (queue, order) = (Arc::clone(&queue), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let mut place = queue.join(key(), LockMode::Exclusive).unwrap();
                assert!(place.turn(later).await);
                order.lock().unwrap().push(number);
            }));
            tokio::task::yield_now().await;
        }
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
        assert!(queue.lines().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_wait_or_leaves_holds_up_nobody() {
        let queue = Queue::new(10);
        let now = Instant::now();
        let mut first = queue.join(key(), LockMode::Exclusive).unwrap();
        assert!(first.turn(now).await);
        assert!(!queue.join(key(), LockMode::Exclusive).unwrap().turn(now).await);
        let mut second = queue.join(key(), LockMode::Exclusive).unwrap();
        assert!(!second.turn(now + Duration::from_secs(1)).await);
        drop(first);
        drop(second);
        assert!(queue.join(key(), LockMode::Exclusive).unwrap().turn(now).await);
        assert!(queue.lines().is_empty());
    }

    #[tokio::test]
    async fn a_line_has_an_end() {
        let queue = Queue::new(1);
        let _first = queue.join(key(), LockMode::Exclusive).unwrap();
        let second = queue.join(key(), LockMode::Exclusive).unwrap();
        assert!(queue.join(key(), LockMode::Exclusive).is_err());
        drop(second);
        assert!(queue.join(key(), LockMode::Exclusive).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_stands_in_line_is_shown_and_no_more_than_asked_for() {
        let queue = Queue::new(10);
        let first = queue.join(key(), LockMode::Exclusive).unwrap();
        first.holds_until(Some(Instant::now() + Duration::from_secs(7)));
        let _second = queue.join(key(), LockMode::Exclusive).unwrap();
        let _others: Vec<_> = (0..5)
            .map(|n| {
                queue
                    .join(format!("other:{n}").into(), LockMode::Exclusive)
                    .unwrap()
            })
            .collect();
        let shown = queue.standing(3);
        assert_eq!(shown.len(), 3);
        let expected = QueuedLock {
            key: key(),
            holding: 1,
            waiting: 1,
            remaining: Some(Duration::from_secs(7)),
        };
        assert_eq!(shown[0], expected);
        assert_eq!((shown[1].waiting, shown[1].remaining), (0, None));
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_share_have_their_turn_together_and_none_passes_one_who_waits() {
        let queue = Queue::new(10);
        let now = Instant::now();
        let later = now + Duration::from_secs(60);
        let mut readers: Vec<_> = (0..50)
            .map(|_| queue.join(key(), LockMode::Shared).unwrap())
            .collect();
        for reader in &mut readers {
            assert!(reader.turn(now).await);
        }
        let mut writer = queue.join(key(), LockMode::Exclusive).unwrap();
        let mut late = queue.join(key(), LockMode::Shared).unwrap();
        let (wrote, read) = tokio::join!(
            async {
                assert!(writer.turn(later).await);
                tokio::time::sleep(Duration::from_secs(1)).await;
                drop(writer);
                Instant::now()
            },
            async {
                tokio::task::yield_now().await;
                assert!(!queue.join(key(), LockMode::Shared).unwrap().turn(now).await);
                drop(readers);
                assert!(late.turn(later).await);
                Instant::now()
            }
        );
        assert!(read >= wrote);
    }
}
