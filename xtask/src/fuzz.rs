//! The fuzz targets in `fuzz`, each run for a short time from its committed corpus.
//!
//! They are built by the ordinary toolchain, without a sanitizer: none of our code is unsafe, and those need a nightly.

use std::fs;
use std::io::{BufRead, BufReader};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::failure::{Failure, Outcome, While};
use crate::metadata::Metadata;
use crate::step::Step;
use crate::{program, tools};

/// How long a target is run where nothing else is asked for, in seconds.
const SECONDS: u64 = 20;

/// The version of cargo-fuzz that is installed where there is none.
const CARGO_FUZZ: &str = "0.13.2";

/// What bounds an input: its length, the seconds it may take, and the memory that the whole target may take.
const BOUNDS: [&str; 3] = ["-max_len=4096", "-timeout=10", "-rss_limit_mb=1024"];

/// That the targets are written as everything else is; they are no members of the workspace.
pub(crate) fn format() -> Step {
    Step::cargo(
        "format of fuzz",
        10,
        &["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"],
    )
}

pub(crate) fn command(arguments: &[String]) -> Outcome<ExitCode> {
    let Asked { seconds, targets } = Asked::read(arguments, targets(Path::new("fuzz/fuzz_targets"))?)?;
    tools::ensure(tools::FUZZ)?;
    let target = Metadata::load()?.target;
    let fuzzer = Fuzzer {
        program: cargo_fuzz(&target)?,
        folder: target.join("fuzz"),
    };
    program::run(fuzzer.command("build", None))?;
    let Some(seconds) = NonZeroU64::new(seconds) else {
        println!("{} targets built", targets.len());
        return Ok(ExitCode::SUCCESS);
    };
    let mut failed = Vec::new();
    for target in &targets {
        println!("==> {target}, {seconds} seconds");
        if let Err(failure) = watch(fuzzer.fuzzing(target, seconds)?) {
            eprintln!("{failure}");
            failed.push(target.as_str());
        }
    }
    if failed.is_empty() {
        println!("{} targets held", targets.len());
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::new(format!(
        "{} failed: its input, shown above, is a test of its crate once it lies in fuzz/corpus/<target>",
        failed.join(", ")
    )))
}

/// What the arguments ask for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    /// Zero builds the targets only.
    seconds: u64,
    targets: Vec<String>,
}

impl Asked {
    fn read(arguments: &[String], all: Vec<String>) -> Outcome<Self> {
        let mut seconds = SECONDS;
        let mut targets = Vec::new();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            if word == "--seconds" {
                seconds = words
                    .next()
                    .and_then(|number| number.parse().ok())
                    .ok_or_else(|| Failure::new("`--seconds` needs a whole number"))?;
            } else if all.contains(word) {
                targets.push(word.clone());
            } else {
                return Err(Failure::new(format!(
                    "no fuzz target `{word}`: there are {}",
                    all.join(", ")
                )));
            }
        }
        if targets.is_empty() {
            targets = all;
        }
        Ok(Self { seconds, targets })
    }
}

/// The names of all targets.
fn targets(folder: &Path) -> Outcome<Vec<String>> {
    let doing = || format!("cannot list {}", folder.display());
    let mut names = Vec::new();
    for file in fs::read_dir(folder).or_fail(doing)? {
        let path = file.or_fail(doing)?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// The program `cargo-fuzz`: that of the `PATH`, or one in the target folder, installed there if it is not yet.
fn cargo_fuzz(target: &Path) -> Outcome<PathBuf> {
    if tools::on_path("cargo-fuzz") {
        return Ok("cargo-fuzz".into());
    }
    let root = target.join("tools");
    let program = root.join("bin").join("cargo-fuzz");
    if !program.exists() {
        println!("==> no cargo-fuzz found: installing it in {}", root.display());
        let mut install = program::cargo(&["install", "cargo-fuzz", "--version", CARGO_FUZZ, "--locked"]);
        install.arg("--root").arg(&root);
        program::run(install).map_err(|failure| {
            Failure::new(format!(
                "{failure}: cargo install cargo-fuzz --version {CARGO_FUZZ} --locked"
            ))
        })?;
    }
    Ok(program)
}

struct Fuzzer {
    program: PathBuf,
    /// Where it builds, and keeps the inputs that it finds.
    folder: PathBuf,
}

impl Fuzzer {
    fn command(&self, name: &str, target: Option<&str>) -> Command {
        let mut command = Command::new(&self.program);
        command.args([name, "--sanitizer", "none", "--target-dir"]);
        command.arg(&self.folder).args(target);
        command
    }

    fn fuzzing(&self, target: &str, seconds: NonZeroU64) -> Outcome<Command> {
        // libFuzzer writes what it finds into the first folder: not into the one that is committed.
        let found = self.folder.join("corpus").join(target);
        fs::create_dir_all(&found).or_fail(|| format!("cannot make {}", found.display()))?;
        let mut command = self.command("run", Some(target));
        command.arg(found).arg(Path::new("fuzz/corpus").join(target));
        command.args(["--", "-verbosity=0", "-print_final_stats=1"]);
        command.arg(format!("-max_total_time={seconds}")).args(BOUNDS);
        Ok(command)
    }
}

/// Runs a target, and passes on what it says without the dictionary that libFuzzer recommends at the end.
fn watch(mut command: Command) -> Outcome {
    let shown = program::shown(&command);
    let doing = || format!("cannot run `{shown}`");
    let mut child = command.stderr(Stdio::piped()).spawn().or_fail(doing)?;
    for line in child
        .stderr
        .take()
        .into_iter()
        .flat_map(|said| BufReader::new(said).split(b'\n'))
    {
        let line = line.or_fail(doing)?;
        if !line.starts_with(b"\"") && !line.starts_with(b"######") {
            eprintln!("{}", String::from_utf8_lossy(&line));
        }
    }
    let status = child.wait().or_fail(doing)?;
    program::judge(&shown, status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(words: &str) -> Outcome<Asked> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        Asked::read(&words, vec!["age".to_owned(), "vary".to_owned()])
    }

    #[test]
    fn all_targets_are_run_where_none_is_named() {
        let all = asked("--seconds 5").unwrap();
        assert_eq!((all.seconds, all.targets.len()), (5, 2));
        let one = asked("vary").unwrap();
        assert_eq!((one.seconds, one.targets), (SECONDS, vec!["vary".to_owned()]));
    }

    #[test]
    fn every_target_is_listed_and_has_inputs() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
        let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
        let listed: Vec<&str> = manifest
            .lines()
            .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\""))
            .collect();
        assert_eq!(listed, targets(&root.join("fuzz_targets")).unwrap());
        for target in listed {
            assert!(root.join("corpus").join(target).is_dir(), "{target}");
        }
    }

    #[test]
    fn a_target_that_is_not_there_is_told() {
        let failure = asked("vari").unwrap_err().to_string();
        assert_eq!(failure, "no fuzz target `vari`: there are age, vary");
        for bad in ["--seconds", "--seconds -1", "--seconds x"] {
            assert!(asked(bad).is_err(), "{bad}");
        }
    }
}
