//! How long a response is of use, and what an entry is worth now. Pure: the time is an argument.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use larder_etag::HttpDate;
use larder_store::{Lifetime, Timestamp};

use crate::admit::Admitted;
use crate::age::{age, expires};
use crate::policy::Policy;
use crate::rules::Rules;
use crate::status::UncacheableReason;
use crate::wishes::{Allowed, Wishes};

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

/// Whether an entry may be served in the place of a failure: within its own window, or the `window` given here.
pub(crate) fn may_stand_in(lifetime: &Lifetime, now: Timestamp, window: Duration) -> bool {
    let past = lifetime.age_ms(now).saturating_sub(lifetime.fresh_ms);
    freshness(lifetime, now, true) != Freshness::Gone || !lifetime.must_revalidate && past < millis(window)
}

/// What an entry is worth to a request that says what it wants (RFC 9111 §5.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    /// What it is worth to anybody.
    Own(Freshness),
    /// It may be served although it is stale: the request allows it.
    Granted,
    /// It must be validated: the request wants it younger, or fresh for longer.
    Refused,
}

/// What an entry with this lifetime is worth at `now` to a request with these wishes.
#[inline]
pub(crate) fn worth(lifetime: &Lifetime, now: Timestamp, soft: bool, wishes: Option<&Wishes>) -> Worth {
    let own = freshness(lifetime, now, soft);
    let Some(wishes) = wishes else {
        return Worth::Own(own);
    };
    match wishes.allows(
        lifetime.age_ms(now),
        lifetime.fresh_ms,
        lifetime.must_revalidate,
        soft,
    ) {
        Allowed::AsItIs => Worth::Own(own),
        Allowed::Stale => Worth::Granted,
        Allowed::Validate => Worth::Refused,
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

/// A response whose head was admitted, and what its lifetime depends on beside that.
pub(crate) struct Admission<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) admitted: &'a Admitted,
    pub(crate) policy: &'a Policy,
    pub(crate) shared: bool,
    pub(crate) load: Load,
}

/// The lifetime of a response, or why it has none.
///
/// The handler's word goes before the layer's: its hints, then `s-maxage`, `max-age` and `Expires` (RFC 9111 §4.2.1),
/// then the layer's lifetime for the status, then a guess. `luck` is uniform in [0, 1) and shortens the layer's lifetime
/// by up to its jitter.
pub(crate) fn lifetime(response: &Admission<'_>, luck: f64) -> Result<Lifetime, UncacheableReason> {
    let Admission {
        status,
        admitted,
        policy,
        load,
        ..
    } = *response;
    let directives = &admitted.directives;
    let validate = directives.forbids_reuse(policy.rules.origin) && admitted.hints.ttl.is_none();
    let fresh = match said(response) {
        _ if validate => Duration::ZERO,
        Some(said) => said,
        None => policy
            .ttl_of(status)
            .map(|ttl| shortened(ttl, policy.jitter * luck))
            .or_else(|| guessed(response))
            .ok_or(UncacheableReason::Status)?,
    };
    let initial_age = initial_age(response.headers, load, policy.rules.origin);
    let must_revalidate = directives.must_revalidate || validate;
    let stale = |said: Option<Duration>, own: Duration| {
        if must_revalidate {
            0
        } else {
            millis(said.unwrap_or(own))
        }
    };
    let lifetime = Lifetime {
        received: load.ended,
        initial_age_ms: millis(initial_age),
        fresh_ms: millis(fresh),
        stale_while_revalidate_ms: stale(directives.stale_while_revalidate, policy.stale_while_revalidate),
        stale_if_error_ms: stale(directives.stale_if_error, policy.stale_if_error),
        load_ms: u32::try_from(millis(load.ended.since(load.began))).unwrap_or(u32::MAX),
        must_revalidate,
    };
    // Fresh for less than it is old already: it would never be a hit, and is of use only to be validated.
    let useful =
        has_validator(response.headers) || freshness(&lifetime, load.ended, false) != Freshness::Gone;
    if fresh <= initial_age && !(policy.rules.revalidate && useful) {
        return Err(if validate {
            UncacheableReason::NoCache
        } else {
            UncacheableReason::NoLifetime
        });
    }
    Ok(lifetime)
}

