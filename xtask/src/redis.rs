//! The Redis server that the tests start: makes sure there is one.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Outcome, While};
use crate::program;

/// The environment variable that names the program.
const NAMED_BY: &str = "LARDER_REDIS_SERVER";

/// The programs that are looked for on the `PATH`; the same as in `crates/testkit/src/server/binary.rs`.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

/// Debian asks this file whether a package may start its service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Finds a server, or installs one where that is possible without asking anybody: as root, with `apt-get`.
pub(crate) fn ensure() -> Outcome {
    if let Some(named) = env::var_os(NAMED_BY)
        .filter(|named| !named.is_empty())
        .map(PathBuf::from)
    {
        return if is_program(&named) {
            Ok(())
        } else {
            Err(Failure::new(format!(
                "{NAMED_BY} names {}, which is not a program: correct it, or unset it",
                named.display()
            )))
        };
    }
    if PROGRAMS.iter().any(|program| on_path(program)) {
        return Ok(());
    }
    if is_root() && on_path("apt-get") {
        install()?;
    }
    if PROGRAMS.iter().any(|program| on_path(program)) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "no redis-server or valkey-server found: apt-get install redis-server, or set {NAMED_BY}"
    )))
}

fn on_path(program: &str) -> bool {
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

/// Installs the package, but does not leave its service running: the tests start servers of their own.
fn install() -> Outcome {
    println!("==> no redis-server found: installing it with apt-get");
    let served_before = service_runs();
    let policy = Policy::forbid()?;
    apt(&["update"])?;
    apt(&["install", "-y", "--no-install-recommends", "redis-server"])?;
    drop(policy);
    if !served_before && service_runs() {
        let _ = Command::new("redis-cli").args(["shutdown", "nosave"]).status();
        if service_runs() {
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
        "`{shown}` failed ({status}): install redis-server yourself, or set {NAMED_BY}"
    )))
}

fn service_runs() -> bool {
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
