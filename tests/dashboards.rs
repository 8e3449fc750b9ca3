//! The dashboard and the alerts: what they ask for is what the table of the metrics has, and the runbook has each alert.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support_metrics;

use std::collections::{BTreeMap, BTreeSet};

use support_metrics::{Declared, Kind, table};
use yaml_rust2::{Yaml, YamlLoader};

const DASHBOARD: &str = include_str!("../dashboards/larder.json");
const ALERTS: &str = include_str!("../dashboards/alerts.yml");
const TESTS: &str = include_str!("../dashboards/alerts_test.yml");
const RUNBOOK: &str = include_str!("../src/guide/runbook.rs");

/// What Prometheus itself puts on each series.
const OWN: [&str; 2] = ["job", "instance"];

/// A piece of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

/// The pieces of a query of Prometheus, without spaces, numbers and durations.
fn tokens(query: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = query.chars().peekable();
    while let Some(first) = rest.next() {
        let mut run = |keep: fn(char) -> bool| {
            let mut run = String::new();
            while let Some(next) = rest.next_if(|next| keep(*next)) {
                run.push(next);
            }
            run
        };
        match first {
            '"' => {
                tokens.push(Token::Text(run(|next| next != '"')));
                assert_eq!(rest.next(), Some('"'), "a text ends: {query}");
            }
            '[' => {
                let window = run(|next| next != ']');
                assert!(!window.is_empty() && rest.next() == Some(']'), "{query}");
            }
            _ if first.is_ascii_alphabetic() || first == '_' => {
                let more = run(|next| next.is_ascii_alphanumeric() || next == '_');
                tokens.push(Token::Word(format!("{first}{more}")));
            }
            _ if first.is_ascii_digit() => drop(run(|next| next.is_ascii_alphanumeric() || next == '.')),
            _ if first.is_whitespace() => {}
            sign => tokens.push(Token::Sign(sign)),
        }
    }
    tokens
}

/// What a query asks for.
struct Asked {
    metrics: BTreeSet<String>,
}

/// The metric of a series: a histogram has three series of its own, and none under its name.
fn metric<'a>(series: &str, table: &'a BTreeMap<String, Declared>) -> (&'a str, &'a Declared, bool) {
    for suffix in ["_bucket", "_sum", "_count", ""] {
        let found = series
            .strip_suffix(suffix)
            .and_then(|name| table.get_key_value(name));
        if let Some((name, declared)) = found
            && (declared.kind == Kind::Histogram) != suffix.is_empty()
        {
            return (name, declared, suffix == "_bucket");
        }
    }
    panic!("there is no series {series}");
}

/// Holds a query against the table.
fn check(query: &str, table: &BTreeMap<String, Declared>) -> Asked {
    let tokens = tokens(query);
    let (mut metrics, mut labels) = (BTreeSet::new(), BTreeSet::from(OWN.map(str::to_owned)));
    let mut groups = Vec::new();
    let mut at = tokens.iter().peekable();
    while let Some(token) = at.next() {
        let Token::Word(word) = token else { continue };
        if word.starts_with("larder_") {
            let (name, declared, bucket) = metric(word, table);
            metrics.insert(name.to_owned());
            let mut own: BTreeSet<String> = declared.labels.keys().cloned().collect();
            own.extend(OWN.map(str::to_owned));
            own.extend(bucket.then(|| "le".to_owned()));
            if at.next_if_eq(&&Token::Sign('{')).is_some() {
                let matchers: Vec<&Token> = at
                    .by_ref()
                    .take_while(|token| **token != Token::Sign('}'))
                    .collect();
                for matcher in matchers.split(|token| **token == Token::Sign(',')) {
                    matches(matcher, name, declared, &own);
                }
            }
            labels.extend(own);
        } else if ["by", "without", "on", "ignoring"].contains(&&**word) {
            assert_eq!(at.next(), Some(&Token::Sign('(')), "{query}");
            groups.extend(
                at.by_ref()
                    .take_while(|token| **token != Token::Sign(')'))
                    .cloned(),
            );
        }
    }
    for group in groups {
        match group {
            Token::Word(label) => assert!(labels.contains(&label), "no series has {label}: {query}"),
            other => assert_eq!(other, Token::Sign(','), "{query}"),
        }
    }
    assert!(!metrics.is_empty(), "nothing is asked for: {query}");
    Asked { metrics }
}

/// Holds a matcher, as `label="value"`, against the labels and values of its metric.
fn matches(matcher: &[&Token], name: &str, declared: &Declared, own: &BTreeSet<String>) {
    let [Token::Word(label), signs @ .., Token::Text(text)] = matcher else {
        panic!("{matcher:?} matches nothing");
    };
    assert!(own.contains(label), "{name} has no label {label}");
    let values = declared.labels.get(label).filter(|values| !values.is_empty());
    let Some(values) = values else { return };
    let pattern = signs.contains(&&Token::Sign('~'));
    for value in text
        .split('|')
        .filter(|_| pattern)
        .chain((!pattern).then_some(&**text))
    {
        let known = value.starts_with('$') || values.iter().any(|own| own == value);
        assert!(known, "{name}: {label} is never {value}");
    }
}

