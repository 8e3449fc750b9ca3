//! Where caches for axum are known to fail: each probe is one wrong answer, hang or leak that must not happen here.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends with the first surprise"
)]

mod support;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::routing::get as route_get;
use http::{HeaderMap, Response, StatusCode};
use larder::{Identity, Larder};
use support::{
    Answer, Calls, Connection, Frames, Gate, get, get_with, is_pending, next_data, request, send, sent_body,
    serve, soon, until,
};
use tower::{Layer, ServiceExt};

const MIB: u64 = 1 << 20;

fn larder() -> Larder {
    support::cache(16 * MIB).0
}

/// A handler that answers with how often it ran, and these headers.
fn counting(calls: &Calls, headers: &'static [(&'static str, &'static str)]) -> axum::routing::MethodRouter {
    let calls = calls.clone();
    axum::routing::any(move || {
        let run = calls.next();
        async move {
            (
                axum::response::AppendHeaders(headers.iter().copied()),
                format!("run {run}"),
            )
        }
    })
}

#[tokio::test]
async fn a_router_takes_the_layer_over_a_body_that_is_not_sync() {
    fn not_sync() -> Response<Body> {
        let (frames, body) = sent_body();
        frames.send("whole");
        Response::new(Body::new(body))
    }
    let larder = larder();
    let route = route_get(|| async { not_sync() });
    let on_route = Router::new().route("/", route.clone().layer(larder.hot_cache("route")));
    let on_router = Router::new()
        .route("/", route.clone())
        .layer(larder.hot_cache("router"));
    let around = larder.hot_cache("around").layer(Router::new().route("/", route));
    for expected in ["MISS", "HIT"] {
        for answer in [
            get(&on_route, "/").await,
            get(&on_router, "/").await,
            get(&around, "/").await,
        ] {
            assert_eq!((answer.text(), answer.x_cache()), ("whole", expected));
        }
    }
}

#[tokio::test]
async fn each_language_gets_its_own_variant() {
    async fn greeting(headers: HeaderMap) -> impl IntoResponse {
        let german = headers.get("accept-language").is_some_and(|value| value == "de");
        let text = if german { "Guten Tag" } else { "Good day" };
        ([("vary", "Accept-Language")], text)
    }
    async fn aged(headers: HeaderMap) -> impl IntoResponse {
        ([("cache-control", "max-age=60")], greeting(headers).await)
    }
    let larder = larder();
    let app = Router::new()
        .route("/ttl", route_get(greeting).layer(larder.hot_cache("ttl")))
        .route("/max-age", route_get(aged).layer(larder.cache("max-age")));
    for path in ["/ttl", "/max-age"] {
        for expected in ["MISS", "HIT"] {
            for (language, text) in [("de", "Guten Tag"), ("en", "Good day")] {
                let answer = send(&app, get_with(path, &[("accept-language", language)])).await;
                assert_eq!(
                    (answer.text(), answer.x_cache()),
                    (text, expected),
                    "{path} {language}"
                );
            }
        }
        assert_eq!(
            get(&app, path).await.x_cache(),
            "MISS",
            "absent is a value of its own"
        );
    }
}

#[tokio::test]
async fn nothing_of_one_user_reaches_another() {
    async fn whoami(headers: HeaderMap) -> String {
        let name = headers
            .get("authorization")
            .map(|value| value.to_str().unwrap().to_owned());
        name.unwrap_or_else(|| "nobody".to_owned())
    }
    let larder = larder();
    let app = Router::new().route("/me", route_get(whoami).layer(larder.hot_cache("me")));
    for user in ["Bearer ada", "Bearer grace", "Bearer ada"] {
        let answer = send(&app, get_with("/me", &[("authorization", user)])).await;
        assert_eq!(
            (answer.text(), answer.became().as_str()),
            (user, "BYPASS authorization")
        );
    }
    assert_eq!(get(&app, "/me").await.text(), "nobody");
    assert_eq!(get(&app, "/me").await.x_cache(), "HIT");
    let answer = send(&app, get_with("/me", &[("authorization", "Bearer ada")])).await;
    assert_eq!(answer.text(), "Bearer ada", "nor does what was kept for nobody");
}

