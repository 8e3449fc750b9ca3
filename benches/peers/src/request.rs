//! The one request every contender is asked: a GET with a query and three headers, and `If-None-Match` where a 304 is measured.

use axum::body::Body;
use http::{HeaderValue, Request, header};

/// Path and query of the measured request.
pub const TARGET: &str = "/api/items?page=2&sort=name";

/// The headers of the measured request, host apart.
pub const HEADERS: [(&str, &str); 2] = [("accept", "application/json"), ("user-agent", "larder-peers/1")];

/// Builds the request anew, as a server would.
#[must_use]
pub fn request(if_none_match: Option<&HeaderValue>) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = http::Uri::from_static(TARGET);
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(tag) = if_none_match {
        headers.insert(header::IF_NONE_MATCH, tag.clone());
    }
    request
}
