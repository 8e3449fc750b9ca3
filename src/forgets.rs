//! The engine as what invalidations ask.

use larder_cache_layer::Engine;
use larder_invalidation::{Forget, Forgetting, Source};
use larder_store::{Strength, Tag};

#[derive(Debug)]
pub(crate) struct Forgets(pub(crate) Engine);

impl Forget for Forgets {
    fn forget<'a>(&'a self, tags: &'a [Tag], strength: Strength, source: Source) -> Forgetting<'a> {
        Box::pin(self.0.forget_for(source.as_str(), tags, strength))
    }

    fn forget_everything(&self, strength: Strength, source: Source) -> Forgetting<'_> {
        Box::pin(self.0.forget_everything_for(source.as_str(), strength))
    }
}
