//! Tags: the names under which entries are forgotten.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

/// A name that entries carry and under which they are forgotten.
///
/// An application names its own tags ([`Tag::new`], or any string); the others are carried by every entry without
/// being asked for, so that a whole layer, one person's data, one URI or all paths below a prefix can be forgotten
/// at a cost that does not depend on how many entries there are. The kinds never mix: no text of an application's
/// tag can reach an entry by its path, its identity or its layer.
///
/// ```
/// use larder_store::Tag;
///
/// assert_eq!(Tag::from("ratings"), Tag::new("ratings"));
/// assert_ne!(Tag::new("/api").id(), Tag::path("/api").id());
/// ```
#[derive(Clone)]
pub struct Tag {
    kind: TagKind,
    /// Only the first `length` bytes are the tag's: those that name prefixes of one target share its text.
    text: Arc<str>,
    length: u32,
}

/// What a [`Tag`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TagKind {
    /// A name that the application chose.
    Named,
    /// All entries of one layer.
    Layer,
    /// All entries of one identity.
    Identity,
    /// All entries whose path is the text, or lies below it.
    Path,
    /// All entries of one path and query, under any host, header or identity.
    Uri,
    /// All entries of one path and query of one origin.
    Target,
    /// All entries of one path of one origin whose responses answer several queries (`No-Vary-Search`).
    Searches,
    /// All entries that an origin put into one of its cache groups (RFC 9875).
    Group,
    /// The value of one key.
    Key,
}

impl TagKind {
    /// The word for this kind, as logs and explanations show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Named => "tag",
            Self::Layer => "layer",
            Self::Identity => "identity",
            Self::Path => "path",
            Self::Uri => "uri",
            Self::Target => "target",
            Self::Searches => "searches",
            Self::Group => "group",
            Self::Key => "key",
        }
    }
}

/// What a store knows of a tag: 128 bits of its kind and text.
///
/// Two tags that collide are forgotten together: a miss too many, never a stale hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TagId(u128);

