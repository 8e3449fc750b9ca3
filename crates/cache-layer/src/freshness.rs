//! How long a response is of use, and what an entry is worth now. Pure: the time is an argument.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use larder_etag::HttpDate;
use larder_store::{Lifetime, Timestamp};

use crate::admit::Admitted;
use crate::policy::Policy;
use crate::status::UncacheableReason;

/// What an entry is worth at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// It is fresh.
    Fresh,
    /// It may be served while it is replaced in the background.
    Stale,
    /// It may be served only if the handler fails.
    IfError,
    /// It is of no use.
    Gone,
}

/// What an entry with this lifetime is worth at `now`; one that was `forgotten_softly` is stale however young.
#[inline]
pub(crate) fn freshness(lifetime: &Lifetime, now: Timestamp, forgotten_softly: bool) -> Freshness {
    let age = lifetime.age_ms(now);
    if age < lifetime.fresh_ms && !forgotten_softly {
        return Freshness::Fresh;
    }
    let past = age.saturating_sub(lifetime.fresh_ms);
    if past < lifetime.stale_while_revalidate_ms {
        Freshness::Stale
    } else if past < lifetime.stale_if_error_ms {
        Freshness::IfError
    } else {
        Freshness::Gone
    }
}

/// Whether this hit should refresh the entry before it expires: XFetch (Vattani, Chierichetti, Lowenstein 2015).
///
/// `luck` is uniform in (0, 1]. The dearer a fill and the nearer the end, the likelier.
pub(crate) fn refresh_early(lifetime: &Lifetime, now: Timestamp, beta: f64, luck: f64) -> bool {
    #[allow(clippy::cast_precision_loss, reason = "milliseconds far below 2^52")]
    let left = lifetime.fresh_ms.saturating_sub(lifetime.age_ms(now)) as f64;
    f64::from(lifetime.load_ms.max(1)) * beta * -luck.ln() >= left
}

/// When a fill began and ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) began: Timestamp,
    pub(crate) ended: Timestamp,
}

/// The lifetime of a response, or why it has none.
///
/// The handler's word goes before the layer's: its hints, then `s-maxage`, `max-age` and `Expires` (RFC 9111 §4.2.1),
/// then the layer's lifetime for the status. `luck` is uniform in [0, 1) and shortens the layer's lifetime by up to
/// its jitter.
pub(crate) fn lifetime(
    status: StatusCode,
    headers: &HeaderMap,
    admitted: &Admitted,
    policy: &Policy,
    shared: bool,
    load: Load,
    luck: f64,
) -> Result<Lifetime, UncacheableReason> {
    let directives = &admitted.directives;
    let shared_age = if shared { directives.s_maxage } else { None };
    let said = admitted
        .hints
        .ttl
        .or(shared_age)
        .or(directives.max_age)
        .or_else(|| expires_in(headers, load.ended));
    let fresh = match said {
        Some(said) => said,
        None => policy
            .ttl_of(status)
            .map(|ttl| shortened(ttl, policy.jitter * luck))
            .ok_or(UncacheableReason::Status)?,
    };
    // An `Age` is counted from where it was generated, so the way to here adds to it (RFC 9111 §4.2.3). Without one the
    // handler is the origin, and what it made is as old as its making.
    let initial_age = age(headers).map_or(Duration::ZERO, |age| {
        age.saturating_add(load.ended.since(load.began))
    });
    // Fresh for less than it is old already: it would never be a hit.
    if fresh <= initial_age {
        return Err(UncacheableReason::NoLifetime);
    }
    let stale = |said: Option<Duration>, own: Duration| {
        if directives.must_revalidate {
            0
        } else {
            millis(said.unwrap_or(own))
        }
    };
    Ok(Lifetime {
        received: load.ended,
        initial_age_ms: millis(initial_age),
        fresh_ms: millis(fresh),
        stale_while_revalidate_ms: stale(directives.stale_while_revalidate, policy.stale_while_revalidate),
        stale_if_error_ms: stale(directives.stale_if_error, policy.stale_if_error),
        load_ms: u32::try_from(millis(load.ended.since(load.began))).unwrap_or(u32::MAX),
    })
}

/// `ttl` without the given part of it.
fn shortened(ttl: Duration, part: f64) -> Duration {
    // Not by `mul_f64`, which panics for the longest durations.
    ttl.saturating_sub(Duration::try_from_secs_f64(ttl.as_secs_f64() * part).unwrap_or_default())
}

/// `Age` of a response that passed another cache (RFC 9111 §5.1): whole seconds, anything else is ignored.
fn age(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::AGE)?.to_str().ok()?;
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Duration::from_secs(value.parse::<u64>().unwrap_or(1 << 31).min(1 << 31)))
}

