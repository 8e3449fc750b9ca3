//! The promises as scenarios, for any records and any number of instances that share them.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests; each suite uses a part of them"
)]

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use larder_idempotency::replay::{ReplayProtectionLayer, Signer, SigningKey};
use larder_idempotency::{IdempotencyLayer, OnLost, Outcome, Problem, WhileRunning};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Answer, App, Shop, ask, begin, post, post_to, soon, until};

/// Services that share one shop, as instances do that share a database.
fn instances(shop: &Shop, layers: &[IdempotencyLayer]) -> Vec<App> {
    layers.iter().map(|layer| shop.behind(layer)).collect()
}

fn each(
    layers: &[IdempotencyLayer],
    set: impl Fn(IdempotencyLayer) -> IdempotencyLayer,
) -> Vec<IdempotencyLayer> {
    layers.iter().cloned().map(set).collect()
}

/// 50 at once run once, and the others are told that it runs.
pub async fn fifty_run_once(layers: &[IdempotencyLayer], key: &str) {
    let shop = Shop::closed();
    let apps = instances(&shop, layers);
    let tasks: Vec<_> = (0..50)
        .map(|number| {
            let (app, request) = (apps[number % apps.len()].clone(), post(key, "5 EUR"));
            tokio::spawn(async move { ask(&app, request).await })
        })
        .collect();
    until("all others are refused", || {
        tasks.iter().filter(|task| task.is_finished()).count() == 49
    })
    .await;
    shop.let_through(50);
    let mut first = 0;
    for task in tasks {
        let answer = soon(task).await.unwrap();
        match answer.outcome {
            Some(Outcome::First) => {
                first += 1;
                assert_eq!((answer.status, answer.body.as_str()), (201, "run 1: 5 EUR"));
                assert!(!answer.replayed());
            }
            _ => {
                assert_eq!(answer.problem, Some(Problem::InFlight));
                assert_eq!(
                    (answer.status, &answer.headers["retry-after"]),
                    (409, &"1".parse().unwrap())
                );
            }
        }
    }
    assert_eq!((first, shop.runs()), (1, 1));
    // A later retry is answered from the record, by whichever instance.
    for app in &apps {
        let answer = ask(app, post(&format!("\"{key}\""), "5 EUR")).await;
        assert_eq!((answer.status, answer.body.as_str()), (201, "run 1: 5 EUR"));
        assert!(answer.replayed() && answer.outcome == Some(Outcome::Replayed));
        assert_eq!(answer.headers["location"], "/1");
        assert!(!answer.headers.contains_key("set-cookie") && !answer.headers.contains_key("date"));
    }
    assert_eq!(shop.runs(), 1);
}

/// 50 at once run once, and all get its answer.
pub async fn fifty_wait_for_one(layers: &[IdempotencyLayer], key: &str) {
    let shop = Shop::closed();
    let patient = each(layers, |layer| {
        layer.while_running(WhileRunning::Wait(Duration::from_secs(50)))
    });
    let apps = instances(&shop, &patient);
    let tasks: Vec<_> = (0..50)
        .map(|number| {
            let (app, request) = (apps[number % apps.len()].clone(), post(key, "5 EUR"));
            tokio::spawn(async move { ask(&app, request).await })
        })
        .collect();
    until("one runs", || shop.runs() == 1).await;
    shop.let_through(50);
    for task in tasks {
        let answer = soon(task).await.unwrap();
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (201, "run 1: 5 EUR"),
            "{answer:?}"
        );
    }
    assert_eq!(shop.runs(), 1);
}

/// The same key with another body, while the first runs and afterwards.
pub async fn another_body_is_refused(layers: &[IdempotencyLayer], key: &str) {
    let shop = Shop::closed();
    let apps = instances(&shop, layers);
    let last = &apps[apps.len() - 1];
    let first = begin(&apps[0], &shop, post(key, "5 EUR")).await;
    let during = ask(last, post(key, "500 EUR")).await;
    shop.let_through(50);
    soon(first).await.unwrap();
    let after = ask(last, post(key, "500 EUR")).await;
    for refused in [during, after] {
        assert_eq!((refused.status, refused.problem), (422, Some(Problem::KeyReused)));
    }
    assert_eq!(shop.runs(), 1);
}

