//! Numbers for programs: what the layers have counted, and how much is kept.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use larder_store::{Condition, Shelf, Size, Store, TagKind};

use crate::families::TagFamily;
use crate::tally::Counts;

/// What all layers of one engine have counted, and how its store is.
///
/// The counters only grow. Reading them costs some hundred loads for each layer, and holds up no request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Stats {
    /// Each layer and each function's policy that was used, by name.
    pub layers: Vec<LayerStats>,
    /// The tags that the application named, by what they begin with.
    pub tag_families: Vec<TagFamily>,
    /// What is kept in this process: the tier `l1`. Of what a store keeps elsewhere, there is no account.
    pub memory: Size,
    /// The word for the kind of store, such as `memory` or `redis`.
    pub store: &'static str,
    /// How the store is: its breaker, its feed, what it owes.
    pub condition: Condition,
    /// Whether the layers are switched on together; each has a switch of its own beside that.
    pub enabled: bool,
}

impl Stats {
    /// The counters of all layers together.
    #[must_use]
    pub fn total(&self) -> Counts {
        self.layers
            .iter()
            .fold(Counts::default(), |sum, layer| sum.plus(&layer.counts))
    }

    /// The layer called `name`.
    #[must_use]
    pub fn layer(&self, name: &str) -> Option<&LayerStats> {
        self.layers.iter().find(|layer| &*layer.name == name)
    }
}

/// What one layer has counted.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LayerStats {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is switched on; a function's policy has no switch, and is on.
    pub is_on: bool,
    /// Whether it is a layer around a service, and not a function's policy.
    pub is_layer: bool,
    /// Its counters.
    pub counts: Counts,
}

/// What is kept in this process of one layer, or of a function's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerSize {
    /// Its name.
    pub name: Box<str>,
    /// Entries, dead and expired ones that were not replaced yet included.
    pub entries: usize,
    /// Their bytes: keys, headers, bodies, tags and bookkeeping.
    pub bytes: u64,
}

/// What `store` keeps in this process of each layer, by name.
pub(crate) fn sizes(store: &dyn Store) -> Vec<LayerSize> {
    let mut sizes: BTreeMap<Box<str>, (usize, u64)> = BTreeMap::new();
    store.visit(&mut |key, entry| {
        let layer = entry.tags.iter().find(|tag| tag.kind() == TagKind::Layer);
        if let Some(layer) = layer {
            let bytes = Shelf::weight(key, entry);
            // A name is copied once, and not for each of its entries.
            match sizes.get_mut(layer.as_str()) {
                Some(size) => *size = (size.0 + 1, size.1 + bytes),
                None => drop(sizes.insert(layer.as_str().into(), (1, bytes))),
            }
        }
        ControlFlow::Continue(())
    });
    let size = |(name, (entries, bytes))| LayerSize { name, entries, bytes };
    sizes.into_iter().map(size).collect()
}
