//! Attacks on shared caches: what one client sends must not reach, mislead or slow down another.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends with the first surprise"
)]

mod support;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{OriginalUri, Request};
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::{any, get as route_get};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode, Uri};
use larder::{Identity, Larder, Profile, QueryKey};
use support::{
    Calls, Connection, Gate, get, get_with, is_pending, next_data, read, request, send, serve, soon,
};
use tower::{Layer, ServiceExt, service_fn};

fn larder() -> Larder {
    support::cache(16 << 20).0
}

/// The parameters of a query as a form decoder reads them: the values of each name, in their order.
fn parameters(query: &str) -> BTreeMap<String, Vec<String>> {
    let pairs: Vec<(String, String)> = pairs(query);
    let mut all = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in pairs {
        all.entry(name).or_default().push(value);
    }
    all
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let uri: Uri = format!("/?{query}").parse().unwrap();
    axum::extract::Query::try_from_uri(&uri)
        .map(|query| query.0)
        .unwrap_or_default()
}

/// Answers with all that it sees of a request, but not the order of parameters of different names, nor trace headers.
async fn mirror(request: Request) -> impl IntoResponse {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let sight = |uri: &Uri| {
        let (scheme, authority) = (uri.scheme_str(), uri.authority());
        format!(
            "{scheme:?} {authority:?} {:?} {:?}",
            uri.path(),
            uri.query().map(parameters)
        )
    };
    let original = parts
        .extensions
        .get::<OriginalUri>()
        .map(|OriginalUri(uri)| sight(uri));
    // A host is one, wherever the request names it: one that names it twice is no other request.
    let named = parts.uri.authority().is_some();
    let mut headers: Vec<String> = parts
        .headers
        .iter()
        .filter(|(name, _)| !(named && **name == "host"))
        .map(|(name, value)| format!("{name}: {value:?}"))
        .collect();
    headers.sort_unstable();
    let varies = AppendHeaders([
        ("vary", "accept, accept-charset, accept-encoding, accept-language"),
        ("cache-control", "max-age=60"),
    ]);
    (
        varies,
        format!(
            "{} {}\n{original:?}\n{}\n{body:?}",
            parts.method,
            sight(&parts.uri),
            headers.join("\n")
        ),
    )
}

/// Targets that are not the same, and must not be taken for the same.
const TARGETS: [&str; 66] = [
    "/",
    "/a",
    "/A",
    "/a/",
    "//a",
    "/a//",
    "/./a",
    "/b/../a",
    "/%61",
    "/a%2fb",
    "/a%2Fb",
    "/a/b",
    "/a%00",
    "/a%00b",
    "/a;v=1",
    "/a;v=2",
    "/a%3bv=1",
    "/a%3fb=1",
    "/a%20",
    "/a+",
    "/%C3%A4",
    "/%c3%a4",
    "/%E4",
    "/a.css",
    "/a/x.css",
    "/a?",
    "/a?b",
    "/a?b=",
    "/a?=b",
    "/a?b=1",
    "/a?B=1",
    "/a?b=1&",
    "/a?&b=1",
    "/a?b=1&&",
    "/a?b=1&c=2",
    "/a?c=2&b=1",
    "/a?b=1;c=2",
    "/a?b=1%26c=2",
    "/a?b=1%3bc=2",
    "/a?b%3d1",
    "/a?b=%31",
    "/a?%62=1",
    "/a?b=1&b=2",
    "/a?b=2&b=1",
    "/a?b=1&%62=2",
    "/a?%62=2&b=1",
    "/a?b[]=1",
    "/a?b=1+2",
    "/a?b=1%202",
    "/a?b=1%2b2",
    "/a?b=/a?b=1",
    "/a??b=1",
    "/a?b=1%00",
    "/a?b=1%1e",
    "/a?b=1%0a",
    "/a?b=1%1fc=2",
    "/a?b=1%1ec=2",
    "/a?b=c=",
    "/a?b%3Dc=",
    "/a?%ff=1",
    "/a?%fe=1",
    "http://one.example/a",
    "https://one.example/a",
    "http://two.example/a",
    "http://one.example:8080/a",
    "http://ada@one.example/a",
];

