//! The picture of the crates and their modules in ARCHITECTURE.md, drawn from the code.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::failure::{Failure, Outcome, While};
use crate::flag;
use crate::graph::Graph;
use crate::metadata::Metadata;
use crate::modules;

const FILE: &str = "ARCHITECTURE.md";
const START: &str = "<!-- picture:start -->";
const END: &str = "<!-- picture:end -->";

/// The crates whose modules are drawn too.
const OPENED: [&str; 2] = ["larder-store", "larder-cache-layer"];

pub(crate) fn command(arguments: &[String]) -> Outcome<ExitCode> {
    let only_check = flag(arguments, "--check")?;
    let picture = draw(&Metadata::load()?)?;
    let there = Path::new(FILE).exists();
    let old = if there {
        fs::read_to_string(FILE).or_fail(|| format!("cannot read {FILE}"))?
    } else {
        format!("# Architecture\n\n{START}\n{END}\n")
    };
    let new = put_in(&old, &picture)?;
    if only_check && (new != old || !there) {
        return Err(Failure::new(format!(
            "the picture in {FILE} is not that of the code: cargo x picture"
        )));
    }
    if new != old || !there {
        fs::write(FILE, new).or_fail(|| format!("cannot write {FILE}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn draw(metadata: &Metadata) -> Outcome<String> {
    let crates = crates(metadata);
    let mut picture = String::from("Drawn from the code by `cargo x picture`; an arrow means \"uses\".\n\n");
    picture.push_str("The crates:\n\n");
    picture.push_str(&drawn(&crates, "crates")?);
    for name in OPENED {
        let Some(package) = metadata.package(name) else {
            return Err(Failure::new(format!(
                "no package `{name}` to draw: correct the list in xtask/src/picture.rs"
            )));
        };
        picture.push_str(&format!("\nThe modules of `{name}`:\n\n"));
        picture.push_str(&drawn(
            &modules::graph(&package.folder.join("src"))?,
            &format!("modules of {name}"),
        )?);
    }
    Ok(picture)
}

/// The published crates, and which is built from which.
fn crates(metadata: &Metadata) -> Graph {
    let mut graph = Graph::default();
    for package in metadata.published() {
        graph.node(&package.name);
        let ours = package
            .uses
            .iter()
            .filter(|used| metadata.package(used).is_some());
        ours.for_each(|used| graph.arrow(&package.name, used));
    }
    graph
}

fn drawn(graph: &Graph, what: &str) -> Outcome<String> {
    match graph.circle() {
        None => Ok(graph.mermaid()),
        Some(circle) => Err(Failure::new(format!(
            "the {what} use each other in a circle, {}: move what they share to a place below them",
            circle.join(" -> ")
        ))),
    }
}

/// The text with the picture between its marks.
fn put_in(text: &str, picture: &str) -> Outcome<String> {
    let parts = text
        .split_once(START)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = parts else {
        return Err(Failure::new(format!(
            "{FILE} has no place for the picture: put {START} and {END} into it"
        )));
    };
    Ok(format!("{before}{START}\n{picture}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_goes_between_the_marks_and_nothing_else_changes() {
        let text = format!("before\n{START}\nold\n{END}\nafter\n");
        let new = put_in(&text, "new\n").unwrap();
        assert_eq!(new, format!("before\n{START}\nnew\n{END}\nafter\n"));
        assert_eq!(put_in(&new, "new\n").unwrap(), new);
    }

    #[test]
    fn a_text_without_marks_is_left_alone() {
        assert!(put_in("# Architecture\n", "new\n").is_err());
        assert!(put_in(&format!("{END}\n{START}\n"), "new\n").is_err());
    }

    #[test]
    fn a_circle_is_a_failure_that_names_it() {
        let mut graph = Graph::default();
        graph.arrow("a", "b");
        graph.arrow("b", "a");
        let failure = drawn(&graph, "crates").unwrap_err().to_string();
        assert!(failure.contains("a -> b -> a"), "{failure}");
    }
}
