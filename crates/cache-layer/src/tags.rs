//! The tags that an entry carries before its handler said anything.

use http::Request;
use larder_store::Tag;

use crate::identity::Identity;
use crate::key::client_uri;
use crate::policy::Policy;

/// The layer's own tags, and those that every entry carries: its layer, its URI, each prefix of its path, and whose it is.
pub(crate) fn known<B>(request: &Request<B>, policy: &Policy, identity: Option<&Identity>) -> Vec<Tag> {
    let uri = client_uri(request);
    let mut tags = Vec::with_capacity(policy.tags.len() + 8);
    tags.push(Tag::layer(policy.name.clone()));
    tags.extend(Tag::of_target(
        uri.path_and_query().map_or("/", |target| target.as_str()),
    ));
    tags.extend(identity.map(Identity::tag));
    tags.extend(policy.tags.iter().cloned());
    tags
}
