//! A site on which each reason of a miss, of a bypass, and of an answer that is not kept can be brought about by a command.
//!
//! `cargo run --example reasons [-- --listen 127.0.0.1:3001] [--redis URL]`; the guide's page of the reasons has the commands.
//! With `--redis`, which needs the feature `redis`, entries are on the server alone. `/metrics` says what was counted.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, SET_COOKIE, VARY};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Router};
use http_body::Frame;
use larder::{CacheHints, CacheLayer, FillPolicy, Identity, Larder, Profile, Values};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::sync::Notify;

const SECOND: Duration = Duration::from_secs(1);

/// A layer as any shared page has one.
fn page(larder: &Larder, name: &'static str) -> CacheLayer {
    larder.cache(name).ttl(60 * SECOND).tag("pages")
}

fn router(larder: &Larder, metrics: PrometheusHandle) -> Router {
    let user = |parts: &Parts| {
        let name = parts.headers.get(AUTHORIZATION).cloned();
        async move { name.and_then(|name| Some(Identity::new(name.to_str().ok()?))) }
    };
    let gateway = larder.gateway_cache("gateway", Profile::Rfc);
    let ruled = page(larder, "ruled").bypass_if(|request| request.uri.query() == Some("preview"));
    Router::new()
        .route("/pages/{page}", get(text).layer(page(larder, "pages")))
        .route("/short", get(text).layer(larder.cache("short").ttl(SECOND)))
        .route("/languages", get(language).layer(page(larder, "languages")))
        .route("/ruled", get(text).layer(ruled))
        .route(
            "/hosted",
            get(text).layer(page(larder, "hosted").hosts(["www.example"])),
        )
        .route("/profile", get(text).layer(larder.user_cache("profile", user)))
        .route(
            "/says/{what}",
            get(says).layer(page(larder, "says").max_body(1000)),
        )
        .route(
            "/unresolved",
            get(text).layer(page(larder, "unresolved").tag("topic:{query.topic}")),
        )
        .route("/overtaken", get(overtaken).layer(page(larder, "overtaken")))
        .route("/slow", get(slow).layer(page(larder, "slow")))
        .route("/origin/{what}", any(origin).layer::<_, Infallible>(gateway))
        .route("/function", get(function))
        .route("/go", post(go))
        .route("/forget", post(forget))
        .route("/intend", post(intend))
        .route("/switch/{to}", post(switch))
        .layer(Extension(Go::default()))
        .with_state(larder.clone())
        .route("/metrics", get(async move || metrics.render()))
}

async fn text() -> &'static str {
    "a page\n"
}

async fn language() -> impl IntoResponse {
    ([(VARY, "accept-language")], "a page\n")
}

/// Answers that are not kept for what they say.
async fn says(Path(what): Path<String>) -> Response {
    let header = |name: HeaderName, value: &'static str| ([(name, value)], "a page\n").into_response();
    match &*what {
        "set-cookie" => header(SET_COOKIE, "session=1"),
        "private" => header(CACHE_CONTROL, "private"),
        "no-store" => header(CACHE_CONTROL, "no-store"),
        "no-cache" => header(CACHE_CONTROL, "no-cache"),
        "max-age-0" => header(CACHE_CONTROL, "max-age=0"),
        "vary-star" => header(VARY, "*"),
        "vary-hidden" => header(VARY, "x-tenant"),
        "events" => header(CONTENT_TYPE, "text/event-stream"),
        "less" => Response::new(Body::new(Broken(Some("a page\n".into())))),
        "large" => "x".repeat(2000).into_response(),
        "hint" => (CacheHints::new().no_store(), "a page\n").into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A body that breaks off.
struct Broken(Option<Bytes>);

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let rest = self.0.take().map(Frame::data);
        Poll::Ready(Some(rest.ok_or_else(|| io::ErrorKind::BrokenPipe.into())))
    }
}

