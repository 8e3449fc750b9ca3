//! The tags that an entry carries before its handler said anything.

use http::{Request, Uri};
use larder_store::Tag;

use crate::identity::Identity;
use crate::key::client_uri;
use crate::policy::Policy;

/// The layer's own tags, and those that every entry carries: its layer, its URI, each prefix of its path, and whose it is.
pub(crate) fn known<B>(request: &Request<B>, policy: &Policy, identity: Option<&Identity>) -> Vec<Tag> {
    let uri = client_uri(request);
    let mut tags = Vec::with_capacity(policy.tags.len() + 8);
    tags.push(Tag::layer(policy.name.clone()));
    tags.push(uri_tag(uri, policy));
    tags.extend(Tag::paths_of(uri.path()));
    tags.extend(identity.map(Identity::tag));
    tags.extend(policy.tags.iter().cloned());
    tags
}

/// The tag of the URI, without the parameters that do not count: requests that share an entry share it too.
fn uri_tag(uri: &Uri, policy: &Policy) -> Tag {
    let query = uri.query().and_then(|query| policy.query.canonical(query).query);
    match query {
        Some(query) => Tag::uri(format!("{}?{query}", uri.path())),
        None => Tag::uri(uri.path()),
    }
}
