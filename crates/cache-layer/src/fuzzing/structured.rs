//! Fuzz checks of the structured fields.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use larder_store::{IgnoredParameters, SearchVariance};

use super::directives::printed;
use super::{LONGEST, decoded, escaped, lines, value, with_field};
use crate::{cache_control, groups, search, targeted};

/// Targeted cache control and groups. What is printed is read as the same, and within its bounds.
pub fn structured_fields(data: &[u8]) {
    let lines = lines(data);
    directives(&lines);
    groups(&lines);
}

fn directives(lines: &[HeaderValue]) {
    const FIRST: HeaderName = HeaderName::from_static("example-cache-control");
    const SECOND: HeaderName = HeaderName::from_static("cdn-cache-control");
    let of = |headers: &HeaderMap| targeted::directives(headers, &[FIRST, SECOND]);
    let mut headers = with_field(&FIRST, lines);
    let found = of(&headers);
    headers.insert(SECOND, value("max-age=7"));
    let second = of(&with_field(&SECOND, &[value("max-age=7")]));
    assert_eq!(of(&headers), found.clone().or(second), "{lines:?}");
    let Some(found) = found else { return };
    assert!(found.present && !lines.is_empty(), "{lines:?}");
    assert!(found.s_maxage.is_none_or(|time| time <= LONGEST), "{found:?}");
    // It has no forms that `Cache-Control` has not, and means the same there.
    let printed = printed(&found).filter(|words| !words.is_empty());
    let printed = [value(&printed.unwrap_or_else(|| "none".to_owned()))];
    let again = of(&with_field(&SECOND, &printed));
    assert_eq!(again.as_ref(), Some(&found), "printed as {printed:?}");
    let elsewhere = with_field(&header::CACHE_CONTROL, &printed);
    assert_eq!(cache_control::Directives::of(&elsewhere), found, "{printed:?}");
}

fn groups(lines: &[HeaderValue]) {
    const GROUPS: HeaderName = HeaderName::from_static("cache-groups");
    const INVALIDATION: HeaderName = HeaderName::from_static("cache-group-invalidation");
    let kept = groups::groups(&with_field(&GROUPS, lines));
    let forgotten = groups::invalidated_groups(&with_field(&INVALIDATION, lines));
    assert!(forgotten.is_sorted_by(|a, b| a < b), "{forgotten:?}");
    assert!(forgotten.iter().all(|name| name.len() <= 128), "{forgotten:?}");
    let mut printed: Vec<String> = forgotten.iter().map(|name| quoted(name)).collect();
    printed.reverse();
    let again = [value(&printed.join(", "))];
    let again = groups::invalidated_groups(&with_field(&INVALIDATION, &again));
    assert_eq!(again, forgotten, "printed as {printed:?}");
    let again: Vec<HeaderValue> = printed.iter().map(|name| value(name)).collect();
    let again = groups::groups(&with_field(&GROUPS, &again));
    if let Ok(kept) = kept {
        assert!(kept.len() <= 64, "{} groups", kept.len());
        assert_eq!(kept, forgotten, "what it is kept for is what forgets it");
        assert_eq!(again, Ok(kept), "printed as {printed:?}");
    } else {
        assert_eq!(again.is_err(), forgotten.len() > 64, "{forgotten:?}");
    }
}

/// The text as a string of structured fields.
fn quoted(text: &str) -> String {
    let inner = escaped(text.as_bytes());
    format!("\"{}\"", String::from_utf8_lossy(&inner))
}

/// `No-Vary-Search`: the first line is the field, the second and third are queries. What is printed is read as the same,
/// and queries have one text if they are equivalent as the draft compares them.
pub fn no_vary_search(data: &[u8]) {
    const FIELD: HeaderName = HeaderName::from_static("no-vary-search");
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(3, '\n');
    let field: Vec<HeaderValue> = parts
        .next()
        .and_then(|line| line.parse().ok())
        .into_iter()
        .collect();
    let variance = search::variance(&with_field(&FIELD, &field));
    assert_ne!(variance, Some(SearchVariance::default()));
    if let Some(variance) = &variance {
        let again = field_of(variance).map(|line| value(&line));
        if let Some(again) = again {
            let headers = with_field(&FIELD, &[again]);
            assert_eq!(search::variance(&headers).as_ref(), Some(variance), "{headers:?}");
        }
    }
    let (a, b) = (parts.next(), parts.next());
    let backwards = a.map(|query| query.rsplit('&').collect::<Vec<_>>().join("&"));
    for variance in [variance.unwrap_or_default(), SearchVariance::default()] {
        queries(&variance, a, b);
        queries(&variance, a, backwards.as_deref());
    }
}

/// The field; `None` where a name is too long once it is escaped.
fn field_of(variance: &SearchVariance) -> Option<String> {
    let list = |names: &[Box<str>]| {
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        assert!(names.len() <= 64, "{} names", names.len());
        let names: Vec<String> = names.iter().map(|name| plain(name)).collect();
        let short = names.iter().all(|name| name.len() <= 256);
        let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
        short.then(|| names.join(" "))
    };
    let params = match &variance.ignored {
        IgnoredParameters::None => String::new(),
        IgnoredParameters::Only(names) => format!("params=({})", list(names)?),
        IgnoredParameters::AllExcept(names) => format!("params, except=({})", list(names)?),
    };
    let order = if variance.unordered {
        "key-order"
    } else {
        "key-order=?0"
    };
    let parts = [order, &params];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    Some(parts.join(", "))
}

/// A name with nothing escaped that can stand for itself.
fn plain(name: &str) -> String {
    let bytes = name.bytes().map(|byte| match byte {
        b'%' | b'+' => format!("%{byte:02x}"),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    bytes.collect()
}

fn queries(variance: &SearchVariance, a: Option<&str>, b: Option<&str>) {
    let told = || format!("{variance:?} of {a:?} and {b:?}");
    let of = |query: Option<&str>| search::canonical(variance, query);
    let text = of(a);
    let equivalent = parameters(variance, a) == parameters(variance, b);
    let default = *variance == SearchVariance::default();
    if default {
        assert_eq!(text == of(b), a == b, "{}", told());
        return;
    }
    assert_eq!(text == of(b), equivalent, "{}", told());
    assert_eq!(of(Some(&text)), text, "{}", told());
    let parts = a.unwrap_or_default().split('&').filter(|part| !part.is_empty());
    // A byte is escaped as three at most, and a parameter has two signs.
    let most: usize = parts.map(|part| part.len() * 3 + 2).sum();
    assert!(text.len() <= most, "{} bytes of {}", text.len(), told());
    assert!(text.is_ascii(), "{text}");
}

/// The parameters that count, as the draft compares them (§6).
fn parameters(variance: &SearchVariance, query: Option<&str>) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for part in query.unwrap_or_default().split('&') {
        let mut halves = part.splitn(2, '=');
        let mut half = || decoded(halves.next().unwrap_or_default());
        let (name, value) = (half(), half());
        let named = |names: &[Box<str>]| names.iter().any(|other| **other == *name);
        let counts = match &variance.ignored {
            IgnoredParameters::None => true,
            IgnoredParameters::Only(names) => !named(names),
            IgnoredParameters::AllExcept(names) => named(names),
        };
        if counts && !part.is_empty() {
            all.push((name, value));
        }
    }
    if variance.unordered {
        all.sort_by_cached_key(|(name, _)| name.encode_utf16().collect::<Vec<_>>());
    }
    all
}
