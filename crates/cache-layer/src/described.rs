//! What a layer keeps, as far as it is known before any request.

use std::sync::Arc;

use larder_store::TagTemplate;

use crate::policy::Policy;

/// What a layer keeps, as far as it is known before any request: what handlers add to their responses is not in it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Described {
    /// The layer's name.
    pub name: Arc<str>,
    /// The paths of the routes that were declared with it ([`CacheLayer::on_route`](crate::CacheLayer::on_route)).
    pub routes: Vec<String>,
    /// The tags that its entries carry beside those that all do.
    pub tags: Vec<TagTemplate>,
    /// Whether its entries are each one identity's.
    pub per_identity: bool,
}

impl Described {
    pub(crate) fn of(policy: &Policy) -> Self {
        Self {
            name: Arc::clone(&policy.name),
            routes: policy.routes.clone(),
            tags: policy.tags.clone(),
            per_identity: !policy.shared,
        }
    }

    /// Adds what another layer of the same name keeps, or a clone of it with other settings.
    pub(crate) fn add(&mut self, policy: &Policy) {
        for route in &policy.routes {
            if !self.routes.contains(route) {
                self.routes.push(route.clone());
            }
        }
        for tag in &policy.tags {
            if !self.tags.contains(tag) {
                self.tags.push(tag.clone());
            }
        }
    }
}
