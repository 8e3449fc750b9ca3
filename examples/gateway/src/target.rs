//! What a request is for, and whether it can be forwarded: its target and its `Host` (RFC 9112 §3.2).

use http::header::{HOST, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};

use crate::forward;

/// Why a request is not forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `CONNECT`: this is no tunnel.
    Connect,
    /// HTTP/1.1 without `Host`.
    NoHost,
    /// More than one `Host`.
    TwoHosts,
    /// A `Host`, or an authority in the target, that is none.
    BadHost,
    /// A target that is neither a path, `*` nor absolute.
    Target,
    /// A transfer coding other than chunked.
    Coding,
}

/// Brings a request into the form in which it is looked up and forwarded: the target in the origin form, one valid `Host`,
/// and nothing that is for one hop only. A request of HTTP/1.0 without `Host` gets `default_host`.
pub(crate) fn settle<B>(request: &mut Request<B>, default_host: &HeaderValue) -> Result<(), Refusal> {
    let seen = Seen::of(request.headers());
    if request.method() == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    if seen.coded && !forward::is_understood(request.headers()) {
        return Err(Refusal::Coding);
    }
    if seen.bad_host {
        return Err(Refusal::BadHost);
    }
    match seen.hosts {
        1 => {}
        0 if request.version() == Version::HTTP_10 => {
            request.headers_mut().insert(HOST, default_host.clone());
        }
        // The absolute form does not make up for it (§3.2).
        0 => return Err(Refusal::NoHost),
        _ => return Err(Refusal::TwoHosts),
    }
    if request.uri().authority().is_some() {
        from_absolute(request)?;
    }
    if request.uri().path_and_query().is_none() {
        return Err(Refusal::Target);
    }
    if seen.hop_by_hop {
        forward::strip_request(request.headers_mut());
    }
    Ok(())
}

/// What one pass over the headers told: a look-up of each name would cost more on every hit.
struct Seen {
    hosts: usize,
    bad_host: bool,
    hop_by_hop: bool,
    coded: bool,
}

impl Seen {
    fn of(headers: &HeaderMap) -> Self {
        let mut seen = Self {
            hosts: 0,
            bad_host: false,
            hop_by_hop: false,
            coded: false,
        };
        for (name, value) in headers {
            if *name == HOST {
                seen.hosts += 1;
                seen.bad_host |= !is_host(value.as_bytes());
            } else if *name == TRANSFER_ENCODING {
                seen.coded = true;
            } else {
                seen.hop_by_hop |= forward::is_hop_by_hop(name);
            }
        }
        seen
    }
}

/// The absolute form wins over the `Host` that came with it (§3.2.2), and goes on in the origin form.
fn from_absolute<B>(request: &mut Request<B>) -> Result<(), Refusal> {
    let uri = request.uri();
    let authority = uri.authority().map_or("", http::uri::Authority::as_str);
    if uri.scheme().is_none() {
        return Err(Refusal::Target);
    }
    if authority.is_empty() || !is_host(authority.as_bytes()) {
        return Err(Refusal::BadHost);
    }
    let host = HeaderValue::from_str(authority).map_err(|_| Refusal::BadHost)?;
    let target = match uri.path_and_query() {
        // `http://host?query`: the path is there for the origin, if not for the client (§3.2.1).
        Some(target) if !target.as_str().starts_with('/') => {
            PathAndQuery::try_from(format!("/{}", target.as_str())).map_err(|_| Refusal::Target)?
        }
        Some(target) => target.clone(),
        None => PathAndQuery::from_static("/"),
    };
    request.headers_mut().insert(HOST, host);
    *request.uri_mut() = Uri::from(target);
    Ok(())
}

/// Whether a `Host` can be one: a name or an address, and perhaps a port, by its bytes (RFC 3986 §3.2.2). Empty is
/// allowed: a target without an authority has none (RFC 9110 §7.2).
fn is_host(value: &[u8]) -> bool {
    value.iter().all(|byte| HOST_BYTES[usize::from(*byte)])
}

const HOST_BYTES: [bool; 256] = {
    let mut allowed = [false; 256];
    let marks = b"-._~!$&'()*+,;=%:[]";
    let mut at = 0;
    while at < 128 {
        allowed[at] = (at as u8).is_ascii_alphanumeric();
        at += 1;
    }
    at = 0;
    while at < marks.len() {
        allowed[marks[at] as usize] = true;
        at += 1;
    }
    allowed
};

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(
        version: Version,
        uri: &str,
        lines: &[(&str, &str)],
    ) -> Result<(String, Vec<String>), Refusal> {
        let mut request = Request::builder().uri(uri).version(version);
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).unwrap();
        settle(&mut request, &HeaderValue::from_static("origin"))?;
        let hosts = request.headers().get_all(HOST).iter();
        let hosts = hosts.map(|host| host.to_str().unwrap().to_owned()).collect();
        Ok((request.uri().to_string(), hosts))
    }

    fn forwarded(uri: &str, host: &str) -> Result<(String, Vec<String>), Refusal> {
        settled(Version::HTTP_11, uri, &[("host", host)])
    }

    #[test]
    fn the_origin_form_stays() {
        for uri in ["/", "//a/../b;[|]\"?d=[|]`&e=%2f%2F", "/?", "*", "/a?b?c"] {
            assert_eq!(
                forwarded(uri, "h:1"),
                Ok((uri.to_owned(), vec!["h:1".to_owned()]))
            );
        }
    }

    #[test]
    fn the_absolute_form_becomes_host_and_path() {
        for (uri, target, host) in [
            ("http://a:8/b?c", "/b?c", "a:8"),
            ("http://a", "/", "a"),
            ("http://A?q", "/?q", "A"),
            ("http://[::1]//b", "//b", "[::1]"),
        ] {
            assert_eq!(
                forwarded(uri, "other"),
                Ok((target.to_owned(), vec![host.to_owned()])),
                "{uri}"
            );
        }
        assert_eq!(forwarded("http://user@a/", "a"), Err(Refusal::BadHost));
    }

    #[test]
    fn there_is_one_valid_host() {
        use Version as V;
        assert_eq!(settled(V::HTTP_11, "/", &[]), Err(Refusal::NoHost));
        assert_eq!(settled(V::HTTP_11, "http://a/", &[]), Err(Refusal::NoHost));
        assert_eq!(
            settled(V::HTTP_10, "/", &[]),
            Ok(("/".to_owned(), vec!["origin".to_owned()]))
        );
        let two = [("host", "a"), ("host", "a")];
        assert_eq!(settled(V::HTTP_11, "/", &two), Err(Refusal::TwoHosts));
        for host in ["a b", "a/b", "u@a", "a#", "a?", "a\\b", "a,b c", "<a>"] {
            assert_eq!(forwarded("/", host), Err(Refusal::BadHost), "{host}");
        }
        assert_eq!(forwarded("/", ""), Ok(("/".to_owned(), vec![String::new()])));
    }

    #[test]
    fn what_cannot_be_forwarded_is_refused() {
        assert_eq!(forwarded("example.com", "a"), Err(Refusal::Target));
        let coded = [("host", "a"), ("transfer-encoding", "gzip, chunked")];
        assert_eq!(settled(Version::HTTP_11, "/", &coded), Err(Refusal::Coding));
        let mut connect = Request::connect("a:1").body(()).unwrap();
        assert_eq!(
            settle(&mut connect, &HeaderValue::from_static("o")),
            Err(Refusal::Connect)
        );
    }
}
