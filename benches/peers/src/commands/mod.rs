//! One file a command.

pub(crate) mod callgrind;
pub(crate) mod faults;
pub(crate) mod forget;
pub(crate) mod functions;
mod functions_redis;
pub(crate) mod gateway;
pub(crate) mod hits;
pub(crate) mod in_process;
pub(crate) mod loopback;
mod proxies;
pub(crate) mod redis;
pub(crate) mod serve;
mod server;
mod tree;
mod wrk;

use std::{path::PathBuf, process::Command};

use larder_peers::Outcome;

/// This program, to start it again.
fn myself() -> Outcome<PathBuf> {
    Ok(std::env::current_exe()?)
}

/// Fails in one line when `program` is not there.
fn installed(program: &str, package: &str) -> Outcome<()> {
    // Most know `--version`; all of them can be started.
    let found = Command::new(program).arg("--version").output();
    found
        .map(|_| ())
        .map_err(|_| format!("`{program}` is not installed; install the package `{package}`").into())
}
