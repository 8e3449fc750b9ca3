//! Entries: what is kept under a key, and how long it is of use.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::clock::{Timestamp, millis};
use crate::ledger::{Sequence, Stamps, Validity};
use crate::search::SearchVariance;
use crate::tag::Tag;
use crate::value::StoredValue;

/// What an allocator adds to a piece of memory: a header, and half of what it rounds up to.
const PIECE: usize = 16;

/// What a store keeps under a key.
#[derive(Debug)]
pub struct Entry {
    /// How long it is of use.
    pub lifetime: Lifetime,
    /// What it is.
    pub content: Content,
    /// The names under which it is forgotten.
    pub tags: Box<[Tag]>,
    seal: Seal,
}

/// What ties an entry to the store that took it in.
enum Seal {
    None,
    Ledger(Stamps),
    Foreign(Arc<dyn Any + Send + Sync>),
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Ledger(_) => "Ledger(..)",
            Self::Foreign(_) => "Foreign(..)",
        })
    }
}

/// What an [`Entry`] is.
#[derive(Debug)]
#[non_exhaustive]
pub enum Content {
    /// A response.
    Response(StoredResponse),
    /// The mark that the responses under this key differ by request headers: each has a key of its own, which holds
    /// the values of the headers named here. One list of names for each `Vary` seen, the newest first.
    Variants(Box<[VaryNames]>),
    /// The mark that responses under this path answer more queries than their own (`No-Vary-Search`): each has a key of
    /// its own, which holds what is left of the query. One rule for each that was seen, the newest first.
    Searches(Box<[SearchVariance]>),
    /// A value: what a function returned.
    Value(StoredValue),
}

/// The request headers by which a response varies: lower case, sorted, each once.
pub type VaryNames = Box<[HeaderName]>;

impl Entry {
    /// An entry that no store has taken in yet.
    #[must_use]
    pub fn new(lifetime: Lifetime, content: Content, tags: Vec<Tag>) -> Self {
        Self {
            lifetime,
            content,
            tags: tags.into(),
            seal: Seal::None,
        }
    }

    /// The same entry with the `stamps` of the store that takes it in, which that store finds again with
    /// [`stamps`](Self::stamps).
    #[must_use]
    pub fn with_stamps(mut self, stamps: impl Any + Send + Sync) -> Self {
        self.seal = Seal::Foreign(Arc::new(stamps));
        self
    }

    /// The stamps of the store that took it in; `None` if none did, or one with other stamps.
    #[must_use]
    pub fn stamps<T: Any>(&self) -> Option<&T> {
        match &self.seal {
            Seal::Foreign(stamps) => stamps.downcast_ref(),
            Seal::None | Seal::Ledger(_) => None,
        }
    }

    /// Ties it to the records of its tags in this process; where they say that it must not be kept, to none.
    pub(crate) fn seal(&mut self, stamps: Option<Stamps>) {
        self.seal = stamps.map_or(Seal::None, Seal::Ledger);
    }

    /// The response, if it is one.
    #[must_use]
    #[inline]
    pub fn response(&self) -> Option<&StoredResponse> {
        match &self.content {
            Content::Response(response) => Some(response),
            Content::Variants(_) | Content::Searches(_) | Content::Value(_) => None,
        }
    }

    /// The value, if it is one.
    #[must_use]
    #[inline]
    pub fn value(&self) -> Option<&StoredValue> {
        match &self.content {
            Content::Value(value) => Some(value),
            _ => None,
        }
    }

    /// What the stamps of this process say of the entry; one that no store has taken in is dead.
    #[must_use]
    #[inline]
    pub(crate) fn validity(&self) -> Validity {
        match &self.seal {
            Seal::Ledger(stamps) => stamps.validity(),
            Seal::None | Seal::Foreign(_) => Validity::Dead,
        }
    }

    /// The number before which the fill of an entry of this process's ledger began.
    pub(crate) fn captured(&self) -> Option<Sequence> {
        match &self.seal {
            Seal::Ledger(stamps) => Some(stamps.captured()),
            Seal::None | Seal::Foreign(_) => None,
        }
    }

