//! The flood of `tests/gateway/flood.rs` in full: minutes of it, on the gateway as it is released.

use std::process::{Command, ExitCode};

use crate::failure::{Failure, Outcome};
use crate::program;
use crate::run::Run;
use crate::step::Step;

/// How many unique queries are sent where nothing else is asked for.
const QUERIES: u64 = 1_000_000;

/// With fewer some phases would have too few requests to say anything.
const LEAST: u64 = 10_000;

/// The seconds that it may take where nothing else is asked for. After three times as many it is killed.
const SECONDS: u64 = 600;

/// Both ends of each connection are in the test's process: more files than many systems allow a process at first.
const FILES: &str = r#"ulimit -n "$(ulimit -Hn)"; exec "$@""#;

const TEST: [&str; 6] = ["test", "--release", "--package", "gateway", "--test", "flood"];

pub(crate) fn command(arguments: &[String]) -> Outcome<ExitCode> {
    let Asked { queries, seconds } = Asked::read(arguments)?;
    let build = [&TEST[..], &["--no-run"]].concat();
    let flood = program::cargo(&[&TEST[..], &["--", "--nocapture"]].concat());
    let mut command = Command::new("sh");
    command.args(["-c", FILES, "sh"]).arg(flood.get_program());
    command.args(flood.get_args());
    let mut run = Run::new()?;
    run.perform([
        Step::cargo("soak build", 900, &build),
        Step::new("soak", seconds, command)
            .tests()
            .env("LARDER_SOAK_QUERIES", &queries.to_string()),
    ]);
    Ok(run.close())
}

/// What the arguments ask for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    queries: u64,
    seconds: u64,
}

impl Asked {
    fn read(arguments: &[String]) -> Outcome<Self> {
        let mut asked = Self {
            queries: QUERIES,
            seconds: SECONDS,
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let (number, least) = match word.as_str() {
                "--queries" => (&mut asked.queries, LEAST),
                "--seconds" => (&mut asked.seconds, 1),
                _ => {
                    return Err(Failure::new(format!(
                        "`{word}` is not understood: this command knows `--queries N` and `--seconds N`"
                    )));
                }
            };
            let given = words.next().and_then(|given| given.parse().ok());
            *number = given
                .filter(|given| *given >= least)
                .ok_or_else(|| Failure::new(format!("`{word}` needs a whole number, {least} or more")))?;
        }
        Ok(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(words: &str) -> Outcome<Asked> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        Asked::read(&words)
    }

    #[test]
    fn numbers_are_read_and_others_refused() {
        let some = asked("--seconds 60 --queries 20000").unwrap();
        assert_eq!((some.queries, some.seconds), (20_000, 60));
        assert_eq!(asked("").unwrap().queries, QUERIES);
        for bad in ["--queries", "--queries 5", "--seconds 0", "--seconds x", "60"] {
            assert!(asked(bad).is_err(), "{bad}");
        }
    }
}