#[tokio::test]
async fn what_must_not_be_kept_is_not() {
    let cases: [(&'static [(&str, &str)], &str); 9] = [
        (&[("set-cookie", "session=1")], "set_cookie"),
        (
            &[
                ("set-cookie", "session=1"),
                ("cache-control", "public, max-age=60"),
            ],
            "set_cookie",
        ),
        (&[("cache-control", "private")], "private"),
        (&[("cache-control", "no-store")], "no_store"),
        (
            &[("cache-control", "max-age=60"), ("cache-control", "No-Store")],
            "no_store",
        ),
        (&[("cache-control", "no-cache")], "no_cache"),
        (&[("cache-control", "max-age=0")], "no_lifetime"),
        (&[("expires", "0")], "no_lifetime"),
        (&[("vary", "accept, *")], "vary_star"),
    ];
    let larder = larder();
    for (case, (headers, reason)) in cases.into_iter().enumerate() {
        let calls = Calls::default();
        let layer = larder.hot_cache(format!("case {case}"));
        let app = Router::new().route("/", counting(&calls, headers).layer(layer));
        for run in ["run 1", "run 2"] {
            let answer = get(&app, "/").await;
            assert_eq!(
                (answer.text(), answer.x_cache(), answer.detail()),
                (run, "MISS", reason),
                "{headers:?}"
            );
        }
    }
    assert_eq!(larder.size().entries, 0);
}

#[tokio::test]
async fn only_get_is_kept() {
    let (larder, calls) = (larder(), Calls::default());
    let app = Router::new().route(
        "/",
        counting(&calls, &[("cache-control", "max-age=60")]).layer(larder.hot_cache("all")),
    );
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"] {
        for _ in 0..2 {
            let before = calls.count();
            let answer = send(&app, request(method, "/", &[])).await;
            assert_eq!(answer.x_cache(), "BYPASS", "{method}");
            assert_eq!(answer.cache_status(), "larder; fwd=method", "{method}");
            assert_eq!(calls.count(), before + 1, "{method}");
        }
    }
    assert_eq!(get(&app, "/").await.x_cache(), "MISS");
    assert_eq!(
        send(&app, request("POST", "/", &[])).await.x_cache(),
        "BYPASS",
        "nor is it answered by a GET's"
    );
}

#[tokio::test]
async fn head_first_leaves_get_whole() {
    let (larder, calls) = (larder(), Calls::default());
    let app = Router::new().route("/", counting(&calls, &[]).layer(larder.hot_cache("page")));
    let mut connection = Connection::open(serve(app).await).await;
    connection.write("HEAD / HTTP/1.1\r\nHost: test\r\n\r\n").await;
    let head = connection.answer(true).await;
    assert_eq!(
        (head.became().as_str(), head.header("content-length")),
        ("BYPASS head", "5")
    );
    let whole = connection.get("/", "").await;
    assert_eq!((whole.text(), whole.x_cache()), ("run 2", "MISS"));
    connection.write("HEAD / HTTP/1.1\r\nHost: test\r\n\r\n").await;
    let head = connection.answer(true).await;
    assert_eq!((head.x_cache(), head.header("content-length")), ("HIT", "5"));
    assert_eq!(
        (connection.get("/", "").await.text(), calls.count()),
        ("run 2", 2)
    );
}

/// An app whose handler waits at the gate and answers with how often it ran, and the count of requests that arrived.
fn gated(larder: &Larder) -> (Router, Gate, Calls, Calls) {
    let (gate, calls, arrived) = (Gate::new(), Calls::default(), Calls::default());
    let handler = {
        let (gate, calls) = (gate.clone(), calls.clone());
        move || {
            let (gate, run) = (gate.clone(), calls.next());
            async move {
                gate.pass().await;
                format!("run {run}")
            }
        }
    };
    let layer = larder
        .hot_cache("slow")
        .tag("slow")
        .wait(Duration::from_secs(600));
    let seen = arrived.clone();
    let app =
        Router::new()
            .route("/", route_get(handler).layer(layer))
            .layer(tower::util::MapRequestLayer::new(
                move |request: axum::extract::Request| {
                    seen.next();
                    request
                },
            ));
    (app, gate, calls, arrived)
}

type Pending = Pin<Box<dyn Future<Output = Response<Body>>>>;

