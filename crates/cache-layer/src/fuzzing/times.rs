//! Fuzz checks of ages and dates.

use http::{HeaderMap, HeaderValue, header};
use larder_etag::HttpDate;
use larder_store::Timestamp;

use super::{LONGEST, lines, value, with_field};
use crate::age;

/// 6 November 1994, 08:49:37.
const NOW: u64 = 784_111_777;

/// `Age`: what is printed is read as the same.
pub fn age(data: &[u8]) {
    let of = |lines: &[HeaderValue]| age::age(&with_field(&header::AGE, lines));
    let Some(age) = of(&lines(data)) else { return };
    assert!(age <= LONGEST, "{age:?}");
    assert_eq!(of(&[value(&age.as_secs().to_string())]), Some(age));
}

/// Dates: the first line is `Expires`, the second `Date`. What is printed is read as the same.
pub fn expires(data: &[u8]) {
    // The moment of the standard's examples.
    let now = HttpDate::from_unix_seconds(NOW.cast_signed());
    let lines = lines(data);
    lines.iter().for_each(date);
    let names = [header::EXPIRES, header::DATE];
    let headers: HeaderMap = names.into_iter().zip(lines).collect();
    let left = |headers: &HeaderMap| age::expires(headers, Timestamp::from_millis(NOW * 1000));
    let Some(seconds) = left(&headers).map(|left| left.as_secs()) else {
        assert!(
            !headers.contains_key(header::EXPIRES),
            "{headers:?} means nothing"
        );
        return;
    };
    assert!(seconds <= LONGEST.as_secs(), "{seconds} s of {headers:?}");
    let printed = headers.iter().filter_map(|(name, _)| {
        let date = HttpDate::of_field_at(&headers, name, now)?;
        Some((name.clone(), date.to_header()))
    });
    let printed: HeaderMap = printed.collect();
    if printed.contains_key(header::EXPIRES) {
        assert_eq!(left(&printed), left(&headers), "printed as {printed:?}");
    } else {
        assert_eq!(seconds, 0, "{headers:?} cannot be read");
    }
}

fn date(line: &HeaderValue) {
    let Ok(date) = HttpDate::parse_at(line.as_bytes(), HttpDate::from_unix_seconds(NOW.cast_signed())) else {
        return;
    };
    assert!((HttpDate::MIN..=HttpDate::MAX).contains(&date), "{date:?}");
    assert_eq!(date.to_string().parse(), Ok(date));
    assert_eq!(HttpDate::parse(date.to_header().as_bytes()), Ok(date));
}