/// Header lines that a client sends to be seen, and must then be seen by nobody else.
const LINES: [&[(&str, &str)]; 38] = [
    &[],
    &[("host", "one.example")],
    &[("host", "two.example")],
    &[("host", "ONE.example")],
    &[("host", "one.example:80")],
    &[("host", "one.example.")],
    &[("host", "")],
    &[("host", "one.example"), ("host", "two.example")],
    &[("host", "one.example"), ("x-forwarded-host", "evil")],
    &[("x-forwarded-host", "evil")],
    &[("x-forwarded-for", "evil")],
    &[("x-forwarded-proto", "evil")],
    &[("x-forwarded-scheme", "evil")],
    &[("x-forwarded-port", "1")],
    &[("x-forwarded-prefix", "/evil")],
    &[("forwarded", "host=evil")],
    &[("x-host", "evil")],
    &[("x-original-url", "/evil")],
    &[("x-original-host", "evil")],
    &[("x-rewrite-url", "/evil")],
    &[("x-http-method-override", "DELETE")],
    &[("x-method-override", "DELETE")],
    &[("x-real-ip", "evil")],
    &[("true-client-ip", "evil")],
    &[("via", "evil")],
    &[("user-agent", "evil")],
    &[("referer", "evil")],
    &[("origin", "https://evil.example")],
    &[("te", "trailers")],
    &[("max-forwards", "0")],
    &[("cookie", "session=evil")],
    &[("authorization", "Bearer evil")],
    &[("accept", "evil/evil")],
    &[("accept-language", "evil")],
    &[("accept-language", "")],
    &[("accept-language", "a"), ("accept-language", "b")],
    &[("accept-language", "a, b")],
    &[("accept-encoding", "gzip"), ("accept-charset", "evil")],
];

fn all_requests() -> Vec<Request> {
    let targets = TARGETS.iter().map(|target| get_with(target, &[]));
    let lines = LINES.iter().map(|lines| get_with("/a", lines));
    let hosts = LINES[..8]
        .iter()
        .map(|lines| get_with("http://one.example/a", lines));
    let fat = ["{}", "a=1"].map(|body| Request::get("/a").body(Body::from(body)).unwrap());
    targets.chain(lines).chain(hosts).chain(fat).collect()
}

/// Sends all requests in several orders, in which each comes before and after each other, and compares each answer to
/// that of a cold cache.
async fn nobody_is_misled(app: impl Fn() -> Router) {
    let mut cold = Vec::new();
    for request in all_requests() {
        cold.push(send(&app(), request).await.body);
    }
    let count = cold.len();
    let forward: Vec<usize> = (0..count).collect();
    let mut orders = vec![forward.iter().rev().copied().collect()];
    for first in (0..count).step_by(9) {
        let mut order = forward.clone();
        order.rotate_left(first);
        orders.push(order);
    }
    for order in orders {
        let (app, mut hits) = (app(), 0);
        let mut requests: Vec<Option<Request>> = all_requests().into_iter().map(Some).collect();
        for nth in &order {
            let request = requests[*nth].take().unwrap();
            let target = request.uri().to_string();
            let answer = send(&app, request).await;
            hits += usize::from(answer.x_cache() == "HIT");
            assert_eq!(
                answer.text(),
                String::from_utf8_lossy(&cold[*nth]),
                "{target} after number {}",
                order[0]
            );
        }
        assert!(
            hits > 20,
            "requests that differ only in what is hidden share an entry: {hits} hits"
        );
    }
}

#[tokio::test]
async fn no_request_changes_what_another_is_answered() {
    nobody_is_misled(|| Router::new().fallback(mirror).layer(larder().hot_cache("router"))).await;
    nobody_is_misled(|| {
        let routes = Router::new().fallback(mirror);
        Router::new().fallback_service(larder().static_cache("around").layer(routes))
    })
    .await;
    nobody_is_misled(|| {
        let layer = larder().gateway_cache("gateway", Profile::Safe);
        Router::new().fallback(mirror).layer(layer.x_cache_header(true))
    })
    .await;
}

#[tokio::test]
async fn nor_where_parameters_are_ignored() {
    nobody_is_misled(|| {
        Router::new()
            .fallback(mirror)
            .layer(larder().hot_cache("except").ignore_query(["b"]))
    })
    .await;
    nobody_is_misled(|| {
        let only = QueryKey::Only(vec!["c".to_owned()]);
        Router::new()
            .fallback(mirror)
            .layer(larder().hot_cache("only").query(only))
    })
    .await;
    nobody_is_misled(|| {
        let layer = larder().gateway_cache("gateway", Profile::Safe);
        Router::new()
            .fallback(mirror)
            .layer(layer.ignore_query(["b"]).x_cache_header(true))
    })
    .await;
}

