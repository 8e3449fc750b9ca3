//! The alerts for Prometheus, held by its own tool: that it takes them, and that each fires for what it is for.

use std::process::{Command, ExitCode};

use crate::failure::{Failure, Outcome, While};
use crate::{flag, program, tools};

/// What the tool is told, in the folder of the alerts.
const RUNS: [[&str; 3]; 2] = [
    ["check", "rules", "alerts.yml"],
    ["test", "rules", "alerts_test.yml"],
];

pub(crate) fn command(arguments: &[String]) -> Outcome<ExitCode> {
    flag(arguments, "")?;
    tools::find(tools::ALERTS)?;
    for run in RUNS {
        let mut command = Command::new("promtool");
        command.args(run).current_dir("dashboards");
        let shown = program::shown(&command);
        let status = command.status().or_fail(|| format!("cannot start `{shown}`"))?;
        if !status.success() {
            return Err(Failure::new(format!("`{shown}` failed ({status})")));
        }
    }
    Ok(ExitCode::SUCCESS)
}
