//! Three instances under everything that can go wrong, and whether any of them answered what it must not.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test ends with the first surprise")]

mod bout;
mod client;
mod crew;
mod fault;
mod ground;
mod instance;
mod random;

use bout::{Bout, INSTANCES, Length};
use fault::Fault;
use ground::Ground;

/// That the checker finds something where there is something to find.
#[test]
fn instances_that_know_nothing_of_each_other_are_found_out() {
    let bout = Bout {
        bounded: None,
        length: Length::Reads(2_000),
    };
    let report = bout.run(Ground::Nothing);
    println!("{report}");
    assert!(report.verdict.violations > 100);
    assert!(report.failures.is_empty());
}

#[test]
fn over_one_server_no_answer_is_stale_whatever_happens() {
    let bout = Bout {
        bounded: None,
        length: Length::Faults,
    };
    bout.run(Ground::one(INSTANCES)).demand(&Fault::ALL);
}
