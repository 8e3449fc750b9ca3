//! Actions, layers for routes that change something, and tags with placeholders, through the handle and whole routers.
#![cfg(feature = "axum")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends with the first surprise"
)]

mod support;

use axum::Router;
use axum::extract::Path;
use axum::routing::{get as route_get, post};
use http::request::Parts;
use larder::{
    ActionRule, Actions, CacheHints, ErrorKind, Identity, Invalidated, Larder, MemoryStore, Parameters,
    RoutesWithLayers, Tag, identified_by,
};
use larder_testkit::{Call, FailingStore, Mode};
use std::convert::Infallible;
use std::time::Duration;
use support::{Answer, get, get_with, request, send};

fn actions() -> Actions {
    Actions::new()
        .with(
            ActionRule::new("team.member.add")
                .tag("team:{team_id}")
                .tag("ratings"),
        )
        .with(ActionRule::new("energy.change").tag("ratings").identity("{user}"))
        .with(ActionRule::new("team.rename").prefix("/teams/{team_id}"))
        .with(ActionRule::new("shop.open").uri("/products").layer("assets"))
}

fn larder() -> Larder {
    support::cache(16 << 20).0.with_actions(actions())
}

/// `X-Cache` of a GET.
async fn x_cache(app: &Router, uri: &str) -> String {
    get(app, uri).await.x_cache().to_owned()
}

/// Fills these, and sees that they are hits.
async fn warm(app: &Router, uris: &[&str]) {
    for expected in ["MISS", "HIT"] {
        for uri in uris {
            assert_eq!(x_cache(app, uri).await, expected, "{uri}");
        }
    }
}

async fn as_ada(app: &Router, method: &str, uri: &str) -> Answer {
    send(app, request(method, uri, &[("authorization", "ada")])).await
}

#[tokio::test]
async fn an_action_forgets_what_it_names_and_nothing_else() {
    let larder = larder();
    let team = || route_get(|Path(id): Path<String>| async move { id });
    let app = Router::new()
        .cached_route("/teams/{id}", team(), larder.hot_cache("teams").tag("team:{id}"))
        .cached_route(
            "/ratings",
            route_get(|| async { "r" }),
            larder.hot_cache("ratings").tag("ratings"),
        )
        .cached_route(
            "/products",
            route_get(|| async { "p" }),
            larder.public_cache("products"),
        )
        .cached_route("/assets/{*path}", team(), larder.static_cache("assets"));
    let all = ["/teams/7", "/teams/8", "/ratings", "/products", "/assets/a/b"];
    for (action, parameters, stale) in [
        (
            "team.member.add",
            Parameters::from([("team_id", 7)]),
            &["/teams/7", "/ratings"][..],
        ),
        ("team.rename", Parameters::from([("team_id", 8)]), &["/teams/8"]),
        ("shop.open", Parameters::new(), &["/products", "/assets/a/b"]),
    ] {
        larder.invalidate_all().await.unwrap();
        warm(&app, &all).await;
        larder.invalidate_for_action(action, parameters).await.unwrap();
        for uri in all {
            let expected = if stale.contains(&uri) { "MISS" } else { "HIT" };
            assert_eq!(x_cache(&app, uri).await, expected, "{action}: {uri}");
        }
    }
}

#[tokio::test]
async fn a_wrong_action_is_an_error_that_forgets_nothing() {
    let larder = larder();
    let team = route_get(|| async { "team" });
    let layer = larder.hot_cache("teams").tags(["team:{id}", "ratings"]);
    let app = Router::new().cached_route("/teams/{id}", team, layer);
    warm(&app, &["/teams/7"]).await;
    for (action, parameters, why) in [
        (
            "team.member.ad",
            Parameters::from([("team_id", "7")]),
            "did you mean `team.member.add`?",
        ),
        (
            "team.member.add",
            Parameters::from([("team", "7")]),
            "`team_id` has no value",
        ),
        (
            "team.member.add",
            Parameters::from([("team_id", "")]),
            "the value of `team_id` is empty",
        ),
        (
            "team.rename",
            Parameters::from([("team_id", "..")]),
            "could make the path another",
        ),
        (
            "team.rename",
            Parameters::from([("team_id", "7/members")]),
            "could make the path another",
        ),
    ] {
        let error = larder
            .invalidate_for_action(action, parameters)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Action);
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(x_cache(&app, "/teams/7").await, "HIT", "{error}");
    }
}

