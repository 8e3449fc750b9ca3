//! The long forms of tests that are short otherwise: minutes of each, on programs as they are released.

use std::process::{Command, ExitCode};

use crate::failure::{Failure, Outcome};
use crate::program;
use crate::run::Run;
use crate::step::Step;

/// A test that has a long form.
struct Soak {
    name: &'static str,
    package: &'static str,
    test: &'static str,
    /// The argument that says how long it is to be, what that is without it, and at least: with less it says nothing.
    measure: &'static str,
    usual: u64,
    least: u64,
    /// The variable that tells the test.
    told: &'static str,
    /// The seconds that it may take, for a measure. After three times as many it is killed.
    budget: fn(u64) -> u64,
}

const SOAKS: [Soak; 3] = [
    Soak {
        name: "flood",
        package: "gateway",
        test: "flood",
        measure: "--queries",
        usual: 1_000_000,
        least: 10_000,
        told: "LARDER_SOAK_QUERIES",
        budget: |_| 600,
    },
    Soak {
        name: "fleet",
        package: "fleet",
        // Both of its suites.
        test: "storm*",
        measure: "--seconds",
        usual: 60,
        least: 1,
        told: "LARDER_SOAK_SECONDS",
        // Of each of its bouts, and it goes on until every fault was there.
        budget: |seconds| 6 * seconds + 300,
    },
    Soak {
        name: "locks",
        package: "larder-lock",
        test: "processes",
        measure: "--seconds",
        usual: 60,
        least: 1,
        told: "LARDER_SOAK_SECONDS",
        // Of each of its two bouts, and each goes on for a minute at most until it has seen enough.
        budget: |seconds| 2 * seconds + 180,
    },
];

/// Both ends of each connection are in the test's process: more files than many systems allow a process at first.
const FILES: &str = r#"ulimit -n "$(ulimit -Hn)"; exec "$@""#;

pub(crate) fn command(arguments: &[String]) -> Outcome<ExitCode> {
    let asked = read(arguments)?;
    let mut run = Run::new()?;
    for (soak, measure) in asked {
        run.perform(soak.steps(measure));
    }
    Ok(run.close())
}

impl Soak {
    fn steps(&self, measure: u64) -> [Step; 2] {
        let test = [
            "test",
            "--release",
            "--all-features",
            "--package",
            self.package,
            "--test",
            self.test,
        ];
        let build = [&test[..], &["--no-run"]].concat();
        // One after the other: each is to have the machine for itself.
        let run = program::cargo(&[&test[..], &["--", "--nocapture", "--test-threads", "1"]].concat());
        let mut command = Command::new("sh");
        command.args(["-c", FILES, "sh"]).arg(run.get_program());
        command.args(run.get_args());
        [
            Step::cargo(format!("{} build", self.name), 900, &build),
            Step::new(self.name, (self.budget)(measure), command)
                .tests()
                .env(self.told, &measure.to_string()),
        ]
    }
}

/// The soaks that are asked for, and how much of each: all of them where none is named.
fn read(arguments: &[String]) -> Outcome<Vec<(&'static Soak, u64)>> {
    let mut asked: Vec<(&Soak, u64)> = Vec::new();
    let mut words = arguments.iter().peekable();
    while let Some(word) = words.next() {
        let Some(soak) = SOAKS.iter().find(|soak| soak.name == *word) else {
            return Err(Failure::new(format!(
                "`{word}` is not understood: this command knows {}",
                known()
            )));
        };
        let Soak {
            measure,
            usual,
            least,
            ..
        } = soak;
        let mut amount = *usual;
        if words.next_if(|word| *word == measure).is_some() {
            let given = words.next().and_then(|given| given.parse().ok());
            amount = given
                .filter(|given| given >= least)
                .ok_or_else(|| Failure::new(format!("`{measure}` needs a whole number, {least} or more")))?;
        }
        asked.push((soak, amount));
    }
    if asked.is_empty() {
        asked = SOAKS.iter().map(|soak| (soak, soak.usual)).collect();
    }
    Ok(asked)
}

fn known() -> String {
    let known: Vec<String> = SOAKS
        .iter()
        .map(|soak| format!("`{} [{} N]`", soak.name, soak.measure))
        .collect();
    known.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(words: &str) -> Outcome<Vec<(&'static str, u64)>> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let asked = read(&words)?;
        Ok(asked
            .into_iter()
            .map(|(soak, amount)| (soak.name, amount))
            .collect())
    }

    #[test]
    fn soaks_are_named_and_measured_and_others_refused() {
        let all = vec![("flood", 1_000_000), ("fleet", 60), ("locks", 60)];
        assert_eq!(asked(""), Ok(all));
        assert_eq!(asked("fleet"), Ok(vec![("fleet", 60)]));
        let some = vec![("fleet", 90), ("flood", 20_000)];
        assert_eq!(asked("locks --seconds 30"), Ok(vec![("locks", 30)]));
        assert_eq!(asked("fleet --seconds 90 flood --queries 20000"), Ok(some));
        for bad in [
            "--queries 20000",
            "flood --queries",
            "flood --queries 5",
            "flood --seconds 60",
            "fleet --seconds 0",
            "fleet --seconds x",
            "locks --queries 20000",
            "60",
        ] {
            assert!(asked(bad).is_err(), "{bad}");
        }
    }
}
