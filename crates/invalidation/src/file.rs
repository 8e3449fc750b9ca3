//! Actions in a file.

use std::fmt;
use std::marker::PhantomData;

use larder_store::{Tag, TagTemplate, TemplateError};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::actions::Actions;
use crate::error::{ActionError, ActionErrorKind};
use crate::rule::ActionRule;

/// From files; see [`from_toml`](Self::from_toml) for the form.
impl Actions {
    /// Reads actions from TOML: a table for each, with what it forgets, by kind. `{{` and `}}` are braces.
    ///
    /// ```
    /// use larder_invalidation::Actions;
    ///
    /// let actions = Actions::from_toml(r#"
    ///     ["energy_points.change"]
    ///     tags = ["ratings"]
    ///     identities = ["{user_id}"]
    ///
    ///     ["team.member.add"]
    ///     tags = ["team:{team_id}"]
    ///     prefixes = ["/api/v1/teams/{team_id}"]
    ///     uris = ["/api/v1/teams?sort=size"]
    ///     layers = ["newest_members"]
    /// "#)?;
    /// assert_eq!(actions.iter().count(), 2);
    /// # Ok::<_, larder_invalidation::ActionError>(())
    /// ```
    ///
    /// # Errors
    /// When it is no TOML, an action is there twice, a key is none of the above, or a text is no template.
    #[cfg(feature = "toml")]
    pub fn from_toml(text: &str) -> Result<Self, ActionError> {
        Self::read(toml::from_str(text))
    }

    /// Reads actions from JSON: an object of the same form as [`from_toml`](Self::from_toml)'s.
    ///
    /// # Errors
    /// As `from_toml`.
    #[cfg(feature = "json")]
    pub fn from_json(text: &str) -> Result<Self, ActionError> {
        Self::read(serde_json::from_str(text))
    }

    fn read<E>(read: Result<Pairs<Forgets>, E>) -> Result<Self, ActionError>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let pairs = read.map_err(|error| {
            let message = format!(
                "the file of actions cannot be read: {}",
                error.to_string().trim_end()
            );
            ActionError::new(ActionErrorKind::File, message).with_source(error)
        })?;
        let mut actions = Self::new();
        for (name, forgets) in pairs.0 {
            let rule = forgets.rule(&name).map_err(|error| {
                let message = format!("the file of actions cannot be read: `{name}`: {error}");
                ActionError::new(ActionErrorKind::File, message).with_source(error)
            })?;
            actions.insert(rule)?;
        }
        Ok(actions)
    }
}

/// What one action forgets, by kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Forgets {
    tags: Vec<String>,
    identities: Vec<String>,
    prefixes: Vec<String>,
    uris: Vec<String>,
    layers: Vec<String>,
}

type Template = fn(&str) -> Result<TagTemplate, TemplateError>;

impl Forgets {
    fn rule(self, name: &str) -> Result<ActionRule, TemplateError> {
        let kinds: [(Vec<String>, Template); 5] = [
            (self.tags, TagTemplate::new),
            (self.identities, TagTemplate::identity),
            (self.prefixes, TagTemplate::path),
            (self.uris, TagTemplate::uri),
            (self.layers, |name| Ok(Tag::layer(name).into())),
        ];
        let mut rule = ActionRule::new(name);
        for (texts, template) in kinds {
            for text in texts {
                rule = rule.forgets(template(&text)?);
            }
        }
        Ok(rule)
    }
}

/// A map in which a key may be twice: a map of the standard library would keep the last alone, and say nothing.
struct Pairs<V>(Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for All<V> {
            type Value = Vec<(String, V)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of actions")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(All(PhantomData)).map(Self)
    }
}

#[cfg(all(test, feature = "json", feature = "toml"))]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same_as_code() {
        let code = Actions::new().with(
            ActionRule::new("a.b")
                .tag("t:{x}")
                .identity("{u}")
                .prefix("/p/{x}")
                .uri("/u?q={x}")
                .layer("l"),
        );
        let toml = r#"
            ["a.b"]
            tags = ["t:{x}"]
            identities = ["{u}"]
            prefixes = ["/p/{x}"]
            uris = ["/u?q={x}"]
            layers = ["l"]
        "#;
        let json = r#"{"a.b": {"tags": ["t:{x}"], "identities": ["{u}"], "prefixes": ["/p/{x}"],
            "uris": ["/u?q={x}"], "layers": ["l"]}}"#;
        for read in [Actions::from_toml(toml), Actions::from_json(json)] {
            assert_eq!(
                read.unwrap().iter().collect::<Vec<_>>(),
                code.iter().collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (json, why) in [
            ("{", "EOF"),
            (
                r#"{"a": {"tag": ["x"]}}"#,
                "unknown field `tag`, expected one of `tags`",
            ),
            (r#"{"a": {"tags": "x"}}"#, "expected a sequence"),
            (
                r#"{"a": {"tags": ["t:{x"]}}"#,
                "`a`: the tag \"t:{x\" is no template",
            ),
            (r#"{"a": {}, "a": {}}"#, "two actions are called `a`"),
            ("[]", "a table of actions"),
        ] {
            let error = Actions::from_json(json).unwrap_err().to_string();
            assert!(error.contains(why), "{json}: {error}");
        }
        let error = Actions::from_toml("[a]\ntag = ['x']").unwrap_err();
        assert!(error.to_string().contains("unknown field `tag`"), "{error}");
    }
}