#[tokio::test]
async fn nor_where_the_uri_was_rewritten_on_the_way() {
    nobody_is_misled(|| {
        let rewrite = tower::util::MapRequestLayer::new(|mut request: Request| {
            *request.uri_mut() = Uri::from_static("/same");
            request
        });
        Router::new()
            .fallback(mirror)
            .layer(larder().hot_cache("rewritten").ignore_query(["b"]))
            .layer(rewrite)
    })
    .await;
}

#[tokio::test]
async fn a_body_on_a_get_goes_past_the_cache() {
    let app = Router::new().route("/", any(mirror).layer(larder().hot_cache("fat")));
    let address = serve(app).await;
    let mut connection = Connection::open(address).await;
    for (lines, body) in [
        ("Content-Length: 4\r\n", "evil"),
        ("Transfer-Encoding: chunked\r\n", "4\r\nevil\r\n0\r\n\r\n"),
    ] {
        connection
            .write(&format!("GET / HTTP/1.1\r\nHost: test\r\n{lines}\r\n{body}"))
            .await;
        let fat = connection.answer(false).await;
        assert_eq!(fat.became(), "BYPASS body");
        assert!(
            fat.text().contains("evil"),
            "nothing is hidden from who handles it alone"
        );
    }
    let clean = connection.get("/", "").await;
    assert_eq!(clean.x_cache(), "MISS");
    assert!(!clean.text().contains("evil"));
}

#[tokio::test]
async fn hosts_are_not_confused_on_the_wire() {
    let app = Router::new().route("/", any(mirror).layer(larder().hot_cache("host")));
    let address = serve(app).await;
    for (head, became) in [
        ("GET / HTTP/1.1\r\nHost: one\r\n", "MISS"),
        ("GET / HTTP/1.1\r\nHost: evil\r\n", "MISS"),
        ("GET http://one/ HTTP/1.1\r\nHost: evil\r\n", "BYPASS host"),
        ("GET http://evil/ HTTP/1.1\r\nHost: one\r\n", "BYPASS host"),
        ("GET / HTTP/1.1\r\nHost: one\r\nHost: evil\r\n", "BYPASS host"),
        ("GET / HTTP/1.1\r\nHost: one\r\nX-Forwarded-Host: evil\r\n", "HIT"),
    ] {
        let mut connection = Connection::open(address).await;
        connection.write(&format!("{head}\r\n")).await;
        let answer = connection.answer(false).await;
        assert_eq!(answer.became(), became, "{head}");
        if became != "BYPASS host" {
            assert_eq!(
                answer.text().contains("evil"),
                became == "MISS" && head.contains("evil"),
                "{head}"
            );
        }
    }
}

#[tokio::test]
async fn no_content_of_a_part_reads_as_its_end() {
    let part = |name: &'static str| {
        move |view: larder::RequestView<'_>| {
            view.headers
                .get(name)
                .map(|value| value.to_str().unwrap().replace('~', "\0"))
        }
    };
    let layer = || {
        larder()
            .hot_cache("parts")
            .key_header("x-h")
            .key_header("x-i")
            .key_part(part("x-a"))
            .key_part(part("x-b"))
    };
    let echo = |headers: HeaderMap| async move {
        format!("{:?}", headers.get_all("x-h").iter().collect::<Vec<_>>())
    };
    let cases: [&[(&str, &str)]; 15] = [
        &[],
        &[("x-h", "")],
        &[("x-h", "1")],
        &[("x-h", "1"), ("x-h", "2")],
        &[("x-h", "1, 2")],
        &[("x-h", "1"), ("x-i", "2")],
        &[("x-i", "1")],
        &[("x-i", "")],
        &[("x-a", "")],
        &[("x-b", "")],
        &[("x-a", "1~2")],
        &[("x-a", "1"), ("x-b", "2")],
        &[("x-a", "1~"), ("x-b", "2")],
        &[("x-a", "1"), ("x-b", "~2")],
        &[("x-a", "~"), ("x-b", "~~")],
    ];
    let app = Router::new().route("/", route_get(echo).layer(layer()));
    for x_cache in ["MISS", "HIT"] {
        for lines in cases {
            assert_eq!(
                send(&app, get_with("/", lines)).await.x_cache(),
                x_cache,
                "{lines:?}"
            );
        }
    }
}