/// `Expires` (RFC 9111 §5.3), counted from `Date`, or from `now` without one; what cannot be read has expired.
fn expires_in(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    headers.get(header::EXPIRES)?;
    let Some(expires) = HttpDate::of_field(headers, &header::EXPIRES) else {
        return Some(Duration::ZERO);
    };
    let now = i64::try_from(now.as_millis() / 1000).unwrap_or(i64::MAX);
    let from = HttpDate::of_field(headers, &header::DATE).map_or(now, HttpDate::unix_seconds);
    let left = expires.unix_seconds().saturating_sub(from);
    Some(Duration::from_secs(u64::try_from(left).unwrap_or(0)))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const SECOND: u64 = 1000;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn policy() -> Policy {
        Policy {
            ttl: Some(Duration::from_secs(300)),
            ..Policy::plain("test".into(), true)
        }
    }

    fn lifetime_of(
        status: u16,
        lines: &[(&'static str, &str)],
        policy: &Policy,
        luck: f64,
    ) -> Result<Lifetime, UncacheableReason> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        let admitted = crate::admit::response(status, &headers, Default::default(), true).unwrap();
        let load = Load {
            began: at(10_000),
            ended: at(12_000),
        };
        lifetime(status, &headers, &admitted, policy, true, load, luck)
    }

    #[test]
    fn fresh_then_stale_then_for_errors_then_gone() {
        let lifetime = Lifetime {
            stale_while_revalidate_ms: 5 * SECOND,
            stale_if_error_ms: 20 * SECOND,
            ..Lifetime::fresh(at(0), Duration::from_secs(10))
        };
        for (now, expected) in [
            (0, Freshness::Fresh),
            (9_999, Freshness::Fresh),
            (10_000, Freshness::Stale),
            (14_999, Freshness::Stale),
            (15_000, Freshness::IfError),
            (29_999, Freshness::IfError),
            (30_000, Freshness::Gone),
        ] {
            assert_eq!(freshness(&lifetime, at(now), false), expected, "at {now}");
        }
        assert_eq!(
            freshness(&lifetime, at(0), true),
            Freshness::Stale,
            "forgotten softly"
        );
    }

    #[test]
    fn the_handler_goes_before_the_layer() {
        let policy = policy();
        let fresh =
            |lines: &[(&'static str, &str)]| lifetime_of(200, lines, &policy, 0.0).map(|l| l.fresh_ms);
        assert_eq!(fresh(&[]), Ok(300 * SECOND));
        assert_eq!(fresh(&[("cache-control", "max-age=10")]), Ok(10 * SECOND));
        assert_eq!(
            fresh(&[("cache-control", "max-age=10, s-maxage=20")]),
            Ok(20 * SECOND)
        );
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(
            fresh(&[date, ("expires", "Sun, 06 Nov 1994 08:49:47 GMT")]),
            Ok(10 * SECOND)
        );
        assert_eq!(fresh(&[("expires", "0")]), Err(UncacheableReason::NoLifetime));
        assert_eq!(
            fresh(&[("cache-control", "max-age=0")]),
            Err(UncacheableReason::NoLifetime)
        );
    }

    #[test]
    fn the_lifetime_of_a_layer_is_for_200_alone() {
        let mut policy = policy();
        assert_eq!(
            lifetime_of(404, &[], &policy, 0.0),
            Err(UncacheableReason::Status)
        );
        policy
            .status_ttl
            .push((StatusCode::NOT_FOUND, Duration::from_secs(10)));
        assert_eq!(lifetime_of(404, &[], &policy, 0.0).unwrap().fresh_ms, 10 * SECOND);
        assert_eq!(
            lifetime_of(500, &[("cache-control", "max-age=1")], &policy, 0.0)
                .unwrap()
                .fresh_ms,
            SECOND
        );
    }

    #[test]
    fn an_age_of_before_counts_with_the_way_to_here() {
        let policy = policy();
        let age = |value| lifetime_of(200, &[("age", value)], &policy, 0.0).map(|l| l.initial_age_ms);
        assert_eq!(age("100"), Ok(102 * SECOND));
        assert_eq!(age("400"), Err(UncacheableReason::NoLifetime));
        for ignored in ["abc", "-1", "7200.0", ""] {
            assert_eq!(age(ignored), Ok(0), "{ignored}");
        }
    }

    #[test]
    fn the_longest_lifetime_is_one_too() {
        let policy = Policy {
            ttl: Some(Duration::MAX),
            jitter: 0.5,
            ..policy()
        };
        assert!(lifetime_of(200, &[], &policy, 0.9).unwrap().fresh_ms > 1 << 60);
    }

    #[test]
    fn jitter_only_shortens() {
        let policy = Policy {
            jitter: 0.1,
            ..policy()
        };
        assert_eq!(
            lifetime_of(200, &[], &policy, 0.0).unwrap().fresh_ms,
            300 * SECOND
        );
        assert_eq!(
            lifetime_of(200, &[], &policy, 0.5).unwrap().fresh_ms,
            285 * SECOND
        );
        assert_eq!(
            lifetime_of(200, &[("cache-control", "max-age=10")], &policy, 0.5)
                .unwrap()
                .fresh_ms,
            10 * SECOND
        );
    }

    #[test]
    fn nothing_is_served_stale_that_must_be_revalidated() {
        let mut policy = policy();
        policy.stale_while_revalidate = Duration::from_secs(30);
        policy.stale_if_error = Duration::from_secs(60);
        let windows = |value| {
            let lifetime = lifetime_of(200, &[("cache-control", value)], &policy, 0.0).unwrap();
            (lifetime.stale_while_revalidate_ms, lifetime.stale_if_error_ms)
        };
        assert_eq!(windows("max-age=5"), (30 * SECOND, 60 * SECOND));
        assert_eq!(
            windows("max-age=5, stale-while-revalidate=1, stale-if-error=2"),
            (SECOND, 2 * SECOND)
        );
        assert_eq!(windows("max-age=5, must-revalidate"), (0, 0));
        assert_eq!(windows("s-maxage=5"), (0, 0));
    }

    #[test]
    fn early_refresh_grows_likelier_towards_the_end() {
        let lifetime = Lifetime {
            load_ms: 1000,
            ..Lifetime::fresh(at(0), Duration::from_secs(10))
        };
        assert!(!refresh_early(&lifetime, at(0), 1.0, 0.5));
        assert!(refresh_early(&lifetime, at(9_500), 1.0, 0.5), "ln 2 s > 0.5 s");
        assert!(!refresh_early(&lifetime, at(9_500), 0.5, 0.5));
        assert!(!refresh_early(&lifetime, at(9_999), 1.0, 1.0));
    }
}
