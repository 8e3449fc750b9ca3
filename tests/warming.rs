//! Filling the cache before the first client comes.
#![allow(clippy::unwrap_used, reason = "a test ends with the first surprise")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get as on_get;
use http::Request;
use larder::{Larder, Warmed, Warming};
use support::{Calls, Gate, get, is_pending};

fn requests(paths: &[&'static str]) -> Vec<Request<Body>> {
    let request = |path: &&'static str| Request::get(*path).body(Body::empty()).unwrap();
    paths.iter().map(request).collect()
}

fn numbers(warmed: &Warmed) -> [usize; 3] {
    [warmed.done, warmed.kept, warmed.failed]
}

#[tokio::test]
async fn what_can_be_kept_is_and_what_fails_is_counted() {
    let larder = Larder::in_memory(1 << 20);
    let made = Calls::default();
    let calls = made.clone();
    let page = move |Path(name): Path<String>| {
        calls.next();
        async move {
            match name.as_str() {
                "panics" => panic!("as it was asked to"),
                "hangs" => std::future::pending().await,
                "fails" => (StatusCode::INTERNAL_SERVER_ERROR, [("x-page", "1")], name),
                "private" => (StatusCode::OK, [("cache-control", "private")], name),
                _ => (StatusCode::OK, [("x-page", "1")], name),
            }
        }
    };
    let app: Router = Router::new().route("/{name}", on_get(page).layer(larder.public_cache("pages")));
    let all = ["/a", "/b", "/private", "/fails", "/hangs", "/panics", "/c", "/a"];
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&steps);
    let warmed = Warming::new(app.clone(), requests(&all))
        .time_limit(Duration::from_millis(200))
        .progress(move |warmed| {
            seen.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(warmed.done);
        })
        .run()
        .await;
    assert_eq!(numbers(&warmed), [8, 4, 3]);
    assert_eq!(*steps.lock().unwrap(), (1..=8).collect::<Vec<_>>());
    let before = made.count();
    for path in ["/a", "/b", "/c"] {
        assert_eq!(get(&app, path).await.x_cache(), "HIT");
    }
    assert_eq!(made.count(), before);
}

#[tokio::test]
async fn no_more_are_under_way_than_allowed_and_none_when_it_is_dropped() {
    let larder = Larder::in_memory(1 << 20);
    let gate = Gate::new();
    let (open, running) = (gate.clone(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&running);
    struct Under(Arc<AtomicUsize>);
    impl Drop for Under {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let page = move || {
        let (open, count) = (open.clone(), Arc::clone(&count));
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            let _under = Under(count);
            open.pass().await;
            "page"
        }
    };
    let layer = larder.cache("pages");
    let app: Router = Router::new().route("/{name}", on_get(page).layer(layer));
    let all = requests(&["/a", "/b", "/c", "/d", "/e"]);
    let mut run = Box::pin(Warming::new(app, all).concurrency(2).run());
    assert!(is_pending(&mut run));
    for _ in 0..2 {
        gate.reached().await;
    }
    tokio::task::yield_now().await;
    assert_eq!(running.load(Ordering::SeqCst), 2);
    gate.open(1);
    assert!(is_pending(&mut run));
    support::until("the next begins", || {
        let _ = is_pending(&mut run);
        gate.is_reached()
    })
    .await;
    drop(run);
    larder.shutdown(Duration::from_secs(5)).await;
    support::until("all have ended", || running.load(Ordering::SeqCst) == 0).await;
}
