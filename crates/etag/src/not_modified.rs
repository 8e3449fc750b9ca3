//! The headers of a 304 answer (RFC 9110 §15.4.5).

use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, HeaderName, LAST_MODIFIED, VARY};

/// The headers a 304 takes over from the 200 it stands in for (RFC 9110 §15.4.5).
///
/// `Cache-Control`, `Content-Location`, `Date`, `ETag`, `Expires` and `Vary` must be sent if the 200 would
/// have them. `Last-Modified` is sent only if there is no `ETag`: a sender should leave out every other field
/// about the representation "unless said metadata exists for the purpose of guiding cache updates", of which
/// a modification date without an entity tag is the example given there.
///
/// What belongs to this one answer and not to the representation, such as `Age` (RFC 9111 §5.1) or the fields
/// of CORS, is for the caller to add.
#[must_use]
pub fn not_modified_headers(stored: &HeaderMap) -> HeaderMap {
    // With room for what the caller adds.
    let mut kept = HeaderMap::with_capacity(2 * MUST_BE_SENT.len());
    for name in &MUST_BE_SENT {
        copy(stored, &mut kept, name);
    }
    if !stored.contains_key(ETAG) {
        copy(stored, &mut kept, &LAST_MODIFIED);
    }
    kept
}

const MUST_BE_SENT: [HeaderName; 6] = [CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, VARY];

fn copy(from: &HeaderMap, to: &mut HeaderMap, name: &HeaderName) {
    for line in from.get_all(name) {
        to.append(name.clone(), line.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::{
        CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, SET_COOKIE, TRANSFER_ENCODING,
    };

    fn stored(names: &[HeaderName]) -> HeaderMap {
        names
            .iter()
            .map(|name| (name.clone(), HeaderValue::from_static("1")))
            .collect()
    }

    #[test]
    fn what_must_be_sent_is_kept_and_nothing_of_the_body() {
        let mut all = stored(&MUST_BE_SENT);
        let kept = all.clone();
        for name in [
            CONTENT_ENCODING,
            CONTENT_LENGTH,
            CONTENT_RANGE,
            CONTENT_TYPE,
            SET_COOKIE,
            TRANSFER_ENCODING,
            LAST_MODIFIED,
        ] {
            all.insert(name, HeaderValue::from_static("2"));
        }
        assert_eq!(not_modified_headers(&all), kept);
    }

    #[test]
    fn the_modification_date_stands_in_for_a_missing_tag() {
        let kept = not_modified_headers(&stored(&[LAST_MODIFIED, CONTENT_LENGTH]));
        assert_eq!(kept, stored(&[LAST_MODIFIED]));
        assert_eq!(not_modified_headers(&HeaderMap::new()), HeaderMap::new());
    }

    #[test]
    fn every_line_of_a_field_is_kept_in_order() {
        let mut two = HeaderMap::new();
        two.append(VARY, HeaderValue::from_static("accept"));
        two.append(VARY, HeaderValue::from_static("accept-language"));
        assert_eq!(not_modified_headers(&two), two);
    }
}
