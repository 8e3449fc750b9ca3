//! Larder's own contenders: the one place to change when its layer changes.

use axum::{Router, body::Body};
use http::{Request, request::Parts};
use larder::{CacheLayer, Identity, Larder};
use tower::{Layer, ServiceExt};

use crate::{
    app::{App, app},
    contenders::{Contender, Kind},
    origin::Origin,
};

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
