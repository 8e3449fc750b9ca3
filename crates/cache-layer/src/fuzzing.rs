//! What the fuzz targets call: each takes any bytes, and panics where a promise of this crate does not hold.
//!
//! An input is the lines of a field, or what each target says; bytes that cannot stand in a header are left out.

#[cfg(test)]
#[path = "../../../fuzz/corpus.rs"]
mod corpus;
mod directives;
mod keys;
mod location;
mod structured;
mod times;

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

pub use directives::{cache_control, request_directives};
pub use keys::{negotiation, query_key, vary};
pub use location::location;
pub use structured::{no_vary_search, structured_fields};
pub use times::{age, expires};

/// The longest time that a header gives (RFC 9111 §1.2.2).
const LONGEST: Duration = Duration::from_secs(1 << 31);

/// The lines of the input that can stand in a header.
fn lines(data: &[u8]) -> Vec<HeaderValue> {
    let lines = data.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| HeaderValue::from_bytes(line).ok())
        .collect()
}

/// A value of text that was printed here.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|e| panic!("{text:?}: {e}"))
}

fn with_field(name: &HeaderName, lines: &[HeaderValue]) -> HeaderMap {
    lines.iter().map(|line| (name.clone(), line.clone())).collect()
}

/// The bytes as they stand in a quoted string (RFC 9110 §5.6.4).
fn escaped(bytes: &[u8]) -> Vec<u8> {
    let pairs = bytes.iter().flat_map(|byte| match byte {
        b'"' | b'\\' => [Some(b'\\'), Some(*byte)],
        _ => [None, Some(*byte)],
    });
    pairs.flatten().collect()
}

/// A part of a query as a form decoder reads it, found in another way than the crate finds it.
fn decoded(part: &str) -> String {
    percent_encoding::percent_decode_str(&part.replace('+', "%20"))
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_holds() {
        corpus::run("age", age);
        corpus::run("cache_control", cache_control);
        corpus::run("expires", expires);
        corpus::run("location", location);
        corpus::run("negotiation", negotiation);
        corpus::run("no_vary_search", no_vary_search);
        corpus::run("query_key", query_key);
        corpus::run("request_directives", request_directives);
        corpus::run("structured_fields", structured_fields);
        corpus::run("vary", vary);
    }
}
