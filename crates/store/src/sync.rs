//! The locks of the concurrent modules: std's, or under `cfg(shuttle)` those of the model checker.

#[cfg(not(shuttle))]
pub(crate) use std::sync::*;

#[cfg(shuttle)]
pub(crate) use shuttle::sync::*;

/// What spreads keys over shards. Keys may be chosen by an attacker, so the seed is random.
#[cfg(not(shuttle))]
pub(crate) type KeyHasher = crate::seeded::Seeded;

/// What spreads keys over shards. A schedule replays only when equal keys take equal locks in every run,
/// so the seed is fixed.
#[cfg(shuttle)]
pub(crate) type KeyHasher = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;

/// Locks whether or not an earlier holder panicked: for data that is consistent at every point at which a
/// panic can come.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
