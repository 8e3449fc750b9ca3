//! The ways to hold a lock in the simulated world: together with others, several at once, within limits, or not at all.
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]
#![allow(
    dead_code,
    reason = "the world is that of the suite `simulation`, which uses all of it"
)]
// Scenarios that are not there to find mutants, and so are apart from those that are.

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
#[path = "simulation/modes.rs"]
mod modes;
#[path = "simulation/node.rs"]
mod node;
#[path = "simulation/process.rs"]
mod process;
#[path = "simulation/run.rs"]
mod run;
#[path = "simulation/weather.rs"]
mod weather;
#[path = "simulation/world.rs"]
mod world;

use run::in_simulated_time;

#[test]
fn readers_share_a_lock_and_a_writer_has_its_turn() {
    (0..20).for_each(|seed| in_simulated_time(modes::readers_and_a_writer(seed)));
}

#[test]
fn a_writer_is_not_kept_out_by_readers_who_come_and_go() {
    in_simulated_time(modes::a_crowd_of_readers());
}

#[test]
fn the_lock_of_a_reader_that_was_killed_is_free_in_time() {
    (0..20).for_each(|seed| in_simulated_time(modes::killed_reader(seed)));
}

#[test]
fn several_names_in_any_order_never_wait_in_a_circle() {
    (0..20).for_each(|seed| in_simulated_time(modes::several_names(seed)));
}

#[test]
fn who_holds_on_for_max_hold_loses_the_lock_and_the_next_has_it() {
    (0..20).for_each(|seed| in_simulated_time(modes::max_hold(seed)));
}

#[test]
fn a_lock_stays_taken_at_least_for_its_time() {
    (0..20).for_each(|seed| in_simulated_time(modes::at_least_for(seed)));
}

#[test]
fn what_runs_unlocked_says_so_and_is_turned_away_by_the_fence() {
    (0..20).for_each(|seed| in_simulated_time(modes::run_unlocked(seed)));
}
