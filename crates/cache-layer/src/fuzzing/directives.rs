//! Fuzz checks of `Cache-Control`, as a response says it and as a request does.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{LONGEST, escaped, lines, value, with_field};
use crate::cache_control::Directives;
use crate::wishes::{Allowed, MaxStale, Wishes};

/// `Cache-Control` of a response: what is printed is read as the same, the order of lines means nothing, and neither
/// does anything in quotes.
pub fn cache_control(data: &[u8]) {
    let mut lines = lines(data);
    let of = |lines: &[HeaderValue]| Directives::of(&with_field(&header::CACHE_CONTROL, lines));
    let all = of(&lines);
    assert_eq!(all.present, !lines.is_empty());
    let printed: Vec<HeaderValue> = printed(&all).as_deref().map(value).into_iter().collect();
    assert_eq!(of(&printed), all, "printed as {printed:?}");
    lines.reverse();
    assert_eq!(of(&lines), all, "in another order");
    for line in &lines {
        let hidden = [b"ext=\"", &escaped(line.as_bytes())[..], b"\", max-age=7"].concat();
        let hidden: Vec<HeaderValue> = HeaderValue::from_bytes(&hidden).into_iter().collect();
        assert_eq!(of(&hidden), of(&[value("max-age=7")]), "{hidden:?}");
    }
}

/// The directives in one line; `None` where there was none.
pub(super) fn printed(all: &Directives) -> Option<String> {
    let marks = [
        ("no-store", all.no_store),
        ("public", all.public),
        ("must-understand", all.must_understand),
        // Of the two that forbid stale answers one gives consent.
        ("must-revalidate", all.must_revalidate && all.consent),
        ("proxy-revalidate", all.must_revalidate && !all.consent),
    ];
    let marks = marks
        .into_iter()
        .filter(|(_, set)| *set)
        .map(|(name, _)| name.to_owned());
    let qualified = [
        qualified("private", all.private, &all.private_fields),
        qualified("no-cache", all.no_cache, &all.no_cache_fields),
    ];
    // A lifetime for shared caches that gives no consent is one that could not be read.
    let (s_maxage, unreadable) = if all.consent {
        (all.s_maxage, None)
    } else {
        assert!(all.s_maxage.is_none_or(|time| time.is_zero()), "{all:?}");
        (None, all.s_maxage.map(|_| "s-maxage=x".to_owned()))
    };
    let times = [
        time("max-age", all.max_age),
        time("s-maxage", s_maxage),
        unreadable,
        time("stale-while-revalidate", all.stale_while_revalidate),
        time("stale-if-error", all.stale_if_error),
    ];
    let words = marks.chain(qualified.into_iter().chain(times).flatten());
    all.present.then(|| words.collect::<Vec<_>>().join(", "))
}

fn qualified(name: &str, said: bool, fields: &[HeaderName]) -> Option<String> {
    assert!(fields.is_sorted_by(|a, b| a.as_str() < b.as_str()), "{fields:?}");
    assert!(said || fields.is_empty(), "{name} of {fields:?}");
    let names: Vec<&str> = fields.iter().map(HeaderName::as_str).collect();
    said.then(|| match &names[..] {
        [] => name.to_owned(),
        names => format!("{name}=\"{}\"", names.join(", ")),
    })
}

fn time(name: &str, time: Option<Duration>) -> Option<String> {
    let time = time?;
    assert!(time <= LONGEST, "{name} of {time:?}");
    Some(format!("{name}={}", time.as_secs()))
}

