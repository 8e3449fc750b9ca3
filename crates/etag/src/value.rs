//! Field values as bytes: optional whitespace taken off, and visible bytes put into a header.

use bytes::Bytes;
use http::HeaderValue;

/// The value without the whitespace around it (`OWS`, RFC 9110 §5.6.3), which is never part of it (§5.5).
pub(crate) fn trim_ows(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// A header value of bytes that the caller has made of, or checked to be, visible characters and `obs-text`.
///
/// Every such byte is allowed in a header value (RFC 9110 §5.5). There is no honest value to fall back to:
/// two different tags with the same fallback text would compare equal. So this is the one place that would
/// panic.
pub(crate) fn visible(bytes: Bytes) -> HeaderValue {
    match HeaderValue::from_maybe_shared(bytes) {
        Ok(value) => value,
        Err(_) => unreachable!("a control character in a checked header value"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_spaces_and_tabs_around_the_value_are_taken_off() {
        assert_eq!(trim_ows(b" \ta b\t "), b"a b");
        assert_eq!(trim_ows(b" \t"), b"");
        assert_eq!(trim_ows(b"\x0ba\x0c"), b"\x0ba\x0c");
    }

    #[test]
    fn every_byte_of_a_tag_is_allowed_in_a_header() {
        let all: Vec<u8> = (0x20..=0xff).filter(|byte| *byte != 0x7f).collect();
        assert_eq!(visible(Bytes::from(all.clone())).as_bytes(), all);
    }
}
