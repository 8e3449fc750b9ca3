//! Whose turn it is to make what is missing, among the processes that share a store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// Whose turn it is.
#[non_exhaustive]
pub enum Turn {
    /// The caller's. With a [`Lease`] others wait for it, and without one it is the caller's affair alone.
    Own(Option<Lease>),
    /// Another process's. The future ends when that one has, or may have; the time limit is the caller's.
    Others(Pin<Box<dyn Future<Output = TurnEnd> + Send>>),
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TurnEnd {
    /// What was made is in the store, as far as is known.
    Made,
    /// What was made, if anything, is not for others: each makes its own.
    Unshared,
    /// It was given up, or nothing is heard of it any more: another may take its turn.
    Left,
}

impl TurnEnd {
    /// The word for it in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Unshared => "unshared",
            Self::Left => "left",
        }
    }
}

/// A turn for which others wait: they are told how it ended, at the latest when this is dropped.
#[must_use = "to drop a lease is to leave the turn to others"]
pub struct Lease(Option<Box<dyn FnOnce(TurnEnd) + Send + Sync>>);

impl Lease {
    /// A turn that is ended by `end`, which is called once.
    pub fn new(end: impl FnOnce(TurnEnd) + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(end)))
    }

    /// Ends the turn.
    pub fn end(mut self, how: TurnEnd) {
        self.tell(how);
    }

    fn tell(&mut self, how: TurnEnd) {
        if let Some(end) = self.0.take() {
            end(how);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // What panics would do so for each who takes over, one after the other.
        self.tell(if std::thread::panicking() {
            TurnEnd::Unshared
        } else {
            TurnEnd::Left
        });
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").finish_non_exhaustive()
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(lease) => f.debug_tuple("Own").field(lease).finish(),
            Self::Others(_) => f.write_str("Others(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_lease_tells_once_how_it_ended() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let lease = || {
            let told = Arc::clone(&told);
            Lease::new(move |end| told.lock().unwrap().push(end))
        };
        lease().end(TurnEnd::Made);
        drop(lease());
        let panics = lease();
        std::thread::spawn(move || {
            let _panics = panics;
            panic!("on purpose");
        })
        .join()
        .unwrap_err();
        assert_eq!(
            *told.lock().unwrap(),
            [TurnEnd::Made, TurnEnd::Left, TurnEnd::Unshared]
        );
    }
}
