//! The table of the defences, read from the text in which it is kept.

use std::fmt;

use crate::failure::{Failure, Outcome};

/// The table. What it is made of is said at its top.
pub(super) const TEXT: &str = include_str!("table.txt");

/// A defence, and the test that fails without it.
pub(super) struct Defence {
    /// The attack that it keeps off.
    pub(super) attack: String,
    pub(super) suite: Suite,
    pub(super) test: String,
    /// What is taken out. More than one where the same attack meets two defences in a row.
    pub(super) edits: Vec<Edit>,
}

/// A piece of text that stands once in a file, and what stands there without the defence.
pub(super) struct Edit {
    pub(super) file: String,
    pub(super) text: String,
    pub(super) without: String,
}

/// Tests that are built together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Suite {
    pub(super) word: &'static str,
    pub(super) package: &'static str,
    /// The integration test; the unit tests where there is none.
    pub(super) test: Option<&'static str>,
}

const SUITES: [Suite; 6] = [
    Suite::of("presets", "larder", Some("attacks")),
    Suite::of("gateways", "larder", Some("attacks_gateway")),
    Suite::of("stores", "larder-store", Some("conformance")),
    Suite::of("bounds", "larder-store", Some("bounds")),
    Suite::of("store", "larder-store", None),
    Suite::of("cache-layer", "larder-cache-layer", None),
];

impl Suite {
    const fn of(word: &'static str, package: &'static str, test: Option<&'static str>) -> Self {
        Self { word, package, test }
    }

    /// What cargo is told, to run it.
    pub(super) fn arguments<'a>(&self, more: &[&'a str]) -> Vec<&'a str> {
        let which = self.test.map_or(vec!["--lib"], |test| vec!["--test", test]);
        let all = ["test", "--all-features", "--package", self.package];
        [&all[..], &which, more].concat()
    }
}

impl fmt::Display for Defence {
    /// The attack, the first text of the defence, and the test.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let edit = self.edits.first();
        let (file, text) = edit.map_or(("", ""), |edit| (&edit.file, edit.text.trim()));
        let line = text.lines().next().unwrap_or_default();
        let Self {
            attack, suite, test, ..
        } = self;
        write!(f, "{attack}: {file}: `{line}`: {} {test}", suite.word)
    }
}

impl Edit {
    /// The text of the file without the defence.
    pub(super) fn taken_out(&self, text: &str) -> Outcome<String> {
        match text.matches(&self.text).count() {
            1 => Ok(text.replace(&self.text, &self.without)),
            count => Err(Failure::new(format!(
                "`{}` stands {count} times in {}, not once: bring xtask/src/defences/table.txt up to date",
                self.text, self.file
            ))),
        }
    }
}

/// The defences in the table. A failure names the line that is not understood.
pub(super) fn read(text: &str) -> Outcome<Vec<Defence>> {
    let mut all: Vec<Defence> = Vec::new();
    let mut attack = None;
    let mut within = false;
    for (nth, line) in text.lines().enumerate() {
        let wrong = || Failure::new(format!("line {} of the table is not understood: {line}", nth + 1));
        if let Some(name) = line.strip_prefix("# ") {
            attack = Some(name.to_owned());
            continue;
        }
        // What comes before the first attack says what the table is.
        let Some(attack) = &attack else {
            continue;
        };
        if line.is_empty() {
            within = false;
        } else if within {
            let defence = all.last_mut().ok_or_else(wrong)?;
            add(&mut defence.edits, line).ok_or_else(wrong)?;
        } else {
            let (word, test) = line.split_once(' ').ok_or_else(wrong)?;
            let suite = *SUITES.iter().find(|suite| suite.word == word).ok_or_else(wrong)?;
            within = true;
            all.push(Defence {
                attack: attack.clone(),
                suite,
                test: test.to_owned(),
                edits: Vec::new(),
            });
        }
    }
    Ok(all)
}

/// Adds a line of a defence: a file, or a line of what stands in the last one with or without it.
fn add(edits: &mut Vec<Edit>, line: &str) -> Option<()> {
    let Some(mark @ ('-' | '+')) = line.chars().next() else {
        edits.push(Edit {
            file: line.to_owned(),
            text: String::new(),
            without: String::new(),
        });
        return Some(());
    };
    let edit = edits.last_mut()?;
    let part = if mark == '-' {
        &mut edit.text
    } else {
        &mut edit.without
    };
    if !part.is_empty() {
        part.push('\n');
    }
    part.push_str(&line[1..]);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read() {
        let table = "What it is.\n\n# one\n\npresets a\nx.rs\n-a\n- b\n+c\ny.rs\n-d\n\nstore t::b\nz.rs\n-e\n\n# two\n";
        let read = read(table).unwrap();
        let [a, b] = &read[..] else { panic!("two defences") };
        assert_eq!((&*a.attack, &*a.test, a.suite.package), ("one", "a", "larder"));
        let edits: Vec<_> = a
            .edits
            .iter()
            .map(|edit| (&*edit.file, &*edit.text, &*edit.without))
            .collect();
        assert_eq!(edits, [("x.rs", "a\n b", "c"), ("y.rs", "d", "")]);
        assert_eq!((b.suite.test, b.edits.len()), (None, 1));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for table in ["# a\n\nnowhere t\n", "# a\n\npresets\n", "# a\n\npresets t\n-x\n"] {
            assert!(read(table).is_err(), "{table}");
        }
    }

    #[test]
    fn a_text_that_is_not_there_once_is_refused() {
        let edit = Edit {
            file: "x.rs".to_owned(),
            text: "a".to_owned(),
            without: String::new(),
        };
        assert_eq!(edit.taken_out("bac").unwrap(), "bc");
        assert!(edit.taken_out("b").is_err());
        assert!(edit.taken_out("aa").unwrap_err().to_string().contains("2 times"));
    }
}
