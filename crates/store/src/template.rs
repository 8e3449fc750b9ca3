//! Tags with placeholders, such as `team:{team_id}`, whose values come from a request or from what happened.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::placeholder::{TemplateError, TemplateErrorKind, Unfilled, UnfilledPlaceholder};
use crate::tag::{Tag, TagKind};

/// A tag with placeholders in braces, `team:{team_id}`, or without any, `ratings`. `{{` and `}}` are braces.
///
/// Layers fill it from requests and actions from parameters, both by this one function, so that they agree:
///
/// ```
/// use larder_store::{Tag, TagTemplate};
///
/// let team = TagTemplate::new("team:{team_id}").unwrap();
/// let tags = team.fill(|name| (name == "team_id").then(|| "7".into())).unwrap();
/// assert_eq!(tags, [Tag::new("team:7")]);
///
/// let missing = team.fill(|_| None).unwrap_err();
/// assert_eq!(missing.placeholder(), "team_id");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TagTemplate {
    kind: TagKind,
    parts: Arc<[Part]>,
    /// The tag itself, where there are no placeholders.
    fixed: Option<Tag>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Part {
    Text(Box<str>),
    Placeholder(Box<str>),
}

impl TagTemplate {
    /// A template for tags of the application: what [`Tag::new`] makes.
    ///
    /// # Errors
    /// When it is empty, a brace is missing, or a placeholder has a name of other characters than letters, digits, `_`,
    /// `-` and `.`.
    pub fn new(text: &str) -> Result<Self, TemplateError> {
        Self::of_kind(TagKind::Named, text)
    }

    /// A template for the tags of identities: what [`Tag::identity`] makes.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn identity(text: &str) -> Result<Self, TemplateError> {
        Self::of_kind(TagKind::Identity, text)
    }

    /// A template for path prefixes: what [`Tag::path`] makes.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn path(text: &str) -> Result<Self, TemplateError> {
        Self::of_kind(TagKind::Path, text)
    }

    /// A template for a path and query: what [`Tag::uri`] makes, and the tag of what answers several queries of its path.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn uri(text: &str) -> Result<Self, TemplateError> {
        Self::of_kind(TagKind::Uri, text)
    }

    fn of_kind(kind: TagKind, text: &str) -> Result<Self, TemplateError> {
        let parts = parse(text)?;
        let fixed = match &*parts {
            [Part::Text(text)] if kind != TagKind::Uri => Some(tag(kind, text)),
            _ => None,
        };
        Ok(Self {
            kind,
            parts: parts.into(),
            fixed,
        })
    }

    /// What its tags name.
    #[must_use]
    pub const fn kind(&self) -> TagKind {
        self.kind
    }

    /// The names of its placeholders, in their order.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Placeholder(name) => Some(&**name),
            Part::Text(_) => None,
        })
    }

    /// The tags with the values that `value` has for the placeholders.
    ///
    /// Most often that is one. A value that a handler may read as another, `007` as 7 or a UUID in capitals, makes a second
    /// tag with what it would be read as: what is forgotten under either is forgotten.
    ///
    /// # Errors
    /// When a placeholder has no value or an empty one; and, in a path or URI, one of other characters than letters, digits
    /// and `-._~`, or a segment of dots: it could name another path, or one of several spellings.
    pub fn fill<'v>(
        &self,
        value: impl Fn(&str) -> Option<Cow<'v, str>>,
    ) -> Result<Vec<Tag>, UnfilledPlaceholder> {
        if let Some(fixed) = &self.fixed {
            return Ok(vec![fixed.clone()]);
        }
        let (mut written, mut read) = (String::new(), String::new());
        for part in &*self.parts {
            match part {
                Part::Text(text) => {
                    written.push_str(text);
                    read.push_str(text);
                }
                Part::Placeholder(name) => {
                    let value =
                        value(name).ok_or_else(|| UnfilledPlaceholder::new(name, Unfilled::Missing))?;
                    self.check(name, &value)?;
                    written.push_str(&value);
                    read.push_str(&as_read(&value));
                }
            }
        }
        let mut tags = self.tags(&written);
        if read != written {
            tags.extend(self.tags(&read));
        }
        Ok(tags)
    }

    fn tags(&self, text: &str) -> Vec<Tag> {
        let mut tags = vec![tag(self.kind, text)];
        if self.kind == TagKind::Uri {
            tags.push(Tag::all_searches(text.split('?').next().unwrap_or_default()));
        }
        tags
    }

    fn check(&self, name: &str, value: &str) -> Result<(), UnfilledPlaceholder> {
        if value.is_empty() {
            return Err(UnfilledPlaceholder::new(name, Unfilled::Empty));
        }
        let plain = value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        let dots = value == "." || value == "..";
        if matches!(self.kind, TagKind::Path | TagKind::Uri) && (!plain || dots) {
            return Err(UnfilledPlaceholder::new(name, Unfilled::Widening));
        }
        Ok(())
    }

    /// Whether some values make the same tag of both.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let (a, b) = (self.tokens(), other.tokens());
        if self.kind != other.kind {
            return false;
        }
        // `meet[i][j]`: whether the rests from `i` and `j` can be equal. `None` stands for any text.
        let mut meet = vec![vec![false; b.len() + 1]; a.len() + 1];
        for i in (0..=a.len()).rev() {
            for j in (0..=b.len()).rev() {
                let (left, right) = (a.get(i), b.get(j));
                meet[i][j] = match (left, right) {
                    (None, None) => true,
                    (Some(None), right) => meet[i + 1][j] || right.is_some() && meet[i][j + 1],
                    (left, Some(None)) => meet[i][j + 1] || left.is_some() && meet[i + 1][j],
                    (Some(left), Some(right)) => left == right && meet[i + 1][j + 1],
                    _ => false,
                };
            }
        }
        meet[0][0]
    }

    /// Its characters, and `None` for each placeholder.
    fn tokens(&self) -> Vec<Option<char>> {
        let mut tokens = Vec::new();
        for part in &*self.parts {
            match part {
                Part::Text(text) => tokens.extend(text.chars().map(Some)),
                Part::Placeholder(_) => tokens.push(None),
            }
        }
        tokens
    }
}