#[tokio::test]
async fn an_answer_to_a_change_is_followed_by_fresh_reads() {
    let larder = larder();
    let session = |parts: &Parts| {
        let user = parts.headers.get("authorization").cloned();
        async move { user.map(|user| Identity::new(user.to_str().unwrap().to_owned())) }
    };
    let change = post(|| async {}).get(|| async { "how much" });
    let energy = larder
        .invalidates("energy.change")
        .parameter("user", identified_by(session));
    let app = Router::new()
        .cached_route(
            "/profile",
            route_get(|| async { "p" }),
            larder.user_cache("profile", session),
        )
        .cached_route(
            "/ratings",
            route_get(|| async { "r" }),
            larder.hot_cache("ratings").tag("ratings"),
        )
        .route(
            "/energy",
            change
                .layer::<_, Infallible>(energy.clone())
                .layer(larder.hot_cache("energy")),
        );
    for _ in 0..2 {
        as_ada(&app, "GET", "/profile").await;
        send(&app, get_with("/profile", &[("authorization", "grace")])).await;
        x_cache(&app, "/ratings").await;
        x_cache(&app, "/energy").await;
    }
    assert_eq!(as_ada(&app, "GET", "/profile").await.x_cache(), "HIT");
    let changed = as_ada(&app, "POST", "/energy").await;
    assert_eq!(
        (changed.status.as_u16(), changed.header("x-invalidation")),
        (200, "")
    );
    assert_eq!(as_ada(&app, "GET", "/profile").await.x_cache(), "MISS");
    assert_eq!(x_cache(&app, "/ratings").await, "MISS");
    assert_eq!(x_cache(&app, "/energy").await, "MISS", "its own URI");
    let grace = send(&app, get_with("/profile", &[("authorization", "grace")])).await;
    assert_eq!(grace.x_cache(), "HIT");
    let nobody = send(&app, request("POST", "/energy", &[])).await;
    assert_eq!(nobody.header("x-invalidation"), "failed; reason=unresolved");
}

#[tokio::test]
async fn soft_is_served_stale_where_there_is_a_window_and_not_where_there_is_none() {
    let larder = larder();
    let window = |layer: larder::CacheLayer| layer.stale_while_revalidate(Duration::from_secs(60));
    let app = Router::new()
        .cached_route(
            "/window",
            route_get(|| async { "a" }),
            window(larder.hot_cache("window").tag("t")),
        )
        .cached_route(
            "/none",
            route_get(|| async { "b" }),
            larder.hot_cache("none").tag("t"),
        );
    warm(&app, &["/window", "/none"]).await;
    larder.invalidate_tag("t").soft().await.unwrap();
    assert_eq!(x_cache(&app, "/window").await, "STALE");
    assert_eq!(x_cache(&app, "/none").await, "MISS");
    larder.idle().await;
    assert_eq!(x_cache(&app, "/window").await, "HIT", "one fill replaced it");
    larder.invalidate_tag("t").await.unwrap();
    assert_eq!(x_cache(&app, "/window").await, "MISS", "hard is not served again");
}

#[tokio::test]
async fn each_direct_call_says_what_it_did_and_does_nothing_until_it_is_awaited() {
    let larder = larder();
    let layer = larder.hot_cache("pages").tags(["a", "b"]);
    let app = Router::new().cached_route("/pages/{id}", route_get(|| async { "page" }), layer);
    let known = |done: Result<Invalidated, larder::Error>| done.unwrap().known;
    warm(&app, &["/pages/1?x=1&y=2"]).await;
    drop(larder.invalidate_all());
    assert_eq!(x_cache(&app, "/pages/1?x=1&y=2").await, "HIT");
    assert_eq!(known(larder.invalidate_tags(["a", "b", "c"]).await), 2);
    warm(&app, &["/pages/1?x=1&y=2"]).await;
    assert_eq!(known(larder.invalidate_uri("/pages/1?y=2&x=1").await), 1);
    warm(&app, &["/pages/1?x=1&y=2"]).await;
    assert_eq!(known(larder.invalidate_prefix("/pages").await), 1);
    warm(&app, &["/pages/1?x=1&y=2"]).await;
    assert_eq!(known(larder.invalidate_tag(Tag::layer("pages")).await), 1);
    assert_eq!(known(larder.invalidate_tag("nobody has it").await), 0);
}

