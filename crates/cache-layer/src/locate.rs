//! Looking an entry up, and, where the responses differ by request headers, the one that fits.

use http::HeaderMap;
use larder_store::{
    Answer, Content, Key, Lookup, SearchVariance, SharedEntry, StoreError, StoreErrorKind, Timestamp,
    Useless, VaryNames,
};

use crate::cached::{Cached, Tier};
use crate::engine::Core;
use crate::key::{self, KeyBytes};
use crate::policy::Policy;
use crate::reading::Reading;
use crate::status::MissReason;

/// What was found under a key: a response, or another kind of entry.
#[derive(Debug)]
pub(crate) enum Found<C = Cached> {
    /// One, and whether it was forgotten softly.
    Entry {
        /// The entry.
        entry: C,
        /// Stale however young.
        soft: bool,
    },
    /// None.
    Nothing(MissReason),
}

/// Where to look for responses that answer several queries.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    /// The key of what is known of the path.
    pub(crate) path: Key,
    pub(crate) query: Option<String>,
}

/// What was found, and where.
pub(crate) struct Located {
    pub(crate) found: Found,
    /// By which headers responses under this key were last seen to vary, if they do.
    pub(crate) varies: Option<VaryNames>,
}

/// Looks for the entry of a request in a store that answers at once; `None` when it does not.
#[inline]
pub(crate) fn at_once(
    core: &Core,
    policy: &Policy,
    primary: &KeyBytes,
    headers: &HeaderMap,
    reading: Reading,
) -> Option<Located> {
    let first = ready(reading.ask(&*core.store, primary.as_slice()))?;
    let lists = match split(first, reading) {
        Ok(found) => return Some(Located { found, varies: None }),
        Err(marker) => marker,
    };
    let mut choice = Choice::default();
    for names in variants(&lists) {
        let variant = key::of_variant(primary.as_slice(), names, headers, policy);
        choice.consider(ready(reading.ask(&*core.store, variant.as_slice()))?, reading);
    }
    Some(choice.located(&lists))
}

/// The same in any store.
async fn wait(
    core: &Core,
    policy: &Policy,
    primary: &[u8],
    headers: &HeaderMap,
    reading: Reading,
) -> Located {
    let first = core.ask(reading.ask(&*core.store, primary)).await;
    let lists = match split(first, reading) {
        Ok(found) => return Located { found, varies: None },
        Err(marker) => marker,
    };
    let mut choice = Choice::default();
    for names in variants(&lists) {
        let variant = key::of_variant(primary, names, headers, policy);
        choice.consider(
            core.ask(reading.ask(&*core.store, variant.as_slice())).await,
            reading,
        );
    }
    choice.located(&lists)
}

/// Looks for the entry of a request under its own key, and under those of its path: the one that was received last, since
/// what an origin says of its queries may change.
pub(crate) async fn find(
    core: &Core,
    policy: &Policy,
    primary: &[u8],
    search: Option<&Search>,
    headers: &HeaderMap,
    reading: Reading,
) -> Located {
    let located = wait(core, policy, primary, headers, reading).await;
    let Some(search) = search else {
        return located;
    };
    match searched(core, policy, search, headers, reading).await {
        Some(other) if received(&other) >= received(&located) => other,
        _ => located,
    }
}

fn received(located: &Located) -> Option<Timestamp> {
    match &located.found {
        Found::Entry { entry, .. } => Some(entry.entry().lifetime.received),
        Found::Nothing(_) => None,
    }
}

/// Looks for a response that another query was answered with, and that answers this one too (`No-Vary-Search`).
async fn searched(
    core: &Core,
    policy: &Policy,
    search: &Search,
    headers: &HeaderMap,
    reading: Reading,
) -> Option<Located> {
    for variance in known_searches(core, &search.path).await {
        let key = key::of_search(search.path.as_bytes(), &variance, search.query.as_deref());
        let located = wait(core, policy, key.as_slice(), headers, reading).await;
        if matches!(located.found, Found::Entry { .. }) {
            return Some(located);
        }
    }
    None
}