#[tokio::test]
async fn no_value_of_a_varied_header_reads_as_another() {
    let handler = || async { ([("vary", "x-a, x-b")], "x") };
    let layer = larder().hot_cache("vary").pass_header("x-a").pass_header("x-b");
    let app = Router::new().route("/", route_get(handler).layer(layer));
    let cases: [&[(&str, &str)]; 7] = [
        &[],
        &[("x-a", "")],
        &[("x-b", "")],
        &[("x-a", "1"), ("x-b", "2")],
        &[("x-a", "1\tx-b\t2")],
        &[("x-a", "1"), ("x-a", "2")],
        &[("x-a", "1, 2")],
    ];
    for x_cache in ["MISS", "HIT"] {
        for lines in cases {
            assert_eq!(
                send(&app, get_with("/", lines)).await.x_cache(),
                x_cache,
                "{lines:?}"
            );
        }
    }
}

/// Takes `X-User` for a verified name.
fn named(parts: &Parts) -> impl Future<Output = Option<Identity>> + Send + use<> {
    let name = parts
        .headers
        .get("x-user")
        .map(|name| name.to_str().unwrap().replace('~', "\n"));
    async move { name.map(Identity::new) }
}

#[tokio::test]
async fn a_name_that_looks_like_a_pattern_is_a_name() {
    const NAMES: [&str; 7] = ["ada", "*", "a*", "ada:1", "ada~", "?da", "{ada}"];
    let larder = larder();
    let app = Router::new().route(
        "/{id}",
        route_get(|| async { "x" }).layer(larder.user_cache("user", named)),
    );
    for forgotten in NAMES {
        let ask = async |name| {
            send(&app, get_with("/1", &[("x-user", name)]))
                .await
                .x_cache()
                .to_owned()
        };
        for name in NAMES {
            ask(name).await;
            assert_eq!(ask(name).await, "HIT", "{name}");
        }
        assert_eq!(
            larder
                .invalidate_identity(&forgotten.replace('~', "\n"))
                .await
                .unwrap()
                .known,
            1
        );
        for name in NAMES {
            assert_eq!(
                ask(name).await,
                if name == forgotten { "MISS" } else { "HIT" },
                "{name} after {forgotten}"
            );
        }
    }
    for nothing in ["*", "/*", "/1*", "ada"] {
        assert_eq!(
            larder.invalidate_tag(nothing).await.unwrap().known,
            0,
            "{nothing}"
        );
        assert_eq!(
            larder.invalidate_uri(nothing).await.unwrap().known,
            0,
            "{nothing}"
        );
    }
}

#[tokio::test]
async fn the_name_of_a_file_keeps_nothing() {
    let larder = larder();
    let account = |headers: HeaderMap| async move {
        headers
            .get("x-user")
            .map_or("nobody", |name| name.to_str().unwrap())
            .to_owned()
    };
    let app = Router::new()
        .route("/plain/{*rest}", route_get(account).layer(larder.cache("plain")))
        .route(
            "/user/{*rest}",
            route_get(account).layer(larder.user_cache("user", named).pass_header("x-user")),
        );
    for name in [
        "x.css",
        "x.js",
        "x.png",
        "x%2fx.ico",
        "favicon.ico",
        "x;.css",
        "x%00.css",
    ] {
        for _ in 0..2 {
            let answer = get(&app, &format!("/plain/{name}")).await;
            assert_eq!(
                answer.became(),
                "MISS status",
                "a layer without a lifetime keeps what names its own"
            );
        }
        let victim = send(&app, get_with(&format!("/user/{name}"), &[("x-user", "ada")])).await;
        assert_eq!(victim.text(), "ada");
        let thief = send(&app, get_with(&format!("/user/{name}"), &[("x-user", "grace")])).await;
        assert_eq!((thief.text(), thief.x_cache()), ("grace", "MISS"));
        assert_eq!(
            get(&app, &format!("/user/{name}")).await.became(),
            "BYPASS no_identity"
        );
    }
}

