//! What a store finds amiss with what it is on.

use std::fmt;

/// One thing that is not as it should be, and what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A word for it, which does not change: `eviction`.
    pub name: &'static str,
    /// What was found, what it leads to, and what to change, in plain words.
    pub text: String,
}

/// How bad a [`Finding`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// It costs something, or is good to know.
    Note,
    /// It will do harm sooner or later.
    Warning,
    /// The store does not do its work.
    Problem,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

impl Finding {
    /// Something of this `severity`.
    #[must_use]
    pub fn new(severity: Severity, name: &'static str, text: impl Into<String>) -> Self {
        Self {
            severity,
            name,
            text: text.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.severity.as_str(), self.name, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_told_in_one_line() {
        let finding = Finding::new(Severity::Warning, "eviction", "set maxmemory");
        assert_eq!(finding.to_string(), "warning (eviction): set maxmemory");
        assert!(Severity::Problem > Severity::Warning && Severity::Warning > Severity::Note);
    }
}
