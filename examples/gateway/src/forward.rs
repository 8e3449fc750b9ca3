//! Which header fields go on to the next hop: pure rules over headers (RFC 9110 §7.6).

use http::header::{
    AGE, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_LOCATION,
    CONTENT_RANGE, CONTENT_TYPE, COOKIE, DATE, ETAG, EXPECT, EXPIRES, HOST, IF_MATCH, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, LOCATION, PRAGMA, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, RANGE, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VARY, VIA,
};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// What `Connection` cannot take off, though it names it: what a message is, whom it is for, and how long it is of use.
/// "A sender MUST NOT send a connection option corresponding to a field that is intended for all recipients"
/// (RFC 9110 §7.6.1); who does so either errs, or wants cache and origin to see two different messages.
const PROTECTED: [HeaderName; 28] = [
    AGE,
    AUTHORIZATION,
    CACHE_CONTROL,
    HeaderName::from_static("cdn-cache-control"),
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_LOCATION,
    CONTENT_RANGE,
    CONTENT_TYPE,
    COOKIE,
    DATE,
    ETAG,
    EXPECT,
    EXPIRES,
    HOST,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    LAST_MODIFIED,
    LOCATION,
    PRAGMA,
    RANGE,
    SET_COOKIE,
    TRANSFER_ENCODING,
    VARY,
    VIA,
];

/// Whether a field is for one hop, whatever `Connection` says. `Transfer-Encoding` is told apart by those who ask: it is
/// what tells a body from none.
pub(crate) fn is_hop_by_hop(name: &HeaderName) -> bool {
    *name == CONNECTION
        || *name == TE
        || *name == UPGRADE
        || *name == TRAILER
        || *name == PROXY_AUTHORIZATION
        || *name == PROXY_AUTHENTICATE
        || *name == KEEP_ALIVE
        || *name == PROXY_CONNECTION
}

/// Takes off a request what is for one hop, but `Transfer-Encoding`.
pub(crate) fn strip_request(headers: &mut HeaderMap) {
    let listed = listed(headers);
    for name in [
        CONNECTION,
        TE,
        UPGRADE,
        TRAILER,
        PROXY_AUTHORIZATION,
        PROXY_AUTHENTICATE,
        KEEP_ALIVE,
        PROXY_CONNECTION,
    ]
    .iter()
    .chain(&listed)
    {
        headers.remove(name);
    }
}

/// Takes off a response what is for one hop. The other lines stay in their order, which `remove` would change.
pub(crate) fn strip_response(headers: &mut HeaderMap) {
    let two_lengths = headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some();
    let mut names = headers.keys();
    if !two_lengths && !names.any(|name| is_hop_by_hop(name) || *name == TRANSFER_ENCODING) {
        return;
    }
    let listed = listed(headers);
    let mut kept = HeaderMap::with_capacity(headers.len());
    let mut current = None;
    for (name, value) in std::mem::take(headers) {
        // A name is told with its first line only.
        if name.is_some() {
            current = name;
        }
        let Some(name) = &current else { continue };
        if is_hop_by_hop(name) || *name == TRANSFER_ENCODING || listed.contains(name) {
            continue;
        }
        // Equal ones, or it would not have been parsed; of these one goes on (RFC 9110 §8.6).
        if *name == CONTENT_LENGTH && kept.contains_key(name) {
            continue;
        }
        kept.append(name, value);
    }
    *headers = kept;
}

/// The fields that `Connection` names and can take off.
fn listed(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines = headers.get_all(CONNECTION).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|option| {
            !option.eq_ignore_ascii_case(b"close") && !option.eq_ignore_ascii_case(b"keep-alive")
        })
        .filter_map(|option| HeaderName::from_bytes(option).ok())
        .filter(|name| !PROTECTED.contains(name))
        .collect()
}

