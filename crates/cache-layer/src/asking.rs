//! Whether a layer would take part in a request, for people who ask.

use http::Request;

use crate::admit;
use crate::engine::Engine;
use crate::status::BypassReason;

impl Engine {
    /// Why the layer called `name` would have no part in such a request, if that is so as far as its head tells: who asks,
    /// where that decides, is not known. `None` where there is no such layer.
    ///
    /// Rules of the application are asked too, with the request as it is.
    #[must_use]
    pub fn admits(&self, name: &str, head: Request<()>) -> Option<Result<(), BypassReason>> {
        let (mut policy, switch) = self.told(name)?;
        if !self.is_enabled() || !switch.is_on() {
            return Some(Err(BypassReason::Disabled));
        }
        policy.settle();
        Some(admit::request(&head.map(|()| String::new()), &policy).map(|_| ()))
    }
}
