//! Who asks.

use axum::extract::FromRequestParts;
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

    /// Whether this can be a user's name: up to 64 letters, digits, `-` and `_`.
    pub(crate) fn is_name(name: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=64).contains(&name.len()) && name.bytes().all(plain)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for User {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let token = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        match token.and_then(|token| token.strip_prefix("Bearer ")) {
            Some(name) if Self::is_name(name) => Ok(Self(name.to_owned())),
            _ => Err(Problem::unauthorized()),
        }
    }
}
