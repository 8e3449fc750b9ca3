//! The router of the page.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use http::StatusCode;
use tokio::sync::Semaphore;

use crate::access::Guard;
use crate::gate::{Gate, guarded};
use crate::parts::Parts;
use crate::samples::Samples;
use crate::{api, change, site};

/// A page for operators with all that a cache does, and what it shows as JSON; to be told more.
///
/// There is none without a guard, which is asked for every request:
///
/// ```compile_fail
/// # fn of(parts: larder_admin::Parts) {
/// larder_admin::Admin::new(parts); // who may see it?
/// # }
/// ```
///
/// | Path | Answers |
/// |---|---|
/// | `/` | the page |
/// | `/api/overview` | counters of each layer, readings of the last ten minutes, the last invalidations, locks, the store |
/// | `/api/entries?by=path&q=…` | at most 100 entries of this process, by a part of their path, tag or key |
/// | `/api/explain?uri=…&cache=…` | why such a request hits or misses |
/// | `/api/actions` | which action makes which layers stale |
/// | `/api/health` | how each dependency is |
/// | POST `/api/invalidate` | forgets: `{"kind": "tag", "value": "ratings", "soft": false}`; kinds are `tag`, `uri`, `prefix`, `identity`, `layer`, `all` |
/// | POST `/api/switch` | `{"cache": "ratings", "on": false}`; without a cache all together |
/// | POST `/api/warm` | `{"paths": ["/a"]}`: asks the application for at most 50 paths |
///
/// The page loads nothing from elsewhere and runs no script but its own. A change needs the header `X-Larder-Admin` and a
/// JSON body, which no form of another site can send, and an `Origin` that is the page's. No answer may be kept.
///
/// From when it is made, the last 256 invalidations and runs of handlers are remembered, and a task reads the counters every
/// other second, until the router and its clones are gone.
#[derive(Clone)]
#[must_use = "an admin page does nothing until it is a router"]
pub struct Admin {
    parts: Parts,
    gate: Gate,
    warms: Option<Router>,
}

/// What the handlers share.
pub(crate) type Shared = Arc<State>;

pub(crate) struct State {
    pub(crate) parts: Parts,
    pub(crate) warms: Option<Router>,
    pub(crate) samples: Arc<Samples>,
    pub(crate) searching: Semaphore,
    pub(crate) warming: Semaphore,
    pub(crate) asking: Semaphore,
}

/// How many search, warm and ask for health at one time.
const SEARCHING: usize = 2;
const WARMING: usize = 1;
const ASKING: usize = 2;
/// The largest body of a change, in bytes.
const LARGEST_BODY: usize = 64 << 10;

impl Admin {
    /// A page for these parts, for those whom `guard` lets pass.
    pub fn new(parts: Parts, guard: impl Guard) -> Self {
        Self {
            parts,
            gate: Gate::new(guard),
            warms: None,
        }
    }

    /// The application whose paths can be warmed: requests go through all its layers, with the `Host` that the page was asked
    /// under and without credentials. By default nothing can be warmed.
    pub fn warms(mut self, application: Router) -> Self {
        self.warms = Some(application);
        self
    }

    /// The router, to be nested where the page is to be: `Router::new().nest("/admin", …)`. The page is at `/admin` then, and with
    /// `nest_service` at `/admin/` too.
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        let Self { parts, gate, warms } = self;
        parts.engine.watch();
        let samples = Arc::new(Samples::default());
        samples.begin(&parts.engine);
        let shared: Shared = Arc::new(State {
            parts,
            warms,
            samples,
            searching: Semaphore::new(SEARCHING),
            warming: Semaphore::new(WARMING),
            asking: Semaphore::new(ASKING),
        });
        Router::new()
            .route("/", get(site::page))
            .route("/page.js", get(site::script))
            .route("/page.css", get(site::style))
            .route("/icon.svg", get(site::icon))
            .route("/api/overview", get(api::overview))
            .route("/api/entries", get(api::entries))
            .route("/api/explain", get(api::explain))
            .route("/api/actions", get(api::actions))
            .route("/api/health", get(api::health))
            .route("/api/invalidate", post(change::invalidate))
            .route("/api/switch", post(change::switch))
            .route("/api/warm", post(change::warm))
            // Its own, so that the guard is before it.
            .fallback(|| async { StatusCode::NOT_FOUND })
            .layer(DefaultBodyLimit::max(LARGEST_BODY))
            // Around all of it, what is not there too: it tells nobody what is.
            .layer(from_fn_with_state(gate, guarded))
            .with_state(shared)
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin")
            .field("warms", &self.warms.is_some())
            .finish_non_exhaustive()
    }
}
