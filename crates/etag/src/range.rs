//! The range of a request: which bytes of a body are asked for, and whether to send them (RFC 9110 §14).

use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue, IF_RANGE, RANGE};
use http::{HeaderName, Method};

use crate::date::HttpDate;
use crate::tag::EntityTag;
use crate::validators::Validators;
use crate::value::{trim_ows, visible};

/// The most ranges of one request that are served; a request for more gets the whole body (RFC 9110 §14.2,
/// §17.15).
pub const MAX_RANGES: usize = 16;

/// The bytes from one position to another, both included, that lie inside a body (RFC 9110 §14.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ByteRange {
    first: u64,
    last: u64,
}

impl ByteRange {
    /// The position of the first byte.
    #[must_use]
    pub const fn first(self) -> u64 {
        self.first
    }

    /// The position of the last byte, not before the first.
    #[must_use]
    pub const fn last(self) -> u64 {
        self.last
    }

    /// The number of bytes, at least one.
    #[must_use]
    pub const fn length(self) -> u64 {
        // The last position is less than the length of a body, so one more is no overflow.
        self.last - self.first + 1
    }

    /// These bytes of the body, shared and not copied, or `None` if it ends before the last.
    #[must_use]
    pub fn slice(self, body: &Bytes) -> Option<Bytes> {
        let first = usize::try_from(self.first).ok()?;
        let last = usize::try_from(self.last).ok()?;
        (last < body.len()).then(|| body.slice(first..=last))
    }

    /// The `Content-Range` of a 206 with this range only, or of its part (RFC 9110 §14.4).
    #[must_use]
    pub fn content_range(self, complete_length: u64) -> HeaderValue {
        visible(Bytes::from(format!(
            "bytes {}-{}/{complete_length}",
            self.first, self.last
        )))
    }

    fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// What is to be sent for a request that may have a `Range` (RFC 9110 §14.2).
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum RangeOutcome {
    /// The whole body, as if there were no `Range`.
    Full,
    /// A 206 (Partial Content): one to [`MAX_RANGES`] ranges, none overlapping, in the order asked for. One
    /// is sent with [`ByteRange::content_range`], several as [`Multipart`](crate::Multipart) (RFC 9110
    /// §15.3.7).
    Partial(Vec<ByteRange>),
    /// A 416 (Range Not Satisfiable), with [`unsatisfied_range`] (RFC 9110 §15.5.17).
    Unsatisfiable,
}

/// Evaluates `Range` and `If-Range` for a body of `complete_length` bytes, after the other conditions
/// (RFC 9110 §13.2.2, §14.2).
///
/// The question is for an answer that would be a 200. `date` is the `Date` the body was answered with;
/// without it no date in `If-Range` holds (§8.8.2.2).
///
/// [`RangeOutcome::Full`] is the answer to everything that a server must or may ignore: a method other than
/// GET; an unknown unit; a range that is not well formed, or ends before it begins; two `Range` lines; an
/// `If-Range` that does not hold; more than [`MAX_RANGES`] ranges, or any two that overlap, which no client
/// needs and an attacker multiplies a body with (§17.15). Some bytes of an empty body's end cannot be written
/// in a `Content-Range`, so they are the whole body too.
pub fn evaluate_range(
    method: &Method,
    request: &HeaderMap,
    complete_length: u64,
    validators: &Validators,
    date: Option<HttpDate>,
) -> RangeOutcome {
    let Some(range) = only_line(request, &RANGE) else {
        return RangeOutcome::Full;
    };
    if *method != Method::GET || !if_range_holds(request, validators, date) {
        return RangeOutcome::Full;
    }
    match byte_range_set(range.as_bytes()) {
        Some(set) => within(set, complete_length).unwrap_or(RangeOutcome::Full),
        None => RangeOutcome::Full,
    }
}

/// The `Content-Range` of a 416 (RFC 9110 §14.4, §15.5.17).
#[must_use]
pub fn unsatisfied_range(complete_length: u64) -> HeaderValue {
    visible(Bytes::from(format!("bytes */{complete_length}")))
}

/// One member of a set of ranges (RFC 9110 §14.1.1), a number too large to be held being the largest.
#[derive(Debug, Clone, Copy)]
enum Spec {
    /// `first-last` or `first-`.
    From { first: u64, last: Option<u64> },
    /// `-length`, the last bytes.
    Suffix { length: u64 },
}

impl Spec {
    /// `None` if the member is not well formed or ends before it begins (RFC 9110 §14.1.1).
    fn parse(member: &[u8]) -> Option<Self> {
        let dash = member.iter().position(|byte| *byte == b'-')?;
        match (&member[..dash], &member[dash + 1..]) {
            (b"", length) => Some(Self::Suffix {
                length: number(length)?,
            }),
            (first, b"") => Some(Self::From {
                first: number(first)?,
                last: None,
            }),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From {
                    first,
                    last: Some(last),
                })
            }
        }
    }

    /// The bytes of a body that is not empty, or `None` if it has none of them (RFC 9110 §14.1.2).
    fn within(self, complete_length: u64) -> Option<ByteRange> {
        let end = complete_length.checked_sub(1)?;
        match self {
            Self::From { first, last } => {
                let last = last.map_or(end, |last| last.min(end));
                (first <= end).then_some(ByteRange { first, last })
            }
            Self::Suffix { length: 0 } => None,
            Self::Suffix { length } => Some(ByteRange {
                first: complete_length.saturating_sub(length),
                last: end,
            }),
        }
    }
}

