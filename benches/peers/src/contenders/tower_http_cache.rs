//! `tower-http-cache` in memory and on Redis; axum's body is not `Sync`, so the response needs an adapter (used on a miss only).

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, error_handling::HandleErrorLayer, response::Response};
use bytes::Bytes;
use http::StatusCode;
use http_body::{Body as _, Frame, SizeHint};
use pin_project_lite::pin_project;
use sync_wrapper::SyncWrapper;
use tower::{BoxError, ServiceBuilder};
use tower_http_cache::backend::{CacheBackend, redis::RedisBackend};
use tower_http_cache::prelude::{CacheLayer, InMemoryBackend};

use crate::{
    Outcome,
    app::{App, app},
    origin::Origin,
};

pub(super) fn build(origin: &Origin) -> Box<dyn App> {
    over(origin, InMemoryBackend::new(1024))
}

pub(super) async fn on_redis(origin: &Origin, url: &str) -> Outcome<Box<dyn App>> {
    let connection = redis::Client::open(url)?.get_connection_manager().await?;
    Ok(over(origin, RedisBackend::new(connection)))
}

fn over(origin: &Origin, backend: impl CacheBackend) -> Box<dyn App> {
    let cache = CacheLayer::builder(backend)
        .ttl(Duration::from_secs(3600))
        .build();
    let stack = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(async |_: BoxError| {
            StatusCode::INTERNAL_SERVER_ERROR
        }))
        .layer(cache)
        .map_response(|response: Response| response.map(SyncBody::new));
    app(Origin::mount(origin.route().layer(stack)))
}

pin_project! {
    struct SyncBody {
        #[pin]
        body: SyncWrapper<Body>,
        // Asked for through `&self`, where the wrapped body is out of reach; without it nothing is cached.
        hint: SizeHint,
    }
}

impl SyncBody {
    fn new(body: Body) -> Self {
        let hint = body.size_hint();
        Self {
            body: SyncWrapper::new(body),
            hint,
        }
    }
}

impl http_body::Body for SyncBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.project().body.get_pin_mut().poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}
