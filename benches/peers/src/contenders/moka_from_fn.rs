//! What most applications write: `middleware::from_fn` over a `moka` cache.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use moka::sync::Cache;

use super::stored::{Stored, target};
use crate::{
    app::{App, app},
    origin::Origin,
};

type Store = Cache<String, Arc<Stored>>;

pub(super) fn build(origin: &Origin) -> Box<dyn App> {
    app(Origin::mount(
        origin.route().layer(from_fn_with_state(Store::new(1024), cached)),
    ))
}

async fn cached(State(store): State<Store>, request: Request, next: Next) -> Response {
    let key = target(&request).to_owned();
    if let Some(stored) = store.get(&key) {
        return stored.response();
    }
    let stored = Arc::new(Stored::collect(next.run(request).await).await);
    store.insert(key, stored.clone());
    stored.response()
}
