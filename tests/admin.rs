//! The admin page and health: who may see it, what can be changed and how, that answers have bounds, and what is explained.
#![cfg(feature = "admin")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::request::Builder;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use larder::admin::{Access, Token};
use larder::lock::{Lock, Locker};
use larder::{ActionRule, Actions, Larder, MemoryStore};
use larder_testkit::{Call, FailingStore, Mode};
use serde_json::{Value, json};
use tower::ServiceExt;

const SECRET: &str = "a secret of enough bytes";

/// A site with a page below `/admin`, and what is forgotten on it.
fn site(larder: &Larder) -> Router {
    let cookie = || async { ([("set-cookie", "a=1")], "x") };
    let app: Router = Router::new()
        .route(
            "/teams/{id}",
            get(|| async { "team" }).layer(larder.hot_cache("teams").tag("team:{id}")),
        )
        .route("/cookie", get(cookie).layer(larder.hot_cache("cookie")))
        .route(
            "/teams/{id}/members",
            post(|| async { "" }).layer(larder.invalidates("team.add")),
        );
    let admin = larder.admin(Token::new(SECRET).unwrap()).warms(app.clone());
    app.nest("/admin", admin.router())
}

fn larder() -> Larder {
    let actions = Actions::new().with(ActionRule::new("team.add").tag("team:{id}"));
    Larder::in_memory(8 << 20).with_actions(actions)
}

fn with_secret(builder: Builder) -> Builder {
    builder.header("authorization", format!("Bearer {SECRET}"))
}

