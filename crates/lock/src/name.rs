//! The name of a lock: a kind, which labels metrics, and an id, which does not.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::sync::Arc;

/// The name of one lock.
///
/// The kind is one of a few words fixed in the program, such as `payment`: it is the label `lock` of every metric and
/// the field `lock` of every log line. The id says which payment; it is neither a label nor logged above `DEBUG`.
///
/// ```
/// use larder_lock::Lock;
///
/// assert_eq!(Lock::new("payment", 456).key(), "payment:456");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lock {
    /// First, for it alone orders locks: it contains all there is to a name.
    key: Arc<str>,
    kind: Cow<'static, str>,
    mode: LockMode,
}

/// Whether a lock is held by one alone or together with others: a write lock or a read lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum LockMode {
    /// Nobody else holds the lock in any mode. The default.
    #[default]
    Exclusive,
    /// Others may hold the lock in this mode too, and nobody holds it exclusively.
    Shared,
}

impl LockMode {
    /// The word for it in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exclusive => "exclusive",
            Self::Shared => "shared",
        }
    }
}

impl Lock {
    /// The lock of kind `kind` for `id`. Different pairs never name the same lock, whatever they contain.
    #[must_use]
    pub fn new(kind: impl Into<Cow<'static, str>>, id: impl fmt::Display) -> Self {
        let kind = kind.into();
        let mut key = String::with_capacity(kind.len() + 16);
        for char in kind.chars() {
            match char {
                // The first colon of a key ends the kind.
                ':' => key.push_str("%3A"),
                '%' => key.push_str("%25"),
                other => key.push(other),
            }
        }
        // Writing to a string fails only if the `Display` of `id` does; what it wrote until then is the id.
        let _ = write!(key, ":{id}");
        Self {
            key: key.into(),
            kind,
            mode: LockMode::Exclusive,
        }
    }

    /// The same lock, to be held together with others who take it so: a read lock, where an exclusive one writes.
    ///
    /// Whoever waits for the lock exclusively comes before those who ask for it shared later, so that readers who come and
    /// go do not keep a writer out.
    ///
    /// ```
    /// use std::time::Duration;
    /// use larder_lock::{Lock, LockErrorKind, Locker};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), larder_lock::LockError> {
    /// let (locker, ttl) = (Locker::memory(), Duration::from_secs(10));
    /// let catalogue = Lock::new("catalogue", 1);
    /// let one = locker.acquire(catalogue.clone().shared(), ttl).await?;
    /// let other = locker.acquire(catalogue.clone().shared(), ttl).await?;
    /// let writer = locker.acquire(catalogue, ttl).await;
    /// assert_eq!(writer.unwrap_err().kind(), LockErrorKind::Busy);
    /// # drop((one, other)); Ok(()) }
    /// ```
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.mode = LockMode::Shared;
        self
    }

    /// Whether it is to be held alone or together with others.
    #[must_use]
    pub const fn mode(&self) -> LockMode {
        self.mode
    }

    /// The kind, as it labels metrics.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The whole name, as nodes know it: kind and id with a colon between them.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn shared_key(&self) -> Arc<str> {
        Arc::clone(&self.key)
    }

    pub(crate) fn label(&self) -> Cow<'static, str> {
        self.kind.clone()
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("Lock");
        tuple.field(&self.key);
        if self.mode == LockMode::Shared {
            tuple.field(&self.mode);
        }
        tuple.finish()
    }
}

/// One or more locks to be held together.
///
/// They are taken one after the other in the order of their keys, whatever order they were named in, so that two callers
/// who want the same locks never wait for each other in a circle. A lock that is named twice is taken once: exclusively, if
/// it is named so once.
///
/// ```
/// use larder_lock::{Lock, Locks};
///
/// let transfer = Locks::from([Lock::new("account", "b"), Lock::new("account", "a")]);
/// assert!(transfer.iter().map(Lock::key).eq(["account:a", "account:b"]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locks(Vec<Lock>);

impl Locks {
    /// All of `locks`, or `None` if there are none: to hold nothing would protect nothing.
    pub fn all(locks: impl IntoIterator<Item = Lock>) -> Option<Self> {
        let locks: Vec<Lock> = locks.into_iter().collect();
        (!locks.is_empty()).then(|| Self::in_order(locks))
    }

    fn in_order(mut locks: Vec<Lock>) -> Self {
        // Of one name, the exclusive one is first.
        locks.sort();
        locks.dedup_by(|later, first| later.key == first.key);
        Self(locks)
    }

    /// The locks in the order in which they are taken.
    pub fn iter(&self) -> impl Iterator<Item = &Lock> {
        self.0.iter()
    }
}

impl From<Lock> for Locks {
    fn from(lock: Lock) -> Self {
        Self(vec![lock])
    }
}

impl<const N: usize> From<[Lock; N]> for Locks {
    /// All of `locks`. That there is at least one is checked when the program is compiled.
    fn from(locks: [Lock; N]) -> Self {
        const { assert!(N > 0, "to hold no lock would protect nothing") };
        Self::in_order(Vec::from(locks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_pairs_have_different_keys() {
        let pairs = [
            ("a:b", "c"),
            ("a", "b:c"),
            ("a%3Ab", "c"),
            ("a", ":b:c"),
            ("", "a:b:c"),
            ("a%", "c"),
        ];
        let keys: std::collections::BTreeSet<_> = pairs
            .iter()
            .map(|(kind, id)| Lock::new(*kind, id).key().to_owned())
            .collect();
        assert_eq!(keys.len(), pairs.len(), "{keys:?}");
    }

    #[test]
    fn the_order_of_naming_does_not_matter_and_twice_is_once() {
        let (a, b) = (Lock::new("k", "a"), Lock::new("k", "b"));
        assert_eq!(
            Locks::from([b.clone(), a.clone(), b.clone()]),
            Locks::from([a, b])
        );
        assert_eq!(Locks::all([]), None);
        let shared = Lock::new("k", "a").shared();
        assert_eq!(
            Locks::from([shared.clone(), Lock::new("k", "a"), shared]),
            Locks::from(Lock::new("k", "a"))
        );
    }
}
