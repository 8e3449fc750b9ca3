//! The memory of one request.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use larder_store::{Key, KeyPart, KeyWriter};
use tokio::sync::OnceCell;

/// The memory of one request: what is loaded under a key is loaded once, however often and from wherever within the
/// request it is asked for. Clones are one memory, which goes with the last of them.
///
/// It knows no invalidation and no lifetime: a request sees what it loaded first.
///
/// ```
/// use larder_memo::Memo;
///
/// # async fn query(id: u64) -> Result<String, std::io::Error> { Ok(format!("user {id}")) }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), std::io::Error> {
/// let memo = Memo::new(); // in a service: from `MemoLayer`
/// let user = async || memo.get_or_load(("user", 7_u64), async || query(7).await).await;
/// let (first, second) = tokio::join!(user(), user()); // one query
/// assert_eq!(first?, second?);
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Memo(Arc<Mutex<HashMap<(TypeId, Key), Place>>>);

/// A [`OnceCell`] of the type in its key.
type Place = Arc<dyn Any + Send + Sync>;

impl Memo {
    /// How many values it remembers. What is asked for beyond that is loaded each time.
    pub const MOST: usize = 4096;

    /// An empty memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value under `key`, or what `load` makes of it. Values of another type are under another key.
    ///
    /// Who asks while another loads waits for it. An error is its caller's and is not remembered: who waited loads next.
    /// So it is when a caller is dropped, or panics, while it loads.
    ///
    /// # Errors
    /// What `load` answered.
    pub async fn get_or_load<T, E, F, Fut>(&self, key: impl KeyPart, load: F) -> Result<T, E>
    where
        T: Clone + Send + Sync + 'static,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        match self.place(&key) {
            Some(place) => place.get_or_try_init(load).await.cloned(),
            None => load().await,
        }
    }

    fn place<T: Send + Sync + 'static>(&self, key: &impl KeyPart) -> Option<Arc<OnceCell<T>>> {
        let mut bytes = Vec::new();
        key.write_to(&mut KeyWriter::new(&mut bytes));
        let name = (TypeId::of::<T>(), Key::from(bytes.as_slice()));
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= Self::MOST && !places.contains_key(&name) {
            return None;
        }
        let place = places
            .entry(name)
            .or_insert_with(|| Arc::new(OnceCell::<T>::new()));
        Arc::clone(place).downcast().ok()
    }
}

impl fmt::Debug for Memo {
    /// How much it remembers, never what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Memo")
            .field("values", &places.len())
            .finish_non_exhaustive()
    }
}
