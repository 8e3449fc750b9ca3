//! The service that is asked, and those who ask it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::{Router, body::Body, extract::Path, routing::get};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use larder::Larder;
use tokio::task::JoinSet;
use tower::ServiceExt;

/// How many pages there are.
const PAGES: u64 = 64;

/// How many ask at the same time, and how long each pauses between two requests.
const CLIENTS: u64 = 32;
const PAUSE: Duration = Duration::from_millis(4);

/// How long the handler takes.
const WORK: Duration = Duration::from_millis(5);

/// The bytes of a page.
const SIZE: usize = 10_240;

/// How often a page is forgotten.
const CHANGES: Duration = Duration::from_millis(50);

/// One request.
pub(super) struct Seen {
    pub(super) sent: Instant,
    pub(super) took: Duration,
    pub(super) hit: bool,
    pub(super) failed: bool,
}

/// What both sides of a run know.
#[derive(Default)]
pub(super) struct Signs {
    /// Nobody asks any more.
    pub(super) over: AtomicBool,
    /// The fault was undone.
    pub(super) healed: AtomicBool,
    /// A request that was sent afterwards was a hit.
    pub(super) hit_again: AtomicBool,
    /// Pages that were to be forgotten, and that could not be in time.
    pub(super) owed: AtomicU64,
}

/// The pages, with a cache or without.
#[derive(Clone)]
pub(super) struct Service {
    router: Router,
    larder: Option<Larder>,
}

impl Service {
    pub(super) fn bare() -> Self {
        Self {
            router: mount(get(page)),
            larder: None,
        }
    }

    pub(super) fn cached(larder: Larder) -> Self {
        let layer = larder.hot_cache("pages").tag("page:{id}");
        Self {
            router: mount(get(page).layer(layer)),
            larder: Some(larder),
        }
    }

    /// Asks for every page, so that each was made once.
    pub(super) async fn warm(&self) {
        for page in 0..PAGES {
            self.ask(page).await;
        }
    }

    /// Has all clients ask until it is over. Returns what they saw.
    pub(super) async fn serve(&self, signs: &Arc<Signs>) -> Vec<Seen> {
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            clients.spawn(self.clone().client(client, Arc::clone(signs)));
        }
        let writer = self
            .larder
            .clone()
            .map(|larder| tokio::spawn(change(larder, Arc::clone(signs))));
        let seen = clients.join_all().await.into_iter().flatten().collect();
        if let Some(writer) = writer {
            writer.abort();
        }
        seen
    }

    async fn client(self, number: u64, signs: Arc<Signs>) -> Vec<Seen> {
        let mut seen = Vec::new();
        // Each goes its own way through the pages.
        let mut page = number * PAGES / CLIENTS;
        while !signs.over.load(Ordering::SeqCst) {
            let healed = signs.healed.load(Ordering::SeqCst);
            let asked = self.ask(page).await;
            if healed && asked.hit {
                signs.hit_again.store(true, Ordering::SeqCst);
            }
            seen.push(asked);
            page = (page + 2 * number + 1) % PAGES;
            tokio::time::sleep(PAUSE).await;
        }
        seen
    }

    async fn ask(&self, page: u64) -> Seen {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = format!("/pages/{page}").parse().unwrap_or_default();
        request
            .headers_mut()
            .insert(header::HOST, header::HeaderValue::from_static("localhost"));
        let sent = Instant::now();
        let Ok(response) = self.router.clone().oneshot(request).await;
        let hit = is_hit(response.headers());
        let status = response.status();
        let body = response.into_body().collect().await;
        let whole = body.is_ok_and(|body| body.to_bytes().len() == SIZE);
        Seen {
            sent,
            took: sent.elapsed(),
            hit,
            failed: status != StatusCode::OK || !whole,
        }
    }
}

fn mount(route: axum::routing::MethodRouter) -> Router {
    Router::new().route("/pages/{id}", route).with_state(())
}

async fn page(Path(id): Path<u64>) -> String {
    tokio::time::sleep(WORK).await;
    format!("{id:.<SIZE$}")
}

fn is_hit(headers: &HeaderMap) -> bool {
    headers.get("x-cache").is_some_and(|word| word == "HIT")
}

/// Forgets one page after the other.
async fn change(larder: Larder, signs: Arc<Signs>) {
    let mut page = 0;
    loop {
        tokio::time::sleep(CHANGES).await;
        if larder.invalidate_tag(format!("page:{page}")).await.is_err() {
            signs.owed.fetch_add(1, Ordering::SeqCst);
        }
        page = (page + 1) % PAGES;
    }
}
