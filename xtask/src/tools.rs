//! The programs that commands start: makes sure they are there.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Outcome, While};
use crate::program;

/// A program that commands of this repository start.
pub(crate) struct Tool {
    /// The names it is looked for on the `PATH`: any of them will do.
    programs: &'static [&'static str],
    /// The package that has it.
    package: &'static str,
    /// The environment variable that names the program, if there is one.
    named_by: Option<&'static str>,
}

/// What the tests start.
pub(crate) const TESTS: &[Tool] = &[
    // The same as in `crates/testkit/src/server/binary.rs`.
    Tool {
        programs: &["redis-server", "valkey-server"],
        package: "redis-server",
        named_by: Some("LARDER_REDIS_SERVER"),
    },
    // For the commands of the README, in `tests/readme.rs`.
    Tool {
        programs: &["curl"],
        package: "curl",
        named_by: None,
    },
];

/// What checks the alerts. Its package is large, and has a server in it: nobody installs it without asking.
pub(crate) const ALERTS: &[Tool] = &[Tool {
    programs: &["promtool"],
    package: "prometheus",
    named_by: None,
}];

/// What builds the fuzz targets: libFuzzer is written in C++.
pub(crate) const FUZZ: &[Tool] = &[Tool {
    programs: &["c++"],
    package: "g++",
    named_by: None,
}];

/// What drives the admin page.
pub(crate) const BROWSER: &[Tool] = &[
    Tool {
        programs: &["chromium"],
        package: "chromium",
        named_by: None,
    },
    Tool {
        programs: &["chromedriver"],
        package: "chromium-driver",
        named_by: None,
    },
];

/// Debian asks this file whether a package may start its service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Finds the tools, or installs what is missing where that is possible without asking anybody: as root, with `apt-get`.
pub(crate) fn ensure(tools: &[Tool]) -> Outcome {
    let missing = missing(tools)?;
    if !missing.is_empty() && is_root() && on_path("apt-get") {
        install(&missing)?;
    }
    find(tools)
}

/// Finds the tools, and installs nothing.
pub(crate) fn find(tools: &[Tool]) -> Outcome {
    match missing(tools)?.first() {
        None => Ok(()),
        Some(tool) => Err(Failure::new(tool.advice())),
    }
}

fn missing(tools: &[Tool]) -> Outcome<Vec<&Tool>> {
    let mut missing = Vec::new();
    for tool in tools {
        if !tool.is_there()? {
            missing.push(tool);
        }
    }
    Ok(missing)
}

impl Tool {
    fn is_there(&self) -> Outcome<bool> {
        let named = self
            .named_by
            .and_then(|name| Some((name, env::var_os(name)?)))
            .filter(|(_, value)| !value.is_empty());
        let Some((name, value)) = named else {
            return Ok(self.programs.iter().any(|program| on_path(program)));
        };
        let program = PathBuf::from(value);
        if is_program(&program) {
            return Ok(true);
        }
        Err(Failure::new(format!(
            "{name} names {}, which is not a program: correct it, or unset it",
            program.display()
        )))
    }

    /// What to do where it is not there.
    fn advice(&self) -> String {
        let programs = self.programs.join(" or ");
        let named = self
            .named_by
            .map_or_else(String::new, |name| format!(", or set {name}"));
        format!("no {programs} found: apt-get install {}{named}", self.package)
    }
}

pub(crate) fn on_path(program: &str) -> bool {
    env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|folder| is_program(&folder.join(program))))
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|is| is.is_file() && is.permissions().mode() & 0o111 != 0)
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Installs the packages, but leaves no service of theirs running: the tests start servers of their own.
fn install(missing: &[&Tool]) -> Outcome {
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    println!("==> installing what is needed: {}", packages.join(", "));
    let served_before = redis_runs();
    let policy = Policy::forbid()?;
    apt(&["update"])?;
    apt(&[&["install", "-y", "--no-install-recommends"], &packages[..]].concat())?;
    drop(policy);
    if !served_before && redis_runs() {
        let _ = Command::new("redis-cli").args(["shutdown", "nosave"]).status();
        if redis_runs() {
            return Err(Failure::new(
                "the packaged Redis service is running on port 6379: service redis-server stop",
            ));
        }
    }
    Ok(())
}

fn apt(arguments: &[&str]) -> Outcome {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    let shown = program::shown(&command);
    let status = command.status().or_fail(|| format!("cannot start `{shown}`"))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "`{shown}` failed ({status}): install the packages yourself"
    )))
}

fn redis_runs() -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, 6379)).is_ok()
}

/// Forbids packages to start their services, until dropped. A policy that is already there stays as it is.
struct Policy {
    own: bool,
}

impl Policy {
    fn forbid() -> Outcome<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { own: false });
        }
        let doing = || format!("cannot write {POLICY}");
        fs::write(POLICY, "#!/bin/sh\nexit 101\n").or_fail(doing)?;
        let policy = Self { own: true };
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755)).or_fail(doing)?;
        Ok(policy)
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.own
            && let Err(e) = fs::remove_file(POLICY)
        {
            eprintln!("cannot remove {POLICY}: {e}: remove it, or no package starts its service any more");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_is_one_line_that_says_what_to_do() {
        let advice: Vec<String> = TESTS.iter().chain(FUZZ).map(Tool::advice).collect();
        assert_eq!(
            advice,
            [
                "no redis-server or valkey-server found: apt-get install redis-server, or set LARDER_REDIS_SERVER",
                "no curl found: apt-get install curl",
                "no c++ found: apt-get install g++",
            ]
        );
    }
}
