//! Forgetting by pattern, in memory and on a server.
#![allow(clippy::unwrap_used, reason = "a test ends with the first surprise")]

mod support;

use axum::Router;
use axum::routing::get as on_get;
use larder::{Larder, TagPattern};
use support::get;

fn site(larder: &Larder) -> Router {
    let page = || async { "page" };
    let team = larder.public_cache("teams").tags(["team:{id}", "teams"]);
    let shop = larder.public_cache("shop").tag("shop");
    Router::new()
        .route("/teams/{id}", on_get(page).layer(team))
        .route("/shop/{*rest}", on_get(page).layer(shop))
}

const PATHS: [&str; 5] = ["/teams/1", "/teams/12", "/teams/2", "/shop/jam", "/shop/jam/plum"];

/// Which of the pages are kept; all are afterwards.
async fn kept(app: &Router) -> Vec<bool> {
    let mut kept = Vec::new();
    for path in PATHS {
        kept.push(get(app, path).await.x_cache() == "HIT");
    }
    kept
}

async fn forgets_what_matches(larder: &Larder) {
    let app = site(larder);
    kept(&app).await;
    assert_eq!(kept(&app).await, [true; 5]);
    for (pattern, left) in [
        ("team:1", [false, true, true, true, true]),
        ("team:1*", [false, false, true, true, true]),
        ("team*", [false, false, false, true, true]),
        ("jam", [true; 5]),
        (r"team:\*", [true; 5]),
    ] {
        let pattern = TagPattern::glob(pattern);
        larder.sweep_tags(&pattern).batch(1).finish().await.unwrap();
        assert_eq!(kept(&app).await, left, "{pattern:?}");
    }
    for (pattern, left) in [
        ("/shop/*/plum", [true, true, true, true, false]),
        ("/shop/j*m", [true, true, true, false, false]),
        ("/*/1", [false, true, true, true, true]),
    ] {
        let pattern = TagPattern::glob(pattern);
        larder.sweep_paths(&pattern).finish().await.unwrap();
        assert_eq!(kept(&app).await, left, "{pattern:?}");
    }
}

#[tokio::test]
async fn what_matches_is_forgotten_in_memory() {
    let larder = Larder::in_memory(1 << 20);
    forgets_what_matches(&larder).await;
    let mut sweep = larder.sweep_tags(&TagPattern::text("team").anything());
    assert!(!sweep.step().await.unwrap());
    assert_eq!((sweep.seen(), sweep.forgotten()), (5, 4));
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
async fn what_matches_is_forgotten_on_a_server_and_nothing_else_is_touched() {
    let server = larder_testkit::RedisServer::start();
    let store = |namespace: &str| {
        let builder = larder::RedisStore::builder(server.url()).namespace(namespace);
        builder.budget(support::DEADLINE).connect()
    };
    let store_a = store("a").await.unwrap();
    let (larder, other) = (
        Larder::new(store_a.clone()),
        Larder::new(store("ab").await.unwrap()),
    );
    let elsewhere = site(&other);
    kept(&elsewhere).await;
    // Not an entry, though its key looks like that of one; and an entry with more tags than the start of it has room for.
    server.cli(&["SET", "a:e1:nonsense", "nonsense"]);
    let many = larder.public_cache("many");
    let tags = (0..200)
        .map(|number| format!("{number:060}"))
        .chain(["last".to_owned()]);
    let hints = tags.fold(larder::CacheHints::new(), larder::CacheHints::tag);
    let page = move || {
        let hints = hints.clone();
        async move { (hints, "many") }
    };
    let app = Router::new().route("/many", on_get(page).layer(many));
    get(&app, "/many").await;
    store_a.flush().await;
    assert_eq!(get(&app, "/many").await.x_cache(), "HIT");
    assert_eq!(
        larder
            .sweep_tags(&TagPattern::glob("las*"))
            .batch(1)
            .finish()
            .await
            .unwrap(),
        1
    );
    assert_eq!(get(&app, "/many").await.x_cache(), "MISS");

    let flushed = site(&larder);
    kept(&flushed).await;
    store_a.flush().await;
    let mut sweep = larder.sweep_tags(&TagPattern::glob("team*")).batch(1);
    while sweep.step().await.unwrap() {}
    assert_eq!(sweep.seen(), 7, "all entries of the namespace, and the nonsense");
    assert_eq!(kept(&flushed).await, [false, false, false, true, true]);
    assert_eq!(kept(&elsewhere).await, [true; 5]);
    drop(server);
    let error = larder
        .sweep_tags(&TagPattern::glob("*"))
        .finish()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), larder::ErrorKind::Store);
}
