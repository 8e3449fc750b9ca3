//! A request on its way through the flow.

use std::future::Future;
use std::sync::Arc;

use http::Request;
use larder_store::{Capture, Key, VaryNames};

use crate::admit::{Asked, Asker};
use crate::built::Built;
use crate::cached::Cached;
use crate::engine::FlightKey;
use crate::identity::Identity;
use crate::locate::Search;
use crate::status::MissReason;
use crate::wishes::Wishes;
use crate::{key, tags};

/// A request on its way, with the service that is ready for it.
pub(crate) struct Trip<S, ReqB> {
    pub(crate) layer: Arc<Built>,
    pub(crate) service: S,
    pub(crate) request: Request<ReqB>,
    pub(crate) asked: Asked,
    pub(crate) identity: Option<Identity>,
    /// Why the cache could not answer, and the entry that was no answer, as they were found last.
    pub(crate) reason: MissReason,
    pub(crate) before: Option<Cached>,
    /// What the request wants of the cache.
    pub(crate) wishes: Option<Wishes>,
    /// Where responses to other queries are found.
    pub(crate) search: Option<Search>,
    /// Decides whether a hit refreshes early: drawn once, however often the request looks.
    pub(crate) luck: f64,
}

impl<S, ReqB> Trip<S, ReqB> {
    pub(crate) fn asker(&self) -> Asker<'_> {
        Asker {
            asked: self.asked,
            headers: self.request.headers(),
        }
    }

    /// The stamps before a fill. The future holds nothing of the request, which need not be `Sync`.
    pub(crate) fn capture(&self) -> impl Future<Output = Result<Capture, ()>> + Send + use<S, ReqB> {
        let known = tags::known(&self.request, &self.layer.policy, self.identity.as_ref());
        let core = Arc::clone(self.layer.engine.core());
        async move { core.ask(core.store.capture(&known.tags)).await.map_err(|_| ()) }
    }

    pub(crate) fn flight_key(
        &self,
        primary: &Key,
        varies: Option<&VaryNames>,
        capture: &Capture,
    ) -> FlightKey {
        let key = match varies {
            None => primary.clone(),
            Some(names) => key::of_variant(
                primary.as_bytes(),
                names,
                self.request.headers(),
                &self.layer.policy,
            )
            .as_slice()
            .into(),
        };
        (key, capture.fingerprint())
    }

    /// Where responses to other queries of this path are found, if the layer reads `No-Vary-Search`.
    pub(crate) fn search(&self) -> Option<Search> {
        let policy = &self.layer.policy;
        let query = self.request.uri().query();
        // A response speaks of the query of its client. A handler sees that beside another that a layer around made of it.
        let is_clients = key::client_uri(&self.request).query() == query;
        (policy.rules.no_vary_search && is_clients).then(|| Search {
            path: key::of_path(&self.request, policy, self.identity.as_ref())
                .as_slice()
                .into(),
            query: query.map(str::to_owned),
        })
    }
}
