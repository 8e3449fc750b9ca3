//! The queues of this process: who wants the same lock here waits in line, and only the first asks the nodes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// The lines of one locker, by key. A line is in the table as long as somebody stands in it.
#[derive(Debug)]
pub(crate) struct Queue {
    lines: Mutex<HashMap<Arc<str>, Line>>,
    /// How many may stand in one line.
    limit: usize,
}

#[derive(Debug)]
struct Line {
    /// One permit, handed on in the order of waiting.
    turn: Arc<Semaphore>,
    places: usize,
    /// Until when the one whose turn it is holds the lock, as far as it has said.
    held_until: Option<Instant>,
}

/// A place in a line. When it is dropped the next in line has its turn.
#[derive(Debug)]
pub(crate) struct Place {
    queue: Arc<Queue>,
    key: Arc<str>,
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
    pub(crate) fn join(self: &Arc<Self>, key: Arc<str>) -> Result<Place, Option<Instant>> {
        let mut lines = self.lines();
        let line = lines.entry(Arc::clone(&key)).or_insert_with(|| Line {
            turn: Arc::new(Semaphore::new(1)),
            places: 0,
            held_until: None,
        });
        // The one whose turn it is does not wait.
        if line.places > self.limit {
            return Err(line.held_until);
        }
        line.places += 1;
        Ok(Place {
            queue: Arc::clone(self),
            key,
            turn: Arc::clone(&line.turn),
            permit: None,
        })
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<Arc<str>, Line>> {
        // Consistent at every point at which a panic can come.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Waits for the turn until `deadline`, and says whether it came. Without waiting if the deadline is over.
    pub(crate) async fn turn(&mut self, deadline: Instant) -> bool {
        if let Ok(permit) = Arc::clone(&self.turn).try_acquire_owned() {
            self.permit = Some(permit);
            return true;
        }
        if deadline <= Instant::now() {
            return false;
        }
        // The semaphore is never closed, so that an error of its own does not come.
        let waited = timeout_at(deadline, Arc::clone(&self.turn).acquire_owned()).await;
        self.permit = waited.ok().and_then(Result::ok);
        self.permit.is_some()
    }

    /// Lets those behind know until when the lock is held.
    pub(crate) fn holds_until(&self, until: Option<Instant>) {
        if let Some(line) = self.queue.lines().get_mut(&self.key) {
            line.held_until = until;
        }
    }

    /// Until when the one whose turn it is holds the lock, if it has said so.
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
        if line.places == 0 {
            lines.remove(&self.key);
        } else if self.permit.is_some() {
            line.held_until = None;
        }
        drop(lines);
        // Outside the lock: this wakes the next.
        self.permit = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key() -> Arc<str> {
        "k".into()
    }

    #[tokio::test(start_paused = true)]
    async fn turns_come_in_the_order_of_waiting() {
        let queue = Queue::new(10);
        let later = Instant::now() + Duration::from_secs(60);
        let mut first = queue.join(key()).unwrap();
        assert!(first.turn(later).await);
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for number in 0..5 {
            let (queue, order) = (Arc::clone(&queue), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let mut place = queue.join(key()).unwrap();
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
        let mut first = queue.join(key()).unwrap();
        assert!(first.turn(now).await);
        assert!(!queue.join(key()).unwrap().turn(now).await);
        let mut second = queue.join(key()).unwrap();
        assert!(!second.turn(now + Duration::from_secs(1)).await);
        drop(first);
        drop(second);
        assert!(queue.join(key()).unwrap().turn(now).await);
        assert!(queue.lines().is_empty());
    }

    #[tokio::test]
    async fn a_line_has_an_end() {
        let queue = Queue::new(1);
        let _first = queue.join(key()).unwrap();
        let second = queue.join(key()).unwrap();
        assert!(queue.join(key()).is_err());
        drop(second);
        assert!(queue.join(key()).is_ok());
    }
}
