//! How a response is kept: as an entry under its key, with a mark where the responses differ by request headers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Bytes;
use http::{HeaderName, response};
use larder_store::{
    Capture, Content, Entry, Kept, Key, Lifetime, SearchVariance, StoredResponse, Tag, VaryNames,
};
use tokio::time::timeout;

use crate::built::Built;
use crate::cached::{Cached, Tier};
use crate::engine::{Core, Flight, Made};
use crate::freshness::{Freshness, freshness};
use crate::lead::{self, end_of};
use crate::metrics::rare;
use crate::{headers, key, locate};

/// The guard of those who wait, if there is a flight.
pub(crate) type Lead = Option<lead::Lead>;

/// How a response is to be kept, once its body is complete.
pub(crate) struct Recipe {
    pub(crate) layer: Arc<Built>,
    /// The key that the request asked for.
    pub(crate) asked: Key,
    /// The key of all variants, and that of this one.
    pub(crate) primary: Key,
    pub(crate) key: Key,
    /// Which other queries it answers.
    pub(crate) searched: Option<Searched>,
    /// What is not kept of its headers.
    pub(crate) left_out: Vec<HeaderName>,
    pub(crate) names: VaryNames,
    pub(crate) tags: Vec<Tag>,
    pub(crate) lifetime: Lifetime,
    pub(crate) capture: Capture,
}

/// The queries that a response answers beside its own.
pub(crate) struct Searched {
    /// The key of what is known of the path.
    pub(crate) path: Key,
    pub(crate) variance: SearchVariance,
    /// The key of the response for all these queries.
    pub(crate) key: Key,
}

/// How many lists of names are remembered for a URI whose responses name different headers in `Vary`, and how many rules
/// for a path in `No-Vary-Search`.
const LISTS: usize = 4;

impl Recipe {
    /// Keeps the response, and gives it to those who wait.
    pub(crate) async fn keep(self, head: &response::Parts, body: Bytes, leader: Lead) -> (Cached, Kept) {
        let layer = Arc::clone(&self.layer);
        let core = layer.engine.core();
        let (headers, generated) = headers::stored_headers(head, &layer.policy, &body, &self.left_out);
        let length = body.len();
        let stored =
            || StoredResponse::new(head.status, &headers, body.clone()).with_generated_etag(generated);
        let entry = Entry::new(self.lifetime, Content::Response(stored()), self.tags.clone());
        let put = core.put(self.key.clone(), entry, self.capture.clone()).await;
        let put = put.and_then(|put| Some((Cached::of(put.entry, Tier::Memory)?, put.kept)));
        // A store that did not answer has the entry: the answer to this request is made of another.
        let (entry, kept) = put.unwrap_or_else(|| (Cached::own(self.lifetime, stored()), Kept::Error));
        if kept == Kept::Stored {
            self.mark(core).await;
        }
        rare::stored(&layer.policy.name, kept, length, core.store.size());
        // What is validated before each use is for the one who asked alone. As it came: its body may have taken long.
        let for_all = freshness(&self.lifetime, self.lifetime.received, false) == Freshness::Fresh;
        if for_all {
            core.loners.clear(key::loner_hash(&self.asked));
        } else {
            core.loners.mark(key::loner_hash(&self.asked), core.clock.now());
        }
        match leader {
            None => {}
            // What the store did not take in, it cannot vouch for: those who wait would each wait for the next.
            Some(leader) if kept == Kept::Error || !for_all => leader.release(),
            Some(leader) => {
                let made = Made {
                    entry: entry.clone(),
                    primary: self.primary,
                    key: self.key,
                    names: self.names,
                };
                leader.land(Flight::Made(made), end_of(kept));
            }
        }
        (entry, kept)
    }

    /// Leaves the marks that lead to the entry: under the primary key if there are variants, and under that of the path if
    /// it answers several queries.
    async fn mark(&self, core: &Core) {
        if !self.names.is_empty() {
            let known = locate::known_variants(core, self.primary.as_bytes()).await;
            if let Some(lists) = with_newest(known, &self.names) {
                self.leave(core, &self.primary, Content::Variants(lists)).await;
            }
        }
        if let Some(searched) = &self.searched {
            let known = locate::known_searches(core, &searched.path).await;
            if let Some(rules) = with_newest(known, &searched.variance) {
                self.leave(core, &searched.path, Content::Searches(rules)).await;
            }
        }
    }

    async fn leave(&self, core: &Core, key: &Key, content: Content) {
        let tags = vec![Tag::layer(self.layer.policy.name.clone())];
        core.put(
            key.clone(),
            Entry::new(self.lifetime, content, tags),
            self.capture.clone(),
        )
        .await;
    }
}

/// What is `known` with `newest` before all others; `None` where it is there already.
fn with_newest<T: PartialEq + Clone>(mut known: Vec<T>, newest: &T) -> Option<Box<[T]>> {
    if known.first() == Some(newest) {
        return None;
    }
    known.retain(|other| other != newest);
    known.truncate(LISTS - 1);
    known.insert(0, newest.clone());
    Some(known.into())
}

/// Ends `work` here if the store answers at once, else in the background; dropped where neither is possible.
pub(crate) fn now_or_in_background(core: &Arc<Core>, work: impl Future<Output = ()> + Send + 'static) {
    let Some(work) = left_after_now(work) else { return };
    if let Some(permit) = core.tasks.permit() {
        let limit = core.write_timeout();
        core.tasks.spawn(permit, async move {
            if timeout(limit, work).await.is_err() {
                tracing::warn!(
                    limit_ms = limit.as_millis(),
                    "the store took too long to keep a response"
                );
            }
        });
    }
}

/// The same for what must not be left undone, however many background fills there are. It has a limit of its own.
pub(crate) fn now_or_later(core: &Arc<Core>, work: impl Future<Output = ()> + Send + 'static) {
    if let Some(work) = left_after_now(work) {
        core.tasks.spawn_owed(work);
    }
}

/// What is left to do of `work` once it has done what it can without waiting; `None` if that is all.
fn left_after_now<W: Future<Output = ()>>(work: W) -> Option<Pin<Box<W>>> {
    let mut work = Box::pin(work);
    let polled = work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    polled.is_pending().then_some(work)
}
