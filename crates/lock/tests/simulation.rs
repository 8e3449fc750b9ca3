//! The locks in a simulated world: `cargo test -p larder-lock --test simulation -- --nocapture`
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]
// The real algorithm over simulated servers and a simulated network, in paused time, everything from one seed. What is
// checked all the time: no two processes may believe to hold one lock at once; whoever asks later has a higher token; a
// resource with a fence loses no increment that it acknowledged, and never turns away who holds the lock; nobody is handed
// a lock that is over, and nobody is told that all went well with a lock that was lost.
//
// Servers keep their clocks within the allowance for drift and their quarantine after they forgot; wall clocks are wrong
// by up to an hour where no server forgets, and closer than a quarantine where one may. Beyond that the algorithm promises
// nothing.
//
// With `--cfg larder_mutant="..."` beside it, the tests that have to find that mutant expect to fail: a run is green
// exactly when the mutant is found.

#[path = "simulation/chance.rs"]
mod chance;
#[path = "simulation/checker.rs"]
mod checker;
#[path = "simulation/client.rs"]
mod client;
#[path = "simulation/directed.rs"]
mod directed;
#[path = "simulation/faults.rs"]
mod faults;
#[path = "simulation/node.rs"]
mod node;
#[path = "simulation/process.rs"]
mod process;
#[path = "simulation/run.rs"]
mod run;
#[path = "simulation/season.rs"]
mod season;
#[path = "simulation/weather.rs"]
mod weather;
#[path = "simulation/world.rs"]
mod world;

use std::time::Duration;

use run::in_simulated_time;
use season::Season;

/// How many processes are killed, one in each run.
const KILLS: u64 = 300;

/// How many tasks are cancelled, one in each run.
const CANCELLATIONS: u64 = 600;

#[test]
#[cfg_attr(
    any(
        larder_mutant = "lock_plain_del",
        larder_mutant = "lock_quorum_minority",
        larder_mutant = "lock_extend_any_owner",
        larder_mutant = "lock_validity_unchecked",
        larder_mutant = "lock_ok_after_loss",
        larder_mutant = "lock_fence_unchecked",
        larder_mutant = "lock_readers_ignored"
    ),
    should_panic(expected = "seed")
)]
// Rare in the weather: each of these has a scenario of its own.
#[cfg_attr(
    any(
        larder_mutant = "lock_cancel_leaks",
        larder_mutant = "lock_extend_minority",
        larder_mutant = "lock_failure_not_undone",
        larder_mutant = "lock_no_drift",
        larder_mutant = "lock_no_quarantine",
        larder_mutant = "lock_release_where_noticed",
        larder_mutant = "lock_validity_from_end",
        larder_mutant = "lock_watchdog_stops"
    ),
    ignore
)]
fn no_seed_breaks_a_lock() {
    let seeds = season::seeds();
    let season = match Season::run(seeds.clone()) {
        Ok(season) => season,
        Err((seed, violation)) => panic!(
            "seed {seed}: {violation}\nalone: LOCK_SIMULATION_SEED={seed} cargo test -p larder-lock --test simulation no_seed"
        ),
    };
    println!("{season}");
    if seeds.end - seeds.start >= 100 {
        let tally = season.tally;
        assert!(tally.holds > 20 * season.seeds, "too few holds to mean anything");
        assert!(tally.losses > season.seeds && 2 * tally.increments > tally.holds);
        assert!(tally.shared > season.seeds, "nobody shared a lock");
        assert!(
            tally.lost_bare > 0 && tally.refused > 0,
            "the fence had nothing to do"
        );
        assert!(season.faults.len() >= 14, "faults that never come");
    }
}

#[test]
fn a_seed_repeats() {
    for seed in 0..8 {
        assert_eq!(run::run(seed), run::run(seed), "seed {seed}");
    }
}

