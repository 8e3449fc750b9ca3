//! Which modules of a crate use which, read from the paths in its source.
//!
//! A node is a module directly below the root, with all that is inside it; `lib` is the root itself. What the
//! root exports again (`pub use`) is counted for the module that it comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::failure::{Outcome, While};
use crate::graph::Graph;
use crate::source::{self, Token};
use crate::tree;

/// The root, as a node.
const ROOT: &str = "lib";

/// The graph of the modules below `src`.
pub(crate) fn graph(src: &Path) -> Outcome<Graph> {
    let mut files = Vec::new();
    for file in tree::rust_files(src)? {
        let inside = file
            .strip_prefix(src)
            .or_fail(|| format!("cannot place {}", file.display()))?;
        files.push((module(inside), tree::read(&file)?));
    }
    Ok(graph_of(&files))
}

/// The path of the module that a file holds: `key/tag.rs` is `key::tag`.
fn module(file: &Path) -> Vec<String> {
    let mut path: Vec<String> = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if path.last().is_some_and(|last| last == "mod" || last == ROOT) {
        path.pop();
    }
    path
}

fn graph_of(files: &[(Vec<String>, String)]) -> Graph {
    // Programs are crates of their own, and what the fuzz targets call is there for tests alone.
    let beside = |module: &[String]| {
        module
            .first()
            .is_some_and(|first| ["bin", "main", "fuzzing"].contains(&first.as_str()))
    };
    let read: Vec<_> = files
        .iter()
        .filter(|(module, _)| !beside(module))
        .map(|(module, text)| (module, paths(module, text)))
        .collect();
    let modules: BTreeSet<&str> = read
        .iter()
        .filter_map(|(module, _)| Some(module.first()?.as_str()))
        .collect();
    let exports = exports(&read, &modules);
    let mut graph = Graph::default();
    modules.iter().for_each(|module| graph.node(module));
    for (module, paths) in &read {
        let from = module.first().map_or(ROOT, String::as_str);
        for path in paths {
            let to = path.steps.first().map_or(ROOT, String::as_str);
            let known = modules.get(to).or_else(|| exports.get(to)).copied();
            if from != ROOT {
                graph.arrow(from, known.unwrap_or(ROOT));
            } else if let Some(to) = known.filter(|_| !path.exported) {
                graph.arrow(ROOT, to);
            }
        }
    }
    graph
}

/// The names that the root takes from its modules, with the module of each.
fn exports<'a>(
    read: &'a [(&Vec<String>, Vec<Used>)],
    modules: &BTreeSet<&'a str>,
) -> BTreeMap<&'a str, &'a str> {
    let of_root = read
        .iter()
        .filter(|(module, _)| module.is_empty())
        .flat_map(|(_, paths)| paths);
    let taken = of_root.filter(|path| modules.contains(path.steps.first().map_or("", String::as_str)));
    taken
        .filter_map(|path| Some((path.name.as_str(), path.steps.first()?.as_str())))
        .collect()
}

/// A path into the own crate, from its root.
#[derive(Debug, PartialEq, Eq)]
struct Used {
    steps: Vec<String>,
    /// The name it has where it is used.
    name: String,
    exported: bool,
}

/// All paths into the own crate that the text of `module` names, in `use` or elsewhere.
fn paths(module: &[String], text: &str) -> Vec<Used> {
    let tokens = source::tokens(text);
    let mut reader = Reader {
        tokens: &tokens,
        at: 0,
        module: module.to_vec(),
        found: Vec::new(),
    };
    reader.read();
    reader.found
}

struct Reader<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    /// The module at this place: that of the file, and the ones written inside it.
    module: Vec<String>,
    found: Vec<Used>,
}

