//! Why a request was refused, and the answer that says so (RFC 9457).

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};

use crate::body::Body;

/// What the types of problems begin with; the name of the variant follows.
const TYPE: &str = "https://docs.rs/larder-idempotency/latest/larder_idempotency/enum.Problem.html#variant.";

/// A reason for which a layer refuses a request.
///
/// The answer is `application/problem+json` (RFC 9457). Its `type` is the address of the variant on this page:
///
/// ```json
/// {
///   "type": "https://docs.rs/larder-idempotency/latest/larder_idempotency/enum.Problem.html#variant.KeyReused",
///   "title": "The idempotency key was used for another request",
///   "status": 422,
///   "detail": "A retry sends the same method, target, content type and body; another operation needs another key."
/// }
/// ```
///
/// An answer with it has the variant in its [extensions](http::Response::extensions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Problem {
    /// 400: the request has no `Idempotency-Key`. Send one, a UUID say, and the same with each retry.
    KeyMissing,
    /// 400: the `Idempotency-Key` is not one string of 1 to 255 printable ASCII characters, quoted or bare.
    KeyInvalid,
    /// 403: it is not known whose request it is, and keys are kept apart by principal.
    NoPrincipal,
    /// 413: the body is larger than the layer reads.
    BodyTooLarge,
    /// 400: the body ended with an error.
    BodyUnreadable,
    /// 422: the key was used for a request with another content type or body.
    KeyReused,
    /// 409 with `Retry-After`: the first request with this key is still running.
    InFlight,
    /// 409: the first request with this key was begun, and it is not known how far it came. It is not run again. Find out,
    /// and use a new key for a new operation.
    Indeterminate,
    /// 409: the first request with this key ran to its end, and its response was too large or too long to be kept. It is
    /// not run again. The member `original_status` has the status that it ended with.
    NotKept,
    /// 503 with `Retry-After`: too much is running. Nothing was begun.
    Overloaded,
    /// 503 with `Retry-After`: what is remembered cannot be asked. Nothing was begun.
    Unavailable,
    /// 504: the operation was begun and took too long, or the service is shutting down. It is not known how far it came.
    Stopped,
    /// 401: the request is not signed.
    SignatureMissing,
    /// 400: a header of the signature is not what it should be.
    SignatureMalformed,
    /// 401: the request was signed too long ago, or in the future; or before the server's memory of nonces began. Sign it
    /// again, by a clock that is right.
    SignatureOutdated,
    /// 401: the signature is not right, or was used before. Which of them is not said.
    SignatureRejected,
}

