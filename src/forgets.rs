//! The engine as what invalidations ask.

use larder_cache_layer::{Cause as Told, Engine};
use larder_invalidation::{Cause, Forget, Forgetting};
use larder_store::{Strength, Tag};

#[derive(Debug)]
pub(crate) struct Forgets(pub(crate) Engine);

impl Forget for Forgets {
    fn forget<'a>(&'a self, tags: &'a [Tag], strength: Strength, cause: Cause) -> Forgetting<'a> {
        Box::pin(async move {
            let told = Told::of(cause.source.as_str()).action(cause.action.as_deref());
            self.0.forget_because(told, tags, strength).await
        })
    }

    fn forget_everything(&self, strength: Strength, cause: Cause) -> Forgetting<'_> {
        Box::pin(self.0.forget_everything_for(cause.source.as_str(), strength))
    }
}
