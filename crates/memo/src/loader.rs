//! A loader that gathers the keys of one tick into one query.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::future::{FutureExt, Shared};

/// Loads many values with one query.
///
/// ```
/// use std::collections::HashMap;
/// use larder_memo::{Batch, Loader};
///
/// struct Names; // a pool, say
///
/// impl Batch for Names {
///     type Key = u64;
///     type Value = String;
///     type Error = std::io::Error;
///
///     async fn load(&self, ids: Vec<u64>) -> Result<HashMap<u64, String>, std::io::Error> {
///         // SELECT id, name FROM users WHERE id = ANY($1)
///         Ok(ids.into_iter().filter(|id| *id < 100).map(|id| (id, format!("user {id}"))).collect())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let names = Loader::new(Names);
/// let (one, two, none) = tokio::join!(names.load(1), names.load(2), names.load(100)); // one query
/// assert_eq!(one.unwrap().as_deref(), Some("user 1"));
/// assert_eq!(two.unwrap().as_deref(), Some("user 2"));
/// assert_eq!(none.unwrap(), None);
/// # }
/// ```
pub trait Batch: Send + Sync + 'static {
    /// What a value is found by.
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    /// What is loaded.
    type Value: Clone + Send + Sync + 'static;
    /// Why it could not be.
    type Error: Send + Sync + 'static;

    /// Loads the values of `keys`, each of which is there once. A key that is not in the answer has no value.
    fn load(
        &self,
        keys: Vec<Self::Key>,
    ) -> impl Future<Output = Result<HashMap<Self::Key, Self::Value>, Self::Error>> + Send;
}

/// Gathers the keys that are asked for in one tick, and loads them with one query.
///
/// A tick is a turn of the runtime: what is polled together, in a `join!` or in other tasks that are ready, is loaded
/// together. No time is waited for. The query is driven by those who wait for it: when all of them are dropped, so is
/// it, and no task is left behind. When it panics, so do all who wait.
///
/// It remembers nothing: that is for a [`Memo`](crate::Memo), or for the cache that the batch asks. Clones are one loader.
pub struct Loader<B: Batch> {
    batch: Arc<B>,
    most: usize,
    gathering: Arc<Mutex<Option<Gathering<B>>>>,
}

type Answer<B> = Arc<Result<HashMap<<B as Batch>::Key, <B as Batch>::Value>, Arc<<B as Batch>::Error>>>;
type Query<B> = Shared<Pin<Box<dyn Future<Output = Answer<B>> + Send>>>;
type Keys<B> = Arc<Mutex<HashSet<<B as Batch>::Key>>>;

/// A query that has not begun: its keys, and the future in which it will.
struct Gathering<B: Batch> {
    keys: Keys<B>,
    query: Query<B>,
}

impl<B: Batch> Loader<B> {
    /// A loader of at most 1000 keys in one query.
    #[must_use]
    pub fn new(batch: B) -> Self {
        Self {
            batch: Arc::new(batch),
            most: 1000,
            gathering: Arc::default(),
        }
    }

    /// How many keys there are at most in one query; those beyond go into the next. The default is 1000, the least 1.
    #[must_use]
    pub fn most(mut self, keys: usize) -> Self {
        self.most = keys.max(1);
        self
    }

    /// The value of `key`; `None` if the batch does not know it.
    ///
    /// # Errors
    /// Why the query failed: the same for all whose keys were in it.
    pub async fn load(&self, key: B::Key) -> Result<Option<B::Value>, Arc<B::Error>> {
        let answer = self.enter(key.clone()).await;
        match &*answer {
            Ok(values) => Ok(values.get(&key).cloned()),
            Err(error) => Err(Arc::clone(error)),
        }
    }

    /// The values of `keys`; those that are missing have none.
    ///
    /// # Errors
    /// Why a query failed. More than [`most`](Self::most) keys take more than one.
    pub async fn load_many(
        &self,
        keys: impl IntoIterator<Item = B::Key>,
    ) -> Result<HashMap<B::Key, B::Value>, Arc<B::Error>> {
        // All are entered before any is waited for.
        let mut queries: Vec<(Query<B>, Vec<B::Key>)> = Vec::new();
        for key in keys {
            let query = self.enter(key.clone());
            match queries.last_mut() {
                Some((last, keys)) if last.ptr_eq(&query) => keys.push(key),
                _ => queries.push((query, vec![key])),
            }
        }
        let mut found = HashMap::new();
        for (query, keys) in queries {
            match &*query.await {
                Ok(values) => found.extend(keys.into_iter().filter_map(|key| {
                    let value = values.get(&key)?.clone();
                    Some((key, value))
                })),
                Err(error) => return Err(Arc::clone(error)),
            }
        }
        Ok(found)
    }

    /// Puts `key` into the next query.
    fn enter(&self, key: B::Key) -> Query<B> {
        let mut gathering = self.gathering.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &*gathering {
            let mut keys = open.keys.lock().unwrap_or_else(PoisonError::into_inner);
            // One that all have left is over before it began: who polled it last will not again.
            let waited_for = open.query.strong_count().is_some_and(|count| count > 1);
            if waited_for && (keys.len() < self.most || keys.contains(&key)) {
                keys.insert(key);
                return open.query.clone();
            }
        }
        let keys: Keys<B> = Arc::new(Mutex::new(HashSet::from([key])));
        let query = self.query(Arc::clone(&keys));
        *gathering = Some(Gathering {
            keys,
            query: query.clone(),
        });
        query
    }

    fn query(&self, keys: Keys<B>) -> Query<B> {
        let (batch, gathering) = (Arc::clone(&self.batch), Arc::downgrade(&self.gathering));
        let query = async move {
            // What else is ready in this tick comes first, and enters its keys.
            Tick::default().await;
            if let Some(gathering) = gathering.upgrade() {
                let mut gathering = gathering.lock().unwrap_or_else(PoisonError::into_inner);
                if gathering
                    .as_ref()
                    .is_some_and(|open| Arc::ptr_eq(&open.keys, &keys))
                {
                    *gathering = None;
                }
            }
            let keys = std::mem::take(&mut *keys.lock().unwrap_or_else(PoisonError::into_inner));
            let answer = batch.load(keys.into_iter().collect()).await;
            Arc::new(answer.map_err(Arc::new))
        };
        (Box::pin(query) as Pin<Box<dyn Future<Output = Answer<B>> + Send>>).shared()
    }
}

/// Ends with the turn of the runtime in which it is first polled.
///
/// Several tasks poll it, and each may do so within the turn; so what counts is that the runtime woke it.
#[derive(Default)]
struct Tick(Option<Arc<Woken>>);

struct Woken {
    woken: AtomicBool,
    task: Waker,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.task.wake_by_ref();
    }
}

impl Future for Tick {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(turn) = &self.0 {
            return if turn.woken.load(Ordering::SeqCst) {
                Poll::Ready(())
            } else {
                Poll::Pending
            };
        }
        let turn = Arc::new(Woken {
            woken: AtomicBool::new(false),
            task: cx.waker().clone(),
        });
        self.0 = Some(Arc::clone(&turn));
        // The runtime has the waker now, and calls it when all else that is ready had its turn.
        pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(&Waker::from(turn)))
    }
}

impl<B: Batch> Clone for Loader<B> {
    fn clone(&self) -> Self {
        Self {
            batch: Arc::clone(&self.batch),
            most: self.most,
            gathering: Arc::clone(&self.gathering),
        }
    }
}

impl<B: Batch> fmt::Debug for Loader<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}
