//! The kit's Sentinel: that a replica takes over, on wish and when the primary is lost.
#![cfg(unix)]

use std::time::{Duration, Instant};

use larder_testkit::RedisSentinel;

const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for `what` to become true; panics when it does not.
#[track_caller]
fn until(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < PATIENCE, "it did not happen in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_replica_takes_over_with_the_data() {
    let mut redis = RedisSentinel::start();
    assert_eq!((redis.urls().len(), redis.name()), (1, "larder"));
    assert_eq!(redis.primary(), 0);
    redis.server(0).cli(&["SET", "k", "v"]);
    let refused = redis.server(1).command(&["SET", "k", "x"], PATIENCE);
    assert!(refused.unwrap_err().to_string().starts_with("READONLY"));

    assert_eq!(redis.failover(), 1);
    assert_eq!(redis.primary(), 1);
    assert_eq!(redis.server(1).cli(&["SET", "k2", "v"]), "OK");
    assert_eq!(redis.server(1).cli(&["GET", "k"]), "v");
}

#[test]
fn a_lost_primary_is_replaced() {
    let mut redis = RedisSentinel::builder()
        .sentinels(3)
        .password("s3cret")
        .arg("--maxclients")
        .arg("100")
        .start();
    assert_eq!(redis.sentinels().len(), 3);
    redis.server(0).cli(&["SET", "k", "v"]);
    until(|| redis.server(1).cli(&["GET", "k"]) == "v");
    assert_eq!(redis.lose_primary(), 1);
    assert_eq!(redis.server(1).cli(&["GET", "k"]), "v");
    assert_eq!(
        redis.server(1).cli(&["CONFIG", "GET", "maxclients"]),
        "maxclients\n100"
    );
    redis.server_mut(0).restart();
    assert_eq!(redis.primary(), 1, "who comes back is not the primary any more");
}
