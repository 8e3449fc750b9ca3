//! What every request passes: the guard, and for changes the proof that the page itself asks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN, REFERRER_POLICY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use tokio::time::timeout;

use crate::access::{Access, Guard};

/// A guard, whatever its type.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Check>);

type Check = dyn Fn(Parts) -> Pin<Box<dyn Future<Output = (Parts, Access)> + Send>> + Send + Sync;

/// How long a guard may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The header that a form of another site cannot send.
pub(crate) const ASKED_BY: HeaderName = HeaderName::from_static("x-larder-admin");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What an answer may load where it says nothing else: nothing.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

impl Gate {
    pub(crate) fn new(guard: impl Guard) -> Self {
        Self(Arc::new(move |parts| {
            let guard = guard.clone();
            Box::pin(async move {
                let access = guard.check(&parts).await;
                (parts, access)
            })
        }))
    }
}

/// Lets pass who may, and puts on every answer what keeps browsers from keeping, framing and guessing.
pub(crate) async fn guarded(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = match timeout(PATIENCE, (gate.0)(parts)).await {
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Ok((_, Access::Refused)) => StatusCode::FORBIDDEN.into_response(),
        Ok((_, Access::Challenge(how))) => {
            (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, how)]).into_response()
        }
        Ok((parts, Access::Granted)) => match forged(&parts) {
            Some(why) => (StatusCode::FORBIDDEN, why).into_response(),
            None => next.run(Request::from_parts(parts, body)).await,
        },
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(NOTHING);
    response
}

/// Why a change is not what the page itself asks for, if that is so: a browser sends what another site tells it to, with
/// the credentials of who uses it, but not these headers.
fn forged(parts: &Parts) -> Option<&'static str> {
    if [Method::GET, Method::HEAD].contains(&parts.method) {
        return None;
    }
    let headers = &parts.headers;
    if !headers.contains_key(ASKED_BY) {
        return Some("a change needs the header X-Larder-Admin");
    }
    if !is_json(headers) {
        return Some("a change is application/json");
    }
    if headers
        .get(SEC_FETCH_SITE)
        .is_some_and(|site| site != "same-origin")
    {
        return Some("a change comes from the page itself");
    }
    if headers
        .get_all(ORIGIN)
        .iter()
        .any(|origin| !is_own(origin, parts))
    {
        return Some("a change comes from the page itself");
    }
    None
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else {
        return false;
    };
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// Whether `origin` is the host that the request was sent to. The scheme is not known behind a proxy.
fn is_own(origin: &HeaderValue, parts: &Parts) -> bool {
    let origin: Option<Uri> = origin.to_str().ok().and_then(|origin| origin.parse().ok());
    let Some(origin) = origin.as_ref().and_then(Uri::authority) else {
        return false;
    };
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
    host.is_some_and(|host| host.eq_ignore_ascii_case(origin.as_str()))
}
