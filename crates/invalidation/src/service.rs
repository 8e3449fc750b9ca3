//! The service: hands the request on, and forgets before the answer leaves.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use larder_store::ReadToken;
use tokio::time::timeout;
use tower_service::Service;

use crate::future::ResponseFuture;
use crate::named::Target;
use crate::parameters::Parameters;
use crate::path;
use crate::pending::Pending;
use crate::settings::Settings;

const X_INVALIDATION: HeaderName = HeaderName::from_static("x-invalidation");

/// A service that forgets what its requests change; made by an [`InvalidateLayer`](crate::InvalidateLayer).
#[derive(Clone)]
pub struct Invalidate<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> Invalidate<S> {
    pub(crate) const fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings }
    }
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for Invalidate<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    ReqB: Send + 'static,
    ResB: Send + 'static,
{
    type Response = Response<ResB>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResB, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        if is_safe(request.method()) {
            return ResponseFuture::passed(self.inner.call(request));
        }
        // The service that was made ready goes with the request; its clone, which was not, stays and will be asked.
        let clone = self.inner.clone();
        let service = std::mem::replace(&mut self.inner, clone);
        ResponseFuture::watched(answer(Arc::clone(&self.settings), service, request))
    }
}

async fn answer<S, ReqB, ResB>(
    settings: Arc<Settings>,
    mut service: S,
    request: Request<ReqB>,
) -> Result<Response<ResB>, S::Error>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
{
    let (mut parts, body) = request.into_parts();
    let parameters = parameters(&settings, &mut parts).await;
    let target = Target::of(&parts);
    let request = Request::from_parts(parts, body);
    // Only from here on may something change: a client that goes away before is no mutation.
    let mut pending = Pending::new(Arc::clone(&settings), parameters, target);
    let mut response = match service.call(request).await {
        Ok(response) => response,
        Err(error) => {
            // It may have reached its handler. That this fails can be told to nobody but the log.
            let _ = pending.forget().await;
            return Err(error);
        }
    };
    let reported = response.extensions_mut().remove::<Parameters>();
    pending.answered(response.status(), response.headers(), reported);
    let changed = pending.may_have_changed();
    let forgotten = pending.forget().await;
    if let Some(lasts) = settings.read_token
        && changed
    {
        let cookie = ReadToken::after(&forgotten).set_cookie(lasts);
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    if let Err(failed) = forgotten {
        let value = HeaderValue::from_static(failed.header());
        response.headers_mut().insert(X_INVALIDATION, value);
        if settings.fail_answers {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
    }
    Ok(response)
}

/// How long a source may look for its value.
const SOURCE_LIMIT: Duration = Duration::from_secs(5);

/// The values that the request has, those of sources before those of the path.
async fn parameters(settings: &Settings, parts: &mut Parts) -> Parameters {
    if settings.rules.is_empty() {
        return Parameters::new();
    }
    let mut parameters = path::parameters(parts).await;
    for (name, source) in &settings.sources {
        if let Ok(Some(value)) = timeout(SOURCE_LIMIT, source.find(parts)).await {
            parameters.set(name.clone(), value);
        }
    }
    parameters
}

/// The methods that change nothing (RFC 9110 §9.2.1, and the registry of methods); a method that is not known may.
fn is_safe(method: &Method) -> bool {
    matches!(
        method.as_str(),
        "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PROPFIND" | "REPORT" | "SEARCH" | "QUERY"
    )
}

impl<S: fmt::Debug> fmt::Debug for Invalidate<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invalidate")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
