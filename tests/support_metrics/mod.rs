//! The table of the metrics, read from the page of the guide: the one place that says which there are.
#![allow(dead_code, reason = "each suite uses a part of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

const PAGE: &str = include_str!("../../src/guide/metrics.rs");

/// What kind of metric it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A row of the table.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) kind: Kind,
    pub(crate) unit: String,
    /// The labels, and the values that each may have; none are named where they are names of the application's.
    pub(crate) labels: BTreeMap<String, Vec<String>>,
}

/// The metrics by their names.
pub(crate) fn table() -> BTreeMap<String, Declared> {
    let (_, rest) = PAGE
        .split_once("//! | Name | Type | Unit | Labels | Meaning |\n")
        .unwrap();
    let rows = rest.lines().skip(1).map_while(|line| line.strip_prefix("//! | "));
    let mut table = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [name, kind, unit, labels, meaning] = cells[..] else {
            panic!("five cells are wanted in {row}");
        };
        assert!(meaning.len() > 5, "{name} has no meaning");
        let declared = Declared {
            kind: match kind {
                "counter" => Kind::Counter,
                "gauge" => Kind::Gauge,
                "histogram" => Kind::Histogram,
                other => panic!("{other} is no type of a metric"),
            },
            unit: unit.to_owned(),
            labels: labels_of(labels),
        };
        let before = table.insert(words(name).pop().unwrap(), declared);
        assert!(before.is_none(), "{name} is there twice");
    }
    table
}

/// Labels with their values: `` `a`; `b`: `x`, `y` ``.
fn labels_of(cell: &str) -> BTreeMap<String, Vec<String>> {
    if cell == "-" {
        return BTreeMap::new();
    }
    let label = |label: &str| match label.split_once(": ") {
        Some((name, values)) => (words(name).pop().unwrap(), words(values)),
        None => (words(label).pop().unwrap(), Vec::new()),
    };
    cell.split("; ").map(label).collect()
}

/// What is between backticks.
fn words(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