#[tokio::test]
async fn a_flood_of_queries_and_variants_stays_in_its_bounds_and_the_hot_stay() {
    // Unoptimised code takes as long for fewer, and these fill the memory many times over too.
    const FLOOD: usize = if cfg!(debug_assertions) { 30_000 } else { 100_000 };
    const HOT: usize = 50;
    let (larder, _) = support::cache(4 << 20);
    let handler = |_: Request| async {
        let response = Response::builder().header("vary", "accept-language");
        Ok::<_, Infallible>(response.body(Body::from(vec![b'x'; 1000])).unwrap())
    };
    let app = larder.hot_cache("flood").etag(false).layer(service_fn(handler));
    for hot in 0..HOT * 3 {
        get(&app, &format!("/hot?{}", hot % HOT)).await;
    }
    let (mut asked, mut hits) = (0, 0);
    for unique in 0..FLOOD {
        let request = if unique % 2 == 0 {
            get_with(&format!("/flood?{unique}"), &[])
        } else {
            get_with("/flood", &[("accept-language", &unique.to_string())])
        };
        assert_eq!(
            app.clone().oneshot(request).await.unwrap().headers()["x-cache"],
            "MISS"
        );
        if unique % 10 == 0 {
            let hot = app
                .clone()
                .oneshot(get_with(&format!("/hot?{}", asked % HOT), &[]))
                .await
                .unwrap();
            hits += usize::from(hot.headers()["x-cache"] == "HIT");
            asked += 1;
        }
        if unique % 1000 == 0 {
            let size = larder.size();
            assert!(
                size.bytes <= size.capacity && size.capacity <= 4 << 20,
                "{size:?}"
            );
            assert!(size.entries < 4000 && size.tags < 8000, "{size:?}");
        }
    }
    assert!(hits * 10 >= asked * 9, "{hits} of {asked} for the hot");
    get(&app, "/new").await;
    assert_eq!(
        get(&app, "/new").await.x_cache(),
        "HIT",
        "what is asked for now finds its place"
    );
}

type Pending = Pin<Box<dyn Future<Output = Response<Body>>>>;

/// A request that came as far as it can without the gate.
fn under_way(app: &Router, lines: &[(&str, &str)]) -> Pending {
    let (app, request) = (app.clone(), get_with("/", lines));
    let mut pending: Pending = Box::pin(async move { app.oneshot(request).await.unwrap() });
    assert!(is_pending(&mut pending));
    pending
}

/// An app whose handler waits at the gate, then answers with these headers, its run and the language.
fn gated(larder: &Larder, headers: &'static [(&'static str, &'static str)]) -> (Router, Gate, Calls) {
    let (gate, calls) = (Gate::new(), Calls::default());
    let (at, runs) = (gate.clone(), calls.clone());
    let handler = move |seen: HeaderMap| {
        let (gate, run) = (at.clone(), runs.next());
        async move {
            gate.pass().await;
            let language = seen
                .get("accept-language")
                .map_or("-", |value| value.to_str().unwrap());
            (
                AppendHeaders(headers.iter().copied()),
                format!("{run} {language}"),
            )
        }
    };
    let layer = larder.hot_cache("gated").wait(Duration::from_secs(600));
    (
        Router::new().route("/", route_get(handler).layer(layer)),
        gate,
        calls,
    )
}

#[tokio::test]
async fn those_who_wait_get_nothing_that_is_anothers() {
    const PRIVATE: [&[(&str, &str)]; 4] = [
        &[("set-cookie", "session=leader")],
        &[("cache-control", "private")],
        &[("cache-control", "no-store")],
        &[("vary", "*")],
    ];
    for headers in PRIVATE {
        let (app, gate, calls) = gated(&larder(), headers);
        let all: Vec<Pending> = (0..4).map(|_| under_way(&app, &[])).collect();
        assert_eq!(calls.count(), 1);
        gate.open(100);
        let mut texts = Vec::new();
        for pending in all {
            texts.push(read(soon(pending).await).await.text().to_owned());
        }
        texts.sort_unstable();
        assert_eq!(texts, ["1 -", "2 -", "3 -", "4 -"], "{headers:?}");
    }
}

#[tokio::test]
async fn those_who_wait_get_their_own_variant() {
    let (app, gate, calls) = gated(&larder(), &[("vary", "accept-language")]);
    let languages = ["de", "en", "de", "fr", "en", "de"];
    let all: Vec<Pending> = languages
        .iter()
        .map(|it| under_way(&app, &[("accept-language", it)]))
        .collect();
    assert_eq!(calls.count(), 1, "that they vary is not known yet");
    gate.open(100);
    for (pending, language) in all.into_iter().zip(languages) {
        let answer = read(soon(pending).await).await;
        assert_eq!(answer.text().split_once(' ').unwrap().1, language);
    }
    assert_eq!(calls.count(), 3);
}

