//! The memory of a request as an axum extractor.

use std::fmt;

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::memo::Memo;

impl<S: Sync> FromRequestParts<S> for Memo {
    type Rejection = NoMemo;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoMemo> {
        parts.extensions.get::<Self>().cloned().ok_or(NoMemo(()))
    }
}

/// There is no memory: no [`MemoLayer`](crate::MemoLayer) lies around the handler. A 500, for it is the program's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMemo(());

impl fmt::Display for NoMemo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a handler takes a Memo, and no MemoLayer lies around it")
    }
}

impl std::error::Error for NoMemo {}

impl IntoResponse for NoMemo {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, format!("{self}\n")).into_response()
    }
}
