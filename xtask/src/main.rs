//! The commands of this repository, run as `cargo x <command>`.

mod alerts;
mod bench;
mod browser;
mod budget;
mod ci;
mod defences;
mod examples;
mod failure;
mod fuzz;
mod graph;
mod group;
mod load;
mod metadata;
mod modules;
mod mutants;
mod packages;
mod picture;
mod program;
mod run;
mod soak;
mod source;
mod step;
mod suites;
mod tally;
mod toolchain;
mod tools;
mod tree;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use failure::{Failure, Outcome, While};

/// A command: its name, its arguments and purpose for the help, and what it runs.
struct Command {
    name: &'static str,
    arguments: &'static str,
    purpose: &'static str,
    run: fn(&[String]) -> Outcome<ExitCode>,
}

const COMMANDS: &[Command] = &[
    Command {
        name: "test",
        arguments: "[--fast]",
        purpose: "every test, the model-checked suites and their mutants (--fast: without those two)",
        run: suites::command,
    },
    Command {
        name: "defences",
        arguments: "[--list]",
        purpose: "takes each defence against an attack out of a copy, and demands that its test fails (--list: what they are)",
        run: defences::command,
    },
    Command {
        name: "ci",
        arguments: "",
        purpose: "all that must hold before a merge; the same as .ci/run",
        run: ci::command,
    },
    Command {
        name: "examples",
        arguments: "",
        purpose: "starts the examples and sends each a request",
        run: examples::command,
    },
    Command {
        name: "picture",
        arguments: "[--check]",
        purpose: "draws crates and modules into ARCHITECTURE.md (--check: fails when that is out of date)",
        run: picture::command,
    },
    Command {
        name: "alerts",
        arguments: "",
        purpose: "holds the dashboard and the alerts against `promtool` of Prometheus, and the alerts against their tests",
        run: alerts::command,
    },
    Command {
        name: "fuzz",
        arguments: "[--seconds N] [target…]",
        purpose: "every fuzz target, or those named, for 20 seconds each or as many as asked for (0: builds them)",
        run: fuzz::command,
    },
    Command {
        name: "soak",
        arguments: "[flood [--queries N]] [fleet [--seconds N]] [locks [--seconds N]]",
        purpose: "minutes of tests that are short otherwise: a flood on the gateway (10^6 queries), a fleet of instances under faults and processes that hold locks under faults (60 s for each of their bouts)",
        run: soak::command,
    },
    Command {
        name: "load",
        arguments: "",
        purpose: "readers and writers on the community example: what its cache spares, and that it shows every change",
        run: load::command,
    },
    Command {
        name: "browser",
        arguments: "",
        purpose: "drives the admin page of the community example in headless Chromium, and pictures it in target/browser",
        run: browser::command,
    },
    Command {
        name: "bench",
        arguments: "[arguments]",
        purpose: "the comparison with other caches: all tables, or what `larder-peers` is asked for",
        run: bench::command,
    },
];

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    dispatch(&words).unwrap_or_else(|failure| {
        eprintln!("error: {failure}");
        ExitCode::FAILURE
    })
}

fn dispatch(words: &[String]) -> Outcome<ExitCode> {
    let Some((name, arguments)) = words.split_first() else {
        print!("{}", help());
        return Ok(ExitCode::FAILURE);
    };
    if ["help", "--help", "-h"].contains(&name.as_str()) {
        print!("{}", help());
        return Ok(ExitCode::SUCCESS);
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        return Err(Failure::new(format!(
            "no command `{name}`: `cargo x help` lists those there are"
        )));
    };
    go_to_root()?;
    (command.run)(arguments)
}

/// Every command works from the root of the repository, wherever it was called.
fn go_to_root() -> Outcome {
    let own = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let Some(root) = own.as_deref().and_then(|own| own.parent()) else {
        return Err(Failure::new(
            "the root of the repository is unknown: run this program as `cargo x`",
        ));
    };
    env::set_current_dir(root).or_fail(|| format!("cannot enter {}", root.display()))
}

/// Whether the one flag a command knows was given; any other word is a failure.
fn flag(arguments: &[String], known: &str) -> Outcome<bool> {
    match arguments.iter().find(|word| *word != known) {
        Some(word) if known.is_empty() => Err(Failure::new(format!(
            "`{word}` is not understood: this command takes no arguments"
        ))),
        Some(word) => Err(Failure::new(format!(
            "`{word}` is not understood: this command knows only `{known}`"
        ))),
        None => Ok(!arguments.is_empty()),
    }
}

fn help() -> String {
    let mut help = String::from("usage: cargo x <command>\n\n");
    for Command {
        name,
        arguments,
        purpose,
        ..
    } in COMMANDS
    {
        let call = format!("{name} {arguments}");
        help.push_str(&format!("  {call:<33} {purpose}\n"));
    }
    help.push_str(
        "\nenvironment:\n  \
         LARDER_REDIS_SERVER   the Redis or Valkey server program that the tests start\n  \
         LARDER_BUDGET_FACTOR  stretches the time budget of every step, for slow machines (default 1)\n",
    );
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_command() {
        let help = help();
        assert!(COMMANDS.iter().all(|command| help.contains(command.purpose)));
    }

    #[test]
    fn only_the_known_flag_is_taken() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(flag(&words(""), "--fast"), Ok(false));
        assert_eq!(flag(&words("--fast"), "--fast"), Ok(true));
        assert!(flag(&words("--fats"), "--fast").is_err());
        assert!(flag(&words("x"), "").is_err());
    }
}
