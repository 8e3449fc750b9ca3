//! The defences against the known attacks on caches, taken out one by one: without each, a test must fail.
//!
//! It works on a copy of the sources in the target folder, of which only what was changed is built anew. Each defence is a
//! piece of text in a file and what stands there without it; the table of them is checked by a unit test, so that it
//! cannot grow old unnoticed.

mod table;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use self::table::Defence;
use crate::budget::{Budget, Factor};
use crate::failure::{Failure, Outcome, While};
use crate::group::Group;
use crate::metadata::Metadata;
use crate::tally::Tally;
use crate::{flag, program, tree};

/// What all of it may take, the first build included.
const ALL: Duration = Duration::from_secs(1500);
/// What a build or a run of tests may take before it is killed; a test that hangs catches nothing.
const ONE: Duration = Duration::from_secs(100);
/// The first build has the dependencies to build too.
const FIRST: Duration = Duration::from_secs(300);

pub(crate) fn command(arguments: &[String]) -> Outcome<ExitCode> {
    let defences = table::read(table::TEXT)?;
    if flag(arguments, "--list")? {
        defences.iter().for_each(|defence| println!("{defence}"));
        return Ok(ExitCode::SUCCESS);
    }
    let factor = Factor::from_env()?;
    let begun = Instant::now();
    let place = Place::prepare(&Metadata::load()?.target.join("defences"))?;
    all_pass_with_them(&place, &defences, factor)?;
    let took = begun.elapsed().as_secs_f64();
    println!("every suite passes with all defences ({took:.1} s)");
    let mut failed = 0;
    for defence in &defences {
        let begun = Instant::now();
        let result = caught(&place, defence, factor.times(ONE));
        let took = begun.elapsed().as_secs_f64();
        match result {
            Ok(()) => println!("caught {took:>6.1} s  {defence}"),
            Err(failure) => {
                failed += 1;
                println!("FAILED {took:>6.1} s  {defence}: {failure}");
            }
        }
    }
    let (took, budget) = (begun.elapsed().as_secs_f64(), factor.times(ALL));
    let caught = defences.len() - failed;
    println!("{caught} defences whose test fails without them, {failed} failed ({took:.0} s)");
    if !budget.holds(begun.elapsed()) {
        let limit = budget.limit.as_secs_f64();
        return Err(Failure::new(format!("over its budget of {limit:.0} s")));
    }
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A copy of the sources, and where it is built.
struct Place {
    tree: PathBuf,
    build: PathBuf,
    log: PathBuf,
}

impl Place {
    /// Copies what is there and not ignored. What is the same already is left alone, so that it is not built again; what
    /// an interrupted run has left changed is put right by this too.
    fn prepare(folder: &Path) -> Outcome<Self> {
        let tree = folder.join("tree");
        let files = sources()?;
        for file in &files {
            let (from, to) = (Path::new(file), tree.join(file));
            let text = fs::read(from).or_fail(|| format!("cannot read {file}"))?;
            if fs::read(&to).ok().as_ref() != Some(&text) {
                write(&to, &text)?;
            }
        }
        for stray in tree::rust_files(&tree)? {
            let known = stray
                .strip_prefix(&tree)
                .is_ok_and(|own| own.to_str().is_some_and(|own| files.contains(own)));
            if !known {
                fs::remove_file(&stray).or_fail(|| format!("cannot remove {}", stray.display()))?;
            }
        }
        Ok(Self {
            tree,
            build: folder.join("build"),
            log: folder.join("log"),
        })
    }

    /// Runs cargo in the copy, its output to the log; whether it succeeded.
    fn cargo(&self, arguments: &[&str], budget: Budget) -> Outcome<bool> {
        let doing = || format!("cannot write {}", self.log.display());
        let log = File::create(&self.log).or_fail(doing)?;
        let errors = log.try_clone().or_fail(doing)?;
        let mut command: Command = program::cargo(arguments);
        command
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.build)
            // What is built once and looked at by nobody needs no debug information.
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("CARGO_PROFILE_TEST_DEBUG", "0")
            .stdout(log)
            .stderr(errors);
        let shown = program::shown(&command);
        let mut group = Group::spawn(&mut command).or_fail(|| format!("cannot start `{shown}`"))?;
        let ended = group
            .wait(budget.limit)
            .or_fail(|| format!("cannot wait for `{shown}`"))?;
        match ended {
            Some(status) => Ok(status.success()),
            None => Err(Failure::new(format!(
                "`{shown}` took more than {:.0} s",
                budget.limit.as_secs_f64()
            ))),
        }
    }

    /// What the tests of the last run came to.
    fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().for_each(|line| tally.read(line));
        tally
    }
}

/// The paths of all files that git knows, or would.
fn sources() -> Outcome<BTreeSet<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .or_fail(|| "cannot start `git ls-files`".to_owned())?;
    if !output.status.success() {
        return Err(Failure::new(
            "`git ls-files` failed: the copy is made of what git knows",
        ));
    }
    let paths = String::from_utf8_lossy(&output.stdout);
    // What was removed and not yet committed is listed all the same.
    let there = paths.split('\0').filter(|path| Path::new(path).is_file());
    Ok(there.map(str::to_owned).collect())
}

