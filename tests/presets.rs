//! What each preset does with a request, shows its handler, tells clients, keeps, and for how long.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends with the first surprise"
)]

mod support;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{OriginalUri, RawQuery};
use axum::routing::{MethodRouter, any, get as route_get};
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode, Uri};
use larder::{
    CacheHints, ClientCaching, FakeClock, Identify, Identity, Larder, QueryKey, UnkeyedHeaders, Verdict,
};
use support::{Answer, Calls, get, get_with, request, send};

const SECOND: Duration = Duration::from_secs(1);

fn larder() -> (Larder, FakeClock) {
    support::cache(16 << 20)
}

/// Verifies the user that `Authorization` names: `bad` is refused, `weak` cannot be checked.
fn users() -> impl Identify {
    |parts: &Parts| {
        let token = parts.headers.get("authorization").cloned();
        async move {
            match token.as_ref().map(|token| token.to_str().unwrap()) {
                None => Verdict::Anonymous,
                Some("bad") => Verdict::Rejected,
                Some(user) => Identity::new(user).into(),
            }
        }
    }
}

const PRESETS: [&str; 5] = ["hot", "public", "static", "user", "plain"];

/// `route` behind each preset, at `/hot`, `/public`, `/static`, `/user` and, with a lifetime, `/plain`.
fn presets(larder: &Larder, route: &MethodRouter) -> Router {
    Router::new()
        .route(
            "/hot",
            route
                .clone()
                .layer(larder.hot_cache("hot").identity_header("x-tenant")),
        )
        .route(
            "/public",
            route
                .clone()
                .layer(larder.public_cache("public").identity_header("x-tenant")),
        )
        .route(
            "/static",
            route
                .clone()
                .layer(larder.static_cache("static").identity_header("x-tenant")),
        )
        .route(
            "/user",
            route
                .clone()
                .layer(larder.user_cache("user", users()).identity_header("x-tenant")),
        )
        .route(
            "/plain",
            route
                .clone()
                .layer(larder.cache("plain").ttl(SECOND * 60).identity_header("x-tenant")),
        )
}

fn counting(calls: &Calls) -> MethodRouter {
    let calls = calls.clone();
    any(move || {
        let run = calls.next();
        async move { format!("run {run}") }
    })
}

/// The lines with which a request is a hit on `preset`.
fn warm(preset: &str) -> &'static [(&'static str, &'static str)] {
    if preset == "user" {
        &[("authorization", "ada")]
    } else {
        &[]
    }
}

/// What became of each kind of request to a warm cache: in `hot`, `public` and `plain`; in `static`; in `user`.
const TABLE: [(&str, [&str; 3]); 30] = [
    ("", ["HIT", "HIT", "HIT"]),
    (
        "authorization: Bearer x",
        ["BYPASS authorization", "BYPASS authorization", "MISS"],
    ),
    ("cookie: a=b", ["BYPASS cookie", "HIT", "HIT"]),
    (
        "x-api-key: k",
        ["BYPASS identity_header", "BYPASS identity_header", "HIT"],
    ),
    (
        "x-auth-token: k",
        ["BYPASS identity_header", "BYPASS identity_header", "HIT"],
    ),
    (
        "x-amz-security-token: k",
        ["BYPASS identity_header", "BYPASS identity_header", "HIT"],
    ),
    (
        "x-forwarded-user: k",
        ["BYPASS identity_header", "BYPASS identity_header", "HIT"],
    ),
    (
        "x-forwarded-email: k",
        ["BYPASS identity_header", "BYPASS identity_header", "HIT"],
    ),
    (
        "x-remote-user: k",
        ["BYPASS identity_header", "BYPASS identity_header", "HIT"],
    ),
    (
        "x-auth-request-user: k",
        ["BYPASS identity_header", "BYPASS identity_header", "HIT"],
    ),
    (
        "x-auth-request-email: k",
        ["BYPASS identity_header", "BYPASS identity_header", "HIT"],
    ),
    (
        "proxy-authorization: k",
        ["BYPASS identity_header", "BYPASS identity_header", "HIT"],
    ),
    (
        "x-tenant: k",
        ["BYPASS identity_header", "BYPASS identity_header", "HIT"],
    ),
    ("range: bytes=0-1", ["HIT", "HIT", "HIT"]),
    ("range: bytes=cow", ["HIT", "HIT", "HIT"]),
    ("if-none-match: *", ["HIT", "HIT", "HIT"]),
    (
        "if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT",
        ["HIT", "HIT", "HIT"],
    ),
    ("if-match: \"no\"", ["HIT", "HIT", "HIT"]),
    (
        "if-unmodified-since: Sun, 06 Nov 1994 08:49:37 GMT",
        ["HIT", "HIT", "HIT"],
    ),
    ("if-range: \"no\"", ["HIT", "HIT", "HIT"]),
    (
        "upgrade: websocket",
        ["BYPASS upgrade", "BYPASS upgrade", "BYPASS upgrade"],
    ),
    ("content-length: 1", ["BYPASS body", "BYPASS body", "BYPASS body"]),
    ("content-length: 0", ["HIT", "HIT", "HIT"]),
    (
        "transfer-encoding: chunked",
        ["BYPASS body", "BYPASS body", "BYPASS body"],
    ),
    ("host: a\nhost: a", ["BYPASS host", "BYPASS host", "BYPASS host"]),
    // A client must not be able to go past the cache, nor to empty it.
    ("cache-control: no-cache", ["HIT", "HIT", "HIT"]),
    ("cache-control: no-store", ["HIT", "HIT", "HIT"]),
    ("pragma: no-cache", ["HIT", "HIT", "HIT"]),
    ("accept-encoding: gzip", ["HIT", "HIT", "HIT"]),
    ("x-forwarded-host: evil", ["HIT", "HIT", "HIT"]),
];

