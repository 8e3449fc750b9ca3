//! What a request with an unsafe method makes stale: its target, and what its answer names (RFC 9111 §4.4, RFC 9875 §3).

use std::future::Future;
use std::sync::Arc;

use http::header::{CONTENT_LOCATION, LOCATION};
use http::{HeaderMap, HeaderName, Method, Request, Response, Uri};
use iri_string::types::{UriAbsoluteStr, UriReferenceStr};
use larder_store::{Strength, Tag};

use crate::built::Built;
use crate::key::client_uri;
use crate::recipe::now_or_later;
use crate::{admit, groups, tags};

/// A request that may change what is stored, on its way to the handler.
///
/// What it changes is forgotten before its answer goes on. When there is no answer to tell how it ended, because the
/// handler failed or the client went away, it is forgotten too: one miss too many, and no stale hit.
pub(crate) struct Mutation {
    layer: Arc<Built>,
    /// The host and port, and the path and query that were asked, as far as they count.
    origin: String,
    target: String,
    /// Whether it names one host: of two it is unknown whose handler answers, and what that names may be another's.
    believed: bool,
    /// Whether it is unknown still what became of it.
    pending: bool,
}

impl Mutation {
    /// The mutation that `request` may be in this layer, if it may be one.
    pub(crate) fn of<B>(request: &Request<B>, layer: &Arc<Built>) -> Option<Self> {
        if !layer.policy.rules.mutations || is_safe(request.method()) {
            return None;
        }
        Some(Self {
            layer: Arc::clone(layer),
            origin: admit::authority(request).unwrap_or_default().to_owned(),
            target: tags::target(client_uri(request), &layer.policy).into_owned(),
            believed: admit::names_one_host(request),
            pending: true,
        })
    }

    /// Forgets what the request changed, as far as its answer tells. The future holds nothing of the answer, which need
    /// not be `Sync`.
    pub(crate) fn happened<B, E>(
        self,
        result: &Result<Response<B>, E>,
    ) -> impl Future<Output = ()> + Send + use<B, E> {
        let tags = match result {
            Ok(response) => self.changed(response.status().as_u16(), response.headers()),
            // It may have reached its handler.
            Err(_) => self.own(),
        };
        async move {
            let mut mutation = self;
            if !tags.is_empty() {
                // That it failed is in the log and in the metrics, and nothing more can be done: the change is made.
                let _ = mutation.layer.engine.forget(&tags, Strength::Hard).await;
            }
            mutation.pending = false;
        }
    }

    /// The tags of its own target.
    fn own(&self) -> Vec<Tag> {
        tags_of(&self.origin, &self.target).to_vec()
    }

    fn changed(&self, status: u16, headers: &HeaderMap) -> Vec<Tag> {
        let succeeded = (200..400).contains(&status);
        let mut tags = if succeeded { self.own() } else { Vec::new() };
        if !self.believed {
            return tags;
        }
        if succeeded {
            for name in [LOCATION, CONTENT_LOCATION] {
                tags.extend(self.named(headers, &name));
            }
        }
        if self.layer.policy.rules.groups {
            let groups = groups::invalidated_groups(headers);
            tags.extend(groups.iter().map(|group| Tag::group(&self.origin, group)));
        }
        tags
    }

    /// The tags of the targets that a header names, if they are of the same origin.
    fn named(&self, headers: &HeaderMap, name: &HeaderName) -> Vec<Tag> {
        let values = headers.get_all(name).iter();
        let targets =
            values.filter_map(|value| same_origin(&self.origin, &self.target, value.to_str().ok()?));
        targets
            .flat_map(|target| tags_of(&self.origin, &tags::target(&target, &self.layer.policy)))
            .collect()
    }
}

impl Drop for Mutation {
    fn drop(&mut self) {
        if !self.pending {
            return;
        }
        let (layer, tags) = (Arc::clone(&self.layer), self.own());
        let core = Arc::clone(layer.engine.core());
        now_or_later(&core, async move {
            let _ = layer.engine.forget(&tags, Strength::Hard).await;
        });
    }
}

