//! What an invalidation asks of a cache.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use larder_store::{Forgotten, StoreError, Strength, Tag};

/// An invalidation under way.
pub type Forgetting<'a> = Pin<Box<dyn Future<Output = Result<Forgotten, StoreError>> + Send + 'a>>;

/// A cache that forgets: the engine of the cache layers, or another that a test puts in its place.
///
/// Both calls have a time limit of their own, after which they fail.
pub trait Forget: fmt::Debug + Send + Sync + 'static {
    /// Forgets all entries that carry one of `tags`; complete when it answers `Ok`.
    fn forget<'a>(&'a self, tags: &'a [Tag], strength: Strength, cause: Cause) -> Forgetting<'a>;

    /// Forgets all entries; complete when it answers `Ok`.
    fn forget_everything(&self, strength: Strength, cause: Cause) -> Forgetting<'_>;
}

/// What led to an invalidation, in full; a [`Source`] is one without names. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cause {
    /// What kind of thing it was.
    pub source: Source,
    /// The names of the actions that happened, with commas between them, where they have any.
    pub action: Option<Arc<str>>,
}

impl Cause {
    /// These actions.
    #[must_use]
    pub fn actions<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<&str> = names.into_iter().collect();
        Self {
            source: Source::Action,
            action: (!names.is_empty()).then(|| names.join(", ").into()),
        }
    }
}

impl From<Source> for Cause {
    fn from(source: Source) -> Self {
        Self { source, action: None }
    }
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
