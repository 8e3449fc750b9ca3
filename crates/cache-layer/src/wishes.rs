//! What a request's `Cache-Control` and `Pragma` ask of a cache, and whether an entry will do (RFC 9111 §5.2.1, §5.4).

use std::time::Duration;

use http::{HeaderMap, header};

use crate::directive::{Argument, Directive, directives};

/// What a client asks for. A cache may do otherwise: all of it is advisory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Wishes {
    /// Nothing without validation.
    pub(crate) no_cache: bool,
    /// Neither the request nor its answer is to be stored.
    pub(crate) no_store: bool,
    /// Nothing but what is stored.
    pub(crate) only_if_cached: bool,
    /// Nothing older.
    pub(crate) max_age: Option<Duration>,
    /// Nothing that is fresh for less.
    pub(crate) min_fresh: Option<Duration>,
    /// What is stale will do.
    pub(crate) max_stale: Option<MaxStale>,
}

/// How stale a response may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MaxStale {
    /// Of any age.
    Any,
    /// Past its lifetime by this at most.
    For(Duration),
}

/// What the wishes of a request make of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// They do not matter: the entry is worth what it is worth to any request.
    AsItIs,
    /// It will not do without validation, however fresh.
    Validate,
    /// It will do, although its lifetime is over.
    Stale,
}

impl Wishes {
    /// What the request with these headers asks for; `None` if it asks for nothing.
    ///
    /// `Pragma: no-cache` counts only where there is no `Cache-Control`, which it was made for the lack of. An age that
    /// cannot be read is zero, so that the answer is validated; a freshness that cannot be read is not asked for, and a
    /// staleness that cannot be read is not granted. Of two, the one that asks for more care counts.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut wishes = Self::default();
        if headers.contains_key(header::CACHE_CONTROL) {
            let mut refused = false;
            for directive in directives(headers, &header::CACHE_CONTROL) {
                refused |= wishes.add(&directive).is_none();
            }
            if refused {
                wishes.max_stale = None;
            }
        } else {
            wishes.no_cache = directives(headers, &header::PRAGMA).any(|directive| directive.is("no-cache"));
        }
        (wishes != Self::default()).then_some(wishes)
    }

    /// Adds a directive; `None` if it is a `max-stale` that cannot be read.
    fn add(&mut self, directive: &Directive<'_>) -> Option<()> {
        let seconds = directive.argument.delta_seconds();
        if directive.is("no-cache") {
            self.no_cache = true;
        } else if directive.is("no-store") {
            self.no_store = true;
        } else if directive.is("only-if-cached") {
            self.only_if_cached = true;
        } else if directive.is("max-age") {
            let new = seconds.unwrap_or_default();
            self.max_age = Some(self.max_age.map_or(new, |old| old.min(new)));
        } else if directive.is("min-fresh") {
            self.min_fresh = self.min_fresh.max(seconds);
        } else if directive.is("max-stale") {
            let new = match directive.argument {
                Argument::Absent => MaxStale::Any,
                _ => MaxStale::For(seconds?),
            };
            self.max_stale = Some(self.max_stale.map_or(new, |old| old.shorter(new)));
        }
        Some(())
    }

    /// Whether an entry will do that is `age_ms` old, has a lifetime of `fresh_ms`, and was or was not forgotten `soft`ly,
    /// which makes it stale however young.
    ///
    /// Staleness that `must_revalidate` forbids, or that comes of being forgotten, is not a client's to allow (§4.2.4).
    pub(crate) fn allows(&self, age_ms: u64, fresh_ms: u64, must_revalidate: bool, soft: bool) -> Allowed {
        // "Less than or equal to the specified number of seconds" (§5.2.1.1).
        let too_old = self.max_age.is_some_and(|most| age_ms > millis(most));
        // "No less than its current age plus the specified time in seconds" (§5.2.1.3).
        let too_short = self
            .min_fresh
            .is_some_and(|least| fresh_ms < age_ms.saturating_add(millis(least)));
        if self.no_cache || too_old || too_short {
            return Allowed::Validate;
        }
        let over = age_ms >= fresh_ms;
        if !over && !soft {
            return Allowed::AsItIs;
        }
        match self.max_stale {
            Some(most) if !most.covers(age_ms.saturating_sub(fresh_ms)) => Allowed::Validate,
            Some(_) if over && !must_revalidate && !soft => Allowed::Stale,
            // Who asks for a maximal age "does not wish to receive a stale response" (§5.2.1.1), and who asks for
            // freshness even less so.
            None if self.max_age.is_some() || self.min_fresh.is_some() => Allowed::Validate,
            _ => Allowed::AsItIs,
        }
    }
}

