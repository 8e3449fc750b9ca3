//! The comparison with other caches, a program of its own.

use std::process::ExitCode;

use crate::failure::{Failure, Outcome, While};
use crate::program;

/// What `cargo x bench` runs; the arguments follow.
const COMMAND: &[&str] = &["run", "--release", "--package", "larder-peers", "--"];

pub(crate) fn command(arguments: &[String]) -> Outcome<ExitCode> {
    let mut command = program::cargo(COMMAND);
    command.args(arguments);
    let shown = program::shown(&command);
    let status = command.status().or_fail(|| format!("cannot start `{shown}`"))?;
    if status.success() {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(Failure::new(format!("`{shown}` failed ({status})")))
    }
}
