//! What one would write in an afternoon: a tower layer of forty lines over `quick_cache`, on the route.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use http::Request;
use quick_cache::sync::Cache;
use tower::{Layer, Service};

use super::stored::{Stored, target};
use crate::{
    app::{App, app},
    origin::Origin,
};

type Store = Arc<Cache<String, Arc<Stored>>>;

pub(super) fn build(origin: &Origin) -> Box<dyn App> {
    let layer = QuickLayer(Arc::new(Cache::new(1024)));
    app(Origin::mount(origin.route().layer(layer)))
}

#[derive(Clone)]
struct QuickLayer(Store);

impl<S> Layer<S> for QuickLayer {
    type Service = Quick<S>;

    fn layer(&self, inner: S) -> Quick<S> {
        Quick {
            inner,
            store: self.0.clone(),
        }
    }
}

#[derive(Clone)]
struct Quick<S> {
    inner: S,
    store: Store,
}

impl<S> Service<Request<Body>> for Quick<S>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let key = target(&request).to_owned();
        if let Some(stored) = self.store.get(&key) {
            return Box::pin(std::future::ready(Ok(stored.response())));
        }
        let (fetch, store) = (self.inner.call(request), self.store.clone());
        Box::pin(async move {
            let stored = Arc::new(Stored::collect(fetch.await?).await);
            store.insert(key, stored.clone());
            Ok(stored.response())
        })
    }
}
