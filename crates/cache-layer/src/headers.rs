//! The headers of an answer: `Age`, `Cache-Control`, `Cache-Status`, `ETag`, `X-Cache`, and the 304, 206, 412 they lead to.

use bytes::Bytes;
use http::header::{
    AGE, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, EXPIRES,
    LAST_MODIFIED, TRANSFER_ENCODING, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, response};
use larder_etag::{
    EntityTag, HttpDate, Multipart, Precondition, RangeOutcome, Validators, evaluate, evaluate_range,
    not_modified_headers, unsatisfied_range,
};
use larder_store::{Entry, Lifetime, StoredResponse, Timestamp};

use crate::admit::Asked;
use crate::body::Body;
use crate::cache_status::CacheStatus;
use crate::policy::{ClientCaching, Policy};
use crate::status::Outcome;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
const X_CACHE_AGE: HeaderName = HeaderName::from_static("x-cache-age");

/// Who asks, as far as the answer depends on it.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) asked: Asked,
    pub(crate) headers: &'a HeaderMap,
}

impl Asker<'_> {
    const fn method(&self) -> Method {
        if self.asked.head {
            Method::HEAD
        } else {
            Method::GET
        }
    }
}

/// The answer to a request from a fresh entry: the path of a hit, which makes its headers once a second and copies them.
#[inline]
pub(crate) fn hit<B: http_body::Body>(
    entry: &Entry,
    stored: &StoredResponse,
    policy: &Policy,
    asker: Asker<'_>,
    now: Timestamp,
) -> Response<Body<B>> {
    let age = entry.lifetime.age_ms(now) / 1000;
    let weak = weakens(stored, asker.asked);
    // Everything that the headers depend on: the second, the strength of the tag, and how the layer answers.
    let moment = (age << 1 | u64::from(weak)) ^ policy.face;
    let whole = || {
        let status = CacheStatus::hit(&entry.lifetime, now);
        answer_headers(
            &entry.lifetime,
            stored,
            policy,
            weak,
            now,
            Outcome::HitL1,
            &status,
        )
    };
    if asker.asked.conditional && stored.status == StatusCode::OK {
        let precondition = evaluate(&asker.method(), asker.headers, &validators(stored));
        if precondition == Precondition::NotModified {
            let headers = stored.rendered(moment, whole, |headers| bodiless(precondition, headers));
            return empty(StatusCode::NOT_MODIFIED, headers);
        }
    }
    let headers = stored.rendered(moment, whole, HeaderMap::clone);
    if asker.asked.conditional | asker.asked.range | asker.asked.head {
        return special(stored, headers, asker);
    }
    let mut response = Response::new(Body::full(stored.body.clone()));
    *response.status_mut() = stored.status;
    *response.headers_mut() = headers;
    response
}

/// The validators of a stored response: what the conditions of a request are about (RFC 9110 §8.8).
fn validators(stored: &StoredResponse) -> Validators {
    let tag = stored
        .header(&ETAG)
        .and_then(|value| EntityTag::from_header(value).ok());
    let date = stored
        .header(&LAST_MODIFIED)
        .and_then(|value| HttpDate::parse(value.as_bytes()).ok());
    Validators {
        etag: tag,
        last_modified: date,
    }
}

/// The answer to a request from an entry that is no fresh hit: just made, made by another, or stale.
pub(crate) fn from_entry<B: http_body::Body>(
    entry: &Entry,
    stored: &StoredResponse,
    policy: &Policy,
    asker: Asker<'_>,
    now: Timestamp,
    outcome: Outcome,
    status: &CacheStatus,
) -> Response<Body<B>> {
    let weak = weakens(stored, asker.asked);
    let headers = answer_headers(&entry.lifetime, stored, policy, weak, now, outcome, status);
    special(stored, headers, asker)
}