/// A key that cannot be written must not become one that all such requests share.
#[tokio::test]
async fn those_who_wait_wait_for_their_own_query() {
    let (gate, calls) = (Gate::new(), Calls::default());
    let (at, runs) = (gate.clone(), calls.clone());
    let handler = move |uri: Uri| {
        runs.next();
        let gate = at.clone();
        async move {
            gate.pass().await;
            uri.to_string()
        }
    };
    let layers = [
        larder().hot_cache("app"),
        larder().gateway_cache("safe", Profile::Safe),
        larder().gateway_cache("rfc", Profile::Rfc),
    ];
    let targets = ["/?a=%1E", "/?b=%1E", "/?a=%1F", "/?a=%00", "/?a=b=", "/?a%3Db="];
    for (nth, layer) in layers.into_iter().enumerate() {
        let app = Router::new().route("/", route_get(handler.clone()).layer(layer));
        let all: Vec<Pending> = targets
            .iter()
            .map(|target| {
                let (app, request) = (app.clone(), get_with(target, &[]));
                let mut pending: Pending = Box::pin(async move { app.oneshot(request).await.unwrap() });
                assert!(is_pending(&mut pending));
                pending
            })
            .collect();
        assert_eq!(calls.count(), targets.len() * (nth + 1));
        gate.open(targets.len());
        for (pending, target) in all.into_iter().zip(targets) {
            assert_eq!(read(soon(pending).await).await.text(), target);
        }
    }
}

#[tokio::test]
async fn those_who_wait_wait_for_their_own_identity() {
    let (gate, calls) = (Gate::new(), Calls::default());
    let (at, runs) = (gate.clone(), calls.clone());
    let handler = move |headers: HeaderMap| {
        runs.next();
        let gate = at.clone();
        async move {
            gate.pass().await;
            headers["x-user"].to_str().unwrap().to_owned()
        }
    };
    let layer = larder()
        .user_cache("user", named)
        .pass_header("x-user")
        .wait(Duration::from_secs(600));
    let app = Router::new().route("/", route_get(handler).layer(layer));
    let names = ["ada", "grace", "ada", "grace"];
    let all: Vec<Pending> = names
        .iter()
        .map(|name| under_way(&app, &[("x-user", name)]))
        .collect();
    gate.open(100);
    for (pending, name) in all.into_iter().zip(names) {
        assert_eq!(read(soon(pending).await).await.text(), name);
    }
    assert_eq!(calls.count(), 2);
}

#[tokio::test]
async fn no_request_leaves_a_mark_that_others_must_not_use_the_cache() {
    let probes: [&[(&str, &str)]; 6] = [
        &[("authorization", "Bearer x")],
        &[("cookie", "a=b")],
        &[("cache-control", "no-store, no-cache")],
        &[("pragma", "no-cache")],
        &[("range", "bytes=0-0")],
        &[("upgrade", "websocket")],
    ];
    for lines in probes {
        let (app, gate, calls) = gated(&larder(), &[]);
        gate.open(1);
        send(&app, get_with("/", lines)).await;
        let kept = usize::from(lines[0].0 == "cache-control" || lines[0].0 == "pragma");
        if kept == 1 {
            assert_eq!(get(&app, "/").await.x_cache(), "HIT", "{lines:?}");
            continue;
        }
        let all: Vec<Pending> = (0..4).map(|_| under_way(&app, &[])).collect();
        assert_eq!(calls.count(), 2, "the others wait for one: {lines:?}");
        gate.open(1);
        for pending in all {
            assert_eq!(read(soon(pending).await).await.text(), "2 -");
        }
        assert_eq!(get(&app, "/").await.x_cache(), "HIT");
    }
}

