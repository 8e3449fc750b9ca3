//! The multipart body: several ranges of one body in a 206 answer (RFC 9110 §14.6, §15.3.7.2).

use bytes::Bytes;
use http::HeaderValue;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::digest::hex;
use crate::range::{ByteRange, MAX_RANGES};
use crate::value::visible;

/// A body of the type `multipart/byteranges` (RFC 9110 §14.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multipart {
    /// The text between the parts, which occurs in none of them.
    pub boundary: String,
    /// The parts in the order given, each with its headers.
    pub body: Bytes,
}

impl Multipart {
    /// Makes the body of `ranges` of `body`, each part with the `Content-Type` the whole would have, if any
    /// (RFC 9110 §15.3.7.2).
    ///
    /// It is never longer than `body` by more than the headers of its parts: about 140 bytes and the content
    /// type, for each of at most [`MAX_RANGES`] parts. The same input makes the same bytes.
    ///
    /// `None` if a range ends beyond `body`, there are none or more than [`MAX_RANGES`] of them, or together
    /// they are longer than `body`; the ranges of [`evaluate_range`](crate::evaluate_range) for the length of
    /// `body` are none of this. It is `None` too if a body was made so that each boundary tried occurs in it.
    /// The answer is then the whole body.
    #[must_use]
    pub fn of(body: &Bytes, ranges: &[ByteRange], content_type: Option<&HeaderValue>) -> Option<Self> {
        if ranges.is_empty() || ranges.len() > MAX_RANGES {
            return None;
        }
        let parts = ranges
            .iter()
            .map(|range| range.slice(body))
            .collect::<Option<Vec<_>>>()?;
        let length = parts
            .iter()
            .try_fold(0usize, |sum, part| sum.checked_add(part.len()))?;
        if length > body.len() {
            return None;
        }
        let boundary = unused_boundary(&parts)?;
        let content_type = content_type.map(HeaderValue::as_bytes);
        let overhead = PART_OVERHEAD + content_type.map_or(0, <[u8]>::len);
        let mut out = Vec::with_capacity(length + overhead * parts.len() + PART_OVERHEAD);
        for (range, part) in ranges.iter().zip(&parts) {
            let content_range = range.content_range(body.len() as u64);
            push_all(&mut out, &[b"--", boundary.as_bytes(), b"\r\n"]);
            if let Some(content_type) = content_type {
                push_all(&mut out, &[b"Content-Type: ", content_type, b"\r\n"]);
            }
            push_all(
                &mut out,
                &[
                    b"Content-Range: ",
                    content_range.as_bytes(),
                    b"\r\n\r\n",
                    part,
                    b"\r\n",
                ],
            );
        }
        push_all(&mut out, &[b"--", boundary.as_bytes(), b"--\r\n"]);
        Some(Self {
            boundary,
            body: out.into(),
        })
    }

    /// The `Content-Type` of the 206 itself, which then has no `Content-Range` (RFC 9110 §14.6, §15.3.7.2).
    #[must_use]
    pub fn content_type(&self) -> HeaderValue {
        visible(Bytes::from(format!(
            "multipart/byteranges; boundary={}",
            self.boundary
        )))
    }
}

/// More than the boundary and the headers of a part take, without the content type: a capacity, not a limit.
const PART_OVERHEAD: usize = 140;

/// How many boundaries are tried: one is enough for a body that was not made against this very digest.
const TRIES: u64 = 4;

/// A boundary that occurs in no part. It comes of a digest of the parts, so a body can hardly hold its own,
/// and is looked for all the same: a part that held it would end early and could pass for other parts.
fn unused_boundary(parts: &[Bytes]) -> Option<String> {
    let candidates = (0..TRIES).map(|seed| {
        // The low half carries the seed and every part before on to the next.
        hex(parts.iter().fold(u128::from(seed), |digest, part| {
            xxh3_128_with_seed(part, digest as u64)
        }))
    });
    first_absent(candidates, parts)
}

fn first_absent(mut candidates: impl Iterator<Item = [u8; 32]>, parts: &[Bytes]) -> Option<String> {
    let free = candidates.find(|text| !parts.iter().any(|part| contains(part, text)))?;
    Some(free.iter().map(|digit| char::from(*digit)).collect())
}

/// Whether `text` is in `bytes`, by Horspool's search: it looks at about one byte in 32 and compares few.
fn contains(bytes: &[u8], text: &[u8; 32]) -> bool {
    let mut skip = [text.len(); 256];
    for (at, byte) in text[..text.len() - 1].iter().enumerate() {
        skip[usize::from(*byte)] = text.len() - 1 - at;
    }
    let mut at = 0;
    while let Some(window) = bytes.get(at..at + text.len()) {
        if window == text {
            return true;
        }
        at += skip[usize::from(window[text.len() - 1])];
    }
    false
}