/// Whether the body comes in a coding of the transfer that is understood here: none, or chunked and no other.
pub(crate) fn is_understood(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(TRANSFER_ENCODING).iter();
    match (lines.next(), lines.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// Whether the body of a response can be passed on: in no coding of the transfer, in chunks, or in what is no coding at all,
/// which an origin must not send, and which says nothing of the bytes: they end where the connection does (RFC 9112
/// §6.3). One that is coded, and was not asked for, cannot.
pub(crate) fn is_readable(headers: &HeaderMap) -> bool {
    let coded = |coding: &[u8]| {
        CODINGS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(coding.trim_ascii()))
    };
    let mut lines = headers.get_all(TRANSFER_ENCODING).iter();
    is_understood(headers) || lines.all(|line| !line.as_bytes().split(|byte| *byte == b',').any(coded))
}

/// The codings of the transfer that are registered, but `identity`, which is none.
const CODINGS: [&[u8]; 6] = [
    b"chunked",
    b"compress",
    b"deflate",
    b"gzip",
    b"x-compress",
    b"x-gzip",
];

/// Says that the message went through here, and by which version it came (RFC 9110 §7.6.3).
pub(crate) fn add_via(headers: &mut HeaderMap, version: Version) {
    let via = match version {
        Version::HTTP_10 => HeaderValue::from_static("1.0 larder"),
        _ => HeaderValue::from_static("1.1 larder"),
    };
    headers.append(VIA, via);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_in_a_coding_cannot_be_read_and_one_in_none_can() {
        for codings in [&["chunked"][..], &["Jam"], &["jam, toast"], &["identity"], &[]] {
            let lines: Vec<_> = codings
                .iter()
                .map(|coding| ("transfer-encoding", *coding))
                .collect();
            assert!(is_readable(&headers(&lines)), "{codings:?}");
        }
        for codings in [
            &["gzip"][..],
            &["gzip, chunked"],
            &["jam", "GZip"],
            &["chunked", "chunked"],
            &["jam, chunked"],
        ] {
            let lines: Vec<_> = codings
                .iter()
                .map(|coding| ("transfer-encoding", *coding))
                .collect();
            assert!(!is_readable(&headers(&lines)), "{codings:?}");
        }
    }

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let lines = lines.iter();
        lines
            .map(|(name, value)| {
                (
                    HeaderName::try_from(*name).unwrap(),
                    HeaderValue::try_from(*value).unwrap(),
                )
            })
            .fold(HeaderMap::new(), |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            })
    }

    fn shown(headers: &HeaderMap) -> Vec<String> {
        let lines = headers.iter();
        lines
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect()
    }

    #[test]
    fn what_is_for_one_hop_does_not_go_on() {
        let mut request = headers(&[
            ("host", "a"),
            ("connection", "keep-alive, X-Mine , te"),
            ("connection", "x-more"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic eA=="),
            ("te", "trailers"),
            ("trailer", "x-sum"),
            ("upgrade", "h2c"),
            ("x-mine", "1"),
            ("x-more", "1"),
            ("x-mine-too", "1"),
            ("transfer-encoding", "chunked"),
        ]);
        strip_request(&mut request);
        let mut left = shown(&request);
        left.sort();
        assert_eq!(left, ["host: a", "transfer-encoding: chunked", "x-mine-too: 1"]);
    }

    #[test]
    fn connection_cannot_take_off_what_a_message_means() {
        for name in PROTECTED.iter().filter(|name| **name != TRANSFER_ENCODING) {
            let lines = [("connection", name.as_str()), (name.as_str(), "x")];
            let (mut request, mut response) = (headers(&lines), headers(&lines));
            strip_request(&mut request);
            strip_response(&mut response);
            assert!(
                request.contains_key(name) && response.contains_key(name),
                "{name}"
            );
            assert!(!request.contains_key(CONNECTION) && !response.contains_key(CONNECTION));
        }
    }

    #[test]
    fn the_lines_of_a_response_keep_their_order() {
        let mut response = headers(&[
            ("connection", "x-gone, \"no name\", , cache-control"),
            ("b", "1"),
            ("transfer-encoding", "chunked"),
            ("a", "1"),
            ("x-gone", "1"),
            ("a", "2"),
            ("cache-control", "private"),
            ("keep-alive", "timeout=5"),
            ("proxy-authenticate", "Basic"),
            ("set-cookie", "c=1"),
            ("set-cookie", "c=2"),
            ("d", "1"),
        ]);
        strip_response(&mut response);
        assert_eq!(
            shown(&response),
            [
                "b: 1",
                "a: 1",
                "a: 2",
                "cache-control: private",
                "set-cookie: c=1",
                "set-cookie: c=2",
                "d: 1"
            ]
        );
    }

    #[test]
    fn one_length_goes_on() {
        let mut response = headers(&[("content-length", "5"), ("content-length", "5"), ("a", "1")]);
        strip_response(&mut response);
        assert_eq!(shown(&response), ["content-length: 5", "a: 1"]);
    }

    #[test]
    fn other_codings_than_chunked_are_not_understood() {
        assert!(is_understood(&headers(&[])));
        assert!(is_understood(&headers(&[("transfer-encoding", "Chunked")])));
        for lines in [
            &[("transfer-encoding", "gzip, chunked")][..],
            &[("transfer-encoding", "gzip"), ("transfer-encoding", "chunked")],
            &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            &[("transfer-encoding", "identity")],
            &[("transfer-encoding", "")],
        ] {
            assert!(!is_understood(&headers(lines)), "{lines:?}");
        }
    }

    #[test]
    fn via_names_the_version_and_comes_last() {
        let mut message = headers(&[("via", "1.1 other")]);
        add_via(&mut message, Version::HTTP_11);
        add_via(&mut message, Version::HTTP_10);
        assert_eq!(
            shown(&message),
            ["via: 1.1 other", "via: 1.1 larder", "via: 1.0 larder"]
        );
    }
}
