//! Fuzz checks of what keys are made of.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue, header};

use super::{decoded, lines, value, with_field};
use crate::policy::Policy;
use crate::query::QueryKey;
use crate::{key, negotiation};

/// `Vary`: the names are sorted, each once and none of them in the key, and read as the same where they are printed.
pub fn vary(data: &[u8]) {
    let mut policy = Policy::plain("fuzz".into(), true);
    policy.key_headers.push(header::ACCEPT_LANGUAGE);
    let of = |lines: &[HeaderValue]| key::varied_by(&with_field(&header::VARY, lines), &policy);
    let lines = lines(data);
    let names = of(&lines);
    assert!(names.is_sorted_by(|a, b| a.as_str() < b.as_str()), "{names:?}");
    assert!(
        names.iter().all(|name| *name != header::ACCEPT_LANGUAGE),
        "{names:?}"
    );
    let printed: Vec<&str> = names.iter().map(HeaderName::as_str).collect();
    assert_eq!(of(&[value(&printed.join(", "))]), names);
    // Two requests that differ in a header of the list have different keys.
    if let Some(name) = names.first() {
        let one = key::of_variant(b"", &names, &with_field(name, &[]), &policy);
        let other = key::of_variant(b"", &names, &with_field(name, &lines), &policy);
        assert_ne!(one.as_slice(), other.as_slice(), "{names:?}");
    }
}

/// Queries: the first line has names of parameters, the rest is the query. What stands for a query stands for itself,
/// and has the parameters that count, those of one name in their order.
pub fn query_key(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (names, query) = text.split_once('\n').unwrap_or(("", text));
    let names: Vec<String> = names.split(',').map(str::to_owned).collect();
    for rule in [
        QueryKey::Sorted,
        QueryKey::Exact,
        QueryKey::Except(names.clone()),
        QueryKey::Only(names.clone()),
    ] {
        canonical(&rule, query, &names);
    }
}

fn canonical(rule: &QueryKey, query: &str, names: &[String]) {
    let counts = |name: &str| match rule {
        QueryKey::Sorted | QueryKey::Exact => true,
        QueryKey::Except(_) => !names.iter().any(|other| other == name),
        QueryKey::Only(_) => names.iter().any(|other| other == name),
    };
    let found = rule.canonical(query);
    let kept = query.split('&').filter(|raw| counts(&name_of(raw)));
    let Some(canonical) = found.query.as_deref() else {
        assert_eq!(found.visible.as_deref(), Some(""), "{rule:?} {query:?}");
        assert!(
            kept.fold(String::new(), |all, raw| all + raw).is_empty(),
            "{rule:?} {query:?}"
        );
        return;
    };
    assert_eq!(by_name(kept), by_name(canonical.split('&')), "{rule:?} {query:?}");
    for same in [Some(canonical), found.visible.as_deref()].into_iter().flatten() {
        let again = rule.canonical(same);
        assert_eq!(again.query.as_deref(), Some(canonical), "{rule:?} {query:?}");
        assert_eq!(again.visible, None, "{rule:?} {query:?}");
    }
}

/// The parameters of each name, in their order.
fn by_name<'q>(parameters: impl Iterator<Item = &'q str>) -> BTreeMap<String, Vec<&'q str>> {
    let mut all = BTreeMap::<String, Vec<&str>>::new();
    parameters.for_each(|raw| all.entry(name_of(raw)).or_default().push(raw));
    all
}

fn name_of(parameter: &str) -> String {
    decoded(parameter.split('=').next().unwrap_or_default())
}

/// Request headers that a response varies by, a value on each line. What stands for a value stands for itself, is no
/// longer than it, and how a list is spread over lines means nothing.
pub fn negotiation(data: &[u8]) {
    const FOO: HeaderName = HeaderName::from_static("foo");
    let lines = lines(data);
    for name in [
        header::ACCEPT_ENCODING,
        header::ACCEPT_LANGUAGE,
        header::COOKIE,
        FOO,
    ] {
        let of = |lines: &[HeaderValue]| negotiation::normalised(&name, &mut lines.iter());
        let found = of(&lines);
        assert_eq!(found.is_none(), lines.is_empty(), "{name}");
        let Some(found) = found else { return };
        let length: usize = lines.iter().map(|line| line.len() + 1).sum();
        assert!(found.len() < length, "{name} of {length} bytes: {found:?}");
        // Lines that are kept apart are no header's value any more.
        if let Ok(again) = HeaderValue::from_bytes(&found) {
            assert_eq!(of(&[again]).as_ref(), Some(&found), "{name}: {lines:?}");
        }
        if name != header::COOKIE && !data.contains(&b'"') {
            assert_eq!(of(&[joined(&lines)]).as_ref(), Some(&found), "{name}: {lines:?}");
        }
        if name == FOO && !data.contains(&b'"') {
            let all = joined(&lines);
            let members: Vec<&[u8]> = all.as_bytes().split(|byte| *byte == b',').collect();
            let members: Vec<&[u8]> = members.into_iter().map(<[u8]>::trim_ascii).collect();
            assert_eq!(found, members.join(&b','), "{lines:?}");
        }
    }
    weights(&lines);
}

fn joined(lines: &[HeaderValue]) -> HeaderValue {
    let lines: Vec<&[u8]> = lines.iter().map(HeaderValue::as_bytes).collect();
    let bytes = lines.join(&b", "[..]);
    HeaderValue::from_bytes(&bytes).unwrap_or_else(|e| panic!("{bytes:?}: {e}"))
}

/// Of the lines that are words a list with weights is made, and another that means the same.
fn weights(lines: &[HeaderValue]) {
    let words = lines.iter().filter_map(|line| line.to_str().ok());
    let words: Vec<&str> = words
        .filter(|word| {
            let mut bytes = word.bytes();
            !word.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-*".contains(&byte))
        })
        .collect();
    let plain: String = words.iter().map(|word| format!("{word};q=0.5,")).collect();
    let other = words.iter().rev().flat_map(|word| {
        let loud = word.to_ascii_uppercase();
        [format!("{loud} ;\tQ=0.50"), format!("{word};q=0.500 ")]
    });
    let other: Vec<HeaderValue> = other.map(|member| value(&member)).collect();
    for name in [header::ACCEPT_ENCODING, header::ACCEPT_LANGUAGE] {
        let of = |lines: &[HeaderValue]| negotiation::normalised(&name, &mut lines.iter());
        let form = of(&[value(&plain)]);
        assert_eq!(
            form.as_deref().filter(|form| !form.is_empty()),
            of(&other).as_deref()
        );
        // All of them refused is not all of them wanted.
        let refused = plain.replace("0.5", "0");
        assert!(words.is_empty() || of(&[value(&refused)]) != form, "{words:?}");
    }
}