    /// The memory that the entry takes beyond its body, in bytes; an estimate that errs on the high side.
    ///
    /// It counts what an allocator adds, and the headers that the entry will keep once it was asked for.
    #[must_use]
    pub fn overhead(&self) -> usize {
        let content = match &self.content {
            Content::Response(response) => response.overhead(),
            Content::Variants(all) => all.iter().map(|names| 16 + PIECE + names.len() * 64).sum(),
            Content::Searches(all) => all.iter().map(SearchVariance::overhead).sum(),
            Content::Value(value) => value.overhead(),
        };
        size_of::<Self>() + 4 * PIECE + content + self.tags_overhead()
    }

    fn tags_overhead(&self) -> usize {
        // The record of a tag, its place in the table, the reference to it, and the tag.
        const PER_TAG: usize = 40 + PIECE + 24 + 8 + size_of::<Tag>();
        let mut last = None;
        let texts = self.tags.iter().map(|tag| {
            let text = match last.replace(tag) {
                Some(last) if tag.shares_text(last) => 0,
                _ => 16 + PIECE + tag.text().len(),
            };
            text + PER_TAG
        });
        texts.sum()
    }

    /// The bytes of the body, or of the value.
    #[must_use]
    pub fn body_len(&self) -> usize {
        match &self.content {
            Content::Response(response) => response.body.len(),
            Content::Value(value) => value.size(),
            Content::Variants(_) | Content::Searches(_) => 0,
        }
    }
}

/// How long an entry is of use: fresh, then stale within a window, then gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// When the response was received.
    pub received: Timestamp,
    /// How old it was then (RFC 9111 §4.2.3), in milliseconds.
    pub initial_age_ms: u64,
    /// How long after its making it is fresh, in milliseconds.
    pub fresh_ms: u64,
    /// How long after that it may be served while it is replaced in the background (RFC 5861 §3), in milliseconds.
    pub stale_while_revalidate_ms: u64,
    /// How long after `fresh_ms` it may be served because its handler failed (RFC 5861 §4), in milliseconds.
    pub stale_if_error_ms: u64,
    /// How long its making took, in milliseconds.
    pub load_ms: u32,
    /// Whether it must never be served stale, whoever asks and whatever failed (RFC 9111 §4.2.4).
    pub must_revalidate: bool,
}

impl Lifetime {
    /// A lifetime that begins at `received` with age 0, fresh for `fresh`, and never served stale.
    #[must_use]
    pub fn fresh(received: Timestamp, fresh: Duration) -> Self {
        Self {
            received,
            initial_age_ms: 0,
            fresh_ms: millis(fresh),
            stale_while_revalidate_ms: 0,
            stale_if_error_ms: 0,
            load_ms: 0,
            must_revalidate: false,
        }
    }

    /// When the response was made, as far as is known, in milliseconds since 1970.
    #[must_use]
    pub const fn made_ms(&self) -> u64 {
        self.received.as_millis().saturating_sub(self.initial_age_ms)
    }

    /// The age at `now`, in milliseconds (RFC 9111 §4.2.3).
    #[must_use]
    #[inline]
    pub const fn age_ms(&self, now: Timestamp) -> u64 {
        self.initial_age_ms
            .saturating_add(now.as_millis().saturating_sub(self.received.as_millis()))
    }
}

/// A response as it is kept.
///
/// Names and values of the headers are copied into one piece of memory, and the body into another, so that what is
/// kept holds on to no larger buffer of a connection. All hits share both.
#[derive(Debug)]
pub struct StoredResponse {
    /// The status.
    pub status: StatusCode,
    /// The body, complete.
    pub body: Bytes,
    /// Whether the `ETag` among the headers was made here, of the body, and not by the handler.
    pub generated_etag: bool,
    headers: Box<[(HeaderName, HeaderValue)]>,
    /// Apart, because most entries are never asked for again.
    rendering: RwLock<Option<Box<Rendering>>>,
}

/// The headers of an answer as they were made for one moment, so that other hits of the moment copy them.
#[derive(Debug)]
struct Rendering {
    moment: u64,
    headers: HeaderMap,
}

