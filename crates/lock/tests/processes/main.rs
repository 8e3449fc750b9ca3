//! Locks held by real processes on real servers that are killed, stopped, cut off and restarted, with the books kept outside.
#![cfg(all(unix, feature = "redis"))]
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]
// Five processes take one lock on five servers, each through proxies of its own, and increment two counters on a sixth: one
// behind a fence, one without. What they do they tell their parent, with times of the machine's monotonic clock, which is the
// same for all of them. `LARDER_SOAK_SECONDS` says how long each bout is, and that it has to have every fault; without it, a
// few seconds. `cargo x soak locks` sets it.

mod books;
mod storm;
mod worker;

use books::Summary;
use storm::{Bout, Storm};

/// What a process is that a bout has started: this program again.
#[test]
fn worker() {
    worker::run_if_asked();
}

#[test]
fn no_two_processes_hold_a_lock_at_once_and_the_fence_loses_nothing() {
    let books = Storm::run(Bout::WithinThePromise);
    let summary = books.summary();
    println!("{summary}");
    saw_all_of(Bout::WithinThePromise, &summary);
    assert!(summary.holds > 30, "too few holds to mean anything: {summary}");
    assert_eq!(books.overlaps(), Vec::<String>::new(), "{summary}");
    assert_eq!(books.tokens_out_of_order(), Vec::<String>::new(), "{summary}");
    assert_eq!(books.lost_behind_the_fence(), Vec::<String>::new(), "{summary}");
    assert!(
        summary.lost_bare > 0,
        "without the fence nothing was lost, so this proves nothing: {summary}"
    );
    assert!(summary.refused > 0, "{summary}");
}

#[test]
fn clocks_of_servers_that_jump_break_no_fence() {
    let books = Storm::run(Bout::ClocksJump);
    let summary = books.summary();
    println!("{summary}");
    saw_all_of(Bout::ClocksJump, &summary);
    assert!(summary.holds > 30, "too few holds to mean anything: {summary}");
    assert_eq!(books.tokens_out_of_order(), Vec::<String>::new(), "{summary}");
    assert_eq!(books.lost_behind_the_fence(), Vec::<String>::new(), "{summary}");
}

/// A soak has every fault that there is.
fn saw_all_of(bout: Bout, summary: &Summary) {
    if std::env::var_os("LARDER_SOAK_SECONDS").is_some() {
        let missing: Vec<_> = bout.faults().filter(|fault| !summary.has_seen(fault)).collect();
        assert!(missing.is_empty(), "never came: {missing:?}");
    }
}
