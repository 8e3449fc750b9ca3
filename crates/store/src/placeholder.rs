//! Why a text is no template of a tag, and why a placeholder was not filled.

use std::error::Error;
use std::fmt;

/// A text is no template of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    kind: TemplateErrorKind,
    template: String,
}

/// What is wrong with a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TemplateErrorKind {
    /// It is empty: a tag needs a name.
    Empty,
    /// A brace has no partner.
    Brace,
    /// The name of a placeholder is empty, or has a character that none may have.
    Name,
}

impl TemplateErrorKind {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Brace => "brace",
            Self::Name => "name",
        }
    }
}

impl TemplateError {
    pub(crate) fn new(kind: TemplateErrorKind, template: &str) -> Self {
        Self {
            kind,
            template: template.to_owned(),
        }
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> TemplateErrorKind {
        self.kind
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.kind {
            TemplateErrorKind::Empty => "it is empty",
            TemplateErrorKind::Brace => {
                "a brace has no partner; write {{ or }} for a brace that is none of a placeholder"
            }
            TemplateErrorKind::Name => {
                "the name of a placeholder has one or more letters, digits, `_`, `-` or `.`, and nothing else"
            }
        };
        write!(f, "the tag {:?} is no template: {why}", self.template)
    }
}

impl Error for TemplateError {}

/// A placeholder has no value that it could be filled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfilledPlaceholder {
    placeholder: String,
    kind: Unfilled,
}

/// Why a placeholder was not filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unfilled {
    /// There is no value of its name.
    Missing,
    /// Its value is empty.
    Empty,
    /// Its value could make a path or URI mean another.
    Widening,
}

impl Unfilled {
    /// The word for it in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Empty => "empty",
            Self::Widening => "widening",
        }
    }
}

impl UnfilledPlaceholder {
    pub(crate) fn new(placeholder: &str, kind: Unfilled) -> Self {
        Self {
            placeholder: placeholder.to_owned(),
            kind,
        }
    }

    /// The name of the placeholder.
    #[must_use]
    pub fn placeholder(&self) -> &str {
        &self.placeholder
    }

    /// Why it was not filled.
    #[must_use]
    pub const fn kind(&self) -> Unfilled {
        self.kind
    }
}

/// Never shows the value: it may be a client's.
impl fmt::Display for UnfilledPlaceholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.placeholder;
        match self.kind {
            Unfilled::Missing => write!(f, "`{name}` has no value"),
            Unfilled::Empty => write!(f, "the value of `{name}` is empty"),
            Unfilled::Widening => write!(
                f,
                "the value of `{name}` could make the path another: in paths only letters, digits and -._~ are allowed"
            ),
        }
    }
}

impl Error for UnfilledPlaceholder {}