impl Tag {
    /// A tag of the application.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self::whole(TagKind::Named, text.into())
    }

    /// The tag of everything that the layer called `name` stored.
    #[must_use]
    pub fn layer(name: impl Into<Arc<str>>) -> Self {
        Self::whole(TagKind::Layer, name.into())
    }

    /// The tag of everything that was stored for one identity.
    #[must_use]
    pub fn identity(id: impl Into<Arc<str>>) -> Self {
        Self::whole(TagKind::Identity, id.into())
    }

    /// The tag of the value that is kept under `key`. Its text is a hash of that.
    #[must_use]
    pub fn key(key: &[u8]) -> Self {
        let hash = xxh3_128(key);
        let digits: [u8; 32] =
            std::array::from_fn(|at| b"0123456789abcdef"[(hash >> (124 - 4 * at)) as usize & 15]);
        // All of it is ASCII.
        Self::whole(TagKind::Key, str::from_utf8(&digits).unwrap_or_default().into())
    }

    /// The tag of the path `prefix` and of all paths below it, by whole segments: `/teams` reaches `/teams` and
    /// `/teams/7`, and does not reach `/teamsters`. A slash at the end means nothing.
    ///
    /// Only the first [`Tag::PATH_DEPTH`] segments count: a deeper prefix is widened to them, so that it forgets
    /// more than asked and never less.
    #[must_use]
    pub fn path(prefix: &str) -> Self {
        let prefix = unescaped(prefix);
        Self::whole(
            TagKind::Path,
            path_prefixes(&prefix).last().unwrap_or_default().into(),
        )
    }

    /// The path tags that an entry at `path` carries: one for each segment-aligned prefix of it, the root first.
    pub fn paths_of(path: &str) -> impl Iterator<Item = Self> {
        let path: Arc<str> = unescaped(path).into();
        Self::prefixes(Arc::clone(&path), path.len())
    }

    /// The tags of an entry at `path_and_query`, all in one piece of memory: that [of it](Self::uri), and
    /// [those of its path](Self::paths_of).
    pub fn of_target(path_and_query: &str) -> impl Iterator<Item = Self> {
        let uri = Self::uri(path_and_query);
        let text = Arc::clone(&uri.text);
        let path = text.find('?').unwrap_or(text.len());
        std::iter::once(uri).chain(Self::prefixes(text, path))
    }

    /// The path tags of the path that is the first `path` bytes of `text`.
    fn prefixes(text: Arc<str>, path: usize) -> impl Iterator<Item = Self> {
        let ends: Vec<usize> = path_prefixes(&text[..path]).map(str::len).collect();
        ends.into_iter().map(move |end| Self {
            length: u32::try_from(end).unwrap_or(u32::MAX),
            ..Self::whole(TagKind::Path, Arc::clone(&text))
        })
    }

    fn whole(kind: TagKind, text: Arc<str>) -> Self {
        Self {
            kind,
            length: length(&text),
            text,
        }
    }

    /// How many segments of a path have a tag of their own.
    pub const PATH_DEPTH: usize = 8;

    /// The tag of this path and query, whatever the order of its parameters: an entry may be filled by one order and
    /// answer another.
    #[must_use]
    pub fn uri(path_and_query: impl Into<Arc<str>>) -> Self {
        let text = path_and_query.into();
        let text = match unescaped(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(unescaped) => unescaped.into(),
        };
        Self::whole(TagKind::Uri, ordered(&text).unwrap_or(text))
    }

    /// The tag of this path and query of one origin, by the rules of [`uri`](Self::uri): what a mutation forgets (RFC
    /// 9111 §4.4). `origin` is the host and port as a request names them, in any case.
    #[must_use]
    pub fn target(origin: &str, path_and_query: &str) -> Self {
        let target = unescaped(path_and_query);
        let target = ordered(&target).map_or(target, |ordered| Cow::Owned(ordered.as_ref().to_owned()));
        Self::of_origin(TagKind::Target, origin, &target)
    }

    /// The tag of those entries at `path` of one origin that answer several queries.
    #[must_use]
    pub fn searches(origin: &str, path: &str) -> Self {
        Self::of_origin(TagKind::Searches, origin, &unescaped(path))
    }

    /// The tag of those entries at `path` of all origins, which is no tag of any one of them.
    #[must_use]
    pub fn all_searches(path: &str) -> Self {
        Self::whole(TagKind::Searches, unescaped(path).into())
    }

    /// The tag of the cache group `name` of one origin (RFC 9875 §2). Names are told apart by case.
    #[must_use]
    pub fn group(origin: &str, name: &str) -> Self {
        Self::of_origin(TagKind::Group, origin, name)
    }

    fn of_origin(kind: TagKind, origin: &str, text: &str) -> Self {
        // A default port names the same origin as none. No origin has a space in it, so that the first one ends it.
        let port = origin.strip_suffix(":80").or_else(|| origin.strip_suffix(":443"));
        let origin = port.unwrap_or(origin).to_ascii_lowercase().replace(' ', "%20");
        Self::whole(kind, format!("{origin} {text}").into())
    }

    /// What this tag names.
    #[must_use]
    pub const fn kind(&self) -> TagKind {
        self.kind
    }

    /// The text of the tag, without its kind.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.text.get(..self.length as usize).unwrap_or(&self.text)
    }

    /// The tag whose text is the first `length` bytes of `text`, which is taken as it is; `None` if it does not have
    /// them, or they end within a character.
    pub(crate) fn of_parts(kind: TagKind, text: Arc<str>, length: u32) -> Option<Self> {
        text.get(..usize::try_from(length).ok()?)?;
        Some(Self { kind, text, length })
    }

    /// Whether the texts of both lie in the same memory.
    pub(crate) fn shares_text(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.text, &other.text)
    }

    /// The text that it holds, of which its own may be a part.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The id under which stores keep the tag.
    #[must_use]
    pub fn id(&self) -> TagId {
        TagId::of(self.kind, self.as_str())
    }
}

