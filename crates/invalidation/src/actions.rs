//! The register of an application's actions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use larder_store::Tag;

use crate::action::Action;
use crate::error::{ActionError, ActionErrorKind};
use crate::parameters::Parameters;
use crate::rule::{ActionRule, shown};

/// The actions of an application, by name. It displays as a table of what each forgets.
///
/// ```
/// use larder_invalidation::{ActionRule, Actions};
///
/// let actions = Actions::new()
///     .with(ActionRule::new("energy_points.change").tag("ratings").identity("{user_id}"))
///     .with(ActionRule::new("team.member.add").tag("team:{team_id}"));
/// assert_eq!(actions.to_string(), "\
/// action                forgets
/// energy_points.change  `ratings`, the identity `{user_id}`
/// team.member.add       `team:{team_id}`
/// ");
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Actions(BTreeMap<Box<str>, Arc<ActionRule>>);

impl Actions {
    /// None.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The same and `rule`.
    ///
    /// # Panics
    /// If there is an action of its name already.
    #[track_caller]
    pub fn with(mut self, rule: ActionRule) -> Self {
        match self.insert(rule) {
            Ok(()) => self,
            Err(error) => panic!("{error}"),
        }
    }

    /// The same and the action `A`.
    ///
    /// # Panics
    /// If there is an action of its name already.
    #[track_caller]
    pub fn with_type<A: Action>(self) -> Self {
        self.with(A::rule())
    }

    /// All of both, such as those in a file and those in code.
    ///
    /// # Errors
    /// When an action is in both.
    pub fn merge(mut self, others: Self) -> Result<Self, ActionError> {
        for rule in others.0.into_values() {
            self.insert(Arc::unwrap_or_clone(rule))?;
        }
        Ok(self)
    }

    pub(crate) fn insert(&mut self, rule: ActionRule) -> Result<(), ActionError> {
        if self.0.contains_key(rule.name()) {
            let message = format!("two actions are called `{}`", rule.name());
            return Err(ActionError::new(ActionErrorKind::Duplicate, message));
        }
        self.0.insert(rule.name().into(), Arc::new(rule));
        Ok(())
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &ActionRule> {
        self.0.values().map(|rule| &**rule)
    }

    /// The action called `name`.
    ///
    /// # Errors
    /// When there is none; the error names the one that is called most like it.
    pub fn rule(&self, name: &str) -> Result<&Arc<ActionRule>, ActionError> {
        self.0.get(name).ok_or_else(|| {
            let nearest = self
                .0
                .keys()
                .map(|known| (distance(known, name), known))
                .min()
                .filter(|(distance, _)| *distance <= name.len() / 3);
            let hint = match nearest {
                Some((_, known)) => format!(": did you mean `{known}`?"),
                None if self.0.is_empty() => {
                    ": there are no actions; give them to the handle first".to_owned()
                }
                None => String::new(),
            };
            ActionError::new(
                ActionErrorKind::Unknown,
                format!("no action is called `{name}`{hint}"),
            )
        })
    }

    /// The tags that the action called `name` forgets with these parameters.
    ///
    /// # Errors
    /// When there is no such action, a placeholder has no value, or one that it must not have.
    pub fn tags(&self, name: &str, parameters: &Parameters) -> Result<Vec<Tag>, ActionError> {
        self.rule(name)?.tags(parameters)
    }
}

impl fmt::Display for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .0
            .keys()
            .map(|name| name.chars().count())
            .max()
            .unwrap_or(0)
            .max(6);
        writeln!(f, "{:<width$}  forgets", "action")?;
        for rule in self.iter() {
            let targets: Vec<String> = rule.targets().iter().map(shown).collect();
            writeln!(f, "{:<width$}  {}", rule.name(), targets.join(", "))?;
        }
        Ok(())
    }
}

/// How many letters have to be changed, put in or left out to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], i + 1);
        for (j, right) in b.chars().enumerate() {
            let changed = before + usize::from(left != right);
            before = row[j + 1];
            row[j + 1] = changed.min(before + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_told_with_the_nearest() {
        let actions = Actions::new()
            .with(ActionRule::new("shop.purchase"))
            .with(ActionRule::new("team.add"));
        let said = |name| actions.rule(name).unwrap_err().to_string();
        assert_eq!(
            said("shop.purchas"),
            "no action is called `shop.purchas`: did you mean `shop.purchase`?"
        );
        assert_eq!(said("x"), "no action is called `x`");
        let none = Actions::new().rule("x").unwrap_err().to_string();
        assert_eq!(
            none,
            "no action is called `x`: there are no actions; give them to the handle first"
        );
        assert_eq!(actions.rule("x").unwrap_err().kind(), ActionErrorKind::Unknown);
    }

    #[test]
    fn two_of_a_name_are_refused() {
        let one = || Actions::new().with(ActionRule::new("a").tag("x"));
        let error = one().merge(one()).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string()),
            (
                ActionErrorKind::Duplicate,
                "two actions are called `a`".to_owned()
            )
        );
        assert!(one().merge(Actions::new().with(ActionRule::new("b"))).is_ok());
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (a, b, expected) in [
            ("", "", 0),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("a", "a", 0),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