/// By which rules responses under the path were seen to answer several queries.
pub(crate) async fn known_searches(core: &Core, path: &Key) -> Vec<SearchVariance> {
    match core.ask(core.store.lookup(path.as_bytes())).await {
        Ok(Lookup::Found(entry) | Lookup::Fetched(entry) | Lookup::Stale(entry)) => match &entry.content {
            Content::Searches(rules) => rules.to_vec(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// By which headers the responses under `primary` were seen to vary.
pub(crate) async fn known_variants(core: &Core, primary: &[u8]) -> Vec<VaryNames> {
    match split(core.ask(core.store.lookup(primary)).await, Reading::Usual) {
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
fn split(lookup: Result<Lookup, StoreError>, reading: Reading) -> Result<Found, SharedEntry> {
    let (entry, soft, tier) = match entry_of(lookup) {
        Ok((_, true, _)) if reading == Reading::Strict => return Ok(Found::Nothing(MissReason::Tag)),
        Ok(entry) => entry,
        Err(reason) => return Ok(Found::Nothing(reason)),
    };
    if matches!(entry.content, Content::Variants(_)) {
        return Err(entry);
    }
    Ok(
        Cached::of(entry, tier).map_or(Found::Nothing(MissReason::Absent), |entry| Found::Entry {
            entry,
            soft,
        }),
    )
}

/// The entry that was found, whether it is stale whatever its age, and where it was.
#[inline]
pub(crate) fn entry_of(lookup: Result<Lookup, StoreError>) -> Result<(SharedEntry, bool, Tier), MissReason> {
    match lookup {
        Ok(Lookup::Found(entry)) => Ok((entry, false, Tier::Memory)),
        Ok(Lookup::Fetched(entry)) => Ok((entry, false, Tier::Remote)),
        Ok(Lookup::Stale(entry)) => Ok((entry, true, Tier::Memory)),
        Ok(nothing) => Err(why(&nothing)),
        Err(error) if error.kind() == StoreErrorKind::Unavailable => Err(MissReason::Breaker),
        Err(_) => Err(MissReason::TierError),
    }
}

/// Why nothing of use was found.
const fn why(nothing: &Lookup) -> MissReason {
    match nothing {
        Lookup::Forgotten => MissReason::Tag,
        Lookup::Useless(Useless::Epoch) => MissReason::Epoch,
        Lookup::Useless(Useless::Schema) => MissReason::Schema,
        Lookup::Useless(Useless::Decode) => MissReason::Decode,
        Lookup::Useless(Useless::Intent) => MissReason::Intent,
        _ => MissReason::Absent,
    }
}

fn variants(marker: &SharedEntry) -> &[VaryNames] {
    match &marker.content {
        Content::Variants(lists) => lists,
        _ => &[],
    }
}

/// The best of several variants: the one that was made last (RFC 9111 §4.1).
#[derive(Default)]
struct Choice {
    best: Option<(Cached, bool)>,
    failed: Option<MissReason>,
    useless: Option<MissReason>,
}

impl Choice {
    fn consider(&mut self, lookup: Result<Lookup, StoreError>, reading: Reading) {
        match split(lookup, reading) {
            Ok(Found::Entry { entry, soft }) => {
                let made = |entry: &Cached| entry.entry().lifetime.made_ms();
                let newer = self
                    .best
                    .as_ref()
                    .is_none_or(|(best, _)| made(best) < made(&entry));
                if newer {
                    self.best = Some((entry, soft));
                }
            }
            Ok(Found::Nothing(reason)) if reason.is_failure() => self.failed = Some(reason),
            // A variant that is a mark itself is not one that was stored here.
            Ok(Found::Nothing(MissReason::Absent)) | Err(_) => {}
            Ok(Found::Nothing(reason)) => self.useless = Some(reason),
        }
    }

    fn located(self, marker: &SharedEntry) -> Located {
        let found = match self.best {
            Some((entry, soft)) => Found::Entry { entry, soft },
            None => Found::Nothing(self.failed.or(self.useless).unwrap_or(MissReason::Vary)),
        };
        Located {
            found,
            varies: variants(marker).first().cloned(),
        }
    }
}