async fn send(app: &Router, request: Request<Body>) -> Response<Body> {
    app.clone().oneshot(request).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn look(app: &Router, path: &str) -> Value {
    let request = with_secret(Request::get(format!("/admin{path}")));
    let response = send(app, request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    serde_json::from_str(&text(response).await).unwrap()
}

fn change(path: &str) -> Builder {
    with_secret(Request::post(format!("/admin/api/{path}")))
        .header("host", "site.example")
        .header("x-larder-admin", "1")
        .header("content-type", "application/json")
}

async fn changed(app: &Router, path: &str, body: Value) -> (StatusCode, Value) {
    let request = change(path).body(Body::from(body.to_string())).unwrap();
    let response = send(app, request).await;
    let status = response.status();
    (status, serde_json::from_str(&text(response).await).unwrap())
}

async fn visit(app: &Router, path: &str) -> HeaderMap {
    let response = send(app, Request::get(path).body(Body::empty()).unwrap()).await;
    let (parts, body) = response.into_parts();
    body.collect().await.unwrap();
    parts.headers
}

#[tokio::test]
async fn nobody_passes_without_the_secret_whatever_is_asked_for() {
    let app = site(&larder());
    for path in [
        "",
        "/page.js",
        "/page.css",
        "/icon.svg",
        "/api/overview",
        "/api/entries",
        "/api/explain?uri=/x",
        "/api/actions",
        "/api/health",
        "/api/nothing",
    ] {
        for secret in [None, Some("Bearer a secret of enough byteS"), Some("Basic Og==")] {
            let mut request = Request::get(format!("/admin{path}"));
            if let Some(secret) = secret {
                request = request.header("authorization", secret);
            }
            let response = send(&app, request.body(Body::empty()).unwrap()).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
            assert!(
                response.headers()["www-authenticate"]
                    .to_str()
                    .unwrap()
                    .starts_with("Basic ")
            );
            assert_eq!(response.headers()["cache-control"], "no-store");
            assert_eq!(text(response).await, "", "{path}");
        }
    }
    for path in ["invalidate", "switch", "warm"] {
        let mut request = change(path).body(Body::from("{\"kind\":\"all\"}")).unwrap();
        request.headers_mut().remove("authorization");
        assert_eq!(
            send(&app, request).await.status(),
            StatusCode::UNAUTHORIZED,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_guard_of_the_applications_own_decides() {
    let larder = larder();
    let refuses: Router = larder.admin(|_: &http::request::Parts| async { false }).router();
    let grants: Router = larder
        .admin(|_: &http::request::Parts| async { Access::Granted })
        .router();
    let page = || Request::get("/").body(Body::empty()).unwrap();
    assert_eq!(send(&refuses, page()).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(send(&grants, page()).await.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_hangs_lets_nobody_pass_and_keeps_nobody_waiting() {
    let hangs: Router = larder()
        .admin(|_: &http::request::Parts| std::future::pending::<bool>())
        .router();
    let began = tokio::time::Instant::now();
    let response = send(&hangs, Request::get("/").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere_and_runs_its_own_script_alone() {
    let app = site(&larder());
    let ask = || with_secret(Request::get("/admin")).body(Body::empty()).unwrap();
    let response = send(&app, ask()).await;
    let policy = response.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    let (nonce, rest) = policy.split_once("'nonce-").unwrap().1.split_once('\'').unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'nonce-"),
        "{policy}"
    );
    assert!(
        !policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"),
        "{policy}"
    );
    for part in [
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ] {
        assert!(rest.contains(part), "{part}");
    }
    let admin: Router = larder().admin(Token::new(SECRET).unwrap()).router();
    let service = Router::new().nest_service("/admin", admin);
    let slash = send(
        &service,
        with_secret(Request::get("/admin/")).body(Body::empty()).unwrap(),
    )
    .await;
    assert!(text(slash).await.contains("src=\"/admin/page.js\""));
    let headers = response.headers().clone();
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["x-frame-options"], "DENY");
    assert_eq!(headers["referrer-policy"], "no-referrer");
    let page = text(response).await;
    assert!(
        page.contains(&format!("src=\"/admin/page.js\" nonce=\"{nonce}\"")),
        "{page}"
    );
    let again = send(&app, ask()).await;
    assert_ne!(
        again.headers()["content-security-policy"],
        *policy,
        "the number is new each time"
    );
    let script = send(
        &app,
        with_secret(Request::get("/admin/page.js"))
            .body(Body::empty())
            .unwrap(),
    )
    .await;
    assert_eq!(script.headers()["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(script.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn a_change_that_another_site_could_send_is_refused() {
    let larder = larder();
    let app = site(&larder);
    visit(&app, "/teams/7").await;
    let body = json!({ "kind": "all" });
    let forged = |alter: fn(&mut HeaderMap)| {
        let mut request = change("invalidate").body(Body::from(body.to_string())).unwrap();
        alter(request.headers_mut());
        request
    };
    let alterations: [fn(&mut HeaderMap); 7] = [
        |headers| drop(headers.remove("x-larder-admin")),
        |headers| drop(headers.remove("content-type")),
        |headers| drop(headers.insert("content-type", "text/plain".parse().unwrap())),
        |headers| drop(headers.insert("origin", "https://evil.example".parse().unwrap())),
        |headers| drop(headers.insert("origin", "null".parse().unwrap())),
        |headers| drop(headers.insert("sec-fetch-site", "cross-site".parse().unwrap())),
        |headers| drop(headers.insert("sec-fetch-site", "same-site".parse().unwrap())),
    ];
    for (number, alter) in alterations.into_iter().enumerate() {
        let response = send(&app, forged(alter)).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{number}");
        assert_eq!(visit(&app, "/teams/7").await["x-cache"], "HIT", "{number}");
    }
    let own = send(
        &app,
        forged(|headers| {
            headers.insert("origin", "https://site.example".parse().unwrap());
            headers.insert("sec-fetch-site", "same-origin".parse().unwrap());
        }),
    );
    assert_eq!(own.await.status(), StatusCode::OK);
    assert_eq!(visit(&app, "/teams/7").await["x-cache"], "MISS");
}

#[tokio::test]
async fn each_kind_of_change_does_what_it_says_and_no_more() {
    let app = site(&larder());
    let filled = async || {
        for path in ["/teams/7", "/teams/7?x=1", "/teams/8"] {
            visit(&app, path).await;
        }
    };
    let hits = async || {
        let mut hits = Vec::new();
        for path in ["/teams/7", "/teams/7?x=1", "/teams/8"] {
            hits.push(visit(&app, path).await["x-cache"] == "HIT");
        }
        hits
    };
    for (kind, value, left) in [
        ("tag", "team:7", [false, false, true]),
        ("uri", "/teams/7", [false, true, true]),
        ("prefix", "/teams/7", [false, false, true]),
        ("layer", "teams", [false, false, false]),
        ("layer", "cookie", [true, true, true]),
        ("identity", "ada", [true, true, true]),
        ("all", "", [false, false, false]),
    ] {
        filled().await;
        let (status, _) = changed(&app, "invalidate", json!({ "kind": kind, "value": value })).await;
        assert_eq!(
            (status, hits().await),
            (StatusCode::OK, left.to_vec()),
            "{kind} {value}"
        );
    }
    for body in [
        json!({ "kind": "tag" }),
        json!({ "kind": "uri", "value": "teams" }),
        json!({ "kind": "tag", "value": "x", "more": 1 }),
        json!({ "kind": "none", "value": "x" }),
    ] {
        let request = change("invalidate").body(Body::from(body.to_string())).unwrap();
        assert_eq!(
            send(&app, request).await.status(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "{body}"
        );
    }
    let large = json!({ "kind": "tag", "value": "x".repeat(100_000) });
    let request = change("invalidate").body(Body::from(large.to_string())).unwrap();
    assert_eq!(send(&app, request).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn layers_are_switched_and_paths_warmed() {
    let app = site(&larder());
    visit(&app, "/teams/7").await;
    let (status, _) = changed(&app, "switch", json!({ "cache": "teams", "on": false })).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(visit(&app, "/teams/7").await["x-cache"], "BYPASS");
    assert_eq!(look(&app, "/api/overview").await["layers"][1]["is_on"], false);
    changed(&app, "switch", json!({ "cache": "teams", "on": true })).await;
    changed(&app, "switch", json!({ "on": false })).await;
    assert_eq!(visit(&app, "/teams/7").await["x-cache"], "BYPASS");
    changed(&app, "switch", json!({ "on": true })).await;
    let (status, _) = changed(&app, "switch", json!({ "cache": "none", "on": true })).await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    let paths = json!({ "paths": ["/teams/9", "/teams/9", "nothing", "/none"] });
    let (_, warmed) = changed(&app, "warm", paths).await;
    let warmed = &warmed["warmed"];
    assert_eq!(
        (&warmed[0]["x_cache"], &warmed[1]["x_cache"]),
        (&json!("MISS"), &json!("HIT"))
    );
    assert_eq!(
        (&warmed[2]["error"], &warmed[3]["status"]),
        (&json!("it is no path"), &json!(404))
    );
    let ask = Request::get("/teams/9")
        .header("host", "site.example")
        .body(Body::empty())
        .unwrap();
    assert_eq!(
        send(&app, ask).await.headers()["x-cache"],
        "HIT",
        "for those who ask at the page's host"
    );
    let many: Vec<String> = (0..51).map(|n| format!("/teams/{n}")).collect();
    let (status, _) = changed(&app, "warm", json!({ "paths": many })).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn entries_are_found_by_path_tag_and_key_within_bounds() {
    let larder = larder();
    let app = site(&larder);
    for n in 0..150 {
        visit(&app, &format!("/teams/{n}")).await;
    }
    let found = async |by: &str, q: &str| {
        let answer = look(&app, &format!("/api/entries?by={by}&q={q}")).await;
        let entries = answer["entries"].as_array().unwrap().clone();
        (entries, answer["more"] == true)
    };
    let (entries, more) = found("path", "/teams/149").await;
    assert_eq!((entries.len(), more), (1, false));
    let entry = &entries[0];
    assert_eq!(
        (&entry["cache"], &entry["uri"]),
        (&json!("teams"), &json!("/teams/149"))
    );
    assert_eq!(
        (&entry["state"], &entry["status"]),
        (&json!("fresh"), &json!(200))
    );
    assert!(entry["left_ms"].as_u64().unwrap() > 290_000 && entry["bytes"].as_u64().unwrap() > 100);
    assert!(
        entry["tags"]
            .as_array()
            .unwrap()
            .contains(&json!({ "kind": "tag", "text": "team:149" }))
    );
    let key = entry["key"].as_array().unwrap();
    assert_eq!(
        key[0], "teams 0",
        "the layer, and how many parts of its own follow"
    );
    assert!(key.contains(&json!("/teams/149")));
    assert_eq!(found("tag", "team:7").await.0.len(), 11);
    assert_eq!(found("key", "teams/3").await.0.len(), 11);
    let (all, more) = found("path", "").await;
    assert_eq!((all.len(), more), (100, true));
    let request = with_secret(Request::get("/admin/api/entries?by=else"))
        .body(Body::empty())
        .unwrap();
    assert_eq!(
        send(&app, request).await.status(),
        StatusCode::UNPROCESSABLE_ENTITY
    );
}

#[tokio::test]
async fn a_tag_that_is_markup_is_json_of_a_bounded_length_and_nothing_else() {
    let larder = larder();
    let app = site(&larder);
    let long = format!("/teams/{}%3Cscript%3Ealert(1)%3C%2Fscript%3E", "x".repeat(5000));
    visit(&app, "/teams/%3Cscript%3Ealert(1)%3C%2Fscript%3E").await;
    visit(&app, &long).await;
    larder.invalidate_tag("<script>alert(2)</script>").await.unwrap();
    let request = with_secret(Request::get("/admin/api/entries?by=tag&q=script"))
        .body(Body::empty())
        .unwrap();
    let response = send(&app, request).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(
        response.headers()["content-security-policy"],
        "default-src 'none'; frame-ancestors 'none'"
    );
    let body = text(response).await;
    assert!(body.contains("team:<script>alert(1)</script>"), "as it is");
    assert!(body.len() < 8_000, "{}", body.len());
    let overview = look(&app, "/api/overview").await;
    assert_eq!(
        overview["invalidations"][0]["tags"][0]["text"],
        "<script>alert(2)</script>"
    );
}

#[tokio::test]
async fn it_is_explained_why_a_request_hits_or_misses() {
    let larder = larder();
    let app = site(&larder);
    let says = async |query: &str| {
        let answer = look(&app, &format!("/api/explain?{query}")).await;
        (answer["says"].as_str().unwrap().to_owned(), answer)
    };
    assert_eq!(
        says("uri=/teams/7&cache=teams").await.0,
        "A miss: nothing is kept for it in this process."
    );
    visit(&app, "/teams/7").await;
    let (said, answer) = says("uri=/teams/7&cache=teams").await;
    assert_eq!(said, "A hit, for who asks with the same key.");
    assert_eq!(answer["fills"][0]["reason"], "absent");
    assert_eq!(answer["entries"][0]["stale_by"], Value::Null);
    assert_eq!(answer["entries"][0]["stamp"], "0", "nothing was forgotten before");

    let add = Request::post("/teams/7/members").body(Body::empty()).unwrap();
    assert_eq!(send(&app, add).await.status(), StatusCode::OK);
    let (said, answer) = says("uri=/teams/7").await;
    assert_eq!(
        said,
        "A miss: what is kept was forgotten (tag), by `team.add` with the uri `/teams/7/members`."
    );
    let by = &answer["entries"][0]["stale_by"];
    assert_eq!(
        (&by["action"], &by["source"]),
        (&json!("team.add"), &json!("action"))
    );
    assert!(
        by["tags"]
            .as_array()
            .unwrap()
            .contains(&json!({ "kind": "tag", "text": "team:7" }))
    );

    visit(&app, "/cookie").await;
    let (said, answer) = says("uri=/cookie&cache=cookie").await;
    assert!(said.ends_with("could not be: set_cookie."), "{said}");
    assert_eq!(answer["fills"][0]["not_kept"], "set_cookie");
    assert_eq!(
        says("uri=/teams/7&cache=teams&method=POST").await.0,
        "It goes past `teams`: method."
    );
    visit(&app, "/teams/7?b=2&a=1").await;
    let (said, answer) = says("uri=/teams/7%3Fb%3D2%26a%3D1").await;
    assert_eq!(said, "A hit, for who asks with the same key.");
    assert_eq!(
        answer["fills"].as_array().unwrap().len(),
        1,
        "in whatever order the layer has it"
    );
    let header = "uri=/teams/7&cache=teams&header=Authorization:%20x";
    assert_eq!(says(header).await.0, "It goes past `teams`: authorization.");
    assert_eq!(says("uri=/teams/7&cache=none").await.0, "No layer has this name.");
    larder.switch("teams").unwrap().set(false);
    assert_eq!(
        says("uri=/teams/7&cache=teams").await.0,
        "It goes past `teams`: disabled."
    );
    for wrong in ["", "uri=x", "uri=/x&method=%20", "uri=/x&header=x"] {
        let request = with_secret(Request::get(format!("/admin/api/explain?{wrong}")))
            .body(Body::empty())
            .unwrap();
        assert_eq!(
            send(&app, request).await.status(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn actions_locks_and_readings_are_shown() {
    let larder = larder();
    let app = site(&larder);
    let lock = larder
        .locker()
        .acquire(Lock::new("job", 1), Duration::from_secs(30))
        .await
        .unwrap();
    let graph = look(&app, "/api/actions").await;
    assert_eq!(graph["actions"][0]["name"], "team.add");
    assert_eq!(
        graph["arrows"][0],
        json!({ "action": 0, "cache": 1, "by": ["`team:{id}`"] })
    );
    let overview = look(&app, "/api/overview").await;
    assert_eq!(overview["locks"][0]["key"], "job:1");
    assert_eq!(
        (&overview["locks"][0]["holding"], &overview["locks"][0]["waiting"]),
        (&json!(1), &json!(0))
    );
    lock.release().await;
    let until = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        visit(&app, "/teams/7").await;
        let series = look(&app, "/api/overview").await["series"].clone();
        if series["samples"]
            .as_array()
            .is_some_and(|samples| !samples.is_empty())
        {
            assert!(series["samples"][0]["layers"]["teams"][0].as_f64().is_some());
            let next = &series["next"];
            let later = look(&app, &format!("/api/overview?after={next}")).await;
            assert!(later["series"]["samples"].as_array().unwrap().len() <= 1);
            break;
        }
        assert!(tokio::time::Instant::now() < until, "no reading was taken");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn however_many_ask_for_health_the_dependencies_are_asked_once() {
    let store = FailingStore::new(MemoryStore::with_capacity(1 << 20));
    store.set(Call::Probe, Mode::Later);
    let routes: Router = Larder::new(store.clone()).health_routes().router();
    let ask = || send(&routes, Request::get("/readyz").body(Body::empty()).unwrap());
    let began = std::time::Instant::now();
    let all = tokio::join!(ask(), ask(), ask(), ask(), ask(), ask(), ask(), ask());
    assert_eq!((all.0.status(), all.7.status()), (StatusCode::OK, StatusCode::OK));
    let most = 1 + began.elapsed().as_millis() / 250;
    assert!(
        store.calls(Call::Probe) as u128 <= most,
        "{}",
        store.calls(Call::Probe)
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_degrades_and_does_not_kill() {
    let store = FailingStore::new(MemoryStore::with_capacity(1 << 20));
    let larder = Larder::new(store.clone());
    let routes: Router = larder.health_routes().router();
    let strict: Router = larder
        .health_routes()
        .ready_when(larder::admin::Health::is_whole)
        .router();
    let ask = async |app: &Router, path: &str| {
        let response = send(app, Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(response.headers()["cache-control"], "no-store");
        let status = response.status();
        (
            status,
            serde_json::from_str::<Value>(&text(response).await).unwrap(),
        )
    };
    let (status, whole) = ask(&routes, "/readyz").await;
    assert_eq!((status, &whole["status"]), (StatusCode::OK, &json!("ok")));
    assert_eq!(ask(&strict, "/readyz").await.0, StatusCode::OK);
    for (mode, word) in [(Mode::Error, "io"), (Mode::Hang, "timeout")] {
        store.set(Call::Probe, mode);
        // What was told before is told no longer.
        tokio::time::advance(Duration::from_secs(1)).await;
        let (status, body) = ask(&routes, "/readyz").await;
        assert_eq!((status, &body["status"]), (StatusCode::OK, &json!("degraded")));
        let store = &body["dependencies"][0];
        assert_eq!(
            (&store["role"], &store["status"], &store["failure"]),
            (&json!("store"), &json!("down"), &json!(word))
        );
        assert!(
            store.get("name").is_none() && store.get("message").is_none(),
            "nothing is named"
        );
        assert_eq!(ask(&strict, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            ask(&routes, "/livez").await,
            (StatusCode::OK, json!({ "status": "alive" }))
        );
        let health = larder.health().await;
        assert_eq!(
            (health.status(), health.locks, health.dependencies.len()),
            ("degraded", true, 2)
        );
    }
    let began = tokio::time::Instant::now();
    let parts = larder::admin::Parts {
        engine: larder.engine().clone(),
        invalidator: larder.invalidator().clone(),
        locker: Locker::memory(),
    };
    let health = larder::admin::Health::of(&parts, Duration::from_secs(60)).await;
    assert_eq!(health.dependencies[0].failure, Some("timeout"));
    assert_eq!(began.elapsed().as_secs(), 5, "never longer than that");
}