#[tokio::test]
async fn what_becomes_of_each_header_in_each_preset() {
    let ((larder, _), calls) = (larder(), Calls::default());
    let app = presets(&larder, &counting(&calls));
    for preset in PRESETS {
        let path = format!("/{preset}");
        assert_eq!(send(&app, get_with(&path, warm(preset))).await.x_cache(), "MISS");
        for (lines, expected) in TABLE {
            let expected = match preset {
                "static" => expected[1],
                "user" => expected[2],
                _ => expected[0],
            };
            let mut lines: Vec<(&str, &str)> =
                lines.lines().map(|line| line.split_once(": ").unwrap()).collect();
            if !lines.iter().any(|(name, _)| *name == "authorization") {
                lines.extend(warm(preset));
            }
            let before = calls.count();
            let answer = send(&app, get_with(&path, &lines)).await;
            assert_eq!(answer.became(), expected, "{preset} {lines:?}");
            assert_eq!(
                calls.count() - before,
                usize::from(answer.x_cache() != "HIT"),
                "{preset} {lines:?}"
            );
        }
        let with_body = Request::get(&path).body(Body::from("fat")).unwrap();
        assert_eq!(send(&app, with_body).await.became(), "BYPASS body", "{preset}");
        for method in ["POST", "QUERY", "PROPFIND", "get"] {
            let answer = send(&app, request(method, &path, warm(preset))).await;
            assert_eq!(
                (answer.x_cache(), answer.cache_status()),
                ("BYPASS", "larder; fwd=method"),
                "{method}"
            );
        }
    }
}

/// Answers with the names of all headers that it sees, in order, and the URIs.
fn sight() -> MethodRouter {
    route_get(
        |uri: Uri, OriginalUri(original): OriginalUri, RawQuery(query): RawQuery, headers: HeaderMap| async move {
            let mut names: Vec<&str> = headers.keys().map(http::HeaderName::as_str).collect();
            names.sort_unstable();
            format!(
                "{uri} {original} {} | {}",
                query.unwrap_or_default(),
                names.join(" ")
            )
        },
    )
}

const ALL: [(&str, &str); 22] = [
    ("host", "a"),
    ("accept", "*/*"),
    ("accept-charset", "utf-8"),
    ("accept-encoding", "gzip"),
    ("accept-language", "de"),
    ("traceparent", "00"),
    ("tracestate", "a"),
    ("baggage", "a"),
    ("x-request-id", "1"),
    ("x-correlation-id", "1"),
    ("x-forwarded-host", "evil"),
    ("x-forwarded-for", "evil"),
    ("x-forwarded-proto", "evil"),
    ("x-original-url", "/evil"),
    ("x-rewrite-url", "/evil"),
    ("x-http-method-override", "POST"),
    ("forwarded", "host=evil"),
    ("user-agent", "evil"),
    ("referer", "evil"),
    ("origin", "evil"),
    ("if-none-match", "\"x\""),
    ("content-type", "evil"),
];

const SEEN: &str = "accept accept-charset accept-encoding accept-language host traceparent tracestate";

/// The names of the headers that the handler of an answer by [`sight`] saw.
fn seen(answer: &Answer) -> &str {
    answer.text().split_once(" | ").unwrap().1
}

#[tokio::test]
async fn a_handler_sees_what_is_in_the_key_or_names_in_vary_and_no_more() {
    let (larder, _) = larder();
    let app = presets(&larder, &sight());
    for preset in PRESETS {
        let mut lines = ALL.to_vec();
        lines.extend(warm(preset));
        let answer = send(&app, get_with(&format!("/{preset}"), &lines)).await;
        assert_eq!(answer.x_cache(), "MISS");
        let credential = if preset == "user" {
            SEEN.replace("host", "authorization host")
        } else {
            SEEN.into()
        };
        assert_eq!(seen(&answer), credential, "{preset}");
    }
}

#[tokio::test]
async fn what_goes_past_the_cache_is_seen_whole() {
    let (larder, _) = larder();
    let app = presets(&larder, &sight());
    let mut lines = ALL.to_vec();
    lines.push(("authorization", "bad"));
    for preset in PRESETS {
        let answer = send(&app, get_with(&format!("/{preset}"), &lines)).await;
        assert_eq!(answer.x_cache(), "BYPASS", "{preset}");
        assert_eq!(seen(&answer).split(' ').count(), lines.len(), "{preset}");
    }
}