/// A handler whose client went away runs on, and the retry gets its answer.
pub async fn a_client_that_leaves_stops_nothing(layers: &[IdempotencyLayer], key: &str) {
    let shop = Shop::closed();
    let apps = instances(&shop, layers);
    let last = &apps[apps.len() - 1];
    let client = begin(&apps[0], &shop, post(key, "5 EUR")).await;
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
    assert_eq!(
        ask(last, post(key, "5 EUR")).await.problem,
        Some(Problem::InFlight)
    );
    shop.let_through(50);
    until("the handler ends", || shop.ends() == 1).await;
    let retry = soon(async {
        loop {
            // Ended, and perhaps not written down yet.
            let retry = ask(last, post(key, "5 EUR")).await;
            if retry.problem != Some(Problem::InFlight) {
                return retry;
            }
        }
    });
    let retry = retry.await;
    assert_eq!(retry.body, "run 1: 5 EUR");
    assert!(retry.replayed());
    assert_eq!(shop.runs(), 1);
}

/// A handler that is cancelled or panics never lets a second run begin.
pub async fn a_lost_run_is_not_run_again(layers: &[IdempotencyLayer], key: &str) {
    let shop = Shop::open();
    let apps = instances(&shop, layers);
    let app = apps[0].clone();
    let request = post_to("/panic", key, "5 EUR");
    let panicked = tokio::spawn(async move { ask(&app, request).await }).await;
    assert!(panicked.unwrap_err().is_panic());
    for _ in 0..3 {
        for app in &apps {
            let retry = ask(app, post_to("/panic", key, "5 EUR")).await;
            assert_eq!((retry.status, retry.problem), (409, Some(Problem::Indeterminate)));
        }
    }
    assert_eq!(shop.runs(), 1);
    // By choice it does, with a higher token, and only once at a time.
    let rerunning = instances(&shop, &each(layers, |layer| layer.on_lost(OnLost::Rerun)));
    for app in rerunning {
        let request = post_to("/panic", key, "5 EUR");
        let panicked = tokio::spawn(async move { ask(&app, request).await }).await;
        assert!(panicked.unwrap_err().is_panic());
    }
    let tokens = shop.tokens.lock().unwrap().clone();
    assert_eq!(tokens.len(), 1 + layers.len());
    assert!(tokens.is_sorted_by(|a, b| a < b), "{tokens:?}");
    let keys = shop.downstream.lock().unwrap().clone();
    assert!(keys.iter().all(|key| *key == keys[0] && key.len() == 64));
}

pub fn signing_key() -> SigningKey {
    SigningKey::new("k1", &[7; 32]).unwrap()
}

/// What 50 at once get for one signed request, by the instances that `layers` are of.
pub async fn fifty_times(layers: &[ReplayProtectionLayer], request: &Request<Full<Bytes>>) -> Vec<Answer> {
    let handler = service_fn(|_: Request<Full<Bytes>>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from_static(b"paid"))))
    });
    let tasks: Vec<_> = (0..50)
        .map(|number| {
            let service = layers[number % layers.len()].layer(handler);
            let request = request.clone();
            tokio::spawn(async move { Answer::of(service.oneshot(request).await.unwrap()).await })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(soon(task).await.unwrap());
    }
    answers
}

/// A nonce that 50 use at once is accepted once.
pub async fn a_nonce_is_accepted_once(layers: &[ReplayProtectionLayer], signer: &Signer) {
    for _ in 0..3 {
        let mut request = post("k", "5 EUR");
        signer.sign(&mut request, b"5 EUR").unwrap();
        let answers = fifty_times(layers, &request).await;
        let accepted = answers.iter().filter(|answer| answer.status == 200).count();
        let rejected = answers
            .iter()
            .filter(|answer| answer.problem == Some(Problem::SignatureRejected))
            .count();
        assert_eq!((accepted, rejected), (1, 49), "{answers:?}");
    }
}