fn write(file: &Path, text: &[u8]) -> Outcome {
    let doing = || format!("cannot write {}", file.display());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).or_fail(doing)?;
    }
    fs::write(file, text).or_fail(doing)
}

/// A test that fails without a defence says nothing if it fails with it.
fn all_pass_with_them(place: &Place, defences: &[Defence], factor: Factor) -> Outcome {
    let suites: BTreeSet<_> = defences.iter().map(|defence| defence.suite).collect();
    for suite in suites {
        if !place.cargo(&suite.arguments(&[]), factor.times(FIRST))? {
            return Err(Failure::new(format!(
                "the suite `{}` fails with all defences in their places: see {}",
                suite.word,
                place.log.display()
            )));
        }
    }
    Ok(())
}

/// Takes a defence out, runs its test, which must fail, and puts it back.
fn caught(place: &Place, defence: &Defence, budget: Budget) -> Outcome {
    let mut before = Vec::new();
    let out = take_out(place, defence, &mut before);
    let result = out.and_then(|()| fails_as_a_test(place, defence, budget));
    for (file, text) in before.iter().rev() {
        write(file, text.as_bytes())?;
    }
    result
}

/// Takes a defence out of the copy, and notes each file as it was `before`.
fn take_out(place: &Place, defence: &Defence, before: &mut Vec<(PathBuf, String)>) -> Outcome {
    for edit in &defence.edits {
        let file = place.tree.join(&edit.file);
        let text = tree::read(&file)?;
        write(&file, edit.taken_out(&text)?.as_bytes())?;
        before.push((file, text));
    }
    Ok(())
}

fn fails_as_a_test(place: &Place, defence: &Defence, budget: Budget) -> Outcome {
    let suite = defence.suite;
    if !place.cargo(&suite.arguments(&["--no-run"]), budget)? {
        return Err(Failure::new(format!(
            "it does not compile without the defence: see {}",
            place.log.display()
        )));
    }
    let passed = place.cargo(&suite.arguments(&["--", "--exact", &defence.test]), budget)?;
    match (passed, place.tally()) {
        (false, Tally { failed: 1, .. }) => Ok(()),
        (true, Tally { passed: 1, .. }) => Err(Failure::new("the test passes without the defence")),
        _ => Err(Failure::new(format!(
            "the test neither passed nor failed: see {}",
            place.log.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defences::table::Suite;

    /// The attacks that are known, in the order in which a request meets what keeps them off.
    const ATTACKS: [&str; 19] = [
        "unkeyed headers",
        "a GET with a body",
        "two names of a host",
        "parameter cloaking",
        "paths",
        "delimiters in keys",
        "hash collisions",
        "cache deception",
        "Set-Cookie",
        "Authorization and cookies",
        "floods",
        "coalescing leaks",
        "marker poisoning",
        "error poisoning",
        "range, HEAD and truncation",
        "invalidation across origins",
        "Cache-Status",
        "store poisoning",
        "injection into invalidation",
    ];

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    fn defences() -> Vec<Defence> {
        table::read(table::TEXT).unwrap()
    }

    /// The files that may have the tests of a suite; those that every store is held to stand beside its own.
    fn files_of(suite: Suite) -> Vec<PathBuf> {
        let folder = match suite.package.strip_prefix("larder-") {
            None => root().to_owned(),
            Some(name) => root().join("crates").join(name),
        };
        let Some(test) = suite.test else {
            return tree::rust_files(&folder.join("src")).unwrap();
        };
        let mut files = tree::rust_files(&root().join("crates/testkit/src/conformance")).unwrap();
        files.push(folder.join("tests").join(format!("{test}.rs")));
        files
    }

    #[test]
    fn every_defence_stands_where_the_table_says() {
        for defence in defences() {
            assert!(!defence.edits.is_empty(), "{defence}");
            for edit in &defence.edits {
                let text = tree::read(&root().join(&edit.file)).unwrap();
                assert_ne!(edit.taken_out(&text).unwrap(), text, "{defence}");
            }
        }
    }

    #[test]
    fn every_test_of_the_table_is_there() {
        for defence in defences() {
            let name = defence.test.rsplit("::").next().unwrap();
            let heads = [format!("fn {name}("), format!("fn {name}<")];
            let found = files_of(defence.suite).iter().any(|file| {
                let text = tree::read(file).unwrap();
                heads.iter().any(|head| text.contains(head))
            });
            assert!(found, "{defence}");
        }
    }

    #[test]
    fn every_attack_has_a_defence() {
        let mut named: Vec<String> = defences().into_iter().map(|defence| defence.attack).collect();
        named.dedup();
        assert_eq!(named, ATTACKS);
    }
}
