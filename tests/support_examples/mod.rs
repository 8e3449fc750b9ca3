//! The examples, run as programs, and the commands of the documents, run by a shell.
#![allow(dead_code, reason = "each suite uses a part of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a block of commands may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// An example that runs, until it is dropped.
pub(crate) struct Example {
    process: Child,
    pub(crate) address: String,
    /// Open as long as the example may print.
    _printed: BufReader<ChildStdout>,
}

impl Example {
    /// Starts it at a free port, as `cargo run --example` builds it.
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        Self::run(&program(name, &["--package", "larder"]), arguments)
            .unwrap_or_else(|complaint| panic!("{name} did not start: {complaint}"))
    }

    /// The same with all features, as `cargo x test` builds the whole workspace: then nothing of it is built with others
    /// once more.
    pub(crate) fn start_with_all_features(name: &str, arguments: &[&str]) -> Self {
        Self::run(&program(name, &["--workspace", "--all-features"]), arguments)
            .unwrap_or_else(|complaint| panic!("{name} did not start: {complaint}"))
    }

    fn run(program: &Path, arguments: &[&str]) -> Result<Self, String> {
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LARDER_") {
                command.env_remove(name);
            }
        }
        let mut process = command.spawn().unwrap();
        let mut printed = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        printed.read_line(&mut line).unwrap();
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .map(str::to_owned);
        let mut complaints = process.stderr.take().unwrap();
        let started = Self {
            process,
            address: address.unwrap_or_default(),
            _printed: printed,
        };
        if started.address.is_empty() {
            let mut complaint = String::new();
            complaints.read_to_string(&mut complaint).unwrap();
            return Err(format!("{line}{complaint}"));
        }
        // What it says from now on is nobody's business, and must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut complaints, &mut std::io::sink()));
        Ok(started)
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The example's program, built with these packages and features.
fn program(name: &str, selected: &[&str]) -> PathBuf {
    static BUILT: Mutex<()> = Mutex::new(());
    let one_at_a_time = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    build(name, selected);
    drop(one_at_a_time);
    folder()
        .join("examples")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Where cargo puts what it builds in this profile.
fn folder() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    this.parent().and_then(Path::parent).unwrap().to_owned()
}

fn build(name: &str, selected: &[&str]) {
    let folder = folder();
    // The folder has the profile's name, but for `dev`.
    let profile = folder.file_name().unwrap().to_str().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--example", name])
        .args(selected)
        .args(["--profile", if profile == "debug" { "dev" } else { profile }])
        .arg("--target-dir")
        .arg(folder.parent().unwrap());
    assert!(cargo.current_dir(root()).status().unwrap().success());
}

/// That there is a program which the commands start.
pub(crate) fn demand(program: &str, package: &str) {
    assert!(
        Command::new(program).arg("--version").output().is_ok(),
        "no {program} found, with which the commands of the documents are run: apt-get install {package}"
    );
}

/// What a block of commands prints, without spaces at its end.
pub(crate) fn printed_by(commands: &str) -> String {
    let mut shell = Command::new("sh");
    let shell = shell
        .args(["-c", commands])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut shell = shell.spawn().unwrap();
    let begun = Instant::now();
    while shell.try_wait().unwrap().is_none() {
        if begun.elapsed() > PATIENCE {
            shell.kill().unwrap();
            panic!("it does not end:\n{commands}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let (mut printed, mut complaint) = (String::new(), String::new());
    shell.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    shell
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut complaint)
        .unwrap();
    print!("{complaint}");
    printed.replace('\r', "").trim_end().to_owned()
}

/// The commands with `curl`, each with what it prints: a block `sh`, and the block `text` that follows it.
pub(crate) fn steps(page: &str) -> Vec<(&str, &str)> {
    let blocks: Vec<(&str, &str)> = page
        .split("\n```")
        .skip(1)
        .step_by(2)
        .map(|block| block.split_once('\n').unwrap())
        .collect();
    let commands = blocks
        .iter()
        .enumerate()
        .filter(|(_, (kind, text))| *kind == "sh" && text.contains("curl"));
    commands
        .map(|(at, (_, commands))| match blocks.get(at + 1) {
            Some(("text", shown)) => (*commands, *shown),
            _ => panic!("no output is shown for: {commands}"),
        })
        .collect()
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
