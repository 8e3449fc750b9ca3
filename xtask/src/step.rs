//! One step of a run: a command, its name, its time budget, and whether it must run tests.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crate::budget::{Budget, Factor};
use crate::group::Group;
use crate::program;
use crate::tally::Tally;

/// How long the output of a step may go on after the step has ended.
const LAST_WORDS: Duration = Duration::from_secs(10);

pub(crate) struct Step {
    name: String,
    command: Command,
    budget: Duration,
    tests: bool,
}

/// What came of a step.
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) elapsed: Duration,
    pub(crate) budget: Budget,
    pub(crate) tally: Tally,
    /// Why the step failed, if it did.
    pub(crate) failure: Option<String>,
}

impl Step {
    pub(crate) fn new(name: impl Into<String>, seconds: u64, command: Command) -> Self {
        Self {
            name: name.into(),
            command,
            budget: Duration::from_secs(seconds),
            tests: false,
        }
    }

    /// A step that runs cargo.
    pub(crate) fn cargo(name: impl Into<String>, seconds: u64, arguments: &[&str]) -> Self {
        Self::new(name, seconds, program::cargo(arguments))
    }

    /// A step that runs tests, and fails when there are none.
    pub(crate) fn tests(mut self) -> Self {
        self.tests = true;
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs the step, its output passed on as it comes.
    pub(crate) fn perform(mut self, factor: Factor) -> Report {
        let budget = factor.times(self.budget);
        println!(
            "\n==> {} (budget {:.0} s): {}",
            self.name,
            budget.limit.as_secs_f64(),
            program::shown(&self.command)
        );
        let begun = Instant::now();
        let (tally, ended) = self.run(budget);
        let elapsed = begun.elapsed();
        let failure = ended.err().or_else(|| self.complaint(elapsed, budget, tally));
        if let Some(failure) = &failure {
            println!("==> {}: {failure}", self.name);
        }
        Report {
            name: self.name,
            elapsed,
            budget,
            tally,
            failure,
        }
    }

    /// Runs the command to its end, or to that of its time.
    fn run(&mut self, budget: Budget) -> (Tally, Result<(), String>) {
        let mut group = match Group::spawn(self.command.stdout(Stdio::piped())) {
            Ok(group) => group,
            Err(e) => {
                return (
                    Tally::default(),
                    Err(format!("cannot start `{}`: {e}", program::shown(&self.command))),
                );
            }
        };
        let counted = group.stdout().map(pass_on);
        let ended = match group.wait(budget.killed_at()) {
            Ok(Some(status)) if status.success() => Ok(()),
            Ok(Some(status)) => Err(format!("`{}` failed ({status})", program::shown(&self.command))),
            Ok(None) => Err(format!(
                "killed after {:.1} s, three times its budget",
                budget.killed_at().as_secs_f64()
            )),
            Err(e) => Err(format!(
                "cannot wait for `{}`: {e}",
                program::shown(&self.command)
            )),
        };
        let tally = counted.map_or(Some(Tally::default()), |counted| {
            counted.recv_timeout(LAST_WORDS).ok()
        });
        match tally {
            Some(tally) => (tally, ended),
            None => (
                Tally::default(),
                Err("it left a process behind that holds its output".to_owned()),
            ),
        }
    }

    /// What is wrong with a step whose command succeeded.
    fn complaint(&self, elapsed: Duration, budget: Budget, tally: Tally) -> Option<String> {
        if self.tests && tally == Tally::default() {
            return Some("it ran no tests".to_owned());
        }
        let over = elapsed
            .checked_sub(budget.limit)
            .filter(|_| !budget.holds(elapsed))?;
        Some(format!("over its budget by {:.1} s", over.as_secs_f64()))
    }
}

/// Copies `from` to standard output, line by line as it comes, and in the end hands over what it counted.
fn pass_on(from: impl Read + Send + 'static) -> Receiver<Tally> {
    let (hand_over, counted) = mpsc::channel();
    std::thread::spawn(move || {
        let mut tally = Tally::default();
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line);
            tally.read(&text);
            print!("{text}");
            line.clear();
        }
        let _ = hand_over.send(tally);
    });
    counted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        command
    }

    fn short() -> Factor {
        // A budget of one second becomes 20 ms, the kill 60 ms.
        Factor::of(0.02)
    }

    fn failure(step: Step, factor: Factor) -> String {
        step.perform(factor).failure.unwrap_or_default()
    }

    #[test]
    fn results_are_counted_even_of_a_failing_step() {
        let step = Step::new(
            "x",
            10,
            shell("echo 'test result: FAILED. 2 passed; 1 failed; 0 ignored'; exit 1"),
        );
        let report = step.tests().perform(Factor::of(1.0));
        assert_eq!(report.tally, Tally { passed: 2, failed: 1 });
        assert!(report.failure.unwrap().contains("failed (exit status: 1)"));
    }

    #[test]
    fn a_test_step_without_tests_fails() {
        assert_eq!(
            failure(Step::new("x", 10, shell("true")).tests(), Factor::of(1.0)),
            "it ran no tests"
        );
        assert_eq!(failure(Step::new("x", 10, shell("true")), Factor::of(1.0)), "");
    }

    #[test]
    fn a_step_over_its_budget_fails() {
        let failure = failure(Step::new("x", 1, shell("sleep 0.1")), Factor::of(0.08));
        assert!(failure.starts_with("over its budget by 0.0"), "{failure}");
    }

    #[test]
    fn a_step_far_over_its_budget_is_killed() {
        let begun = Instant::now();
        let failure = failure(Step::new("x", 1, shell("sleep 100 & sleep 100")), short());
        assert_eq!(failure, "killed after 0.1 s, three times its budget");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let failure = failure(Step::new("x", 1, Command::new("/no/such/program")), short());
        assert!(failure.starts_with("cannot start `program`"), "{failure}");
    }
}
