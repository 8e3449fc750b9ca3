//! What the documents say is what happens: the README's commands, run by a shell against the real example, and the
//! places that ARCHITECTURE.md names.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support_examples;

use support_examples::{Example, demand, printed_by, read, root, steps};

#[test]
fn the_commands_of_the_readme_print_what_it_shows() {
    demand("curl", "curl");
    let readme = read("README.md");
    let steps: Vec<(&str, &str)> = steps(&readme);
    assert!(steps.len() >= 6, "{} steps in the README", steps.len());
    let quickstart = Example::start("quickstart", &[]);
    for (commands, shown) in steps {
        let commands = commands.replace("127.0.0.1:3000", &quickstart.address);
        assert!(!commands.contains("3000"), "another address: {commands}");
        assert_eq!(printed_by(&commands), shown, "\n{commands}");
    }
}

/// The README tells to run the example as it is tested here.
#[test]
fn the_readme_starts_the_example_on_the_port_of_its_commands() {
    let readme = read("README.md");
    assert!(readme.contains("```sh\ncargo run --example quickstart\n```"));
    assert!(read("examples/quickstart.rs").contains("\"127.0.0.1:3000\""));
}

#[test]
fn the_architecture_names_the_lines_where_it_is_decided() {
    let text = read("ARCHITECTURE.md");
    let (_, rest) = text
        .split_once("`crates/cache-layer/src/flow.rs`, function `decide`, lines ")
        .unwrap();
    let lines: String = rest
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '–')
        .collect();
    let (first, last) = lines.split_once('–').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    assert!(last - first < 60, "{lines} is no place");
    let flow = read("crates/cache-layer/src/flow.rs");
    let decide = flow.lines().position(|line| line.contains("fn decide")).unwrap() + 1;
    let end = decide + flow.lines().skip(decide).position(|line| line == "}").unwrap() + 1;
    assert!(
        first <= decide && end <= last,
        "`decide` is in lines {decide}–{end} of flow.rs; ARCHITECTURE.md says {lines}"
    );
}

/// The page of the answers explains every word for what was done.
#[test]
fn every_outcome_is_in_the_guide() {
    let guide = read("src/guide/answers.rs");
    for outcome in larder::Outcome::ALL {
        let word = outcome.as_str();
        assert!(
            guide.contains(&format!("//! | `{word}` | ")),
            "no row for `{word}` in src/guide/answers.rs"
        );
    }
}

/// The documents name files; each is there.
#[test]
fn files_named_in_the_documents_exist() {
    for document in ["README.md", "ARCHITECTURE.md"] {
        let text = read(document);
        let linked = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
        for target in linked.filter(|target| !target.contains("://") && !target.starts_with('#')) {
            assert!(root().join(target).exists(), "{document} links to {target}");
        }
        let quoted = text.split('`').skip(1).step_by(2);
        for path in quoted.filter(|word| word.ends_with(".rs") && word.contains('/')) {
            assert!(root().join(path).exists(), "{document} names {path}");
        }
    }
}

/// Each promise and each fault of the guide names a file of tests, and tests by name are in one of the files named beside
/// them.
#[test]
fn the_tests_that_the_guarantees_name_exist() {
    let guide = read("src/guide/guarantees.rs");
    let (mut rows, mut names) = (0, 0);
    // A row of a table is a line; what is said outside of tables may go over several.
    for part in guide.split("\n//!\n").flat_map(parts) {
        let quoted: Vec<&str> = part.split('`').skip(1).step_by(2).collect();
        let files = quoted.iter().filter(|word| word.ends_with(".rs"));
        let texts: Vec<String> = files
            .map(|path| {
                if path.contains('/') {
                    read(path)
                } else {
                    String::new()
                }
            })
            .collect();
        if part.starts_with("//! | ") {
            rows += 1;
            assert!(!texts.is_empty(), "no test holds this: {part}");
        }
        for name in quoted.iter().filter(|word| word.matches('_').count() >= 3) {
            names += 1;
            let is_there = ["(", "<"].iter().any(|next| {
                let begins = format!("fn {name}{next}");
                texts.iter().any(|text| text.contains(&begins))
            });
            assert!(
                is_there,
                "`{name}` is in none of the files named beside it: {part}"
            );
        }
    }
    assert!(rows > 20 && names > 20, "{rows} rows, {names} tests");
}

/// The rows of a table without its heads; else the paragraph.
fn parts(paragraph: &str) -> Vec<&str> {
    if !paragraph.contains("|---|") {
        return vec![paragraph];
    }
    paragraph
        .lines()
        .skip_while(|line| !line.contains("|---|"))
        .skip(1)
        .collect()
}
