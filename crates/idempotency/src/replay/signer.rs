//! The client's side: signs requests.

use std::error::Error;
use std::fmt;

use http::header::HeaderValue;
use http::{HeaderMap, Method, Request, Uri};
use larder_store::Clock;

use super::canonical::{Canonical, SignedHeaders, host_sent};
use super::signature::{Repeated, Signature};
use super::signing_key::SigningKey;
use crate::digest::Hex;
use crate::entropy::random;

/// Signs requests with one key. See [what is signed](super#what-is-signed).
#[derive(Debug, Clone)]
pub struct Signer {
    key: SigningKey,
    clock: Clock,
}

impl Signer {
    /// Signs with `key`, by the machine's clock.
    #[must_use]
    pub fn new(key: SigningKey) -> Self {
        Self {
            key,
            clock: Clock::system(),
        }
    }

    /// Another clock, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Signs a request with this body, in its headers: with the time now and a new nonce. An old signature is replaced.
    ///
    /// Call it last, when method, URI, `Host`, `Content-Type` and `Idempotency-Key` are as they will be sent.
    ///
    /// # Errors
    ///
    /// When `Host`, `Content-Type` or `Idempotency-Key` is there twice.
    pub fn sign<B>(&self, request: &mut Request<B>, body: &[u8]) -> Result<(), SignError> {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        self.sign_headers(&method, &uri, request.headers_mut(), body)
    }

    pub(super) fn sign_headers(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &mut HeaderMap,
        body: &[u8],
    ) -> Result<(), SignError> {
        let timestamp = self.clock.now().as_millis() / 1000;
        let nonce = Hex(&random::<16>()).to_string();
        let signature = self.signature(method, uri, headers, body, timestamp, nonce)?;
        for (name, value) in signature.lines() {
            let value = HeaderValue::try_from(value).map_err(|_| SignError(()))?;
            headers.insert(name, value);
        }
        Ok(())
    }

    pub(super) fn signature(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
        timestamp: u64,
        nonce: String,
    ) -> Result<Signature, SignError> {
        let host = host_sent(uri, headers)?;
        let canonical = Canonical {
            key_id: self.key.id(),
            method,
            host: host.as_deref(),
            target: uri.path_and_query().map_or("/", |target| target.as_str()),
            timestamp,
            nonce: &nonce,
            signed: SignedHeaders::of(headers)?,
        };
        let mac = self.key.sign(&canonical.text(body));
        Ok(Signature {
            key_id: self.key.id().to_owned(),
            timestamp,
            nonce,
            mac,
        })
    }
}

/// A request cannot be signed: `Host`, `Content-Type` or `Idempotency-Key` is there twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignError(());

impl From<Repeated> for SignError {
    fn from(_: Repeated) -> Self {
        Self(())
    }
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request with two lines of Host, Content-Type or Idempotency-Key cannot be signed")
    }
}

impl Error for SignError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one in the documentation: other implementations are held to it.
    #[test]
    fn the_vector_holds() {
        let request = Request::post("/payments?draft=1")
            .header("host", "API.example.com:443")
            .header("content-type", "application/json")
            .header("idempotency-key", "\"order-7\"")
            .body(())
            .unwrap();
        let (parts, ()) = request.into_parts();
        let signer = Signer::new(SigningKey::new("k1", b"0123456789abcdef0123456789abcdef").unwrap());
        let nonce = "000102030405060708090a0b0c0d0e0f".to_owned();
        let signature = signer.signature(
            &parts.method,
            &parts.uri,
            &parts.headers,
            b"{\"amount\":5}",
            1_700_000_000,
            nonce,
        );
        let mac = Hex(&signature.unwrap().mac).to_string();
        assert_eq!(mac, VECTOR);
        let docs = include_str!("../replay.rs");
        assert!(
            docs.contains(&format!("v1={VECTOR}")),
            "the documentation has another vector"
        );
    }

    const VECTOR: &str = "f8a6007b11a828f8d08ee431a9c02868adf84adcc255c026ea2f469f4d3d15e9";
}
