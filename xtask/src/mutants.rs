//! Mutants: bugs put in on purpose, each behind `--cfg larder_mutant="name"`, that a test must catch.
//!
//! Under that cfg the tests that catch the mutant are `#[should_panic]`, so the suite passes when they do. A condition is
//! put in the same way and is no bug: something rare that is forced, such as hashes that collide, and that no test may
//! notice.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::failure::{Failure, Outcome, While};
use crate::metadata::Metadata;
use crate::tree;

/// A mutant and the suite that catches it. The bug itself may be in any package that the suite is built from.
pub(crate) struct Mutant {
    pub(crate) package: &'static str,
    pub(crate) test: &'static str,
    pub(crate) name: &'static str,
}

/// A suite named in `suites::MODELS` runs its mutants under shuttle too.
pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        package: "fleet",
        test: "storm",
        name: "redis_adopts_as_captured",
    },
    Mutant {
        package: "fleet",
        test: "storm_bounded",
        name: "redis_feed_without_heartbeat",
    },
    Mutant {
        package: "fleet",
        test: "storm",
        name: "redis_ignores_run_id",
    },
    Mutant {
        package: "fleet",
        test: "storm",
        name: "redis_joins_by_key",
    },
    Mutant {
        package: "fleet",
        test: "storm",
        name: "redis_lost_is_done",
    },
    Mutant {
        package: "fleet",
        test: "storm",
        name: "redis_missing_is_valid",
    },
    Mutant {
        package: "fleet",
        test: "storm",
        name: "redis_stamps_when_stored",
    },
    Mutant {
        package: "fleet",
        test: "storm",
        name: "redis_trusts_memory",
    },
    Mutant {
        package: "larder-store",
        test: "flight_shuttle",
        name: "flight_lost_handover",
    },
    Mutant {
        package: "larder-store",
        test: "flight_shuttle",
        name: "flight_no_wake",
    },
    Mutant {
        package: "larder-store",
        test: "flight_shuttle",
        name: "flight_torn_removal",
    },
    Mutant {
        package: "larder-store",
        test: "ledger_shuttle",
        name: "ledger_counts_before_the_lock",
    },
    Mutant {
        package: "larder-store",
        test: "ledger_shuttle",
        name: "ledger_forgets_uncached_tags",
    },
    Mutant {
        package: "larder-store",
        test: "ledger_shuttle",
        name: "ledger_record_begins_at_zero",
    },
    Mutant {
        package: "larder-redis",
        test: "sentinel",
        name: "redis_believes_any_primary",
    },
    Mutant {
        package: "larder-redis",
        test: "cluster",
        name: "redis_ignores_promotions",
    },
    Mutant {
        package: "larder-redis",
        test: "sentinel",
        name: "redis_ignores_promotions",
    },
    Mutant {
        package: "larder-redis",
        test: "cluster",
        name: "redis_ignores_run_id",
    },
    Mutant {
        package: "larder-redis",
        test: "faults",
        name: "redis_ignores_run_id",
    },
    Mutant {
        package: "larder-redis",
        test: "sentinel",
        name: "redis_ignores_run_id",
    },
    Mutant {
        package: "larder-redis",
        test: "faults",
        name: "redis_missing_is_valid",
    },
    Mutant {
        package: "larder-lock",
        test: "simulation",
        name: "lock_cancel_leaks",
    },
    Mutant {
        package: "larder-lock",
        test: "simulation",
        name: "lock_extend_any_owner",
    },
    Mutant {
        package: "larder-lock",
        test: "simulation",
        name: "lock_extend_minority",
    },
    Mutant {
        package: "larder-lock",
        test: "simulation",
        name: "lock_failure_not_undone",
    },
    Mutant {
        package: "larder-lock",
        test: "simulation",
        name: "lock_fence_unchecked",
    },
    Mutant {
        package: "larder-lock",
        test: "simulation",
        name: "lock_no_drift",
    },
    Mutant {
        package: "larder-lock",
        test: "simulation",
        name: "lock_no_quarantine",
    },
    Mutant {
        package: "larder-lock",
        test: "simulation",
        name: "lock_ok_after_loss",
    },
    Mutant {
        package: "larder-lock",
        test: "simulation",
        name: "lock_plain_del",
    },
    Mutant {
        package: "larder-lock",
        test: "simulation",
        name: "lock_quorum_minority",
    },
    Mutant {
        package: "larder-lock",
        test: "simulation",
        name: "lock_readers_ignored",
    },
    Mutant {
        package: "larder-lock",
        test: "simulation",
        name: "lock_release_where_noticed",
    },
    Mutant {
        package: "larder-lock",
        test: "simulation",
        name: "lock_validity_from_end",
    },
    Mutant {
        package: "larder-lock",
        test: "simulation",
        name: "lock_validity_unchecked",
    },
    Mutant {
        package: "larder-lock",
        test: "simulation",
        name: "lock_watchdog_stops",
    },
    Mutant {
        package: "larder-idempotency",
        test: "promises",
        name: "idempotency_any_payload",
    },
    Mutant {
        package: "larder-idempotency",
        test: "promises",
        name: "idempotency_lost_is_free",
    },
    Mutant {
        package: "larder-idempotency",
        test: "promises",
        name: "replay_any_signature",
    },
    Mutant {
        package: "larder-idempotency",
        test: "promises",
        name: "replay_nonce_unspent",
    },
];

