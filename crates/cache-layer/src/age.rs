//! What a response says of its own time: its `Age`, and its `Expires`. Pure: the time is an argument.

use std::time::Duration;

use http::{HeaderMap, header};
use larder_etag::HttpDate;
use larder_store::Timestamp;

/// What any larger number of seconds counts as (RFC 9111 §1.2.2).
const LONGEST: u64 = 1 << 31;

/// `Age` of a response that passed another cache (RFC 9111 §5.1).
///
/// The first member of the first line counts, whatever follows it; one that is not a whole number of seconds is
/// ignored. An age beyond 2^31 seconds is that, which no lifetime exceeds.
pub(crate) fn age(headers: &HeaderMap) -> Option<Duration> {
    let line = headers.get(header::AGE)?.as_bytes();
    let first = line.split(|byte| *byte == b',').next()?;
    whole_seconds(first.trim_ascii())
}

/// How long `Expires` lets a response be fresh, counted from its `Date`, or from `now` without a valid one
/// (RFC 9111 §4.2.1, §5.3). What cannot be read, or stands there twice, has expired.
pub(crate) fn expires(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    headers.get(header::EXPIRES)?;
    let now = HttpDate::from_unix_seconds(i64::try_from(now.as_millis() / 1000).unwrap_or(i64::MAX));
    let Some(expires) = HttpDate::of_field_at(headers, &header::EXPIRES, now) else {
        return Some(Duration::ZERO);
    };
    // From the origin's own clock: a `Date` that is wrong by an hour is wrong in both fields.
    let from = HttpDate::of_field_at(headers, &header::DATE, now).unwrap_or(now);
    let left = expires.unix_seconds().saturating_sub(from.unix_seconds());
    Some(Duration::from_secs(u64::try_from(left).unwrap_or(0).min(LONGEST)))
}

