//! An invalidation that was asked for, and what it did.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use larder_invalidation::{ActionError, Cause, Invalidator, Source};
use larder_store::{Strength, Tag};

use crate::error::Error;

/// An invalidation. It does nothing until it is awaited, and is complete when that returns.
///
/// ```
/// use larder::Larder;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), larder::Error> {
/// let larder = Larder::in_memory(1 << 20);
/// larder.invalidate_tag("ratings").await?; // not served again
/// larder.invalidate_tag("ratings").soft().await?; // served stale, while one fill replaces it
/// # Ok(()) }
/// ```
#[must_use = "an invalidation does nothing until it is awaited"]
pub struct Invalidation {
    invalidator: Invalidator,
    what: What,
    strength: Strength,
}

enum What {
    Tags(Cause, Vec<Tag>),
    Everything,
    Nothing(ActionError),
}

impl Invalidation {
    pub(crate) fn of_tags(invalidator: &Invalidator, tags: Vec<Tag>) -> Self {
        Self::new(invalidator, What::Tags(Source::Api.into(), tags))
    }

    pub(crate) fn of_everything(invalidator: &Invalidator) -> Self {
        Self::new(invalidator, What::Everything)
    }

    pub(crate) fn of_action(
        invalidator: &Invalidator,
        name: Option<&str>,
        tags: Result<Vec<Tag>, ActionError>,
    ) -> Self {
        let what = match tags {
            Ok(tags) => What::Tags(Cause::actions(name), tags),
            Err(error) => What::Nothing(error),
        };
        Self::new(invalidator, what)
    }

    fn new(invalidator: &Invalidator, what: What) -> Self {
        Self {
            invalidator: invalidator.clone(),
            what,
            strength: Strength::Hard,
        }
    }

    /// Lets what is forgotten be served stale, within the
    /// [`stale_while_revalidate`](crate::CacheLayer::stale_while_revalidate) of its layer, while a background fill replaces
    /// it. In a layer without such a window it is not served again, as by default.
    pub const fn soft(mut self) -> Self {
        self.strength = Strength::Soft;
        self
    }
}

impl IntoFuture for Invalidation {
    type Output = Result<Invalidated, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self {
            invalidator,
            what,
            strength,
        } = self;
        Box::pin(async move {
            let done = match what {
                What::Tags(cause, tags) => invalidator.forget(&tags, strength, cause).await?,
                What::Everything => invalidator.forget_everything(strength, Source::Api).await?,
                What::Nothing(error) => return Err(error.into()),
            };
            Ok(Invalidated { known: done.known })
        })
    }
}

impl fmt::Debug for Invalidation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Invalidation");
        match &self.what {
            What::Tags(_, tags) => shown.field("tags", tags),
            What::Everything => shown.field("everything", &true),
            What::Nothing(error) => shown.field("error", error),
        };
        shown
            .field("strength", &self.strength.as_str())
            .finish_non_exhaustive()
    }
}

/// What an invalidation did.
///
/// For the client that asked for the change, [`ReadToken::after`](crate::ReadToken::after) its `Result` is what lets it
/// read what it wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invalidated {
    /// How many of the tags named were carried by an entry.
    pub known: usize,
}
