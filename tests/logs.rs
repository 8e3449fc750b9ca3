//! The page of the logs: each event and span of the code is there with its fields, and no other.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../src/guide/logs.rs");

/// Level, message or name, and fields.
type Said = (String, String, BTreeSet<String>);

/// The files of the crates that users build, and of this one.
fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut files) = (vec![root.join("src")], Vec::new());
    for entry in std::fs::read_dir(root.join("crates")).unwrap() {
        let entry = entry.unwrap();
        // What they write is the user's program, and what tests say is their own.
        if !["macros", "testkit"].contains(&entry.file_name().to_str().unwrap()) {
            folders.push(entry.path().join("src"));
        }
    }
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

/// The arguments of a macro's call, from behind its parenthesis: divided at the commas that are in no other.
fn arguments(rest: &str) -> Vec<String> {
    let (mut depth, mut text, mut escaped) = (0, false, false);
    let mut all = vec![String::new()];
    for sign in rest.chars() {
        if text {
            text = escaped || sign != '"';
            escaped = !escaped && sign == '\\';
        } else {
            match sign {
                '"' => text = true,
                '(' | '[' | '{' => depth += 1,
                ')' if depth == 0 => break,
                ')' | ']' | '}' => depth -= 1,
                ',' if depth == 0 => {
                    all.push(String::new());
                    continue;
                }
                _ => {}
            }
        }
        all.last_mut().unwrap().push(sign);
    }
    let all = all
        .iter()
        .map(|argument| argument.split_whitespace().collect::<Vec<_>>().join(" "));
    all.filter(|argument| !argument.is_empty()).collect()
}

/// What the code says.
fn said() -> (BTreeSet<Said>, BTreeSet<Said>) {
    let (mut events, mut spans) = (BTreeSet::new(), BTreeSet::new());
    for file in files() {
        let code = std::fs::read_to_string(&file).unwrap();
        let code = code.split("#[cfg(test)]\nmod tests").next().unwrap();
        for call in code.split("tracing::").skip(1) {
            let Some((name, rest)) = call.split_once("!(") else {
                continue;
            };
            if !name.chars().all(|sign| sign.is_ascii_lowercase() || sign == '_') {
                continue;
            }
            let (level, is_span) = match name.strip_suffix("_span") {
                Some(level) => (level, true),
                None => (name, false),
            };
            assert!(
                ["trace", "debug", "info", "warn", "error"].contains(&level),
                "{}: {name}",
                file.display()
            );
            let (mut message, mut fields) = (None, BTreeSet::new());
            for argument in arguments(rest) {
                match argument.strip_prefix('"') {
                    // A backslash joins two lines of the code.
                    Some(text) => message = Some(text.trim_end_matches('"').replace("\\ ", "")),
                    None => {
                        let field = argument.split(" = ").next().unwrap();
                        fields.insert(field.trim_start_matches(['%', '?']).to_owned());
                    }
                }
            }
            let message = message.unwrap_or_else(|| panic!("{}: no message in {rest:.80}", file.display()));
            if is_span { &mut spans } else { &mut events }.insert((level.to_owned(), message, fields));
        }
    }
    (events, spans)
}

fn words(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The table under `heading`.
fn table(heading: &str) -> BTreeSet<Said> {
    let (_, rest) = PAGE.split_once(&format!("//! # {heading}\n")).unwrap();
    let rows = rest.lines().skip_while(|line| !line.starts_with("//! |")).skip(2);
    let rows = rows.map_while(|line| line.strip_prefix("//! | ")?.strip_suffix(" |"));
    let row = |row: &str| {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [level, message, fields] = cells[..] else {
            panic!("three cells are wanted in {row}")
        };
        // A name is code as a whole, and a message may end with some.
        let message = match message.strip_prefix('`') {
            Some(name) => name.trim_end_matches('`'),
            None => message,
        };
        (
            level.trim_matches('`').to_owned(),
            message.to_owned(),
            words(fields),
        )
    };
    rows.map(row).collect()
}

#[test]
fn the_page_has_what_the_code_says() {
    let (events, spans) = said();
    assert!(events.len() > 40 && spans.len() == 1, "{}", events.len());
    let missing: Vec<_> = events.difference(&table("Events")).cloned().collect();
    let rows: Vec<String> = missing.iter().map(row).collect();
    assert!(missing.is_empty(), "not on the page:\n{}", rows.join("\n"));
    let gone: Vec<_> = table("Events").difference(&events).cloned().collect();
    assert!(gone.is_empty(), "on the page, and said nowhere: {gone:#?}");
    assert_eq!(table("Spans"), spans);
}

/// The row that the page wants.
fn row((level, message, fields): &Said) -> String {
    let fields: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
    let fields = if fields.is_empty() {
        "-".to_owned()
    } else {
        fields.join(", ")
    };
    format!("//! | `{level}` | {message} | {fields} |")
}

#[test]
fn each_field_is_explained_and_used() {
    let (events, spans) = said();
    let used: BTreeSet<String> = events
        .into_iter()
        .chain(spans)
        .flat_map(|(.., fields)| fields)
        .collect();
    let (_, rest) = PAGE.split_once("//! | Field | Is |\n").unwrap();
    let rows = rest.lines().skip(1).map_while(|line| line.strip_prefix("//! | "));
    let explained: BTreeSet<String> = rows
        .flat_map(|row| words(row.split(" | ").next().unwrap()))
        .collect();
    assert_eq!(explained, used);
}

#[test]
fn arguments_are_divided_where_they_end() {
    assert_eq!(
        arguments("cache = &*name(a, b), %error, \"a, (text) \\\" of\", more) and no more"),
        ["cache = &*name(a, b)", "%error", "\"a, (text) \\\" of\"", "more"]
    );
}
