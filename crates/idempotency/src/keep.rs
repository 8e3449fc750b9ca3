//! What of a response is kept.

use http::header::{
    CONNECTION, CONTENT_LENGTH, DATE, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Response, StatusCode};

use crate::body::{self, Body, Read};
use crate::execution::NotBegun;
use crate::metrics;
use crate::policy::Policy;
use crate::result::{KeptResponse, NotKeptReason, RunResult};

/// The most that the headers of a kept response take, in bytes.
const MAX_HEAD: usize = 64 << 10;

/// Headers of one connection, of one answer, or of one client at one time.
const OMITTED: [HeaderName; 10] = [
    CONNECTION,
    CONTENT_LENGTH,
    DATE,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    SET_COOKIE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The same, of which `http` has no constants.
const ALSO_OMITTED: [&str; 6] = [
    "keep-alive",
    "proxy-connection",
    "server-timing",
    "traceparent",
    "tracestate",
    "x-request-id",
];

/// How an operation ended.
pub(crate) enum Ending {
    /// With this result.
    Kept(RunResult),
    /// Before it had begun: the key is freed.
    NotBegun,
    /// Nobody knows how, and nothing of it runs any more. The word for the cause.
    Lost(&'static str),
    /// It was dropped.
    Stopped,
}

/// Reads a response as far as it can be kept, and says how the operation ended.
pub(crate) async fn judge<B: http_body::Body>(
    response: Response<B>,
    policy: &Policy,
) -> (Response<Body<B>>, Ending) {
    let status = response.status();
    let not_begun = response.extensions().get::<NotBegun>().is_some() || policy.not_begun.contains(&status);
    if not_begun || (status.is_server_error() && !policy.keep_server_errors) {
        return (response.map(Body::passed), Ending::NotBegun);
    }
    // What is made while it is sent cannot be waited for.
    let streams = response.body().size_hint().exact().is_none() || status == StatusCode::SWITCHING_PROTOCOLS;
    if streams {
        let ending = not_kept(status, NotKeptReason::Streaming);
        return (response.map(Body::passed), ending);
    }
    let (parts, body) = response.into_parts();
    match body::read(body, policy.max_response_body).await {
        Read::Not(cut) => {
            let ending = not_kept(status, cut.reason);
            (Response::from_parts(parts, Body::resumed(cut)), ending)
        }
        Read::Whole(bytes) => {
            let ending = match headers(&parts.headers, policy) {
                None => not_kept(status, NotKeptReason::TooLarge),
                Some(headers) => Ending::Kept(RunResult::Response(KeptResponse {
                    status,
                    headers,
                    body: bytes.clone(),
                })),
            };
            (Response::from_parts(parts, Body::full(bytes)), ending)
        }
    }
}

fn not_kept(status: StatusCode, reason: NotKeptReason) -> Ending {
    metrics::not_kept(reason);
    Ending::Kept(RunResult::NotKept { status, reason })
}

/// The headers that are kept. `None` if they are too large.
fn headers(all: &HeaderMap, policy: &Policy) -> Option<HeaderMap> {
    let named = |name: &HeaderName| {
        let lines = all.get_all(CONNECTION).iter();
        let mut words = lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','));
        words.any(|word| word.trim().eq_ignore_ascii_case(name.as_str()))
    };
    let mut kept = HeaderMap::new();
    let mut size = 0;
    for (name, value) in all {
        let omitted = OMITTED.contains(name)
            || ALSO_OMITTED.contains(&name.as_str())
            || policy.omitted.contains(name)
            || named(name);
        if !omitted {
            size += name.as_str().len() + value.len();
            kept.append(name, value.clone());
        }
    }
    (size <= MAX_HEAD).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn what_is_of_one_answer_alone_is_not_kept() {
        let mut all = HeaderMap::new();
        for name in OMITTED {
            all.append(name, HeaderValue::from_static("x-hop, Close"));
        }
        for name in ALSO_OMITTED {
            all.append(name, HeaderValue::from_static("1"));
        }
        all.append("x-hop", HeaderValue::from_static("1"));
        all.append("x-mine", HeaderValue::from_static("1"));
        all.append("location", HeaderValue::from_static("/1"));
        all.append("link", HeaderValue::from_static("a"));
        all.append("link", HeaderValue::from_static("b"));
        let mut policy = Policy::new(None);
        policy.omitted.push(HeaderName::from_static("x-mine"));
        let kept = headers(&all, &policy).unwrap();
        let mut names: Vec<_> = kept.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["link", "link", "location"]);
    }

    #[test]
    fn a_head_that_is_too_large_is_not_kept() {
        let mut all = HeaderMap::new();
        let policy = Policy::new(None);
        all.append("x", HeaderValue::from_bytes(&vec![b'a'; MAX_HEAD - 1]).unwrap());
        assert!(headers(&all, &policy).is_some());
        all.append("y", HeaderValue::from_static("a"));
        assert!(headers(&all, &policy).is_none());
    }
}
