//! The alerts and the dashboard, held by the tool of Prometheus: that it takes all their queries, and that each alert fires for
//! what it is for.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use serde_json::Value;

use crate::failure::{Outcome, While};
use crate::metadata::Metadata;
use crate::{flag, program, tools};

/// Where the alerts and the dashboard are.
const FOLDER: &str = "dashboards";

pub(crate) fn command(arguments: &[String]) -> Outcome<ExitCode> {
    flag(arguments, "")?;
    tools::find(tools::ALERTS)?;
    let queries = Metadata::load()?.target.join("dashboard-queries.yml");
    let dashboard = Path::new(FOLDER).join("larder.json");
    let text = fs::read_to_string(&dashboard).or_fail(|| format!("cannot read {}", dashboard.display()))?;
    let dashboard = serde_json::from_str(&text).or_fail(|| format!("{} is no JSON", dashboard.display()))?;
    fs::write(&queries, rules(&dashboard)).or_fail(|| format!("cannot write {}", queries.display()))?;
    promtool(&["check", "rules", "alerts.yml"])?;
    promtool(&["check", "rules", &queries.display().to_string()])?;
    promtool(&["test", "rules", "alerts_test.yml"])?;
    Ok(ExitCode::SUCCESS)
}

fn promtool(arguments: &[&str]) -> Outcome {
    let mut command = Command::new("promtool");
    command.args(arguments).current_dir(FOLDER);
    program::run(command)
}

/// The queries of a dashboard as rules, which the tool can check.
fn rules(dashboard: &Value) -> String {
    let panels = dashboard["panels"].as_array().into_iter().flatten();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries = targets.filter_map(|target| target["expr"].as_str());
    let mut rules = String::from("groups:\n  - name: dashboard\n    rules:\n");
    for (number, query) in queries.enumerate() {
        // What Grafana puts in.
        let query = query.replace("$__rate_interval", "5m");
        rules.push_str(&format!(
            "      - record: dashboard:{number}\n        expr: |\n          {query}\n"
        ));
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_query_is_a_rule() {
        let dashboard = serde_json::json!({ "panels": [
            { "type": "row" },
            { "targets": [{ "expr": "rate(a[$__rate_interval])" }, { "expr": "b" }] },
        ] });
        let rules = rules(&dashboard);
        assert!(
            rules.ends_with("rate(a[5m])\n      - record: dashboard:1\n        expr: |\n          b\n"),
            "{rules}"
        );
    }
}
