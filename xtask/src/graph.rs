//! A graph of who uses whom: its circles, and how it is drawn.

use std::collections::{BTreeMap, BTreeSet};

/// Words that Mermaid does not take as the name of a node.
const RESERVED: [&str; 8] = [
    "class",
    "click",
    "default",
    "end",
    "graph",
    "linkStyle",
    "style",
    "subgraph",
];

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Graph {
    arrows: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    pub(crate) fn node(&mut self, name: &str) {
        self.arrows.entry(name.to_owned()).or_default();
    }

    /// `from` uses `to`. An arrow to itself says nothing, and is left out.
    pub(crate) fn arrow(&mut self, from: &str, to: &str) {
        self.node(from);
        self.node(to);
        if from != to {
            self.arrows
                .entry(from.to_owned())
                .or_default()
                .insert(to.to_owned());
        }
    }

    /// A circle of arrows, if there is one: its nodes in order, the first again at the end.
    pub(crate) fn circle(&self) -> Option<Vec<&str>> {
        let mut done = BTreeSet::new();
        self.arrows
            .keys()
            .find_map(|node| self.circle_from(node, &mut Vec::new(), &mut done))
    }

    fn circle_from<'a>(
        &'a self,
        node: &'a str,
        path: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Vec<&'a str>> {
        if let Some(first) = path.iter().position(|earlier| *earlier == node) {
            return Some(path[first..].iter().copied().chain([node]).collect());
        }
        if done.contains(node) {
            return None;
        }
        path.push(node);
        let next = self.arrows.get(node).into_iter().flatten();
        let circle = next
            .into_iter()
            .find_map(|next| self.circle_from(next, path, done));
        path.pop();
        done.insert(node);
        circle
    }

    /// The graph as a Mermaid flowchart.
    pub(crate) fn mermaid(&self) -> String {
        let mut text = String::from("```mermaid\nflowchart TD\n");
        for name in self.arrows.keys() {
            text.push_str(&format!("    {}[\"{name}\"]\n", id(name)));
        }
        for (from, to) in self
            .arrows
            .iter()
            .flat_map(|(from, to)| to.iter().map(move |to| (from, to)))
        {
            text.push_str(&format!("    {} --> {}\n", id(from), id(to)));
        }
        text + "```\n"
    }
}

fn id(name: &str) -> String {
    let id = name.replace('-', "_");
    if RESERVED.contains(&id.as_str()) {
        id + "_"
    } else {
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(arrows: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::default();
        arrows.iter().for_each(|(from, to)| graph.arrow(from, to));
        graph
    }

    #[test]
    fn a_circle_is_found_and_named() {
        let circle = graph(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "b"), ("a", "d")]);
        assert_eq!(circle.circle(), Some(vec!["b", "c", "d", "b"]));
        assert_eq!(
            graph(&[("a", "b"), ("b", "a")]).circle(),
            Some(vec!["a", "b", "a"])
        );
    }

    #[test]
    fn two_ways_to_one_node_are_no_circle() {
        assert_eq!(
            graph(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("a", "a")]).circle(),
            None
        );
    }

    #[test]
    fn it_is_drawn_in_order() {
        assert_eq!(
            graph(&[("larder", "end"), ("a-b", "larder")]).mermaid(),
            "```mermaid\nflowchart TD\n    a_b[\"a-b\"]\n    end_[\"end\"]\n    larder[\"larder\"]\n    \
             a_b --> larder\n    larder --> end_\n```\n"
        );
    }
}