fn tag(kind: TagKind, text: &str) -> Tag {
    match kind {
        TagKind::Path => Tag::path(text),
        TagKind::Uri => Tag::uri(text),
        TagKind::Identity => Tag::identity(text),
        _ => Tag::new(text),
    }
}

/// What a handler may read a value as: an integer without sign and zeros in front, a UUID in small letters.
fn as_read(value: &str) -> Cow<'_, str> {
    let digits = value.strip_prefix(['+', '-']).unwrap_or(value);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = match digits.trim_start_matches('0') {
            "" => "0",
            number => number,
        };
        return if value.starts_with('-') && number != "0" {
            format!("-{number}").into()
        } else {
            number.into()
        };
    }
    let hexadecimal = value.bytes().filter(u8::is_ascii_hexdigit).count();
    let hyphens = value.bytes().filter(|byte| *byte == b'-').count();
    if hexadecimal != 32 || hexadecimal + hyphens != value.len() {
        return value.into();
    }
    let plain = value.replace('-', "").to_ascii_lowercase();
    let groups = [
        &plain[..8],
        &plain[8..12],
        &plain[12..16],
        &plain[16..20],
        &plain[20..],
    ];
    groups.join("-").into()
}

fn parse(text: &str) -> Result<Vec<Part>, TemplateError> {
    let error = |kind| TemplateError::new(kind, text);
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            literal.push_str(brace);
            rest = after;
            continue;
        }
        let end = match rest.find('}') {
            Some(end) if brace == "{" => end,
            Some(_) | None => return Err(error(TemplateErrorKind::Brace)),
        };
        let name = &rest[..end];
        let named = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        if !named {
            return Err(error(TemplateErrorKind::Name));
        }
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal).into()));
        }
        parts.push(Part::Placeholder(name.into()));
        rest = &rest[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Text(literal.into()));
    }
    if parts.is_empty() {
        return Err(error(TemplateErrorKind::Empty));
    }
    Ok(parts)
}

/// As it was written.
impl fmt::Display for TagTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &*self.parts {
            match part {
                Part::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}"))?,
                Part::Placeholder(name) => write!(f, "{{{name}}}")?,
            }
        }
        Ok(())
    }
}

/// This tag, of whatever kind, braces and all.
impl From<Tag> for TagTemplate {
    fn from(tag: Tag) -> Self {
        Self {
            kind: tag.kind(),
            parts: Arc::new([Part::Text(tag.as_str().into())]),
            fixed: Some(tag),
        }
    }
}

impl From<&Tag> for TagTemplate {
    fn from(tag: &Tag) -> Self {
        tag.clone().into()
    }
}

impl TryFrom<&str> for TagTemplate {
    type Error = TemplateError;

    fn try_from(text: &str) -> Result<Self, TemplateError> {
        Self::new(text)
    }
}

impl TryFrom<String> for TagTemplate {
    type Error = TemplateError;

