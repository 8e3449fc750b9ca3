//! Three instances that answer from their own memory without asking, under everything that can go wrong.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test ends with the first surprise")]
#![allow(dead_code, reason = "it uses a part of what `main.rs` needs")]

#[path = "storm/bout.rs"]
mod bout;
#[path = "storm/client.rs"]
mod client;
#[path = "storm/crew.rs"]
mod crew;
#[path = "storm/fault.rs"]
mod fault;
#[path = "storm/ground.rs"]
mod ground;
#[path = "storm/instance.rs"]
mod instance;
#[path = "storm/random.rs"]
mod random;

use std::time::Duration;

use bout::{Bout, INSTANCES, Length};
use ground::Ground;

/// The shortest that there is: the most that the feed has to prove.
const BOUND: Duration = Duration::from_millis(100);

/// How often each fault is to happen: once, unless there is a bug that is to be found.
const TIMES: usize = if cfg!(larder_mutant = "redis_feed_without_heartbeat") {
    6
} else {
    1
};

#[cfg_attr(
    larder_mutant = "redis_feed_without_heartbeat",
    should_panic(expected = "violations")
)]
#[test]
fn over_one_server_no_answer_is_older_than_the_bound_whatever_happens() {
    let bout = Bout {
        bounded: Some(BOUND),
        length: Length::of(TIMES),
    };
    bout.run(Ground::one(INSTANCES)).demand();
}
