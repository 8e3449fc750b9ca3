//! What an invalidation layer was told.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use larder_store::{Strength, Tag};

use crate::invalidator::Invalidator;
use crate::rule::ActionRule;
use crate::source::ParameterSource;

/// All that a layer was told.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) invalidator: Invalidator,
    pub(crate) rules: Vec<Arc<ActionRule>>,
    pub(crate) sources: Vec<(Cow<'static, str>, Arc<dyn ParameterSource>)>,
    /// The placeholders that the handler fills.
    pub(crate) reported: Vec<Cow<'static, str>>,
    pub(crate) otherwise: Vec<Tag>,
    pub(crate) when: Arc<dyn Fn(StatusCode) -> bool + Send + Sync>,
    pub(crate) strength: Strength,
    pub(crate) own_uri: bool,
    pub(crate) fail_answers: bool,
    /// For how long the client reads what it wrote.
    pub(crate) read_token: Option<Duration>,
}
