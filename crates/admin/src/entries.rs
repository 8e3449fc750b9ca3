//! Entries of this process, looked for by path, tag or key: a bounded search with a bounded answer.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use larder_cache_layer::Engine;
use larder_store::{
    Answer, Content, Entry, Key, KeyReader, SharedEntry, StoreError, Tag, TagKind, Timestamp, Validity,
};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::shown;

/// How many entries are answered at most.
pub(crate) const MOST: usize = 100;
/// How many are looked at, and for how long.
const LOOKED_AT: usize = 200_000;
const LOOKING: Duration = Duration::from_millis(500);
/// How long the store may take to say which of them are valid.
const JUDGING: Duration = Duration::from_secs(2);
/// How many tags and parts of the key of one entry are shown.
const PARTS: usize = 48;

/// What is looked for.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    /// A part of the path and query.
    Path(String),
    /// A part of any tag's text, that of the layer or the identity too.
    Tag(String),
    /// A part of the key's bytes.
    Key(Vec<u8>),
    /// The entries of one path and query, in one layer or in all.
    Uri(Tag, Option<Tag>),
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) entries: Vec<Seen>,
    /// How many were looked at.
    pub(crate) looked_at: usize,
    /// Whether there may be more.
    pub(crate) more: bool,
    /// Whether the store can show its entries at all.
    pub(crate) listed: bool,
}

/// An entry, and what the store says of it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) key: Key,
    pub(crate) entry: SharedEntry,
    /// `None` where the store did not say.
    pub(crate) validity: Option<Validity>,
    pub(crate) stamp: Option<String>,
}

/// Looks for at most `most` entries, on a thread where that holds up nobody.
pub(crate) async fn search(engine: &Engine, wanted: Wanted, most: usize) -> Found {
    let own = engine.clone();
    let looking = spawn_blocking(move || look(&own, &wanted, most.min(MOST)));
    let Ok(mut found) = looking.await else {
        return Found {
            entries: Vec::new(),
            looked_at: 0,
            more: false,
            listed: false,
        };
    };
    judge(engine, &mut found.entries).await;
    found
}

fn look(engine: &Engine, wanted: &Wanted, most: usize) -> Found {
    let began = Instant::now();
    let (mut entries, mut looked_at, mut more) = (Vec::new(), 0, false);
    let listed = engine.store().visit(&mut |key, entry| {
        if looked_at >= LOOKED_AT
            || entries.len() >= most
            || looked_at % 1024 == 1023 && began.elapsed() >= LOOKING
        {
            more = true;
            return ControlFlow::Break(());
        }
        looked_at += 1;
        if wanted.is(key, entry) {
            entries.push(Seen {
                key: key.clone(),
                entry: SharedEntry::clone(entry),
                validity: None,
                stamp: engine.store().stamp(entry),
            });
        }
        ControlFlow::Continue(())
    });
    Found {
        entries,
        looked_at,
        more,
        listed,
    }
}

/// Asks the store for all of them together which are valid.
async fn judge(engine: &Engine, entries: &mut [Seen]) {
    let asked: Vec<Answer<Result<Validity, StoreError>>> = entries
        .iter()
        .map(|seen| engine.store().validity(&seen.entry))
        .collect();
    let answers = timeout(JUDGING, Answer::all(asked).wait())
        .await
        .unwrap_or_default();
    for (seen, answer) in entries.iter_mut().zip(answers) {
        seen.validity = answer.ok();
    }
}

impl Wanted {
    fn is(&self, key: &Key, entry: &Entry) -> bool {
        match self {
            Self::Path(part) => {
                let mut uris = entry.tags.iter().filter(|tag| tag.kind() == TagKind::Uri);
                uris.any(|tag| tag.as_str().contains(part))
            }
            Self::Tag(part) => entry.tags.iter().any(|tag| tag.as_str().contains(part)),
            Self::Key(part) => {
                part.is_empty() || key.as_bytes().windows(part.len()).any(|window| window == part)
            }
            Self::Uri(uri, layer) => {
                let has = |wanted: &Tag| entry.tags.iter().any(|tag| tag.id() == wanted.id());
                has(uri) && layer.as_ref().is_none_or(has)
            }
        }
    }
}

