//! A mutation on its way: what it makes stale is forgotten whatever becomes of it.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use larder_store::{Strength, Tag};

use crate::forget::{Cause, Source};
use crate::metrics;
use crate::named::Target;
use crate::parameters::Parameters;
use crate::settings::Settings;

/// A mutation that its handler may have carried out. Dropped without an end, it forgets in a task of its own.
pub(crate) struct Pending {
    settings: Arc<Settings>,
    parameters: Parameters,
    target: Target,
    named: Vec<Tag>,
    /// Whether it is unknown still what became of it.
    unknown: bool,
}

/// Why an invalidation failed, as `X-Invalidation` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// A placeholder had no value that it could be filled with.
    Unresolved,
    /// The cache failed; the journal retries.
    Store,
}

impl Failed {
    pub(crate) const fn header(self) -> &'static str {
        match self {
            Self::Unresolved => "failed; reason=unresolved",
            Self::Store => "failed; reason=store",
        }
    }
}

impl Pending {
    pub(crate) fn new(settings: Arc<Settings>, parameters: Parameters, target: Target) -> Self {
        Self {
            settings,
            parameters,
            target,
            named: Vec::new(),
            unknown: true,
        }
    }

    /// The handler answered.
    pub(crate) fn answered(&mut self, status: StatusCode, headers: &HeaderMap, reported: Option<Parameters>) {
        self.parameters.extend(reported.unwrap_or_default());
        let happened = (self.settings.when)(status);
        if happened && self.settings.own_uri {
            self.named = self.target.named(headers);
        }
        self.unknown = happened || status.is_server_error();
    }

    pub(crate) const fn may_have_changed(&self) -> bool {
        self.unknown
    }

    /// Forgets, if something may have changed.
    pub(crate) async fn forget(mut self) -> Result<(), Failed> {
        if !self.unknown {
            return Ok(());
        }
        let settings = Arc::clone(&self.settings);
        let (tags, complete) = self.tags();
        let cause = self.cause();
        let done = match tags.as_slice() {
            [] => Ok(()),
            tags => settings
                .invalidator
                .forget_surely(tags, settings.strength, cause)
                .await
                .map(|_| ()),
        };
        self.unknown = false;
        match done {
            Err(_) => Err(Failed::Store),
            Ok(()) if !complete => Err(Failed::Unresolved),
            Ok(()) => Ok(()),
        }
    }

    /// What it makes stale, and whether that is all.
    fn tags(&self) -> (Vec<Tag>, bool) {
        let settings = &self.settings;
        let mut tags = if settings.own_uri {
            self.target.own()
        } else {
            Vec::new()
        };
        tags.extend_from_slice(&self.named);
        let mut complete = true;
        for rule in &settings.rules {
            let (filled, wrong) = rule.filled(&self.parameters);
            tags.extend(filled);
            let Some(error) = wrong else { continue };
            if settings.otherwise.is_empty() {
                complete = false;
                metrics::unresolved(settings.strength);
                tracing::error!(action = rule.name(), %error, "an invalidation is not complete");
            } else {
                tracing::debug!(action = rule.name(), %error, "forgetting more in its place");
                tags.extend_from_slice(&settings.otherwise);
            }
        }
        (tags, complete)
    }

    fn cause(&self) -> Cause {
        if self.settings.rules.is_empty() {
            Source::HttpMethod.into()
        } else {
            Cause::actions(self.settings.rules.iter().map(|rule| rule.name()))
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.unknown {
            return;
        }
        let (tags, _) = self.tags();
        let strength: Strength = self.settings.strength;
        if !tags.is_empty() {
            self.settings
                .invalidator
                .forget_detached(tags, strength, self.cause());
        }
    }
}
