//! `hitbox` with its moka backend and the bincode format (its default, JSON, is two orders of magnitude slower), and with its
//! Redis backend, whose default that format is.

use std::time::Duration;

use hitbox::{Config, policy::PolicyConfig};
use hitbox_backend::{CacheBackend, format::BincodeFormat};
use hitbox_http::{
    extractors::{Method, path::PathExtractor, query::QueryExtractor},
    predicates::{NeutralRequestPredicate, NeutralResponsePredicate},
};
use hitbox_moka::MokaBackend;
use hitbox_redis::{ConnectionMode, RedisBackend};
use hitbox_tower::Cache;

use crate::{
    Outcome,
    app::{App, app},
    origin::{Origin, PATH},
};

pub(super) fn build(origin: &Origin) -> Box<dyn App> {
    let backend = MokaBackend::builder()
        .max_entries(1024)
        .value_format(BincodeFormat)
        .build();
    over(origin, backend)
}

pub(super) fn on_redis(origin: &Origin, url: &str) -> Outcome<Box<dyn App>> {
    let backend = RedisBackend::builder().connection(ConnectionMode::single(url));
    Ok(over(origin, backend.build()?))
}

fn over(origin: &Origin, backend: impl CacheBackend + Clone + Send + Sync + 'static) -> Box<dyn App> {
    let config = Config::builder()
        .request_predicate(NeutralRequestPredicate::new())
        .response_predicate(NeutralResponsePredicate::new())
        .extractor(
            Method::new()
                .path(PATH)
                .query("page".to_owned())
                .query("sort".to_owned()),
        )
        .policy(PolicyConfig::builder().ttl(Duration::from_secs(3600)).build())
        .build();
    app(Origin::mount(
        origin
            .route()
            .layer(Cache::builder().backend(backend).config(config).build()),
    ))
}
