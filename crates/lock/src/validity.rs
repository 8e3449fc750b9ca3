//! How long a lock may be believed in: Redlock's validity, as pure functions.

use std::time::Duration;

use tokio::time::Instant;

/// What a node's clock may gain on ours during `ttl`: one per cent of it, and two milliseconds for the precision of
/// expiry. The allowance that the implementations of Redlock share.
pub(crate) fn drift(ttl: Duration) -> Duration {
    if cfg!(larder_mutant = "lock_no_drift") {
        return Duration::ZERO;
    }
    ttl / 100 + Duration::from_millis(2)
}

/// Until when votes with `ttl` hold that were asked for from `begun` on. `begun` is read before the first command: a node
/// counts from when it gets the command, which is later.
pub(crate) fn until(begun: Instant, ttl: Duration) -> Instant {
    let begun = if cfg!(larder_mutant = "lock_validity_from_end") {
        Instant::now()
    } else {
        begun
    };
    begun + ttl.saturating_sub(drift(ttl))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_is_ttl_less_drift_from_before_the_first_command() {
        let begun = Instant::now();
        let ttl = Duration::from_secs(10);
        assert_eq!(until(begun, ttl), begun + Duration::from_millis(10_000 - 100 - 2));
    }

    #[test]
    fn the_fastest_allowed_clock_never_frees_a_lock_before_its_validity_ends() {
        // A node whose clock runs one per cent fast and whose expiry is a millisecond early on each side.
        for ttl_ms in [10_u64, 50, 500, 10_000, 3_600_000] {
            let ttl = Duration::from_millis(ttl_ms);
            let freed_after = ttl.mul_f64(1.0 / 1.01).saturating_sub(Duration::from_millis(2));
            let begun = Instant::now();
            assert!(until(begun, ttl) <= begun + freed_after, "{ttl:?}");
        }
    }
}
