//! What the fuzz targets call: each takes any bytes, and panics where a promise of this crate does not hold.

#[cfg(test)]
#[path = "../../../fuzz/corpus.rs"]
mod corpus;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use crate::frame;
use crate::key::{self, IdempotencyKey};
use crate::records::RecordKey;
use crate::replay;
use crate::result::RunResult;

/// Results in their form of bytes: as they are, and with a head and a checksum that let the reader look at what is between.
pub fn idempotency_record(data: &[u8]) {
    let key = RecordKey::from_bytes([7; 32]);
    for bytes in [Bytes::copy_from_slice(data), frame::framed(&key, data)] {
        let Some(result) = RunResult::from_bytes(&key, &bytes) else {
            continue;
        };
        let again = result.to_bytes(&key);
        assert_eq!(
            RunResult::from_bytes(&key, &again),
            Some(result),
            "another result"
        );
        let other = RecordKey::from_bytes([8; 32]);
        assert_eq!(
            RunResult::from_bytes(&other, &bytes),
            None,
            "read for another key"
        );
    }
}

/// The headers of clients: an idempotency key, and the four lines of a signature.
pub fn idempotency_headers(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    if let Ok(value) = HeaderValue::from_bytes(line()) {
        let headers = HeaderMap::from_iter([(http::HeaderName::from_static(key::HEADER), value)]);
        if let Ok(key) = IdempotencyKey::read(&headers) {
            let text = key.as_str();
            assert!((1..=255).contains(&text.len()), "a key of {} bytes", text.len());
            assert!(text.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{text:?}");
        }
    }
    replay::check_signature([line(), line(), line(), line()]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_holds() {
        corpus::run("idempotency_record", idempotency_record);
        corpus::run("idempotency_headers", idempotency_headers);
    }
}
