//! Warming: requests that the cache sends to the application itself, so that others find their answers.

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use http::header::HOST;
use http::{HeaderValue, Request, Uri};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::ServiceExt;

use crate::shown;

/// How many paths one request may name.
pub(crate) const MOST: usize = 50;
/// How long one path may take, its body included, and how many bytes of that are read.
const PATIENCE: Duration = Duration::from_secs(10);
const LARGEST: usize = 32 << 20;

/// Asks for each of `paths`, one after the other, as a client at `host` would.
pub(crate) async fn warm(router: &Router, host: Option<&HeaderValue>, paths: Vec<String>) -> Value {
    let mut done = Vec::with_capacity(paths.len());
    for path in paths {
        let began = Instant::now();
        let result = timeout(PATIENCE, ask(router, host, &path)).await;
        let result = result.unwrap_or_else(|_| json!({ "error": "it took longer than 10 s" }));
        let mut shown = json!({ "path": shown::text(&path), "took_ms": shown::ms(began.elapsed()) });
        if let (Value::Object(shown), Value::Object(result)) = (&mut shown, result) {
            shown.extend(result);
        }
        done.push(shown);
    }
    Value::Array(done)
}

async fn ask(router: &Router, host: Option<&HeaderValue>, path: &str) -> Value {
    let uri: Uri = match path.parse() {
        Ok(uri) if path.starts_with('/') => uri,
        _ => return json!({ "error": "it is no path" }),
    };
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = uri;
    if let Some(host) = host {
        request.headers_mut().insert(HOST, host.clone());
    }
    let Ok(response) = router.clone().oneshot(request).await;
    let (parts, mut body) = response.into_parts();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return json!({ "error": "its body ended early" });
        };
        length += frame.data_ref().map_or(0, bytes::Bytes::len);
        if length > LARGEST {
            return json!({ "error": "its body is too large" });
        }
    }
    let outcome = parts
        .headers
        .get("x-cache")
        .map(|value| shown::bytes(value.as_bytes()));
    json!({ "status": parts.status.as_u16(), "x_cache": outcome })
}
