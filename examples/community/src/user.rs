//! Who asks.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use crate::problem::Problem;

/// The user of a request, verified: `Authorization: Bearer USER`. Here any short name is one; a service checks a session.
#[derive(Debug)]
pub(crate) struct User(String);

impl User {
    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// The user of a request with these headers.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let token = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let name = token.strip_prefix("Bearer ").filter(|name| Self::is_name(name))?;
        Some(Self(name.to_owned()))
    }

    /// Whether this can be a user's name: up to 64 letters, digits, `-` and `_`.
    pub(crate) fn is_name(name: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=64).contains(&name.len()) && name.bytes().all(plain)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for User {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(&parts.headers).ok_or_else(Problem::unauthorized)
    }
}
