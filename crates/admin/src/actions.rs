//! What makes what stale, as a graph to be drawn.

use larder_invalidation::{Cached, Coverage};
use serde_json::{Value, json};

use crate::parts::Parts;
use crate::shown::text;

/// How many arrows are shown.
const ARROWS: usize = 1000;

pub(crate) fn shown(parts: &Parts) -> Value {
    let described = parts.engine.described().into_iter();
    let cached = described.map(|layer| Cached {
        layer: layer.name.to_string(),
        routes: layer.routes,
        tags: layer.tags,
        per_identity: layer.per_identity,
    });
    let coverage = Coverage::new(parts.invalidator.actions(), cached.collect());
    let texts = |all: &[String]| all.iter().map(|one| text(one)).collect::<Vec<_>>();
    let actions = coverage
        .actions()
        .map(|(name, forgets)| json!({ "name": text(name), "forgets": texts(&forgets) }));
    let caches = coverage
        .cached()
        .iter()
        .map(|cached| json!({ "name": text(&cached.layer), "routes": texts(&cached.routes) }));
    let arrows = coverage
        .arrows()
        .take(ARROWS)
        .map(|(action, cache, by)| json!({ "action": action, "cache": cache, "by": texts(&by) }));
    json!({
        "actions": actions.collect::<Vec<_>>(),
        "caches": caches.collect::<Vec<_>>(),
        "arrows": arrows.collect::<Vec<_>>(),
        "warnings": texts(&coverage.warnings()),
    })
}
