//! What is counted, and that no label says whose it is.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::collections::BTreeMap;

use larder_idempotency::replay::{ReplayProtectionLayer, Signer, SigningKey};
use larder_idempotency::{IdempotencyLayer, Problem};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use support::{Answer, Fault, Faulty, Shop, ask, begin, memory, post, post_to, soon};
use tower::{Layer, ServiceExt};

async fn everything_once() {
    let faulty = Faulty::new(memory());
    let layer = IdempotencyLayer::shared_by_all(faulty.clone()).max_response_body(20);
    let shop = Shop::closed();
    let app = shop.behind(&layer);
    let first = begin(&app, &shop, post("secret", "")).await;
    ask(&app, post("secret", "")).await;
    shop.let_through(1 << 10);
    soon(first).await.unwrap();
    ask(&app, post("secret", "")).await;
    ask(&app, post("secret", "other")).await;
    ask(&app, post("", "")).await;
    ask(&app, post("large", "more than twenty bytes")).await;
    ask(&app, post("large", "more than twenty bytes")).await;
    let (other, request) = (app.clone(), post_to("/panic", "panics", ""));
    tokio::spawn(async move { ask(&other, request).await })
        .await
        .unwrap_err();
    ask(&app, post_to("/panic", "panics", "")).await;
    faulty.set(Fault::Down);
    ask(&app, post("down", "")).await;

    let key = SigningKey::new("k1", &[1; 32]).unwrap();
    let protected = ReplayProtectionLayer::new(memory(), key.clone()).layer(shop.behind(&layer));
    let mut request = post("signed", "");
    Signer::new(key).sign(&mut request, b"").unwrap();
    for problem in [None, Some(Problem::SignatureRejected)] {
        let answer = Answer::of(protected.clone().oneshot(request.clone()).await.unwrap()).await;
        if problem.is_some() {
            assert_eq!(answer.problem, problem);
        }
    }
}

#[test]
fn everything_is_counted() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().build().unwrap();
        runtime.block_on(everything_once());
    });
    let mut counted = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let labels: Vec<_> = key
            .key()
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()))
            .collect();
        let value = match value {
            DebugValue::Counter(count) => count.to_string(),
            DebugValue::Gauge(value) => value.to_string(),
            DebugValue::Histogram(_) => continue,
        };
        counted.insert(format!("{}{{{}}}", key.key().name(), labels.join(",")), value);
    }
    let expected = [
        ("larder_idempotency_lost_total{cause=panic}", "1"),
        ("larder_idempotency_not_kept_total{reason=too_large}", "1"),
        ("larder_idempotency_requests_total{outcome=first}", "3"),
        ("larder_idempotency_requests_total{outcome=in_flight_409}", "1"),
        (
            "larder_idempotency_requests_total{outcome=indeterminate_409}",
            "1",
        ),
        ("larder_idempotency_requests_total{outcome=invalid_400}", "1"),
        ("larder_idempotency_requests_total{outcome=mismatch_422}", "1"),
        ("larder_idempotency_requests_total{outcome=not_kept_409}", "1"),
        ("larder_idempotency_requests_total{outcome=replayed}", "1"),
        ("larder_idempotency_requests_total{outcome=store_error}", "2"),
        ("larder_idempotency_running{}", "0"),
        (
            "larder_idempotency_store_errors_total{store=faulty,kind=unavailable}",
            "2",
        ),
        ("larder_replay_requests_total{outcome=accepted}", "1"),
        ("larder_replay_requests_total{outcome=replayed}", "1"),
    ];
    let expected: BTreeMap<_, _> = expected
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(counted, expected);
}