/// `Cache-Control` of a request: the first line has the age and the lifetime of an entry in milliseconds, the others are
/// the field. What is printed is read as the same, the order of lines means nothing, neither does anything in quotes, and
/// no entry is let through that was asked not to be.
pub fn request_directives(data: &[u8]) {
    let (numbers, field) = match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, data),
    };
    let mut lines = lines(field);
    let of = |lines: &[HeaderValue]| Wishes::of(&with_field(&header::CACHE_CONTROL, lines));
    let found = of(&lines);
    assert_ne!(found, Some(Wishes::default()));
    let wishes = found.unwrap_or_default();
    let printed = value(&asked(&wishes));
    assert_eq!(of(&[printed]), found, "{lines:?}");
    pragma(&lines, found);
    for line in &lines {
        let hidden = [b"ext=\"", &escaped(line.as_bytes())[..], b"\", max-stale=7"].concat();
        let hidden: Vec<HeaderValue> = HeaderValue::from_bytes(&hidden).into_iter().collect();
        assert_eq!(of(&hidden), of(&[value("max-stale=7")]), "{hidden:?}");
    }
    lines.reverse();
    assert_eq!(of(&lines), found, "in another order");
    let numbers = String::from_utf8_lossy(numbers);
    let mut numbers = numbers
        .split(' ')
        .map(|number| number.parse().unwrap_or(u64::MAX));
    let (age, fresh) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    for (revalidate, soft) in [(false, false), (false, true), (true, false), (true, true)] {
        entry(&wishes, age, fresh, revalidate, soft);
    }
}

/// The wishes in one line.
fn asked(wishes: &Wishes) -> String {
    let marks = [
        ("no-cache", wishes.no_cache),
        ("no-store", wishes.no_store),
        ("only-if-cached", wishes.only_if_cached),
        ("max-stale", wishes.max_stale == Some(MaxStale::Any)),
    ];
    let marks = marks
        .into_iter()
        .filter(|(_, set)| *set)
        .map(|(name, _)| name.to_owned());
    let most = wishes.max_stale.and_then(|most| match most {
        MaxStale::Any => None,
        MaxStale::For(most) => Some(most),
    });
    let times = [
        time("max-age", wishes.max_age),
        time("min-fresh", wishes.min_fresh),
        time("max-stale", most),
    ];
    let words: Vec<String> = marks.chain(times.into_iter().flatten()).collect();
    words.join(", ")
}

/// `Pragma` asks for one thing only, and for nothing beside `Cache-Control`.
fn pragma(lines: &[HeaderValue], found: Option<Wishes>) {
    let mut headers = with_field(&header::PRAGMA, lines);
    let cautious = Wishes {
        no_cache: true,
        ..Wishes::default()
    };
    let alone = Wishes::of(&headers);
    assert_eq!(alone, found.filter(|wishes| wishes.no_cache).map(|_| cautious));
    if let Some(line) = lines.first() {
        headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, line.clone());
        let without = Wishes::of(&headers);
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        assert_eq!(Wishes::of(&headers), without);
    }
}

fn entry(wishes: &Wishes, age: u64, fresh: u64, revalidate: bool, soft: bool) {
    let allowed = wishes.allows(age, fresh, revalidate, soft);
    let told = || format!("{wishes:?} of {age} ms of {fresh}, {revalidate} {soft}: {allowed:?}");
    let past = u128::from(age);
    if allowed == Allowed::Validate {
        for older in [age.saturating_add(1), u64::MAX] {
            let later = wishes.allows(older, fresh, revalidate, soft);
            assert_eq!(later, Allowed::Validate, "{}, and {later:?} at {older}", told());
        }
        return;
    }
    assert!(!wishes.no_cache, "{}", told());
    assert!(
        wishes.max_age.is_none_or(|most| past <= most.as_millis()),
        "{}",
        told()
    );
    let least = wishes.min_fresh.map(|least| past + least.as_millis());
    // Numbers at the edge of what can be counted are not compared.
    let counted = least.filter(|least| *least < u128::from(u64::MAX));
    assert!(
        counted.is_none_or(|least| u128::from(fresh) >= least),
        "{}",
        told()
    );
    if allowed == Allowed::Stale {
        assert!(!revalidate && !soft && past >= u128::from(fresh), "{}", told());
        assert!(wishes.max_stale.is_some(), "{}", told());
    }
    if let Some(MaxStale::For(most)) = wishes.max_stale {
        let over = u128::from(age.saturating_sub(fresh));
        assert!(over <= most.as_millis(), "{}", told());
    }
}
