//! The results of functions, in the handle: kept, made by one of all who ask, and looked up by many keys at once.

use std::any::Any;
use std::future::Future;

use larder_cache_layer::{Slot, Values};
use larder_store::KeyPart;

use crate::invalidation::Invalidation;
use crate::larder::Larder;

impl Larder {
    /// The place of the value of `key` among `values`: see [`Slot`].
    #[inline]
    pub fn slot<'a, T>(&'a self, key: impl KeyPart, values: &'a Values<T>) -> Slot<'a, T>
    where
        T: Any + Clone + Send + Sync,
    {
        self.engine().slot(&key, values)
    }

    /// The value of `key`, or what `fill` makes of it: one of all who ask at the same time makes it, and the others wait.
    ///
    /// See [functions](crate::guide::functions) for what is promised, and [`Slot::get_or_refresh`] for work that may go on
    /// in the background.
    ///
    /// ```
    /// use larder::{FillPolicy, Larder, Values};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), std::num::ParseIntError> {
    /// let larder = Larder::in_memory(1 << 20);
    /// let squares: Values<u64> = FillPolicy::new("squares").ttl("2h").in_process(|_| 8);
    ///
    /// let square = async || larder.get_or_fill("12", &squares, async || Ok("12".parse::<u64>()?.pow(2))).await;
    /// assert_eq!(square().await?, 144);
    /// assert_eq!(larder.get("12", &squares).await, Some(144));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// What `fill` answered. An error is never kept.
    #[inline]
    pub async fn get_or_fill<T, E, F, Fut>(
        &self,
        key: impl KeyPart,
        values: &Values<T>,
        fill: F,
    ) -> Result<T, E>
    where
        T: Any + Clone + Send + Sync,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        // The slot ends before the first await: its key is not carried about in the future.
        let missed = match self.slot(key, values).look() {
            Ok(value) => return Ok(value),
            Err(missed) => missed,
        };
        missed.fill_from((), |()| Vec::new(), |()| fill()).await
    }

    /// The value of `key`, if it is there and fresh.
    pub async fn get<T>(&self, key: impl KeyPart, values: &Values<T>) -> Option<T>
    where
        T: Any + Clone + Send + Sync,
    {
        self.slot(key, values).get().await
    }

    /// Puts a value that was made by now: see [`Slot::put`]. Answers whether it was kept.
    pub async fn put<T>(&self, key: impl KeyPart, values: &Values<T>, value: T) -> bool
    where
        T: Any + Clone + Send + Sync,
    {
        self.slot(key, values).put(value).await
    }

    /// Forgets the value of `key`, and lets nobody keep one whose making is under way. On a Redis server another value may be
    /// forgotten with it: their keys share a bounded number of records.
    ///
    /// # Errors
    /// When the store failed: it is unknown whether the value was forgotten.
    pub fn invalidate_key<T>(&self, key: impl KeyPart, values: &Values<T>) -> Invalidation
    where
        T: Any + Clone + Send + Sync,
    {
        self.invalidate_tag(self.slot(key, values).key_tag())
    }

    /// The values of `keys` that are there and fresh, in the order of `keys`, looked up in one round trip.
    pub async fn get_many<T, K>(&self, keys: &[K], values: &Values<T>) -> Vec<Option<T>>
    where
        T: Any + Clone + Send + Sync,
        K: KeyPart,
    {
        self.engine().get_many(keys, values).await
    }

    /// The values of `keys`, in their order: those that are there, and what one call of `fill` makes of all others. See
    /// [`Engine::fill_many`](crate::Engine::fill_many).
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use larder::{FillPolicy, Larder, Values};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Infallible> {
    /// let larder = Larder::in_memory(1 << 20);
    /// let names: Values<String> = FillPolicy::new("names").in_process(String::len);
    /// larder.put(1, &names, "ada".to_owned()).await;
    ///
    /// let found = larder.fill_many(&[1, 2, 3], &names, async |missing| {
    ///     assert_eq!(missing, [2, 3]); // one query for both, and there is no 3
    ///     Ok::<_, Infallible>(vec![(2, "grace".to_owned())])
    /// });
    /// assert_eq!(found.await?, [Some("ada".to_owned()), Some("grace".to_owned()), None]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// What `fill` answered.
    pub async fn fill_many<T, K, E, F, Fut>(
        &self,
        keys: &[K],
        values: &Values<T>,
        fill: F,
    ) -> Result<Vec<Option<T>>, E>
    where
        T: Any + Clone + Send + Sync,
        K: KeyPart + Clone,
        F: FnOnce(Vec<K>) -> Fut,
        Fut: Future<Output = Result<Vec<(K, T)>, E>>,
    {
        self.engine().fill_many(keys, values, fill).await
    }
}
