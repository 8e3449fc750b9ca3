//! Where a layer can be laid: on a method, a route, a router, a nest, a whole app, a file service, any tower service.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends with the first surprise"
)]

mod support;

use std::cell::Cell;
use std::convert::Infallible;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Path;
use axum::routing::{get as route_get, post};
use axum::{Router, extract::OriginalUri};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body::Frame;
use larder::{CacheLayer, Identity, Larder, UnkeyedHeaders};
use support::{Answer, Calls, Connection, get, get_with, read, request, send, serve, soon};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http::services::ServeDir;

fn larder() -> Larder {
    support::cache(16 << 20).0
}

/// Asks for each path twice: a miss and a hit, both with the text that belongs to the path.
async fn miss_then_hit(app: &Router, expected: &[(&str, &str)]) {
    for x_cache in ["MISS", "HIT"] {
        for (path, text) in expected {
            let answer = get(app, path).await;
            assert_eq!((answer.text(), answer.x_cache()), (*text, x_cache), "{path}");
        }
    }
}

#[tokio::test]
async fn on_a_method_router() {
    let larder = larder();
    let methods = route_get(|| async { "read" }).post(|| async { "written" });
    let both = Router::new().route("/", methods.clone().layer(larder.hot_cache("layer")));
    let routed = Router::new().route("/", methods.route_layer(larder.hot_cache("route_layer")));
    for app in [both, routed] {
        miss_then_hit(&app, &[("/", "read")]).await;
        let written = send(&app, request("POST", "/", &[])).await;
        assert_eq!((written.text(), written.x_cache()), ("written", "BYPASS"));
        let head = send(&app, request("HEAD", "/", &[])).await;
        assert_eq!(
            (head.text(), head.x_cache(), head.header("content-length")),
            ("", "HIT", "4")
        );
    }
}

#[tokio::test]
async fn on_a_router_and_as_its_route_layer() {
    let larder = larder();
    let routes = || {
        Router::new().route("/a", route_get(|| async { "a" })).route(
            "/b/{id}",
            route_get(|Path(id): Path<u8>| async move { format!("b{id}") }),
        )
    };
    let expected = [("/a", "a"), ("/b/1", "b1"), ("/b/2", "b2")];
    miss_then_hit(&routes().layer(larder.hot_cache("layer")), &expected).await;
    miss_then_hit(&routes().route_layer(larder.hot_cache("route_layer")), &expected).await;
    let merged = routes().layer(larder.hot_cache("merged"));
    let app = Router::new()
        .route("/c", route_get(|| async { "c" }))
        .merge(merged);
    miss_then_hit(&app, &expected).await;
    assert_eq!(get(&app, "/c").await.x_cache(), "", "no layer is laid around it");
}

/// Answers with the name of the resource and what the handler sees of the URI.
fn resource(name: &'static str) -> axum::routing::MethodRouter {
    route_get(move |uri: Uri, Path(id): Path<u8>| async move { format!("{name} {id} at {uri}") })
}

#[tokio::test]
async fn under_nests_the_same_inner_uri_is_not_the_same_entry() {
    let larder = larder();
    let expected = [("/users/7", "users 7 at /7"), ("/orders/7", "orders 7 at /7")];
    let layer = larder.hot_cache("one layer, many places");
    let inner = |name| Router::new().route("/{id}", resource(name).layer(layer.clone()));
    let app = Router::new()
        .nest("/users", inner("users"))
        .nest("/orders", inner("orders"));
    miss_then_hit(&app, &expected).await;

    let layer = larder.hot_cache("on the nested router");
    let inner = |name| Router::new().route("/{id}", resource(name)).layer(layer.clone());
    let app = Router::new()
        .nest("/users", inner("users"))
        .nest("/orders", inner("orders"));
    miss_then_hit(&app, &expected).await;

    let layer = larder.hot_cache("as a service");
    let inner = |name| layer.layer(Router::new().route("/{id}", resource(name)));
    let app = Router::new()
        .nest_service("/users", inner("users"))
        .nest_service("/orders", inner("orders"));
    miss_then_hit(&app, &expected).await;
}

