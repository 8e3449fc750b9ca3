//! What actions forget against what layers keep: a table, a graph, and warnings.

use std::fmt;

use larder_store::{TagKind, TagTemplate};

use crate::actions::Actions;
use crate::rule::{ActionRule, shown};

/// What a cache layer keeps, as far as it is known before any request.
#[derive(Debug, Clone)]
pub struct Cached {
    /// The layer's name.
    pub layer: String,
    /// The paths of the routes that were declared with it.
    pub routes: Vec<String>,
    /// The tags that its entries carry.
    pub tags: Vec<TagTemplate>,
    /// Whether its entries are each one identity's.
    pub per_identity: bool,
}

/// Which action makes which layers and routes stale, and what no action reaches.
///
/// It displays as a table. It knows the tags of layers and the routes that were declared with them, not what handlers add
/// to their own responses.
///
/// ```
/// use larder_invalidation::{ActionRule, Actions, Cached, Coverage};
/// use larder_store::TagTemplate;
///
/// let actions = Actions::new().with(ActionRule::new("team.member.add").tag("team:{team_id}"));
/// let teams = Cached {
///     layer: "teams".to_owned(),
///     routes: vec!["/api/v1/teams/{id}".to_owned()],
///     tags: vec![TagTemplate::new("team:{id}").unwrap()],
///     per_identity: false,
/// };
/// let coverage = Coverage::new(&actions, vec![teams]);
/// assert_eq!(coverage.to_string(), "\
/// action           forgets           makes stale
/// team.member.add  `team:{team_id}`  /api/v1/teams/{id} (teams)
/// ");
/// assert!(coverage.warnings().is_empty());
/// ```
#[derive(Debug, Clone)]
pub struct Coverage {
    rules: Vec<ActionRule>,
    cached: Vec<Cached>,
}

impl Coverage {
    /// What these actions make stale of what these layers keep.
    #[must_use]
    pub fn new(actions: &Actions, cached: Vec<Cached>) -> Self {
        Self {
            rules: actions.iter().cloned().collect(),
            cached,
        }
    }

    /// The graph for Mermaid: an arrow from each action to what it makes stale.
    #[must_use]
    pub fn mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        for (number, rule) in self.rules.iter().enumerate() {
            text.push_str(&format!("    a{number}([\"{}\"])\n", quoted(rule.name())));
        }
        for (number, cached) in self.cached.iter().enumerate() {
            text.push_str(&format!("    c{number}[\"{}\"]\n", quoted(&cached.to_string())));
        }
        for (a, rule) in self.rules.iter().enumerate() {
            for (c, cached) in self.cached.iter().enumerate() {
                let by: Vec<String> = reach(rule, cached).map(|by| quoted(&by)).collect();
                if !by.is_empty() {
                    text.push_str(&format!("    a{a} -- \"{}\" --> c{c}\n", by.join(", ")));
                }
            }
        }
        text
    }

    /// The actions, each with its name and what it forgets in words.
    pub fn actions(&self) -> impl Iterator<Item = (&str, Vec<String>)> {
        let rule = |rule: &ActionRule| rule.targets().iter().map(shown).collect();
        self.rules.iter().map(move |action| (action.name(), rule(action)))
    }

    /// What the layers keep.
    #[must_use]
    pub fn cached(&self) -> &[Cached] {
        &self.cached
    }

    /// Which action reaches which layer, as their places in [`actions`](Self::actions) and [`cached`](Self::cached), and by
    /// what.
    pub fn arrows(&self) -> impl Iterator<Item = (usize, usize, Vec<String>)> {
        let pairs = self.rules.iter().enumerate().flat_map(|(a, rule)| {
            let cached = self.cached.iter().enumerate();
            cached.map(move |(c, cached)| (a, c, reach(rule, cached).collect::<Vec<_>>()))
        });
        pairs.filter(|(_, _, by)| !by.is_empty())
    }

    /// Tags that layers put on entries and no action forgets, and what actions forget and no layer keeps: each a sentence.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let targets = || self.rules.iter().flat_map(ActionRule::targets);
        for cached in &self.cached {
            for tag in &cached.tags {
                if !targets().any(|target| target.meets(tag)) {
                    warnings.push(format!(
                        "{} of the layer `{}` is cached and forgotten by no action",
                        shown(tag),
                        cached.layer
                    ));
                }
            }
        }
        for rule in &self.rules {
            for target in rule.targets() {
                if !self.cached.iter().any(|cached| cached.is_reached_by(target)) {
                    warnings.push(format!(
                        "{} is forgotten by the action `{}` and cached by no layer, unless a handler says so",
                        shown(target),
                        rule.name()
                    ));
                }
            }
        }
        warnings
    }
}

/// By what `rule` reaches `cached`, in words.
fn reach(rule: &ActionRule, cached: &Cached) -> impl Iterator<Item = String> {
    let targets = rule.targets().iter();
    targets.filter(|target| cached.is_reached_by(target)).map(shown)
}

