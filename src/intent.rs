//! Changes that are announced before they are made, so that a crash in between leaves nothing stale.

use std::time::Duration;

use larder_cache_layer::Engine;
use larder_store::{Announcement, Tag};

use crate::error::Error;
use crate::invalidation::Invalidated;
use crate::larder::Larder;

impl Larder {
    /// Announces a change of what `tags` stand for, before it is made: until [`Intent::finish`], no entry with one of them is
    /// served on any instance, and none is kept. If this process dies before, or drops the intent, that ends after `lasts`, and
    /// what was kept before the change is forgotten all the same.
    ///
    /// For changes that must not be missed even by a crash between their commit and their invalidation. The change must be over
    /// within `lasts`: bound the transaction below it (`statement_timeout`).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # async fn commit() {}
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), larder::Error> {
    /// # let larder = larder::Larder::in_memory(1 << 20);
    /// let intent = larder.intend(["ratings"], Duration::from_secs(10)).await?;
    /// commit().await;
    /// intent.finish().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the store failed: then nothing is announced, or ends after `lasts`.
    pub async fn intend<T: Into<Tag>>(
        &self,
        tags: impl IntoIterator<Item = T>,
        lasts: Duration,
    ) -> Result<Intent, Error> {
        let tags: Vec<Tag> = tags.into_iter().map(Into::into).collect();
        let announcement = self.engine().announce(&tags, lasts).await?;
        Ok(Intent {
            engine: self.engine().clone(),
            tags,
            announcement,
        })
    }
}

/// A change that was [announced](Larder::intend).
#[derive(Debug)]
#[must_use = "what was announced lasts until `finish`"]
pub struct Intent {
    engine: Engine,
    tags: Vec<Tag>,
    announcement: Announcement,
}

impl Intent {
    /// The change was made, or was given up: forgets all entries that carry one of the tags, and lets new ones be kept.
    ///
    /// # Errors
    /// When the store failed: what was announced ends by itself.
    pub async fn finish(self) -> Result<Invalidated, Error> {
        let done = self.engine.finish(&self.tags, self.announcement).await?;
        Ok(Invalidated { known: done.known })
    }
}