/// No text of 4 GiB comes near a tag; of one that did, all would count.
fn length(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

/// The same without escapes that mean nothing: `%37` is `7`, and `%2f` is `%2F` (RFC 3986 §6.2.2). A handler does not see
/// the difference, and must be forgotten under either.
fn unescaped(target: &str) -> Cow<'_, str> {
    if !target.contains('%') {
        return Cow::Borrowed(target);
    }
    let mut plain = String::with_capacity(target.len());
    let mut rest = target;
    while let Some(at) = rest.find('%') {
        plain.push_str(&rest[..at]);
        let digits = rest
            .get(at + 1..at + 3)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (byte, digits) {
            (Some(byte), _) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                plain.push(byte.into());
            }
            (_, Some(digits)) => {
                plain.push('%');
                plain.push_str(&digits.to_ascii_uppercase());
            }
            (_, None) => plain.push('%'),
        }
        rest = &rest[at + if digits.is_some() { 3 } else { 1 }..];
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// The same with its query parameters in order; `None` where they are.
fn ordered(path_and_query: &str) -> Option<Arc<str>> {
    let (path, query) = path_and_query.split_once('?')?;
    let mut parameters: Vec<&str> = query.split('&').collect();
    if parameters.is_sorted() {
        return None;
    }
    parameters.sort_unstable();
    Some(format!("{path}?{}", parameters.join("&")).into())
}

/// The prefixes of `path` that end at a segment, from the root (empty) down to at most [`Tag::PATH_DEPTH`] segments.
fn path_prefixes(path: &str) -> impl Iterator<Item = &str> {
    let path = path.trim_end_matches('/');
    let ends = path
        .match_indices('/')
        .map(|(at, _)| at)
        .chain(std::iter::once(path.len()));
    ends.take(Tag::PATH_DEPTH + 1).map(move |end| &path[..end])
}

impl TagId {
    /// The id of the tag with this kind and text, without making the tag.
    #[must_use]
    pub fn of(kind: TagKind, text: &str) -> Self {
        // The kind is hashed apart and mixed in, so that no text can stand for another kind.
        Self(xxh3_128(text.as_bytes()) ^ xxh3_128(kind.as_str().as_bytes()).rotate_left(31))
    }

    /// The 128 bits.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0
    }

    /// 64 of the bits, for tables.
    #[inline]
    pub(crate) const fn low(self) -> u64 {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "the low half is what is asked for"
        )]
        {
            self.0 as u64
        }
    }
}

impl PartialEq for Tag {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.as_str()) == (other.kind, other.as_str())
    }
}

impl Eq for Tag {}

