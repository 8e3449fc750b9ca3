//! The handler behind every contender: constant bytes, three headers, and a counter that shows whether it ran.

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    response::Response,
    routing::{MethodRouter, get},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};

/// The path the origin is mounted on.
pub const PATH: &str = "/api/items";

/// The cheapest handler an application could have.
#[derive(Debug, Clone)]
pub struct Origin(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    body: Bytes,
    calls: AtomicU64,
}

impl Origin {
    /// An origin that answers with `size` bytes.
    #[must_use]
    pub fn new(size: usize) -> Self {
        let body: Vec<u8> = b"the quick brown fox jumps over the lazy dog. "
            .iter()
            .copied()
            .cycle()
            .take(size)
            .collect();
        Self(Arc::new(Inner {
            body: Bytes::from(body),
            calls: AtomicU64::new(0),
        }))
    }

    /// How many bytes a whole response has.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.body.len()
    }

    /// How often the handler ran.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::Relaxed)
    }

    /// The handler as a method router, for layers that sit on the route.
    pub fn route(&self) -> MethodRouter {
        let origin = self.clone();
        get(move || ready(origin.respond()))
    }

    /// The handler in a router of its own.
    pub fn router(&self) -> Router {
        Self::mount(self.route())
    }

    /// A router with `route` on the measured path, with its state as a served one has it: without, axum lays the
    /// layers of a route around its handler at every request.
    pub fn mount(route: MethodRouter) -> Router {
        Router::new().route(PATH, route).with_state(())
    }

    fn respond(&self) -> Response {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        let mut response = Response::new(Body::from(self.0.body.clone()));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=3600"),
        );
        headers.insert(
            HeaderName::from_static("x-origin"),
            HeaderValue::from_static("items"),
        );
        response
    }
}
