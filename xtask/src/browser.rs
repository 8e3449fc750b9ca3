//! The admin page of the community example in headless Chromium: a journey through it, and pictures in `target/browser`.

use std::process::ExitCode;

use crate::failure::Outcome;
use crate::flag;
use crate::metadata::Metadata;
use crate::program;
use crate::run::Run;
use crate::step::Step;
use crate::tools;

pub(crate) fn command(arguments: &[String]) -> Outcome<ExitCode> {
    flag(arguments, "")?;
    tools::ensure(tools::BROWSER)?;
    let target = Metadata::load()?.target;
    let mut journey = program::cargo(&["run", "--quiet", "--package", "browser", "--"]);
    journey
        .arg(target.join("debug").join("community"))
        .arg(target.join("browser"));
    let mut run = Run::new()?;
    run.perform([
        Step::cargo(
            "browser build",
            900,
            &["build", "--package", "community", "--package", "browser"],
        ),
        Step::new("browser", 300, journey),
    ]);
    Ok(run.close())
}
