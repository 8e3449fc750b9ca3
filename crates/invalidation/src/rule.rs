//! An action's name, and what it forgets.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use larder_store::{Tag, TagKind, TagTemplate, TemplateError, Unfilled};

use crate::error::{ActionError, ActionErrorKind};
use crate::parameters::Parameters;

/// An action: its name, and the tags that it forgets, with placeholders for its parameters.
///
/// ```
/// use larder_invalidation::ActionRule;
///
/// let rule = ActionRule::new("team.rename")
///     .tag("team:{team_id}")
///     .prefix("/api/v1/teams/{team_id}")
///     .identity("{owner}");
/// assert_eq!(rule.placeholders().collect::<Vec<_>>(), ["owner", "team_id"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ActionRule {
    name: Arc<str>,
    targets: Vec<TagTemplate>,
}

impl ActionRule {
    /// The action called `name`, which forgets nothing yet.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            targets: Vec::new(),
        }
    }

    /// It forgets a tag, such as `team:{team_id}`.
    ///
    /// # Panics
    /// If it is no template: [`TagTemplate::new`].
    #[track_caller]
    pub fn tag(self, tag: &str) -> Self {
        self.target(TagTemplate::new(tag))
    }

    /// It forgets all of one identity, such as `{user_id}`: what a `user_cache` keeps for it.
    ///
    /// # Panics
    /// If it is no template: [`TagTemplate::new`].
    #[track_caller]
    pub fn identity(self, id: &str) -> Self {
        self.target(TagTemplate::identity(id))
    }

    /// It forgets a path and all below it, by whole segments, such as `/api/v1/teams/{team_id}`.
    ///
    /// # Panics
    /// If it is no template: [`TagTemplate::new`].
    #[track_caller]
    pub fn prefix(self, path: &str) -> Self {
        self.target(TagTemplate::path(path))
    }

    /// It forgets one path and query, such as `/api/v1/teams?page={page}`.
    ///
    /// # Panics
    /// If it is no template: [`TagTemplate::new`].
    #[track_caller]
    pub fn uri(self, path_and_query: &str) -> Self {
        self.target(TagTemplate::uri(path_and_query))
    }

    /// It forgets all that the layer called `name` kept.
    pub fn layer(self, name: &str) -> Self {
        self.forgets(Tag::layer(name))
    }

    /// It forgets what this template names.
    pub fn forgets(mut self, target: impl Into<TagTemplate>) -> Self {
        self.targets.push(target.into());
        self
    }

    #[track_caller]
    fn target(self, target: Result<TagTemplate, TemplateError>) -> Self {
        match target {
            Ok(target) => self.forgets(target),
            Err(error) => panic!("the action `{}`: {error}", self.name),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it forgets.
    #[must_use]
    pub fn targets(&self) -> &[TagTemplate] {
        &self.targets
    }

    /// The names of its placeholders, each once, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        let all = self.targets.iter().flat_map(TagTemplate::placeholders);
        all.collect::<BTreeSet<_>>().into_iter()
    }

    /// The tags that it forgets with these parameters.
    ///
    /// # Errors
    /// When a placeholder has no value, or one that it must not have: [`TagTemplate::fill`].
    pub fn tags(&self, parameters: &Parameters) -> Result<Vec<Tag>, ActionError> {
        let (tags, unfilled) = self.filled(parameters);
        match unfilled {
            None => Ok(tags),
            Some(error) => Err(error),
        }
    }

    /// The tags of those targets whose placeholders have values, and what is wrong with the first of the others.
    pub(crate) fn filled(&self, parameters: &Parameters) -> (Vec<Tag>, Option<ActionError>) {
        let mut tags = Vec::new();
        let mut wrong = None;
        for target in &self.targets {
            match target.fill(|name| parameters.value(name).map(Cow::Borrowed)) {
                Ok(filled) => tags.extend(filled),
                Err(error) => {
                    let kind = match error.kind() {
                        Unfilled::Missing => ActionErrorKind::MissingParameter,
                        _ => ActionErrorKind::BadValue,
                    };
                    let message = format!(
                        "the action `{}` cannot forget {}: {error}",
                        self.name,
                        shown(target)
                    );
                    wrong.get_or_insert_with(|| ActionError::new(kind, message).with_source(error));
                }
            }
        }
        (tags, wrong)
    }
}

/// A target with its kind, as tables and messages show it.
pub(crate) fn shown(target: &TagTemplate) -> String {
    match target.kind() {
        TagKind::Named => format!("`{target}`"),
        TagKind::Path => format!("the path `{target}`"),
        TagKind::Uri => format!("the URI `{target}`"),
        kind => format!("the {} `{target}`", kind.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_widening_value_forgets_nothing() {
        let rule = ActionRule::new("team.rename")
            .tag("teams")
            .tag("team:{id}")
            .prefix("/teams/{id}");
        let fails = |parameters: Parameters| {
            let error = rule.tags(&parameters).unwrap_err();
            (error.kind(), error.to_string())
        };
        assert_eq!(
            fails(Parameters::new().with("team", 7)),
            (
                ActionErrorKind::MissingParameter,
                "the action `team.rename` cannot forget `team:{id}`: `id` has no value".to_owned()
            )
        );
        assert_eq!(fails([("id", "")].into()).0, ActionErrorKind::BadValue);
        let (kind, message) = fails([("id", "7/secret")].into());
        assert_eq!(kind, ActionErrorKind::BadValue);
        assert!(
            message.starts_with("the action `team.rename` cannot forget the path `/teams/{id}`"),
            "{message}"
        );
        assert!(!message.contains("secret"), "a value may be a person's");
        let tags = rule.tags(&[("id", 7)].into()).unwrap();
        assert_eq!(
            tags,
            [Tag::new("teams"), Tag::new("team:7"), Tag::path("/teams/7")]
        );
    }

    #[test]
    #[should_panic(expected = "the action `a`: the tag \"team:{\" is no template: a brace has no partner")]
    fn a_bad_template_fails_where_it_is_written() {
        let _ = ActionRule::new("a").tag("team:{");
    }
}
