//! A run of steps: what each took, what failed, and the closing line that sums up the tests.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::budget::Factor;
use crate::failure::Outcome;
use crate::step::{Report, Step};
use crate::tally::Tally;

/// What a step without a command may take; it only reads our own sources.
const CHECK: Duration = Duration::from_secs(10);

pub(crate) struct Run {
    factor: Factor,
    reports: Vec<Report>,
}

impl Run {
    pub(crate) fn new() -> Outcome<Self> {
        Ok(Self {
            factor: Factor::from_env()?,
            reports: Vec::new(),
        })
    }

    /// Performs the steps in order. One that fails does not keep the others from being looked at.
    pub(crate) fn perform(&mut self, steps: impl IntoIterator<Item = Step>) {
        self.reports
            .extend(steps.into_iter().map(|step| step.perform(self.factor)));
    }

    /// A step that runs no command.
    pub(crate) fn check(&mut self, name: &str, check: impl FnOnce() -> Outcome) {
        let budget = self.factor.times(CHECK);
        let begun = Instant::now();
        let failure = check().err().map(|failure| failure.to_string());
        let elapsed = begun.elapsed();
        self.reports.push(Report {
            name: name.to_owned(),
            elapsed,
            budget,
            tally: Tally::default(),
            failure,
        });
    }

    /// Prints the table and the closing line.
    pub(crate) fn close(self) -> ExitCode {
        let verdict = Verdict::of(&self.reports);
        print!("\n{}", table(&self.reports));
        if verdict.tests == Tally::default() {
            println!("no tests were run");
        }
        println!("{}", verdict.line());
        if verdict.good() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// The sum of a run.
struct Verdict {
    tests: Tally,
    /// Steps that failed without naming a test: a broken build, a lint, a kill.
    steps: u64,
}

impl Verdict {
    fn of(reports: &[Report]) -> Self {
        let mut verdict = Self {
            tests: Tally::default(),
            steps: 0,
        };
        for report in reports {
            verdict.tests += report.tally;
            verdict.steps += u64::from(report.failure.is_some() && report.tally.failed == 0);
        }
        verdict
    }

    fn good(&self) -> bool {
        self.tests.passed > 0 && self.failed() == 0
    }

    /// Failed tests; a step that failed without naming one counts as one.
    fn failed(&self) -> u64 {
        self.tests.failed + self.steps
    }

    fn line(&self) -> String {
        format!("{} passed, {} failed", self.tests.passed, self.failed())
    }
}

/// Seconds used and allowed, step by step.
fn table(reports: &[Report]) -> String {
    let width = reports
        .iter()
        .map(|report| report.name.len())
        .max()
        .unwrap_or(0)
        .max(4);
    let mut table = format!("{:<width$} {:>8} {:>7}\n", "step", "seconds", "budget");
    for Report {
        name,
        elapsed,
        budget,
        failure,
        ..
    } in reports
    {
        let (used, allowed) = (elapsed.as_secs_f64(), budget.limit.as_secs_f64());
        let failure = failure
            .as_ref()
            .map_or(String::new(), |failure| format!("  FAILED: {failure}"));
        table.push_str(&format!("{name:<width$} {used:>8.1} {allowed:>7.0}{failure}\n"));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(passed: u64, failed: u64, failure: Option<&str>) -> Report {
        Report {
            name: "x".to_owned(),
            elapsed: Duration::from_millis(1500),
            budget: Factor::of(1.0).times(Duration::from_secs(20)),
            tally: Tally { passed, failed },
            failure: failure.map(str::to_owned),
        }
    }

    #[test]
    fn tests_add_up_over_the_steps() {
        let verdict = Verdict::of(&[report(3, 0, None), report(0, 0, None), report(4, 0, None)]);
        assert_eq!(verdict.line(), "7 passed, 0 failed");
        assert!(verdict.good());
    }

    #[test]
    fn a_failed_step_counts_once_however_it_failed() {
        let verdict = Verdict::of(&[report(3, 2, Some("failed")), report(1, 0, Some("killed"))]);
        assert_eq!(verdict.line(), "4 passed, 3 failed");
        assert!(!verdict.good());
    }

    #[test]
    fn a_run_without_tests_is_not_good() {
        assert!(!Verdict::of(&[]).good());
        assert!(!Verdict::of(&[report(0, 0, None)]).good());
    }

    #[test]
    fn the_table_shows_what_failed() {
        let table = table(&[report(1, 0, None), report(1, 0, Some("over its budget by 0.5 s"))]);
        assert_eq!(
            table,
            "step  seconds  budget\nx         1.5      20\nx         1.5      20  FAILED: over its budget by 0.5 s\n"
        );
    }
}
