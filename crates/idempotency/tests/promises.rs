//! The promises, in memory: `cargo test -p larder-idempotency --test promises`
// With `--cfg larder_mutant="..."` beside it, the test that has to find that mutant expects to fail.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod scenarios;
mod support;

use std::time::Duration;

use larder_idempotency::replay::{ReplayProtectionLayer, Signer};
use larder_idempotency::{IdempotencyLayer, MemoryRecords, Problem};
use larder_store::FakeClock;
use scenarios as promised;
use support::{memory, post};

/// Two instances over one memory.
fn layers() -> [IdempotencyLayer; 2] {
    let records = memory();
    [(); 2].map(|()| IdempotencyLayer::shared_by_all(records.clone()))
}

fn protected() -> ([ReplayProtectionLayer; 2], Signer) {
    let clock = FakeClock::new();
    let records = MemoryRecords::with_clock(1 << 20, clock.clock());
    clock.advance(Duration::from_secs(2));
    let layers = [(); 2]
        .map(|()| ReplayProtectionLayer::new(records.clone(), promised::signing_key()).clock(clock.clock()));
    (layers, Signer::new(promised::signing_key()).clock(clock.clock()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_posts_with_one_key_run_once() {
    promised::fifty_run_once(&layers(), "k").await;
    promised::fifty_wait_for_one(&layers(), "k").await;
}

#[tokio::test]
#[cfg_attr(larder_mutant = "idempotency_any_payload", should_panic)]
async fn a_key_is_for_one_body() {
    promised::another_body_is_refused(&layers(), "k").await;
}

#[tokio::test]
async fn a_client_that_leaves_gets_the_answer_later() {
    promised::a_client_that_leaves_stops_nothing(&layers(), "k").await;
}

#[tokio::test]
#[cfg_attr(larder_mutant = "idempotency_lost_is_free", should_panic)]
async fn a_run_that_is_lost_is_not_run_again() {
    promised::a_lost_run_is_not_run_again(&layers(), "k").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(larder_mutant = "replay_nonce_unspent", should_panic)]
async fn a_nonce_is_accepted_once() {
    let (layers, signer) = protected();
    promised::a_nonce_is_accepted_once(&layers, &signer).await;
}

#[tokio::test]
#[cfg_attr(larder_mutant = "replay_any_signature", should_panic)]
async fn a_forged_signature_is_not_accepted() {
    let (layers, signer) = protected();
    let mut request = post("k", "500 EUR");
    signer.sign(&mut request, b"5 EUR").unwrap();
    for answer in promised::fifty_times(&layers, &request).await {
        assert_eq!(answer.problem, Some(Problem::SignatureRejected));
    }
}
