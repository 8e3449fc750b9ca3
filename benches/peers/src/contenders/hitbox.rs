//! `hitbox` with its moka backend and the bincode format (its default, JSON, is two orders of magnitude slower).

use std::time::Duration;

use hitbox::{Config, policy::PolicyConfig};
use hitbox_backend::format::BincodeFormat;
use hitbox_http::{
    extractors::{Method, path::PathExtractor, query::QueryExtractor},
    predicates::{NeutralRequestPredicate, NeutralResponsePredicate},
};
use hitbox_moka::MokaBackend;
use hitbox_tower::Cache;

use crate::{
    app::{App, app},
    origin::{Origin, PATH},
};

pub(super) fn build(origin: &Origin) -> Box<dyn App> {
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
    let backend = MokaBackend::builder()
        .max_entries(1024)
        .value_format(BincodeFormat)
        .build();
    app(Origin::mount(
        origin
            .route()
            .layer(Cache::builder().backend(backend).config(config).build()),
    ))
}
