//! Layers made from an engine, by their presets.

use std::panic::Location;
use std::sync::Arc;

use crate::engine::Engine;
use crate::identity::{Identify, PerIdentity, Shared};
use crate::layer::CacheLayer;
use crate::policy::Policy;
use crate::presets::Preset;
use crate::profile::Profile;

/// The layers. Each has a `name`, the same on every instance and after every deploy: it is a part of its keys, labels
/// its metrics, and is the name of its switch.
impl Engine {
    /// What many ask for and what changes often: shared by all, fresh for 5 min.
    #[track_caller]
    pub fn hot_cache(&self, name: impl Into<Arc<str>>) -> CacheLayer {
        self.preset(Preset::Hot, name.into(), Location::caller())
    }

    /// What all may see and what changes seldom: shared by all, fresh for 30 min.
    #[track_caller]
    pub fn public_cache(&self, name: impl Into<Arc<str>>) -> CacheLayer {
        self.preset(Preset::Public, name.into(), Location::caller())
    }

    /// Files: shared by all, cookies ignored, fresh for 1 h, and for 1 h in clients too. Bodies up to 4 MiB.
    #[track_caller]
    pub fn static_cache(&self, name: impl Into<Arc<str>>) -> CacheLayer {
        self.preset(Preset::Static, name.into(), Location::caller())
    }

    /// What belongs to one identity, which `identify` verifies on every request: fresh for 1 min.
    #[track_caller]
    pub fn user_cache<I: Identify>(
        &self,
        name: impl Into<Arc<str>>,
        identify: I,
    ) -> CacheLayer<PerIdentity<I>> {
        CacheLayer::new(
            self,
            Preset::User.policy(name.into(), &self.core().ttls),
            PerIdentity(identify),
            Location::caller(),
        )
    }

    /// A plain layer, shared by all: it has no lifetime of its own and keeps what names one, until it is given one.
    #[track_caller]
    pub fn cache(&self, name: impl Into<Arc<str>>) -> CacheLayer {
        CacheLayer::new(self, Policy::plain(name.into(), true), Shared, Location::caller())
    }

    /// A shared cache in front of an origin that it knows nothing of, by RFC 9111: the origin's headers alone decide. Made
    /// for gateways and reverse proxies; `profile` says how far it goes.
    #[track_caller]
    pub fn gateway_cache(&self, name: impl Into<Arc<str>>, profile: Profile) -> CacheLayer {
        CacheLayer::new(self, profile.policy(name.into()), Shared, Location::caller())
    }

    fn preset(&self, preset: Preset, name: Arc<str>, at: &'static Location<'static>) -> CacheLayer {
        CacheLayer::new(self, preset.policy(name, &self.core().ttls), Shared, at)
    }
}