fn answer_headers(
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
fn weakens(stored: &StoredResponse, asked: Asked) -> bool {
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

/// The answer where the request has conditions, asks for a range, or is a HEAD.
fn special<B: http_body::Body>(
    stored: &StoredResponse,
    headers: HeaderMap,
    asker: Asker<'_>,
) -> Response<Body<B>> {
    let response = empty(stored.status, headers);
    if stored.status != StatusCode::OK {
        return with_body(response, &stored.body, asker);
    }
    let validators = Validators::from_headers(response.headers());
    if asker.asked.conditional
        && let Some(answer) = conditional(response.status(), response.headers(), &validators, asker)
    {
        return answer;
    }
    if asker.asked.range
        && let Some(answer) = partial(stored, response.headers(), &validators, asker)
    {
        return answer;
    }
    with_body(response, &stored.body, asker)
}

fn with_body<B: http_body::Body>(
    mut response: Response<Body<B>>,
    body: &Bytes,
    asker: Asker<'_>,
) -> Response<Body<B>> {
    // The length is among the headers already, for a HEAD too.
    if !asker.asked.head {
        *response.body_mut() = Body::full(body.clone());
    }
    response
}

/// The 304 or 412 that the conditions of the request lead to, if they do (RFC 9110 §13.2.2).
pub(crate) fn conditional<B: http_body::Body>(
    status: StatusCode,
    headers: &HeaderMap,
    validators: &Validators,
    asker: Asker<'_>,
) -> Option<Response<Body<B>>> {
    // They are about an answer that would be a success (§13.2.1).
    if !status.is_success() {
        return None;
    }
    let precondition = evaluate(&asker.method(), asker.headers, validators);
    let status = match precondition {
        Precondition::Proceed => return None,
        Precondition::NotModified => StatusCode::NOT_MODIFIED,
        Precondition::Failed => StatusCode::PRECONDITION_FAILED,
    };
    Some(empty(status, bodiless(precondition, headers)))
}

/// Of the headers of a whole answer those of a 304 or a 412, and what the cache says of itself.
fn bodiless(precondition: Precondition, headers: &HeaderMap) -> HeaderMap {
    let mut kept = match precondition {
        Precondition::NotModified => not_modified_headers(headers),
        _ => HeaderMap::with_capacity(4),
    };
    for name in [AGE, CACHE_STATUS, X_CACHE, X_CACHE_AGE] {
        for value in headers.get_all(&name) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

fn empty<B: http_body::Body>(status: StatusCode, headers: HeaderMap) -> Response<Body<B>> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The 206 or 416 that the request's `Range` leads to, if it does (RFC 9110 §14.2).
fn partial<B: http_body::Body>(
    stored: &StoredResponse,
    headers: &HeaderMap,
    validators: &Validators,
    asker: Asker<'_>,
) -> Option<Response<Body<B>>> {
    let date = HttpDate::of_field(headers, &DATE);
    let length = stored.body.len() as u64;
    let ranges = match evaluate_range(&asker.method(), asker.headers, length, validators, date) {
        RangeOutcome::Full => return None,
        RangeOutcome::Unsatisfiable => {
            let mut response = answer(StatusCode::RANGE_NOT_SATISFIABLE, headers, Bytes::new());
            response
                .headers_mut()
                .insert(CONTENT_RANGE, unsatisfied_range(length));
            response.headers_mut().remove(CONTENT_TYPE);
            return Some(response);
        }
        RangeOutcome::Partial(ranges) => ranges,
    };
    if let [range] = ranges[..] {
        let mut response = answer(StatusCode::PARTIAL_CONTENT, headers, range.slice(&stored.body)?);
        response
            .headers_mut()
            .insert(CONTENT_RANGE, range.content_range(length));
        return Some(response);
    }
    let multipart = Multipart::of(&stored.body, &ranges, headers.get(CONTENT_TYPE))?;
    let mut response = answer(StatusCode::PARTIAL_CONTENT, headers, multipart.body.clone());
    response
        .headers_mut()
        .insert(CONTENT_TYPE, multipart.content_type());
    Some(response)
}

fn answer<B: http_body::Body>(status: StatusCode, headers: &HeaderMap, body: Bytes) -> Response<Body<B>> {
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    headers.clone_into(response.headers_mut());
    response.headers_mut().remove(CONTENT_LENGTH);
    response
}

/// The headers of a response as they are kept, and whether an `ETag` was made for them.
pub(crate) fn stored_headers(parts: &response::Parts, policy: &Policy, body: &Bytes) -> (HeaderMap, bool) {
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
    for name in NEVER_STORED {
        headers.remove(name);
    }
    let generated = policy.answer.etag && parts.status == StatusCode::OK && !headers.contains_key(ETAG);
    if generated {
        headers.insert(ETAG, EntityTag::of_body(body).to_header());
    }
    (headers, generated)
}

/// What belongs to one connection (RFC 9110 §7.6.1), or is said anew of each answer.
const NEVER_STORED: [HeaderName; 12] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authentication-info"),
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