fn push_all(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    for piece in pieces {
        out.extend_from_slice(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RangeOutcome, Validators, evaluate_range};
    use http::{HeaderMap, Method, header::RANGE};
    use proptest::prelude::*;

    fn ranges(set: &str, complete_length: usize) -> Vec<ByteRange> {
        let mut request = HeaderMap::new();
        request.insert(RANGE, HeaderValue::from_str(&format!("bytes={set}")).unwrap());
        match evaluate_range(
            &Method::GET,
            &request,
            complete_length as u64,
            &Validators::default(),
            None,
        ) {
            RangeOutcome::Partial(ranges) => ranges,
            other => panic!("{set}: {other:?}"),
        }
    }

    /// After the example of RFC 9110 §14.6.
    #[test]
    fn parts_are_written_with_their_headers() {
        let body = Bytes::from_static(b"0123456789");
        let pdf = HeaderValue::from_static("application/pdf");
        let made = Multipart::of(&body, &ranges("2-3,-1", 10), Some(&pdf)).unwrap();
        let mark = &made.boundary;
        let expected = format!(
            "--{mark}\r\nContent-Type: application/pdf\r\nContent-Range: bytes 2-3/10\r\n\r\n23\r\n\
             --{mark}\r\nContent-Type: application/pdf\r\nContent-Range: bytes 9-9/10\r\n\r\n9\r\n\
             --{mark}--\r\n"
        );
        assert_eq!(made.body, expected);
        assert_eq!(
            made.content_type(),
            format!("multipart/byteranges; boundary={mark}")
        );
        assert_eq!(
            Multipart::of(&body, &ranges("2-3,-1", 10), Some(&pdf)),
            Some(made)
        );
    }

    #[test]
    fn without_a_content_type_a_part_has_none() {
        let made = Multipart::of(&Bytes::from_static(b"0123"), &ranges("0-0,2-2", 4), None).unwrap();
        assert!(!made.body.windows(12).any(|window| window == b"Content-Type"));
    }

    #[test]
    fn ranges_that_do_not_fit_the_body_make_nothing() {
        let body = Bytes::from_static(b"0123");
        assert_eq!(Multipart::of(&body, &[], None), None);
        assert_eq!(
            Multipart::of(&body, &ranges("0-0,4-4", 5), None),
            None,
            "beyond the end"
        );
        assert_eq!(
            Multipart::of(&body, &[ranges("0-2", 4), ranges("0-2", 4)].concat(), None),
            None,
            "too long"
        );
        let many = Bytes::from(vec![0; 100]);
        assert_eq!(
            Multipart::of(&many, &ranges("0-0", 100).repeat(MAX_RANGES + 1), None),
            None
        );
    }

    #[test]
    fn a_boundary_in_a_part_is_found() {
        let text = hex(7);
        for at in 0..70 {
            let bytes = [&vec![b'0'; at][..], &text, &[b'1'; 3]].concat();
            assert!(contains(&bytes, &text), "{at}");
            assert!(!contains(&bytes[..at + 31], &text), "{at}");
        }
        assert!(!contains(b"", &text));
    }

    #[test]
    fn a_boundary_that_occurs_is_not_taken() {
        let parts = [
            Bytes::from_static(b"x"),
            Bytes::from([&b"a"[..], &hex(1), b"b", &hex(2)].concat()),
        ];
        let taken = |candidates: &[u128]| first_absent(candidates.iter().map(|number| hex(*number)), &parts);
        assert_eq!(taken(&[1, 2, 3]), Some(format!("{:032x}", 3)));
        assert_eq!(taken(&[1, 2]), None);
    }

    proptest! {
        #[test]
        fn search_equals_the_slow_oracle(
            text in "[0-1]{32}", before in "[0-1]{0,40}",
            after in "[0-1]{0,40}", cut in 0usize..32,
        ) {
            let text: [u8; 32] = text.into_bytes().try_into().unwrap();
            for middle in [&text[..], &text[..cut]] {
                let bytes = [before.as_bytes(), middle, after.as_bytes()].concat();
                prop_assert_eq!(contains(&bytes, &text), bytes.windows(32).any(|window| window == text));
            }
        }

        /// Reads the body back by the boundary alone.
        #[test]
        fn parts_are_the_bytes_asked_for(
            body in proptest::collection::vec(any::<u8>(), 60..200),
            starts in proptest::collection::btree_set(0usize..20, 1..MAX_RANGES), width in 1usize..4,
            content_type in proptest::option::of("[a-z]{1,20}/[a-z]{1,20}"),
        ) {
            let body = Bytes::from(body);
            let wanted: Vec<_> = starts.iter().map(|start| (start * 3, start * 3 + width - 1)).collect();
            let set: Vec<_> = wanted.iter().map(|(first, last)| format!("{first}-{last}")).collect();
            let content_type = content_type.map(|text| HeaderValue::from_str(&text).unwrap());
            let ranges = ranges(&set.join(","), body.len());
            let made = Multipart::of(&body, &ranges, content_type.as_ref()).unwrap();

            let overhead = PART_OVERHEAD + content_type.as_ref().map_or(0, HeaderValue::len);
            prop_assert!(made.body.len() <= body.len() + overhead * wanted.len() + PART_OVERHEAD);

            let mark = format!("--{}", made.boundary);
            let places: Vec<usize> =
                (0..made.body.len()).filter(|at| made.body[*at..].starts_with(mark.as_bytes())).collect();
            prop_assert_eq!(places.len(), wanted.len() + 1);
            let end = format!("{mark}--\r\n");
            prop_assert_eq!(&made.body[places[wanted.len()]..], end.as_bytes());
            for (ends, (first, last)) in places.windows(2).zip(wanted) {
                let part = &made.body[ends[0]..ends[1]];
                let head = part.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
                let range = format!("\r\nContent-Range: bytes {first}-{last}/{}", body.len());
                prop_assert!(part[..head].ends_with(range.as_bytes()));
                prop_assert_eq!(&part[head + 4..part.len() - 2], &body[first..=last]);
            }
        }
    }
}
