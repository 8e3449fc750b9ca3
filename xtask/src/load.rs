//! The load of `examples/community/tests/load.rs` and the cost in `cost.rs` beside it in full, as they are released.

use std::process::ExitCode;

use crate::failure::Outcome;
use crate::flag;
use crate::program;
use crate::run::Run;
use crate::step::Step;

const TESTS: [&str; 8] = [
    "test",
    "--release",
    "--package",
    "community",
    "--test",
    "load",
    "--test",
    "cost",
];

pub(crate) fn command(arguments: &[String]) -> Outcome<ExitCode> {
    flag(arguments, "")?;
    let build = [&TESTS[..], &["--no-run"]].concat();
    let load = program::cargo(&[&TESTS[..], &["--", "--nocapture"]].concat());
    let mut run = Run::new()?;
    run.perform([
        Step::cargo("load build", 900, &build),
        Step::new("load", 600, load).tests().env("LARDER_LOAD_FULL", "1"),
    ]);
    Ok(run.close())
}