/// Conditions, and the suite that passes under each as it is.
pub(crate) const CONDITIONS: &[Mutant] = &[Mutant {
    package: "larder-store",
    test: "conformance",
    name: "memory_all_keys_collide",
}];

/// Fails when a mutant is not to be found where the table says, or is not in the table: a name that is
/// misspelt anywhere would otherwise pass as a suite that catches it.
pub(crate) fn check(metadata: &Metadata) -> Outcome {
    for mutant in MUTANTS {
        is_where_it_says(metadata, mutant, true)?;
    }
    for condition in CONDITIONS {
        is_where_it_says(metadata, condition, false)?;
    }
    for package in &metadata.packages {
        let src = package.folder.join("src");
        let stray = named_below(&src)?
            .into_iter()
            .find(|name| MUTANTS.iter().chain(CONDITIONS).all(|known| known.name != name));
        if let Some(name) = stray.filter(|_| package.name != "xtask") {
            return Err(Failure::new(format!(
                "the mutant `{name}` in {} is not in the table of xtask/src/mutants.rs: add it with the suite that catches it",
                src.display()
            )));
        }
    }
    Ok(())
}

/// Fails when `mutant` is in no package's sources, or when its suite, which must name it if it is to be `caught` and must
/// not know of it otherwise, does not.
fn is_where_it_says(metadata: &Metadata, mutant: &Mutant, caught: bool) -> Outcome {
    let Mutant { package, test, name } = mutant;
    let Some(folder) = metadata.package(package).map(|package| &package.folder) else {
        return Err(Failure::new(format!(
            "the mutant `{name}` names no package of ours: {package}"
        )));
    };
    let tests = folder.join("tests");
    let file = tests.join(format!("{test}.rs"));
    let suite = if file.exists() {
        file
    } else {
        tests.join(test).join("main.rs")
    };
    let text = fs::read_to_string(&suite).or_fail(|| {
        format!(
            "the mutant `{name}` names a suite that cannot be read, {}",
            suite.display()
        )
    })?;
    let in_suite = named_in(&text).contains(*name);
    if in_suite && !caught {
        return Err(Failure::new(format!(
            "{} knows of `{name}`, under which it must pass as it is: take it out there, or move it to the mutants in xtask/src/mutants.rs",
            suite.display()
        )));
    }
    if in_suite != caught || !is_put_in(metadata, name)? {
        return Err(Failure::new(format!(
            "`larder_mutant = \"{name}\"` is missing in {} or in the sources of every package: put it in, or take it off the table in xtask/src/mutants.rs",
            suite.display()
        )));
    }
    Ok(())
}

/// Whether the mutant called `name` is in the sources of one of our packages.
fn is_put_in(metadata: &Metadata, name: &str) -> Outcome<bool> {
    let ours = metadata.packages.iter().filter(|package| package.name != "xtask");
    for package in ours {
        if named_below(&package.folder.join("src"))?.contains(name) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes a compiler that puts the mutant into our own crates, and returns its path.
///
/// As `RUSTC_WORKSPACE_WRAPPER` it leaves the dependencies as they are: with `RUSTFLAGS` each mutant would
/// have all of them built once more.
pub(crate) fn compiler(target: &Path, name: &str) -> Outcome<String> {
    let folder = target.join("mutants");
    let script = folder.join(name);
    let text = format!("#!/bin/sh\nexec \"$@\" --cfg 'larder_mutant=\"{name}\"'\n");
    let doing = || format!("cannot write {}", script.display());
    fs::create_dir_all(&folder).or_fail(doing)?;
    // Left alone when it is the same: cargo takes a newer compiler for another one.
    if fs::read_to_string(&script).ok().as_ref() != Some(&text) {
        fs::write(&script, text).or_fail(doing)?;
    }
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).or_fail(doing)?;
    Ok(script.display().to_string())
}

fn named_below(folder: &Path) -> Outcome<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for file in tree::rust_files(folder)? {
        names.extend(named_in(&tree::read(&file)?));
    }
    Ok(names)
}

/// The mutants in a text: every `larder_mutant = "name"`.
fn named_in(text: &str) -> BTreeSet<String> {
    let after = text.split("larder_mutant").skip(1);
    let quoted = after.filter_map(|rest| {
        rest.trim_start()
            .strip_prefix('=')?
            .trim_start()
            .strip_prefix('"')
    });
    let names = quoted
        .filter_map(|rest| rest.split_once('"'))
        .map(|(name, _)| name.to_owned());
    // `larder_mutant = "..."` in a comment names none.
    names
        .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_however_they_are_spaced() {
        let text =
            r#"#[cfg(larder_mutant = "one")] if cfg!(not(larder_mutant="two")) {} // larder_mutant="...""#;
        assert_eq!(named_in(text).into_iter().collect::<Vec<_>>(), ["one", "two"]);
    }
}
