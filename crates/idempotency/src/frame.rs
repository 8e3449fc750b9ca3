//! The form of a result in bytes: versioned, bound to its record, with a checksum, and read with suspicion.
//!
//! ```text
//! "LRID" version=1 kind status:u16
//!   kind 0, a response:    { 1 name-length:u16 name value-length:u32 value }* 0 body
//!   kind 1, not kept:      reason:u8
//! checksum: the first 16 bytes of SHA-256 over the record's key and all before
//! ```
//!
//! Numbers are big-endian.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::digest::Parts;
use crate::records::RecordKey;
use crate::result::{KeptResponse, NotKeptReason, RunResult};

const MAGIC: &[u8; 5] = b"LRID\x01";
const CHECKSUM: usize = 16;

/// For those who write [`Records`](crate::Records) of their own.
impl RunResult {
    /// The result as bytes, which can be read for `key` alone.
    #[must_use]
    pub fn to_bytes(&self, key: &RecordKey) -> Bytes {
        let mut out = BytesMut::new();
        out.put_slice(MAGIC);
        match self {
            Self::Response(response) => {
                out.put_u8(0);
                out.put_u16(response.status.as_u16());
                put_headers(&mut out, &response.headers);
                out.put_slice(&response.body);
            }
            Self::NotKept { status, reason } => {
                out.put_u8(1);
                out.put_u16(status.as_u16());
                out.put_u8(*reason as u8);
            }
        }
        let checksum = checksum(key, &out);
        out.put_slice(&checksum);
        out.freeze()
    }

    /// What these bytes were made of. `None` if they were not made by [`to_bytes`](Self::to_bytes), or for another key, or
    /// are damaged. The body is not copied.
    #[must_use]
    pub fn from_bytes(key: &RecordKey, bytes: &Bytes) -> Option<Self> {
        let end = bytes.len().checked_sub(CHECKSUM)?;
        if bytes[end..] != checksum(key, &bytes[..end]) {
            return None;
        }
        let mut rest = bytes.slice(..end);
        if take(&mut rest, MAGIC.len())? != MAGIC[..] {
            return None;
        }
        let kind = rest.try_get_u8().ok()?;
        let status = StatusCode::from_u16(rest.try_get_u16().ok()?).ok()?;
        match kind {
            0 => Some(Self::Response(KeptResponse {
                status,
                headers: headers(&mut rest)?,
                body: rest,
            })),
            1 => {
                let word = rest.try_get_u8().ok()?;
                let reason = NotKeptReason::ALL
                    .into_iter()
                    .find(|reason| *reason as u8 == word)?;
                rest.is_empty().then_some(Self::NotKept { status, reason })
            }
            _ => None,
        }
    }
}

fn put_headers(out: &mut BytesMut, headers: &HeaderMap) {
    for (name, value) in headers {
        let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
        // `http` has no longer names, and a head that is kept is far below these limits.
        let (Ok(name_length), Ok(value_length)) = (u16::try_from(name.len()), u32::try_from(value.len()))
        else {
            continue;
        };
        out.put_u8(1);
        out.put_u16(name_length);
        out.put_slice(name);
        out.put_u32(value_length);
        out.put_slice(value);
    }
    out.put_u8(0);
}

fn headers(rest: &mut Bytes) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    loop {
        match rest.try_get_u8().ok()? {
            0 => return Some(headers),
            1 => {}
            _ => return None,
        }
        let length = rest.try_get_u16().ok()?;
        let name = HeaderName::from_bytes(&take(rest, length.into())?).ok()?;
        let length = rest.try_get_u32().ok()?;
        let value = take(rest, length.try_into().ok()?)?;
        headers
            .try_append(name, HeaderValue::from_maybe_shared(value).ok()?)
            .ok()?;
    }
}

/// The next `length` bytes, if there are so many.
fn take(rest: &mut Bytes, length: usize) -> Option<Bytes> {
    (length <= rest.len()).then(|| rest.split_to(length))
}

fn checksum(key: &RecordKey, bytes: &[u8]) -> [u8; CHECKSUM] {
    let digest = Parts::of("larder idempotency frame")
        .with(key.as_bytes())
        .with(bytes)
        .end();
    let mut checksum = [0; CHECKSUM];
    checksum.copy_from_slice(&digest[..CHECKSUM]);
    checksum
}

/// Bytes between a right head and a right checksum, so that the reader looks at them.
#[cfg(any(test, fuzzing))]
pub(crate) fn framed(key: &RecordKey, inner: &[u8]) -> Bytes {
    let mut out = BytesMut::from(&MAGIC[..]);
    out.put_slice(inner);
    let checksum = checksum(key, &out);
    out.put_slice(&checksum);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: RecordKey = RecordKey::from_bytes([7; 32]);

    fn response() -> RunResult {
        let mut headers = HeaderMap::new();
        headers.append("x-a", HeaderValue::from_static("1"));
        headers.append("x-a", HeaderValue::from_bytes(b"\xff").unwrap());
        headers.append("content-type", HeaderValue::from_static("text/plain"));
        RunResult::Response(KeptResponse {
            status: StatusCode::CREATED,
            headers,
            body: Bytes::from_static(b"jam"),
        })
    }

    #[test]
    fn results_are_read_as_they_were_written() {
        let mut results = vec![response()];
        results.extend(NotKeptReason::ALL.map(|reason| RunResult::NotKept {
            status: StatusCode::OK,
            reason,
        }));
        for result in results {
            assert_eq!(RunResult::from_bytes(&KEY, &result.to_bytes(&KEY)), Some(result));
        }
    }

    /// A change of the layout needs a new version: results of this one are in Redis.
    #[test]
    fn the_layout_is_that_of_version_1() {
        let text = crate::digest::Hex(&response().to_bytes(&KEY)).to_string();
        assert_eq!(text, LAYOUT);
    }

    const LAYOUT: &str = "4c524944010000c9010003782d610000000131010003782d6100000001ff01000c636f6e74656e742d74797065\
                          0000000a746578742f706c61696e006a616d4de64f335a3a0dd0f6f3ad25c4db39e7";

    #[test]
    fn what_is_damaged_or_anothers_is_nothing() {
        let bytes = response().to_bytes(&KEY);
        let other = RecordKey::from_bytes([8; 32]);
        assert_eq!(RunResult::from_bytes(&other, &bytes), None);
        for index in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[index] ^= 1;
            assert_eq!(RunResult::from_bytes(&KEY, &damaged.into()), None, "byte {index}");
            assert_eq!(
                RunResult::from_bytes(&KEY, &bytes.slice(..index)),
                None,
                "cut at {index}"
            );
        }
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert_eq!(RunResult::from_bytes(&KEY, &longer.into()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = RunResult::from_bytes(&KEY, &bytes.clone().into());
            let framed = framed(&KEY, &bytes);
            if let Some(result) = RunResult::from_bytes(&KEY, &framed) {
                prop_assert_eq!(RunResult::from_bytes(&KEY, &result.to_bytes(&KEY)), Some(result));
            }
        }

        #[test]
        fn any_response_goes_round(
            status in 100u16..1000,
            headers in proptest::collection::vec(("[a-z][a-z0-9-]{0,20}", "[ -~]{0,40}"), 0..12),
            body in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
            }
            let result = RunResult::Response(KeptResponse {
                status: StatusCode::from_u16(status).unwrap(),
                headers: map,
                body: body.into(),
            });
            prop_assert_eq!(RunResult::from_bytes(&KEY, &result.to_bytes(&KEY)), Some(result));
        }
    }
}
