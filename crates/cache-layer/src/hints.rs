//! What a handler tells the cache about its own response.

use std::time::Duration;

use http::{Extensions, Response};
use larder_store::Tag;

/// What a handler tells the cache about the response it returns: a lifetime, tags, or that it must not be kept.
///
/// The hints are a response extension, so any handler or middleware inside the layer can set them, on an error
/// response too. A lifetime given here goes before the layer's own, and before what `Cache-Control` and `Expires` say
/// of one, which then speak to clients alone; `no-store`, and `private` in a shared layer, are kept to all the same.
/// They are taken out of the response by the layer and are not there on a hit: what a handler puts into extensions
/// reaches the layers around only when the handler ran.
///
/// ```
/// use larder_cache_layer::CacheHints;
/// use std::time::Duration;
///
/// let mut response = http::Response::new("…");
/// CacheHints::new().ttl(Duration::from_secs(10)).tag("recruiter:7").apply_to(&mut response);
/// ```
///
/// With the feature `axum`, return it as a part of the response: `(CacheHints::new().no_store(), Json(..))`.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct CacheHints {
    pub(crate) ttl: Option<Duration>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) no_store: bool,
}

impl CacheHints {
    /// No hints.
    pub fn new() -> Self {
        Self::default()
    }

    /// The lifetime of this response in the cache, whatever its status; zero keeps it out.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// One more name under which this response is forgotten.
    pub fn tag(mut self, tag: impl Into<Tag>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// This response must not be kept.
    pub fn no_store(mut self) -> Self {
        self.no_store = true;
        self
    }

    /// Adds the hints to `response`.
    pub fn apply_to<B>(self, response: &mut Response<B>) {
        self.add(response.extensions_mut());
    }

    /// Adds the hints to those that are there; of two lifetimes the shorter holds.
    pub(crate) fn add(self, extensions: &mut Extensions) {
        let old = extensions.remove::<Self>().unwrap_or_default();
        let mut tags = old.tags;
        tags.extend(self.tags);
        let ttl = match (old.ttl, self.ttl) {
            (Some(old), Some(new)) => Some(old.min(new)),
            (old, new) => new.or(old),
        };
        extensions.insert(Self {
            ttl,
            tags,
            no_store: old.no_store || self.no_store,
        });
    }
}

#[cfg(feature = "axum")]
impl axum::response::IntoResponseParts for CacheHints {
    type Error = std::convert::Infallible;

    fn into_response_parts(
        self,
        mut response: axum::response::ResponseParts,
    ) -> Result<axum::response::ResponseParts, Self::Error> {
        self.add(response.extensions_mut());
        Ok(response)
    }
}
