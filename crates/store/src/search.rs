//! Which part of a query a response does not depend on (`No-Vary-Search`).

/// By which part of the query a response does not vary (draft-ietf-httpbis-no-vary-search §2).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct SearchVariance {
    /// Whether the order of parameters with different names means nothing (`key-order`).
    pub unordered: bool,
    /// The parameters that mean nothing.
    pub ignored: IgnoredParameters,
}

/// The query parameters that mean nothing to a response.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum IgnoredParameters {
    /// None.
    #[default]
    None,
    /// These alone (`params=("a")`).
    Only(Box<[Box<str>]>),
    /// All but these (`params, except=("a")`); of no names, all.
    AllExcept(Box<[Box<str>]>),
}

impl SearchVariance {
    /// The memory that it takes, in bytes; an estimate that errs on the high side.
    pub(crate) fn overhead(&self) -> usize {
        let names = match &self.ignored {
            IgnoredParameters::None => &[][..],
            IgnoredParameters::Only(names) | IgnoredParameters::AllExcept(names) => names,
        };
        let names: usize = names
            .iter()
            .map(|name| size_of::<Box<str>>() + 16 + name.len())
            .sum();
        size_of::<Self>() + 16 + names
    }
}
