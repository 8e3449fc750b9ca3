//! What an invalidation asks of a cache.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use larder_store::{Forgotten, StoreError, Strength, Tag};

/// An invalidation under way.
pub type Forgetting<'a> = Pin<Box<dyn Future<Output = Result<Forgotten, StoreError>> + Send + 'a>>;

/// A cache that forgets: the engine of the cache layers, or another that a test puts in its place.
///
/// Both calls have a time limit of their own, after which they fail.
pub trait Forget: fmt::Debug + Send + Sync + 'static {
    /// Forgets all entries that carry one of `tags`; complete when it answers `Ok`.
    fn forget<'a>(&'a self, tags: &'a [Tag], strength: Strength, source: Source) -> Forgetting<'a>;

    /// Forgets all entries; complete when it answers `Ok`.
    fn forget_everything(&self, strength: Strength, source: Source) -> Forgetting<'_>;
}

/// What led to an invalidation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// A call that named tags, a path, a URI, an identity or everything.
    Api,
    /// An action.
    Action,
    /// A request with an unsafe method, for its own URI and what its answer named.
    HttpMethod,
    /// The journal, for one that failed.
    Replay,
}

impl Source {
    /// The word for it in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Action => "action",
            Self::HttpMethod => "http_method",
            Self::Replay => "replay",
        }
    }
}