impl MaxStale {
    fn shorter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, other) | (other, Self::Any) => other,
            (Self::For(one), Self::For(other)) => Self::For(one.min(other)),
        }
    }

    /// "Exceeded its freshness lifetime by no more than the specified number of seconds" (§5.2.1.2).
    fn covers(self, past_ms: u64) -> bool {
        match self {
            Self::Any => true,
            Self::For(most) => past_ms <= millis(most),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    fn read(lines: &[(HeaderName, &str)]) -> Option<Wishes> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        Wishes::of(&headers)
    }

    fn of(line: &str) -> Wishes {
        read(&[(header::CACHE_CONTROL, line)]).unwrap_or_default()
    }

    const fn secs(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn each_directive_is_read_in_any_case_and_over_lines() {
        let all = read(&[
            (header::CACHE_CONTROL, "No-Cache, NO-STORE, max-age=\"5\""),
            (header::CACHE_CONTROL, "only-if-cached, Min-Fresh=6, max-stale=7"),
        ]);
        let expected = Wishes {
            no_cache: true,
            no_store: true,
            only_if_cached: true,
            max_age: secs(5),
            min_fresh: secs(6),
            max_stale: Some(MaxStale::For(Duration::from_secs(7))),
        };
        assert_eq!(all, Some(expected));
        assert_eq!(of("max-stale").max_stale, Some(MaxStale::Any));
    }

    #[test]
    fn who_asks_for_nothing_has_no_wishes() {
        assert_eq!(read(&[]), None);
        for line in [
            "",
            "unknown, no-transform",
            "stale-if-error=5",
            "x=\"no-cache\"",
            "min-fresh=x",
            "max-stale=x",
        ] {
            assert_eq!(read(&[(header::CACHE_CONTROL, line)]), None, "{line}");
        }
    }

    #[test]
    fn pragma_counts_only_without_cache_control() {
        let pragma = |value| (header::PRAGMA, value);
        for value in ["no-cache", "No-Cache", "x, no-cache", "no-cache=1"] {
            assert!(read(&[pragma(value)]).unwrap().no_cache, "{value}");
            assert_eq!(
                read(&[pragma(value), (header::CACHE_CONTROL, "x")]),
                None,
                "{value}"
            );
        }
        assert_eq!(read(&[pragma("no-store, max-age=0, x=\"no-cache\"")]), None);
    }

    #[test]
    fn what_cannot_be_read_asks_for_care_or_for_nothing() {
        for bad in ["", "=", "=-1", "=1.5", "=x", " =5", "= 5", "=5;"] {
            assert_eq!(of(&format!("max-age{bad}")).max_age, secs(0), "{bad}");
            assert_eq!(of(&format!("min-fresh{bad}")).min_fresh, None, "{bad}");
            if !bad.is_empty() {
                assert_eq!(of(&format!("max-stale{bad}")).max_stale, None, "{bad}");
                assert_eq!(
                    of(&format!("max-stale, max-stale{bad}, max-stale=9")).max_stale,
                    None,
                    "{bad}"
                );
            }
        }
        assert_eq!(of("max-age=99999999999").max_age, secs(1 << 31));
    }

    #[test]
    fn of_two_the_one_with_more_care_counts() {
        assert_eq!(of("max-age=5, max-age=9").max_age, secs(5));
        assert_eq!(of("max-age=9, max-age=5").max_age, secs(5));
        assert_eq!(of("min-fresh=5, min-fresh=9, min-fresh=x").min_fresh, secs(9));
        let five = Some(MaxStale::For(Duration::from_secs(5)));
        for line in [
            "max-stale=5, max-stale=9",
            "max-stale=9, max-stale=5",
            "max-stale, max-stale=5",
            "max-stale=5, max-stale",
        ] {
            assert_eq!(of(line).max_stale, five, "{line}");
        }
    }

    fn allows(line: &str, age_ms: u64, fresh_ms: u64) -> Allowed {
        of(line).allows(age_ms, fresh_ms, false, false)
    }

    #[test]
    fn the_edges_are_those_of_the_rfc() {
        use Allowed::{AsItIs, Stale, Validate};
        for (line, age, fresh, expected) in [
            ("no-cache", 0, 60_000, Validate),
            ("no-cache, max-stale", 70_000, 60_000, Validate),
            ("no-store", 0, 60_000, AsItIs),
            ("only-if-cached", 70_000, 60_000, AsItIs),
            // §5.2.1.1
            ("max-age=5", 5_000, 60_000, AsItIs),
            ("max-age=5", 5_001, 60_000, Validate),
            ("max-age=0", 0, 60_000, AsItIs),
            ("max-age=0", 1, 60_000, Validate),
            ("max-age=600", 60_000, 60_000, Validate),
            ("max-age=600", 59_999, 60_000, AsItIs),
            ("max-age=600, max-stale", 60_000, 60_000, Stale),
            ("max-age=5, max-stale", 5_001, 60_000, Validate),
            ("max-age=5, max-stale", 5_001, 5_000, Validate),
            // §5.2.1.3
            ("min-fresh=10", 50_000, 60_000, AsItIs),
            ("min-fresh=10", 50_001, 60_000, Validate),
            ("min-fresh=0", 60_000, 60_000, Validate),
            ("min-fresh=0", 59_999, 60_000, AsItIs),
            ("min-fresh=10, max-stale", 70_000, 60_000, Validate),
            // §5.2.1.2
            ("max-stale=5", 59_999, 60_000, AsItIs),
            ("max-stale=5", 60_000, 60_000, Stale),
            ("max-stale=5", 65_000, 60_000, Stale),
            ("max-stale=5", 65_001, 60_000, Validate),
            ("max-stale=0", 60_000, 60_000, Stale),
            ("max-stale=0", 60_001, 60_000, Validate),
            ("max-stale", u64::MAX, 60_000, Stale),
            ("max-stale=x, no-store", 60_000, 60_000, AsItIs),
        ] {
            assert_eq!(allows(line, age, fresh), expected, "{line} at {age} of {fresh}");
        }
    }

    #[test]
    fn a_client_cannot_allow_what_the_origin_or_a_mutation_forbids() {
        let wishes = of("max-stale");
        assert_eq!(wishes.allows(70, 60, true, false), Allowed::AsItIs);
        assert_eq!(wishes.allows(70, 60, false, true), Allowed::AsItIs);
        assert_eq!(wishes.allows(0, 60, false, true), Allowed::AsItIs);
        assert_eq!(of("max-age=600").allows(0, 60, false, true), Allowed::Validate);
        assert_eq!(of("min-fresh=0").allows(0, 60, false, true), Allowed::Validate);
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>, text in "(max-age|min-fresh|max-stale|no-cache)(=[0-9\" x]{0,12})?(, ?)?[a-z;=]{0,5}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                if let Ok(value) = HeaderValue::from_bytes(bytes) {
                    let mut headers = HeaderMap::new();
                    headers.insert(header::PRAGMA, value.clone());
                    let _ = Wishes::of(&headers);
                    headers.insert(header::CACHE_CONTROL, value);
                    let _ = Wishes::of(&headers);
                }
            }
        }

        #[test]
        fn stale_is_allowed_to_those_alone_who_ask(
            max_age: Option<u32>, min_fresh: Option<u32>, no_cache: bool,
            age in 0..u64::MAX, fresh in 0..u64::MAX, must_revalidate: bool, soft: bool,
        ) {
            let wishes = Wishes {
                no_cache,
                max_age: max_age.map(|s| Duration::from_secs(s.into())),
                min_fresh: min_fresh.map(|s| Duration::from_secs(s.into())),
                ..Wishes::default()
            };
            prop_assert_ne!(wishes.allows(age, fresh, must_revalidate, soft), Allowed::Stale);
            let greedy = Wishes { max_stale: Some(MaxStale::Any), ..wishes };
            if greedy.allows(age, fresh, must_revalidate, soft) == Allowed::Stale {
                prop_assert!(age >= fresh && !must_revalidate && !soft && !no_cache);
            }
        }
    }
}
