//! One line per request.

use std::time::Instant;

use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// A request that a line will be written of.
#[derive(Debug)]
pub(crate) struct Line {
    method: Method,
    uri: Uri,
    began: Instant,
}

impl Line {
    /// Nothing where nobody reads it.
    #[inline]
    pub(crate) fn begin<B>(request: &Request<B>) -> Option<Self> {
        if !tracing::enabled!(tracing::Level::INFO) {
            return None;
        }
        Some(Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            began: Instant::now(),
        })
    }

    /// Writes the line, when the head of the answer is known.
    pub(crate) fn write<B>(self, response: &Response<B>) {
        // Others may have added lines before this cache did.
        let mut lines = response.headers().get_all(CACHE_STATUS).iter();
        let cache = lines
            .next_back()
            .map_or(&[][..], HeaderValue::as_bytes)
            .escape_ascii();
        let target = self
            .uri
            .path_and_query()
            .map_or("", http::uri::PathAndQuery::as_str);
        tracing::info!(
            method = %self.method,
            // Escaped: a client must not be able to write lines of its own.
            path = ?target,
            status = response.status().as_u16(),
            %cache,
            took_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX),
            "answered"
        );
    }
}
