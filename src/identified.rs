//! The verified identity as a parameter of actions.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use http::request::Parts;
use larder_cache_layer::{Identify, Verdict};
use larder_invalidation::ParameterSource;

/// The name of the verified identity, as a parameter of an [`InvalidateLayer`](crate::InvalidateLayer): what a
/// [`user_cache`](crate::Larder::user_cache) takes does here too. It is asked once for each request with an unsafe method,
/// and has no value where the identity is refused.
///
/// ```
/// use http::request::Parts;
/// use larder::{ActionRule, Actions, Identity, Larder, identified_by};
///
/// let session = |parts: &Parts| {
///     let user = parts.extensions.get::<u64>().copied();
///     async move { user.map(|user| Identity::new(user.to_string())) }
/// };
/// let actions = Actions::new().with(ActionRule::new("energy_points.change").identity("{user}"));
/// let larder = Larder::in_memory(1 << 20).with_actions(actions);
/// let reads = larder.user_cache("profile", session);
/// let writes = larder.invalidates("energy_points.change").parameter("user", identified_by(session));
/// # drop((reads, writes));
/// ```
#[must_use]
pub fn identified_by(identify: impl Identify) -> impl ParameterSource + fmt::Debug {
    Identified(identify)
}

struct Identified<I>(I);

impl<I: Identify> ParameterSource for Identified<I> {
    fn find<'a>(&'a self, parts: &'a mut Parts) -> Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>> {
        Box::pin(async move {
            match self.0.identify(parts).await {
                Verdict::Verified(identity) => Some(identity.as_str().to_owned()),
                Verdict::Anonymous | Verdict::Rejected => None,
            }
        })
    }
}

impl<I> fmt::Debug for Identified<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identified(..)")
    }
}
