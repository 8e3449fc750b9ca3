//! A background fill: it replaces an entry that a request was answered with.

use std::sync::Arc;

use http::{Method, Request, Response};
use larder_store::{Key, Lifetime, Role, VaryNames};
use tokio::time::timeout;
use tower_service::Service;
use tracing::Instrument;

use crate::admit::Asked;
use crate::engine::Flight;
use crate::fill::{self, Fill};
use crate::locate::{self, Found};
use crate::metrics::rare;
use crate::status::MissReason;
use crate::trip::Trip;

impl<S, ReqB, ResB> Trip<S, ReqB>
where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    ReqB: Send + 'static,
    ResB: http_body::Body + Send + 'static,
    ResB::Error: Send,
{
    /// Fills in the background, with this request, which was answered from the cache: nobody waits for it.
    ///
    /// The request goes with its extensions, as a GET; the task has a span of its own. At most one such fill is under
    /// way for an entry.
    pub(crate) async fn refresh(
        mut self,
        primary: Key,
        varies: Option<VaryNames>,
        trigger: &'static str,
        served: Lifetime,
    ) {
        let layer = Arc::clone(&self.layer);
        let core = layer.engine.core();
        let (Some(permit), Ok(capture)) = (core.tasks.permit(), self.capture().await) else {
            rare::refresh(&layer.policy.name, trigger, "refused");
            return;
        };
        let Role::Leader(leader) = core
            .flights
            .join(self.flight_key(&primary, varies.as_ref(), capture))
        else {
            return;
        };
        *self.request.method_mut() = Method::GET;
        self.asked = Asked {
            head: false,
            conditional: false,
            range: false,
            encodings: false,
        };
        let fill = Fill {
            primary,
            capture: Some(capture),
            fallback: None,
            reason: MissReason::Expired,
        };
        let span = tracing::debug_span!("larder_refresh", cache = &*layer.policy.name, trigger);
        let name = Arc::clone(&layer.policy.name);
        let limit = layer.policy.background_timeout;
        let work = async move {
            let core = self.layer.engine.core();
            let found = locate::wait(core, fill.primary.as_bytes(), self.request.headers())
                .await
                .found;
            // As in `lead`: an earlier fill may have replaced it already.
            if matches!(&found, Found::Entry { entry, soft: false } if entry.entry().lifetime != served) {
                leader.land(Flight::Kept);
                return;
            }
            let result = match timeout(limit, fill::run_in_background(self, fill, leader)).await {
                Ok(Ok(())) => "ok",
                Ok(Err(())) => "error",
                Err(_) => "timeout",
            };
            rare::refresh(&name, trigger, result);
            tracing::debug!(result, "refreshed");
        };
        core.tasks.spawn(permit, work.instrument(span));
    }
}
