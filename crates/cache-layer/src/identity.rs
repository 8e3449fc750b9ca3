//! Whose data it is: a layer is shared by all, or keeps each verified identity's responses apart.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use http::request::Parts;
use larder_store::Tag;

/// A verified identity: the name of the one user (account, tenant, device) to whom a response belongs.
///
/// It is a part of the key, and a tag: `Tag::identity(id)` forgets everything kept for it, after a logout, say.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identity(Arc<str>);

impl Identity {
    /// The identity called `id`. Make it only of what was verified.
    #[must_use]
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag that all of its entries carry.
    #[must_use]
    pub fn tag(&self) -> Tag {
        Tag::identity(Arc::clone(&self.0))
    }
}

/// Shows that there is one, not which: identities do not belong into logs.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(..)")
    }
}

/// What was found out about who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The credential is valid now, and is this identity's.
    Verified(Identity),
    /// The request carries no credential at all.
    Anonymous,
    /// The request carries a credential that is forged, expired, revoked, or could not be checked. It goes to the
    /// handler uncached.
    Rejected,
}

impl From<Identity> for Verdict {
    fn from(identity: Identity) -> Self {
        Self::Verified(identity)
    }
}

/// `None` is [`Rejected`](Verdict::Rejected): it does not tell an absent credential from a bad one.
impl From<Option<Identity>> for Verdict {
    fn from(identity: Option<Identity>) -> Self {
        identity.map_or(Self::Rejected, Self::Verified)
    }
}

/// Finds out and *verifies* who asks, for [`user_cache`](crate::Preset::User) layers.
///
/// A hit answers without the handler, and so without the handler's own check of the credential. What this returns is
/// therefore the only check there is: it must refuse a credential that is forged, expired or revoked, on every
/// request. Its cost is added to every request that may use the layer (one that may not, a POST say, goes to the handler
/// unasked), and its time is limited by the layer's [`wait`](crate::CacheLayer::wait), after which the request goes to the
/// handler too. An identity with an empty name is none.
///
/// Closures that take `&Parts` and return a future implement it, as does `from_extractor` (feature `axum`) for any
/// axum extractor with the state that it needs.
///
/// ```
/// use larder_cache_layer::{Identify, Identity, Verdict};
///
/// fn sessions() -> impl Identify {
///     |parts: &http::request::Parts| {
///         let session = parts.extensions.get::<u64>().copied();
///         async move { session.map(|user| Identity::new(user.to_string())) }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say who asks",
    note = "a user_cache needs a verified identity: a closure `|parts: &Parts| async {{ … Option<Identity> }}`, \
            `from_extractor(state, |user: &User| Identity::new(…))`, or a type that implements `Identify`"
)]
pub trait Identify: Clone + Send + Sync + 'static {
    /// Who asks. What it changes in `parts` is seen by the handler.
    fn identify(&self, parts: &mut Parts) -> impl Future<Output = Verdict> + Send;
}

impl<F, Fut> Identify for F
where
    F: Fn(&Parts) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: Into<Verdict>,
{
    async fn identify(&self, parts: &mut Parts) -> Verdict {
        let verdict = self(parts);
        verdict.await.into()
    }
}

/// Whether a layer's entries are shared by all, or kept apart by identity; see [`Shared`] and [`PerIdentity`].
pub trait Scope: sealed::Sealed + Clone + Send + Sync + 'static {
    /// Whether all requests share the entries.
    #[doc(hidden)]
    const SHARED: bool;

    #[doc(hidden)]
    fn verdict(&self, parts: &mut Parts) -> impl Future<Output = Verdict> + Send;
}

/// The scope of layers whose entries are shared by all: they refuse requests that carry an identity.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shared;

impl Scope for Shared {
    const SHARED: bool = true;

    async fn verdict(&self, _: &mut Parts) -> Verdict {
        Verdict::Anonymous
    }
}

/// The scope of layers that keep the responses of each identity apart.
#[derive(Debug, Clone)]
pub struct PerIdentity<I>(pub(crate) I);

impl<I: Identify> Scope for PerIdentity<I> {
    const SHARED: bool = false;

    fn verdict(&self, parts: &mut Parts) -> impl Future<Output = Verdict> + Send {
        self.0.identify(parts)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Shared {}
    impl<I> Sealed for super::PerIdentity<I> {}
}

/// Verifies identities with the axum extractor `E`: what a handler would take as its argument.
///
/// `E` is extracted on every request of the layer, hits included, with `state`; `identity` names the identity of what
/// was extracted. A rejection is [`Verdict::Rejected`]: the request goes to the handler, whose own extractor says why.
///
/// ```
/// use axum::extract::FromRequestParts;
/// use larder_cache_layer::{Identity, from_extractor};
///
/// #[derive(Clone)]
/// struct Sessions;
/// struct User { id: u64 }
///
/// impl FromRequestParts<Sessions> for User {
///     type Rejection = axum::http::StatusCode;
///     async fn from_request_parts(_: &mut http::request::Parts, _: &Sessions) -> Result<Self, Self::Rejection> {
///         Ok(User { id: 7 }) // verified against the sessions
///     }
/// }
///
/// let users = from_extractor(Sessions, |user: &User| Identity::new(user.id.to_string()));
/// ```
#[cfg(feature = "axum")]
pub fn from_extractor<E, S, F, V>(state: S, identity: F) -> impl Identify
where
    E: axum::extract::FromRequestParts<S> + Send + 'static,
    S: Clone + Send + Sync + 'static,
    F: Fn(&E) -> V + Clone + Send + Sync + 'static,
    V: Into<Verdict> + 'static,
{
    Extracted {
        state,
        identity,
        extractor: std::marker::PhantomData::<fn() -> (E, V)>,
    }
}

#[cfg(feature = "axum")]
struct Extracted<E, S, F, V> {
    state: S,
    identity: F,
    extractor: std::marker::PhantomData<fn() -> (E, V)>,
}

#[cfg(feature = "axum")]
impl<E, S: Clone, F: Clone, V> Clone for Extracted<E, S, F, V> {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
            identity: self.identity.clone(),
            extractor: self.extractor,
        }
    }
}

#[cfg(feature = "axum")]
impl<E, S, F, V> Identify for Extracted<E, S, F, V>
where
    E: axum::extract::FromRequestParts<S> + Send + 'static,
    S: Clone + Send + Sync + 'static,
    F: Fn(&E) -> V + Clone + Send + Sync + 'static,
    V: Into<Verdict> + 'static,
{
    async fn identify(&self, parts: &mut Parts) -> Verdict {
        match E::from_request_parts(parts, &self.state).await {
            Ok(extracted) => (self.identity)(&extracted).into(),
            Err(_) => Verdict::Rejected,
        }
    }
}