/// The ranges of the set, those outside the body left out; `None` if the set is to be ignored.
fn within(set: &[u8], complete_length: u64) -> Option<RangeOutcome> {
    let mut ranges: Vec<ByteRange> = Vec::new();
    let mut members = 0;
    for member in set
        .split(|byte| *byte == b',')
        .map(trim_ows)
        .filter(|member| !member.is_empty())
    {
        members += 1;
        let spec = Spec::parse(member).filter(|_| members <= MAX_RANGES)?;
        if complete_length == 0 && matches!(spec, Spec::Suffix { length: 1.. }) {
            return None;
        }
        let Some(range) = spec.within(complete_length) else {
            continue;
        };
        if ranges.iter().any(|other| range.overlaps(*other)) {
            return None;
        }
        ranges.push(range);
    }
    match (members, ranges.is_empty()) {
        (0, _) => None,
        (_, true) => Some(RangeOutcome::Unsatisfiable),
        (_, false) => Some(RangeOutcome::Partial(ranges)),
    }
}

/// What stands after `bytes=`; the name of a unit has no case (RFC 9110 §14.1).
fn byte_range_set(value: &[u8]) -> Option<&[u8]> {
    let (unit, set) = trim_ows(value).split_at_checked(b"bytes=".len())?;
    unit.eq_ignore_ascii_case(b"bytes=").then_some(set)
}

/// `1*DIGIT`, a number beyond `u64` being its largest: no body reaches as far.
fn number(digits: &[u8]) -> Option<u64> {
    let fold = |number: u64, digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        Some(number.saturating_mul(10).saturating_add(digit))
    };
    (!digits.is_empty()).then(|| digits.iter().try_fold(0, fold))?
}

/// Whether there is no `If-Range`, or it is exactly this representation (RFC 9110 §13.1.5).
fn if_range_holds(request: &HeaderMap, validators: &Validators, date: Option<HttpDate>) -> bool {
    if !request.contains_key(IF_RANGE) {
        return true;
    }
    let Some(line) = only_line(request, &IF_RANGE) else {
        return false;
    };
    if let Ok(tag) = EntityTag::from_header(line) {
        return validators.etag.as_ref().is_some_and(|etag| etag.strong_eq(&tag));
    }
    let (Ok(asked), Some(modified)) = (HttpDate::parse(line.as_bytes()), validators.last_modified) else {
        return false;
    };
    asked == modified && date.is_some_and(|date| is_strong(modified, date))
}