/// A request that came as far as it can without the gate.
fn under_way(app: &Router) -> Pending {
    let app = app.clone();
    let mut pending: Pending = Box::pin(async move { app.oneshot(get_with("/", &[])).await.unwrap() });
    assert!(is_pending(&mut pending));
    pending
}

#[tokio::test]
async fn twenty_concurrent_misses_run_the_handler_once() {
    let (app, gate, calls, _) = gated(&larder());
    let all: Vec<Pending> = (0..20).map(|_| under_way(&app)).collect();
    gate.open(100);
    let mut outcomes = Vec::new();
    for pending in all {
        let answer = support::read(soon(pending).await).await;
        assert_eq!(answer.text(), "run 1");
        outcomes.push(answer.x_cache().to_owned());
        if outcomes.len() > 1 {
            assert!(
                answer.cache_status().contains("; collapsed"),
                "{}",
                answer.cache_status()
            );
        }
    }
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "MISS").count(), 1);
    assert_eq!(calls.count(), 1);
}

#[tokio::test]
async fn twenty_concurrent_clients_run_the_handler_once() {
    let (app, gate, calls, arrived) = gated(&larder());
    let address = serve(app).await;
    let all: Vec<_> = (0..20)
        .map(|_| tokio::spawn(async move { Connection::open(address).await.get("/", "").await }))
        .collect();
    until("all requests arrive", || arrived.count() == 20).await;
    gate.open(100);
    for one in all {
        assert_eq!(soon(one).await.unwrap().text(), "run 1");
    }
    assert_eq!(calls.count(), 1);
}

#[tokio::test]
async fn when_the_leading_future_is_dropped_one_waiter_takes_over() {
    let (app, gate, calls, _) = gated(&larder());
    let leader = under_way(&app);
    let waiters: Vec<Pending> = (0..8).map(|_| under_way(&app)).collect();
    assert_eq!(calls.count(), 1);
    drop(leader);
    gate.open(100);
    for waiter in waiters {
        assert_eq!(support::read(soon(waiter).await).await.text(), "run 2");
    }
    assert_eq!(calls.count(), 2, "one handler more, not eight");
    assert_eq!(get(&app, "/").await.x_cache(), "HIT");
}

#[tokio::test]
async fn when_the_leading_client_disconnects_one_waiter_takes_over() {
    let (app, gate, calls, arrived) = gated(&larder());
    let address = serve(app).await;
    let mut leader = Connection::open(address).await;
    leader.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n").await;
    gate.reached().await;
    let waiters: Vec<_> = (0..8)
        .map(|_| tokio::spawn(async move { Connection::open(address).await.get("/", "").await }))
        .collect();
    until("all requests arrive", || arrived.count() == 9).await;
    drop(leader);
    // The first waiter's handler: the lead went on although nobody was answered.
    gate.reached().await;
    assert_eq!(calls.count(), 2);
    gate.open(100);
    for waiter in waiters {
        assert_eq!(soon(waiter).await.unwrap().text(), "run 2");
    }
    assert_eq!(calls.count(), 2, "one handler more, not eight");
}

#[tokio::test]
async fn when_the_leader_leaves_in_the_middle_of_a_body_one_waiter_takes_over() {
    let (larder, calls) = (larder(), Calls::default());
    let sources = std::sync::Arc::new(std::sync::Mutex::new(Vec::<Frames>::new()));
    let (kept, runs) = (sources.clone(), calls.clone());
    let handler = move || {
        runs.next();
        let (frames, body) = sent_body();
        frames.send("a");
        kept.lock().unwrap().push(frames);
        async { Body::new(body) }
    };
    let layer = larder.hot_cache("stream").wait(Duration::from_secs(600));
    let app = Router::new().route("/", route_get(handler).layer(layer));
    let leader = app.clone().oneshot(get_with("/", &[])).await.unwrap();
    let waiters: Vec<Pending> = (0..3).map(|_| under_way(&app)).collect();
    let mut body = leader.into_body();
    assert_eq!(next_data(&mut body).await.unwrap(), "a");
    drop(body);
    let mut waiters = waiters.into_iter();
    let second = soon(waiters.next().unwrap()).await;
    assert_eq!(calls.count(), 2);
    sources.lock().unwrap().clear();
    assert_eq!(support::read(second).await.text(), "a");
    for waiter in waiters {
        assert_eq!(support::read(soon(waiter).await).await.text(), "a");
    }
    assert_eq!(calls.count(), 2);
}

