//! The examples, started for real: each must listen, and answer one request as it should.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::failure::{Failure, Outcome, While};
use crate::group::Group;
use crate::metadata::Metadata;
use crate::step::Step;
use crate::{flag, program};

/// An example, and what is asked of it.
struct Example {
    package: &'static str,
    name: &'static str,
    kind: Kind,
    /// What it is told beside `--listen ADDRESS:PORT`, which each takes. `TARGET` is the folder that cargo builds into.
    arguments: &'static [&'static str],
    path: &'static str,
    status: &'static str,
}

/// Where cargo finds the program of an example, and puts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Example,
    Binary,
}

impl Kind {
    const fn flag(self) -> &'static str {
        match self {
            Self::Example => "--example",
            Self::Binary => "--bin",
        }
    }

    const fn folder(self) -> &'static str {
        match self {
            Self::Example => "debug/examples",
            Self::Binary => "debug",
        }
    }
}

const EXAMPLES: &[Example] = &[
    Example {
        package: "larder",
        name: "quickstart",
        kind: Kind::Example,
        arguments: &[],
        path: "/api/v1/ratings",
        status: "200",
    },
    Example {
        package: "larder",
        name: "reasons",
        kind: Kind::Example,
        arguments: &[],
        path: "/pages/1",
        status: "200",
    },
    Example {
        package: "gateway",
        name: "gateway",
        kind: Kind::Binary,
        // Nobody can listen there, so that it has to answer by itself.
        arguments: &["--origin", "http://127.0.0.1:0", "--quiet"],
        path: "/",
        status: "502",
    },
    Example {
        package: "community",
        name: "community",
        kind: Kind::Binary,
        arguments: &["--database", "TARGET/community.sqlite"],
        path: "/api/v1/products/1",
        status: "200",
    },
];

/// How long an example may take until it listens, and to answer.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn steps() -> [Step; 1] {
    [Step::new("examples", 300, program::this(&["examples"]))]
}

pub(crate) fn command(arguments: &[String]) -> Outcome<ExitCode> {
    flag(arguments, "")?;
    let metadata = Metadata::load()?;
    for example in EXAMPLES {
        build(&metadata, example)?;
        let folder = metadata.target.join(example.kind.folder());
        let target = metadata.target.display().to_string();
        let arguments = example.arguments.iter();
        let arguments: Vec<String> = arguments.map(|word| word.replace("TARGET", &target)).collect();
        let status = ask(&folder.join(example.name), &arguments, example.path)?;
        if !status.starts_with(&format!("HTTP/1.1 {} ", example.status)) {
            return Err(Failure::new(format!(
                "the example `{}` answered {} with {status:?}",
                example.name, example.path
            )));
        }
        println!("{}: GET {}: {status}", example.name, example.path);
    }
    Ok(ExitCode::SUCCESS)
}

fn build(metadata: &Metadata, example: &Example) -> Outcome {
    let Example {
        package, name, kind, ..
    } = example;
    let there = metadata.package(package).is_some_and(|package| match kind {
        Kind::Example => package.examples.iter().any(|there| there == name),
        // A package has a program of its own name, or cargo says so below.
        Kind::Binary => true,
    });
    if !there {
        return Err(Failure::new(format!(
            "{package} has no example `{name}`: add it, or take it off the table in xtask/src/examples.rs"
        )));
    }
    let mut command = program::cargo(&["build", "--package", package, "--all-features", kind.flag(), name]);
    let status = command
        .status()
        .or_fail(|| format!("cannot build the example `{name}`"))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("the example `{name}` does not build")))
    }
}

/// Starts the program, asks it for `path`, and returns the status line. The program is killed in any case.
fn ask(program: &Path, arguments: &[String], path: &str) -> Outcome<String> {
    let shown = program.display();
    let addr = free_address()?;
    let mut command = Command::new(program);
    command.args(["--listen", &addr.to_string()]).args(arguments);
    let mut server = Group::spawn(&mut command).or_fail(|| format!("cannot start {shown}"))?;
    let mut stream = connect(&mut server, addr).or_fail(|| format!("{shown} --listen {addr}"))?;
    let doing = || format!("{shown} did not answer GET {path}");
    stream.set_read_timeout(Some(PATIENCE)).or_fail(doing)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n"
    )
    .or_fail(doing)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).or_fail(doing)?;
    Ok(line.trim_end().to_owned())
}

/// Connects as soon as the server listens; fails when it ends before that, or takes too long.
fn connect(server: &mut Group, addr: SocketAddr) -> Outcome<TcpStream> {
    let begun = Instant::now();
    loop {
        // A connection to a port nobody listens on may, by chance, be made with itself.
        if let Ok(stream) = TcpStream::connect(addr)
            && stream.local_addr().is_ok_and(|own| own != addr)
        {
            return Ok(stream);
        }
        if let Some(status) = server
            .ended()
            .or_fail(|| "cannot look after the process".to_owned())?
        {
            return Err(Failure::new(format!(
                "ended ({status}) before it listened: start it by hand to see why"
            )));
        }
        if begun.elapsed() > PATIENCE {
            return Err(Failure::new(format!(
                "does not listen after {PATIENCE:?}: start it by hand to see why"
            )));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn free_address() -> Outcome<SocketAddr> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    free.or_fail(|| "cannot find a free port on 127.0.0.1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_listen_is_told_from_one_that_is_slow() {
        let failure = ask(Path::new("/bin/false"), &[], "/").unwrap_err().to_string();
        assert!(
            failure.contains("ended (exit status: 1) before it listened"),
            "{failure}"
        );
    }
}
