//! Looking an entry up, and, where the responses differ by request headers, the one that fits.

use http::HeaderMap;
use larder_store::{Answer, Content, Lookup, SharedEntry, StoreError, VaryNames};

use crate::cached::Cached;
use crate::engine::Core;
use crate::key::{self, KeyBytes};
use crate::status::MissReason;

/// What was found for a request.
#[derive(Debug)]
pub(crate) enum Found {
    /// A response, and whether it was forgotten softly.
    Entry {
        /// The entry.
        entry: Cached,
        /// Stale however young.
        soft: bool,
    },
    /// None.
    Nothing(MissReason),
}

/// What was found, and where.
pub(crate) struct Located {
    pub(crate) found: Found,
    /// By which headers responses under this key were last seen to vary, if they do.
    pub(crate) varies: Option<VaryNames>,
}

/// Looks for the entry of a request in a store that answers at once; `None` when it does not.
#[inline]
pub(crate) fn at_once(core: &Core, primary: &KeyBytes, headers: &HeaderMap) -> Option<Located> {
    let first = ready(core.store.lookup(primary.as_slice()))?;
    let lists = match split(first) {
        Ok(found) => return Some(Located { found, varies: None }),
        Err(marker) => marker,
    };
    let mut choice = Choice::default();
    for names in variants(&lists) {
        choice
            .consider(ready(core.store.lookup(
                key::of_variant(primary.as_slice(), names, headers).as_slice(),
            ))?);
    }
    Some(choice.located(&lists))
}

/// The same in any store.
pub(crate) async fn wait(core: &Core, primary: &[u8], headers: &HeaderMap) -> Located {
    let first = core.ask(core.store.lookup(primary)).await;
    let lists = match split(first) {
        Ok(found) => return Located { found, varies: None },
        Err(marker) => marker,
    };
    let mut choice = Choice::default();
    for names in variants(&lists) {
        let variant = key::of_variant(primary, names, headers);
        choice.consider(core.ask(core.store.lookup(variant.as_slice())).await);
    }
    choice.located(&lists)
}

/// By which headers the responses under `primary` were seen to vary.
pub(crate) async fn known_variants(core: &Core, primary: &[u8]) -> Vec<VaryNames> {
    match split(core.ask(core.store.lookup(primary)).await) {
        Err(marker) => variants(&marker).to_vec(),
        Ok(_) => Vec::new(),
    }
}

fn ready<T>(answer: Answer<T>) -> Option<T> {
    match answer {
        Answer::Ready(value) => Some(value),
        Answer::Later(_) => None,
    }
}

/// A response or nothing; or the mark that there are several, each under a key of its own.
#[inline]
fn split(lookup: Result<Lookup, StoreError>) -> Result<Found, SharedEntry> {
    let (entry, soft) = match lookup {
        Ok(Lookup::Found(entry)) => (entry, false),
        Ok(Lookup::Stale(entry)) => (entry, true),
        Ok(Lookup::Forgotten) => return Ok(Found::Nothing(MissReason::Tag)),
        Ok(_) => return Ok(Found::Nothing(MissReason::Absent)),
        Err(_) => return Ok(Found::Nothing(MissReason::TierError)),
    };
    if matches!(entry.content, Content::Variants(_)) {
        return Err(entry);
    }
    Ok(
        Cached::of(entry).map_or(Found::Nothing(MissReason::Absent), |entry| Found::Entry {
            entry,
            soft,
        }),
    )
}

fn variants(marker: &SharedEntry) -> &[VaryNames] {
    match &marker.content {
        Content::Variants(lists) => lists,
        _ => &[],
    }
}

/// The best of several variants: the one that was received last (RFC 9111 §4.1).
#[derive(Default)]
struct Choice {
    best: Option<(Cached, bool)>,
    failed: bool,
    forgotten: bool,
}

impl Choice {
    fn consider(&mut self, lookup: Result<Lookup, StoreError>) {
        match split(lookup) {
            Ok(Found::Entry { entry, soft }) => {
                let newer = self
                    .best
                    .as_ref()
                    .is_none_or(|(best, _)| best.entry().lifetime.received < entry.entry().lifetime.received);
                if newer {
                    self.best = Some((entry, soft));
                }
            }
            Ok(Found::Nothing(MissReason::TierError)) => self.failed = true,
            Ok(Found::Nothing(MissReason::Tag)) => self.forgotten = true,
            // A variant that is a mark itself is not one that was stored here.
            Ok(Found::Nothing(_)) | Err(_) => {}
        }
    }

    fn located(self, marker: &SharedEntry) -> Located {
        let found = match self.best {
            Some((entry, soft)) => Found::Entry { entry, soft },
            None if self.failed => Found::Nothing(MissReason::TierError),
            None if self.forgotten => Found::Nothing(MissReason::Tag),
            None => Found::Nothing(MissReason::Vary),
        };
        Located {
            found,
            varies: variants(marker).first().cloned(),
        }
    }
}
