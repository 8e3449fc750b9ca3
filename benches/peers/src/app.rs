//! A contender ready to be asked: its service behind one object, so that erasing its type costs a hit nothing.

use std::{convert::Infallible, future::Future, pin::Pin};

use axum::{body::Body, response::Response};
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tower::{Service, ServiceExt, make::Shared};

use crate::request::request;

/// A future behind a box; one for a whole batch of hits.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// What a batch of hits gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The status of the last response.
    pub status: StatusCode,
    /// The body bytes of all responses together.
    pub bytes: u64,
    /// The entity tag of the last response.
    pub etag: Option<HeaderValue>,
}

/// A service that can be asked in a loop and served over TCP.
pub trait App {
    /// Asks `count` times, drains each body, and adds up what came.
    fn ask<'a>(&'a self, count: u64, if_none_match: Option<&'a HeaderValue>) -> Boxed<'a, Batch>;

    /// Serves on `listener` until the process ends.
    fn serve(&self, listener: TcpListener) -> Boxed<'static, std::io::Result<()>>;
}

/// Puts a service behind [`App`].
pub fn app<S>(service: S) -> Box<dyn App>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    Box::new(Served(service))
}

struct Served<S>(S);

impl<S> App for Served<S>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    fn ask<'a>(&'a self, count: u64, if_none_match: Option<&'a HeaderValue>) -> Boxed<'a, Batch> {
        Box::pin(async move {
            let mut batch = Batch {
                status: StatusCode::OK,
                bytes: 0,
                etag: None,
            };
            let mut service = self.0.clone();
            for turn in 0..count {
                let Ok(ready) = service.ready().await;
                let Ok(response) = ready.call(request(if_none_match)).await;
                if turn + 1 == count {
                    batch.status = response.status();
                    batch.etag = response.headers().get(header::ETAG).cloned();
                }
                batch.bytes += drain(response).await;
            }
            batch
        })
    }

    fn serve(&self, listener: TcpListener) -> Boxed<'static, std::io::Result<()>> {
        let service = Shared::new(self.0.clone());
        Box::pin(async move { axum::serve(listener, service).await })
    }
}

/// The length of a body; a body that fails ends short and so fails the byte count.
async fn drain(response: Response) -> u64 {
    let mut body = response.into_body();
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
    bytes
}
