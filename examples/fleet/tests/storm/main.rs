//! Three instances under everything that can go wrong, and whether any of them answered what it must not.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test ends with the first surprise")]
#![allow(dead_code, reason = "it uses a part of what the suites need")]

mod bout;
mod client;
mod crew;
mod fault;
mod ground;
mod instance;
mod random;

use bout::{Bout, INSTANCES, Length};
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

/// How often each fault is to happen: once, unless there is a bug that is to be found.
const TIMES: usize = if cfg!(any(
    larder_mutant = "redis_adopts_as_captured",
    larder_mutant = "redis_ignores_run_id",
    larder_mutant = "redis_joins_by_key",
    larder_mutant = "redis_lost_is_done",
    larder_mutant = "redis_missing_is_valid",
    larder_mutant = "redis_stamps_when_stored",
    larder_mutant = "redis_trusts_memory",
)) {
    6
} else {
    1
};

#[cfg_attr(
    any(
        larder_mutant = "redis_adopts_as_captured",
        larder_mutant = "redis_ignores_run_id",
        larder_mutant = "redis_joins_by_key",
        larder_mutant = "redis_lost_is_done",
        larder_mutant = "redis_missing_is_valid",
        larder_mutant = "redis_stamps_when_stored",
        larder_mutant = "redis_trusts_memory",
    ),
    should_panic(expected = "violations")
)]
#[test]
fn over_one_server_no_answer_is_stale_whatever_happens() {
    let bout = Bout {
        bounded: None,
        length: Length::of(TIMES),
    };
    bout.run(Ground::one(INSTANCES)).demand();
}
