//! What a handler tells the cache about its own response.

use std::time::Duration;

use http::{Extensions, Response};
use larder_store::Tag;

use crate::presets::PresetTtls;
use crate::ttl::{NamedTtl, Ttl};

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
    /// Which lifetimes that have a name were said too.
    named: [bool; NamedTtl::ALL.len()],
    pub(crate) tags: Vec<Tag>,
    pub(crate) no_store: bool,
}

impl CacheHints {
    /// No hints.
    pub fn new() -> Self {
        Self::default()
    }

    /// The lifetime of this response in the cache, whatever its status; zero keeps it out. A [`Duration`], a text such as
    /// `"90s"`, or a name such as `"short"`: see [`Ttl`].
    #[track_caller]
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        (self.ttl, self.named) = (None, Default::default());
        match ttl.into() {
            Ttl::Of(length) => self.ttl = Some(length),
            Ttl::Named(name) => self.named[name as usize] = true,
        }
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
        let mut named = old.named;
        named
            .iter_mut()
            .zip(self.named)
            .for_each(|(old, new)| *old |= new);
        extensions.insert(Self {
            ttl: shorter(old.ttl, self.ttl),
            named,
            tags,
            no_store: old.no_store || self.no_store,
        });
    }

    /// The same with a length in the place of names: of several lifetimes the shortest.
    pub(crate) fn settled(mut self, ttls: &PresetTtls) -> Self {
        for (name, said) in NamedTtl::ALL.into_iter().zip(std::mem::take(&mut self.named)) {
            if said {
                self.ttl = shorter(self.ttl, Some(ttls.named(name)));
            }
        }
        self
    }
}

fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_lifetimes_the_shortest_holds_by_the_configuration() {
        let ttls = PresetTtls::new().with_named(NamedTtl::Long, Duration::from_secs(2));
        let seconds = |hints: CacheHints| hints.settled(&ttls).ttl.map(|ttl| ttl.as_secs());
        let both = |one: CacheHints, other: CacheHints| {
            let mut extensions = Extensions::new();
            one.add(&mut extensions);
            other.add(&mut extensions);
            seconds(extensions.remove().unwrap_or_default())
        };
        assert_eq!(seconds(CacheHints::new()), None);
        assert_eq!(seconds(CacheHints::new().ttl("long")), Some(2));
        assert_eq!(seconds(CacheHints::new().ttl("1s").ttl("short")), Some(300));
        assert_eq!(seconds(CacheHints::new().ttl("short").ttl("1s")), Some(1));
        let ttl = |text: &str| CacheHints::new().ttl(text);
        assert_eq!(both(ttl("short"), ttl("long")), Some(2));
        assert_eq!(both(ttl("3s"), ttl("long")), Some(2));
        assert_eq!(both(ttl("long"), ttl("1s")), Some(1));
        assert_eq!(both(ttl("4s"), ttl("3s")), Some(3));
        assert_eq!(both(CacheHints::new(), ttl("3s")), Some(3));
    }
}
