//! The tags that an entry carries before its handler said anything.

use std::borrow::Cow;

use http::{Request, Uri};
use larder_store::Tag;

use crate::admit;
use crate::identity::Identity;
use crate::key::client_uri;
use crate::policy::Policy;

/// The layer's own tags, and those that every entry carries: its layer, its URI, each prefix of its path, whose it is, and
/// what a mutation forgets.
pub(crate) fn known<B>(request: &Request<B>, policy: &Policy, identity: Option<&Identity>) -> Vec<Tag> {
    let uri = client_uri(request);
    let mut tags = Vec::with_capacity(policy.tags.len() + 8);
    tags.push(Tag::layer(policy.name.clone()));
    tags.extend(Tag::of_target(&target(uri, policy)));
    if policy.rules.mutations {
        let origin = admit::authority(request).unwrap_or_default();
        tags.push(Tag::target(origin, &target(uri, policy)));
    }
    tags.extend(identity.map(Identity::tag));
    tags.extend(policy.tags.iter().cloned());
    tags
}

/// The path and query, without the parameters that do not count: requests that share an entry share its tag too.
pub(crate) fn target<'u>(uri: &'u Uri, policy: &Policy) -> Cow<'u, str> {
    let query = uri.query().and_then(|query| policy.query.canonical(query).query);
    match query {
        Some(query) => format!("{}?{query}", uri.path()).into(),
        None => uri.path().into(),
    }
}
