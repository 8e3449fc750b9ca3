//! Answers that say what is wrong: problem details (RFC 9457).

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A request that could not be done.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    title: &'static str,
}

impl Problem {
    pub(crate) const fn new(status: StatusCode, title: &'static str) -> Self {
        Self { status, title }
    }

    pub(crate) const fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "Say who you are: Authorization: Bearer USER",
        )
    }

    pub(crate) const fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is no such thing")
    }
}

/// What the database said is for the log.
impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        tracing::error!(%error, "the database failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "The database failed")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({ "status": self.status.as_u16(), "title": self.title }).to_string();
        (self.status, [(CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}
