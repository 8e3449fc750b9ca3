//! The parts of the toolchain that a minimal installation lacks: rustfmt and clippy.

use std::process::{Command, Stdio};

use crate::failure::{Failure, Outcome};
use crate::program;

/// Finds the formatter and the linter, or adds them where rustup is at hand.
pub(crate) fn ensure() -> Outcome {
    let missing = || {
        ["fmt", "clippy"]
            .iter()
            .any(|tool| !succeeds(&mut program::cargo(&[tool, "--version"])))
    };
    if !missing() {
        return Ok(());
    }
    println!("==> no rustfmt or clippy found: adding them with rustup");
    let _ = Command::new("rustup")
        .args(["component", "add", "rustfmt", "clippy"])
        .status();
    if missing() {
        return Err(Failure::new(
            "rustfmt or clippy is missing: rustup component add rustfmt clippy",
        ));
    }
    Ok(())
}

fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
