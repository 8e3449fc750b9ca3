//! Four named starting points: what each preset is told beforehand.

use std::sync::Arc;
use std::time::Duration;

use crate::policy::{ClientCaching, Policy};
use crate::ttl::{NamedTtl, Ttl};

/// The four presets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Preset {
    /// What many ask for and what changes often: 5 min.
    Hot,
    /// What belongs to one verified identity: 1 min.
    User,
    /// What all may see and what changes seldom: 30 min.
    Public,
    /// Files: 1 h, by clients too.
    Static,
}

impl Preset {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::User => "user",
            Self::Public => "public",
            Self::Static => "static",
        }
    }

    /// How long a response with status 200 is fresh, if its handler does not say.
    #[must_use]
    pub const fn ttl(self) -> Duration {
        Duration::from_secs(match self {
            Self::Hot => 5 * 60,
            Self::User => 60,
            Self::Public => 30 * 60,
            Self::Static => 60 * 60,
        })
    }

    /// What a layer of this preset, called `name`, starts with.
    pub(crate) fn policy(self, name: Arc<str>, ttls: &PresetTtls) -> Policy {
        let mut policy = Policy::plain(name, self != Self::User);
        policy.ttl = Some(ttls.of(self));
        if self == Self::Static {
            policy.ignore_cookies = true;
            policy.max_body = 4 << 20;
            policy.client = ClientCaching::MaxAge {
                seconds: self.ttl().as_secs(),
                immutable: false,
            };
        }
        policy
    }
}

/// The lifetimes of the presets and those with a name, where a configuration has others than [`Preset::ttl`] and
/// [`NamedTtl::ttl`].
#[derive(Debug, Clone, Default)]
pub struct PresetTtls {
    presets: [Option<Duration>; 4],
    named: [Option<Duration>; 4],
}

impl PresetTtls {
    /// The presets' own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Another lifetime for `preset`.
    #[must_use]
    pub fn with(mut self, preset: Preset, ttl: Duration) -> Self {
        self.presets[preset as usize] = Some(ttl);
        self
    }

    /// The lifetime of `preset`.
    #[must_use]
    pub fn of(&self, preset: Preset) -> Duration {
        self.presets[preset as usize].unwrap_or(preset.ttl())
    }

    /// Another lifetime for what is called `name`.
    #[must_use]
    pub fn with_named(mut self, name: NamedTtl, ttl: Duration) -> Self {
        self.named[name as usize] = Some(ttl);
        self
    }

    /// The lifetime called `name`.
    #[must_use]
    #[inline]
    pub fn named(&self, name: NamedTtl) -> Duration {
        self.named[name as usize].unwrap_or(name.ttl())
    }

    /// How long `ttl` is.
    #[inline]
    pub(crate) fn length(&self, ttl: Ttl) -> Duration {
        match ttl {
            Ttl::Of(length) => length,
            Ttl::Named(name) => self.named(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_may_say_what_a_name_means() {
        let ttls = PresetTtls::new().with_named(NamedTtl::Long, Duration::from_secs(9));
        assert_eq!(ttls.length(Ttl::from("long")), Duration::from_secs(9));
        assert_eq!(ttls.length(Ttl::from("short")), Duration::from_secs(300));
        assert_eq!(ttls.length(Ttl::from("1s")), Duration::from_secs(1));
    }
}
