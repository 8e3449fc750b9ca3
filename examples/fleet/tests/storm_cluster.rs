//! Three instances over a Cluster of three nodes, under everything that can go wrong.
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

use bout::{Bout, Length};
use ground::Ground;

/// How often each fault is to happen.
const TIMES: usize = 1;

#[test]
fn over_a_cluster_no_answer_is_stale_whatever_happens() {
    let bout = Bout {
        bounded: None,
        length: Length::of(TIMES),
    };
    bout.run(Ground::cluster()).demand();
}

#[test]
fn over_a_cluster_no_answer_is_older_than_the_bound_whatever_happens() {
    let bout = Bout {
        bounded: Some(Duration::from_millis(100)),
        length: Length::of(TIMES),
    };
    bout.run(Ground::cluster()).demand();
}
