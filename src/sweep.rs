//! Forgetting by pattern: a tool for maintenance.

use std::fmt;
use std::sync::Arc;

use larder_store::{Tag, TagKind, Wanted};

use crate::error::Error;
use crate::larder::Larder;

/// A pattern of tags or paths: text, and places where anything may stand, `/` and nothing included.
///
/// Text means itself, whatever is in it. Only a [`glob`](Self::glob), which is written in the program, and a pattern that a person
/// [typed](Self::typed) as one have an asterisk with a meaning.
///
/// ```
/// use larder::TagPattern;
///
/// let members = TagPattern::glob("team:*:members");
/// assert!(members.matches("team:7:members"));
/// assert!(!members.matches("team:7"));
///
/// let name = "100*"; // from a request
/// let drafts = TagPattern::text("drafts:").then(name).then(":").anything();
/// assert!(drafts.matches("drafts:100*:2026"));
/// assert!(!drafts.matches("drafts:1000:2026"));
/// ```
///
/// ```compile_fail
/// # let name = "100*";
/// larder::TagPattern::glob(&format!("drafts:{name}:*")); // who says what is in the name?
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a pattern does nothing until something is matched with it"]
pub struct TagPattern {
    /// What stands before, between and behind the places where anything may stand.
    parts: Vec<String>,
}

impl TagPattern {
    /// A pattern of `text` alone, to be told more.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            parts: vec![text.into()],
        }
    }

    /// Behind that comes `text`, which means itself.
    pub fn then(mut self, text: &str) -> Self {
        if let Some(last) = self.parts.last_mut() {
            last.push_str(text);
        }
        self
    }

    /// Behind that comes anything, or nothing.
    pub fn anything(mut self) -> Self {
        self.parts.push(String::new());
        self
    }

    /// A pattern that stands in the program: in it `*` is anything, and `\\` before a letter is that letter.
    pub fn glob(pattern: &'static str) -> Self {
        Self::typed(pattern)
    }

    /// The same for a pattern that a person typed as one, who may forget what it reaches. Not for text that values were put into:
    /// an asterisk in one of them would reach more than was meant.
    pub fn typed(pattern: &str) -> Self {
        let mut made = Self::text("");
        let mut letters = pattern.chars();
        while let Some(letter) = letters.next() {
            made = match letter {
                '*' => made.anything(),
                '\\' => made.then(letters.next().unwrap_or('\\').encode_utf8(&mut [0; 4])),
                letter => made.then(letter.encode_utf8(&mut [0; 4])),
            };
        }
        made
    }

    /// Whether it is a pattern of `text`.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let [first, between @ .., last] = &self.parts[..] else {
            return self.parts.first().is_some_and(|all| all == text);
        };
        let rest = text.strip_prefix(first.as_str());
        let Some(mut rest) = rest.and_then(|rest| rest.strip_suffix(last.as_str())) else {
            return false;
        };
        // Each as soon as it comes: what is left is the longest then.
        for part in between {
            let Some(at) = rest.find(part.as_str()) else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
        true
    }
}

/// Forgetting what a [pattern](TagPattern) says, a batch at a time; made by [`Larder::sweep_tags`] and
/// [`Larder::sweep_paths`]. Dropping it ends it, and what is forgotten stays so.
///
/// ```
/// use larder::{Larder, TagPattern};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), larder::Error> {
/// let larder = Larder::in_memory(1 << 20);
/// let mut sweep = larder.sweep_tags(&TagPattern::glob("team:*:members"));
/// while sweep.step().await? {
///     println!("{} entries seen, {} tags forgotten", sweep.seen(), sweep.forgotten());
/// }
/// # Ok(()) }
/// ```
#[must_use = "a sweep does nothing until its steps are taken"]
pub struct Sweep {
    larder: Larder,
    wanted: Wanted,
    soft: bool,
    batch: usize,
    next: Option<u64>,
    seen: u64,
    forgotten: u64,
}

