//! The answer to a request from an entry.

use http::{HeaderMap, Response, StatusCode};
use larder_store::{Entry, StoredResponse, Timestamp};

use crate::admit::Asker;
use crate::body::Body;
use crate::cache_status::CacheStatus;
use crate::headers::{answer_headers, weakens};
use crate::policy::Policy;
use crate::special::{bodiless, conditional, empty, special, validators};
use crate::status::Outcome;

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
        let (validators, date) = validators(stored);
        let status = conditional(stored.status, &validators, date, asker);
        if let Some(StatusCode::NOT_MODIFIED) = status {
            let read = |headers: &HeaderMap| bodiless(StatusCode::NOT_MODIFIED, headers);
            return empty(StatusCode::NOT_MODIFIED, stored.rendered(moment, whole, read));
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
