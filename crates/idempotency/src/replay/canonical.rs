//! The text that is signed: the same at both ends, and different for different requests.

use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName};
use http::{Method, Uri};
use sha2::{Digest, Sha256};

use super::signature::{Repeated, only};
use crate::digest::Hex;
use crate::key;

const VERSION: &str = "larder-v1";

/// What of a request is signed beside its body.
pub(super) struct Canonical<'a> {
    pub(super) key_id: &'a str,
    pub(super) method: &'a Method,
    pub(super) host: Option<&'a str>,
    pub(super) target: &'a str,
    pub(super) timestamp: u64,
    pub(super) nonce: &'a str,
    pub(super) signed: SignedHeaders<'a>,
}

/// The headers that are signed, where they are there.
#[derive(Debug, Clone, Copy)]
pub(super) struct SignedHeaders<'a> {
    content_type: Option<&'a [u8]>,
    idempotency_key: Option<&'a [u8]>,
}

impl<'a> SignedHeaders<'a> {
    /// Fails if one is there twice: who reads the request may take another of them than who signs it.
    pub(super) fn of(headers: &'a HeaderMap) -> Result<Self, Repeated> {
        Ok(Self {
            content_type: only(headers, &CONTENT_TYPE)?,
            idempotency_key: only(headers, &HeaderName::from_static(key::HEADER))?,
        })
    }
}

impl Canonical<'_> {
    /// The text for this body.
    pub(super) fn text(&self, body: &[u8]) -> Vec<u8> {
        let digest = Hex(&Sha256::digest(body)).to_string();
        let timestamp = self.timestamp.to_string();
        let mut text = Vec::with_capacity(256);
        for part in [
            Some(VERSION.as_bytes()),
            Some(self.key_id.as_bytes()),
            Some(self.method.as_str().as_bytes()),
            self.host.map(str::as_bytes),
            Some(self.target.as_bytes()),
            self.signed.content_type,
            Some(digest.as_bytes()),
            Some(timestamp.as_bytes()),
            Some(self.nonce.as_bytes()),
            self.signed.idempotency_key,
        ] {
            match part {
                None => text.push(b'-'),
                Some(part) => {
                    text.extend_from_slice(part.len().to_string().as_bytes());
                    text.push(b':');
                    text.extend_from_slice(part);
                }
            }
            text.push(b'\n');
        }
        text
    }
}

/// The host of a request that is sent: `Host` if it is there, else that of the URI. `Ok(None)` if there is neither.
pub(super) fn host_sent(uri: &Uri, headers: &HeaderMap) -> Result<Option<String>, Repeated> {
    Ok(match only(headers, &HOST)? {
        Some(host) => Some(normal_host(&String::from_utf8_lossy(host))),
        None => authority(uri),
    })
}

/// The host of a request that came: `Host` and that of the URI, which must agree where both are there.
pub(super) fn host_received(uri: &Uri, headers: &HeaderMap) -> Result<Option<String>, Repeated> {
    let sent = host_sent(uri, headers)?;
    match authority(uri) {
        Some(host) if sent.as_ref() != Some(&host) => Err(Repeated),
        _ => Ok(sent),
    }
}

/// In lower case, without the ports that a client may leave out or not.
pub(super) fn normal_host(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    let bare = host.strip_suffix(":443").or_else(|| host.strip_suffix(":80"));
    bare.map_or(host.clone(), str::to_owned)
}

fn authority(uri: &Uri) -> Option<String> {
    let authority = uri.authority()?;
    Some(match authority.port() {
        Some(port) => normal_host(&format!("{}:{port}", authority.host())),
        None => normal_host(authority.host()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let lines = lines.iter();
        lines
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn hosts_are_the_same_however_they_are_sent() {
        let absolute: Uri = "https://me@API.example.com:443/x".parse().unwrap();
        let relative = Uri::from_static("/x");
        let host = headers(&[("host", "api.Example.com")]);
        let name = Some("api.example.com".to_owned());
        assert_eq!(host_sent(&absolute, &HeaderMap::new()), Ok(name.clone()));
        assert_eq!(host_sent(&relative, &host), Ok(name.clone()));
        assert_eq!(host_received(&relative, &host), Ok(name.clone()));
        assert_eq!(host_received(&absolute, &host), Ok(name));
        assert_eq!(host_received(&relative, &HeaderMap::new()), Ok(None));
        let port = headers(&[("host", "api.example.com:8080")]);
        assert_eq!(
            host_received(&relative, &port),
            Ok(Some("api.example.com:8080".into()))
        );
        assert_eq!(host_received(&absolute, &port), Err(Repeated));
        let mut twice = host;
        twice.append(HOST, "other".parse().unwrap());
        assert_eq!(host_received(&relative, &twice), Err(Repeated));
    }
}