#[tokio::test]
async fn under_a_nest_with_a_parameter_each_value_has_its_entry() {
    let larder = larder();
    let tenant = |Path(tenant): Path<String>| async move { tenant };
    let inner = Router::new().route("/home", route_get(tenant).layer(larder.hot_cache("home")));
    let app = Router::new().nest("/{tenant}", inner);
    miss_then_hit(&app, &[("/ada/home", "ada"), ("/grace/home", "grace")]).await;
    assert_eq!(
        larder.invalidate_prefix("/ada").await.unwrap().known,
        1,
        "by the client's path"
    );
    assert_eq!(get(&app, "/ada/home").await.x_cache(), "MISS");
    assert_eq!(get(&app, "/grace/home").await.x_cache(), "HIT");
}

#[tokio::test]
async fn around_a_whole_router() {
    let larder = larder();
    let router = Router::new()
        .nest("/users", Router::new().route("/{id}", resource("users")))
        .nest("/orders", Router::new().route("/{id}", resource("orders")))
        .route(
            "/original",
            route_get(|OriginalUri(uri): OriginalUri| async move { uri.to_string() }),
        );
    let app = larder.hot_cache("app").layer(router);
    let paths = ["/users/7", "/orders/7", "/original?a=1"];
    for x_cache in ["MISS", "HIT"] {
        for path in paths {
            assert_eq!(get(&app, path).await.x_cache(), x_cache, "{path}");
        }
    }
    // As a service of its own, behind a server.
    let served = Router::new().fallback_service(app);
    let mut connection = Connection::open(serve(served).await).await;
    assert_eq!(
        connection.get("/users/7", "").await.x_cache(),
        "MISS",
        "another host"
    );
    let hit = connection.get("/users/7", "").await;
    assert_eq!((hit.text(), hit.x_cache()), ("users 7 at /7", "HIT"));
}

fn cache_statuses(answer: &Answer) -> Vec<&str> {
    let lines = answer.headers.get_all("cache-status");
    lines.iter().map(|line| line.to_str().unwrap()).collect()
}

#[tokio::test]
async fn what_a_layer_tells_clients_binds_the_layers_around_it() {
    let larder = larder();
    let inner = route_get(|| async { "x" }).layer(larder.hot_cache("inner"));
    let app = Router::new().route("/", inner).layer(larder.hot_cache("outer"));
    get(&app, "/").await;
    let hit = get(&app, "/").await;
    let around = "larder; fwd=uri-miss; fwd-status=200; detail=no_cache";
    assert_eq!(
        cache_statuses(&hit),
        ["larder; hit; ttl=300", around],
        "the nearest to the handler first"
    );
}

#[tokio::test]
async fn an_age_goes_on_through_a_layer_around() {
    let (larder, clock) = support::cache(1 << 20);
    let inner = route_get(|| async { "x" }).layer(larder.static_cache("inner"));
    let other = inner.clone();
    let app = Router::new()
        .route("/", inner)
        .layer(larder.static_cache("outer"));
    get(&Router::new().route("/", other), "/").await;
    clock.advance(Duration::from_secs(600));
    assert_eq!(get(&app, "/").await.header("age"), "600");
    clock.advance(Duration::from_secs(60));
    let hit = get(&app, "/").await;
    assert_eq!(
        (hit.header("age"), cache_statuses(&hit)),
        ("660", vec!["larder; hit; ttl=3540"])
    );
}

/// A directory with one file in it, served behind a count of requests, behind a layer.
fn files(name: &str, layer: &CacheLayer, calls: &Calls) -> Router {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("digits.txt"), "0123456789").unwrap();
    let (files, calls) = (ServeDir::new(directory), calls.clone());
    let counted = service_fn(move |request: Request<Body>| {
        calls.next();
        files.clone().oneshot(request)
    });
    Router::new().fallback_service(layer.layer(counted))
}

