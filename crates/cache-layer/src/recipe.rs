//! How a response is kept: as an entry under its key, with a mark where the responses differ by request headers.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::response;
use larder_store::{Capture, Content, Entry, Kept, Key, Leader, Lifetime, StoredResponse, Tag, VaryNames};
use tokio::time::timeout;

use crate::built::Built;
use crate::cached::Cached;
use crate::engine::{Core, Flight, FlightKey, Made};
use crate::metrics::rare;
use crate::{headers, key, locate};

/// The guard of those who wait, if there is a flight.
pub(crate) type Lead = Option<Leader<FlightKey, Flight>>;

/// How a response is to be kept, once its body is complete.
pub(crate) struct Recipe {
    pub(crate) layer: Arc<Built>,
    pub(crate) primary: Key,
    pub(crate) key: Key,
    pub(crate) names: VaryNames,
    pub(crate) tags: Vec<Tag>,
    pub(crate) lifetime: Lifetime,
    pub(crate) capture: Capture,
}

/// How many lists of names are remembered for a URI whose responses name different headers in `Vary`.
const LISTS: usize = 4;

impl Recipe {
    /// Keeps the response, and gives it to those who wait.
    pub(crate) async fn keep(self, head: &response::Parts, body: Bytes, leader: Lead) -> (Cached, Kept) {
        let layer = Arc::clone(&self.layer);
        let core = layer.engine.core();
        let (headers, generated) = headers::stored_headers(head, &layer.policy, &body);
        let length = body.len();
        let stored =
            || StoredResponse::new(head.status, &headers, body.clone()).with_generated_etag(generated);
        let entry = Entry::new(self.lifetime, Content::Response(stored()), self.tags.clone());
        let put = core.put(self.key.clone(), entry, self.capture).await;
        let put = put.and_then(|put| Some((Cached::of(put.entry)?, put.kept)));
        // A store that did not answer has the entry: the answer to this request is made of another.
        let (entry, kept) = put.unwrap_or_else(|| (Cached::own(self.lifetime, stored()), Kept::Error));
        if kept == Kept::Stored && !self.names.is_empty() {
            self.mark_variants(core).await;
        }
        rare::stored(&layer.policy.name, kept, length, core.store.size());
        core.loners.clear(key::loner_hash(&self.primary));
        match leader {
            None => {}
            // What the store did not take in, it cannot vouch for: those who wait would each wait for the next.
            Some(leader) if kept == Kept::Error => leader.release(),
            Some(leader) => {
                let made = Made {
                    entry: entry.clone(),
                    key: self.key,
                    names: self.names,
                };
                leader.land(Flight::Made(made));
            }
        }
        (entry, kept)
    }

    /// Leaves the mark under the primary key that leads to the variants.
    async fn mark_variants(&self, core: &Core) {
        let mut lists = locate::known_variants(core, self.primary.as_bytes()).await;
        if lists.first() == Some(&self.names) {
            return;
        }
        lists.retain(|names| names != &self.names);
        lists.truncate(LISTS - 1);
        lists.insert(0, self.names.clone());
        let mark = Entry::new(
            self.lifetime,
            Content::Variants(lists.into()),
            vec![Tag::layer(self.layer.policy.name.clone())],
        );
        core.put(self.primary.clone(), mark, self.capture).await;
    }
}

/// Ends `work` here if the store answers at once, else in the background; dropped where neither is possible.
pub(crate) fn now_or_in_background(core: &Arc<Core>, work: impl Future<Output = ()> + Send + 'static) {
    let mut work = Box::pin(work);
    if work.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(()) {
        return;
    }
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