/// The lifetime that the response itself names.
fn said(response: &Admission<'_>) -> Option<Duration> {
    let Admission {
        headers,
        admitted,
        shared,
        load,
        ..
    } = *response;
    let directives = &admitted.directives;
    let shared_age = if shared { directives.s_maxage } else { None };
    let said = admitted.hints.ttl.or(shared_age).or(directives.max_age);
    if admitted.targeted {
        return said;
    }
    said.or_else(|| expires(headers, load.ended))
}

/// The lifetime of a response that names none (RFC 9111 §4.2.2): a part of the time since it was modified, or nothing at
/// all where it can only be validated.
fn guessed(response: &Admission<'_>) -> Option<Duration> {
    let Admission {
        status,
        headers,
        admitted,
        policy,
        load,
        ..
    } = *response;
    if !Rules::guesses(status) && !admitted.directives.public {
        return None;
    }
    let guess = policy.rules.heuristic.and_then(|part| {
        let modified = HttpDate::of_field(headers, &header::LAST_MODIFIED)?.unix_seconds();
        let since = date_or(headers, load.ended).saturating_sub(modified);
        let part = Duration::from_secs(u64::try_from(since).ok()?).as_secs_f64() * part;
        Some(
            Duration::try_from_secs_f64(part)
                .unwrap_or(LONGEST_GUESS)
                .min(LONGEST_GUESS),
        )
    });
    guess.or(policy.rules.revalidate.then_some(Duration::ZERO))
}

/// No guess is longer than a day: what names no lifetime may change at any time.
const LONGEST_GUESS: Duration = Duration::from_secs(24 * 60 * 60);

fn has_validator(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ETAG) || headers.contains_key(header::LAST_MODIFIED)
}

/// How old the response was when it was received (RFC 9111 §4.2.3).
///
/// An `Age` is counted from where it was generated, so the way to here adds to it. A handler without one is the origin
/// itself, and what it made is as old as its making; an `origin` somewhere else is as far away as its answer took, and
/// may have said by `Date` that it made it before.
fn initial_age(headers: &HeaderMap, load: Load, origin: bool) -> Duration {
    let delay = load.ended.since(load.began);
    let said = age(headers);
    if !origin {
        return said.map_or(Duration::ZERO, |age| age.saturating_add(delay));
    }
    let now = unix_seconds(load.ended);
    let apparent = u64::try_from(now.saturating_sub(date_or(headers, load.ended))).unwrap_or(0);
    said.unwrap_or_default()
        .saturating_add(delay)
        .max(Duration::from_secs(apparent))
}

/// `Date`, or `now` where the response has none that can be read.
fn date_or(headers: &HeaderMap, now: Timestamp) -> i64 {
    HttpDate::of_field(headers, &header::DATE).map_or_else(|| unix_seconds(now), HttpDate::unix_seconds)
}

fn unix_seconds(now: Timestamp) -> i64 {
    i64::try_from(now.as_millis() / 1000).unwrap_or(i64::MAX)
}

/// `ttl` without the given part of it.
pub(crate) fn shortened(ttl: Duration, part: f64) -> Duration {
    // Not by `mul_f64`, which panics for the longest durations.
    ttl.saturating_sub(Duration::try_from_secs_f64(ttl.as_secs_f64() * part).unwrap_or_default())
}

pub(crate) fn millis(duration: Duration) -> u64 {
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
        let admitted =
            crate::admit::response(status, &headers, Default::default(), policy, true, false).unwrap();
        let load = Load {
            began: at(10_000),
            ended: at(12_000),
        };
        let response = Admission {
            status,
            headers: &headers,
            admitted: &admitted,
            policy,
            shared: true,
            load,
        };
        lifetime(&response, luck)
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
