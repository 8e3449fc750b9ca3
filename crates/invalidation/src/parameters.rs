//! The values of an action's placeholders.

use std::borrow::Cow;
use std::fmt;

/// The values of an action's placeholders, each under its name.
///
/// ```
/// use larder_invalidation::Parameters;
///
/// let one: Parameters = [("team_id", 7)].into();
/// let more = Parameters::new().with("team_id", 7).with("user", "ada");
/// assert_eq!(one.value("team_id"), more.value("team_id"));
/// ```
///
/// Values are written as they display. A handler may put them into its response's extensions, for an
/// [`InvalidateLayer`](crate::InvalidateLayer) around it; with the feature `axum`, by returning them as a part of the
/// response: `(Parameters::new().with("user", id), Json(..))`.
#[derive(Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Parameters(Vec<(Cow<'static, str>, String)>);

impl Parameters {
    /// None.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The same and `name`, in place of another value of that name.
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl fmt::Display) -> Self {
        self.set(name.into(), value.to_string());
        self
    }

    /// The value of `name`.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn set(&mut self, name: Cow<'static, str>, value: String) {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value));
    }

    /// Adds all of `others`, which go before those of the same name.
    pub(crate) fn extend(&mut self, others: Self) {
        for (name, value) in others.0 {
            self.set(name, value);
        }
    }
}

impl<K: Into<Cow<'static, str>>, V: fmt::Display, const N: usize> From<[(K, V); N]> for Parameters {
    fn from(pairs: [(K, V); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<K: Into<Cow<'static, str>>, V: fmt::Display> FromIterator<(K, V)> for Parameters {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter();
        pairs.fold(Self::new(), |all, (name, value)| all.with(name, value))
    }
}

/// Shows the names alone: values may be a person's.
impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

/// Adds them to those that are there.
#[cfg(feature = "axum")]
impl axum::response::IntoResponseParts for Parameters {
    type Error = std::convert::Infallible;

    fn into_response_parts(
        self,
        mut response: axum::response::ResponseParts,
    ) -> Result<axum::response::ResponseParts, Self::Error> {
        let mut all = response.extensions_mut().remove::<Self>().unwrap_or_default();
        all.extend(self);
        response.extensions_mut().insert(all);
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_name_counts_and_no_value_is_shown() {
        let mut parameters = Parameters::new().with("a", 1).with("b", "secret").with("a", 2);
        parameters.extend([("b", 3)].into());
        assert_eq!(
            (
                parameters.value("a"),
                parameters.value("b"),
                parameters.value("c")
            ),
            (Some("2"), Some("3"), None)
        );
        assert_eq!(format!("{parameters:?}"), r#"{"a", "b"}"#);
    }
}
