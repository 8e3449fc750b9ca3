//! The headers of an answer: `Age`, `Cache-Control`, `Cache-Status`, `ETag`, `X-Cache`; and those that are kept.

use bytes::Bytes;
use http::header::{
    AGE, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, DATE, ETAG, EXPIRES, TRANSFER_ENCODING, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, response};
use larder_etag::{EntityTag, HttpDate};
use larder_store::{Lifetime, StoredResponse, Timestamp};

use crate::admit::Asked;
use crate::cache_status::CacheStatus;
use crate::policy::{ClientCaching, Policy};
use crate::status::Outcome;

pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
pub(crate) const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
pub(crate) const X_CACHE_AGE: HeaderName = HeaderName::from_static("x-cache-age");

/// The headers of a whole answer from an entry.
pub(crate) fn answer_headers(
    lifetime: &Lifetime,
    stored: &StoredResponse,
    policy: &Policy,
    weak: bool,
    now: Timestamp,
    outcome: Outcome,
    status: &CacheStatus,
) -> HeaderMap {
    let mut headers = stored.header_map(7);
    let age = lifetime.age_ms(now) / 1000;
    let made_now = matches!(outcome, Outcome::Miss | Outcome::Uncacheable);
    if weak {
        weaken(&mut headers);
    }
    client_caching(&mut headers, policy, age);
    if policy.answer.age && (!made_now || age > 0) {
        headers.insert(AGE, number(age));
    }
    if policy.answer.x_cache_age && !made_now {
        headers.insert(X_CACHE_AGE, number(age));
    }
    outcome_headers(&mut headers, policy, outcome, status);
    // The server would say it too, later and at every hit.
    if stored.status != StatusCode::NO_CONTENT {
        headers.insert(CONTENT_LENGTH, number(stored.body.len() as u64));
    }
    headers
}

/// A number as a value: a small one is the program's own, which a hit copies without counting who shares it.
fn number(number: u64) -> HeaderValue {
    static DIGITS: [[u8; 4]; 10_000] = {
        let mut all = [[b'0'; 4]; 10_000];
        let mut n = 0;
        while n < all.len() {
            let (mut place, mut rest) = (4, n);
            while place > 0 {
                place -= 1;
                all[n][place] = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
            n += 1;
        }
        all
    };
    let digits = usize::try_from(number).ok().and_then(|number| DIGITS.get(number));
    let leading = match number {
        0..=9 => 3,
        10..=99 => 2,
        100..=999 => 1,
        _ => 0,
    };
    match digits.and_then(|digits| std::str::from_utf8(&digits[leading..]).ok()) {
        Some(digits) => HeaderValue::from_static(digits),
        None => HeaderValue::from(number),
    }
}

/// Whether the tag of a body must be sent as a weak one: a layer around this may encode the body for this client, and
/// a strong tag names one sequence of bytes (RFC 9110 §8.8.1, §8.8.3.3). A tag of the handler's own is left alone.
pub(crate) fn weakens(stored: &StoredResponse, asked: Asked) -> bool {
    asked.encodings && stored.generated_etag
}

fn weaken(headers: &mut HeaderMap) {
    if let Some(tag) = headers
        .get(ETAG)
        .and_then(|value| EntityTag::from_header(value).ok())
    {
        headers.insert(ETAG, tag.weaken().to_header());
    }
}

/// Says how the client may keep the answer, unless the handler said it.
pub(crate) fn client_caching(headers: &mut HeaderMap, policy: &Policy, age: u64) {
    if !policy.answer.cache_control || headers.contains_key(CACHE_CONTROL) || headers.contains_key(EXPIRES) {
        return;
    }
    let scope = if policy.shared { "" } else { "private, " };
    let value = match policy.client {
        ClientCaching::Revalidate if policy.shared => HeaderValue::from_static("no-cache"),
        ClientCaching::Revalidate => HeaderValue::from_static("private, no-cache"),
        // Clients take the age off (RFC 9111 §4.2): it is added, so that they keep the answer as long as was said.
        ClientCaching::MaxAge { seconds, immutable } => {
            let immutable = if immutable { ", immutable" } else { "" };
            let age = if policy.answer.age { age } else { 0 };
            let text = format!("{scope}max-age={}{immutable}", seconds.saturating_add(age));
            match HeaderValue::try_from(text) {
                Ok(value) => value,
                Err(_) => return,
            }
        }
    };
    headers.insert(CACHE_CONTROL, value);
}

/// Says what the cache did, and in `Vary` which headers are in its key: of each answer, also one that is not kept here,
/// since other caches may keep it.
pub(crate) fn outcome_headers(
    headers: &mut HeaderMap,
    policy: &Policy,
    outcome: Outcome,
    status: &CacheStatus,
) {
    for name in &policy.key_headers {
        add_vary(headers, name);
    }
    if policy.answer.cache_status {
        // Each cache adds itself to the list (RFC 9211 §2): one within this layer stands before it.
        headers.append(CACHE_STATUS, status.to_header());
    }
    if policy.answer.x_cache {
        headers.insert(X_CACHE, outcome.x_cache_value());
    }
}

/// Puts what other caches said of the response before what this one says (RFC 9211 §2).
pub(crate) fn after_others(headers: &mut HeaderMap, handlers: &HeaderMap) {
    if !handlers.contains_key(CACHE_STATUS) {
        return;
    }
    let own = headers.remove(CACHE_STATUS);
    for member in handlers.get_all(CACHE_STATUS).iter().cloned().chain(own) {
        headers.append(CACHE_STATUS, member);
    }
}

/// Writes down when a response was received that does not say when it was made (RFC 9110 §6.6.1).
pub(crate) fn dated(headers: &mut HeaderMap, received: Timestamp) {
    if !headers.contains_key(DATE) {
        let seconds = i64::try_from(received.as_millis() / 1000).unwrap_or(i64::MAX);
        headers.insert(DATE, HttpDate::from_unix_seconds(seconds).to_header());
    }
}

/// The headers of a response as they are kept, without those `left_out`; and whether an `ETag` was made for them.
pub(crate) fn stored_headers(
    parts: &response::Parts,
    policy: &Policy,
    body: &Bytes,
    left_out: &[HeaderName],
) -> (HeaderMap, bool) {
    let mut headers = parts.headers.clone();
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in NEVER_STORED.iter().chain(left_out) {
        headers.remove(name);
    }
    let generated = policy.answer.etag && parts.status == StatusCode::OK && !headers.contains_key(ETAG);
    if generated {
        headers.insert(ETAG, EntityTag::of_body(body).to_header());
    }
    (headers, generated)
}

/// What belongs to one connection (RFC 9110 §7.6.1), or is said anew of each answer.
const NEVER_STORED: [HeaderName; 13] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authentication-info"),
    HeaderName::from_static("proxy-authorization"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("te"),
    TRANSFER_ENCODING,
    HeaderName::from_static("upgrade"),
    AGE,
    CACHE_STATUS,
    X_CACHE,
    X_CACHE_AGE,
];

/// Other caches must know of the headers that this one has in its key.
fn add_vary(headers: &mut HeaderMap, name: &HeaderName) {
    let named = headers.get_all(VARY).iter().any(|line| {
        line.as_bytes()
            .split(|byte| *byte == b',')
            .any(|other| other.trim_ascii().eq_ignore_ascii_case(name.as_str().as_bytes()))
    });
    if !named {
        headers.append(VARY, HeaderValue::from_name(name.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_full() {
        for n in [0, 1, 9, 10, 99, 100, 999, 1_000, 9_999, 10_000, 123_456, u64::MAX] {
            assert_eq!(number(n), n.to_string());
        }
    }
}