impl Cached {
    fn is_reached_by(&self, target: &TagTemplate) -> bool {
        match target.kind() {
            TagKind::Identity => self.per_identity,
            TagKind::Layer => target.to_string() == self.layer,
            TagKind::Path => self
                .routes
                .iter()
                .any(|route| is_below(route, &target.to_string())),
            TagKind::Uri => {
                let target = target.to_string();
                let path = target.split('?').next().unwrap_or_default();
                self.routes
                    .iter()
                    .any(|route| is_below(route, path) && segments(route).count() == segments(path).count())
            }
            _ => self.tags.iter().any(|tag| tag.meets(target)),
        }
    }
}

/// Whether paths of `route` can lie at or below `prefix`, with placeholders in both.
fn is_below(route: &str, prefix: &str) -> bool {
    let mut route = segments(route);
    segments(prefix).all(|wanted| match route.next() {
        Some(found) => found == wanted || found.contains('{') || wanted.contains('{'),
        None => false,
    })
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

fn quoted(text: &str) -> String {
    text.replace('"', "#quot;").replace('`', "")
}

impl fmt::Display for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.routes.as_slice() {
            [] => write!(f, "the layer {}", self.layer),
            routes => write!(f, "{} ({})", routes.join(", "), self.layer),
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![["action", "forgets", "makes stale"].map(str::to_owned)];
        for rule in &self.rules {
            let targets: Vec<String> = rule.targets().iter().map(shown).collect();
            let stale: Vec<String> = self
                .cached
                .iter()
                .filter(|cached| rule.targets().iter().any(|target| cached.is_reached_by(target)))
                .map(ToString::to_string)
                .collect();
            rows.push([rule.name().to_owned(), targets.join(", "), stale.join(", ")]);
        }
        let width = |column: usize| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let (first, second) = (width(0), width(1));
        for [action, forgets, stale] in &rows {
            writeln!(
                f,
                "{}",
                format!("{action:<first$}  {forgets:<second$}  {stale}").trim_end()
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coverage() -> Coverage {
        let cached = |layer: &str, routes: &[&str], tags: &[&str], per_identity| Cached {
            layer: layer.to_owned(),
            routes: routes.iter().map(|route| (*route).to_owned()).collect(),
            tags: tags.iter().map(|tag| TagTemplate::new(tag).unwrap()).collect(),
            per_identity,
        };
        let actions = Actions::new()
            .with(ActionRule::new("points").tag("ratings").identity("{user}"))
            .with(
                ActionRule::new("rename")
                    .prefix("/teams/{id}")
                    .uri("/teams?sort=name")
                    .tag("tea:{id}"),
            )
            .with(ActionRule::new("reset").layer("files"));
        let layers = vec![
            cached("ratings", &[], &["ratings"], false),
            cached("profile", &["/profile"], &[], true),
            cached("team", &["/teams/{team}/members"], &["team:{team}"], false),
            cached("teams", &["/teams"], &[], false),
            cached("files", &["/assets/{*path}"], &[], false),
        ];
        Coverage::new(&actions, layers)
    }

    #[test]
    fn each_kind_of_target_reaches_its_layers_alone() {
        let table = coverage().to_string();
        let rows = table
            .lines()
            .map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "));
        assert_eq!(
            rows.collect::<Vec<_>>(),
            [
                "action forgets makes stale",
                "points `ratings`, the identity `{user}` the layer ratings, /profile (profile)",
                "rename the path `/teams/{id}`, the URI `/teams?sort=name`, `tea:{id}` /teams/{team}/members (team), /teams (teams)",
                "reset the layer `files` /assets/{*path} (files)",
            ]
        );
    }

    #[test]
    fn the_graph_has_an_arrow_for_each_reach() {
        let graph = coverage().mermaid();
        assert!(
            graph.starts_with("flowchart LR\n    a0([\"points\"])\n"),
            "{graph}"
        );
        assert!(
            graph.contains("    a0 -- \"ratings\" --> c0\n    a0 -- \"the identity {user}\" --> c1\n"),
            "{graph}"
        );
        assert!(
            graph.contains("    a1 -- \"the path /teams/{id}\" --> c2\n"),
            "{graph}"
        );
        assert_eq!(graph.matches("-->").count(), 5, "{graph}");
        let coverage = coverage();
        let arrows: Vec<_> = coverage.arrows().map(|(a, c, _)| (a, c)).collect();
        assert_eq!(arrows, [(0, 0), (0, 1), (1, 2), (1, 3), (2, 4)]);
    }

    #[test]
    fn what_is_out_of_step_is_warned_of() {
        assert_eq!(
            coverage().warnings(),
            [
                "`team:{team}` of the layer `team` is cached and forgotten by no action",
                "`tea:{id}` is forgotten by the action `rename` and cached by no layer, unless a handler says so",
            ]
        );
    }
}
