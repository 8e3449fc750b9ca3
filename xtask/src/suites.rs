//! The tests: the ordinary ones, the model-checked suites, and the mutants that those must catch.

use std::env;
use std::path::Path;
use std::process::ExitCode;

use crate::failure::Outcome;
use crate::metadata::Metadata;
use crate::mutants::{self, CONDITIONS, MUTANTS, Mutant};
use crate::run::Run;
use crate::step::Step;
use crate::{flag, tools};

/// A suite that runs the real concurrent code under the model checker, all of it built with `--cfg shuttle`.
struct Model {
    package: &'static str,
    test: &'static str,
}

const MODELS: &[Model] = &[
    Model {
        package: "larder-store",
        test: "flight_shuttle",
    },
    Model {
        package: "larder-store",
        test: "ledger_shuttle",
    },
];

/// Libraries, programs, tests and examples. Not `--all-targets`: that would run the benches as tests.
const KINDS: [&str; 4] = ["--lib", "--bins", "--tests", "--examples"];

pub(crate) fn command(arguments: &[String]) -> Outcome<ExitCode> {
    let fast = flag(arguments, "--fast")?;
    tools::ensure(tools::TESTS)?;
    let mut run = Run::new()?;
    perform(&mut run, &Metadata::load()?, fast)?;
    Ok(run.close())
}

/// The steps of `cargo x test`.
pub(crate) fn perform(run: &mut Run, metadata: &Metadata, fast: bool) -> Outcome {
    run.perform(ordinary());
    if !fast {
        run.perform(MODELS.iter().map(|model| model_checked(metadata, model)));
        run.check("mutants listed", || mutants::check(metadata));
        for mutant in MUTANTS {
            run.perform([mutated(metadata, mutant, "mutant")?]);
        }
        for condition in CONDITIONS {
            run.perform([mutated(metadata, condition, "condition")?]);
        }
    }
    Ok(())
}

/// Built first, so that the budget of the tests is for the tests.
fn ordinary() -> Vec<Step> {
    let all = ["test", "--workspace", "--all-features", "--no-fail-fast"];
    let tests = [&all[..], &KINDS[..]].concat();
    let build = [&tests[..], &["--no-run"]].concat();
    let docs = [&all[..], &["--doc"]].concat();
    vec![
        Step::cargo("tests build", 900, &build),
        Step::cargo("tests", 720, &tests).tests(),
        Step::cargo("doc tests", 240, &docs).tests(),
    ]
}

fn model_checked(metadata: &Metadata, model: &Model) -> Step {
    let name = format!("{} under shuttle", model.test);
    let step = Step::cargo(
        name,
        300,
        &["test", "--package", model.package, "--test", model.test],
    )
    .tests();
    under_shuttle(step, &metadata.target)
}

fn mutated(metadata: &Metadata, mutant: &Mutant, kind: &str) -> Outcome<Step> {
    let Mutant { package, test, name } = mutant;
    let step = Step::cargo(
        format!("{kind} {name}"),
        240,
        &["test", "--package", package, "--test", test],
    )
    .tests()
    .env(
        "RUSTC_WORKSPACE_WRAPPER",
        &mutants::compiler(&metadata.target, name)?,
    );
    let modelled = MODELS
        .iter()
        .any(|model| (model.package, model.test) == (*package, *test));
    Ok(if modelled {
        under_shuttle(step, &metadata.target)
    } else {
        step
    })
}

/// Other flags for every crate: in a folder of their own, so that the ordinary build stays as it is.
fn under_shuttle(step: Step, target: &Path) -> Step {
    let flags = format!("{} --cfg shuttle", env::var("RUSTFLAGS").unwrap_or_default());
    let target = target.join("shuttle").display().to_string();
    step.env("RUSTFLAGS", flags.trim_start())
        .env("CARGO_TARGET_DIR", &target)
}
