//! What the handler does not get to see of a cacheable request.

use http::{HeaderName, Request, Uri, header};
use larder_store::ReadToken;

use crate::policy::{Policy, UnkeyedHeaders, VISIBLE_HEADERS};

/// Takes out of `request` what is not in its key, and the conditions that the layer itself answers.
///
/// The credentials of a `verified` identity stay, since the identity is in the key.
///
/// Returns the names that were hidden by policy (not the conditions), for the log.
pub(crate) fn hide<B>(request: &mut Request<B>, policy: &Policy, verified: bool) -> Vec<HeaderName> {
    if !policy.rules.transparent {
        hide_conditions(request);
        ReadToken::hide(request.headers_mut());
    }
    hide_query(request, policy);
    let hidden: Vec<HeaderName> = request
        .headers()
        .keys()
        .filter(|name| !is_visible(name, policy, verified))
        .cloned()
        .collect();
    for name in &hidden {
        request.headers_mut().remove(name);
    }
    hidden
}

/// What makes a request one for something else than the whole response (RFC 9110 §13.1, §14.2).
pub(crate) const CONDITIONS: [HeaderName; 6] = [
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::RANGE,
];

/// Takes out the conditions of a request, and the range.
pub(crate) fn hide_conditions<B>(request: &mut Request<B>) {
    for name in CONDITIONS {
        request.headers_mut().remove(name);
    }
}

/// Whether a response says that it varies by a header that the policy hides: its handler, or a layer within, reads what it
/// did not get to see.
pub(crate) fn varies_by_hidden(names: &[HeaderName], policy: &Policy) -> bool {
    let is_credential = |name: &HeaderName| name == header::COOKIE || name == header::AUTHORIZATION;
    names
        .iter()
        .any(|name| !is_credential(name) && !is_visible(name, policy, true))
}

fn is_visible(name: &HeaderName, policy: &Policy, verified: bool) -> bool {
    if policy.key_headers.contains(name) {
        return true;
    }
    let is_credential =
        name == header::COOKIE || name == header::AUTHORIZATION || policy.identity_headers.contains(name);
    if is_credential {
        // Otherwise a request of nobody with one of them got here only because it is to be ignored.
        return verified || policy.rules.transparent && !(name == header::COOKIE && policy.ignore_cookies);
    }
    match policy.unkeyed {
        UnkeyedHeaders::Pass => true,
        UnkeyedHeaders::Hide => {
            VISIBLE_HEADERS.contains(&name.as_str()) || policy.passed_headers.contains(name)
        }
    }
}

/// Takes the query parameters that do not count out of the URIs that the handler can see.
fn hide_query<B>(request: &mut Request<B>, policy: &Policy) {
    if !policy.query.hides() {
        return;
    }
    if let Some(uri) = visible_part(request.uri(), policy) {
        *request.uri_mut() = uri;
    }
    #[cfg(feature = "axum")]
    if let Some(axum::extract::OriginalUri(original)) = request.extensions_mut().get_mut()
        && let Some(uri) = visible_part(original, policy)
    {
        *original = uri;
    }
}

/// The URI without the parameters that do not count, if it has some.
fn visible_part(uri: &Uri, policy: &Policy) -> Option<Uri> {
    let visible = policy.query.canonical(uri.query()?).visible?;
    Some(with_query(uri, &visible))
}

fn with_query(uri: &Uri, query: &str) -> Uri {
    let path = uri.path();
    let target = if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    };
    let mut parts = uri.clone().into_parts();
    // A path and some parameters of a valid URI are valid; were they not, the handler would see the request as it is.
    parts.path_and_query = target.parse().ok().or(parts.path_and_query);
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}
