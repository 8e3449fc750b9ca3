//! Mutations whose end nobody sees, in front of a store that takes its time: what they changed is forgotten all the same.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support_flows;

use http::Request;
use larder::{MemoryStore, Profile};
use larder_testkit::{Call, FailingStore, Mode};
use support_flows::*;

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_leaves_nothing_stale_where_no_fill_may_start_either() {
    let store = FailingStore::new(MemoryStore::with_capacity(1 << 20));
    let (larder, _) = with_store(store.clone(), |limits| limits.background_fills = 0);
    let (runs, gate) = (Count::default(), Gate::default());
    let (count, open) = (runs.clone(), gate.clone());
    let layer = larder
        .gateway_cache("gateway", Profile::Safe)
        .x_cache_header(true);
    let app = app(&layer, move |request: Request<_>| {
        let (number, open) = (count.add(), open.clone());
        async move {
            if request.method() == "POST" {
                open.pass().await;
            }
            response(200, &[("cache-control", "max-age=60")], number.to_string())
        }
    });
    assert_eq!(see(&app, "/").await, pair("MISS", 1));
    store.set(Call::Forget, Mode::Later);
    let post = spawn(&app, Request::post("/").body(axum::body::Body::empty()).unwrap());
    runs.reach(2).await;
    post.abort();
    settle().await;
    larder.idle().await;
    assert_eq!(see(&app, "/").await, pair("MISS", 3));
}

#[tokio::test(start_paused = true)]
async fn a_uri_is_forgotten_with_the_response_that_answers_it_though_it_was_made_for_another() {
    let (larder, _) = fake();
    let runs = Count::default();
    let layer = larder
        .gateway_cache("gateway", Profile::Safe)
        .x_cache_header(true);
    let app = app(&layer, move |_| {
        let lines = [
            ("cache-control", "max-age=60"),
            ("no-vary-search", "params=(\"utm\")"),
        ];
        let answer = response(200, &lines, runs.add().to_string());
        async move { answer }
    });
    assert_eq!(see(&app, "/jam?a=1&utm=1").await, pair("MISS", 1));
    assert_eq!(see(&app, "/jam?a=1&utm=2").await, pair("HIT", 1));
    larder.invalidate_uri("/jam?a=1&utm=2").await.unwrap();
    assert_eq!(see(&app, "/jam?a=1&utm=2").await, pair("MISS", 2));
    larder.invalidate_uri("/other?a=1").await.unwrap();
    assert_eq!(see(&app, "/jam?a=1").await, pair("HIT", 2));
}