#[tokio::test]
async fn placeholders_are_filled_from_path_query_and_identity() {
    let larder = larder();
    let session = |parts: &Parts| {
        let user = parts.headers.get("authorization").cloned();
        async move { user.map(|user| Identity::new(user.to_str().unwrap().to_owned())) }
    };
    let page = || route_get(|| async { "page" });
    let inner = Router::new().route(
        "/members",
        page().layer(larder.hot_cache("members").tag("team:{team}")),
    );
    let app = Router::new()
        .nest("/teams/{team}", inner)
        .cached_route(
            "/search",
            page(),
            larder.hot_cache("search").tag("topic:{query.topic}"),
        )
        .cached_route(
            "/mine",
            page(),
            larder.user_cache("mine", session).tag("desk:{identity}"),
        )
        .route("/layered/{x}", page())
        .layer(larder.hot_cache("whole").tag("x:{x}"));
    for (uri, tag) in [
        ("/teams/%C3%A9/members", "team:é"),
        ("/search?a=1&topic=a%20b", "topic:a b"),
        ("/layered/7", "x:7"),
    ] {
        // Within another layer, which has no value and keeps nothing, but for the last.
        warm_inner(&app, uri).await;
        larder.invalidate_tag(tag).await.unwrap();
        assert!(get(&app, uri).await.cache_status().contains("fwd="), "{uri}");
    }
    as_ada(&app, "GET", "/mine").await;
    assert_eq!(larder.invalidate_tag("desk:ada").await.unwrap().known, 1);
}

/// Asks twice: the second is a hit of one of the layers.
async fn warm_inner(app: &Router, uri: &str) {
    get(app, uri).await;
    assert!(
        get(app, uri).await.cache_status().contains("larder; hit"),
        "{uri}"
    );
}

#[tokio::test]
async fn a_response_that_could_not_be_forgotten_by_its_tag_is_not_kept() {
    let larder = larder();
    let page = || route_get(|| async { "page" });
    let search = larder
        .hot_cache("search")
        .tag("topic:{query.topic}")
        .ignore_query(["hidden"]);
    let app = Router::new()
        .route(
            "/teams/{id}",
            page().layer(larder.hot_cache("misspelt").tag("team:{team_id}")),
        )
        .route(
            "/hidden",
            page().layer(
                larder
                    .hot_cache("hides")
                    .tag("t:{query.hidden}")
                    .ignore_query(["hidden"]),
            ),
        )
        .route("/search", page().layer(search));
    for uri in [
        "/teams/7",
        "/search",
        "/search?topic=",
        "/search?topic=a&topic=b",
        "/hidden?hidden=1",
    ] {
        for _ in 0..2 {
            let answer = get(&app, uri).await;
            assert_eq!(
                (answer.text(), answer.became().as_str()),
                ("page", "MISS unresolved_tag"),
                "{uri}"
            );
        }
    }
    warm(&app, &["/search?topic=a"]).await;
}

#[tokio::test]
async fn one_number_in_two_spellings_is_forgotten_as_one() {
    let larder = larder();
    let team = route_get(|Path(id): Path<u32>| async move { id.to_string() });
    let app = Router::new().cached_route("/teams/{id}", team, larder.hot_cache("teams").tag("team:{id}"));
    warm(&app, &["/teams/007"]).await;
    larder
        .invalidate_for_action("team.member.add", [("team_id", 7)])
        .await
        .unwrap();
    assert_eq!(
        x_cache(&app, "/teams/007").await,
        "MISS",
        "the handler read it as 7"
    );
    warm_again(&app).await;
    larder
        .invalidate_for_action("team.member.add", [("team_id", "007")])
        .await
        .unwrap();
    assert_eq!(x_cache(&app, "/teams/7").await, "MISS");
}

