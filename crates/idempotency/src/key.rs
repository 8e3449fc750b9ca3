//! The idempotency key of a request: read from its header, and made into the key of a record.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use http::request::Parts;
use sfv::{BareItem, Item, Parser};

use crate::digest;
use crate::records::{Fingerprint, RecordKey};

/// The header, `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header).
pub(crate) const HEADER: &str = "idempotency-key";

/// The longest key, in characters: that of Stripe.
const MAX: usize = 255;

/// The key that a client chose for an operation, to send again with each retry of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Arc<str>);

/// Why a request has no key that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoKey {
    Missing,
    Invalid,
}

impl IdempotencyKey {
    /// The key of a request with these headers.
    ///
    /// The draft has it quoted, a String of RFC 9651 whose parameters mean nothing; most clients send it bare. Both are
    /// the same key. Bare are printable characters but space, comma and quotation mark: a proxy may have made one line of
    /// two keys.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, NoKey> {
        let mut lines = headers.get_all(HEADER).iter();
        let line = lines.next().ok_or(NoKey::Missing)?;
        if lines.next().is_some() {
            return Err(NoKey::Invalid);
        }
        let text = line.as_bytes().trim_ascii();
        let key = if text.first() == Some(&b'"') {
            quoted(text)
        } else {
            bare(text)
        };
        key.filter(|key| (1..=MAX).contains(&key.len()))
            .map(|key| Self(key.into()))
            .ok_or(NoKey::Invalid)
    }

    /// The key, without quotation marks. Printable ASCII, up to 255 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the record of this key. Clients cannot choose it: they do not know the principal's name.
    pub(crate) fn record(&self, principal: Option<&str>, method: &str, target: &str) -> RecordKey {
        let parts = digest::Parts::of("larder idempotency record 1")
            .with_optional(principal.map(str::as_bytes))
            .with(method.as_bytes())
            .with(target.as_bytes())
            .with(self.0.as_bytes());
        RecordKey::from_bytes(parts.end())
    }
}

/// What has to be the same in each retry.
pub(crate) fn fingerprint(parts: &Parts, target: &str, body: &[u8]) -> Fingerprint {
    let content_type = parts.headers.get(http::header::CONTENT_TYPE);
    let digest = digest::Parts::of("larder idempotency fingerprint 1")
        .with(parts.method.as_str().as_bytes())
        .with(target.as_bytes())
        .with_optional(content_type.map(http::HeaderValue::as_bytes))
        .with(body);
    Fingerprint::from_bytes(digest.end())
}

fn quoted(text: &[u8]) -> Option<String> {
    match Parser::new(text).parse::<Item>().ok()?.bare_item {
        BareItem::String(key) => Some(key.as_str().to_owned()),
        _ => None,
    }
}

fn bare(text: &[u8]) -> Option<String> {
    let fits = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b',' | b'"');
    let text = text.iter().all(fits).then_some(text)?;
    str::from_utf8(text).ok().map(str::to_owned)
}

/// Shows that there is one, not which: with it and a credential an answer is to be had.
impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(lines: &[&[u8]]) -> Result<String, NoKey> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(HEADER, HeaderValue::from_bytes(line).unwrap());
        }
        IdempotencyKey::read(&headers).map(|key| key.as_str().to_owned())
    }

    #[test]
    fn quoted_and_bare_are_one_key() {
        let uuid = "8e03978e-40d5-43dd-bc93-6894a57f9324";
        assert_eq!(read(&[uuid.as_bytes()]).as_deref(), Ok(uuid));
        assert_eq!(read(&[format!("\"{uuid}\"").as_bytes()]).as_deref(), Ok(uuid));
        assert_eq!(read(&[br#" "a \"b\\c";v=1 "#]).as_deref(), Ok(r#"a "b\c"#));
        assert_eq!(read(&[b"a;b"]).as_deref(), Ok("a;b"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert_eq!(read(&[]), Err(NoKey::Missing));
        let long = [b'k'; 256];
        let bad: [&[&[u8]]; 13] = [
            &[b""],
            &[b"\"\""],
            &[b"a b"],
            &[b"a,b"],
            &[b"a", b"a"],
            &[b"\"a"],
            &[b"a\""],
            &[b"\"a\", \"b\""],
            &[b"\"a\" b"],
            &["\u{e9}".as_bytes()],
            &["\"\u{e9}\"".as_bytes()],
            &[&long],
            &[b"\"a\\x\""],
        ];
        for lines in bad {
            assert_eq!(read(lines), Err(NoKey::Invalid), "{lines:?}");
        }
        assert_eq!(read(&[&long[1..]]).unwrap().len(), 255);
    }

    #[test]
    fn records_are_kept_apart_by_everything_in_the_scope() {
        let key = IdempotencyKey("k".into());
        let other = IdempotencyKey("l".into());
        let mut records = vec![
            key.record(Some("a"), "POST", "/"),
            key.record(Some("b"), "POST", "/"),
            key.record(Some(""), "POST", "/"),
            key.record(None, "POST", "/"),
            key.record(Some("a"), "PATCH", "/"),
            key.record(Some("a"), "POST", "/?"),
            other.record(Some("a"), "POST", "/"),
        ];
        records.sort_unstable();
        records.dedup();
        assert_eq!(records.len(), 7);
    }

    #[test]
    fn fingerprints_differ_with_type_and_body() {
        let parts = |content_type: Option<&str>| {
            let mut request = http::Request::post("/");
            if let Some(content_type) = content_type {
                request = request.header("content-type", content_type);
            }
            request.body(()).unwrap().into_parts().0
        };
        let json = fingerprint(&parts(Some("application/json")), "/", b"1");
        assert_eq!(json, fingerprint(&parts(Some("application/json")), "/", b"1"));
        assert_ne!(json, fingerprint(&parts(Some("application/json")), "/", b"2"));
        assert_ne!(json, fingerprint(&parts(Some("text/plain")), "/", b"1"));
        assert_ne!(json, fingerprint(&parts(None), "/", b"1"));
        assert_ne!(json, fingerprint(&parts(Some("application/json")), "/x", b"1"));
    }
}