/// Whether a modification date is a strong validator: a second later the body was the same, so no second
/// change hides within the second it names (RFC 9110 §8.8.2.2).
fn is_strong(modified: HttpDate, date: HttpDate) -> bool {
    date.unix_seconds() - modified.unix_seconds() >= 1
}

/// The value of a field that stands there exactly once.
fn only_line<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next()?;
    lines.next().is_none().then_some(line)
}

#[cfg(test)]
mod tests {
    use super::RangeOutcome::{Full, Partial, Unsatisfiable};
    use super::*;
    use proptest::prelude::*;

    const MODIFIED: &str = "Sat, 29 Oct 1994 19:43:31 GMT";

    fn headers(lines: &[(HeaderName, &[u8])]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_bytes(value).unwrap()))
            .collect()
    }

    fn ask(range: &str, complete_length: u64) -> RangeOutcome {
        let request = headers(&[(RANGE, range.as_bytes())]);
        evaluate_range(
            &Method::GET,
            &request,
            complete_length,
            &Validators::default(),
            None,
        )
    }

    fn partial(ranges: &[(u64, u64)]) -> RangeOutcome {
        Partial(
            ranges
                .iter()
                .map(|&(first, last)| ByteRange { first, last })
                .collect(),
        )
    }

    /// RFC 9110 §14.1.2, for a body of 10 000 bytes.
    #[test]
    fn the_examples_of_the_rfc() {
        assert_eq!(ask("bytes=0-499", 10_000), partial(&[(0, 499)]));
        assert_eq!(ask("bytes=500-999", 10_000), partial(&[(500, 999)]));
        assert_eq!(ask("bytes=-500", 10_000), partial(&[(9_500, 9_999)]));
        assert_eq!(ask("bytes=9500-", 10_000), partial(&[(9_500, 9_999)]));
        assert_eq!(ask("bytes=0-0,-1", 10_000), partial(&[(0, 0), (9_999, 9_999)]));
        assert_eq!(
            ask("bytes= 0-999, 4500-5499, -1000", 10_000),
            partial(&[(0, 999), (4_500, 5_499), (9_000, 9_999)])
        );
        assert_eq!(
            ask("bytes=500-600,601-999", 10_000),
            partial(&[(500, 600), (601, 999)])
        );
        assert_eq!(ask("bytes=500-700,601-999", 10_000), Full);
    }

    #[test]
    fn a_range_is_cut_to_the_body() {
        assert_eq!(ask("bytes=5-99", 10), partial(&[(5, 9)]));
        assert_eq!(ask("bytes=-99", 10), partial(&[(0, 9)]));
        assert_eq!(ask("BYTES=9-99999999999999999999999", 10), partial(&[(9, 9)]));
        assert_eq!(ask("bytes=-99999999999999999999999", 10), partial(&[(0, 9)]));
        assert_eq!(ask("bytes=0-", u64::MAX), partial(&[(0, u64::MAX - 1)]));
        assert_eq!(ask("bytes=7-8,20-30,,1-2,", 10), partial(&[(7, 8), (1, 2)]));
    }

    #[test]
    fn a_set_outside_the_body_is_unsatisfiable() {
        for range in [
            "bytes=10-",
            "bytes=10-20",
            "bytes=-0",
            "bytes=10-,-0,99-100",
            "bytes=99999999999999999999999-",
        ] {
            assert_eq!(ask(range, 10), Unsatisfiable, "{range}");
        }
        assert_eq!(ask("bytes=99999999999999999999999-", u64::MAX), Unsatisfiable);
        assert_eq!(ask("bytes=0-", 0), Unsatisfiable);
        assert_eq!(ask("bytes=-1", 0), Full);
        assert_eq!(ask("bytes=-0", 0), Unsatisfiable);
    }

    #[test]
    fn what_is_not_well_formed_is_the_whole_body() {
        for range in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=1",
            "bytes=5-4",
            "bytes=0-1,5-4",
            "bytes=a-b",
            "bytes=0-1,x",
            "bytes=0 - 1",
            "bytes=+1-2",
            "bytes=0-1-2",
            "bytes=--1",
            "bytes 0-1",
            "items=0-1",
            "bytes =0-1",
            "bytes=0-1;2-3",
            "bytes=0x1-2",
            "bytes=\u{661}-",
        ] {
            assert_eq!(ask(range, 10), Full, "{range}");
        }
    }

    #[test]
    fn too_many_or_overlapping_ranges_are_the_whole_body() {
        let spread = |count: u64| {
            let members: Vec<_> = (0..count).map(|n| format!("{}-{}", n * 2, n * 2)).collect();
            format!("bytes={}", members.join(","))
        };
        assert!(matches!(ask(&spread(16), 100), Partial(ranges) if ranges.len() == MAX_RANGES));
        assert_eq!(ask(&spread(17), 100), Full);
        assert_eq!(ask(&spread(17), 1), Full, "those outside the body count too");
        for range in [
            "bytes=0-,0-",
            "bytes=0-5,5-9",
            "bytes=5-9,0-5",
            "bytes=0-9,3-4",
            "bytes=3-4,0-9",
            "bytes=8-,-2",
        ] {
            assert_eq!(ask(range, 10), Full, "{range}");
        }
    }

    #[test]
    fn only_one_range_line_of_a_get_counts() {
        let one = headers(&[(RANGE, b"bytes=0-1")]);
        for method in [Method::HEAD, Method::POST, Method::PUT] {
            assert_eq!(
                evaluate_range(&method, &one, 10, &Validators::default(), None),
                Full
            );
        }
        let two = headers(&[(RANGE, b"bytes=0-1"), (RANGE, b"bytes=0-1")]);
        assert_eq!(
            evaluate_range(&Method::GET, &two, 10, &Validators::default(), None),
            Full
        );
        assert_eq!(
            evaluate_range(&Method::GET, &HeaderMap::new(), 10, &Validators::default(), None),
            Full
        );
    }

    fn holds(if_range: &[&str], etag: &str, date: Option<&str>) -> bool {
        let mut request = headers(&[(RANGE, b"bytes=0-1")]);
        for line in if_range {
            request.append(IF_RANGE, HeaderValue::from_str(line).unwrap());
        }
        let validators = Validators {
            etag: etag.parse().ok(),
            last_modified: MODIFIED.parse().ok(),
        };
        let date = date.map(|date| date.parse().unwrap());
        evaluate_range(&Method::GET, &request, 10, &validators, date) != Full
    }

    #[test]
    fn if_range_compares_tags_strongly() {
        assert!(holds(&["\"a\""], "\"a\"", None));
        assert!(!holds(&["W/\"a\""], "\"a\"", None));
        assert!(!holds(&["\"a\""], "W/\"a\"", None));
        assert!(!holds(&["W/\"a\""], "W/\"a\"", None));
        assert!(!holds(&["\"b\""], "\"a\"", None));
        assert!(!holds(&["\"a\""], "", None));
        for other in ["\"a\", \"b\"", "*", "a", ""] {
            assert!(!holds(&[other], "\"a\"", None), "{other}");
        }
        assert!(!holds(&["\"a\"", "\"a\""], "\"a\"", None));
    }

    /// RFC 9110 §8.8.2.2 and §13.1.5.
    #[test]
    fn if_range_takes_the_exact_date_if_it_is_strong() {
        let later = Some("Sat, 29 Oct 1994 19:43:32 GMT");
        assert!(holds(&[MODIFIED], "", later));
        assert!(holds(&["Saturday, 29-Oct-94 19:43:31 GMT"], "", later));
        assert!(!holds(&[MODIFIED], "", Some(MODIFIED)), "the same second");
        assert!(!holds(&[MODIFIED], "", Some("Sat, 29 Oct 1994 19:43:30 GMT")));
        assert!(!holds(&[MODIFIED], "", None));
        assert!(
            !holds(
                &["Sat, 29 Oct 1994 19:43:32 GMT"],
                "",
                Some("Sat, 29 Oct 1994 20:00:00 GMT")
            ),
            "later"
        );
        assert!(!holds(&["Sat, 29 Oct 1994 19:43:30 GMT"], "", later), "earlier");
        assert!(!holds(&[MODIFIED, MODIFIED], "", later));
    }

    /// RFC 9110 §14.4, examples.
    #[test]
    fn content_range_is_written() {
        assert_eq!(
            ByteRange {
                first: 42,
                last: 1233
            }
            .content_range(1234),
            "bytes 42-1233/1234"
        );
        assert_eq!(unsatisfied_range(1234), "bytes */1234");
    }

    #[test]
    fn a_slice_beyond_the_body_is_none() {
        let body = Bytes::from_static(b"0123");
        assert_eq!(
            ByteRange { first: 1, last: 3 }.slice(&body),
            Some(Bytes::from_static(b"123"))
        );
        assert_eq!(ByteRange { first: 1, last: 4 }.slice(&body), None);
        assert_eq!(
            ByteRange {
                first: 0,
                last: u64::MAX - 1
            }
            .slice(&body),
            None
        );
    }

    fn sets() -> impl Strategy<Value = String> {
        let position = || prop_oneof![Just(String::new()), (0u64..14).prop_map(|n| n.to_string())];
        let member = (position(), position()).prop_map(|(first, last)| format!("{first}-{last}"));
        proptest::collection::vec(member, 0..5).prop_map(|members| members.join(", "))
    }

    /// The slow oracle: every member as the list of the positions it names, `None` if it is not well formed.
    fn positions(member: &str, length: u64) -> Option<Vec<u64>> {
        let (first, last) = member.trim().split_once('-')?;
        let all = 0..length;
        match (first.parse::<u64>(), last.parse::<u64>()) {
            (Ok(first), Ok(last)) if first > last => None,
            (Ok(first), Ok(last)) => Some(all.filter(|at| (first..=last).contains(at)).collect()),
            (Ok(first), Err(_)) => Some(all.filter(|at| *at >= first).collect()),
            (Err(_), Ok(count)) => Some(all.filter(|at| at + count >= length).collect()),
            (Err(_), Err(_)) => None,
        }
    }

    fn header_bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = any::<u8>().prop_filter("allowed in a header", |byte| *byte >= 32 && *byte != 127);
        proptest::collection::vec(byte, 0..64)
    }

    proptest! {
        #[test]
        fn ranges_equal_the_slow_oracle(set in sets(), length in 1u64..12) {
            let members: Option<Vec<_>> = set.split(',').map(|member| positions(member, length)).collect();
            let expected = match members {
                None => Full,
                Some(members) => {
                    let parts: Vec<_> = members.into_iter().filter(|part| !part.is_empty()).collect();
                    let mut all = parts.concat();
                    all.sort_unstable();
                    let count = all.len();
                    all.dedup();
                    if all.is_empty() {
                        Unsatisfiable
                    } else if all.len() < count {
                        Full
                    } else {
                        partial(&parts.iter().map(|part| (part[0], part[part.len() - 1])).collect::<Vec<_>>())
                    }
                }
            };
            prop_assert_eq!(ask(&format!("bytes={set}"), length), expected);
        }

        #[test]
        fn every_range_lies_inside_the_body(text in "bytes=[-0-9, ]{0,40}", length: u64, small in 0u64..200) {
            for length in [length, small] {
                if let Partial(ranges) = ask(&text, length) {
                    prop_assert!((1..=MAX_RANGES).contains(&ranges.len()));
                    prop_assert!(ranges.iter().all(|range| range.first <= range.last && range.last < length));
                    let sum: u128 = ranges.iter().map(|range| u128::from(range.length())).sum();
                    prop_assert!(sum <= u128::from(length));
                }
            }
        }

        #[test]
        fn any_header_line_is_read(bytes in header_bytes(), length: u64) {
            let request = headers(&[(RANGE, &bytes), (IF_RANGE, &bytes)]);
            let date = Some(HttpDate::MAX);
            let _ = evaluate_range(&Method::GET, &request, length, &Validators::default(), date);
            let _ = byte_range_set(&bytes).map(|set| within(set, length));
            let _ = within(&bytes, length);
        }
    }
}