/// The methods that change nothing (RFC 9110 §9.2.1, and the registry of methods); a method that is not known may.
fn is_safe(method: &Method) -> bool {
    matches!(
        method.as_str(),
        "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PROPFIND" | "REPORT" | "SEARCH" | "QUERY"
    )
}

/// The tags of a target: its own, and that of the responses of its path that answer several queries.
pub(crate) fn tags_of(origin: &str, target: &str) -> [Tag; 2] {
    let path = target.split('?').next().unwrap_or_default();
    [Tag::target(origin, target), Tag::searches(origin, path)]
}

/// The path and query that `reference` names from `target` at `origin` (RFC 3986 §5), if that is at the same origin.
///
/// The scheme is not compared, since a layer behind a proxy does not know its own: of one host and port, a target too
/// many may be forgotten.
pub(crate) fn same_origin(origin: &str, target: &str, reference: &str) -> Option<Uri> {
    let reference = UriReferenceStr::new(reference).ok()?;
    // A target may have bytes that a URI has not, most often in its query. Few references depend on that, or on the path.
    let path = target.split('?').next().unwrap_or_default();
    let resolved = [target, path, "/"].into_iter().find_map(|from| {
        let base = format!("http://{origin}{from}");
        let base = UriAbsoluteStr::new(&base).ok()?;
        Some(reference.resolve_against(base).to_string())
    })?;
    let resolved: Uri = resolved.split('#').next()?.parse().ok()?;
    let same = without_default_port(resolved.authority()?.as_str()) == without_default_port(origin);
    same.then_some(resolved)
}

fn without_default_port(authority: &str) -> String {
    let port = authority
        .strip_suffix(":80")
        .or_else(|| authority.strip_suffix(":443"));
    port.unwrap_or(authority).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::uri::PathAndQuery;

    #[test]
    fn a_reference_counts_at_its_own_origin_only() {
        for (reference, expected) in [
            ("/b?c=1", Some("/b?c=1")),
            ("b", Some("/x/b")),
            ("../b", Some("/b")),
            ("?q", Some("/x/y?q")),
            ("#part", Some("/x/y?z=1")),
            ("", Some("/x/y?z=1")),
            ("http://JAM.test/b", Some("/b")),
            ("https://jam.test:443/b#part", Some("/b")),
            ("http://jam.test", Some("/")),
            ("//jam.test/b", Some("/b")),
            ("http://other.test/b", None),
            ("//other.test/b", None),
            ("http://jam.test:81/b", None),
            ("mailto:jam@jam.test", None),
            ("/a b", None),
            ("/\u{e4}", None),
        ] {
            let found = same_origin("jam.test", "/x/y?z=1", reference);
            let found = found
                .as_ref()
                .and_then(Uri::path_and_query)
                .map(PathAndQuery::as_str);
            assert_eq!(found, expected, "{reference}");
        }
    }

    #[test]
    fn a_reference_counts_from_a_target_that_is_no_uri_too() {
        for (target, reference, expected) in [
            ("/x/y?z={1}", "b", "/x/b"),
            ("/x/y?z={1}", "/b", "/b"),
            ("/{x}/y?z=1", "http://jam.test/b", "/b"),
            ("/100%", "/b?c", "/b?c"),
        ] {
            let found = same_origin("jam.test", target, reference);
            let found = found
                .as_ref()
                .and_then(Uri::path_and_query)
                .map(PathAndQuery::as_str);
            assert_eq!(found, Some(expected), "{reference} from {target}");
        }
    }

    #[test]
    fn what_is_not_known_to_be_safe_is_not() {
        for method in ["GET", "HEAD", "OPTIONS", "QUERY"] {
            assert!(is_safe(&method.parse().unwrap()));
        }
        for method in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "FROB", "get"] {
            assert!(!is_safe(&method.parse().unwrap()));
        }
    }
}
