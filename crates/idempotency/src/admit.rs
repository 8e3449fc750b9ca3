//! Which requests are operations with an idempotency key, by their heads alone.

use http::request::Parts;

use crate::execution::{Execution, Principal};
use crate::key::{IdempotencyKey, NoKey};
use crate::policy::Policy;
use crate::problem::Problem;

/// What is to be done with a request.
pub(crate) enum Admission {
    /// It goes to the handler, and the layer has no part.
    Pass,
    Refuse(Problem),
    Run(Asked),
}

/// What a request asks for.
pub(crate) struct Asked {
    pub(crate) key: IdempotencyKey,
    pub(crate) principal: Option<Principal>,
    pub(crate) target: String,
}

pub(crate) fn request(parts: &Parts, policy: &Policy) -> Admission {
    // One that runs already came through a layer further out, or through this one twice.
    if !policy.methods.contains(&parts.method) || parts.extensions.get::<Execution>().is_some() {
        return Admission::Pass;
    }
    let key = match IdempotencyKey::read(&parts.headers) {
        Ok(key) => key,
        Err(NoKey::Missing) if !policy.required => return Admission::Pass,
        Err(NoKey::Missing) => return Admission::Refuse(Problem::KeyMissing),
        Err(NoKey::Invalid) => return Admission::Refuse(Problem::KeyInvalid),
    };
    let principal = match &policy.principal {
        None => None,
        Some(principal_of) => match principal_of(parts).filter(|principal| !principal.as_str().is_empty()) {
            None => return Admission::Refuse(Problem::NoPrincipal),
            principal => principal,
        },
    };
    Admission::Run(Asked {
        key,
        principal,
        target: target(parts),
    })
}

/// Path and query as the client sent them.
pub(crate) fn target(parts: &Parts) -> String {
    // A router that is nested in another sees only the end of the path.
    #[cfg(feature = "axum")]
    let uri = parts
        .extensions
        .get::<axum::extract::OriginalUri>()
        .map_or(&parts.uri, |original| &original.0);
    #[cfg(not(feature = "axum"))]
    let uri = &parts.uri;
    uri.path_and_query()
        .map_or("/", |target| target.as_str())
        .to_owned()
}
