//! What HTTP asks of a shared cache, case by case: over sockets, against the gateway, by a clock that the case moves.
//!
//! Each case is named by the section that rules. That an answer comes from the cache is judged by what the origin saw
//! and by whose body it is, not by what the cache says of itself.
//!
//! `cargo test -p gateway --test conformance` runs them; a name, or the beginning of one (`age::`), runs some. A case
//! that fails tells all that was sent and seen.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends with the first surprise"
)]

mod harness;

mod age;
mod authorization;
mod cache_control;
mod cache_status;
mod conditional;
mod conditions_passed;
mod expires;
mod groups;
mod head;
mod headers;
mod heuristics;
mod invalidation;
mod no_vary_search;
mod range;
mod request_directives;
mod revalidation;
mod stale;
mod status;
mod targeted;
mod transport;
mod variants;
mod vary;

use std::collections::{BTreeMap, HashSet};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use harness::Case;
use larder::Profile;
use libtest_mimic::{Arguments, Trial};

/// How many cases of each subject passed, and how many there were.
type Tally = Arc<Mutex<BTreeMap<&'static str, (usize, usize)>>>;

/// All cases, by subject.
fn subjects() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("age", age::cases()),
        ("expires", expires::cases()),
        ("cache_control", cache_control::cases()),
        ("request_directives", request_directives::cases()),
        ("status", status::cases()),
        ("heuristics", heuristics::cases()),
        ("vary", vary::cases()),
        ("variants", variants::cases()),
        ("conditional", conditional::cases()),
        ("conditions_passed", conditions_passed::cases()),
        ("revalidation", revalidation::cases()),
        ("head", head::cases()),
        ("stale", stale::cases()),
        ("range", range::cases()),
        ("invalidation", invalidation::cases()),
        ("headers", headers::cases()),
        ("targeted", targeted::cases()),
        ("cache_status", cache_status::cases()),
        ("groups", groups::cases()),
        ("no_vary_search", no_vary_search::cases()),
        ("authorization", authorization::cases()),
        ("transport", transport::cases()),
    ]
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tally = Tally::default();
    let conclusion = libtest_mimic::run(&arguments, trials(&tally));
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    for (subject, (passed, all)) in tally.iter() {
        println!("{subject:>20} {passed:>4} of {all}");
    }
    conclusion.exit_code()
}

fn trials(tally: &Tally) -> Vec<Trial> {
    let mut names = HashSet::new();
    let mut trials = Vec::new();
    for (subject, cases) in subjects() {
        for case in cases {
            for profile in case.profiles {
                let trial = trial(subject, case.clone(), *profile, tally);
                assert!(names.insert(trial.name().to_owned()), "twice: {}", trial.name());
                trials.push(trial);
            }
        }
    }
    trials
}

fn trial(subject: &'static str, case: Case, profile: Profile, tally: &Tally) -> Trial {
    let tally = Arc::clone(tally);
    let name = match profile {
        Profile::Rfc => format!("{subject}::{}", case.name),
        _ => format!("{subject}::{}::{}", case.name, profile.as_str()),
    };
    Trial::test(name, move || {
        let done = harness::run(&case, profile);
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        let (passed, all) = tally.entry(subject).or_default();
        *passed += usize::from(done.is_ok());
        *all += 1;
        done.map_err(Into::into)
    })
}