/// What is behind the gateway: what it says of itself differs with what it is asked.
async fn origin(method: Method, Path(what): Path<String>, headers: HeaderMap) -> Response {
    let asked = headers.contains_key(IF_NONE_MATCH) && method != Method::HEAD;
    let changed = method == Method::HEAD || asked && what == "short";
    let tag = if changed { "\"new\"" } else { "\"old\"" };
    let lifetime = if what == "short" {
        "max-age=1"
    } else {
        "max-age=60"
    };
    let status = if asked {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    };
    let mut response = (status, [(ETAG, tag), (CACHE_CONTROL, lifetime)], "a page\n").into_response();
    if what == "groups" {
        let groups: Vec<String> = (0..65).map(|group| format!("\"{group}\"")).collect();
        if let Ok(groups) = HeaderValue::from_str(&groups.join(", ")) {
            response.headers_mut().insert("cache-groups", groups);
        }
    }
    response
}

/// Made of what is changed while it is made.
async fn overtaken(State(larder): State<Larder>) -> Result<&'static str, StatusCode> {
    forget(State(larder)).await?;
    Ok("a page\n")
}

/// Takes until `/go` says so, at most a minute, and names a tag that nobody knew before.
async fn slow(Extension(go): Extension<Go>) -> impl IntoResponse {
    let _ = tokio::time::timeout(60 * SECOND, go.0.notified()).await;
    (CacheHints::new().tag("slow"), "a page\n")
}

/// Lets the slow page go on.
#[derive(Clone, Default)]
struct Go(Arc<Notify>);

async fn go(Extension(go): Extension<Go>) {
    go.0.notify_one();
}

/// The value of a function that stays in this process.
async fn function(State(larder): State<Larder>) -> String {
    let values: Values<u64> = FillPolicy::new("function").in_process(|_| 8);
    let Ok(value) = larder
        .get_or_fill("value", &values, async || Ok::<_, Infallible>(7))
        .await;
    format!("{value}\n")
}

async fn forget(State(larder): State<Larder>) -> Result<(), StatusCode> {
    let forgotten = larder.invalidate_tag("pages").await;
    forgotten.map(drop).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

/// Says that the pages are about to change, and leaves it at that: it ends after two seconds.
async fn intend(State(larder): State<Larder>) -> Result<(), StatusCode> {
    let intent = larder.intend(["pages"], 2 * SECOND).await;
    intent.map(drop).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)
}

/// Switches the layer of the pages `on` or `off`.
async fn switch(State(larder): State<Larder>, Path(to): Path<String>) {
    if let Some(switch) = larder.switch("pages") {
        switch.set(to == "on");
    }
}

#[cfg(feature = "redis")]
async fn on_redis(url: String) -> Result<Larder, Box<dyn Error>> {
    let store = larder::RedisStore::builder(url).namespace("reasons").memory(0);
    // Not for a site: what is late here is so on purpose, and nothing else is to be.
    let store = store.budget(SECOND / 2).connect().await?;
    let mut limits = larder::Limits::default();
    limits.store_timeout = SECOND;
    Ok(Larder::builder(store).limits(limits).build())
}

#[cfg(not(feature = "redis"))]
async fn on_redis(_: String) -> Result<Larder, Box<dyn Error>> {
    Err("--redis needs the feature: cargo run --features redis --example reasons".into())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Before anything is counted.
    let metrics = PrometheusBuilder::new().install_recorder()?;
    let (mut address, mut larder) = ("127.0.0.1:3001".to_owned(), None);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        match (&*name, arguments.next()) {
            ("--listen", Some(value)) => address = value,
            ("--redis", Some(url)) => larder = Some(on_redis(url).await?),
            _ => return Err("usage: reasons [--listen ADDRESS:PORT] [--redis URL]".into()),
        }
    }
    let larder = larder.unwrap_or_else(|| Larder::in_memory(16 << 20));
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    axum::serve(listener, router(&larder, metrics))
        .with_graceful_shutdown(stop)
        .await?;
    larder.shutdown(5 * SECOND).await;
    Ok(())
}
