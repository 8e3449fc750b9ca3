//! `http-cache-tower-server` with its moka manager and the query in the key.

use axum::error_handling::HandleErrorLayer;
use http::StatusCode;
use http_cache::MokaManager;
use http_cache_tower_server::{QueryKeyer, ServerCacheLayer};
use tower::{BoxError, ServiceBuilder};

use crate::{
    app::{App, app},
    origin::Origin,
};

pub(super) fn build(origin: &Origin) -> Box<dyn App> {
    let stack = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(async |_: BoxError| {
            StatusCode::INTERNAL_SERVER_ERROR
        }))
        .layer(ServerCacheLayer::with_keyer(MokaManager::default(), QueryKeyer));
    app(Origin::mount(origin.route().layer(stack)))
}