/// Whole seconds (RFC 9111 §1.2.2): digits only; more than 2^31 counts as 2^31.
pub(crate) fn whole_seconds(text: &[u8]) -> Option<Duration> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = text.iter().fold(0u64, |sum, digit| {
        (sum * 10 + u64::from(digit - b'0')).min(LONGEST)
    });
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn age_of(lines: &[&str]) -> Option<u64> {
        let lines: Vec<_> = lines.iter().map(|line| (header::AGE, *line)).collect();
        age(&headers(&lines)).map(|age| age.as_secs())
    }

    #[test]
    fn the_first_member_of_the_first_line_is_the_age() {
        for (lines, expected) in [
            (&["7200"][..], 7200),
            (&["0"], 0),
            (&[" 007 "], 7),
            (&["7200, 0"], 7200),
            (&["7200,0"], 7200),
            (&["0, 7200"], 0),
            (&["7200, abc"], 7200),
            (&["7200", "0"], 7200),
            (&["0", "7200"], 0),
            (&["2147483647"], (1 << 31) - 1),
            (&["2147483648"], 1 << 31),
            (&["2147483649"], 1 << 31),
            (&["99999999999999999999999999"], 1 << 31),
        ] {
            assert_eq!(age_of(lines), Some(expected), "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_whole_number_is_no_age() {
        for lines in [
            &[][..],
            &[""],
            &["7200.0"],
            &["abc"],
            &["-1"],
            &["-7200"],
            &["+1"],
            &["a7200"],
            &["7200a"],
            &["72 00"],
            &["7200;foo=bar"],
            &["\"7200\""],
            &["0x10"],
            &[", 7200"],
            &["abc, 7200"],
            &["abc", "7200"],
            &["", "7200"],
        ] {
            assert_eq!(age_of(lines), None, "{lines:?}");
        }
        let mut raw = HeaderMap::new();
        raw.insert(header::AGE, HeaderValue::from_bytes(b"7\xe9").unwrap());
        assert_eq!(age(&raw), None);
    }

    /// Thu, 18 Aug 2050 02:01:18 GMT.
    const EXPIRES: u64 = 2_544_400_878;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000 + 999)
    }

    fn left(expires_lines: &[&str], date: Option<&str>, now: u64) -> Option<u64> {
        let mut lines: Vec<_> = expires_lines
            .iter()
            .map(|line| (header::EXPIRES, *line))
            .collect();
        lines.extend(date.map(|date| (header::DATE, date)));
        expires(&headers(&lines), at(now)).map(|left| left.as_secs())
    }

    #[test]
    fn all_forms_of_a_date_and_any_case_of_letters_are_read() {
        for text in [
            "Thu, 18 Aug 2050 02:01:18 GMT",
            "Thursday, 18-Aug-50 02:01:18 GMT",
            "Thu Aug 18 02:01:18 2050",
            "THU, 18 Aug 2050 02:01:18 GMT",
            "Thu, 18 AUG 2050 02:01:18 GMT",
            "Thu, 18 Aug 2050 02:01:18 gMT",
            " Thu, 18 Aug 2050 02:01:18 GMT ",
        ] {
            assert_eq!(left(&[text], None, EXPIRES - 100), Some(100), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_has_expired() {
        for lines in [
            &["0"][..],
            &["-1"],
            &[""],
            &["never"],
            &["Thu, 18 Aug 2050 02:01:18 UTC"],
            &["Thu, 18 Aug 2050 02:01:18 EST"],
            &["Thu, 18 Aug 2050 02:01:18 +0000"],
            &["Thu, 18 Aug 2050 02:01:18"],
            &["Thu, 18 Aug 50 02:01:18 GMT"],
            &["Thu 18 Aug 2050 02:01:18 GMT"],
            &["Thu, 18  Aug  2050 02:01:18 GMT"],
            &["Thu,  18 Aug 2050 02:01:18 GMT"],
            &["Thu, 18-Aug-2050 02:01:18 GMT"],
            &["Thu, 18-Aug-50 02:01:18 GMT"],
            &["Thu, 18 Aug 2050 02.01.18 GMT"],
            &["Thu, 18 Aug 2050 2:01:18 GMT"],
            &["Wed, 18 Aug 2050 02:01:18 GMT"],
            &["Thu, 18 Aug 2050 02:01:18 GMT", "Thu, 18 Aug 2050 02:01:18 GMT"],
            &["Thu, 18 Aug 2050 02:01:18 GMT", "0"],
            &["0", "Thu, 18 Aug 2050 02:01:18 GMT"],
        ] {
            assert_eq!(left(lines, None, EXPIRES - 100), Some(0), "{lines:?}");
        }
        assert_eq!(left(&[], None, 0), None);
    }

    #[test]
    fn the_lifetime_is_counted_from_the_date() {
        let expires = "Thu, 18 Aug 2050 02:01:18 GMT";
        let date = Some("Thu, 18 Aug 2050 02:00:18 GMT");
        for now in [0, EXPIRES - 3600, EXPIRES - 60, EXPIRES, EXPIRES + 3600] {
            assert_eq!(left(&[expires], date, now), Some(60), "at {now}");
        }
        assert_eq!(
            left(&[expires], Some(expires), EXPIRES - 60),
            Some(0),
            "at its end it is over"
        );
        assert_eq!(
            left(&[expires], Some("Thu, 18 Aug 2050 02:02:18 GMT"), EXPIRES - 60),
            Some(0)
        );
        assert_eq!(left(&[expires], Some("today"), EXPIRES - 60), Some(60));
        assert_eq!(left(&[expires], None, EXPIRES + 60), Some(0));
        assert_eq!(
            left(&["Fri, 31 Dec 9999 23:59:59 GMT"], date, 0),
            Some(1 << 31),
            "no lifetime is longer than the longest age"
        );
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes: Vec<u8>, date: Vec<u8>, now: u64) {
            let mut headers = HeaderMap::new();
            for (name, bytes) in [(header::AGE, &bytes), (header::EXPIRES, &bytes), (header::DATE, &date)] {
                if let Ok(value) = HeaderValue::from_bytes(bytes) {
                    headers.insert(name, value);
                }
            }
            let _ = age(&headers);
            let _ = expires(&headers, Timestamp::from_millis(now));
        }

        #[test]
        fn any_number_is_an_age(number: u64, rest in "(, *[!-~]{0,9})?") {
            let expected = number.min(1 << 31);
            prop_assert_eq!(age_of(&[&format!("{number}{rest}")]), Some(expected));
        }
    }
}