/// All texts under these names, wherever they are.
fn texts<'a>(value: &'a serde_json::Value, names: &[&str], found: &mut Vec<&'a str>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if names.contains(&&**name) => found.push(text),
                    _ => texts(value, names, found),
                }
            }
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| texts(value, names, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_shows_every_metric_and_no_other() {
    let table = table();
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let (mut queries, mut shown) = (Vec::new(), BTreeSet::new());
    texts(&dashboard, &["expr"], &mut queries);
    assert!(queries.len() > 40, "{queries:?}");
    for query in queries {
        shown.extend(check(query, &table).metrics);
    }
    assert_eq!(shown, table.keys().cloned().collect());
    // Its variables ask too.
    let mut variables = Vec::new();
    texts(&dashboard["templating"], &["definition"], &mut variables);
    assert_eq!(variables.len(), 3);
    for query in variables {
        let inner = query
            .strip_prefix("label_values(")
            .unwrap()
            .strip_suffix(')')
            .unwrap();
        let (series, label) = inner.rsplit_once(", ").unwrap();
        let asked = check(series, &table).metrics;
        let has = |name: &String| table[name].labels.contains_key(label) || OWN.contains(&label);
        assert!(asked.iter().all(has), "{query}");
    }
}

#[test]
fn panels_have_numbers_of_their_own_and_do_not_lie_on_each_other() {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let (mut numbers, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(
            numbers.insert(panel["id"].as_u64().unwrap()),
            "{}",
            panel["title"]
        );
        let place = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24, "{}", panel["title"]);
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "{} lies on another", panel["title"]);
            }
        }
    }
}

/// The alerts, as their file has them.
fn alerts() -> Vec<Yaml> {
    let files = YamlLoader::load_from_str(ALERTS).unwrap();
    let rules = |group: &Yaml| group["rules"].as_vec().unwrap().clone();
    let alerts: Vec<Yaml> = files[0]["groups"]
        .as_vec()
        .unwrap()
        .iter()
        .flat_map(rules)
        .collect();
    assert!(alerts.len() > 20);
    alerts
}

fn name(alert: &Yaml) -> &str {
    alert["alert"].as_str().unwrap()
}

#[test]
fn the_alerts_ask_for_what_there_is_and_say_where_to_read_on() {
    let table = table();
    for alert in alerts() {
        let name = name(&alert);
        check(alert["expr"].as_str().unwrap(), &table);
        let severity = alert["labels"]["severity"].as_str().unwrap();
        assert!(["page", "warn", "info"].contains(&severity), "{name}");
        assert!(alert["for"].as_str().is_some(), "{name}");
        for text in ["summary", "description"] {
            assert!(
                alert["annotations"][text]
                    .as_str()
                    .is_some_and(|text| text.len() > 10),
                "{name}"
            );
        }
        let link = alert["annotations"]["runbook_url"].as_str().unwrap();
        let page = "https://docs.rs/larder/latest/larder/guide/runbook/index.html";
        assert_eq!(link, format!("{page}#{}", name.to_lowercase()));
    }
}

#[test]
fn the_runbook_has_each_alert_and_no_other() {
    let (mut written, mut sections) = (
        BTreeSet::new(),
        RUNBOOK.split("//! ## `").skip(1).collect::<Vec<_>>(),
    );
    sections.sort_unstable();
    for section in sections {
        let (alert, text) = section.split_once("`\n").unwrap();
        for part in ["//! - **Means**: ", "//! - **Look at**: ", "//! - **Do**: "] {
            assert_eq!(text.matches(part).count(), 1, "{alert}: {part}");
        }
        assert!(written.insert(alert.to_owned()), "{alert} is there twice");
    }
    let alerts = alerts();
    assert_eq!(
        written,
        alerts.iter().map(|alert| name(alert).to_owned()).collect()
    );
}

/// `promtool` runs these (`cargo x alerts`).
#[test]
fn each_alert_is_tested_to_fire_and_not_to() {
    let files = YamlLoader::load_from_str(TESTS).unwrap();
    let (mut fires, mut rests) = (BTreeSet::new(), BTreeSet::new());
    for test in files[0]["tests"].as_vec().unwrap() {
        for series in test["input_series"].as_vec().unwrap() {
            check(series["series"].as_str().unwrap(), &table());
        }
        for held in test["alert_rule_test"].as_vec().unwrap() {
            let alert = held["alertname"].as_str().unwrap().to_owned();
            let expected = held["exp_alerts"].as_vec().unwrap();
            if expected.is_empty() {
                &mut rests
            } else {
                &mut fires
            }
            .insert(alert);
        }
    }
    let all: BTreeSet<String> = alerts().iter().map(|alert| name(alert).to_owned()).collect();
    assert_eq!((&fires, &rests), (&all, &all));
}

#[test]
fn a_query_that_asks_for_what_is_not_there_is_found() {
    let table = table();
    let ok = |query: &str| std::panic::catch_unwind(|| check(query, &table)).is_ok();
    for query in [
        "sum by (cache) (rate(larder_cache_requests_total{outcome=\"miss\", job=~\"$job\"}[5m])) > 0.5",
        "histogram_quantile(0.9, sum by (le) (rate(larder_cache_value_bytes_bucket[$__rate_interval])))",
        "larder_cache_requests_total{outcome=~\"miss|hit_l1\"} unless larder_cache_requests_total offset 5m",
    ] {
        assert!(ok(query), "{query}");
    }
    for query in [
        "larder_cache_request_total",
        "larder_cache_requests_total{result=\"miss\"}",
        "larder_cache_requests_total{outcome=\"missed\"}",
        "larder_cache_requests_total{outcome!=\"missed\"}",
        "larder_cache_requests_total{outcome=~\"miss|missed\"}",
        "sum by (reason) (larder_cache_requests_total)",
        "larder_cache_value_bytes",
        "larder_cache_requests_total_bucket",
        "larder_cache_value_bytes_count{le=\"1\"}",
        "up",
    ] {
        assert!(!ok(query), "{query}");
    }
}
