//! The layer around handlers that succeed, fail, panic, hang, and lose their clients.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "a test ends with the first surprise")]

mod support;

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use larder_invalidation::{ActionRule, Actions, InvalidateLayer, Invalidator, Parameters, Source, query};
use larder_store::{Strength, Tag};
use support::{Spy, settle};
use tower::{Layer, ServiceExt, service_fn};

fn actions() -> Actions {
    Actions::new()
        .with(
            ActionRule::new("team.member.add")
                .tag("team:{team_id}")
                .tag("ratings"),
        )
        .with(ActionRule::new("points.change").tag("user:{user}"))
}

fn teams(spy: &Spy) -> (Invalidator, InvalidateLayer) {
    let invalidator = spy.invalidator().with_actions(actions());
    let layer = InvalidateLayer::new(&invalidator)
        .action("team.member.add")
        .own_uri(false);
    (invalidator, layer)
}

async fn send(app: &Router, method: &str, uri: &str) -> Response<Body> {
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .body(Body::empty())
        .unwrap();
    app.clone().oneshot(request).await.unwrap()
}

fn header<B>(response: &Response<B>) -> Option<&str> {
    response
        .headers()
        .get("x-invalidation")
        .map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn the_status_says_whether_it_happened() {
    for (status, forgets) in [
        (200, true),
        (201, true),
        (303, true),
        (400, false),
        (404, false),
        (500, true),
        (503, true),
    ] {
        let spy = Spy::default();
        let (_, layer) = teams(&spy);
        let answer = move || async move { StatusCode::from_u16(status).unwrap() };
        let app = Router::new().route("/teams/{team_id}", post(answer).layer(layer));
        let response = send(&app, "POST", "/teams/7").await;
        assert_eq!((response.status().as_u16(), header(&response)), (status, None));
        let expected: &[&str] = if forgets { &["team:7", "ratings"] } else { &[] };
        assert_eq!(spy.forgotten(), expected, "{status}");
    }
}

#[tokio::test]
async fn an_own_rule_for_statuses_does_not_reach_what_is_unknown() {
    let spy = Spy::default();
    let (_, layer) = teams(&spy);
    let layer = layer.when(|status| status == StatusCode::CONFLICT);
    let answer = |status: StatusCode| post(move || async move { status }).layer(layer.clone());
    let app = Router::new()
        .route("/ok/{team_id}", answer(StatusCode::OK))
        .route("/conflict/{team_id}", answer(StatusCode::CONFLICT))
        .route("/error/{team_id}", answer(StatusCode::BAD_GATEWAY));
    for uri in ["/ok/1", "/conflict/2", "/error/3"] {
        send(&app, "POST", uri).await;
    }
    assert_eq!(spy.forgotten(), ["team:2", "ratings", "team:3", "ratings"]);
}

#[tokio::test]
async fn methods_that_change_nothing_forget_nothing() {
    let spy = Spy::default();
    let (_, layer) = teams(&spy);
    let app = Router::new().route("/teams/{team_id}", axum::routing::any(|| async {}).layer(layer));
    for method in ["GET", "HEAD", "OPTIONS", "QUERY"] {
        send(&app, method, "/teams/7").await;
        assert_eq!(spy.calls(), [], "{method}");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "FROB"] {
        send(&app, method, "/teams/7").await;
        assert_eq!(spy.calls().len(), 1, "{method}");
    }
}

#[tokio::test]
async fn values_come_from_the_path_of_nests_too_from_sources_and_from_the_handler() {
    let spy = Spy::default();
    let (invalidator, _) = teams(&spy);
    let layer = || InvalidateLayer::new(&invalidator).own_uri(false);
    let user = |parts: &Parts| Some(parts.headers.get("x-user")?.to_str().ok()?.to_owned());
    let inner = Router::new().route(
        "/members",
        post(|| async {}).layer(layer().action("team.member.add")),
    );
    let app = Router::new()
        .nest("/teams/{team_id}", inner)
        .route(
            "/header",
            post(|| async {}).layer(layer().action("points.change").parameter("user", user)),
        )
        .route(
            "/query",
            post(|| async {}).layer(layer().action("points.change").parameter("user", query("u"))),
        )
        .route(
            "/handler/{user}",
            post(|| async { (Parameters::new().with("user", "of the handler"), "done") })
                .layer(layer().action("points.change").parameter("user", query("u"))),
        );
    send(&app, "POST", "/teams/%37/members").await;
    assert_eq!(spy.forgotten(), ["team:7", "ratings"]);
    let request = Request::post("/header")
        .header("x-user", "ada")
        .body(Body::empty())
        .unwrap();
    app.clone().oneshot(request).await.unwrap();
    send(&app, "POST", "/query?a=1&u=a%20b").await;
    send(&app, "POST", "/handler/path?u=query").await;
    assert_eq!(spy.forgotten(), ["user:ada", "user:a b", "user:of the handler"]);
    let twice = send(&app, "POST", "/query?u=1&u=2").await;
    assert_eq!(
        header(&twice),
        Some("failed; reason=unresolved"),
        "which of them the handler reads is unknown"
    );
    assert_eq!(spy.forgotten(), [""; 0]);
}

/// Sends the request from a task of its own, which goes away when it is aborted.
fn spawn(app: &Router, uri: &str) -> tokio::task::JoinHandle<Response<Body>> {
    let (app, uri) = (app.clone(), uri.to_owned());
    tokio::spawn(async move { send(&app, "POST", &uri).await })
}

#[tokio::test(start_paused = true)]
async fn the_answer_does_not_leave_before_it_is_forgotten() {
    let spy = Spy::default();
    let (_, layer) = teams(&spy);
    let app = Router::new().route("/teams/{team_id}", post(|| async {}).layer(layer));
    spy.close();
    let answer = spawn(&app, "/teams/7");
    settle().await;
    assert!(!answer.is_finished() && spy.calls().is_empty());
    spy.open();
    assert_eq!(answer.await.unwrap().status(), 200);
    assert_eq!(spy.forgotten(), ["team:7", "ratings"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_while_the_handler_runs_still_forgets() {
    let spy = Spy::default();
    let (invalidator, layer) = teams(&spy);
    let app = Router::new().route(
        "/teams/{team_id}",
        post(|| async { pending::<()>().await }).layer(layer),
    );
    for at_once in [true, false] {
        let answer = spawn(&app, "/teams/7");
        settle().await;
        assert_eq!(spy.calls(), [], "the handler runs still");
        if !at_once {
            spy.close();
        }
        answer.abort();
        settle().await;
        if !at_once {
            assert_eq!(spy.calls(), [], "the cache takes its time");
            spy.open();
        }
        invalidator.idle().await;
        assert_eq!(spy.forgotten(), ["team:7", "ratings"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_while_the_cache_forgets_leaves_it_to_a_task() {
    let spy = Spy::default();
    let (invalidator, layer) = teams(&spy);
    let app = Router::new().route("/teams/{team_id}", post(|| async {}).layer(layer));
    spy.close();
    let answer = spawn(&app, "/teams/7");
    settle().await;
    answer.abort();
    settle().await;
    spy.open();
    invalidator.idle().await;
    assert_eq!(spy.forgotten(), ["team:7", "ratings"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_before_the_handler_runs_changed_nothing() {
    struct Never;
    impl larder_invalidation::ParameterSource for Never {
        fn find<'a>(
            &'a self,
            _: &'a mut Parts,
        ) -> std::pin::Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>> {
            Box::pin(pending())
        }
    }
    let spy = Spy::default();
    let (invalidator, layer) = teams(&spy);
    let layer = layer.parameter("team_id", Never);
    let app = Router::new().route("/teams/{team_id}", post(|| async {}).layer(layer));
    let answer = spawn(&app, "/teams/7");
    settle().await;
    answer.abort();
    settle().await;
    invalidator.idle().await;
    assert_eq!(spy.calls(), []);
    // One that stays waits no longer than a source may take, and has the value of the path.
    let response = send(&app, "POST", "/teams/8").await;
    assert_eq!((response.status().as_u16(), header(&response)), (200, None));
    assert_eq!(spy.forgotten(), ["team:8", "ratings"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_and_an_error_still_forget() {
    let spy = Spy::default();
    let (invalidator, layer) = teams(&spy);
    let panics = || async {
        if true {
            panic!("the test asked for it")
        }
    };
    let app = Router::new().route("/teams/{team_id}", post(panics).layer(layer.clone()));
    assert!(spawn(&app, "/teams/7").await.unwrap_err().is_panic());
    invalidator.idle().await;
    assert_eq!(spy.forgotten(), ["team:7", "ratings"]);

    let layer = layer.parameter("team_id", |_: &Parts| Some("9".to_owned()));
    let fails = layer.layer(service_fn(|_: Request<()>| async {
        Err::<Response<()>, _>("broken")
    }));
    let error = fails
        .oneshot(Request::post("/").body(()).unwrap())
        .await
        .unwrap_err();
    assert_eq!(
        (error, spy.forgotten()),
        ("broken", vec!["team:9".to_owned(), "ratings".to_owned()])
    );
}

#[tokio::test]
async fn its_own_uri_and_what_the_answer_names_are_forgotten() {
    let spy = Spy::default();
    let layer = InvalidateLayer::new(&spy.invalidator());
    let answer = |status: u16| {
        layer.layer(service_fn(move |_: Request<()>| async move {
            let response = Response::builder()
                .status(status)
                .header("location", "/teams/7")
                .header("cache-group-invalidation", r#""teams""#)
                .body(())
                .unwrap();
            Ok::<_, Infallible>(response)
        }))
    };
    let ask = || Request::post("http://jam.test/teams?a=1").body(()).unwrap();
    let own = [Tag::uri("/teams?a=1"), Tag::all_searches("/teams")];
    let named = [
        Tag::uri("/teams/7"),
        Tag::all_searches("/teams/7"),
        Tag::group("jam.test", "teams"),
    ];

    answer(201).oneshot(ask()).await.unwrap();
    let all = [&own[..], &named[..]].concat();
    assert_eq!(spy.calls(), [(Some(all), Strength::Hard, Source::HttpMethod)]);
    answer(500).oneshot(ask()).await.unwrap();
    assert_eq!(
        spy.calls(),
        [(Some(own.to_vec()), Strength::Hard, Source::HttpMethod)],
        "an error names nothing"
    );
    answer(404).oneshot(ask()).await.unwrap();
    assert_eq!(spy.calls(), []);
    let off = layer
        .clone()
        .own_uri(false)
        .layer(service_fn(|_: Request<()>| async {
            Ok::<_, Infallible>(Response::new(()))
        }));
    off.oneshot(ask()).await.unwrap();
    assert_eq!(spy.calls(), [], "nothing to forget is no call");
}

#[tokio::test]
async fn the_uri_is_the_one_that_the_client_sent() {
    let spy = Spy::default();
    let layer = InvalidateLayer::new(&spy.invalidator());
    let inner = Router::new().route("/members", post(|| async {}).layer(layer));
    let app = Router::new().nest("/teams", inner);
    send(&app, "POST", "/teams/members").await;
    let tags = vec![Tag::uri("/teams/members"), Tag::all_searches("/teams/members")];
    assert_eq!(spy.calls(), [(Some(tags), Strength::Hard, Source::HttpMethod)]);
}

#[tokio::test]
async fn a_missing_value_is_told_and_what_is_known_is_forgotten() {
    let spy = Spy::default();
    let (_, layer) = teams(&spy);
    let app = Router::new()
        .route("/plain", post(|| async {}).layer(layer.clone()))
        .route(
            "/instead",
            post(|| async {}).layer(layer.clone().otherwise(["teams"])),
        )
        .route("/error", post(|| async {}).layer(layer.fail_answers(true)));
    let plain = send(&app, "POST", "/plain").await;
    assert_eq!(
        (plain.status().as_u16(), header(&plain)),
        (200, Some("failed; reason=unresolved"))
    );
    assert_eq!(spy.forgotten(), ["ratings"]);
    let instead = send(&app, "POST", "/instead").await;
    assert_eq!((instead.status().as_u16(), header(&instead)), (200, None));
    assert_eq!(spy.forgotten(), ["ratings", "teams"]);
    let error = send(&app, "POST", "/error").await;
    assert_eq!(
        (error.status().as_u16(), header(&error)),
        (503, Some("failed; reason=unresolved"))
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_cache_could_not_forget_is_told_and_retried_until_it_can() {
    let spy = Spy::default();
    let (invalidator, layer) = teams(&spy);
    let app = Router::new().route("/teams/{team_id}", post(|| async {}).layer(layer.soft()));
    spy.fail(true);
    for team in 1..=3 {
        let response = send(&app, "POST", &format!("/teams/{team}")).await;
        assert_eq!(
            (response.status().as_u16(), header(&response)),
            (200, Some("failed; reason=store"))
        );
    }
    assert_eq!(invalidator.pending(), 4, "three teams and the ratings, once");
    let (_, strength, source) = spy.calls().pop().unwrap();
    assert_eq!((strength, source), (Strength::Soft, Source::Action));
    tokio::time::sleep(Duration::from_secs(120)).await;
    let retries = spy.calls();
    assert!(
        (8..=16).contains(&retries.len()),
        "fewer and fewer: {}",
        retries.len()
    );
    spy.fail(false);
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(invalidator.pending(), 0);
    let [(tags, strength, source)] = &spy.calls()[..] else {
        panic!("one retry, and no more after it")
    };
    let mut tags: Vec<String> = tags.iter().flatten().map(ToString::to_string).collect();
    tags.sort();
    assert_eq!(tags, ["ratings", "team:1", "team:2", "team:3"]);
    assert_eq!(
        (*strength, *source),
        (Strength::Hard, Source::Replay),
        "it may be late by now"
    );
    // The next failure is retried as the first was.
    spy.fail(true);
    send(&app, "POST", "/teams/9").await;
    spy.fail(false);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(invalidator.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn shutdown_hurries_the_journal_and_says_what_is_left() {
    let spy = Spy::default();
    let (invalidator, layer) = teams(&spy);
    let app = Router::new().route("/teams/{team_id}", post(|| async {}).layer(layer));
    assert!(
        invalidator.shutdown(Duration::from_secs(1)).await,
        "there is nothing to wait for"
    );
    for works_again in [true, false] {
        let (invalidator, layer) = teams(&spy);
        let app = app
            .clone()
            .route("/own/{team_id}", post(|| async {}).layer(layer));
        spy.fail(true);
        send(&app, "POST", "/own/7").await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        spy.fail(!works_again);
        let began = tokio::time::Instant::now();
        assert_eq!(invalidator.shutdown(Duration::from_secs(5)).await, works_again);
        assert!(began.elapsed() <= Duration::from_secs(6));
        spy.calls();
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(spy.calls(), [], "nobody retries after the end");
    }
}

#[test]
#[should_panic(expected = "no action is called `team.member.ad`: did you mean `team.member.add`?")]
fn a_misspelt_action_fails_where_the_layer_is_made() {
    let _ = teams(&Spy::default()).1.action("team.member.ad");
}

#[test]
fn placeholders_are_checked_against_the_route() {
    let (_, layer) = teams(&Spy::default());
    layer.check_placeholders("/teams/{team_id}/members/{*rest}");
    layer
        .clone()
        .parameter("team_id", query("team"))
        .check_placeholders("/teams");
    layer
        .clone()
        .from_handler(["team_id"])
        .check_placeholders("/teams");
    let check = std::panic::AssertUnwindSafe(|| layer.check_placeholders("/teams/{id}"));
    let wrong = std::panic::catch_unwind(check).unwrap_err();
    let said = wrong.downcast_ref::<String>().unwrap();
    assert!(
        said.starts_with(
            "the action `team.member.add` on the route `/teams/{id}` has no value for `team_id`"
        ),
        "{said}"
    );
}