impl Hash for Tag {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.kind, self.as_str()).hash(state);
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:?}", self.kind.as_str(), self.as_str())
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<&str> for Tag {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Tag {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&Tag> for Tag {
    fn from(tag: &Tag) -> Self {
        tag.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes(path: &str) -> Vec<String> {
        Tag::paths_of(path).map(|tag| tag.as_str().to_owned()).collect()
    }

    #[test]
    fn an_entry_carries_each_prefix_of_its_path() {
        assert_eq!(
            prefixes("/api/v1/teams/7"),
            ["", "/api", "/api/v1", "/api/v1/teams", "/api/v1/teams/7"]
        );
        assert_eq!(prefixes("/teams/"), ["", "/teams"]);
        assert_eq!(prefixes("/"), [""]);
    }

    #[test]
    fn the_tags_of_a_target_are_those_of_its_parts() {
        for target in [
            "/api/v1?page=2/3&a=?",
            "/b?c=/d&b=1",
            "/api/v1/",
            "/",
            "*",
            "?a=1",
            "/a?",
        ] {
            let path = target.split('?').next().unwrap();
            let expected: Vec<Tag> = std::iter::once(Tag::uri(target))
                .chain(Tag::paths_of(path))
                .collect();
            let tags: Vec<Tag> = Tag::of_target(target).collect();
            assert_eq!(tags, expected, "{target}");
            for (tag, expected) in tags.iter().zip(&expected) {
                assert_eq!(tag.id(), expected.id());
                assert_eq!(tag.as_str(), expected.as_str());
            }
        }
    }

    #[test]
    fn an_origin_has_targets_and_groups_of_its_own() {
        assert_eq!(
            Tag::target("Jam.Test:80", "/a%7E?b=2&a=1"),
            Tag::target("jam.test:80", "/a~?a=1&b=2")
        );
        assert_ne!(Tag::target("jam.test", "/a"), Tag::target("other.test", "/a"));
        assert_ne!(Tag::group("jam.test", "a b"), Tag::group("jam.test a", "b"));
        assert_ne!(Tag::group("jam.test", "a"), Tag::group("jam.test", "A"));
        assert_ne!(
            Tag::target("jam.test", "/a").id(),
            Tag::searches("jam.test", "/a").id()
        );
        assert_ne!(
            Tag::target("jam.test", "/a").id(),
            Tag::group("jam.test", "/a").id()
        );
    }

    #[test]
    fn a_prefix_reaches_whole_segments_only() {
        assert!(Tag::paths_of("/teams/7").any(|tag| tag == Tag::path("/teams")));
        assert!(Tag::paths_of("/teams").any(|tag| tag == Tag::path("/teams/")));
        assert!(!Tag::paths_of("/teamsters").any(|tag| tag == Tag::path("/teams")));
        assert!(Tag::paths_of("/anything").any(|tag| tag == Tag::path("/")));
    }

    #[test]
    fn a_prefix_deeper_than_the_tags_is_widened_never_lost() {
        let deep = "/1/2/3/4/5/6/7/8/9/10/11";
        assert!(Tag::paths_of(deep).any(|tag| tag == Tag::path("/1/2/3/4/5/6/7/8/9/10")));
        assert_eq!(Tag::paths_of(deep).count(), Tag::PATH_DEPTH + 1);
        assert_eq!(Tag::path(deep), Tag::path("/1/2/3/4/5/6/7/8"));
    }

    #[test]
    fn the_order_of_parameters_makes_no_other_uri() {
        assert_eq!(Tag::uri("/a?b=2&a=1&b=1"), Tag::uri("/a?a=1&b=1&b=2"));
        assert_ne!(Tag::uri("/a?a=1"), Tag::uri("/a?a=1&a=1"));
        assert_ne!(Tag::uri("/a?"), Tag::uri("/a"));
    }

    #[test]
    fn an_escape_that_means_nothing_makes_no_other_tag() {
        assert_eq!(Tag::uri("/teams/%37?%61=1"), Tag::uri("/teams/7?a=1"));
        assert_eq!(Tag::path("/d%6Fcs"), Tag::path("/docs"));
        assert!(Tag::of_target("/d%6fcs/x?y").any(|tag| tag == Tag::path("/docs")));
        assert_eq!(Tag::uri("/a%2fb"), Tag::uri("/a%2Fb"));
        assert_ne!(Tag::uri("/a%2fb"), Tag::uri("/a/b"), "another path");
        for odd in ["%", "/%", "/%4", "/%zz", "/%é", "%%37"] {
            assert!(Tag::of_target(odd).count() > 1, "{odd}");
        }
    }

    #[test]
    fn kinds_never_mix() {
        let ids = [
            Tag::new("a").id(),
            Tag::layer("a").id(),
            Tag::identity("a").id(),
            Tag::path("a").id(),
            Tag::uri("a").id(),
        ];
        for (i, one) in ids.iter().enumerate() {
            assert!(ids.iter().skip(i + 1).all(|other| one != other));
        }
    }
}