#[tokio::test]
async fn around_a_directory() {
    let (larder, calls) = (larder(), Calls::default());
    let app = files("placement-plain", &larder.static_cache("files"), &calls);
    let miss = get(&app, "/digits.txt").await;
    assert_eq!((miss.text(), miss.x_cache()), ("0123456789", "MISS"));
    let modified = miss.header("last-modified").to_owned();
    assert_ne!(modified, "");
    let hit = get(&app, "/digits.txt").await;
    assert_eq!(
        (hit.text(), hit.x_cache(), hit.header("content-type")),
        ("0123456789", "HIT", "text/plain")
    );
    let unchanged = send(&app, get_with("/digits.txt", &[("if-modified-since", &modified)])).await;
    assert_eq!(
        (unchanged.status, unchanged.x_cache()),
        (StatusCode::NOT_MODIFIED, "HIT")
    );
    let old = [("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT")];
    assert_eq!(
        send(&app, get_with("/digits.txt", &old)).await.status,
        StatusCode::OK
    );
    let part = send(&app, get_with("/digits.txt", &[("range", "bytes=2-4")])).await;
    assert_eq!(
        (part.status, part.text(), part.x_cache()),
        (StatusCode::PARTIAL_CONTENT, "234", "HIT")
    );
    assert_eq!(part.header("content-range"), "bytes 2-4/10");
    assert_eq!(part.header("content-length"), "");
    assert_eq!(calls.count(), 1);
    for _ in 0..2 {
        let missing = get(&app, "/none.txt").await;
        assert_eq!(
            (missing.status, missing.became().as_str()),
            (StatusCode::NOT_FOUND, "MISS status")
        );
    }
}

#[tokio::test]
async fn around_a_directory_a_condition_first_leaves_the_file_whole() {
    let (larder, calls) = (larder(), Calls::default());
    let seeing_all = larder
        .static_cache("seeing all")
        .unkeyed_headers(UnkeyedHeaders::Pass);
    for layer in [larder.static_cache("files"), seeing_all] {
        let app = files("placement-condition", &layer, &calls);
        // The directory would answer 304; it must not see the condition.
        let lines = [("if-modified-since", "Fri, 31 Dec 2100 00:00:00 GMT")];
        assert_eq!(
            send(&app, get_with("/digits.txt", &lines)).await.x_cache(),
            "MISS"
        );
        let whole = get(&app, "/digits.txt").await;
        assert_eq!(
            (whole.status, whole.text(), whole.x_cache()),
            (StatusCode::OK, "0123456789", "HIT")
        );
    }
}

#[tokio::test]
async fn around_a_directory_a_range_first_is_passed_through_and_not_kept() {
    let (larder, calls) = (larder(), Calls::default());
    let app = files("placement-range", &larder.static_cache("files"), &calls);
    for run in 1..=2 {
        let part = send(&app, get_with("/digits.txt", &[("range", "bytes=-3")])).await;
        assert_eq!((part.status, part.text()), (StatusCode::PARTIAL_CONTENT, "789"));
        assert_eq!((part.became().as_str(), calls.count()), ("BYPASS range", run));
    }
    let whole = get(&app, "/digits.txt").await;
    assert_eq!(
        (whole.status, whole.text(), whole.x_cache()),
        (StatusCode::OK, "0123456789", "MISS")
    );
    let part = send(&app, get_with("/digits.txt", &[("range", "bytes=-3")])).await;
    assert_eq!((part.text(), part.x_cache(), calls.count()), ("789", "HIT", 3));
}

/// An error that a service of this test has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refused(u32);

/// A body whose data are no `Bytes`, which is not `Sync`, and whose error is of a type of its own.
struct Odd {
    left: Vec<Result<&'static str, Refused>>,
    _not_sync: Cell<()>,
}

impl http_body::Body for Odd {
    type Data = std::io::Cursor<Vec<u8>>;
    type Error = Refused;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Refused>>> {
        let next = self.left.pop();
        Poll::Ready(next.map(|data| data.map(|data| Frame::data(std::io::Cursor::new(data.into())))))
    }
}

/// Answers `/…` by its path: a body, a body that breaks, or an error.
async fn odd(request: Request<Body>) -> Result<Response<Odd>, Refused> {
    let left = match request.uri().path() {
        "/whole" => vec![Ok("body"), Ok("odd ")],
        "/broken" => vec![Err(Refused(1)), Ok("half")],
        _ => return Err(Refused(2)),
    };
    Ok(Response::new(Odd {
        left,
        _not_sync: Cell::new(()),
    }))
}

