//! What a mutation makes stale by HTTP alone: its own URI, and what its answer names (RFC 9111 §4.4, RFC 9875 §3).

use http::header::{CONTENT_LOCATION, HOST, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use larder_store::Tag;
use sfv::{BareItem, List, ListEntry, Parser};

use crate::path::client_uri;

const CACHE_GROUP_INVALIDATION: HeaderName = HeaderName::from_static("cache-group-invalidation");

/// Where a request went: the host, and the path and query.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    origin: String,
    path_and_query: String,
}

impl Target {
    pub(crate) fn of(parts: &Parts) -> Self {
        let uri = client_uri(parts);
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let authority = uri.authority().or(parts.uri.authority());
        Self {
            origin: authority
                .map_or(host.unwrap_or_default(), |authority| authority.as_str())
                .to_owned(),
            path_and_query: path_and_query(uri).to_owned(),
        }
    }

    /// The tags of its own URI.
    pub(crate) fn own(&self) -> Vec<Tag> {
        tags_of(&self.path_and_query)
    }

    /// The tags of what an answer names at the same host: `Location`, `Content-Location`, `Cache-Group-Invalidation`.
    pub(crate) fn named(&self, headers: &HeaderMap) -> Vec<Tag> {
        let locations = [LOCATION, CONTENT_LOCATION]
            .into_iter()
            .flat_map(|name| headers.get_all(name));
        let mut tags: Vec<Tag> = locations
            .filter_map(|value| self.at_same_host(value.to_str().ok()?))
            .flat_map(|uri| tags_of(path_and_query(&uri)))
            .collect();
        tags.extend(
            groups(headers)
                .iter()
                .map(|group| Tag::group(&self.origin, group)),
        );
        tags
    }

    /// The URI that `reference` names, if it is a path from the root, or a whole URI at the same host. Another form, such
    /// as one relative to the path, is rare there and is not read.
    fn at_same_host(&self, reference: &str) -> Option<Uri> {
        let reference = reference.split('#').next()?;
        let uri: Uri = match reference.strip_prefix("//") {
            Some(rest) => format!("http://{rest}").parse().ok()?,
            None => reference.parse().ok()?,
        };
        match uri.authority() {
            Some(authority) => same_host(authority.as_str(), &self.origin).then_some(uri),
            None => reference.starts_with('/').then_some(uri),
        }
    }
}

fn tags_of(path_and_query: &str) -> Vec<Tag> {
    let path = path_and_query.split('?').next().unwrap_or_default();
    vec![Tag::uri(path_and_query), Tag::all_searches(path)]
}

fn path_and_query(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |target| target.as_str())
}

fn same_host(a: &str, b: &str) -> bool {
    let bare = |host: &'_ str| {
        let port = host.strip_suffix(":80").or_else(|| host.strip_suffix(":443"));
        port.unwrap_or(host).to_ascii_lowercase()
    };
    bare(a) == bare(b)
}

/// The groups that an answer invalidates (RFC 9875 §3). A field that is no list is ignored as a whole, a member that is no
/// string by itself.
fn groups(headers: &HeaderMap) -> Vec<String> {
    let lines: Vec<&[u8]> = headers
        .get_all(CACHE_GROUP_INVALIDATION)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if lines.is_empty() {
        return Vec::new();
    }
    let list = Parser::new(&lines.join(&b", "[..]))
        .parse::<List>()
        .unwrap_or_default();
    let names = list.into_iter().filter_map(|entry| match entry {
        ListEntry::Item(item) => match item.bare_item {
            BareItem::String(name) => Some(name.as_str().to_owned()),
            _ => None,
        },
        ListEntry::InnerList(_) => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn target(uri: &str, host: &str) -> Target {
        let request = Request::post(uri).header(HOST, host).body(()).unwrap();
        Target::of(&request.into_parts().0)
    }

    #[test]
    fn only_what_is_at_the_same_host_is_believed() {
        let target = target("/teams?x=1", "jam.test");
        assert_eq!(
            target.own(),
            [Tag::uri("/teams?x=1"), Tag::all_searches("/teams")]
        );
        for (reference, expected) in [
            ("/teams/7", Some("/teams/7")),
            ("/teams/7?a=1#part", Some("/teams/7?a=1")),
            ("http://JAM.test:80/b", Some("/b")),
            ("//jam.test/b", Some("/b")),
            ("https://jam.test", Some("/")),
            ("http://other.test/b", None),
            ("//other.test/b", None),
            ("b", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, reference.parse().unwrap());
            let expected = expected.map(tags_of).unwrap_or_default();
            assert_eq!(target.named(&headers), expected, "{reference}");
        }
    }

    #[test]
    fn groups_are_those_of_the_host_that_was_asked() {
        let mut headers = HeaderMap::new();
        headers.append(CACHE_GROUP_INVALIDATION, r#""a";x=1, b"#.parse().unwrap());
        headers.append(CACHE_GROUP_INVALIDATION, r#"("c" "d"), "e""#.parse().unwrap());
        let named = target("http://jam.test/x", "jam.test").named(&headers);
        assert_eq!(named, [Tag::group("jam.test", "a"), Tag::group("jam.test", "e")]);
        headers.append(CACHE_GROUP_INVALIDATION, r#""f"#.parse().unwrap());
        assert_eq!(target("/x", "jam.test").named(&headers), []);
    }
}