/// What an entry is worth now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    /// A hit.
    Fresh,
    /// Served while it is replaced.
    Stale,
    /// Served only if its handler fails.
    IfError,
    /// Past its lifetime.
    Expired,
    /// Forgotten.
    Forgotten,
    /// The store did not say whether it is valid.
    Unknown,
}

impl Worth {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::IfError => "if_error",
            Self::Expired => "expired",
            Self::Forgotten => "forgotten",
            Self::Unknown => "unknown",
        }
    }
}

impl Seen {
    pub(crate) fn worth(&self, now: Timestamp) -> Worth {
        let lifetime = &self.entry.lifetime;
        let age = lifetime.age_ms(now);
        let past = age.saturating_sub(lifetime.fresh_ms);
        let soft = match self.validity {
            None => return Worth::Unknown,
            Some(Validity::Dead) => return Worth::Forgotten,
            Some(Validity::Soft) => true,
            Some(_) => false,
        };
        if age < lifetime.fresh_ms && !soft {
            Worth::Fresh
        } else if past < lifetime.stale_while_revalidate_ms {
            Worth::Stale
        } else if past < lifetime.stale_if_error_ms {
            Worth::IfError
        } else if soft {
            Worth::Forgotten
        } else {
            Worth::Expired
        }
    }

    fn text(&self, kind: TagKind) -> Option<String> {
        let tag = self.entry.tags.iter().find(|tag| tag.kind() == kind)?;
        Some(shown::text(tag.as_str()))
    }

    pub(crate) fn shown(&self, now: Timestamp) -> Value {
        let entry = &*self.entry;
        let lifetime = &entry.lifetime;
        let age = lifetime.age_ms(now);
        let (what, status) = match &entry.content {
            Content::Response(response) => ("response", Some(response.status.as_u16())),
            Content::Variants(_) => ("variants", None),
            Content::Searches(_) => ("searches", None),
            Content::Value(_) => ("value", None),
            _ => ("other", None),
        };
        let tags = entry.tags.iter().take(PARTS).map(shown::tag);
        json!({
            "cache": self.text(TagKind::Layer),
            "uri": self.text(TagKind::Uri),
            "identity": self.text(TagKind::Identity),
            "what": what,
            "status": status,
            "state": self.worth(now).as_str(),
            "age_ms": age,
            "left_ms": lifetime.fresh_ms.saturating_sub(age),
            "stale_left_ms": (lifetime.fresh_ms + lifetime.stale_while_revalidate_ms).saturating_sub(age),
            "stamp": self.stamp,
            "filled_at_ms": lifetime.received.as_millis(),
            "fill_ms": lifetime.load_ms,
            "body_bytes": entry.body_len(),
            "bytes": entry.body_len() + entry.overhead() + self.key.as_bytes().len(),
            "tags": tags.collect::<Vec<_>>(),
            "more_tags": entry.tags.len().saturating_sub(PARTS),
            "key": key(self.key.as_bytes()),
        })
    }
}

/// The parts of a key; the first of a layer's, which names the layer and what follows, as its own parts in one.
fn key(key: &[u8]) -> Vec<Option<String>> {
    let mut parts = KeyReader::new(key).take(PARTS);
    let first = parts.next().map(|first| first.map(scope));
    let rest = parts.map(|part| part.map(shown::bytes));
    first.into_iter().chain(rest).collect()
}

fn scope(part: &[u8]) -> String {
    let parts: Vec<String> = KeyReader::new(part)
        .take(PARTS)
        .flatten()
        .map(shown::bytes)
        .collect();
    if parts.is_empty() {
        return shown::bytes(part);
    }
    parts.join(" ")
}

impl Found {
    pub(crate) fn shown(&self, now: Timestamp) -> Value {
        json!({
            "listed": self.listed,
            "looked_at": self.looked_at,
            "more": self.more,
            "entries": self.entries.iter().map(|seen| seen.shown(now)).collect::<Vec<_>>(),
        })
    }
}