    fn try_from(text: String) -> Result<Self, TemplateError> {
        Self::new(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn template(text: &str) -> TagTemplate {
        TagTemplate::new(text).unwrap()
    }

    fn filled(template: &TagTemplate, value: &str) -> Result<Vec<String>, Unfilled> {
        let tags = template
            .fill(|_| Some(value.into()))
            .map_err(|error| error.kind())?;
        Ok(tags.iter().map(|tag| tag.as_str().to_owned()).collect())
    }

    #[test]
    fn a_template_is_read_or_refused_with_its_reason() {
        use TemplateErrorKind as Kind;
        for (text, expected) in [
            ("team:{team_id}", Ok(vec!["team_id"])),
            ("{a}{b}", Ok(vec!["a", "b"])),
            ("{query.page}-{team-id}", Ok(vec!["query.page", "team-id"])),
            ("ratings", Ok(vec![])),
            ("{{no}}", Ok(vec![])),
            ("", Err(Kind::Empty)),
            ("team:{id", Err(Kind::Brace)),
            ("team:id}", Err(Kind::Brace)),
            ("team:{}", Err(Kind::Name)),
            ("team:{a b}", Err(Kind::Name)),
            ("team:{é}", Err(Kind::Name)),
        ] {
            let template = TagTemplate::new(text);
            let names = template
                .as_ref()
                .map(|template| template.placeholders().collect::<Vec<_>>());
            assert_eq!(names.map_err(TemplateError::kind), expected, "{text}");
            if let Ok(template) = &template {
                assert_eq!(template.to_string(), text);
            }
        }
    }

    #[test]
    fn braces_of_a_tag_are_no_placeholders() {
        let literal = Tag::new("{odd}");
        assert_eq!(
            TagTemplate::from(&literal).fill(|_| None).unwrap(),
            std::slice::from_ref(&literal)
        );
        assert_eq!(template("{{odd}}").fill(|_| None).unwrap(), [literal]);
    }

    #[test]
    fn a_value_that_would_widen_a_path_is_refused() {
        let path = TagTemplate::path("/teams/{id}").unwrap();
        assert_eq!(
            path.fill(|_| Some("seven".into())).unwrap(),
            [Tag::path("/teams/seven")]
        );
        for (value, why) in [
            ("", Unfilled::Empty),
            (".", Unfilled::Widening),
            ("..", Unfilled::Widening),
            ("7/members", Unfilled::Widening),
            ("7?x", Unfilled::Widening),
            ("a:b", Unfilled::Widening),
            ("*", Unfilled::Widening),
            ("%2e%2e", Unfilled::Widening),
            ("é", Unfilled::Widening),
        ] {
            assert_eq!(filled(&path, value), Err(why), "{value}");
        }
        assert_eq!(filled(&template("team:{id}"), ""), Err(Unfilled::Empty));
        assert_eq!(
            filled(&template("team:{id}"), "a/*"),
            Ok(vec!["team:a/*".to_owned()]),
            "no tag is a pattern"
        );
    }

    #[test]
    fn what_a_handler_may_read_as_another_value_has_both_tags() {
        let uuid = "0F8FAD5B-D9CB-469F-A165-70867728950E";
        for (value, read) in [
            ("007", Some("7")),
            ("+7", Some("7")),
            ("-07", Some("-7")),
            ("000", Some("0")),
            ("-0", Some("0")),
            (uuid, Some("0f8fad5b-d9cb-469f-a165-70867728950e")),
            (
                "0f8fad5bd9cb469fa16570867728950e",
                Some("0f8fad5b-d9cb-469f-a165-70867728950e"),
            ),
            ("7", None),
            ("-7", None),
            ("Ada", None),
            ("+", None),
            ("0f8fad5b-d9cb-469f-a165-70867728950e", None),
        ] {
            let expected: Vec<String> = [Some(value), read]
                .iter()
                .flatten()
                .map(|v| format!("team:{v}"))
                .collect();
            assert_eq!(filled(&template("team:{id}"), value), Ok(expected), "{value}");
        }
    }

    #[test]
    fn a_uri_is_forgotten_with_what_answers_several_queries() {
        let tags = TagTemplate::uri("/teams?id={id}")
            .unwrap()
            .fill(|_| Some("a".into()));
        assert_eq!(
            tags.unwrap(),
            [Tag::uri("/teams?id=a"), Tag::all_searches("/teams")]
        );
        let plain = TagTemplate::uri("/teams").unwrap().fill(|_| None).unwrap();
        assert_eq!(plain, [Tag::uri("/teams"), Tag::all_searches("/teams")]);
    }

    #[test]
    fn templates_meet_where_their_values_can_be_equal() {
        for (a, b, meet) in [
            ("team:{id}", "team:{team_id}", true),
            ("team:{id}", "team:7", true),
            ("{x}:7", "team:{y}", true),
            ("team:{id}", "teams", false),
            ("a{x}b", "a{y}c", false),
            ("ratings", "ratings", true),
            ("ratings", "rating", false),
        ] {
            assert_eq!(template(a).meets(&template(b)), meet, "{a} and {b}");
            assert_eq!(template(b).meets(&template(a)), meet, "{b} and {a}");
        }
        assert!(
            !template("{id}").meets(&TagTemplate::identity("{id}").unwrap()),
            "kinds never mix"
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a{}.:é ]{0,12}", value in "\\PC{0,6}") {
            if let Ok(template) = TagTemplate::new(&text) {
                prop_assert_eq!(template.to_string(), text);
                let _ = template.fill(|_| Some(value.as_str().into()));
                prop_assert!(template.meets(&template));
            }
        }
    }
}