#[tokio::test]
async fn an_answer_that_was_not_kept_does_not_keep_the_next_out() {
    let handler = |headers: HeaderMap| async move {
        let odd = headers.get("accept-language").is_some_and(|value| value == "odd");
        if odd {
            (StatusCode::NOT_ACCEPTABLE, [("cache-control", "no-store")], "no")
        } else {
            (StatusCode::OK, [("vary", "accept-language")], "yes")
        }
    };
    let app = Router::new().route("/", route_get(handler).layer(larder().hot_cache("page")));
    let odd = send(&app, get_with("/", &[("accept-language", "odd")])).await;
    assert_eq!(
        (odd.status, odd.became().as_str()),
        (StatusCode::NOT_ACCEPTABLE, "MISS no_store")
    );
    for x_cache in ["MISS", "HIT"] {
        let answer = get(&app, "/").await;
        assert_eq!((answer.text(), answer.x_cache()), ("yes", x_cache));
    }
}

#[tokio::test]
async fn an_error_that_one_client_provokes_is_its_own() {
    const PROVOKE: [(&str, &str); 12] = [
        ("range", "bytes=cow"),
        ("range", "bytes=100-"),
        ("if-match", "\"x\""),
        ("if-none-match", "*"),
        ("if-modified-since", "yesterday"),
        ("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("x-http-method-override", "POST"),
        ("x-forwarded-proto", "nothttps"),
        ("content-type", "evil/evil"),
        ("expect", "evil"),
        ("user-agent", "evil"),
        ("x-oversized", "x"),
    ];
    // A handler that answers each of them with an error of its own, which it says may be kept.
    let handler = |headers: HeaderMap| async move {
        let provoked = PROVOKE.iter().any(|(name, _)| headers.contains_key(*name));
        let status = if provoked {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::OK
        };
        (
            status,
            [
                ("cache-control", "max-age=60"),
                ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ],
            "x",
        )
    };
    for (name, value) in PROVOKE {
        let app = Router::new().route("/", route_get(handler).layer(larder().hot_cache("page")));
        send(&app, get_with("/", &[(name, value)])).await;
        let clean = get(&app, "/").await;
        assert_eq!((clean.status, clean.text()), (StatusCode::OK, "x"), "{name}");
        assert_eq!(get(&app, "/").await.x_cache(), "HIT", "{name}");
    }
}

#[tokio::test]
async fn neither_a_head_nor_a_part_answers_a_get() {
    let handler = |request: Request| async move {
        let kept = Response::builder().header("cache-control", "max-age=60");
        let head = request.method() == "HEAD";
        let response = match request.uri().path() {
            "/unasked" => kept.status(206).body("part"),
            "/content-range" => kept.header("content-range", "bytes 0-3/10").body("part"),
            "/304" => kept.status(304).body(""),
            _ if head => kept.body(""),
            _ if request.headers().contains_key("range") => kept.status(206).body("part"),
            _ => kept.body("whole"),
        };
        response.unwrap().map(Body::from)
    };
    let app = Router::new().fallback(handler).layer(larder().hot_cache("parts"));
    for path in ["/unasked", "/content-range", "/304"] {
        for _ in 0..2 {
            assert_eq!(get(&app, path).await.became(), "MISS status", "{path}");
        }
    }
    for first in [
        request("HEAD", "/", &[]),
        get_with("/", &[("range", "bytes=0-3")]),
        request("HEAD", "/", &[("range", "bytes=0-")]),
    ] {
        assert_eq!(send(&app, first).await.x_cache(), "BYPASS");
    }
    for x_cache in ["MISS", "HIT"] {
        let whole = get(&app, "/").await;
        assert_eq!(
            (whole.status, whole.text(), whole.x_cache()),
            (StatusCode::OK, "whole", x_cache)
        );
    }
}

/// Answers with a body that does not end as it should, by the path.
async fn cut(request: Request) -> Response<Body> {
    let (frames, body) = support::sent_body();
    let response = match request.uri().path() {
        "/short" | "/broken-of-known-length" => Response::builder().header("content-length", "10"),
        "/long" => Response::builder().header("content-length", "3"),
        _ => Response::builder(),
    };
    frames.send("cut ");
    frames.send("off");
    if request.uri().path().starts_with("/broken") {
        frames.fail();
    }
    if request.uri().path() == "/trailers" {
        frames.trailers(HeaderMap::new());
    }
    response.body(Body::new(body)).unwrap()
}

#[tokio::test]
async fn a_body_cut_short_is_not_kept() {
    let larder = larder();
    let app = Router::new().fallback(cut).layer(larder.hot_cache("cut"));
    for path in [
        "/short",
        "/long",
        "/broken",
        "/broken-of-known-length",
        "/trailers",
    ] {
        for _ in 0..2 {
            let response = app.clone().oneshot(get_with(path, &[])).await.unwrap();
            assert_eq!(response.headers()["x-cache"], "MISS", "{path}");
            let mut body = response.into_body();
            assert_eq!(next_data(&mut body).await.unwrap(), "cut ", "{path}");
            assert_eq!(next_data(&mut body).await.unwrap(), "off", "{path}");
            let end = http_body_util::BodyExt::frame(&mut body).await;
            assert_eq!(
                matches!(end, Some(Err(_))),
                path.starts_with("/broken"),
                "{path}: an error is handed on"
            );
        }
    }
    // The client leaves before the end.
    for _ in 0..2 {
        let response = app.clone().oneshot(get_with("/left", &[])).await.unwrap();
        assert_eq!(response.headers()["x-cache"], "MISS");
        let mut body = response.into_body();
        assert_eq!(next_data(&mut body).await.unwrap(), "cut ");
    }
    assert_eq!(larder.size().entries, 0);
    assert_eq!(get(&app, "/left").await.text(), "cut off");
    let hit = get(&app, "/left").await;
    assert_eq!((hit.text(), hit.x_cache()), ("cut off", "HIT"));
}

#[tokio::test]
async fn headers_of_the_cache_are_the_caches() {
    let handler = || async {
        AppendHeaders([
            ("x-cache", "HIT"),
            ("x-cache-age", "9"),
            ("age", "9"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
        ])
    };
    let app = Router::new().route("/", route_get(handler).layer(larder().hot_cache("page")));
    for x_cache in ["MISS", "HIT"] {
        let answer = get(&app, "/").await;
        assert_eq!(
            (answer.x_cache(), answer.header("age")),
            (x_cache, "9"),
            "an age of before counts"
        );
        assert_eq!(
            (answer.header("x-hop"), answer.header("connection")),
            ("", ""),
            "{x_cache}"
        );
    }
}

#[tokio::test]
async fn a_host_that_is_no_text_is_nobodys() {
    let app = Router::new().fallback(mirror).layer(larder().hot_cache("host"));
    for host in [&b"evil\xe9"[..], b"\xff"] {
        let mut odd = get_with("/", &[]);
        odd.headers_mut()
            .insert("host", http::HeaderValue::from_bytes(host).unwrap());
        let answer = send(&app, odd).await;
        assert_eq!(answer.became(), "BYPASS host");
        assert!(answer.text().contains("host"));
    }
    let none = get(&app, "/").await;
    assert_eq!((none.x_cache(), none.text().contains("host")), ("MISS", false));
}

/// A refusal of what one request asks beside its target is for that request, whatever lifetime it has.
#[tokio::test]
async fn an_answer_to_what_one_request_asks_is_not_kept() {
    for status in [412, 416, 417] {
        let status = StatusCode::from_u16(status).unwrap();
        let layer = larder()
            .hot_cache("page")
            .ttl_for(status, Duration::from_secs(60));
        let refuse = move || async move { (status, [("cache-control", "max-age=60")]) };
        let app = Router::new().route("/", route_get(refuse).layer(layer));
        for _ in 0..2 {
            assert_eq!(get(&app, "/").await.became(), "MISS status", "{status}");
        }
    }
}

#[tokio::test]
async fn what_the_cache_says_of_itself_never_names_the_key_and_can_be_silenced() {
    let app = Router::new()
        .fallback(|| async { "x" })
        .layer(larder().hot_cache("loud"));
    for lines in [
        &[][..],
        &[],
        &[("range", "bytes=0-0")],
        &[("authorization", "secret")],
    ] {
        let answer = send(&app, get_with("/secret?token=1", lines)).await;
        let said = answer.cache_status();
        assert!(said.starts_with("larder; "), "{said}");
        assert!(!said.contains("key") && !said.contains("secret"), "{said}");
    }
    let silent = larder()
        .hot_cache("silent")
        .cache_status_header(false)
        .x_cache_header(false)
        .x_cache_age_header(false)
        .age_header(false);
    let app = Router::new().fallback(|| async { "x" }).layer(silent);
    for lines in [
        &[][..],
        &[],
        &[("range", "bytes=0-0")],
        &[("authorization", "secret")],
    ] {
        let answer = send(&app, get_with("/", lines)).await;
        for name in ["cache-status", "x-cache", "x-cache-age", "age"] {
            assert_eq!(answer.header(name), "", "{lines:?}");
        }
    }
}
