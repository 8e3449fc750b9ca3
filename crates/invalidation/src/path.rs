//! The parameters of a route's path, and the URI that the client sent.

use http::Uri;
use http::request::Parts;

use crate::parameters::Parameters;

/// The path parameters that axum's router found; none where there is no such router around.
#[cfg(feature = "axum")]
pub(crate) async fn parameters(parts: &mut Parts) -> Parameters {
    use axum::extract::{FromRequestParts, RawPathParams};

    match RawPathParams::from_request_parts(parts, &()).await {
        Ok(found) => found
            .iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        Err(_) => Parameters::new(),
    }
}

#[cfg(not(feature = "axum"))]
#[allow(clippy::unused_async, reason = "as the one that asks axum")]
pub(crate) async fn parameters(_: &mut Parts) -> Parameters {
    Parameters::new()
}

/// The URI that the client sent, where it is known: axum's `OriginalUri`, else the request's own.
pub(crate) fn client_uri(parts: &Parts) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(original) = parts.extensions.get::<axum::extract::OriginalUri>() {
        return &original.0;
    }
    &parts.uri
}
