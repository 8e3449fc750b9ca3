//! What is looked at: the parts of one handle.

use larder_cache_layer::Engine;
use larder_invalidation::Invalidator;
use larder_lock::Locker;

/// The parts of a cache that an operator looks at. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Parts {
    /// What makes the layers.
    pub engine: Engine,
    /// What forgets.
    pub invalidator: Invalidator,
    /// What takes locks.
    pub locker: Locker,
}
