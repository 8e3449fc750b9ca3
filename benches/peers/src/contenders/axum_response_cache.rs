//! `axum-response-cache` as its README shows it.

use std::time::Duration;

use axum_response_cache::CacheLayer;

use crate::{
    app::{App, app},
    origin::Origin,
};

pub(super) fn build(origin: &Origin) -> Box<dyn App> {
    app(Origin::mount(
        origin
            .route()
            .layer(CacheLayer::with_lifespan(Duration::from_secs(3600))),
    ))
}