async fn warm_again(app: &Router) {
    warm(app, &["/teams/7"]).await;
}

#[test]
#[should_panic(
    expected = "the tag `team:{team_id}` of the layer `teams` has no value for `team_id` on the route `/teams/{id}`"
)]
fn a_misspelt_placeholder_of_a_layer_fails_when_the_router_is_built() {
    let larder = larder();
    let layer = larder.hot_cache("teams").tag("team:{team_id}");
    let _: Router = Router::new().cached_route("/teams/{id}", route_get(|| async {}), layer);
}

#[test]
#[should_panic(expected = "has no value for `identity` on the route `/teams`")]
fn a_shared_layer_has_no_identity() {
    let larder = larder();
    let _ = larder.hot_cache("teams").tag("of:{identity}").on_route("/teams");
}

#[test]
#[should_panic(
    expected = "the action `team.member.add` on the route `/teams/{id}` has no value for `team_id`"
)]
fn a_misspelt_placeholder_of_an_action_fails_when_the_router_is_built() {
    let layer = larder().invalidates("team.member.add");
    let _: Router = Router::new().invalidating_route("/teams/{id}", post(|| async {}), layer);
}

#[test]
#[should_panic(expected = "the tag \"team:{id\" is no template")]
fn a_tag_that_is_no_template_fails_at_its_setter() {
    drop(larder().hot_cache("teams").tag("team:{id"));
}

#[tokio::test]
async fn what_the_store_could_not_forget_is_made_up_for() {
    let store = FailingStore::new(MemoryStore::with_capacity(1 << 20));
    let larder = Larder::builder(store.clone()).actions(actions()).build();
    let app = Router::new()
        .cached_route(
            "/ratings",
            route_get(|| async { "r" }),
            larder.hot_cache("ratings").tag("ratings"),
        )
        .invalidating_route(
            "/teams/{team_id}",
            post(|| async {}),
            larder.invalidates("team.member.add"),
        );
    warm(&app, &["/ratings"]).await;
    store.set(Call::Forget, Mode::Error);
    let answer = send(&app, request("POST", "/teams/7", &[])).await;
    assert_eq!(answer.header("x-invalidation"), "failed; reason=store");
    assert_eq!(
        larder.invalidator().pending(),
        4,
        "two tags, and two of its own URI"
    );
    store.set(Call::Forget, Mode::Ok);
    assert!(larder.shutdown(support::DEADLINE).await);
    assert_eq!(larder.invalidator().pending(), 0);
    assert_eq!(x_cache(&app, "/ratings").await, "MISS");
}

#[tokio::test]
async fn tags_of_a_handler_go_beside_those_of_its_layer() {
    let larder = larder();
    let team = route_get(|| async { (CacheHints::new().tag("owner:7"), "team") });
    let app = Router::new().cached_route("/teams/{id}", team, larder.hot_cache("teams").tag("team:{id}"));
    for tag in ["owner:7", "team:1"] {
        warm(&app, &["/teams/1"]).await;
        larder.invalidate_tag(tag).await.unwrap();
    }
    assert_eq!(x_cache(&app, "/teams/1").await, "MISS");
}

#[test]
fn layers_that_are_gone_are_not_compared() {
    let larder = larder();
    let route = |tag: &str| {
        let layer = larder.hot_cache("teams").tag(tag);
        Router::<()>::new().cached_route("/teams/{id}", route_get(|| async {}), layer)
    };
    let first = route("team:{id}");
    assert!(larder.coverage().to_string().contains("/teams/{id} (teams)"));
    drop(first);
    assert!(!larder.coverage().to_string().contains("(teams)"));
    let _second = route("other");
    assert_eq!(
        larder.coverage().warnings()[0],
        "`other` of the layer `teams` is cached and forgotten by no action"
    );
}