impl Problem {
    /// The word for it in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeyMissing => "missing_400",
            Self::KeyInvalid => "invalid_400",
            Self::NoPrincipal => "no_principal_403",
            Self::BodyTooLarge => "too_large_413",
            Self::BodyUnreadable => "unreadable_400",
            Self::KeyReused => "mismatch_422",
            Self::InFlight => "in_flight_409",
            Self::Indeterminate => "indeterminate_409",
            Self::NotKept => "not_kept_409",
            Self::Overloaded => "overloaded_503",
            Self::Unavailable => "store_error",
            Self::Stopped => "stopped_504",
            Self::SignatureMissing => "unsigned_401",
            Self::SignatureMalformed => "malformed_400",
            Self::SignatureOutdated => "outdated_401",
            Self::SignatureRejected => "rejected_401",
        }
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::KeyMissing | Self::KeyInvalid | Self::BodyUnreadable | Self::SignatureMalformed => {
                StatusCode::BAD_REQUEST
            }
            Self::NoPrincipal => StatusCode::FORBIDDEN,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::InFlight | Self::Indeterminate | Self::NotKept => StatusCode::CONFLICT,
            Self::Overloaded | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Stopped => StatusCode::GATEWAY_TIMEOUT,
            Self::SignatureMissing | Self::SignatureOutdated | Self::SignatureRejected => {
                StatusCode::UNAUTHORIZED
            }
        }
    }

    /// Its title and detail.
    const fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::KeyMissing => (
                "The request has no idempotency key",
                "Send a header Idempotency-Key with a string that is new for each operation, and the same for each retry of it.",
            ),
            Self::KeyInvalid => (
                "The idempotency key cannot be read",
                "Idempotency-Key is one string of 1 to 255 printable ASCII characters, quoted or bare.",
            ),
            Self::NoPrincipal => (
                "It is not known whose idempotency key it is",
                "The request has to be authenticated.",
            ),
            Self::BodyTooLarge => (
                "The body is too large",
                "The request was refused before anything was begun.",
            ),
            Self::BodyUnreadable => (
                "The body could not be read",
                "The request was refused before anything was begun.",
            ),
            Self::KeyReused => (
                "The idempotency key was used for another request",
                "A retry sends the same method, target, content type and body; another operation needs another key.",
            ),
            Self::InFlight => (
                "The first request with this idempotency key is still running",
                "Send the request again later, with the same key.",
            ),
            Self::Indeterminate => (
                "It is not known how the first request with this idempotency key ended",
                "It is not run again. Find out how far it came, and use a new key for a new operation.",
            ),
            Self::NotKept => (
                "The response of the first request with this idempotency key was not kept",
                "The request ran to its end and is not run again.",
            ),
            Self::Overloaded => (
                "Too many requests are running",
                "Nothing was begun. Send the request again later.",
            ),
            Self::Unavailable => (
                "It cannot be found out whether this request was made before",
                "Nothing was begun. Send the request again later.",
            ),
            Self::Stopped => (
                "The request took too long",
                "It was begun, and it is not known how far it came.",
            ),
            Self::SignatureMissing => (
                "The request is not signed",
                "Sign the request with Larder-Key-Id, Larder-Timestamp, Larder-Nonce and Larder-Signature.",
            ),
            Self::SignatureMalformed => (
                "The signature cannot be read",
                "A header of the signature is missing, is there twice, or is not what it should be.",
            ),
            Self::SignatureOutdated => (
                "The signature is not of this time",
                "Sign the request again, by a clock that is right.",
            ),
            Self::SignatureRejected => (
                "The signature is not accepted",
                "It has to be right, and each is accepted once.",
            ),
        }
    }

    /// The answer that says it.
    pub(crate) fn response<B: http_body::Body>(self) -> Response<Body<B>> {
        self.answer("")
    }

    /// The answer to a retry of what ended with `original`, and was not kept.
    pub(crate) fn not_kept<B: http_body::Body>(original: StatusCode) -> Response<Body<B>> {
        Self::NotKept.answer(&format!(",\"original_status\":{}", original.as_u16()))
    }

    /// `more` is JSON: further members, each after a comma. No text in it needs to be escaped.
    fn answer<B: http_body::Body>(self, more: &str) -> Response<Body<B>> {
        let (title, detail) = self.text();
        let status = self.status();
        let json = format!(
            "{{\"type\":\"{TYPE}{self:?}\",\"title\":\"{title}\",\"status\":{},\"detail\":\"{detail}\"{more}}}",
            status.as_u16()
        );
        let mut response = Response::new(Body::full(Bytes::from(json)));
        *response.status_mut() = status;
        response.extensions_mut().insert(self);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if matches!(self, Self::InFlight | Self::Overloaded | Self::Unavailable) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Larder-Signature"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full};

    #[tokio::test]
    async fn a_problem_is_json_with_its_type() {
        let response = Problem::not_kept::<Full<Bytes>>(StatusCode::CREATED);
        assert_eq!(response.status(), StatusCode::CONFLICT);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let expected = format!(
            "{{\"type\":\"{TYPE}NotKept\",\"title\":\"The response of the first request with this idempotency key was not \
             kept\",\"status\":409,\"detail\":\"The request ran to its end and is not run again.\",\"original_status\":201}}"
        );
        assert_eq!(body, expected);
    }
}
