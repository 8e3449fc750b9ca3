//! The programs that steps run: cargo, and this one.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use crate::failure::{Failure, Outcome, While};

/// The cargo that runs this program.
pub(crate) fn cargo<S: AsRef<str>>(arguments: &[S]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments.iter().map(AsRef::as_ref));
    command
}

/// This program with other arguments.
pub(crate) fn this(arguments: &[&str]) -> Command {
    // Where there is a `/proc`, its link holds even when a test run has replaced the file meanwhile.
    let link = Path::new("/proc/self/exe");
    let file = if link.exists() {
        link.to_owned()
    } else {
        env::current_exe().unwrap_or_else(|_| PathBuf::from("xtask"))
    };
    let mut command = Command::new(file);
    command.args(arguments);
    command
}

/// Runs a command to its end; it fails where that does.
pub(crate) fn run(mut command: Command) -> Outcome {
    let shown = shown(&command);
    let status = command.status().or_fail(|| format!("cannot start `{shown}`"))?;
    judge(&shown, status)
}

/// What the end of the command that is shown so comes to.
pub(crate) fn judge(shown: &str, status: ExitStatus) -> Outcome {
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("`{shown}` failed ({status})")))
    }
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    let program = if program == "exe" {
        "xtask".into()
    } else {
        program.to_string_lossy()
    };
    let arguments = command
        .get_args()
        .map(|word| format!(" {}", word.to_string_lossy()));
    format!("{program}{}", arguments.collect::<String>())
}
