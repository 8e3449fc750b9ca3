//! The order of layers that the guide gives (`larder::guide::layers`), with the layers that people use.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use axum::{Extension, Router};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use larder::{FakeClock, Identity, Larder, MemoryStore};
use tower::ServiceExt;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::services::ServeDir;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;
use tracing::Span;

/// A text that is worth compressing.
const TEXT: &str = "jam, bread, jam, bread, jam, bread, jam, bread, jam, bread, jam, bread, jam, bread";

fn larder() -> Larder {
    Larder::in_memory(1 << 20)
}

/// A handler that counts its runs.
fn counted(runs: &Arc<AtomicUsize>) -> MethodRouter {
    let runs = Arc::clone(runs);
    get(move || async move {
        runs.fetch_add(1, Ordering::SeqCst);
        TEXT
    })
}

/// An answer, read to its end.
struct Answer {
    status: u16,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Answer {
    /// The value of a header; empty when there is none.
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn x_cache(&self) -> &str {
        self.header("x-cache")
    }

    fn etag(&self) -> &str {
        self.header("etag")
    }
}

async fn ask(app: &Router, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = app
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

const GZIP: (&str, &str) = ("accept-encoding", "gzip");

#[tokio::test]
async fn compression_outside_works_on_each_answer_and_keeps_one_entry() {
    let runs = Arc::default();
    let app = Router::new()
        .route("/", counted(&runs).layer(larder().hot_cache("text")))
        .layer(CompressionLayer::new());

    let plain = ask(&app, &[]).await;
    let encoded = ask(&app, &[GZIP]).await;
    assert_eq!((plain.x_cache(), encoded.x_cache()), ("MISS", "HIT"), "one entry");
    assert_eq!(plain.body, TEXT);
    assert_eq!(encoded.header("content-encoding"), "gzip");
    assert_ne!(encoded.body, TEXT);

    // A strong tag never stands for the encoded bytes: they are not the ones that it is the digest of.
    assert!(plain.etag().starts_with('"'), "{}", plain.etag());
    assert_eq!(encoded.etag(), format!("W/{}", plain.etag()));

    for (sent, tag) in [(&[][..], plain.etag()), (&[GZIP][..], encoded.etag())] {
        let mut conditional = sent.to_vec();
        conditional.push(("if-none-match", tag));
        let unchanged = ask(&app, &conditional).await;
        assert_eq!((unchanged.status, unchanged.x_cache()), (304, "HIT"));
        assert_eq!(unchanged.etag(), tag);
        assert!(unchanged.body.is_empty());
    }
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn compression_inside_keeps_an_entry_and_a_tag_for_each_encoding() {
    let runs = Arc::default();
    let layers = (larder().hot_cache("text"), CompressionLayer::new());
    let app = Router::new().route("/", counted(&runs).layer(layers));

    for sent in [&[][..], &[GZIP][..]] {
        let miss = ask(&app, sent).await;
        assert_eq!(miss.x_cache(), "MISS", "{sent:?}");
    }
    let plain = ask(&app, &[]).await;
    let encoded = ask(&app, &[GZIP]).await;
    assert_eq!((plain.x_cache(), encoded.x_cache()), ("HIT", "HIT"));
    assert_eq!(plain.header("vary"), "accept-encoding");
    assert_eq!(encoded.header("vary"), "accept-encoding");
    assert_eq!(plain.body, TEXT);
    assert_eq!(encoded.header("content-encoding"), "gzip");
    assert_eq!(runs.load(Ordering::SeqCst), 2, "each encoding was made once");

    assert!(plain.etag().starts_with('"'), "{}", plain.etag());
    assert!(encoded.etag().starts_with("W/\""), "{}", encoded.etag());
    assert_ne!(
        encoded.etag().trim_start_matches("W/"),
        plain.etag(),
        "each is of its own bytes"
    );
    for (sent, own, other) in [
        (&[][..], plain.etag(), encoded.etag()),
        (&[GZIP][..], encoded.etag(), plain.etag()),
    ] {
        let with = |tag| [sent, &[("if-none-match", tag)]].concat();
        assert_eq!(ask(&app, &with(own)).await.status, 304, "{sent:?}");
        assert_eq!(ask(&app, &with(other)).await.status, 200, "{sent:?}");
    }
}

#[tokio::test]
async fn cors_outside_answers_each_origin_on_hits_too() {
    let runs = Arc::default();
    let origins = ["https://a.example", "https://b.example"].map(HeaderValue::from_static);
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .expose_headers([header::ETAG]);
    let app = Router::new()
        .route("/", counted(&runs).layer(larder().hot_cache("text")))
        .layer(cors);

    let allowed = |answer: &Answer| answer.header("access-control-allow-origin").to_owned();
    let a = ask(&app, &[("origin", "https://a.example")]).await;
    assert_eq!((a.x_cache(), &*allowed(&a)), ("MISS", "https://a.example"));
    let b = ask(&app, &[("origin", "https://b.example")]).await;
    assert_eq!((b.x_cache(), &*allowed(&b)), ("HIT", "https://b.example"));
    let c = ask(&app, &[("origin", "https://c.example")]).await;
    assert_eq!((c.x_cache(), &*allowed(&c)), ("HIT", ""));
    let tag = a.etag();
    let unchanged = ask(&app, &[("origin", "https://b.example"), ("if-none-match", tag)]).await;
    assert_eq!(
        (unchanged.status, &*allowed(&unchanged)),
        (304, "https://b.example")
    );
}

/// A handler whose first run never ends.
fn stuck_once(runs: &Arc<AtomicUsize>) -> MethodRouter {
    let runs = Arc::clone(runs);
    get(move || async move {
        if runs.fetch_add(1, Ordering::SeqCst) == 0 {
            std::future::pending::<()>().await;
        }
        TEXT
    })
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_timeout_ended_does_not_hang_the_others() {
    let runs = Arc::default();
    let app = Router::new()
        .route("/", stuck_once(&runs).layer(larder().hot_cache("text")))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            Duration::from_secs(2),
        ));
    let leader = {
        let app = app.clone();
        tokio::spawn(async move { ask(&app, &[]).await.status })
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    let others = (0..10).map(|_| {
        let app = app.clone();
        tokio::spawn(async move { ask(&app, &[]).await })
    });
    let others: Vec<_> = others.collect();
    assert_eq!(leader.await.unwrap(), 503);
    let mut made = 0;
    for other in others {
        let answer = other.await.unwrap();
        assert_eq!((answer.status, &*answer.body), (200, TEXT.as_bytes()));
        made += usize::from(answer.x_cache() == "MISS");
    }
    assert_eq!(made, 1, "one took over, and the rest got its answer");
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_inside_lets_a_stale_answer_stand_in() {
    let clock = FakeClock::new();
    let larder = Larder::builder(MemoryStore::with_capacity(1 << 20))
        .clock(clock.clock())
        .build();
    let runs = Arc::new(AtomicUsize::new(1));
    let layers = (
        larder.hot_cache("text").stale_if_error(Duration::from_secs(600)),
        TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(2)),
    );
    let app = Router::new().route("/", stuck_once(&runs).layer(layers));
    assert_eq!(ask(&app, &[]).await.x_cache(), "MISS");
    clock.advance(Duration::from_secs(301));
    runs.store(0, Ordering::SeqCst);
    let answer = ask(&app, &[]).await;
    assert_eq!((answer.status, answer.x_cache()), (200, "STALE"));
    assert_eq!(
        answer.header("cache-status"),
        "larder; fwd=stale; fwd-status=504; detail=stale_if_error"
    );
}

#[tokio::test]
async fn tracing_outermost_sees_hits() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let trace = TraceLayer::new_for_http().on_response(move |response: &Response, _: Duration, _: &Span| {
        log.lock()
            .unwrap()
            .push(response.headers().get("x-cache").cloned());
    });
    let runs = Arc::default();
    let app = Router::new()
        .route("/", counted(&runs).layer(larder().hot_cache("text")))
        .layer(trace);
    ask(&app, &[]).await;
    ask(&app, &[]).await;
    let seen: Vec<_> = seen.lock().unwrap().drain(..).flatten().collect();
    assert_eq!(seen, ["MISS", "HIT"]);
}

/// Gives every response a cookie of its own.
async fn session(request: Request, next: Next) -> Response {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let mut response = next.run(request).await;
    let cookie = format!("session={}", NUMBER.fetch_add(1, Ordering::SeqCst));
    let value = HeaderValue::from_str(&cookie).unwrap();
    response.headers_mut().append(header::SET_COOKIE, value);
    response
}

#[tokio::test]
async fn a_session_outside_sets_its_cookie_on_each_answer_and_none_is_kept() {
    let runs = Arc::default();
    let app = Router::new()
        .route("/", counted(&runs).layer(larder().hot_cache("text")))
        .layer(middleware::from_fn(session));
    let first = ask(&app, &[]).await;
    let second = ask(&app, &[]).await;
    assert_eq!((first.x_cache(), second.x_cache()), ("MISS", "HIT"));
    let cookies = |answer: &Answer| answer.headers.get_all("set-cookie").iter().count();
    assert_eq!((cookies(&first), cookies(&second)), (1, 1));
    assert_ne!(first.header("set-cookie"), second.header("set-cookie"));
}

#[tokio::test]
async fn a_session_inside_keeps_the_answer_out_of_the_cache() {
    let runs = Arc::default();
    let layers = (larder().hot_cache("text"), middleware::from_fn(session));
    let app = Router::new().route("/", counted(&runs).layer(layers));
    for _ in 0..2 {
        let answer = ask(&app, &[]).await;
        assert_eq!(
            answer.header("cache-status"),
            "larder; fwd=uri-miss; fwd-status=200; detail=set_cookie"
        );
    }
}

#[derive(Clone)]
struct User(String);

/// Verifies a credential, and leaves the result in the extensions.
async fn authenticate(mut request: Request, next: Next) -> Response {
    let token = request.headers().get("authorization");
    let user = token.and_then(|token| token.to_str().ok()?.strip_prefix("Bearer ").map(str::to_owned));
    if let Some(user) = user {
        request.extensions_mut().insert(User(user));
    }
    next.run(request).await
}

#[tokio::test]
async fn authentication_outside_tells_the_cache_who_asks() {
    let who = |parts: &Parts| {
        let user = parts.extensions.get::<User>().cloned();
        async move { user.map(|user| Identity::new(user.0)) }
    };
    let handler = get(|Extension(user): Extension<User>| async move { user.0 });
    let app = Router::new()
        .route("/", handler.layer(larder().user_cache("me", who)))
        .layer(middleware::from_fn(authenticate));
    for (token, x_cache) in [
        ("ada", "MISS"),
        ("grace", "MISS"),
        ("ada", "HIT"),
        ("grace", "HIT"),
    ] {
        let answer = ask(&app, &[("authorization", &format!("Bearer {token}"))]).await;
        assert_eq!((&*answer.body, answer.x_cache()), (token.as_bytes(), x_cache));
    }
    let nobody = ask(&app, &[]).await;
    assert_eq!(
        nobody.header("cache-status"),
        "larder; fwd=bypass; detail=no_identity"
    );
}

#[tokio::test]
async fn files_are_kept_with_their_validators_and_answer_ranges() {
    let files = ServeDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples"));
    let app = Router::new().nest_service(
        "/files",
        tower::ServiceBuilder::new()
            .layer(larder().static_cache("files"))
            .service(files),
    );
    let ask = async |headers: &[(&str, &str)]| -> Answer {
        let mut request = Request::get("/files/quickstart.rs");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let response: Result<_, Infallible> = app.clone().oneshot(request).await;
        let (parts, body) = response.unwrap().into_parts();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    };
    let whole = ask(&[]).await;
    assert_eq!((whole.status, whole.x_cache()), (200, "MISS"));
    let hit = ask(&[("cookie", "a=b")]).await;
    assert_eq!((hit.x_cache(), &hit.body), ("HIT", &whole.body));
    let unchanged = [
        ("if-none-match", whole.etag()),
        ("if-modified-since", whole.header("last-modified")),
    ];
    for condition in unchanged {
        assert_eq!(ask(&[condition]).await.status, 304, "{condition:?}");
    }
    let part = ask(&[("range", "bytes=4-9")]).await;
    assert_eq!((part.status, part.x_cache()), (206, "HIT"));
    assert_eq!(part.body, whole.body.slice(4..10));
}
