//! Who may see the page and change what it shows.

use std::fmt;
use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use http::request::Parts;

/// Says who may use an [`Admin`](crate::Admin): it is asked for every request, those for the page's own files too.
///
/// A closure `|parts: &Parts| async { … }` is one, whose answer is a `bool` or an [`Access`]. One that takes longer than 5 s
/// is taken for a refusal.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say who may use the admin page",
    note = "a guard is a closure `|parts: &http::request::Parts| async {{ … }}` whose answer is a `bool` or an `Access`, or a `Token`"
)]
pub trait Guard: Clone + Send + Sync + 'static {
    /// Whether a request with this head may pass.
    fn check(&self, parts: &Parts) -> impl Future<Output = Access> + Send;
}

/// What a [`Guard`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// The request may pass.
    Granted,
    /// It may not: 403.
    Refused,
    /// Nobody knows who asks: 401 with this `WWW-Authenticate`.
    Challenge(HeaderValue),
}

impl From<bool> for Access {
    fn from(granted: bool) -> Self {
        if granted { Self::Granted } else { Self::Refused }
    }
}

impl<F, Fut> Guard for F
where
    F: Fn(&Parts) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: Into<Access>,
{
    async fn check(&self, parts: &Parts) -> Access {
        let answer = self(parts);
        answer.await.into()
    }
}

/// A guard that asks for a secret: as `Authorization: Bearer SECRET`, or as the password of Basic authentication, whatever
/// the user's name, for which browsers ask by themselves.
///
/// Serve it over TLS alone: either way the secret is in every request.
#[derive(Clone)]
pub struct Token(Arc<[u8]>);

impl Token {
    /// The shortest secret, in bytes.
    pub const SHORTEST: usize = 16;

    /// A guard that asks for `secret`; `None` where that has less than [16 bytes](Self::SHORTEST), which could be guessed.
    #[must_use]
    pub fn new(secret: impl AsRef<[u8]>) -> Option<Self> {
        let secret = secret.as_ref();
        (secret.len() >= Self::SHORTEST).then(|| Self(secret.into()))
    }

    fn is_in(&self, parts: &Parts) -> bool {
        let Some(value) = parts.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes) else {
            return false;
        };
        let Some(space) = value.iter().position(|byte| *byte == b' ') else {
            return false;
        };
        let (scheme, rest) = (&value[..space], value[space..].trim_ascii());
        if scheme.eq_ignore_ascii_case(b"bearer") {
            return self.is(rest);
        }
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return false;
        }
        let Ok(plain) = STANDARD.decode(rest) else {
            return false;
        };
        let colon = plain.iter().position(|byte| *byte == b':');
        colon.is_some_and(|colon| self.is(&plain[colon + 1..]))
    }

    /// Compares all bytes whatever the first ones are, so that the time tells nothing but the length.
    fn is(&self, other: &[u8]) -> bool {
        let same = self
            .0
            .iter()
            .zip(other)
            .fold(0, |seen, (a, b)| black_box(seen | (a ^ b)));
        self.0.len() == other.len() && same == 0
    }
}

impl Guard for Token {
    async fn check(&self, parts: &Parts) -> Access {
        if self.is_in(parts) {
            Access::Granted
        } else {
            Access::Challenge(HeaderValue::from_static(
                "Basic realm=\"larder\", charset=\"UTF-8\"",
            ))
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    #[test]
    fn the_secret_passes_as_bearer_and_as_password_and_nothing_else_does() {
        let token = Token::new("0123456789abcdef").unwrap();
        let is_in = |value: &str| {
            let request = Request::builder().header(AUTHORIZATION, value).body(()).unwrap();
            token.is_in(&request.into_parts().0)
        };
        let basic = |plain: &str| format!("Basic {}", STANDARD.encode(plain));
        assert!(is_in("Bearer 0123456789abcdef"));
        assert!(is_in("bearer  0123456789abcdef"));
        assert!(is_in(&basic("anyone:0123456789abcdef")));
        for wrong in [
            "0123456789abcdef",
            "Bearer",
            "Bearer ",
            "Bearer 0123456789abcdeX",
            "Bearer 0123456789abcdef0",
            "Bearer 0123456789abcde",
            "Digest 0123456789abcdef",
            "Basic ====",
            &basic("0123456789abcdef"),
            &basic("0123456789abcdef:"),
        ] {
            assert!(!is_in(wrong), "{wrong}");
        }
        assert!(Token::new("0123456789abcde").is_none(), "too short");
    }
}
