//! A response as the hand-written caches keep it.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, uri::PathAndQuery};
use http_body_util::BodyExt;

/// The key of the hand-written caches: path and query. Only GET is asked here.
pub(super) fn target(request: &Request<Body>) -> &str {
    request.uri().path_and_query().map_or("/", PathAndQuery::as_str)
}

#[derive(Debug, Clone)]
pub(super) struct Stored {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Stored {
    /// Collects a response; a body that fails is kept short, and the byte count shows it.
    pub(super) async fn collect(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub(super) fn response(&self) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}