#[tokio::test]
async fn headers_can_be_shown_to_the_handler() {
    let (larder, _) = larder();
    let app = Router::new()
        .route(
            "/pass",
            sight().layer(larder.hot_cache("pass").pass_header("user-agent")),
        )
        .route(
            "/key",
            sight().layer(larder.hot_cache("key").key_header("user-agent")),
        )
        .route(
            "/all",
            sight().layer(larder.hot_cache("all").unkeyed_headers(UnkeyedHeaders::Pass)),
        )
        .route(
            "/no",
            sight().layer(
                larder
                    .static_cache("no")
                    .pass_header("cookie")
                    .unkeyed_headers(UnkeyedHeaders::Pass),
            ),
        );
    let one = [("user-agent", "one"), ("x-forwarded-host", "a")];
    let two = [("user-agent", "two"), ("x-forwarded-host", "a")];
    for (path, saw, other) in [
        ("/pass", "user-agent", "HIT"),
        ("/key", "user-agent", "MISS"),
        ("/all", "user-agent x-forwarded-host", "HIT"),
    ] {
        let answer = send(&app, get_with(path, &one)).await;
        assert_eq!((seen(&answer), answer.x_cache()), (saw, "MISS"), "{path}");
        assert_eq!(
            answer.header("vary"),
            if path == "/key" { "user-agent" } else { "" },
            "{path}"
        );
        assert_eq!(send(&app, get_with(path, &two)).await.x_cache(), other, "{path}");
    }
    let answer = send(&app, get_with("/no", &[("cookie", "a=b"), ("user-agent", "one")])).await;
    assert_eq!(
        seen(&answer),
        "user-agent",
        "a credential is never shown to a shared layer's handler"
    );
}

#[tokio::test]
async fn a_header_in_the_key_is_in_vary_of_every_answer() {
    let (larder, _) = larder();
    let stream = || async {
        let (frames, body) = support::sent_body();
        frames.send("x");
        (
            axum::response::AppendHeaders([("vary", "accept")]),
            Body::new(body),
        )
    };
    let app = Router::new()
        .route(
            "/stream",
            route_get(stream).layer(larder.hot_cache("stream").key_header("x-market")),
        )
        .route(
            "/whole",
            route_get(|| async { "x" }).layer(larder.hot_cache("whole").key_header("x-market")),
        );
    for path in ["/stream", "/whole"] {
        for x_cache in ["MISS", "HIT"] {
            let answer = get(&app, path).await;
            let vary: Vec<&str> = answer
                .headers
                .get_all("vary")
                .iter()
                .map(|v| v.to_str().unwrap())
                .collect();
            assert!(vary.contains(&"x-market"), "{path} {x_cache} {vary:?}");
            assert_eq!(answer.x_cache(), x_cache, "{path}");
        }
    }
    // Other caches may keep what this one does not.
    let refused = || async { ([("cache-control", "max-age=60"), ("set-cookie", "a=b")], "x") };
    let app = Router::new().route(
        "/",
        route_get(refused).layer(larder.hot_cache("refused").key_header("x-market")),
    );
    for (line, became) in [("accept", "MISS set_cookie"), ("cookie", "BYPASS cookie")] {
        let answer = send(&app, get_with("/", &[(line, "x")])).await;
        assert_eq!(
            (answer.became().as_str(), answer.header("vary")),
            (became, "x-market")
        );
    }
}

#[tokio::test]
async fn query_parameters_that_do_not_count_are_hidden() {
    let (larder, _) = larder();
    let only = QueryKey::Only(vec!["page".to_owned()]);
    let inner = Router::new()
        .route(
            "/except",
            sight().layer(larder.hot_cache("except").ignore_query(["utm_source", "fbclid"])),
        )
        .route("/only", sight().layer(larder.hot_cache("only").query(only)));
    let app = Router::new().nest("/n", inner);
    for path in ["/except", "/only"] {
        let first = get(
            &app,
            &format!("/n{path}?utm_source=x&page=1&utm%5Fsource=y&fbclid"),
        )
        .await;
        assert_eq!(first.text(), format!("{path}?page=1 /n{path}?page=1 page=1 | "));
        let other = get(&app, &format!("/n{path}?page=1")).await;
        assert_eq!((other.text(), other.x_cache()), (first.text(), "HIT"));
        let none = get(&app, &format!("/n{path}?utm_source=x")).await;
        assert_eq!(none.text(), format!("{path} /n{path}  | "));
        assert_eq!(get(&app, &format!("/n{path}?page=2")).await.x_cache(), "MISS");
    }
}

