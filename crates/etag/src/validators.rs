//! The validators of a stored response: what a condition is compared with (RFC 9110 §8.8).

use http::HeaderMap;
use http::header::{ETAG, LAST_MODIFIED};

use crate::date::HttpDate;
use crate::tag::EntityTag;

/// The entity tag and the modification date of a representation, each if it has one (RFC 9110 §8.8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// The value of `ETag` (RFC 9110 §8.8.3).
    pub etag: Option<EntityTag>,
    /// The value of `Last-Modified` (RFC 9110 §8.8.2).
    pub last_modified: Option<HttpDate>,
}

impl Validators {
    /// The validators in the headers of a response (RFC 9110 §8.8).
    ///
    /// A validator that is invalid, or stands there twice, is as good as none: to take one of two might
    /// confirm a body the client does not hold.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        Self {
            etag: only_tag(headers),
            last_modified: HttpDate::of_field(headers, &LAST_MODIFIED),
        }
    }
}

fn only_tag(headers: &HeaderMap) -> Option<EntityTag> {
    let mut lines = headers.get_all(ETAG).iter();
    let line = lines.next()?;
    if lines.next().is_some() {
        return None;
    }
    EntityTag::from_header(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn of(lines: &[(http::HeaderName, &'static str)]) -> Validators {
        let pairs = lines
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        Validators::from_headers(&pairs.collect())
    }

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    #[test]
    fn both_validators_are_read() {
        let validators = of(&[(ETAG, "W/\"a\""), (LAST_MODIFIED, DATE)]);
        assert_eq!(validators.etag, Some("W/\"a\"".parse().unwrap()));
        assert_eq!(validators.last_modified, Some(DATE.parse().unwrap()));
        assert_eq!(of(&[]), Validators::default());
    }

    #[test]
    fn a_validator_that_is_invalid_or_doubled_is_none() {
        for lines in [
            &[(ETAG, "a"), (LAST_MODIFIED, "yesterday")][..],
            &[
                (ETAG, "\"a\""),
                (ETAG, "\"a\""),
                (LAST_MODIFIED, DATE),
                (LAST_MODIFIED, DATE),
            ],
            &[(ETAG, "\"a\", \"b\""), (LAST_MODIFIED, "")],
        ] {
            assert_eq!(of(lines), Validators::default());
        }
    }
}