#[tokio::test]
async fn when_the_leading_handler_panics_nobody_hangs() {
    let (gate, calls, arrived) = (Gate::new(), Calls::default(), Calls::default());
    let handler = {
        let (gate, calls) = (gate.clone(), calls.clone());
        move || {
            let (gate, run) = (gate.clone(), calls.next());
            async move {
                gate.pass().await;
                assert!(run > 1, "the first run fails, as this test wants it to");
                format!("run {run}")
            }
        }
    };
    let layer = larder().hot_cache("bad").wait(Duration::from_secs(600));
    let seen = arrived.clone();
    let app =
        Router::new()
            .route("/", route_get(handler).layer(layer))
            .layer(tower::util::MapRequestLayer::new(
                move |request: axum::extract::Request| {
                    seen.next();
                    request
                },
            ));
    let address = serve(app).await;
    let mut leader = Connection::open(address).await;
    leader.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n").await;
    gate.reached().await;
    let waiters: Vec<_> = (0..4)
        .map(|_| tokio::spawn(async move { Connection::open(address).await.get("/", "").await }))
        .collect();
    until("all requests arrive", || arrived.count() == 5).await;
    gate.open(100);
    leader.closed().await;
    for waiter in waiters {
        assert!(soon(waiter).await.unwrap().text().starts_with("run "));
    }
    assert_eq!(
        Connection::open(address).await.get("/", "").await.x_cache(),
        "HIT"
    );
}

#[tokio::test]
async fn an_invalidation_during_a_fill_leaves_nothing_stale() {
    let larder = larder();
    let (app, gate, calls, _) = gated(&larder);
    let old = under_way(&app);
    assert_eq!(larder.invalidate_tag("slow").await.unwrap().known, 0);
    // It came after the invalidation, so that it must not wait for the fill that began before.
    let new = under_way(&app);
    assert_eq!(calls.count(), 2);
    gate.open(100);
    let (old, new) = (
        support::read(soon(old).await).await,
        support::read(soon(new).await).await,
    );
    assert_eq!((old.text(), old.detail()), ("run 1", "stamp"));
    assert_eq!((new.text(), new.became().as_str()), ("run 2", "MISS"));
    let hit = get(&app, "/").await;
    assert_eq!((hit.text(), hit.x_cache()), ("run 2", "HIT"));
}

#[tokio::test]
async fn each_way_to_invalidate_reaches_a_fill_under_way() {
    for way in ["tag", "prefix", "uri", "all"] {
        let larder = larder();
        let (app, gate, _, _) = gated(&larder);
        let old = under_way(&app);
        match way {
            "tag" => larder.invalidate_tags(["other", "slow"]).await,
            "prefix" => larder.invalidate_prefix("/").await,
            "uri" => larder.invalidate_uri("/").await,
            _ => larder.invalidate_all().await,
        }
        .unwrap();
        gate.open(100);
        assert_eq!(support::read(soon(old).await).await.text(), "run 1", "{way}");
        assert_eq!(get(&app, "/").await.text(), "run 2", "{way}");
    }
}

/// An app that answers with a body whose frames the test sends.
fn streaming(larder: &Larder, headers: &'static [(&'static str, &'static str)]) -> (Router, Frames) {
    let (frames, body) = sent_body();
    let body = std::sync::Mutex::new(Some(body));
    let body = std::sync::Arc::new(body);
    let handler = move || {
        let body = body.lock().unwrap().take().expect("the handler runs once");
        async move {
            (
                axum::response::AppendHeaders(headers.iter().copied()),
                Body::new(body),
            )
        }
    };
    let app = Router::new().route("/", route_get(handler).layer(larder.hot_cache("stream")));
    (app, frames)
}

