//! All that must hold before a merge.

use std::process::ExitCode;

use crate::failure::Outcome;
use crate::metadata::Metadata;
use crate::run::Run;
use crate::step::Step;
use crate::{examples, flag, fuzz, packages, program, suites, toolchain, tools};

pub(crate) fn command(arguments: &[String]) -> Outcome<ExitCode> {
    flag(arguments, "")?;
    tools::ensure(tools::TESTS)?;
    toolchain::ensure()?;
    let metadata = Metadata::load()?;
    let mut run = Run::new()?;
    run.perform(style());
    suites::perform(&mut run, &metadata, false)?;
    run.perform(packages::alone(&metadata));
    run.perform([benches(), packages::packed(&metadata)]);
    run.perform(examples::steps());
    Ok(run.close())
}

/// That the benchmarks build. Not as they are measured: what differs is the optimiser's business, and takes the longest.
fn benches() -> Step {
    let build = ["bench", "--workspace", "--all-features", "--no-run"];
    Step::cargo(
        "benches build",
        400,
        &[&build[..], &["--profile", "dev"]].concat(),
    )
}

/// What can be said of the text without running it.
fn style() -> [Step; 5] {
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ];
    let docs = ["doc", "--workspace", "--all-features", "--no-deps"];
    [
        Step::cargo("format", 30, &["fmt", "--all", "--check"]),
        fuzz::format(),
        Step::new("picture", 10, program::this(&["picture", "--check"])),
        Step::cargo("clippy", 600, &clippy),
        Step::cargo("docs", 300, &docs).env("RUSTDOCFLAGS", "-D warnings"),
    ]
}
