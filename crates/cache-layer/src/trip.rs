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
use crate::status::MissReason;
use crate::{key, tags};

/// A request on its way, with the service that is ready for it.
pub(crate) struct Trip<S, ReqB> {
    pub(crate) layer: Arc<Built>,
    pub(crate) service: S,
    pub(crate) request: Request<ReqB>,
    pub(crate) asked: Asked,
    pub(crate) identity: Option<Identity>,
    /// Why the cache could not answer, and the stale entry that may stand in, as they were found last.
    pub(crate) reason: MissReason,
    pub(crate) fallback: Option<Cached>,
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
        async move { core.ask(core.store.capture(&known)).await.map_err(|_| ()) }
    }

    pub(crate) fn flight_key(
        &self,
        primary: &Key,
        varies: Option<&VaryNames>,
        capture: Capture,
    ) -> FlightKey {
        let key = match varies {
            None => primary.clone(),
            Some(names) => key::of_variant(primary.as_bytes(), names, self.request.headers())
                .as_slice()
                .into(),
        };
        (key, capture.fingerprint())
    }
}
