//! The comparison with other caches, a program of its own.

use std::process::{Command, ExitCode};

use crate::failure::Outcome;
use crate::metadata::Metadata;
use crate::program;

/// What builds it, and the gateway beside it: by itself, so that no other's features are in it.
const BUILDS: [&[&str]; 2] = [
    // Two programs: the second counts allocations.
    &["build", "--package", "larder-peers", "--profile", "peers"],
    &["build", "--package", "gateway", "--profile", "peers"],
];

/// What is measured where nothing else is asked for: all of the tables.
const TABLES: [&str; 8] = [
    "in-process",
    "callgrind",
    "loopback",
    "functions",
    "gateway",
    "redis",
    "forget",
    "faults",
];

pub(crate) fn command(arguments: &[String]) -> Outcome<ExitCode> {
    for build in BUILDS {
        program::run(program::cargo(build))?;
    }
    let peers = Metadata::load()?.target.join("peers").join("larder-peers");
    let all = TABLES.map(|table| vec![table.to_owned()]);
    let asked = [arguments.to_vec()];
    for arguments in if arguments.is_empty() {
        &all[..]
    } else {
        &asked[..]
    } {
        let mut command = Command::new(&peers);
        command.args(arguments);
        program::run(command)?;
    }
    Ok(ExitCode::SUCCESS)
}
