//! Among whom there is one fill for a key: in this process, or among all that share the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Among whom there is one fill for a key at a time.
///
/// In a process it is always so. Among several that share a store which can tell them of each other, such as Redis, it takes
/// one round trip more for each fill. Nothing is promised by it but less work: when the process that fills dies, or the
/// store is away, the others fill after two seconds at most, or at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OneFill {
    /// In each process.
    InProcess,
    /// In all processes that share the store.
    Everywhere,
    /// Everywhere where it pays: while fills take 5 ms or more on average, or none is known yet. The default.
    #[default]
    Automatic,
}

impl OneFill {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProcess => "in_process",
            Self::Everywhere => "everywhere",
            Self::Automatic => "automatic",
        }
    }

    pub(crate) fn is_everywhere(self, pace: &Pace) -> bool {
        match self {
            Self::InProcess => false,
            Self::Everywhere => true,
            Self::Automatic => pace.average().is_none_or(|took| took >= WORTH),
        }
    }
}

/// What a fill must take, so that it pays to ask whether another does it.
const WORTH: Duration = Duration::from_millis(5);

/// How long fills take on average; clones share it. Two at once may count as one: it is a rule of thumb.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pace(Arc<AtomicU64>);

impl Pace {
    /// A fill took so long.
    pub(crate) fn took(&self, took: Duration) {
        // One more than microseconds: zero is nothing known.
        let took = u64::try_from(took.as_micros())
            .unwrap_or(u64::MAX >> 3)
            .min(u64::MAX >> 3)
            + 1;
        let average = match self.0.load(Ordering::Relaxed) {
            0 => took,
            before => (3 * before + took) / 4,
        };
        self.0.store(average, Ordering::Relaxed);
    }

    fn average(&self) -> Option<Duration> {
        let average = self.0.load(Ordering::Relaxed);
        average.checked_sub(1).map(Duration::from_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn automatic_is_everywhere_until_fills_are_known_to_be_quick() {
        let pace = Pace::default();
        let everywhere = || OneFill::Automatic.is_everywhere(&pace);
        assert!(everywhere());
        pace.took(Duration::from_secs(1));
        assert!(everywhere());
        (0..30).for_each(|_| pace.clone().took(Duration::from_millis(1)));
        assert!(!everywhere());
        assert!(OneFill::Everywhere.is_everywhere(&pace) && !OneFill::InProcess.is_everywhere(&pace));
        (0..30).for_each(|_| pace.took(Duration::from_millis(300)));
        assert!(everywhere());
        pace.took(Duration::MAX);
        pace.took(Duration::MAX);
        assert!(everywhere());
    }
}
