//! From a request to the key of its entry.

use http::{HeaderMap, HeaderName, Request};
use larder_store::{IgnoredParameters, Key, KeyBuffer, KeyWriter, SearchVariance, VaryNames};
use xxhash_rust::xxh3::xxh3_64;

use crate::admit;
use crate::identity::Identity;
use crate::negotiation::normalised;
use crate::policy::Policy;
use crate::search;

/// A key in the making: on the stack as long as it is short, so that a hit allocates nothing for it.
pub(crate) struct KeyBytes {
    short: [u8; Self::SHORT],
    length: usize,
    /// All of it, once it is long.
    long: Vec<u8>,
}

impl KeyBytes {
    const SHORT: usize = 256;

    pub(crate) const fn new() -> Self {
        Self {
            short: [0; Self::SHORT],
            length: 0,
            long: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        if self.long.is_empty() {
            &self.short[..self.length]
        } else {
            &self.long
        }
    }

    #[cold]
    fn extend_long(&mut self, bytes: &[u8]) {
        if self.long.is_empty() {
            self.long.extend_from_slice(&self.short[..self.length]);
        }
        self.long.extend_from_slice(bytes);
    }
}

impl KeyBuffer for KeyBytes {
    #[inline]
    fn extend(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        match self.short.get_mut(self.length..end) {
            Some(room) if self.long.is_empty() => {
                room.copy_from_slice(bytes);
                self.length = end;
            }
            _ => self.extend_long(bytes),
        }
    }

