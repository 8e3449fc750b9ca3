//! The headers of a signature.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::signing_key::is_id;
use crate::digest::{Hex, from_hex};

pub(super) const KEY_ID: HeaderName = HeaderName::from_static("larder-key-id");
pub(super) const TIMESTAMP: HeaderName = HeaderName::from_static("larder-timestamp");
pub(super) const NONCE: HeaderName = HeaderName::from_static("larder-nonce");
pub(super) const SIGNATURE: HeaderName = HeaderName::from_static("larder-signature");

const VERSION: &[u8] = b"v1=";

/// A signature as it stands in headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) key_id: String,
    /// Seconds since 1970.
    pub(super) timestamp: u64,
    pub(super) nonce: String,
    pub(super) mac: [u8; 32],
}

/// Why there is no signature to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoSignature {
    Missing,
    Malformed,
}

/// A header was there twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repeated;

/// The one line of a header.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, Repeated> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next().map(HeaderValue::as_bytes);
    if lines.next().is_some() {
        return Err(Repeated);
    }
    Ok(line)
}

impl Signature {
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, NoSignature> {
        let all = [KEY_ID, TIMESTAMP, NONCE, SIGNATURE];
        if all.iter().all(|name| !headers.contains_key(name)) {
            return Err(NoSignature::Missing);
        }
        Self::parts(headers).ok_or(NoSignature::Malformed)
    }

    fn parts(headers: &HeaderMap) -> Option<Self> {
        let line = |name| only(headers, &name).ok().flatten();
        let key_id = line(KEY_ID).filter(|id| is_id(id))?;
        let timestamp = line(TIMESTAMP).filter(|digits| is_timestamp(digits))?;
        let nonce = line(NONCE).filter(|nonce| is_nonce(nonce))?;
        Some(Self {
            key_id: str::from_utf8(key_id).ok()?.to_owned(),
            timestamp: str::from_utf8(timestamp).ok()?.parse().ok()?,
            nonce: str::from_utf8(nonce).ok()?.to_owned(),
            mac: from_hex(line(SIGNATURE)?.strip_prefix(VERSION)?)?,
        })
    }

    /// The lines. All of what is in them is visible ASCII.
    pub(super) fn lines(&self) -> [(HeaderName, String); 4] {
        [
            (KEY_ID, self.key_id.clone()),
            (TIMESTAMP, self.timestamp.to_string()),
            (NONCE, self.nonce.clone()),
            (SIGNATURE, format!("v1={}", Hex(&self.mac))),
        ]
    }
}

/// Decimal digits without a zero before them, so that one time has one text.
fn is_timestamp(digits: &[u8]) -> bool {
    (1..=12).contains(&digits.len())
        && digits.iter().all(u8::is_ascii_digit)
        && (digits[0] != b'0' || digits.len() == 1)
}

fn is_nonce(nonce: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (16..=128).contains(&nonce.len()) && nonce.iter().all(fits)
}

/// What the reader promises for any four values: no panic, and what is read is written as the same.
#[cfg(any(test, fuzzing))]
pub(crate) fn check(values: [&[u8]; 4]) {
    let mut headers = HeaderMap::new();
    for (name, value) in [KEY_ID, TIMESTAMP, NONCE, SIGNATURE].into_iter().zip(values) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    if let Ok(signature) = Signature::read(&headers) {
        for ((_, written), read) in signature.lines().into_iter().zip(values) {
            assert_eq!(written.as_bytes(), read);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(signature: &Signature) -> HeaderMap {
        let lines = signature.lines().into_iter();
        lines
            .map(|(name, value)| (name, value.parse().unwrap()))
            .collect()
    }

    fn signature() -> Signature {
        Signature {
            key_id: "k1".into(),
            timestamp: 1_700_000_000,
            nonce: "0123456789abcdef".into(),
            mac: [0xab; 32],
        }
    }

    #[test]
    fn a_signature_is_read_as_it_is_written() {
        assert_eq!(Signature::read(&headers(&signature())), Ok(signature()));
    }

    #[test]
    fn anything_else_is_malformed() {
        assert_eq!(Signature::read(&HeaderMap::new()), Err(NoSignature::Missing));
        let hex = Hex(&[0xab; 32]).to_string();
        let bad = [
            (KEY_ID, String::new()),
            (KEY_ID, "a b".into()),
            (TIMESTAMP, "-1".into()),
            (TIMESTAMP, "01".into()),
            (TIMESTAMP, "1700000000.5".into()),
            (TIMESTAMP, "1700000000000".into()),
            (NONCE, "short".into()),
            (NONCE, "n".repeat(129)),
            (NONCE, "0123456789abcde:".into()),
            (SIGNATURE, hex.clone()),
            (SIGNATURE, format!("v2={hex}")),
            (SIGNATURE, format!("v1={}", hex.to_uppercase())),
            (SIGNATURE, format!("v1={hex}00")),
        ];
        for (name, value) in bad {
            let mut map = headers(&signature());
            map.insert(&name, value.parse().unwrap());
            assert_eq!(
                Signature::read(&map),
                Err(NoSignature::Malformed),
                "{name}: {value}"
            );
        }
        for name in [KEY_ID, TIMESTAMP, NONCE, SIGNATURE] {
            let mut map = headers(&signature());
            map.append(&name, map[&name].clone());
            assert_eq!(Signature::read(&map), Err(NoSignature::Malformed), "{name} twice");
            map.remove(&name);
            assert_eq!(Signature::read(&map), Err(NoSignature::Malformed), "no {name}");
        }
    }

    proptest! {
        #[test]
        fn any_values_are_read_without_panic(
            id in "[a-z.: ]{0,5}", time in "[0-9x]{0,14}", nonce in "[a-z-]{14,18}", mac in "(v1=)?[0-9a-f]{62,66}",
        ) {
            check([id.as_bytes(), time.as_bytes(), nonce.as_bytes(), mac.as_bytes()]);
        }
    }
}
