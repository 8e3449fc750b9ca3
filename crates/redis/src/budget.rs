//! What may be waited for, and how much of it at once.

use std::time::Duration;

/// What operations may cost, and when the server is left alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// How long a look-up, a capture or a write may take.
    pub(crate) operation: Duration,
    /// How long an invalidation may take.
    pub(crate) invalidation: Duration,
    /// How long it may take to connect and to learn who the server is.
    pub(crate) connect: Duration,
    /// How many operations may be under way at once.
    pub(crate) in_flight: usize,
    /// How many bytes of entries may be on their way to the server.
    pub(crate) writing: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            operation: Duration::from_millis(40),
            invalidation: Duration::from_millis(1900),
            connect: Duration::from_secs(1),
            in_flight: 1024,
            writing: 32 << 20,
        }
    }
}

/// So many operations in a row without an answer in time, and the server is not asked any more until it answers a probe.
pub(crate) const STRIKES: u32 = 3;

/// How long the server is left alone after it failed: from the first to the last of these, twice as long each time.
const REST: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How long it is left alone after another failure in a row, where it was `rest` after the one before.
pub(crate) fn rest_again(rest: Duration) -> Duration {
    let (first, last) = REST;
    (rest * 2).clamp(first, last)
}

/// The same where it worked for the time `worked` before: what worked for long begins anew.
pub(crate) fn rest_after(rest: Duration, worked: Duration) -> Duration {
    let (first, last) = REST;
    if worked > last { first } else { rest_again(rest) }
}

/// How often a connection's server is asked whether it is still the one.
pub(crate) const WATCH: Duration = Duration::from_millis(500);

/// For how long that is believed: a connection over which it was not confirmed for so long is given up.
pub(crate) const LEASE: Duration = Duration::from_secs(2);