    #[inline]
    fn extend_short(&mut self, head: [u8; 2], bytes: &[u8]) {
        let end = self.length + 2 + bytes.len();
        match self.short.get_mut(self.length..end) {
            Some([mark, length, room @ ..]) if self.long.is_empty() => {
                [*mark, *length] = head;
                room.copy_from_slice(bytes);
                self.length = end;
            }
            _ => {
                self.extend_long(&head);
                self.extend_long(bytes);
            }
        }
    }
}

/// The key of `request`: everything that the response may depend on, each part told apart from the next.
///
/// In this order: the layer's name and the names of its parts, the host (one part, wherever the request
/// names it), the client's URI, the URI as the layer sees it
/// if it is another (a nest strips its prefix), the values of the chosen headers, the application's own parts, and the
/// identity. The method is no part of it: what is stored answers GET and HEAD.
pub(crate) fn of_request<B>(request: &Request<B>, policy: &Policy, identity: Option<&Identity>) -> KeyBytes {
    let mut bytes = KeyBytes::new();
    let mut key = KeyWriter::new(&mut bytes);
    key.part(&policy.scope);
    let host = admit::host(request);
    match host {
        // Its case means nothing (RFC 9110 §4.2.3).
        Some(host) if policy.rules.normalise && host.iter().any(u8::is_ascii_uppercase) => {
            key.part(&host.to_ascii_lowercase());
        }
        _ => key.option(host),
    }
    target(&mut key, request, host, policy);
    for name in &policy.key_headers {
        key.header(request.headers(), name.as_str());
    }
    for part in &policy.key_parts {
        key.option(part(admit::view(request)).as_ref().map(String::as_bytes));
    }
    key.option(identity.map(|identity| identity.as_str().as_bytes()));
    bytes
}

/// The key under which it is kept that responses of this path answer several queries: that of `request` without any.
pub(crate) fn of_path<B>(request: &Request<B>, policy: &Policy, identity: Option<&Identity>) -> KeyBytes {
    let mut bytes = KeyBytes::new();
    let mut key = KeyWriter::new(&mut bytes);
    key.part(&policy.scope);
    // No host: `of_request` goes on with one, or with its absence.
    key.part(b"");
    key.part(b"searches");
    key.option(admit::host(request));
    for uri in [client_uri(request), request.uri()] {
        key.option(uri.scheme_str().map(str::as_bytes));
        key.part(uri.path().as_bytes());
    }
    for name in &policy.key_headers {
        key.header(request.headers(), name.as_str());
    }
    for part in &policy.key_parts {
        key.option(part(admit::view(request)).as_ref().map(String::as_bytes));
    }
    key.option(identity.map(|identity| identity.as_str().as_bytes()));
    bytes
}

/// The key of a response under `path` that answers all queries of which, by `variance`, the same is left.
pub(crate) fn of_search(path: &[u8], variance: &SearchVariance, query: Option<&str>) -> KeyBytes {
    let mut bytes = KeyBytes::new();
    bytes.extend(path);
    let mut key = KeyWriter::new(&mut bytes);
    // The rule first: under another one the same text is left of other queries.
    let (kind, names) = match &variance.ignored {
        IgnoredParameters::None => (b"none", &[][..]),
        IgnoredParameters::Only(names) => (b"only", &**names),
        IgnoredParameters::AllExcept(names) => (b"rest", &**names),
    };
    key.part(kind);
    names.iter().for_each(|name| key.part(name.as_bytes()));
    key.absent();
    key.part(&[u8::from(variance.unordered)]);
    key.part(search::canonical(variance, query).as_bytes());
    bytes
}

/// What all keys of a layer begin with: its name, how it reads headers, and which headers and how many own parts
/// follow. So no two layers read the bytes of one key in two ways, even where both were given the same name.
pub(crate) fn scope(policy: &Policy) -> Box<[u8]> {
    let mut bytes = Vec::new();
    let mut key = KeyWriter::new(&mut bytes);
    key.part(policy.name.as_bytes());
    if policy.rules.normalise {
        key.absent();
    }
    for name in &policy.key_headers {
        key.part(name.as_str().as_bytes());
    }
    key.part(policy.key_parts.len().to_string().as_bytes());
    bytes.into()
}

/// Both URIs: a handler sees the client's beside its own, whatever a layer around made of it.
fn target<B>(key: &mut KeyWriter<'_, KeyBytes>, request: &Request<B>, host: Option<&[u8]>, policy: &Policy) {
    let inner = request.uri();
    let outer = client_uri(request);
    uri(key, outer, host, policy);
    if std::ptr::eq(inner, outer) || inner == outer {
        key.absent();
    } else {
        key.part(b"");
        uri(key, inner, host, policy);
    }
}

/// A URI; the scheme is there in HTTP/2 and in the absolute form, and the authority only where it is not the host.
fn uri(key: &mut KeyWriter<'_, KeyBytes>, uri: &http::Uri, host: Option<&[u8]>, policy: &Policy) {
    key.option(uri.scheme_str().map(str::as_bytes));
    let authority = uri
        .authority()
        .map(|authority| authority.as_str().as_bytes())
        .filter(|authority| Some(*authority) != host);
    key.option(authority);
    key.part(uri.path().as_bytes());
    let query = uri.query().and_then(|query| policy.query.canonical(query).query);
    key.option(query.as_deref().map(str::as_bytes));
}

/// The URI that the client sent, where it is known: axum's `OriginalUri`, else the request's own.
pub(crate) fn client_uri<B>(request: &Request<B>) -> &http::Uri {
    #[cfg(feature = "axum")]
    if let Some(original) = request.extensions().get::<axum::extract::OriginalUri>() {
        return &original.0;
    }
    request.uri()
}

/// The key of one of the responses that vary by request headers: the key of all of them, and the headers' values.
pub(crate) fn of_variant(
    primary: &[u8],
    names: &VaryNames,
    headers: &HeaderMap,
    policy: &Policy,
) -> KeyBytes {
    let mut bytes = KeyBytes::new();
    bytes.extend(primary);
    let mut key = KeyWriter::new(&mut bytes);
    for name in names {
        key.part(name.as_str().as_bytes());
        if policy.rules.normalise {
            key.option(normalised(name, &mut headers.get_all(name).iter()).as_deref());
        } else {
            key.header(headers, name.as_str());
        }
    }
    bytes
}

/// The names in a response's `Vary` (RFC 9110 §12.5.5) that the key does not hold already: sorted, each once.
pub(crate) fn varied_by(headers: &HeaderMap, policy: &Policy) -> VaryNames {
    let mut names: Vec<HeaderName> = headers
        .get_all(http::header::VARY)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(|name| !policy.key_headers.contains(name))
        .collect();
    names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    names.dedup();
    names.into()
}

/// The hash by which keys are marked whose requests do not wait for each other.
pub(crate) fn loner_hash(primary: &Key) -> u64 {
    xxh3_64(primary.as_bytes())
}
