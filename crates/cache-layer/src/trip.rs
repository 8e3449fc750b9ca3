//! A request on its way through the flow.

use std::sync::Arc;

use http::Request;

use crate::admit::Asked;
use crate::built::Built;
use crate::headers::Asker;
use crate::identity::Identity;

/// A request on its way, with the service that is ready for it.
pub(crate) struct Trip<S, ReqB> {
    pub(crate) layer: Arc<Built>,
    pub(crate) service: S,
    pub(crate) request: Request<ReqB>,
    pub(crate) asked: Asked,
    pub(crate) identity: Option<Identity>,
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
}
