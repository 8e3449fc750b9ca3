//! Larder's own contenders: the one place to change when its layer changes.

use std::time::Duration;

use axum::{Router, body::Body};
use http::{HeaderValue, Request, request::Parts};
use larder::{CacheLayer, Identity, Larder, Limits};
use larder_redis::{Coherence, RedisStore};
use larder_testkit::RedisServer;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt};

use crate::{
    app::{App, Batch, Boxed, app},
    contenders::{Contender, Kind},
    origin::Origin,
};

/// How long a server may take: under valgrind all takes its time.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a service over a server is asked until it is warm.
const WARMING: usize = 400;

/// Larder's contenders.
#[must_use]
pub fn contenders() -> Vec<Contender> {
    vec![
        Contender::new("larder-route", on_route_app),
        Contender::new("larder-route-metrics", on_route_app).recorded(),
        Contender::new("larder-router", around_app),
        Contender::new("larder-router-metrics", around_app).recorded(),
        Contender::new("larder-304", on_route_app).of(Kind::NotModified),
        Contender::new("larder-user", by_identity_app),
        Contender::new("larder-bounded", bounded_app),
        Contender::new("larder-cut-off", cut_off_app).of(Kind::Handler),
    ]
}

/// The layer as it comes, with everything on, and one tag.
fn layer() -> CacheLayer {
    Larder::in_memory(64 << 20).hot_cache("items").tag("items")
}

/// The layer on the route.
fn on_route(origin: &Origin) -> Router {
    Origin::mount(origin.route().layer(layer()))
}

/// The same layer around the whole router: `app(layer.layer(router))`, for `Router::layer` would still route first.
fn around_app(origin: &Origin) -> Box<dyn App> {
    // `axum::serve` takes axum's own body type, so an application does this too.
    let cached = layer().layer(origin.router());
    app(ServiceExt::<Request<Body>>::map_response(cached, |response| {
        response.map(Body::new)
    }))
}

fn on_route_app(origin: &Origin) -> Box<dyn App> {
    app(on_route(origin))
}

/// A layer by identity, with an identity that costs nothing to verify: what is left is Larder's own part.
fn by_identity_app(origin: &Origin) -> Box<dyn App> {
    let identify = |_: &Parts| std::future::ready(Some(Identity::new("ada")));
    let layer = Larder::in_memory(64 << 20)
        .user_cache("items", identify)
        .tag("items");
    app(Origin::mount(origin.route().layer(layer)))
}

/// Entries on a Redis server of its own, whose hits ask nobody while it is heard to tell of every change.
fn bounded_app(origin: &Origin) -> Box<dyn App> {
    let server = RedisServer::start();
    let builder = RedisStore::builder(server.url()).coherence(Coherence::Bounded(Duration::from_secs(1)));
    #[allow(clippy::expect_used, reason = "a benchmark ends with the first surprise")]
    let store = builder
        .budget(PATIENCE)
        .open()
        .expect("the URL of a server that was just started");
    let mut limits = Limits::default();
    limits.store_timeout = 2 * PATIENCE;
    let larder = Larder::builder(store.clone()).limits(limits).build();
    let layer = larder.hot_cache("items").tag("items");
    Box::new(Bounded {
        app: app(Origin::mount(origin.route().layer(layer))),
        origin: origin.clone(),
        store,
        server,
    })
}

/// Entries on a Redis server that is gone: each request goes to the handler.
fn cut_off_app(origin: &Origin) -> Box<dyn App> {
    let mut server = RedisServer::start();
    server.kill();
    #[allow(clippy::expect_used, reason = "a benchmark ends with the first surprise")]
    let store = RedisStore::builder(server.url())
        .open()
        .expect("the URL of a server that was just killed");
    let layer = Larder::new(store).hot_cache("items").tag("items");
    app(Origin::mount(origin.route().layer(layer)))
}

struct Bounded {
    app: Box<dyn App>,
    origin: Origin,
    store: RedisStore,
    server: RedisServer,
}

impl Bounded {
    /// What a hit must not move: how often the server was asked, and how often the handler ran.
    fn asked(&self) -> (String, u64) {
        let stats = self.server.cli(&["INFO", "commandstats"]);
        let line = stats.lines().find(|line| line.starts_with("cmdstat_mget:"));
        let asked = line.and_then(|line| line.split(',').next());
        (asked.unwrap_or_default().to_owned(), self.origin.calls())
    }
}

impl App for Bounded {
    fn ask<'a>(&'a self, count: u64, if_none_match: Option<&'a HeaderValue>) -> Boxed<'a, Batch> {
        Box::pin(async move {
            if count > 1 {
                return self.app.ask(count, if_none_match).await;
            }
            // To be warm here is more than to have the entry: the server must have been heard.
            for _ in 0..WARMING {
                let before = self.asked();
                let batch = self.app.ask(1, if_none_match).await;
                if self.asked() == before {
                    return batch;
                }
                self.store.flush().await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            panic!("`larder-bounded` asks the server at each hit");
        })
    }

    fn serve(&self, listener: TcpListener) -> Boxed<'static, std::io::Result<()>> {
        self.app.serve(listener)
    }
}