#[tokio::test]
async fn around_a_plain_service_with_a_body_and_an_error_of_its_own() {
    let larder = larder();
    let service = larder.hot_cache("odd").layer(service_fn(odd));
    assert_eq!(get(&service, "/whole").await.text(), "odd body");
    let hit = get(&service, "/whole").await;
    assert_eq!((hit.text(), hit.x_cache()), ("odd body", "HIT"));
    for _ in 0..2 {
        let error = service.clone().oneshot(get_with("/none", &[])).await.unwrap_err();
        assert_eq!(error, Refused(2), "the error is the service's own");
        let error = service
            .clone()
            .oneshot(request("POST", "/none", &[]))
            .await
            .unwrap_err();
        assert_eq!(error, Refused(2));
        let broken = service.clone().oneshot(get_with("/broken", &[])).await.unwrap();
        let mut body = broken.into_body();
        assert_eq!(support::next_data(&mut body).await.unwrap(), "half");
        let error = http_body_util::BodyExt::frame(&mut body)
            .await
            .unwrap()
            .unwrap_err();
        assert_eq!(error, Refused(1), "the error of a body is its own");
    }
    assert_eq!(larder.size().entries, 1);
}

#[tokio::test]
async fn an_unknown_path_is_not_kept_unless_its_status_has_a_lifetime() {
    let larder = larder();
    let routes = || Router::new().route("/", route_get(|| async { "x" }));
    let app = routes().layer(larder.hot_cache("plain"));
    for _ in 0..2 {
        let answer = get(&app, "/none").await;
        assert_eq!(
            (answer.status, answer.became().as_str()),
            (StatusCode::NOT_FOUND, "MISS status")
        );
    }
    let ten = Duration::from_secs(10);
    let app = routes().layer(larder.hot_cache("negative").ttl_for(StatusCode::NOT_FOUND, ten));
    for x_cache in ["MISS", "HIT"] {
        let answer = get(&app, "/none").await;
        assert_eq!(
            (answer.status, answer.x_cache()),
            (StatusCode::NOT_FOUND, x_cache)
        );
    }
    assert!(get(&app, "/none").await.cache_status().ends_with("; ttl=10"));
}

#[tokio::test]
async fn a_method_that_a_route_has_not_is_not_kept() {
    let larder = larder();
    let routes = || Router::new().route("/form", post(|| async { "sent" }));
    let app = routes().route_layer(larder.hot_cache("form"));
    for _ in 0..2 {
        let answer = get(&app, "/form").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(
            (answer.header("allow"), answer.became().as_str()),
            ("POST", "MISS status")
        );
    }
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let app = routes().route_layer(larder.hot_cache("kept").ttl_for(status, Duration::from_secs(10)));
    for x_cache in ["MISS", "HIT"] {
        let answer = get(&app, "/form").await;
        assert_eq!(
            (answer.status, answer.header("allow"), answer.x_cache()),
            (status, "POST", x_cache)
        );
    }
    assert_eq!(send(&app, request("POST", "/form", &[])).await.text(), "sent");
}

/// A service that panics when it is called without having been asked whether it is ready; a clone was never asked.
struct Strict {
    ready: bool,
    refuses: Arc<AtomicBool>,
    calls: Calls,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self {
            ready: false,
            refuses: Arc::clone(&self.refuses),
            calls: self.calls.clone(),
        }
    }
}

impl Service<Request<Body>> for Strict {
    type Response = Response<Body>;
    type Error = Refused;
    type Future = std::future::Ready<Result<Response<Body>, Refused>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        if self.refuses.load(Ordering::SeqCst) {
            return Poll::Ready(Err(Refused(3)));
        }
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(
            std::mem::take(&mut self.ready),
            "it was not asked whether it is ready"
        );
        let run = self.calls.next();
        std::future::ready(Ok(Response::new(Body::from(format!("run {run}")))))
    }
}

fn strict() -> Strict {
    Strict {
        ready: false,
        refuses: Arc::default(),
        calls: Calls::default(),
    }
}