#[tokio::test]
async fn the_order_of_parameters_counts_only_where_it_is_told_to() {
    let (larder, _) = larder();
    let app = Router::new()
        .route("/sorted", sight().layer(larder.hot_cache("sorted")))
        .route(
            "/exact",
            sight().layer(larder.hot_cache("exact").query(QueryKey::Exact)),
        );
    for (path, expected) in [("/sorted", "HIT"), ("/exact", "MISS")] {
        get(&app, &format!("{path}?a=1&b=2")).await;
        assert_eq!(get(&app, &format!("{path}?b=2&a=1")).await.x_cache(), expected);
        get(&app, &format!("{path}?id=1&id=2")).await;
        assert_eq!(
            get(&app, &format!("{path}?id=2&id=1")).await.x_cache(),
            "MISS",
            "equal names keep theirs"
        );
    }
}

#[tokio::test]
async fn cookies_are_hidden_where_they_are_ignored() {
    let (larder, _) = larder();
    let app = Router::new()
        .route("/told", sight().layer(larder.hot_cache("told").ignore_cookies()))
        .route("/static", sight().layer(larder.static_cache("static")));
    for path in ["/told", "/static"] {
        let answer = send(&app, get_with(path, &[("cookie", "session=ada")])).await;
        assert_eq!((answer.x_cache(), seen(&answer)), ("MISS", ""), "{path}");
        assert_eq!(
            send(&app, get_with(path, &[("cookie", "session=grace")]))
                .await
                .x_cache(),
            "HIT",
            "{path}"
        );
    }
}

