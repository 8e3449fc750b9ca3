//! How things are shown as JSON: texts within a bound, and numbers in milliseconds.

use std::time::Duration;

use larder_cache_layer::{Counts, PastFill, PastInvalidation, Stats};
use larder_lock::QueuedLock;
use larder_store::{Tag, TagKind};
use serde_json::{Map, Value, json};

/// How many bytes of one text are shown.
const TEXT: usize = 256;

/// The beginning of `text`.
pub(crate) fn text(text: &str) -> String {
    if text.len() <= TEXT {
        return text.to_owned();
    }
    let mut end = TEXT;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// Bytes as a text: what is no UTF-8 in them is shown as such.
pub(crate) fn bytes(bytes: &[u8]) -> String {
    text(&String::from_utf8_lossy(&bytes[..bytes.len().min(2 * TEXT)]))
}

pub(crate) fn tag(tag: &Tag) -> Value {
    kind_and_text(tag.kind(), tag.as_str())
}

pub(crate) fn kind_and_text(kind: TagKind, of: &str) -> Value {
    json!({ "kind": kind.as_str(), "text": text(of) })
}

#[allow(clippy::cast_precision_loss, reason = "for people to read")]
pub(crate) fn ms(time: Duration) -> f64 {
    (time.as_micros() as f64) / 1000.0
}

pub(crate) fn stats(stats: &Stats) -> Value {
    let layers = stats.layers.iter().map(|layer| {
        let mut shown = counts(&layer.counts);
        if let Value::Object(shown) = &mut shown {
            shown.insert("name".to_owned(), (*layer.name).into());
            shown.insert("is_on".to_owned(), layer.is_on.into());
            shown.insert("is_layer".to_owned(), layer.is_layer.into());
        }
        shown
    });
    let families = stats.tag_families.iter().map(
        |family| json!({ "name": text(&family.name), "kept": family.kept, "forgotten": family.forgotten }),
    );
    let condition = &stats.condition;
    json!({
        "enabled": stats.enabled,
        "total": counts(&stats.total()),
        "layers": layers.collect::<Vec<_>>(),
        "tag_families": families.collect::<Vec<_>>(),
        "store": {
            "name": stats.store,
            "breaker": condition.breaker.map(larder_store::Breaker::as_str),
            "failure": condition.failure.as_deref().map(text),
            "owed": condition.owed,
            "feed": condition.feed,
            "entries": stats.memory.entries,
            "bytes": stats.memory.bytes,
            "capacity": stats.memory.capacity,
            "tags": stats.memory.tags,
        },
    })
}

fn counts(counts: &Counts) -> Value {
    json!({
        "requests": counts.requests(),
        "hits": counts.hits(),
        "hit_ratio": counts.hit_ratio(),
        "outcomes": words(counts.outcomes().map(|(why, count)| (why.as_str(), count))),
        "misses": words(counts.misses().map(|(why, count)| (why.as_str(), count))),
        "bypasses": words(counts.bypasses().map(|(why, count)| (why.as_str(), count))),
        "uncacheable": words(counts.uncacheable().map(|(why, count)| (why.as_str(), count))),
        "fills": counts.fills(),
        "failed_fills": counts.failed_fills(),
        "slow_fills": counts.slow_fills(),
        "fill_ms": counts.fill_time().as_millis(),
        "hit_us": counts.hit_time().map(|time| ms(time) * 1000.0),
    })
}

/// Those that were counted.
fn words(all: impl Iterator<Item = (&'static str, u64)>) -> Value {
    let counted = all.filter(|(_, count)| *count > 0);
    Value::Object(
        counted
            .map(|(word, count)| (word.to_owned(), count.into()))
            .collect::<Map<_, _>>(),
    )
}

pub(crate) fn invalidation(past: &PastInvalidation) -> Value {
    let tags = past.tags.iter().map(|tag| kind_and_text(tag.kind, &tag.text));
    json!({
        "at_ms": past.at.as_millis(),
        "kind": past.kind,
        "source": past.source,
        "action": past.action.as_deref().map(text),
        "tags": tags.collect::<Vec<_>>(),
        "more_tags": past.more_tags,
        "strength": past.strength.as_str(),
        "known": past.known,
        "took_ms": ms(past.took),
    })
}

pub(crate) fn fill(past: &PastFill) -> Value {
    json!({
        "at_ms": past.at.as_millis(),
        "cache": text(&past.cache),
        "target": past.target,
        "mode": past.mode,
        "reason": past.reason.as_str(),
        "result": past.result,
        "took_ms": ms(past.took),
        "not_kept": past.not_kept.map(larder_cache_layer::UncacheableReason::as_str),
    })
}

pub(crate) fn lock(lock: &QueuedLock) -> Value {
    json!({
        "key": text(&lock.key),
        "holding": lock.holding,
        "waiting": lock.waiting,
        "remaining_ms": lock.remaining.map(ms),
    })
}
