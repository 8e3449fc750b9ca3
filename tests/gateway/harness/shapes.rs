//! The shapes that most cases of a table have.

use super::{Case, case};

/// A 200 with these lines, and a second request that the cache answers.
pub(crate) fn kept(name: impl Into<String>, lines: &str) -> Case {
    case(name).get().ok(lines).miss().get().hit()
}

/// A 200 with these lines, and a second request that reaches the origin.
pub(crate) fn not_kept(name: impl Into<String>, lines: &str) -> Case {
    case(name).get().ok(lines).miss().get().miss()
}

/// A 200 with these lines that is fresh for so many seconds and no longer.
pub(crate) fn kept_for(name: impl Into<String>, seconds: u64, lines: &str) -> Case {
    kept(name, lines)
        .wait(seconds - 1)
        .get()
        .hit()
        .wait(1)
        .get()
        .reached()
}

/// The cases of a table: a name's end, and the lines of the response.
pub(crate) fn table<'a>(
    start: &'a str,
    shape: impl Fn(String, &str) -> Case + 'a,
    rows: &'a [(&'a str, &'a str)],
) -> impl Iterator<Item = Case> + 'a {
    rows.iter()
        .map(move |(end, lines)| shape(format!("{start}_{end}"), lines))
}
