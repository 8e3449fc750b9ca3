//! A background fill: it replaces an entry that a request was answered with.

use std::sync::Arc;

use http::{Method, Request, Response};
use larder_store::{Key, Role, TurnEnd, VaryNames};
use tokio::time::timeout;
use tower_service::Service;
use tracing::Instrument;

use crate::admit::Asked;
use crate::cached::Cached;
use crate::engine::Flight;
use crate::fill::{self, Fill};
use crate::hide::hide_conditions;
use crate::lead::Lead;
use crate::locate::{self, Found};
use crate::metrics::rare;
use crate::reading::Reading;
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
        served: Cached,
    ) {
        // Its answer must not be stored (RFC 9111 §5.2.1.5): whoever comes next refreshes.
        if self.wishes.is_some_and(|wishes| wishes.no_store) {
            return;
        }
        let layer = Arc::clone(&self.layer);
        let core = layer.engine.core();
        let (Some(permit), Ok(capture)) = (core.tasks.permit(), self.capture().await) else {
            rare::refresh(&layer.policy.name, trigger, "refused");
            return;
        };
        let flight = self.flight_key(&primary, varies.as_ref(), &capture);
        let turn = flight.0.clone();
        let Role::Leader(leader) = core.flights.join(flight) else {
            return;
        };
        let leader = Lead::new(leader);
        *self.request.method_mut() = Method::GET;
        self.asked = Asked {
            authorized: self.asked.authorized,
            ..Asked::GET
        };
        self.wishes = None;
        hide_conditions(&mut self.request);
        let lifetime = served.entry().lifetime;
        let fill = Fill {
            primary,
            capture: Some(capture),
            before: Some(served),
            reason: MissReason::Expired,
        };
        let span = tracing::debug_span!(
            "larder_refresh",
            cache = &*layer.policy.name,
            trigger,
            http.request.method = "GET",
            url.path = self.request.uri().path(),
        );
        let name = Arc::clone(&layer.policy.name);
        let limit = layer.policy.background_timeout;
        let work = async move {
            let core = self.layer.engine.core();
            let primary = fill.primary.as_bytes();
            let (search, headers) = (self.search.as_ref(), self.request.headers());
            let located =
                locate::find(core, &self.layer.policy, primary, search, headers, Reading::Usual).await;
            // As in `lead`: an earlier fill may have replaced it already.
            if matches!(&located.found, Found::Entry { entry, soft: false } if entry.entry().lifetime != lifetime)
            {
                leader.land(Flight::Kept, TurnEnd::Made);
                return;
            }
            let leader = match &fill.capture {
                Some(capture) if self.layer.policy.fills_once_everywhere() => {
                    leader.take_at_once(core, &turn, capture).await
                }
                _ => Some(leader),
            };
            let Some(leader) = leader else { return };
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