#[tokio::test]
async fn a_stream_passes_event_by_event() {
    const STREAMS: [&[(&str, &str)]; 3] = [
        &[
            ("cache-control", "no-store"),
            ("content-type", "text/event-stream"),
        ],
        &[("content-type", "text/event-stream")],
        &[("cache-control", "no-store")],
    ];
    for headers in STREAMS {
        let larder = larder();
        let (app, frames) = streaming(&larder, headers);
        let mut connection = Connection::open(serve(app).await).await;
        connection.write("GET / HTTP/1.1\r\nHost: test\r\n\r\n").await;
        let head = connection.head().await;
        assert_eq!(head.x_cache(), "MISS");
        for event in ["data: 1\n\n", "data: 2\n\n"] {
            // It is sent only once the one before has arrived.
            frames.send(event);
            assert_eq!(connection.chunk().await.unwrap(), event);
        }
        drop(frames);
        assert_eq!(connection.chunk().await, None);
        assert_eq!(larder.size().entries, 0, "{headers:?}");
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_passes_chunk_by_chunk_and_is_kept() {
    let (app, frames) = streaming(&larder(), &[]);
    let response = app.clone().oneshot(get_with("/", &[])).await.unwrap();
    let mut body = response.into_body();
    for chunk in ["one ", "two"] {
        frames.send(chunk);
        assert_eq!(next_data(&mut body).await.unwrap(), chunk);
    }
    drop(frames);
    assert_eq!(next_data(&mut body).await, None);
    let hit = get(&app, "/").await;
    assert_eq!((hit.text(), hit.x_cache()), ("one two", "HIT"));
}

#[tokio::test]
async fn a_body_over_the_limit_passes_whole() {
    let (larder, calls) = (larder(), Calls::default());
    let runs = calls.clone();
    let known = move || {
        runs.next();
        async { vec![b'x'; 1001] }
    };
    let unknown = || async {
        let (frames, body) = sent_body();
        (0..11).for_each(|_| frames.send("0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"));
        Body::new(body)
    };
    let too_large_for_the_store = || async { vec![b'x'; 6 << 20] };
    let app = Router::new()
        .route(
            "/known",
            route_get(known).layer(larder.hot_cache("known").max_body(1000)),
        )
        .route(
            "/unknown",
            route_get(unknown).layer(larder.hot_cache("unknown").max_body(1000)),
        )
        .route(
            "/huge",
            route_get(too_large_for_the_store).layer(larder.hot_cache("huge").max_body(64 * MIB)),
        );
    for (path, length) in [("/known", 1001), ("/unknown", 1100), ("/huge", 6 << 20)] {
        for _ in 0..2 {
            let answer = get(&app, path).await;
            assert_eq!(
                (answer.status, answer.body.len()),
                (StatusCode::OK, length),
                "{path}"
            );
            assert_eq!(answer.x_cache(), "MISS", "{path}");
        }
    }
    assert_eq!((calls.count(), larder.size().entries), (2, 0));
}

#[tokio::test]
async fn an_etag_is_made_and_answers_conditions_with_304() {
    let (larder, calls) = (larder(), Calls::default());
    let app = Router::new().route("/", counting(&calls, &[]).layer(larder.hot_cache("page")));
    let address = serve(app).await;
    let mut connection = Connection::open(address).await;
    let tag = connection.get("/", "").await.header("etag").to_owned();
    assert!(
        tag.starts_with('"') && tag.ends_with('"') && tag.len() > 10,
        "{tag}"
    );
    for condition in [
        tag.clone(),
        format!("\"other\", {tag}"),
        format!("W/{tag}"),
        "*".to_owned(),
    ] {
        let answer = connection
            .get("/", &format!("If-None-Match: {condition}\r\n"))
            .await;
        assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "{condition}");
        assert_eq!(
            (answer.header("etag"), answer.x_cache()),
            (&*tag, "HIT"),
            "{condition}"
        );
        assert_eq!(answer.header("cache-control"), "no-cache");
    }
    for condition in ["\"other\"", "W/\"other\", \"more\"", ""] {
        let answer = connection
            .get("/", &format!("If-None-Match: {condition}\r\n"))
            .await;
        assert_eq!(
            (answer.status, answer.text()),
            (StatusCode::OK, "run 1"),
            "{condition}"
        );
    }
    assert_eq!(calls.count(), 1);
}

#[tokio::test]
async fn a_condition_is_answered_on_a_miss_too() {
    let (larder, calls) = (larder(), Calls::default());
    let app = Router::new().route(
        "/",
        counting(&calls, &[("etag", "\"v1\"")]).layer(larder.hot_cache("page")),
    );
    let answer = send(&app, get_with("/", &[("if-none-match", "\"v1\"")])).await;
    assert_eq!(
        (answer.status, answer.x_cache()),
        (StatusCode::NOT_MODIFIED, "MISS")
    );
    let whole = get(&app, "/").await;
    assert_eq!(
        (whole.status, whole.text(), whole.x_cache()),
        (StatusCode::OK, "run 1", "HIT")
    );
}

#[tokio::test]
async fn routes_that_share_a_store_do_not_share_answers() {
    let larder = larder();
    let orders = || async { "orders" };
    let users = || async { "users" };
    let each = Router::new()
        .route("/orders", route_get(orders).layer(larder.hot_cache("orders")))
        .route("/users", route_get(users).layer(larder.hot_cache("users")));
    let one = Router::new()
        .route("/orders", route_get(orders))
        .route("/users", route_get(users))
        .layer(larder.hot_cache("all"));
    for app in [each, one] {
        for expected in ["MISS", "HIT"] {
            for text in ["orders", "users"] {
                let answer = get(&app, &format!("/{text}?page=1")).await;
                assert_eq!((answer.text(), answer.x_cache()), (text, expected));
            }
        }
    }
}

/// One route for each way to make a layer, with what a normal request looks like.
fn floor(larder: &Larder, calls: &Calls) -> Router {
    let user = |parts: &http::request::Parts| {
        let known = parts.headers.contains_key("authorization");
        async move { known.then(|| Identity::new("ada")) }
    };
    Router::new()
        .route("/hot", counting(calls, &[]).layer(larder.hot_cache("hot")))
        .route(
            "/user",
            counting(calls, &[]).layer(larder.user_cache("user", user)),
        )
        .route(
            "/public",
            counting(calls, &[]).layer(larder.public_cache("public")),
        )
        .route(
            "/static",
            counting(calls, &[]).layer(larder.static_cache("static")),
        )
        .route(
            "/plain",
            counting(calls, &[("cache-control", "max-age=60")]).layer(larder.cache("plain")),
        )
}

async fn ask_three_times(address: std::net::SocketAddr, path: &str) -> Vec<Answer> {
    let mut connection = Connection::open(address).await;
    let lines = match path {
        "/user" => "Authorization: Bearer ada\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n",
        "/static" => "Cookie: theme=dark\r\nUser-Agent: browser\r\n",
        _ => "Accept: */*\r\nAccept-Encoding: gzip, br\r\nUser-Agent: browser\r\nReferer: /\r\n",
    };
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(connection.get(path, lines).await);
    }
    answers
}