/// How many entries a step looks at by default.
const BATCH: usize = 1000;

impl Sweep {
    fn new(larder: &Larder, kind: TagKind, pattern: &TagPattern) -> Self {
        let pattern = pattern.clone();
        Self {
            larder: larder.clone(),
            wanted: Arc::new(move |tag: &Tag| tag.kind() == kind && pattern.matches(tag.as_str())),
            soft: false,
            batch: BATCH,
            next: Some(0),
            seen: 0,
            forgotten: 0,
        }
    }

    /// About how many entries a step looks at, where the store can look at some; 1000 by default, and at least 1.
    pub const fn batch(mut self, entries: usize) -> Self {
        self.batch = if entries == 0 { 1 } else { entries };
        self
    }

    /// Lets what is forgotten be served stale while it is replaced, as [`Invalidation::soft`](crate::Invalidation::soft).
    pub const fn soft(mut self) -> Self {
        self.soft = true;
        self
    }

    /// Looks at some entries, and forgets those tags of theirs that the pattern says. Answers whether there are more.
    ///
    /// # Errors
    /// When the store failed, or has no way to tell which tags there are. The same step can be tried again.
    pub async fn step(&mut self) -> Result<bool, Error> {
        let Some(from) = self.next else {
            return Ok(false);
        };
        let survey = self
            .larder
            .engine()
            .survey(&self.wanted, from, self.batch)
            .await?;
        for tags in survey.tags.chunks(BATCH) {
            let forgetting = self.larder.invalidate_tags(tags.iter().cloned());
            let forgetting = if self.soft { forgetting.soft() } else { forgetting };
            forgetting.await?;
        }
        self.seen += survey.seen as u64;
        self.forgotten += survey.tags.len() as u64;
        self.next = survey.next;
        Ok(self.next.is_some())
    }

    /// All steps, to the end; answers how many tags were forgotten.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub async fn finish(mut self) -> Result<u64, Error> {
        while self.step().await? {}
        Ok(self.forgotten)
    }

    /// How many entries were looked at until now.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.seen
    }

    /// How many tags were forgotten until now. One that entries of several steps carry counts for each.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

impl Larder {
    /// Forgets all tags, as [`invalidate_tag`](Self::invalidate_tag) does, that match `pattern` and are carried by an entry when the sweep
    /// comes to it. What is filled meanwhile may be left out.
    ///
    /// A tool for maintenance: it looks at every entry there is (a store on Redis scans the keys, in steps; it never asks
    /// for all of them at once; an entry that did not reach the server is left out). What an application does again and again has a tag, and costs the same for one entry as for a
    /// million.
    pub fn sweep_tags(&self, pattern: &TagPattern) -> Sweep {
        Sweep::new(self, TagKind::Named, pattern)
    }

    /// The same of all paths, as [`invalidate_prefix`](Self::invalidate_prefix) does: what lies below a path that matches is
    /// forgotten too.
    pub fn sweep_paths(&self, pattern: &TagPattern) -> Sweep {
        Sweep::new(self, TagKind::Path, pattern)
    }
}

impl fmt::Debug for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweep")
            .field("seen", &self.seen)
            .field("forgotten", &self.forgotten)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asterisk_is_anything_and_text_is_itself() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "team:7", true),
            ("a*", "b", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*b*b*", "abcb", true),
            ("*b*b*", "abc", false),
            ("a*b*c", "aXcXbXc", true),
            ("a*bc*c", "abc", false),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            (r"a\", r"a\", true),
            ("ü*ö", "ü-ö", true),
        ] {
            assert_eq!(TagPattern::glob(pattern).matches(text), fits, "{pattern} {text}");
        }
        for value in ["", "*", r"\*", r"a\", "a*b"] {
            let pattern = TagPattern::text(value).then(value).anything();
            assert!(pattern.matches(&format!("{value}{value}, and more")), "{value}");
            assert!(value.is_empty() || !pattern.matches("axbaxb"), "{value}");
        }
    }
}