/// What became of a request to a service that was asked whether it is ready, as a server does.
async fn called<S, B>(service: &mut S, request: Request<Body>) -> String
where
    S: Service<Request<Body>, Response = Response<B>, Error = Refused>,
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    let response = service.ready().await.unwrap().call(request).await.unwrap();
    let answer = read(response).await;
    format!("{} {}", answer.text(), answer.x_cache())
}

#[tokio::test]
async fn a_service_is_called_only_when_it_is_ready() {
    let (larder, service) = (larder(), strict());
    let mut shared = larder.hot_cache("shared").layer(service.clone());
    for expected in ["run 1 MISS", "run 1 HIT", "run 1 HIT"] {
        assert_eq!(called(&mut shared, get_with("/", &[])).await, expected);
    }
    assert_eq!(
        called(&mut shared, request("POST", "/", &[])).await,
        "run 2 BYPASS"
    );
    assert_eq!(called(&mut shared, get_with("/2", &[])).await, "run 3 MISS");
    assert_eq!(called(&mut shared, get_with("/2", &[])).await, "run 3 HIT");
    larder.set_enabled(false);
    assert_eq!(called(&mut shared, get_with("/2", &[])).await, "run 4 BYPASS");
    larder.set_enabled(true);
    let identify = |_: &http::request::Parts| async { Some(Identity::new("ada")) };
    let mut user = larder.user_cache("user", identify).layer(service.clone());
    for expected in ["run 5 MISS", "run 5 HIT"] {
        assert_eq!(called(&mut user, get_with("/", &[])).await, expected);
    }
    assert_eq!(service.calls.count(), 5);
}

#[tokio::test]
async fn a_background_fill_calls_a_service_that_is_ready() {
    let (larder, clock) = support::cache(1 << 20);
    let window = Duration::from_secs(60);
    let mut service = larder
        .hot_cache("swr")
        .stale_while_revalidate(window)
        .layer(strict());
    assert_eq!(called(&mut service, get_with("/", &[])).await, "run 1 MISS");
    clock.advance(Duration::from_secs(301));
    assert_eq!(called(&mut service, get_with("/", &[])).await, "run 1 STALE");
    soon(larder.idle()).await;
    assert_eq!(called(&mut service, get_with("/", &[])).await, "run 2 HIT");
}

/// A service that is never ready.
#[derive(Clone)]
struct Busy;

impl Service<Request<Body>> for Busy {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Pending
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        unreachable!("it is never ready")
    }
}

#[tokio::test]
async fn backpressure_is_handed_on() {
    let larder = larder();
    let mut busy = larder.hot_cache("busy").layer(Busy);
    let mut context = Context::from_waker(Waker::noop());
    assert!(Service::<Request<Body>>::poll_ready(&mut busy, &mut context).is_pending());
    let inner = strict();
    let mut service = larder.hot_cache("refuses").layer(inner.clone());
    assert_eq!(called(&mut service, get_with("/", &[])).await, "run 1 MISS");
    inner.refuses.store(true, Ordering::SeqCst);
    assert_eq!(
        service.ready().await.map(drop).unwrap_err(),
        Refused(3),
        "also where a hit would do"
    );
}

#[tokio::test]
async fn hosts_are_told_apart_in_both_versions_of_http() {
    let larder = larder();
    let host = |headers: HeaderMap, uri: Uri| async move {
        let host = headers.get("host").map(|host| host.to_str().unwrap().to_owned());
        host.or_else(|| uri.authority().map(ToString::to_string))
            .unwrap_or_default()
    };
    let app = Router::new()
        .route("/", route_get(host))
        .layer(larder.hot_cache("host"));
    for x_cache in ["MISS", "HIT"] {
        for name in ["a.example", "b.example", "b.example:8080"] {
            // HTTP/2 has the authority in the URI and no `Host`.
            let two = get(&app, &format!("http://{name}/")).await;
            assert_eq!((two.text(), two.x_cache()), (name, x_cache), "HTTP/2");
            let one = send(&app, get_with("/", &[("host", name)])).await;
            assert_eq!((one.text(), one.x_cache()), (name, x_cache), "HTTP/1");
        }
        let nobody = get(&app, "/").await;
        assert_eq!((nobody.text(), nobody.x_cache()), ("", x_cache));
    }
}