const FLOOR: [&str; 5] = ["/hot", "/user", "/public", "/static", "/plain"];

#[tokio::test]
async fn the_normal_case_is_a_hit_in_every_preset() {
    let (larder, calls) = (larder(), Calls::default());
    let address = serve(floor(&larder, &calls)).await;
    for (nth, path) in FLOOR.into_iter().enumerate() {
        let answers = ask_three_times(address, path).await;
        let became: Vec<&str> = answers.iter().map(Answer::x_cache).collect();
        assert_eq!(became, ["MISS", "HIT", "HIT"], "{path}");
        assert!(
            answers.iter().all(|answer| answer.body == answers[0].body),
            "{path}"
        );
        assert_eq!(calls.count(), nth + 1, "{path}");
    }
    assert_eq!(larder.size().entries, FLOOR.len());
}

#[tokio::test]
async fn switched_off_there_are_no_hits() {
    let (larder, calls) = (larder(), Calls::default());
    let address = serve(floor(&larder, &calls)).await;
    larder.set_enabled(false);
    for path in FLOOR {
        for answer in ask_three_times(address, path).await {
            assert_eq!(answer.became(), "BYPASS disabled", "{path}");
        }
    }
    assert_eq!((calls.count(), larder.size().entries), (15, 0));
    larder.set_enabled(true);
    assert_eq!(ask_three_times(address, "/hot").await[2].x_cache(), "HIT");
    larder.switch("hot").expect("a layer").set(false);
    assert_eq!(
        ask_three_times(address, "/hot").await[2].became(),
        "BYPASS disabled"
    );
    assert_eq!(
        ask_three_times(address, "/public").await[2].x_cache(),
        "HIT",
        "the others are on"
    );
}
