//! Why an action could not be declared, found or run.

use std::error::Error;
use std::fmt;

/// An action could not be declared, found or run. Nothing was forgotten.
#[derive(Debug)]
pub struct ActionError {
    kind: ActionErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What is wrong with an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ActionErrorKind {
    /// No action has this name.
    Unknown,
    /// A placeholder has no value.
    MissingParameter,
    /// A placeholder's value is empty, or would make a path mean another.
    BadValue,
    /// Two actions have the same name.
    Duplicate,
    /// A file of actions cannot be read.
    File,
}

impl ActionErrorKind {
    /// The word for it in metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::MissingParameter => "missing_parameter",
            Self::BadValue => "bad_value",
            Self::Duplicate => "duplicate",
            Self::File => "file",
        }
    }
}

impl ActionError {
    pub(crate) fn new(kind: ActionErrorKind, message: String) -> Self {
        Self {
            kind,
            message,
            source: None,
        }
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn kind(&self) -> ActionErrorKind {
        self.kind
    }
}

impl fmt::Display for ActionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ActionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_ref()
            .map(|source| &**source as &(dyn Error + 'static))
    }
}