/// An app for each preset, with `route` at `/`.
fn each_preset(larder: &Larder, route: &MethodRouter) -> [(&'static str, Router); 4] {
    let app = |route| Router::new().route("/", route);
    [
        ("hot", app(route.clone().layer(larder.hot_cache("hot")))),
        (
            "user",
            app(route.clone().layer(larder.user_cache("user", users()))),
        ),
        ("public", app(route.clone().layer(larder.public_cache("public")))),
        ("static", app(route.clone().layer(larder.static_cache("static")))),
    ]
}

#[tokio::test]
async fn what_each_preset_tells_clients() {
    let (larder, _) = larder();
    for (preset, app) in each_preset(&larder, &route_get(|| async { "x" })) {
        let expected = match preset {
            "user" => "private, no-cache",
            "static" => "max-age=3600",
            _ => "no-cache",
        };
        for x_cache in ["MISS", "HIT"] {
            let answer = send(&app, get_with("/", warm(preset))).await;
            assert_eq!(
                (answer.header("cache-control"), answer.x_cache()),
                (expected, x_cache),
                "{preset}"
            );
        }
    }
}

#[tokio::test]
async fn how_long_clients_may_keep_an_answer_can_be_chosen() {
    let (larder, clock) = larder();
    let own = route_get(|| async {
        (
            axum::response::AppendHeaders([("cache-control", "public, max-age=7")]),
            "x",
        )
    });
    let expires = route_get(|| async {
        (
            axum::response::AppendHeaders([("expires", "Fri, 31 Dec 2100 00:00:00 GMT")]),
            "x",
        )
    });
    let plain = route_get(|| async { "x" });
    let app = Router::new()
        .route("/own", own.layer(larder.static_cache("own")))
        .route("/expires", expires.layer(larder.static_cache("expires")))
        .route(
            "/immutable",
            plain.clone().layer(larder.static_cache("immutable").immutable()),
        )
        .route("/hour", plain.clone().layer(larder.hot_cache("hour").immutable()))
        .route(
            "/max-age",
            plain
                .clone()
                .layer(larder.hot_cache("max-age").client_max_age(SECOND * 60)),
        )
        .route(
            "/user",
            plain
                .clone()
                .layer(larder.user_cache("mine", users()).client_max_age(SECOND * 60)),
        )
        .route(
            "/asks",
            plain.clone().layer(
                larder
                    .static_cache("asks")
                    .client_caching(ClientCaching::Revalidate),
            ),
        );
    for (path, expected, later) in [
        ("/own", "public, max-age=7", "public, max-age=7"),
        ("/expires", "", ""),
        ("/immutable", "max-age=3600, immutable", "max-age=3605, immutable"),
        ("/hour", "max-age=3600, immutable", "max-age=3605, immutable"),
        // Clients take the age off, and are to keep each answer for as long as was said.
        ("/max-age", "max-age=60", "max-age=65"),
        ("/user", "private, max-age=60", "private, max-age=65"),
        ("/asks", "no-cache", "no-cache"),
    ] {
        let lines = if path == "/user" { warm("user") } else { &[] };
        assert_eq!(
            send(&app, get_with(path, lines)).await.header("cache-control"),
            expected,
            "{path}"
        );
        clock.advance(SECOND * 5);
        let hit = send(&app, get_with(path, lines)).await;
        assert_eq!(
            (hit.header("cache-control"), hit.x_cache(), hit.header("age")),
            (later, "HIT", "5"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn how_long_each_preset_keeps() {
    let ((larder, clock), calls) = (larder(), Calls::default());
    for (preset, app) in each_preset(&larder, &counting(&calls)) {
        let seconds = match preset {
            "hot" => 300,
            "user" => 60,
            "public" => 1800,
            _ => 3600,
        };
        let ask = async || send(&app, get_with("/", warm(preset))).await;
        let miss = ask().await;
        assert_eq!(
            miss.cache_status(),
            format!("larder; fwd=uri-miss; fwd-status=200; stored; ttl={seconds}")
        );
        assert_eq!(
            (miss.header("age"), miss.header("x-cache-age")),
            ("", ""),
            "{preset}: it was made now"
        );
        clock.advance(SECOND * seconds - Duration::from_millis(1));
        let hit = ask().await;
        assert_eq!(
            (hit.x_cache(), hit.cache_status()),
            ("HIT", "larder; hit; ttl=0"),
            "{preset}"
        );
        assert_eq!(hit.header("age"), (seconds - 1).to_string(), "{preset}");
        clock.advance(Duration::from_millis(1));
        let gone = ask().await;
        assert_eq!(gone.x_cache(), "MISS", "{preset}");
        assert!(gone.cache_status().starts_with("larder; fwd=stale; "), "{preset}");
    }
}

#[tokio::test]
async fn only_200_has_a_lifetime_of_its_own() {
    let (larder, _) = larder();
    let status = |uri: Uri| async move { StatusCode::from_bytes(uri.query().unwrap().as_bytes()).unwrap() };
    for (preset, app) in each_preset(&larder, &route_get(status)) {
        for status in [
            201, 202, 203, 204, 300, 301, 302, 307, 308, 400, 401, 403, 404, 405, 410, 429, 500, 501, 503,
            599,
        ] {
            for _ in 0..2 {
                let answer = send(&app, get_with(&format!("/?{status}"), warm(preset))).await;
                assert_eq!(
                    (answer.status.as_u16(), answer.became().as_str()),
                    (status, "MISS status"),
                    "{preset}"
                );
            }
        }
        send(&app, get_with("/?200", warm(preset))).await;
        assert_eq!(
            send(&app, get_with("/?200", warm(preset))).await.x_cache(),
            "HIT",
            "{preset}"
        );
    }
}

#[tokio::test]
async fn age_counts_up() {
    let (larder, clock) = larder();
    let app = Router::new().route("/", route_get(|| async { "x" }).layer(larder.hot_cache("age")));
    get(&app, "/").await;
    for (advance, age, ttl) in [(0, "0", 300), (999, "0", 299), (1, "1", 299), (61_000, "62", 238)] {
        clock.advance(Duration::from_millis(advance));
        for _ in 0..2 {
            let hit = get(&app, "/").await;
            assert_eq!((hit.header("age"), hit.header("x-cache-age")), (age, age));
            // Hits of one second share their headers, so that `ttl` may be that of the second's first hit.
            let said: u64 = hit.cache_status().rsplit_once('=').unwrap().1.parse().unwrap();
            assert!(said == ttl || said == ttl + 1, "{said} {ttl}");
        }
    }
}

/// A profile behind a `user_cache`: who the handler takes the user for, and how often it ran.
fn profile(layer: larder::CacheLayer<larder::PerIdentity<impl Identify>>) -> (Router, Calls) {
    let calls = Calls::default();
    let runs = calls.clone();
    let handler = move |headers: HeaderMap| {
        let run = runs.next();
        let user = headers
            .get("authorization")
            .map_or("nobody", |value| value.to_str().unwrap())
            .to_owned();
        async move { format!("{user} {run}") }
    };
    (Router::new().route("/", route_get(handler).layer(layer)), calls)
}

async fn ask(app: &Router, user: &str) -> String {
    let lines: &[(&str, &str)] = if user.is_empty() {
        &[]
    } else {
        &[("authorization", user)]
    };
    let answer = send(app, get_with("/", lines)).await;
    format!("{}: {}", answer.text(), answer.became())
}

#[tokio::test]
async fn users_are_kept_apart() {
    let (larder, _) = larder();
    let (app, _) = profile(larder.user_cache("profile", users()));
    assert_eq!(ask(&app, "ada").await, "ada 1: MISS");
    assert_eq!(ask(&app, "grace").await, "grace 2: MISS");
    assert_eq!(ask(&app, "ada").await, "ada 1: HIT");
    assert_eq!(ask(&app, "grace").await, "grace 2: HIT");
    for run in 3..5 {
        assert_eq!(ask(&app, "bad").await, format!("bad {run}: BYPASS no_identity"));
    }
    for run in 5..7 {
        assert_eq!(ask(&app, "").await, format!("nobody {run}: BYPASS no_identity"));
    }
    assert_eq!(larder.size().entries, 2);
    assert_eq!(larder.invalidate_identity("ada").await.unwrap().known, 1);
    assert_eq!(ask(&app, "ada").await, "ada 7: MISS tag");
    assert_eq!(ask(&app, "grace").await, "grace 2: HIT");
}

#[tokio::test]
async fn a_revoked_credential_never_hits() {
    let (larder, _) = larder();
    let revoked = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let check = revoked.clone();
    let sessions = move |_: &Parts| {
        let valid = !check.load(std::sync::atomic::Ordering::SeqCst);
        async move { valid.then(|| Identity::new("ada")) }
    };
    let (app, _) = profile(larder.user_cache("profile", sessions));
    assert_eq!(ask(&app, "ada").await, "ada 1: MISS");
    assert_eq!(ask(&app, "ada").await, "ada 1: HIT");
    revoked.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(ask(&app, "ada").await, "ada 2: BYPASS no_identity");
    assert_eq!(ask(&app, "ada").await, "ada 3: BYPASS no_identity");
}

#[tokio::test]
async fn those_without_a_credential_share_an_entry_only_where_told() {
    let (larder, _) = larder();
    let (app, _) = profile(larder.user_cache("profile", users()).share_anonymous());
    assert_eq!(ask(&app, "").await, "nobody 1: MISS");
    assert_eq!(ask(&app, "").await, "nobody 1: HIT");
    assert_eq!(ask(&app, "ada").await, "ada 2: MISS", "a user's own entry");
    assert_eq!(
        ask(&app, "bad").await,
        "bad 3: BYPASS no_identity",
        "refused is not anonymous"
    );
    for (name, reason) in [("cookie", "cookie"), ("x-api-key", "identity_header")] {
        let answer = send(&app, get_with("/", &[(name, "ada")])).await;
        assert_eq!(
            answer.became(),
            format!("BYPASS {reason}"),
            "as in a shared layer"
        );
    }
    // Who calls a request anonymous that has a credential is not believed.
    let careless = larder
        .user_cache("careless", |_: &Parts| async { Verdict::Anonymous })
        .share_anonymous();
    let (app, _) = profile(careless);
    assert_eq!(ask(&app, "ada").await, "ada 1: BYPASS no_identity");
    assert_eq!(ask(&app, "").await, "nobody 2: MISS");
}

#[tokio::test]
async fn a_private_response_is_kept_for_its_user() {
    let (larder, _) = larder();
    let private = || async {
        (
            axum::response::AppendHeaders([("cache-control", "private, max-age=60, s-maxage=0")]),
            "x",
        )
    };
    let app = Router::new().route(
        "/",
        route_get(private).layer(larder.user_cache("private", users())),
    );
    for (user, x_cache) in [("ada", "MISS"), ("ada", "HIT"), ("grace", "MISS")] {
        let answer = send(&app, get_with("/", &[("authorization", user)])).await;
        assert_eq!(answer.x_cache(), x_cache, "{user}");
    }
}

#[tokio::test]
async fn an_extractor_of_axum_says_who_asks() {
    let (larder, _) = larder();
    let layer = larder.user_cache(
        "extractor",
        larder::from_extractor((), |headers: &HeaderMap| {
            headers
                .get("authorization")
                .map(|user| Identity::new(user.to_str().unwrap()))
        }),
    );
    let (app, _) = profile(layer);
    for expected in ["ada 1: MISS", "ada 1: HIT"] {
        assert_eq!(ask(&app, "ada").await, expected);
    }
    assert_eq!(ask(&app, "grace").await, "grace 2: MISS");
    assert_eq!(ask(&app, "").await, "nobody 3: BYPASS no_identity");
}

#[tokio::test]
async fn a_layer_answers_for_its_hosts() {
    let (larder, _) = larder();
    let layer = larder
        .hot_cache("hosts")
        .hosts(["shop.example", "shop.example:8080"]);
    let app = Router::new().route("/", route_get(|| async { "x" }).layer(layer));
    for (host, expected) in [
        ("shop.example", "MISS"),
        ("SHOP.example", "MISS"),
        ("shop.example:8080", "MISS"),
        ("shop.example", "HIT"),
        ("evil.example", "BYPASS host"),
        ("shop.example.evil", "BYPASS host"),
        ("shop.example:1", "BYPASS host"),
        ("", "BYPASS host"),
    ] {
        assert_eq!(
            send(&app, get_with("/", &[("host", host)])).await.became(),
            expected,
            "{host}"
        );
    }
    assert_eq!(get(&app, "/").await.became(), "BYPASS host");
    assert_eq!(get(&app, "http://shop.example/").await.x_cache(), "MISS");
    assert_eq!(get(&app, "http://evil.example/").await.became(), "BYPASS host");
    let both = send(
        &app,
        get_with("http://evil.example/", &[("host", "shop.example")]),
    )
    .await;
    assert_eq!(
        both.became(),
        "BYPASS host",
        "the URI's goes before (RFC 9112 §3.2.2)"
    );
}

#[tokio::test]
async fn each_header_of_an_answer_can_be_switched_off() {
    let (larder, clock) = larder();
    let x = route_get(|| async { "x" });
    let layer = |name: &str| larder.hot_cache(name).share_name();
    let app = Router::new()
        .route("/age", x.clone().layer(layer("age").age_header(false)))
        .route(
            "/cache-control",
            x.clone()
                .layer(layer("cache-control").cache_control_header(false)),
        )
        .route(
            "/cache-status",
            x.clone().layer(layer("cache-status").cache_status_header(false)),
        )
        .route("/etag", x.clone().layer(layer("etag").etag(false)))
        .route(
            "/x-cache",
            x.clone().layer(layer("x-cache").x_cache_header(false)),
        )
        .route(
            "/x-cache-age",
            x.clone().layer(layer("x-cache-age").x_cache_age_header(false)),
        );
    let all = [
        "age",
        "cache-control",
        "cache-status",
        "etag",
        "x-cache",
        "x-cache-age",
    ];
    for off in all {
        let path = format!("/{off}");
        let miss = get(&app, &path).await;
        clock.advance(SECOND);
        let (hit, post) = (
            get(&app, &path).await,
            send(&app, request("POST", &path, &[])).await,
        );
        for name in all {
            assert_eq!(
                hit.headers.contains_key(name),
                name != off,
                "{name} of a hit with no {off}"
            );
            let on_miss = name != off && !name.ends_with("age");
            assert_eq!(
                miss.headers.contains_key(name),
                on_miss,
                "{name} of a miss with no {off}"
            );
            let on_bypass = name != off && (name == "x-cache" || name == "cache-status");
            assert_eq!(
                post.headers.contains_key(name),
                on_bypass,
                "{name} of a bypass with no {off}"
            );
        }
    }
}

#[tokio::test]
async fn a_handler_gives_hints() {
    let ((larder, clock), calls) = (larder(), Calls::default());
    let handler = {
        let calls = calls.clone();
        move |uri: Uri| {
            calls.next();
            async move {
                let hints = CacheHints::new();
                let (status, hints) = match uri.path() {
                    "/ttl" => (StatusCode::OK, hints.ttl(SECOND * 10)),
                    "/zero" => (StatusCode::OK, hints.ttl(Duration::ZERO)),
                    "/tag" => (StatusCode::OK, hints.tag("said by the handler")),
                    "/error" => (StatusCode::NOT_FOUND, hints.ttl(SECOND * 10)),
                    "/broken" => (StatusCode::INTERNAL_SERVER_ERROR, hints.ttl(SECOND * 10)),
                    _ => (StatusCode::OK, hints.no_store()),
                };
                (status, hints, "x")
            }
        }
    };
    let app = Router::new().fallback(handler).layer(larder.hot_cache("hints"));
    for path in ["/ttl", "/error", "/broken"] {
        assert_eq!(get(&app, path).await.x_cache(), "MISS", "{path}");
        clock.advance(SECOND * 9);
        assert_eq!(
            get(&app, path).await.cache_status(),
            "larder; hit; ttl=1",
            "{path}"
        );
        clock.advance(SECOND);
        assert_eq!(get(&app, path).await.x_cache(), "MISS", "{path}");
    }
    for (path, reason) in [("/none", "hint"), ("/zero", "no_lifetime")] {
        for _ in 0..2 {
            assert_eq!(get(&app, path).await.became(), format!("MISS {reason}"));
        }
    }
    get(&app, "/tag").await;
    assert_eq!(get(&app, "/tag").await.x_cache(), "HIT");
    assert_eq!(
        larder.invalidate_tag("said by the handler").await.unwrap().known,
        1
    );
    assert_eq!(get(&app, "/tag").await.became(), "MISS tag");
}

#[tokio::test]
async fn what_a_handler_tells_the_layers_around_is_not_replayed() {
    let (larder, _) = larder();
    #[derive(Clone)]
    struct Note;
    let handler = || async { (axum::Extension(Note), CacheHints::new().tag("x"), "x") };
    let app = Router::new().route("/", route_get(handler).layer(larder.hot_cache("notes")));
    for (noted, status) in [(true, "MISS"), (false, "HIT")] {
        let response = tower::ServiceExt::oneshot(app.clone(), get_with("/", &[]))
            .await
            .unwrap();
        assert_eq!(response.headers()["x-cache"], status);
        assert_eq!(response.extensions().get::<Note>().is_some(), noted);
        assert!(
            response.extensions().get::<CacheHints>().is_none(),
            "they are for the layer alone"
        );
    }
}

#[tokio::test]
async fn a_tag_is_weak_for_clients_that_accept_encodings() {
    let (larder, _) = larder();
    let own = || async { (axum::response::AppendHeaders([("etag", "\"own\"")]), "x") };
    let app = Router::new()
        .route(
            "/made",
            route_get(|| async { "x" }).layer(larder.hot_cache("made")),
        )
        .route("/own", route_get(own).layer(larder.hot_cache("own")));
    let tag = get(&app, "/made").await.header("etag").to_owned();
    for (encodings, weak) in [
        ("gzip", true),
        ("gzip;q=0.5, br", true),
        ("identity", false),
        ("", false),
    ] {
        let lines = [("accept-encoding", encodings)];
        let answer = send(&app, get_with("/made", &lines)).await;
        let expected = if weak { format!("W/{tag}") } else { tag.clone() };
        assert_eq!(answer.header("etag"), expected, "{encodings}");
        let lines = [
            ("accept-encoding", encodings),
            ("if-none-match", answer.header("etag")),
        ];
        assert_eq!(
            send(&app, get_with("/made", &lines)).await.status,
            StatusCode::NOT_MODIFIED,
            "{encodings}"
        );
        assert_eq!(
            send(&app, get_with("/own", &lines[..1])).await.header("etag"),
            "\"own\""
        );
    }
}

#[tokio::test]
async fn a_failed_condition_is_412() {
    let (larder, _) = larder();
    let app = Router::new().route("/", route_get(|| async { "x" }).layer(larder.hot_cache("page")));
    let first = send(&app, get_with("/", &[("if-match", "\"no\"")])).await;
    assert_eq!(
        (first.status, first.x_cache(), first.text()),
        (StatusCode::PRECONDITION_FAILED, "MISS", "")
    );
    let tag = get(&app, "/").await.header("etag").to_owned();
    for (condition, status) in [("\"no\"", 412), (&*tag, 200), ("*", 200)] {
        let answer = send(&app, get_with("/", &[("if-match", condition)])).await;
        assert_eq!(
            (answer.status.as_u16(), answer.x_cache()),
            (status, "HIT"),
            "{condition}"
        );
    }
    let weak = format!("W/{tag}");
    assert_eq!(
        send(&app, get_with("/", &[("if-match", &weak)])).await.status,
        412,
        "the comparison is strong"
    );
}

#[tokio::test]
async fn a_head_is_answered_from_a_stored_get() {
    let ((larder, _), calls) = (larder(), Calls::default());
    let app = Router::new().route("/", counting(&calls).layer(larder.hot_cache("page")));
    let whole = get(&app, "/").await;
    let head = send(&app, request("HEAD", "/", &[])).await;
    assert_eq!(
        (head.status, head.x_cache(), head.text()),
        (StatusCode::OK, "HIT", "")
    );
    assert_eq!(
        (head.header("content-length"), head.header("etag")),
        ("5", whole.header("etag"))
    );
    assert_eq!(head.header("content-type"), whole.header("content-type"));
    let lines = [("if-none-match", whole.header("etag"))];
    assert_eq!(
        send(&app, request("HEAD", "/", &lines)).await.status,
        StatusCode::NOT_MODIFIED
    );
    let part = send(&app, request("HEAD", "/", &[("range", "bytes=0-1")])).await;
    assert_eq!(
        (part.status, part.header("content-length")),
        (StatusCode::OK, "5"),
        "a range is for GET alone"
    );
    assert_eq!(calls.count(), 1);
}

#[tokio::test]
async fn parts_are_cut_from_the_whole() {
    let (larder, _) = larder();
    let digits = || async { ([("content-type", "text/x-digits")], "0123456789") };
    let app = Router::new().route("/", route_get(digits).layer(larder.hot_cache("digits")));
    let tag = get(&app, "/").await.header("etag").to_owned();
    for (range, status, content_range, text) in [
        ("bytes=0-0", 206, "bytes 0-0/10", "0"),
        ("bytes=2-4", 206, "bytes 2-4/10", "234"),
        ("bytes=7-", 206, "bytes 7-9/10", "789"),
        ("bytes=-2", 206, "bytes 8-9/10", "89"),
        ("bytes=-20", 206, "bytes 0-9/10", "0123456789"),
        ("bytes=8-20", 206, "bytes 8-9/10", "89"),
        ("bytes=10-", 416, "bytes */10", ""),
        ("bytes=-0", 416, "bytes */10", ""),
        ("bytes=4-2", 200, "", "0123456789"),
        ("lines=1-2", 200, "", "0123456789"),
    ] {
        let part = send(&app, get_with("/", &[("range", range)])).await;
        assert_eq!(
            (part.status.as_u16(), part.text(), part.x_cache()),
            (status, text, "HIT"),
            "{range}"
        );
        assert_eq!(part.header("content-range"), content_range, "{range}");
    }
    let several = send(&app, get_with("/", &[("range", "bytes=0-1, -1")])).await;
    assert_eq!(several.status, StatusCode::PARTIAL_CONTENT);
    let boundary = several
        .header("content-type")
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap();
    let part = |range: &str, text: &str| {
        format!(
            "--{boundary}\r\nContent-Type: text/x-digits\r\nContent-Range: bytes {range}/10\r\n\r\n{text}\r\n"
        )
    };
    let expected = format!("{}{}--{boundary}--\r\n", part("0-1", "01"), part("9-9", "9"));
    assert_eq!(
        several.text().trim_start().to_lowercase(),
        expected.to_lowercase()
    );
    for (condition, status) in [(&*tag, 206), ("\"other\"", 200), (&*format!("W/{tag}"), 200)] {
        let part = send(
            &app,
            get_with("/", &[("range", "bytes=0-1"), ("if-range", condition)]),
        )
        .await;
        assert_eq!(part.status.as_u16(), status, "{condition}");
    }
    let lines = [("range", "bytes=0-1"), ("if-none-match", &*tag)];
    assert_eq!(
        send(&app, get_with("/", &lines)).await.status,
        StatusCode::NOT_MODIFIED
    );
}
