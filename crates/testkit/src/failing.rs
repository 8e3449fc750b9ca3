//! A double that stands before a real store and fails, hangs or takes its time as it is told.

use std::future::{pending, poll_fn};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use larder_store::{
    Announcement, Answer, Capture, Condition, Entry, Finding, Forgotten, Kept, Key, Lookup, Put, SharedEntry,
    Size, Store, StoreError, StoreErrorKind, Strength, Tag, Validity,
};

/// A store that fails as it is told: each kind of call has a [`Mode`] of its own, which may change at any time.
///
/// It stands before another store, which keeps the entries. Clones are one double, so that a test keeps one to steer
/// the other with. It begins with [`Mode::Ok`] for all calls, and then makes no difference.
///
/// ```
/// use larder_store::{Answer, MemoryStore, Store};
/// use larder_testkit::{Call, FailingStore, Mode};
///
/// let store = FailingStore::new(MemoryStore::with_capacity(1 << 20));
/// store.set(Call::Lookup, Mode::Error);
/// assert!(matches!(store.lookup(b"key"), Answer::Ready(Err(_))));
/// assert_eq!(store.calls(Call::Lookup), 1);
/// ```
#[derive(Debug, Clone)]
pub struct FailingStore {
    inner: Arc<dyn Store>,
    steering: Arc<[Steering; Call::ALL.len()]>,
}

/// What a call to the store comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// The answer of the store behind it, unchanged.
    Ok,
    /// An error, at once; the store behind it is not asked.
    Error,
    /// No answer, ever; the store behind it is not asked.
    Hang,
    /// The answer of the store behind it after a round trip: it is asked when the answer was awaited once, and its
    /// answer comes when it was awaited once more.
    Later,
}

/// The calls that can be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// [`Store::lookup`].
    Lookup,
    /// [`Store::capture`].
    Capture,
    /// [`Store::put`].
    Put,
    /// [`Store::validity`].
    Validity,
    /// [`Store::forget`] and [`Store::forget_everything`], [`Store::announce`] and [`Store::finish`].
    Forget,
    /// [`Store::probe`].
    Probe,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Lookup,
        Self::Capture,
        Self::Put,
        Self::Validity,
        Self::Forget,
        Self::Probe,
    ];
}

#[derive(Debug, Default)]
struct Steering {
    mode: AtomicU8,
    calls: AtomicUsize,
}

const MODES: [Mode; 4] = [Mode::Ok, Mode::Error, Mode::Hang, Mode::Later];

impl FailingStore {
    /// A double before `store`.
    #[must_use]
    pub fn new(store: impl Store) -> Self {
        Self {
            inner: Arc::new(store),
            steering: Arc::default(),
        }
    }

    /// What `call` comes to from now on.
    pub fn set(&self, call: Call, mode: Mode) {
        self.steering[call as usize]
            .mode
            .store(mode as u8, Ordering::SeqCst);
    }

    /// What all calls come to from now on.
    pub fn set_all(&self, mode: Mode) {
        for call in Call::ALL {
            self.set(call, mode);
        }
    }

    /// How often `call` was made, whatever came of it.
    #[must_use]
    pub fn calls(&self, call: Call) -> usize {
        self.steering[call as usize].calls.load(Ordering::SeqCst)
    }

    fn enter(&self, call: Call) -> Mode {
        let steering = &self.steering[call as usize];
        steering.calls.fetch_add(1, Ordering::SeqCst);
        MODES[usize::from(steering.mode.load(Ordering::SeqCst))]
    }

    /// The answer to `call`, where `ask` asks the store behind.
    fn answer<T: Send + 'static>(
        &self,
        call: Call,
        ask: impl FnOnce(&dyn Store) -> Answer<Result<T, StoreError>> + Send + 'static,
    ) -> Answer<Result<T, StoreError>> {
        match self.enter(call) {
            Mode::Ok => ask(&*self.inner),
            Mode::Error => Answer::Ready(Err(failure())),
            Mode::Hang => Answer::Later(Box::pin(pending())),
            Mode::Later => later(Arc::clone(&self.inner), ask),
        }
    }
}

impl Store for FailingStore {
    fn name(&self) -> &'static str {
        "failing"
    }

    fn lookup(&self, key: &[u8]) -> Answer<Result<Lookup, StoreError>> {
        let key = key.to_vec();
        self.answer(Call::Lookup, move |store| store.lookup(&key))
    }

    fn capture(&self, tags: &[Tag]) -> Answer<Result<Capture, StoreError>> {
        let tags = tags.to_vec();
        self.answer(Call::Capture, move |store| store.capture(&tags))
    }

    fn put(&self, key: Key, entry: Entry, capture: Capture) -> Answer<Put> {
        match self.enter(Call::Put) {
            Mode::Ok => self.inner.put(key, entry, capture),
            Mode::Error => Answer::Ready(Put {
                entry: Arc::new(entry),
                kept: Kept::Error,
            }),
            Mode::Hang => Answer::Later(Box::pin(pending())),
            Mode::Later => later(Arc::clone(&self.inner), move |store| {
                store.put(key, entry, capture)
            }),
        }
    }

    fn validity(&self, entry: &SharedEntry) -> Answer<Result<Validity, StoreError>> {
        let entry = Arc::clone(entry);
        self.answer(Call::Validity, move |store| store.validity(&entry))
    }

    fn forget(&self, tags: &[Tag], strength: Strength) -> Answer<Result<Forgotten, StoreError>> {
        let tags = tags.to_vec();
        self.answer(Call::Forget, move |store| store.forget(&tags, strength))
    }

    fn forget_everything(&self, strength: Strength) -> Answer<Result<Forgotten, StoreError>> {
        self.answer(Call::Forget, move |store| store.forget_everything(strength))
    }

    fn announce(&self, tags: &[Tag], lasts: Duration) -> Answer<Result<Announcement, StoreError>> {
        let tags = tags.to_vec();
        self.answer(Call::Forget, move |store| store.announce(&tags, lasts))
    }

    fn finish(&self, tags: &[Tag], announcement: Announcement) -> Answer<Result<Forgotten, StoreError>> {
        let tags = tags.to_vec();
        self.answer(Call::Forget, move |store| store.finish(&tags, announcement))
    }

    fn size(&self) -> Size {
        self.inner.size()
    }

    fn doctor(&self) -> Answer<Vec<Finding>> {
        self.inner.doctor()
    }

    fn visit(&self, see: &mut dyn FnMut(&Key, &SharedEntry) -> ControlFlow<()>) -> bool {
        self.inner.visit(see)
    }

    fn stamp(&self, entry: &Entry) -> Option<String> {
        self.inner.stamp(entry)
    }

    fn probe(&self) -> Answer<Result<(), StoreError>> {
        self.answer(Call::Probe, Store::probe)
    }

    fn condition(&self) -> Condition {
        self.inner.condition()
    }
}

fn failure() -> StoreError {
    StoreError::new(StoreErrorKind::Io, "the double was told to fail")
}

fn later<T: Send + 'static>(
    store: Arc<dyn Store>,
    ask: impl FnOnce(&dyn Store) -> Answer<T> + Send + 'static,
) -> Answer<T> {
    Answer::Later(Box::pin(async move {
        one_turn().await;
        let answer = ask(&*store).wait().await;
        one_turn().await;
        answer
    }))
}

/// Gives way to other tasks once.
async fn one_turn() {
    let mut waited = false;
    poll_fn(|cx| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