impl Reader<'_> {
    fn read(&mut self) {
        // For every open brace, whether it opened a module.
        let mut open = Vec::new();
        while let Some(token) = self.peek(0) {
            match token {
                Token::Word("mod") if self.peek(2) == Some(Token::Sign('{')) => {
                    if let Some(Token::Word(name)) = self.peek(1) {
                        self.module.push(name.to_owned());
                    }
                    open.push(true);
                    self.at += 3;
                }
                Token::Sign('{') => {
                    open.push(false);
                    self.at += 1;
                }
                Token::Sign('}') => {
                    if open.pop() == Some(true) {
                        self.module.pop();
                    }
                    self.at += 1;
                }
                Token::Word("use") if self.peek(1) != Some(Token::Sign('<')) => self.statement(),
                Token::Word("crate" | "super" | "self") if self.colons(1) => self.tree(&[], false),
                _ => self.at += 1,
            }
        }
    }

    fn statement(&mut self) {
        let before = self.at.checked_sub(1).and_then(|before| self.tokens.get(before));
        let exported = matches!(before, Some(Token::Word("pub") | Token::Sign(')')));
        self.at += 1;
        self.tree(&[], exported);
    }

    /// Reads `a::b`, `a::{b, c::d}`, `a::*` or `a as b`, below `prefix`.
    fn tree(&mut self, prefix: &[String], exported: bool) {
        let mut path = prefix.to_vec();
        loop {
            match self.peek(0) {
                Some(Token::Word(word)) => {
                    path.push(word.to_owned());
                    self.at += 1;
                }
                // In a path of an expression this is where its type arguments begin.
                Some(Token::Sign('{')) if !path.is_empty() || !prefix.is_empty() => {
                    return self.list(&path, exported);
                }
                Some(Token::Sign('*')) => {
                    path.push("*".to_owned());
                    self.at += 1;
                }
                // `::name` is another crate.
                Some(Token::Sign(':')) if path.is_empty() => path.push(String::new()),
                _ => break,
            }
            if !self.colons(0) {
                break;
            }
            self.at += 2;
        }
        let mut name = path.last().cloned().unwrap_or_default();
        if let (Some(Token::Word("as")), Some(Token::Word(other))) = (self.peek(0), self.peek(1)) {
            other.clone_into(&mut name);
            self.at += 2;
        }
        self.found.extend(self.absolute(&path).map(|steps| Used {
            steps,
            name,
            exported,
        }));
    }

    fn list(&mut self, prefix: &[String], exported: bool) {
        self.at += 1;
        loop {
            match self.peek(0) {
                Some(Token::Sign('}')) => {
                    self.at += 1;
                    return;
                }
                Some(Token::Sign(',')) => self.at += 1,
                Some(Token::Word(_) | Token::Sign('{' | '*')) => self.tree(prefix, exported),
                // Not the list of a `use`: nothing that can be read further.
                _ => return,
            }
        }
    }

    /// The path from the root, when it is one into the own crate.
    fn absolute(&self, path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let mut base = match first.as_str() {
            "crate" => Vec::new(),
            "self" => self.module.clone(),
            "super" => self.module[..self.module.len().saturating_sub(1)].to_vec(),
            // Without a keyword it may be a module of the root, named in the root; elsewhere it is a module
            // inside, or another crate.
            _ if self.module.is_empty() => return Some(path.to_vec()),
            _ => return None,
        };
        for step in rest {
            match step.as_str() {
                "super" => drop(base.pop()),
                "self" | "*" => {}
                step => base.push(step.to_owned()),
            }
        }
        Some(base)
    }

    fn peek(&self, ahead: usize) -> Option<Token<'_>> {
        self.tokens.get(self.at + ahead).copied()
    }

    fn colons(&self, ahead: usize) -> bool {
        self.peek(ahead) == Some(Token::Sign(':')) && self.peek(ahead + 1) == Some(Token::Sign(':'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crate_of(files: &[(&str, &str)]) -> Graph {
        let files: Vec<_> = files
            .iter()
            .map(|(file, text)| (module(Path::new(file)), (*text).to_owned()))
            .collect();
        graph_of(&files)
    }

    fn drawn(arrows: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::default();
        arrows.iter().for_each(|(from, to)| graph.arrow(from, to));
        graph
    }

    #[test]
    fn every_way_to_name_a_module_is_an_arrow() {
        let uses = [
            "use crate::key::Key;",
            "use super::key;",
            "use crate::{key::{self, Tag}};",
            "pub(crate) use super::key::*;",
            "fn f() { crate::key::make() }",
            "mod inner { use super::super::key::Key; }",
            "use crate::Key;",
        ];
        for text in uses {
            let graph = crate_of(&[
                ("lib.rs", "mod key; mod tag; pub use key::Key;"),
                ("key.rs", ""),
                ("tag.rs", text),
            ]);
            assert_eq!(graph, drawn(&[("key", "key"), ("tag", "key")]), "{text}");
        }
    }

    #[test]
    fn what_is_inside_a_module_or_another_crate_is_no_arrow() {
        let uses = [
            "mod inner; use inner::X; use self::inner::Y;",
            "use http::key; use ::key::X;",
            "#[cfg(test)] mod tests { use super::*; use crate::key::Key; }",
            "//! See crate::key::Key\nconst T: &str = \"crate::key\";",
            "mod tests { use super::*; }",
            "fn f<'a>() -> impl Fn() + use<'a> { }",
        ];
        for text in uses {
            let graph = crate_of(&[("lib.rs", ""), ("key.rs", ""), ("tag.rs", text)]);
            assert_eq!(graph, drawn(&[("key", "key"), ("tag", "tag")]), "{text}");
        }
    }

    #[test]
    fn files_below_a_module_count_for_it() {
        let graph = crate_of(&[
            ("lib.rs", ""),
            ("a/mod.rs", ""),
            ("a/b.rs", "use super::c; use super::super::d;"),
            ("d.rs", ""),
        ]);
        assert_eq!(graph, drawn(&[("a", "d")]));
    }

    #[test]
    fn the_root_is_a_node_when_it_has_something_of_its_own() {
        let graph = crate_of(&[
            ("lib.rs", "use crate::a::A; pub use b::B; pub struct Own;"),
            ("a.rs", ""),
            ("b.rs", "use crate::Own;"),
        ]);
        assert_eq!(graph, drawn(&[("lib", "a"), ("b", "lib")]));
    }

    #[test]
    fn a_circle_between_modules_is_found() {
        let graph = crate_of(&[
            ("lib.rs", "pub use b::B;"),
            ("a.rs", "use crate::B;"),
            ("b.rs", "use super::a::A;"),
        ]);
        assert_eq!(graph.circle(), Some(vec!["a", "b", "a"]));
    }
}
