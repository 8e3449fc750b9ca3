//! Answers other than the whole: 304 and 412 by the conditions of a request, 206 and 416 by its range, and to a HEAD.

use bytes::Bytes;
use http::header::{
    AGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG,
    IF_UNMODIFIED_SINCE, LAST_MODIFIED,
};
use http::{HeaderMap, HeaderName, Response, StatusCode, response};
use larder_etag::{
    EntityTag, HttpDate, Multipart, Precondition, RangeOutcome, Validators, evaluate, evaluate_range,
    not_modified_headers, unsatisfied_range,
};
use larder_store::StoredResponse;

use crate::admit::Asker;
use crate::body::Body;
use crate::headers::{CACHE_STATUS, X_CACHE, X_CACHE_AGE};

/// The validators of a stored response, what the conditions of a request are about (RFC 9110 §8.8), and its `Date`.
pub(crate) fn validators(stored: &StoredResponse) -> (Validators, Option<HttpDate>) {
    // Of two lines none: to take one might confirm a body that the client does not hold.
    let only = |name: &HeaderName| {
        let mut lines = stored
            .headers()
            .filter(|(other, _)| *other == name)
            .map(|(_, value)| value);
        lines.next().filter(|_| lines.next().is_none())
    };
    let tag = only(&ETAG).and_then(|value| EntityTag::from_header(value).ok());
    let date = |name| only(name).and_then(|value| HttpDate::parse(value.as_bytes()).ok());
    let validators = Validators {
        etag: tag,
        last_modified: date(&LAST_MODIFIED),
    };
    (validators, date(&DATE))
}

/// The answer where the request has conditions, asks for a range, or is a HEAD.
pub(crate) fn special<B: http_body::Body>(
    stored: &StoredResponse,
    headers: HeaderMap,
    asker: Asker<'_>,
) -> Response<Body<B>> {
    let response = empty(stored.status, headers);
    if stored.status != StatusCode::OK {
        return with_body(response, &stored.body, asker);
    }
    let validators = Validators::from_headers(response.headers());
    let date = HttpDate::of_field(response.headers(), &DATE);
    if asker.asked.conditional
        && let Some(status) = conditional(stored.status, &validators, date, asker)
    {
        return empty(status, bodiless(status, response.headers()));
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
pub(crate) fn conditional(
    status: StatusCode,
    validators: &Validators,
    date: Option<HttpDate>,
    asker: Asker<'_>,
) -> Option<StatusCode> {
    // They are about an answer that would be a success (§13.2.1).
    if !status.is_success() {
        return None;
    }
    // A response that does not say when it was modified was so, at the latest, when it was made (RFC 9111 §4.3.2). That
    // is enough to say "not since", and not enough for the contrary.
    let undated = validators.last_modified.is_none() && !asker.headers.contains_key(IF_UNMODIFIED_SINCE);
    let dated = date.filter(|_| undated).map(|date| Validators {
        last_modified: Some(date),
        ..validators.clone()
    });
    match evaluate(
        &asker.method(),
        asker.headers,
        dated.as_ref().unwrap_or(validators),
    ) {
        Precondition::Proceed => None,
        Precondition::NotModified => Some(StatusCode::NOT_MODIFIED),
        Precondition::Failed => Some(StatusCode::PRECONDITION_FAILED),
    }
}

/// A handler's own response as a 304 or 412: all that it says but what is about its body (RFC 9110 §15.4.5).
pub(crate) fn without_body<B: http_body::Body>(
    mut parts: response::Parts,
    status: StatusCode,
) -> Response<Body<B>> {
    for name in [
        CONTENT_LENGTH,
        CONTENT_TYPE,
        CONTENT_ENCODING,
        CONTENT_LANGUAGE,
        CONTENT_RANGE,
    ] {
        parts.headers.remove(name);
    }
    parts.status = status;
    Response::from_parts(parts, Body::empty())
}

/// Of the headers of a whole answer those of a 304 or a 412, and what the cache says of itself.
pub(crate) fn bodiless(status: StatusCode, headers: &HeaderMap) -> HeaderMap {
    let mut kept = match status {
        StatusCode::NOT_MODIFIED => not_modified_headers(headers),
        _ => HeaderMap::with_capacity(4),
    };
    for name in [AGE, CACHE_STATUS, X_CACHE, X_CACHE_AGE] {
        for value in headers.get_all(&name) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

pub(crate) fn empty<B: http_body::Body>(status: StatusCode, headers: HeaderMap) -> Response<Body<B>> {
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
