//! The routes that tell an orchestrator whether the process lives, and whether it is ready.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::health::Health;
use crate::parts::Parts;

/// Routes for liveness and readiness; to be told more.
///
/// | Route | Answers |
/// |---|---|
/// | `/livez` | 200 while the process answers at all; no dependency is asked |
/// | `/readyz` | 200 with how each dependency is, as JSON; 503 where the process is not ready by [`ready_when`](Self::ready_when) |
///
/// They need no authorisation, and so tell no names, addresses or messages. However many ask, the dependencies are asked
/// once in a quarter of a second at most.
#[derive(Clone)]
#[must_use = "routes do nothing until they are a router"]
pub struct HealthRoutes {
    parts: Parts,
    timeout: Duration,
    ready: Arc<dyn Fn(&Health) -> bool + Send + Sync>,
    last: Arc<Mutex<Option<(Instant, Health)>>>,
}

/// How long what the dependencies said is told to others who ask.
const TOLD: Duration = Duration::from_millis(250);

impl HealthRoutes {
    /// The routes for these parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            timeout: Duration::from_secs(1),
            ready: Arc::new(|_| true),
            last: Arc::default(),
        }
    }

    /// How long a dependency may take. Default 1 s, at most [5 s](Health::LONGEST).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Whether the process is to have requests. By default always: without its store it answers them by their handlers.
    ///
    /// A service that is of no use without locks says `|health| health.locks`.
    pub fn ready_when(mut self, ready: impl Fn(&Health) -> bool + Send + Sync + 'static) -> Self {
        self.ready = Arc::new(ready);
        self
    }

    /// The router.
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        Router::new()
            .route("/livez", get(alive))
            .route("/readyz", get(ready))
            .with_state(self)
    }
}

async fn alive() -> Response {
    answer(StatusCode::OK, json!({ "status": "alive" }))
}

async fn ready(State(routes): State<HealthRoutes>) -> Response {
    // Those who come meanwhile wait for the same answer, which comes within the limit of one dependency.
    let Ok(mut last) = timeout(2 * Health::LONGEST, routes.last.lock()).await else {
        return answer(StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "busy" }));
    };
    let health = match &*last {
        Some((at, health)) if at.elapsed() < TOLD => health.clone(),
        _ => {
            let health = Health::of(&routes.parts, routes.timeout).await;
            *last = Some((Instant::now(), health.clone()));
            health
        }
    };
    drop(last);
    let status = if (routes.ready)(&health) {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    answer(status, health.json())
}

fn answer(status: StatusCode, body: serde_json::Value) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    (status, [(CACHE_CONTROL, no_store)], Json(body)).into_response()
}

impl fmt::Debug for HealthRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthRoutes")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
