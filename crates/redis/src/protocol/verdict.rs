//! What the records say of an entry: the one place that decides whether it may be used.

use xxhash_rust::xxh3::xxh3_64;

use super::record::{Record, Root, Stamp};

/// What the records say of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// None of its tags was forgotten since its stamp was taken.
    Valid,
    /// One of them was forgotten softly.
    Soft,
    /// A change of one of them was announced and is not finished.
    Intent,
    /// One of them was forgotten, or its record is lost.
    Forgotten,
    /// It is of another generation than the records, or the records are of another process.
    Epoch,
}

/// Whether an entry with `stamp` may be used, by the `root` and the `records` of all its tags as the server with `run_id`
/// gave them at one moment. What is missing, or no record, forbids it.
pub(crate) fn judge<'a>(
    stamp: Stamp,
    run_id: &[u8],
    root: Option<&[u8]>,
    records: impl IntoIterator<Item = Option<&'a [u8]>>,
) -> Verdict {
    let Some(root) = root.and_then(Root::parse) else {
        return Verdict::Epoch;
    };
    let is_of_this_life = root.run_id == run_id || cfg!(larder_mutant = "redis_ignores_run_id");
    if !is_of_this_life || root.generation != stamp.generation {
        return Verdict::Epoch;
    }
    let mut worst = by_numbers(root.hard, root.soft, stamp);
    for record in records {
        let Some(record) = record.and_then(Record::parse) else {
            if cfg!(larder_mutant = "redis_missing_is_valid") {
                continue;
            }
            return Verdict::Forgotten;
        };
        let verdict = if record.generation != stamp.generation {
            Verdict::Forgotten
        } else if record.intents.is_empty() {
            by_numbers(record.hard, record.soft, stamp)
        } else {
            Verdict::Intent
        };
        worst = worst.max(verdict);
    }
    worst
}

fn by_numbers(hard: u64, soft: u64, stamp: Stamp) -> Verdict {
    if hard > stamp.sequence {
        Verdict::Forgotten
    } else if soft > stamp.sequence {
        Verdict::Soft
    } else {
        Verdict::Valid
    }
}

/// A number that is the same for two captures only if no invalidation of their tags lies between them: of the records as
/// they were captured.
pub(crate) fn fingerprint<'a>(records: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    if cfg!(larder_mutant = "redis_joins_by_key") {
        return 0;
    }
    records.into_iter().fold(0, |sum: u64, record| {
        sum.rotate_left(7).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ xxh3_64(record)
    })
}
