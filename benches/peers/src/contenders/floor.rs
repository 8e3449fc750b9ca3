//! The floor: a prebuilt response looked up by a borrowed key, in front of the whole router and without a boxed future.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{Router, body::Body, response::Response};
use http::Request;
use pin_project_lite::pin_project;
use quick_cache::sync::Cache;
use tower::{Service, ServiceExt};

use super::stored::{Stored, target};
use crate::{
    app::{App, app},
    origin::Origin,
};

type Answer = Result<Response, Infallible>;

pub(super) fn build(origin: &Origin) -> Box<dyn App> {
    app(Floor {
        inner: origin.router(),
        cache: Arc::new(Cache::new(1024)),
    })
}

#[derive(Clone)]
struct Floor {
    inner: Router,
    cache: Arc<Cache<Box<str>, Arc<Stored>>>,
}

impl Service<Request<Body>> for Floor {
    type Response = Response;
    type Error = Infallible;
    type Future = Reply;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Reply {
        let key = target(&request);
        if let Some(stored) = self.cache.get(key) {
            return Reply::Hit {
                ready: ready(Ok(stored.response())),
            };
        }
        let (key, inner, cache) = (Box::from(key), self.inner.clone(), self.cache.clone());
        Reply::Miss {
            fill: Box::pin(async move {
                let stored = Arc::new(Stored::collect(inner.oneshot(request).await?).await);
                cache.insert(key, stored.clone());
                Ok(stored.response())
            }),
        }
    }
}

pin_project! {
    #[project = ReplyProj]
    enum Reply {
        Hit { #[pin] ready: Ready<Answer> },
        Miss { fill: Pin<Box<dyn Future<Output = Answer> + Send>> },
    }
}

impl Future for Reply {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        match self.project() {
            ReplyProj::Hit { ready } => ready.poll(cx),
            ReplyProj::Miss { fill } => fill.as_mut().poll(cx),
        }
    }
}