#[test]
#[cfg_attr(
    larder_mutant = "lock_watchdog_stops",
    should_panic(expected = "lost for no reason")
)]
fn a_healthy_lock_is_kept_for_as_long_as_it_is_wanted() {
    (0..10).for_each(|seed| in_simulated_time(directed::long_work(seed)));
}

#[test]
#[cfg_attr(
    any(
        larder_mutant = "lock_extend_minority",
        larder_mutant = "lock_quorum_minority"
    ),
    should_panic(expected = "told too late")
)]
#[cfg_attr(
    larder_mutant = "lock_ok_after_loss",
    should_panic(expected = "ran after loss")
)]
fn two_of_five_extend_nothing() {
    in_simulated_time(directed::extension_by_two_of_five());
}

#[test]
#[cfg_attr(larder_mutant = "lock_no_drift", should_panic(expected = "overlap"))]
fn clocks_as_fast_as_allowed_free_no_lock_too_soon() {
    in_simulated_time(directed::fast_clocks());
}

#[test]
#[cfg_attr(
    any(
        larder_mutant = "lock_plain_del",
        larder_mutant = "lock_quorum_minority",
        larder_mutant = "lock_validity_from_end"
    ),
    should_panic(expected = "overlap")
)]
fn a_majority_that_comes_too_late_is_none() {
    let holds: u64 = (0..40)
        .map(|seed| in_simulated_time(directed::late_majorities(seed)))
        .sum();
    assert!(holds > 40, "{holds}");
}

#[test]
fn the_fence_keeps_an_increment_that_is_lost_without_it() {
    let tally = in_simulated_time(directed::late_write());
    assert_eq!((tally.increments, tally.refused, tally.lost_bare), (1, 2, 2));
}

#[test]
#[cfg_attr(
    any(larder_mutant = "lock_no_quarantine", larder_mutant = "lock_quorum_minority"),
    should_panic(expected = "overlap")
)]
fn a_server_that_forgot_a_vote_gives_it_to_nobody_else() {
    in_simulated_time(directed::forgotten_vote());
}

#[test]
#[cfg_attr(
    larder_mutant = "lock_failure_not_undone",
    should_panic(expected = "left behind")
)]
#[cfg_attr(
    larder_mutant = "lock_quorum_minority",
    should_panic(expected = "another had the majority")
)]
fn a_failed_attempt_gives_back_what_it_got() {
    in_simulated_time(directed::failed_attempt());
}

#[test]
#[cfg_attr(larder_mutant = "lock_quorum_minority", should_panic(expected = "overlap"))]
// Two whose attempts are not undone may wait for each other, or not.
#[cfg_attr(larder_mutant = "lock_failure_not_undone", ignore)]
fn after_a_kill_the_next_grant_comes_in_time() {
    let waits = (0..KILLS).map(|seed| in_simulated_time(directed::kill(seed)));
    let longest = waits.max().unwrap();
    println!("{KILLS} kills: the next one waited {longest:?} at most");
    assert!(longest > Duration::from_millis(500), "nobody had to wait");
}

#[test]
#[cfg_attr(
    any(
        larder_mutant = "lock_cancel_leaks",
        larder_mutant = "lock_failure_not_undone",
        larder_mutant = "lock_release_where_noticed"
    ),
    should_panic(expected = "left behind")
)]
fn a_cancellation_leaves_no_vote_behind() {
    (0..CANCELLATIONS).for_each(|seed| in_simulated_time(directed::cancel(seed)));
}

#[test]
#[cfg_attr(
    larder_mutant = "lock_fence_unchecked",
    should_panic(expected = "token order")
)]
fn tokens_rise_whatever_the_clocks_say() {
    (0..10).for_each(|seed| in_simulated_time(directed::clocks_apart(seed)));
}

#[test]
#[cfg_attr(
    larder_mutant = "lock_extend_any_owner",
    should_panic(expected = "extended for another")
)]
fn nobody_extends_the_vote_of_another() {
    in_simulated_time(directed::late_extension());
}
