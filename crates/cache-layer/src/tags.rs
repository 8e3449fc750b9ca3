//! The tags that an entry carries before its handler said anything.

use std::borrow::Cow;
use std::cell::OnceCell;

use http::{Extensions, Request, Uri};
use larder_store::{Tag, TagTemplate, UnfilledPlaceholder};

use crate::admit;
use crate::identity::Identity;
use crate::key::client_uri;
use crate::policy::Policy;

/// The tags of a request, and which of the layer's placeholders it has no value for: without all of its tags its response
/// must not be kept.
pub(crate) struct Known {
    pub(crate) tags: Vec<Tag>,
    pub(crate) unfilled: Option<UnfilledPlaceholder>,
}

/// The layer's own tags, and those that every entry carries: its layer, its URI, each prefix of its path, whose it is, and
/// what a mutation forgets.
pub(crate) fn known<B>(request: &Request<B>, policy: &Policy, identity: Option<&Identity>) -> Known {
    let uri = client_uri(request);
    let mut tags = Vec::with_capacity(policy.tags.len() + 8);
    tags.push(Tag::layer(policy.name.clone()));
    tags.extend(Tag::of_target(&target(uri, policy)));
    if policy.rules.mutations {
        let origin = admit::authority(request).unwrap_or_default();
        tags.push(Tag::target(origin, &target(uri, policy)));
    }
    tags.extend(identity.map(Identity::tag));
    let mut unfilled = None;
    let values = OnceCell::new();
    for template in &policy.tags {
        // Most have no placeholders: then nothing is looked for.
        let filled = template.fill(|name| {
            let values = values.get_or_init(|| Values::of(request, policy, identity));
            values.value(name).map(|value| Cow::Owned(value.to_owned()))
        });
        match filled {
            Ok(filled) => tags.extend(filled),
            Err(error) => unfilled = Some(error),
        }
    }
    Known { tags, unfilled }
}

/// The path and query, without the parameters that do not count: requests that share an entry share its tag too.
pub(crate) fn target<'u>(uri: &'u Uri, policy: &Policy) -> Cow<'u, str> {
    match counted(uri, policy) {
        Some(query) => format!("{}?{query}", uri.path()).into(),
        None => uri.path().into(),
    }
}

/// The part of the query that counts.
fn counted<'u>(uri: &'u Uri, policy: &Policy) -> Option<Cow<'u, str>> {
    uri.query().and_then(|query| policy.query.canonical(query).query)
}

/// How the placeholder of the identity is called, and what those of the query begin with.
const IDENTITY: &str = "identity";
const QUERY: &str = "query.";

/// The names in `template` that have no value on the route `path`, if its layer is or is not by identity.
pub(crate) fn unknown<'t>(template: &'t TagTemplate, path: &str, per_identity: bool) -> Vec<&'t str> {
    let parameters: Vec<&str> = path
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
        .map(|name| name.strip_prefix('*').unwrap_or(name))
        .collect();
    let known = |name: &&str| match *name {
        IDENTITY => per_identity,
        name => name.starts_with(QUERY) || parameters.contains(&name),
    };
    template.placeholders().filter(|name| !known(name)).collect()
}

/// What placeholders are filled with.
struct Values {
    path: Vec<(String, String)>,
    query: Vec<(String, String)>,
    identity: Option<Identity>,
}

impl Values {
    fn of<B>(request: &Request<B>, policy: &Policy, identity: Option<&Identity>) -> Self {
        // As the handler sees it: a parameter that does not count is hidden from it, and must not choose a tag either.
        let query = counted(request.uri(), policy).unwrap_or_default();
        Self {
            path: path_parameters(request.extensions()),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            identity: identity.cloned(),
        }
    }

    fn value(&self, name: &str) -> Option<&str> {
        if name == IDENTITY {
            return self.identity.as_ref().map(Identity::as_str);
        }
        let Some(name) = name.strip_prefix(QUERY) else {
            let found = self.path.iter().find(|(known, _)| known == name);
            return found.map(|(_, value)| value.as_str());
        };
        // Of two it is unknown which the handler reads.
        let mut found = self.query.iter().filter(|(known, _)| known == name);
        let (first, second) = (found.next(), found.next());
        first
            .filter(|_| second.is_none())
            .map(|(_, value)| value.as_str())
    }
}

/// The path parameters that axum's router found, with their escapes undone.
#[cfg(feature = "axum")]
fn path_parameters(extensions: &Extensions) -> Vec<(String, String)> {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use axum::extract::{FromRequestParts, RawPathParams};

    let (mut parts, ()) = Request::new(()).into_parts();
    parts.extensions = extensions.clone();
    // It looks into the extensions and waits for nothing.
    let found = pin!(RawPathParams::from_request_parts(&mut parts, &()))
        .poll(&mut Context::from_waker(Waker::noop()));
    match found {
        Poll::Ready(Ok(found)) => found
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(not(feature = "axum"))]
const fn path_parameters(_: &Extensions) -> Vec<(String, String)> {
    Vec::new()
}