impl StoredResponse {
    /// Keeps a copy of `headers` and takes over `body`.
    #[must_use]
    pub fn new(status: StatusCode, headers: &HeaderMap, body: Bytes) -> Self {
        let length = headers.values().map(HeaderValue::len).sum();
        let mut values = Vec::with_capacity(length);
        headers
            .values()
            .for_each(|value| values.extend_from_slice(value.as_bytes()));
        let mut values = Bytes::from(values);
        let lines = headers
            .iter()
            .map(|(name, value)| {
                let bytes = values.split_to(value.len());
                let copy = well_known(value)
                    .or_else(|| HeaderValue::from_maybe_shared(bytes).ok())
                    .unwrap_or_else(|| value.clone());
                (own_name(name), copy)
            })
            .collect();
        Self::of_lines(status, lines, body)
    }

    /// Takes over `lines` and `body`, which share the memory that they came in.
    pub(crate) fn of_lines(status: StatusCode, lines: Vec<(HeaderName, HeaderValue)>, body: Bytes) -> Self {
        Self {
            status,
            body,
            generated_etag: false,
            headers: lines.into(),
            rendering: Default::default(),
        }
    }

    /// Says that the `ETag` among the headers was made of the body.
    #[must_use]
    pub fn with_generated_etag(mut self, generated: bool) -> Self {
        self.generated_etag = generated;
        self
    }

    /// The stored header lines in their order.
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.headers.iter().map(|(name, value)| (name, value))
    }

    /// The first stored line with this name.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.headers()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| value)
    }

    /// The stored headers as a map.
    #[must_use]
    pub fn header_map(&self, room: usize) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.headers.len() + room);
        for (name, value) in &self.headers {
            map.append(name.clone(), value.clone());
        }
        map
    }

    /// The headers of an answer at `moment`: what `render` made for that moment, made once, and then `read` by each hit.
    ///
    /// The headers of a hit differ from the last hit's only as the clock moves on (`Age`, `Cache-Status`), so the
    /// caller names the moment by what they depend on.
    #[inline]
    pub fn rendered<R>(
        &self,
        moment: u64,
        render: impl FnOnce() -> HeaderMap,
        read: impl FnOnce(&HeaderMap) -> R,
    ) -> R {
        {
            let last = self.rendering.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(last) = &*last
                && last.moment == moment
            {
                return read(&last.headers);
            }
        }
        let headers = render();
        let result = read(&headers);
        self.keep_rendering(moment, &headers);
        result
    }

    #[cold]
    fn keep_rendering(&self, moment: u64, headers: &HeaderMap) {
        // A copy has no room to spare.
        let last = Rendering {
            moment,
            headers: headers.clone(),
        };
        *self.rendering.write().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(last));
    }

    fn overhead(&self) -> usize {
        // What clones of some bytes share.
        const SHARED: usize = 24 + PIECE;
        const KEPT: usize = size_of::<(HeaderName, HeaderValue)>() + SHARED + PIECE;
        // A line of the rendered map, with its place in the index.
        const RENDERED: usize = 112;
        // The lines that a layer adds to those that are stored.
        const ADDED: usize = 7;
        let lines: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        let kept = lines + self.headers.len() * KEPT + 2 * (SHARED + PIECE);
        let rendered = size_of::<Rendering>()
            + 3 * PIECE
            + (self.headers.len() + ADDED) * RENDERED
            + ADDED * (SHARED + PIECE);
        kept + rendered
    }
}

/// The name in memory of its own: a name that came from a connection may be a slice of its read buffer.
fn own_name(name: &HeaderName) -> HeaderName {
    HeaderName::from_bytes(name.as_str().as_bytes()).unwrap_or_else(|_| name.clone())
}

/// The value as one of the program's own, if it is among those that most responses have: such a one is copied to a hit
/// without counting who shares it, which is half of what the copy costs.
fn well_known(value: &HeaderValue) -> Option<HeaderValue> {
    const VALUES: [&str; 20] = [
        "application/json",
        "application/json; charset=utf-8",
        "application/javascript",
        "application/octet-stream",
        "application/wasm",
        "application/xml",
        "text/css",
        "text/css; charset=utf-8",
        "text/html",
        "text/html; charset=utf-8",
        "text/javascript",
        "text/plain",
        "text/plain; charset=utf-8",
        "image/jpeg",
        "image/png",
        "image/svg+xml",
        "image/webp",
        "bytes",
        "accept-encoding",
        "gzip",
    ];
    VALUES
        .iter()
        .find(|known| value == **known)
        .map(|known| HeaderValue::from_static(known))
}

/// An entry that several readers share.
pub type SharedEntry = Arc<Entry>;
