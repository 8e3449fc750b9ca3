//! Attacks on the gateway profiles: the same as on any shared cache, in front of an origin that nobody can ask to behave.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test ends with the first surprise"
)]

mod support;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{OriginalUri, Request};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response};
use larder::store::{
    self, Capture, Content, Entry, Forgotten, Key, Lifetime, Lookup, Put, SearchVariance, SharedEntry,
    StoreError, Strength, Validity, VaryNames,
};
use larder::{CacheLayer, FakeClock, Larder, MemoryStore, Profile, Size, Store, Tag, Timestamp};
use support::{Answer, Calls, Gate, get, get_with, is_pending, read, request, send, soon};
use tower::ServiceExt;

const PROFILES: [Profile; 2] = [Profile::Safe, Profile::Rfc];

type Lines = &'static [(&'static str, &'static str)];

fn larder() -> Larder {
    support::cache(16 << 20).0
}

/// A gateway that says in `X-Cache` what became of a request, so that a test can ask.
fn gateway(larder: &Larder, profile: Profile) -> CacheLayer {
    larder
        .gateway_cache(profile.as_str(), profile)
        .x_cache_header(true)
        .wait(Duration::from_secs(600))
}

/// An origin behind a layer.
fn origin<F>(layer: CacheLayer, answer: F) -> Router
where
    F: Fn(Parts) -> Response<Body> + Clone + Send + Sync + 'static,
{
    let handler = move |request: Request| std::future::ready(answer(request.into_parts().0));
    Router::new().fallback(handler).layer(layer)
}

fn answer(status: u16, lines: &[(&str, &str)], body: impl Into<String>) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in lines {
        response = response.header(*name, *value);
    }
    response.body(Body::from(body.into())).unwrap()
}

/// The value that a request has in a header, or a dash.
fn sent(headers: &HeaderMap, name: &str) -> String {
    headers
        .get(name)
        .map_or_else(|| "-".to_owned(), |value| format!("{value:?}"))
}

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

#[tokio::test]
async fn what_is_not_keyed_reaches_the_origin_of_the_rfc_profile_only() {
    const HOSTILE: [&str; 14] = [
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-for",
        "x-forwarded-prefix",
        "forwarded",
        "x-host",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method-override",
        "x-method-override",
        "origin",
        "referer",
        "user-agent",
        "x-anything",
    ];
    for name in HOSTILE {
        let blind = move |parts: Parts| answer(200, &[FRESH], sent(&parts.headers, name));
        let app = origin(gateway(&larder(), Profile::Safe), blind);
        assert_eq!(
            send(&app, get_with("/", &[(name, "evil")])).await.text(),
            "-",
            "{name}"
        );
        let clean = get(&app, "/").await;
        assert_eq!((clean.text(), clean.x_cache()), ("-", "HIT"), "{name}");
        // An origin behind the other profile is trusted to name what it reads.
        let honest = move |parts: Parts| answer(200, &[FRESH, ("vary", name)], sent(&parts.headers, name));
        let app = origin(gateway(&larder(), Profile::Rfc), honest);
        assert_eq!(
            send(&app, get_with("/", &[(name, "evil")])).await.text(),
            "\"evil\"",
            "{name}"
        );
        let clean = get(&app, "/").await;
        assert_eq!((clean.text(), clean.x_cache()), ("-", "MISS"), "{name}");
    }
}

#[tokio::test]
async fn what_varies_by_a_hidden_header_is_not_kept() {
    let tenant = |parts: Parts| {
        answer(
            200,
            &[FRESH, ("vary", "x-tenant")],
            sent(&parts.headers, "x-tenant"),
        )
    };
    let app = origin(gateway(&larder(), Profile::Safe), tenant);
    for _ in 0..2 {
        let seen = send(&app, get_with("/", &[("x-tenant", "a")])).await;
        assert_eq!((seen.text(), &*seen.became()), ("-", "MISS hidden_vary"));
    }
}

#[tokio::test]
async fn a_body_on_a_get_goes_past_the_cache() {
    for profile in PROFILES {
        let app = origin(gateway(&larder(), profile), |_| answer(200, &[FRESH], "x"));
        for (lines, body) in [
            (&[("content-length", "4")][..], "evil"),
            (&[("transfer-encoding", "chunked")], "evil"),
            (&[("content-length", "4")], ""),
            (&[], "evil"),
        ] {
            let mut fat = request("GET", "/", lines);
            *fat.body_mut() = Body::from(body);
            assert_eq!(send(&app, fat).await.became(), "BYPASS body");
        }
        assert_eq!(get(&app, "/").await.x_cache(), "MISS");
    }
}

#[tokio::test]
async fn each_host_has_its_own_entries_and_two_have_none() {
    for profile in PROFILES {
        let app = origin(gateway(&larder(), profile), |parts| {
            answer(
                200,
                &[FRESH],
                format!("{:?} {}", parts.uri.host(), sent(&parts.headers, "host")),
            )
        });
        let hosts: [(&str, &[&[u8]], &str); 8] = [
            ("/", &[b"one"], "MISS"),
            ("/", &[b"evil"], "MISS"),
            ("/", &[b"on\xe9"], "BYPASS host"),
            ("/", &[], "MISS"),
            ("/", &[b""], "MISS"),
            ("http://one/", &[b"evil"], "BYPASS host"),
            ("/", &[b"one", b"evil"], "BYPASS host"),
            ("/", &[b"one", b"one"], "BYPASS host"),
        ];
        for (target, names, became) in hosts {
            let mut asked = get_with(target, &[]);
            for name in names {
                asked
                    .headers_mut()
                    .append("host", HeaderValue::from_bytes(name).unwrap());
            }
            assert_eq!(send(&app, asked).await.became(), became, "{target} {names:?}");
        }
        assert!(
            !send(&app, get_with("/", &[("host", "one")]))
                .await
                .text()
                .contains("evil")
        );
    }
}

#[tokio::test]
async fn the_name_of_a_file_keeps_nothing() {
    for profile in PROFILES {
        let account = |parts: Parts| answer(200, &[], sent(&parts.headers, "cookie"));
        let app = origin(gateway(&larder(), profile), account);
        for name in ["x.css", "x.js", "x%2f.png", "x;.ico", "favicon.ico"] {
            let uri = format!("/account/{name}");
            let victim = send(&app, get_with(&uri, &[("cookie", "session=ada")])).await;
            assert_eq!(victim.text(), "\"session=ada\"");
            for _ in 0..2 {
                let thief = get(&app, &uri).await;
                assert_eq!((thief.text(), thief.x_cache()), ("-", "MISS"), "{uri}");
            }
        }
    }
}

/// An origin that gives each visitor a cookie, with a body of known or unknown length.
fn greeting(layer: CacheLayer) -> Router {
    let runs = Calls::default();
    origin(layer, move |parts| {
        let cookie = format!("visitor={}", runs.next());
        let mut greeted = answer(200, &[FRESH, ("set-cookie", &cookie)], "welcome");
        if parts.uri.path() == "/streamed" {
            let (frames, body) = support::sent_body();
            frames.send("welcome");
            *greeted.body_mut() = Body::new(body);
        }
        greeted
    })
}

#[tokio::test]
async fn a_cookie_that_is_set_reaches_one_client() {
    for uri in ["/", "/streamed"] {
        let app = greeting(gateway(&larder(), Profile::Safe));
        for cookie in ["visitor=1", "visitor=2"] {
            let own = get(&app, uri).await;
            assert_eq!(
                (own.header("set-cookie"), &*own.became()),
                (cookie, "MISS set_cookie")
            );
        }
        for profile in PROFILES {
            let app = greeting(gateway(&larder(), profile).strip_set_cookie());
            let first = get(&app, uri).await;
            assert_eq!(
                (first.header("set-cookie"), first.text()),
                ("visitor=1", "welcome")
            );
            let other = get(&app, uri).await;
            assert_eq!(
                (other.header("set-cookie"), other.text(), other.x_cache()),
                ("", "welcome", "HIT"),
                "{uri} {profile:?}"
            );
        }
        // RFC 9111 §7.3: what the origin calls cacheable is, with its cookies.
        let app = greeting(gateway(&larder(), Profile::Rfc));
        for x_cache in ["MISS", "HIT"] {
            let any = get(&app, uri).await;
            assert_eq!((any.header("set-cookie"), any.x_cache()), ("visitor=1", x_cache));
        }
    }
}

#[tokio::test]
async fn a_cookie_of_a_304_reaches_one_client() {
    for strips in [false, true] {
        let (larder, clock) = support::cache(16 << 20);
        let layer = gateway(&larder, Profile::Safe);
        let layer = if strips { layer.strip_set_cookie() } else { layer };
        let runs = Calls::default();
        let app = origin(layer, move |parts| {
            let cookie = format!("visitor={}", runs.next());
            let lines = [FRESH, ("etag", "\"a\"")];
            if parts.headers.contains_key("if-none-match") {
                answer(304, &[&lines[..], &[("set-cookie", &cookie)]].concat(), "")
            } else {
                answer(200, &lines, "page")
            }
        });
        get(&app, "/").await;
        clock.advance(Duration::from_secs(61));
        let own = get(&app, "/").await;
        assert_eq!((own.header("set-cookie"), own.text()), ("visitor=2", "page"));
        let other = get(&app, "/").await;
        assert_ne!(other.header("set-cookie"), "visitor=2", "strips: {strips}");
        let expected = if strips { "HIT" } else { "MISS" };
        assert_eq!((other.text(), other.x_cache()), ("page", expected));
    }
}

#[tokio::test]
async fn credentials_go_past_a_safe_gateway() {
    const CREDENTIALS: [(&str, &str); 6] = [
        ("authorization", "BYPASS authorization"),
        ("cookie", "BYPASS cookie"),
        ("x-api-key", "BYPASS identity_header"),
        ("x-auth-token", "BYPASS identity_header"),
        ("x-forwarded-user", "BYPASS identity_header"),
        ("proxy-authorization", "BYPASS identity_header"),
    ];
    for (name, became) in CREDENTIALS {
        let account = move |parts: Parts| answer(200, &[FRESH], sent(&parts.headers, name));
        let app = origin(gateway(&larder(), Profile::Safe), account);
        for secret in ["ada", "grace"] {
            let own = send(&app, get_with("/", &[(name, secret)])).await;
            assert_eq!(
                (own.text(), own.became()),
                (&*format!("{secret:?}"), became.to_owned())
            );
        }
        assert_eq!(get(&app, "/").await.text(), "-");
    }
}

#[tokio::test]
async fn what_a_credential_was_answered_is_shared_by_consent_only() {
    for (said, shared) in [
        ("max-age=60", false),
        ("max-age=60, proxy-revalidate", false),
        ("max-age=60, public=\"x\"", false),
        ("max-age=60, s-maxage", false),
        ("max-age=60, public", true),
        ("s-maxage=60", true),
        ("max-age=60, must-revalidate", true),
    ] {
        let account = move |parts: Parts| {
            answer(
                200,
                &[("cache-control", said)],
                sent(&parts.headers, "authorization"),
            )
        };
        let app = origin(gateway(&larder(), Profile::Rfc), account);
        let ada = send(&app, get_with("/", &[("authorization", "ada")])).await;
        assert_eq!(ada.text(), "\"ada\"", "{said}");
        let grace = send(&app, get_with("/", &[("authorization", "grace")])).await;
        assert_eq!(grace.text() == "\"ada\"", shared, "{said}");
        assert_eq!(get(&app, "/").await.text() == "\"ada\"", shared, "{said}");
    }
}

type Pending = Pin<Box<dyn Future<Output = Response<Body>>>>;

/// A request that came as far as it can without the gate.
fn under_way(app: &Router, asked: Request) -> Pending {
    let app = app.clone();
    let mut pending: Pending = Box::pin(async move { app.oneshot(asked).await.unwrap() });
    assert!(is_pending(&mut pending));
    pending
}

async fn texts(all: Vec<Pending>) -> Vec<String> {
    let mut texts = Vec::new();
    for pending in all {
        texts.push(read(soon(pending).await).await.text().to_owned());
    }
    texts
}

/// An origin that waits at a gate, and then answers with its run and what `answer` makes of the request.
fn gated<F>(layer: CacheLayer, answer: F) -> (Router, Gate, Calls)
where
    F: Fn(Parts, usize) -> Response<Body> + Clone + Send + Sync + 'static,
{
    let (gate, calls) = (Gate::new(), Calls::default());
    let (at, runs) = (gate.clone(), calls.clone());
    let handler = move |request: Request| {
        let (gate, run, answer) = (at.clone(), runs.next(), answer.clone());
        async move {
            gate.pass().await;
            answer(request.into_parts().0, run)
        }
    };
    (Router::new().fallback(handler).layer(layer), gate, calls)
}

#[tokio::test]
async fn those_who_wait_get_nothing_that_is_anothers() {
    const PRIVATE: [(Option<Profile>, Lines); 9] = [
        (None, &[("cache-control", "private")]),
        (None, &[("cache-control", "no-store")]),
        (
            None,
            &[("cache-control", "max-age=60, no-cache"), ("etag", "\"a\"")],
        ),
        (None, &[("cache-control", "max-age=0"), ("etag", "\"a\"")]),
        (None, &[("cache-control", "max-age=60"), ("vary", "*")]),
        (
            None,
            &[("cache-control", "max-age=60"), ("cdn-cache-control", "private")],
        ),
        (
            Some(Profile::Safe),
            &[("cache-control", "private"), ("cdn-cache-control", "max-age=60")],
        ),
        (
            Some(Profile::Safe),
            &[("cache-control", "max-age=60"), ("set-cookie", "session=1")],
        ),
        (None, &[]),
    ];
    for profile in PROFILES {
        for (only, lines) in PRIVATE {
            if only.is_some_and(|only| only != profile) {
                continue;
            }
            let (app, gate, calls) = gated(gateway(&larder(), profile), move |_, run| {
                answer(200, lines, run.to_string())
            });
            let all = (0..4).map(|_| under_way(&app, get_with("/", &[]))).collect();
            assert_eq!(calls.count(), 1);
            gate.open(100);
            let mut texts = texts(all).await;
            texts.sort_unstable();
            assert_eq!(texts, ["1", "2", "3", "4"], "{profile:?} {lines:?}");
        }
    }
}

#[tokio::test]
async fn those_who_wait_do_not_get_what_a_credential_or_condition_was_answered() {
    let account = |parts: Parts, run| {
        if parts.headers.contains_key("if-none-match") {
            answer(304, &[FRESH], "")
        } else if parts.headers.contains_key("if-match") {
            answer(412, &[FRESH], "failed")
        } else {
            answer(
                200,
                &[FRESH],
                format!("{run} {}", sent(&parts.headers, "authorization")),
            )
        }
    };
    for (name, own) in [
        ("authorization", "1 \"x\""),
        ("if-none-match", ""),
        ("if-match", "failed"),
    ] {
        let (app, gate, calls) = gated(gateway(&larder(), Profile::Rfc), account);
        let first = under_way(&app, get_with("/", &[(name, "x")]));
        let others = (0..3).map(|_| under_way(&app, get_with("/", &[]))).collect();
        assert_eq!(calls.count(), 1);
        gate.open(100);
        assert_eq!(texts(vec![first]).await, [own]);
        for text in texts(others).await {
            assert!(text.ends_with(" -"), "{name}: {text}");
        }
        assert_eq!(get(&app, "/").await.x_cache(), "HIT", "{name}");
    }
}

#[tokio::test]
async fn those_who_wait_do_not_get_the_fields_that_are_anothers() {
    for (said, name) in [
        ("max-age=60, private=\"x-secret\"", "x-secret"),
        ("max-age=60, no-cache=\"x-secret\"", "x-secret"),
        ("max-age=60, private=\"set-cookie\"", "set-cookie"),
    ] {
        for profile in PROFILES {
            let (app, gate, _) = gated(gateway(&larder(), profile), move |_, run| {
                answer(200, &[("cache-control", said), (name, &run.to_string())], "x")
            });
            let all: Vec<Pending> = (0..3).map(|_| under_way(&app, get_with("/", &[]))).collect();
            gate.open(100);
            for (nth, pending) in all.into_iter().enumerate() {
                let got = read(soon(pending).await).await;
                assert_eq!(got.header(name), if nth == 0 { "1" } else { "" }, "{said}");
            }
        }
    }
}

#[tokio::test]
async fn a_field_that_is_private_is_so_whatever_a_targeted_field_allows() {
    let lines: Lines = &[
        ("cache-control", "max-age=60, private=\"x-user\""),
        ("cdn-cache-control", "max-age=60"),
        ("x-user", "ada"),
    ];
    for (profile, kept) in [(Profile::Safe, ""), (Profile::Rfc, "ada")] {
        let app = origin(gateway(&larder(), profile), move |_| answer(200, lines, "jam"));
        assert_eq!(get(&app, "/").await.header("x-user"), "ada");
        let hit = get(&app, "/").await;
        assert_eq!(
            (hit.x_cache(), hit.header("x-user")),
            ("HIT", kept),
            "{profile:?}"
        );
    }
}

#[tokio::test]
async fn those_who_wait_get_their_own_variant() {
    for profile in PROFILES {
        let (app, gate, calls) = gated(gateway(&larder(), profile), |parts, _| {
            answer(
                200,
                &[FRESH, ("vary", "accept-language")],
                sent(&parts.headers, "accept-language"),
            )
        });
        let languages = ["de", "en", "de", "fr"];
        let all = languages
            .iter()
            .map(|it| under_way(&app, get_with("/", &[("accept-language", it)])))
            .collect();
        gate.open(100);
        assert_eq!(texts(all).await, ["\"de\"", "\"en\"", "\"de\"", "\"fr\""]);
        assert_eq!(calls.count(), 3);
    }
}

/// Asks with `probe` first, then with four clean requests at once, and answers how often the origin ran.
async fn runs_after(app: &Router, gate: &Gate, calls: &Calls, probe: Request) -> usize {
    gate.open(1);
    send(app, probe).await;
    let before = calls.count();
    let all: Vec<_> = (0..4)
        .map(|_| tokio::spawn(app.clone().oneshot(get_with("/", &[]))))
        .collect();
    // Each comes as far as it can without the gate.
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    gate.open(100);
    for task in all {
        assert_eq!(soon(task).await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(get(app, "/").await.x_cache(), "HIT");
    calls.count() - before
}

#[tokio::test]
async fn no_request_leaves_a_mark_that_others_must_not_wait_for_each_other() {
    const PROBES: [(&str, Lines); 9] = [
        ("GET", &[("authorization", "Bearer x")]),
        ("GET", &[("cache-control", "no-store")]),
        ("GET", &[("if-none-match", "\"x\"")]),
        ("GET", &[("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT")]),
        ("GET", &[("if-match", "\"x\"")]),
        ("GET", &[("range", "bytes=cow")]),
        ("GET", &[("upgrade", "websocket")]),
        ("HEAD", &[]),
        ("HEAD", &[("authorization", "Bearer x")]),
    ];
    for profile in PROFILES {
        for (method, lines) in PROBES {
            let (app, gate, calls) = gated(gateway(&larder(), profile), |parts, _| {
                let status = match () {
                    () if parts.headers.contains_key("if-none-match") => 304,
                    () if parts.headers.contains_key("if-modified-since") => 304,
                    () if parts.headers.contains_key("if-match") => 412,
                    () if parts.headers.contains_key("range") => 416,
                    () => 200,
                };
                answer(status, &[FRESH], "x")
            });
            let runs = runs_after(&app, &gate, &calls, request(method, "/", lines)).await;
            assert!(runs <= 1, "{profile:?} {method} {lines:?}: {runs}");
        }
    }
}

#[tokio::test]
async fn a_head_that_fails_leaves_no_mark() {
    for profile in PROFILES {
        let (larder, clock) = support::cache(16 << 20);
        let (app, gate, calls) = gated(gateway(&larder, profile), |parts, run| {
            if parts.method == "HEAD" {
                answer(405, &[], "")
            } else {
                answer(200, &[FRESH, ("etag", "\"a\""), ("x-run", &run.to_string())], "x")
            }
        });
        gate.open(1);
        get(&app, "/").await;
        clock.advance(Duration::from_secs(61));
        let runs = runs_after(&app, &gate, &calls, request("HEAD", "/", &[])).await;
        assert_eq!(runs, 1, "{profile:?}");
    }
}

#[tokio::test]
async fn an_error_that_one_client_provokes_is_its_own() {
    const PROVOKE: [(&str, &str); 10] = [
        ("range", "bytes=cow"),
        ("range", "bytes=100-"),
        ("if-match", "\"x\""),
        ("if-none-match", "*"),
        ("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("x-http-method-override", "POST"),
        ("x-forwarded-proto", "nothttps"),
        ("content-type", "evil/evil"),
        ("expect", "evil"),
        ("x-oversized", "x"),
    ];
    for (name, value) in PROVOKE {
        let page = move |parts: Parts| {
            let status = if parts.headers.contains_key(name) {
                400
            } else {
                200
            };
            answer(status, &[FRESH], "x")
        };
        let app = origin(gateway(&larder(), Profile::Safe), page);
        send(&app, get_with("/", &[(name, value)])).await;
        assert_eq!(get(&app, "/").await.status, 200, "{name}");
        assert_eq!(get(&app, "/").await.x_cache(), "HIT", "{name}");
    }
}

/// Where all headers reach the origin, its answers to what only one client asks are never for others, fresh or not.
#[tokio::test]
async fn an_error_of_one_clients_request_alone_is_never_kept() {
    const MODIFIED: (&str, &str) = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    // A 405 or a 501 may be fresh by its word, and never by a guess.
    const ERRORS: [(&str, &str, u16, Lines); 8] = [
        ("if-match", "\"x\"", 412, &[FRESH]),
        ("if-none-match", "*", 412, &[FRESH]),
        ("if-none-match", "*", 304, &[FRESH]),
        ("range", "bytes=cow", 416, &[FRESH]),
        ("x-range", "bytes=cow", 416, &[FRESH]),
        ("expect", "evil", 417, &[FRESH]),
        ("x-http-method-override", "DELETE", 405, &[MODIFIED]),
        ("x-http-method-override", "FROB", 501, &[MODIFIED]),
    ];
    for (name, value, status, lines) in ERRORS {
        let app = origin(gateway(&larder(), Profile::Rfc), move |parts| {
            if parts.headers.contains_key(name) {
                answer(status, lines, "")
            } else {
                answer(200, &[FRESH], "page")
            }
        });
        assert_eq!(
            send(&app, get_with("/", &[(name, value)])).await.status,
            status,
            "{name}"
        );
        let clean = get(&app, "/").await;
        assert_eq!(
            (clean.status.as_u16(), clean.text()),
            (200, "page"),
            "{name} {status}"
        );
        assert_eq!(get(&app, "/").await.x_cache(), "HIT", "{name} {status}");
    }
}

#[tokio::test]
async fn neither_a_head_nor_a_part_answers_a_get() {
    for profile in PROFILES {
        let app = origin(gateway(&larder(), profile), |parts| {
            let head = parts.method == "HEAD";
            match parts.uri.path() {
                "/unasked" => answer(206, &[FRESH, ("content-range", "bytes 0-3/10")], "part"),
                "/304" => answer(304, &[FRESH], ""),
                _ if head => answer(200, &[FRESH], ""),
                _ if parts.headers.contains_key("range") => answer(206, &[FRESH], "part"),
                _ => answer(200, &[FRESH], "whole"),
            }
        });
        for path in ["/unasked", "/304"] {
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
            assert_eq!((whole.text(), whole.x_cache()), ("whole", x_cache));
        }
    }
}

/// A page of which a HEAD tells what it tells, and a GET the run.
fn told_by_head(profile: Profile, lines: Lines, head: Lines) -> (Router, FakeClock) {
    let (larder, clock) = support::cache(16 << 20);
    let runs = Calls::default();
    let app = origin(gateway(&larder, profile), move |parts| {
        if parts.method == "HEAD" {
            answer(200, head, "")
        } else {
            answer(200, lines, runs.next().to_string())
        }
    });
    (app, clock)
}

#[tokio::test]
async fn a_head_with_other_validators_does_not_freshen_a_get() {
    for profile in PROFILES {
        for head in [
            &[FRESH, ("etag", "\"b\"")][..],
            &[FRESH, ("content-length", "7")],
            &[FRESH, ("etag", "\"a\""), ("content-length", "7")],
        ] {
            let (app, clock) = told_by_head(profile, &[FRESH, ("etag", "\"a\"")], head);
            assert_eq!(get(&app, "/").await.text(), "1");
            clock.advance(Duration::from_secs(61));
            send(&app, request("HEAD", "/", &[])).await;
            assert_eq!(get(&app, "/").await.text(), "2", "{profile:?} {head:?}");
        }
    }
}

/// Else who asks often enough with HEAD would keep an old page for ever.
#[tokio::test]
async fn a_head_that_proves_nothing_does_not_freshen_a_page() {
    for lines in [&[FRESH, ("etag", "\"a\"")][..], &[FRESH]] {
        let (app, clock) = told_by_head(Profile::Safe, lines, &[FRESH]);
        assert_eq!(get(&app, "/").await.text(), "1");
        clock.advance(Duration::from_secs(61));
        assert_eq!(send(&app, request("HEAD", "/", &[])).await.status, 200);
        assert_eq!(get(&app, "/").await.text(), "2", "{lines:?}");
    }
}

#[tokio::test]
async fn a_body_cut_short_is_not_kept() {
    for profile in PROFILES {
        let larder = larder();
        let app = origin(gateway(&larder, profile), |parts| {
            let (frames, body) = support::sent_body();
            frames.send("cut");
            if parts.uri.path() == "/broken" {
                frames.fail();
            }
            let length = match parts.uri.path() {
                "/short" => &[FRESH, ("content-length", "10")][..],
                "/long" => &[FRESH, ("content-length", "1")],
                _ => &[FRESH],
            };
            answer(200, length, "").map(|_| Body::new(body))
        });
        for path in ["/short", "/long", "/broken"] {
            for _ in 0..2 {
                let response = app.clone().oneshot(get_with(path, &[])).await.unwrap();
                assert_eq!(response.headers()["x-cache"], "MISS", "{path}");
                let _ = soon(http_body_util::BodyExt::collect(response.into_body())).await;
            }
        }
        assert_eq!(larder.size().entries, 0);
    }
}

fn at(host: &str, method: &str, target: &str) -> Request {
    request(method, target, &[("host", host)])
}

/// Fills `/`, `/a` and `/b` of two hosts, has `evil` be answered, and answers which entries of the victim are there still.
async fn left_after(profile: Profile, evil: Request, status: u16, lines: Lines) -> String {
    let app = origin(gateway(&larder(), profile), move |parts| {
        if parts.method == "GET" {
            answer(200, &[FRESH, ("cache-groups", "\"all\", \"all x\"")], "x")
        } else {
            answer(status, lines, "")
        }
    });
    const TARGETS: [&str; 3] = ["/", "/a", "/b"];
    for target in TARGETS {
        for host in ["victim.test", "evil.test"] {
            send(&app, at(host, "GET", target)).await;
        }
    }
    send(&app, evil).await;
    let mut left = String::new();
    for target in TARGETS {
        if send(&app, at("victim.test", "GET", target)).await.x_cache() == "HIT" {
            left.push_str(target);
        }
    }
    left
}

#[tokio::test]
async fn an_origin_forgets_nothing_of_another() {
    const NAMED: [Lines; 8] = [
        &[
            ("location", "http://victim.test/a"),
            ("content-location", "http://victim.test/b"),
        ],
        &[
            ("location", "//victim.test/a"),
            ("content-location", "https://victim.test/b"),
        ],
        &[("location", "http://evil.test@victim.test/a")],
        &[("location", "http://victim.test@evil.test/a")],
        &[
            ("location", "http://victim.test:80/a"),
            ("content-location", "http://VICTIM.test/b"),
        ],
        &[
            ("location", "\\\\victim.test\\a"),
            ("content-location", "/\\victim.test/b"),
        ],
        &[("cache-group-invalidation", "\"all\"")],
        &[(
            "cache-group-invalidation",
            "\"victim.test all\", \"test all\", \" all\", \"victim.test\", \"*\"",
        )],
    ];
    for profile in PROFILES {
        for lines in NAMED {
            for target in ["/", "/a"] {
                let left = left_after(profile, at("evil.test", "POST", target), 201, lines).await;
                assert_eq!(left, "//a/b", "{profile:?} {lines:?}");
            }
        }
        // A host with a space in it is not the start of another's group.
        let spaced = at("victim.test all", "POST", "/a");
        let groups = &[("cache-group-invalidation", "\"x\"")];
        assert_eq!(left_after(profile, spaced, 201, groups).await, "//a/b");
        // And at its own origin each does what it is for.
        let own = left_after(
            profile,
            at("victim.test", "POST", "/"),
            201,
            &[("location", "/a")],
        )
        .await;
        assert_eq!(own, "/b");
        let groups = &[("cache-group-invalidation", "\"all\"")];
        assert_eq!(
            left_after(profile, at("victim.test", "POST", "/x"), 201, groups).await,
            ""
        );
        assert_eq!(
            left_after(profile, at("victim.test", "POST", "/a"), 405, &[]).await,
            "//a/b"
        );
    }
}

/// Of two hosts it is unknown whose handler answered.
#[tokio::test]
async fn a_request_of_two_hosts_forgets_nothing_that_its_answer_names() {
    let lines = &[
        ("cache-group-invalidation", "\"all\""),
        ("location", "/a"),
        ("content-location", "http://victim.test/b"),
    ];
    for profile in PROFILES {
        let mut two = at("victim.test", "POST", "/x");
        two.headers_mut()
            .append("host", HeaderValue::from_static("evil.test"));
        assert_eq!(left_after(profile, two, 200, lines).await, "//a/b", "{profile:?}");
        let absolute = at("evil.test", "POST", "http://victim.test/x");
        assert_eq!(
            left_after(profile, absolute, 200, lines).await,
            "//a/b",
            "{profile:?}"
        );
    }
}

#[tokio::test]
async fn the_name_of_a_group_is_only_that() {
    const GROUPS: [&str; 8] = ["a", "A", "*", "a b", "a,b", "\\\"a\\\"", "gateway.test a", ""];
    for profile in PROFILES {
        for forgotten in GROUPS {
            let app = origin(gateway(&larder(), profile), move |parts| {
                if parts.method == "POST" {
                    return answer(
                        200,
                        &[("cache-group-invalidation", &format!("\"{forgotten}\""))],
                        "",
                    );
                }
                let nth: usize = parts.uri.path()[1..].parse().unwrap();
                answer(
                    200,
                    &[FRESH, ("cache-groups", &format!("\"{}\"", GROUPS[nth]))],
                    "x",
                )
            });
            let ask = async |nth: usize| send(&app, at("gateway.test", "GET", &format!("/{nth}"))).await;
            for nth in 0..GROUPS.len() {
                ask(nth).await;
            }
            send(&app, at("gateway.test", "POST", "/")).await;
            for (nth, group) in GROUPS.iter().enumerate() {
                let expected = if *group == forgotten { "MISS" } else { "HIT" };
                assert_eq!(ask(nth).await.x_cache(), expected, "{group} after {forgotten}");
            }
        }
        // What is no list of strings names none.
        for odd in [
            "\"a\nb\"".replace('\n', "\t"),
            "\"a".to_owned(),
            "a, *".to_owned(),
            "\"a\"x".to_owned(),
            ":YQ==:".to_owned(),
        ] {
            let app = origin(gateway(&larder(), profile), move |parts| {
                if parts.method == "POST" {
                    return answer(200, &[("cache-group-invalidation", &odd)], "");
                }
                answer(200, &[FRESH, ("cache-groups", "\"a\", \"b\"")], "x")
            });
            get(&app, "/x").await;
            send(&app, request("POST", "/", &[])).await;
            assert_eq!(get(&app, "/x").await.x_cache(), "HIT");
        }
    }
}

/// An entry that was filled by a request with a parameter that does not count is the same entry.
#[tokio::test]
async fn an_ignored_parameter_hides_no_entry_from_what_forgets_it() {
    for profile in PROFILES {
        let layer = gateway(&larder(), profile).ignore_query(["utm"]);
        let app = origin(layer, |parts| match parts.uri.path() {
            "/names" => answer(201, &[("location", "/page?utm=other&a=1")], ""),
            _ if parts.method == "POST" => answer(200, &[], ""),
            _ => answer(200, &[FRESH], "x"),
        });
        for mutation in ["/page?a=1", "/page?utm=third&a=1", "/names"] {
            let ask = async |host, method, target| send(&app, at(host, method, target)).await;
            ask("jam.test", "GET", "/page?a=1&utm=evil").await;
            assert_eq!(ask("jam.test", "GET", "/page?a=1").await.x_cache(), "HIT");
            // A port that says nothing hides nothing either.
            ask("JAM.test:443", "POST", mutation).await;
            let page = ask("jam.test", "GET", "/page?a=1").await;
            assert_eq!(page.x_cache(), "MISS", "{mutation}");
        }
    }
}

#[tokio::test]
async fn what_ignores_its_query_answers_nothing_else() {
    for profile in PROFILES {
        let layer = gateway(&larder(), profile).key_header("x-tenant");
        let app = origin(layer, |parts| {
            let seen = format!(
                "{} {} {} {}",
                parts.uri.path(),
                sent(&parts.headers, "host"),
                sent(&parts.headers, "x-tenant"),
                sent(&parts.headers, "accept-language"),
            );
            let lines = [FRESH, ("no-vary-search", "params"), ("vary", "accept-language")];
            answer(200, &lines, seen)
        });
        let requests: [(&str, Lines); 9] = [
            ("/a?a=1", &[("host", "one")]),
            ("/b?a=1", &[("host", "one")]),
            ("/a?a=1", &[("host", "two")]),
            ("/a?a=1", &[("host", "")]),
            ("/a?a=1", &[]),
            ("/a?a=1", &[("host", "one"), ("x-tenant", "t")]),
            ("/a?a=1", &[("host", "one"), ("accept-language", "de")]),
            ("/A?a=1", &[("host", "one")]),
            ("/a/?a=1", &[("host", "one")]),
        ];
        for (uri, lines) in requests {
            assert_eq!(
                send(&app, get_with(uri, lines)).await.x_cache(),
                "MISS",
                "{uri} {lines:?}"
            );
        }
        for (uri, lines) in requests {
            let other = uri.replace("a=1", "b=2");
            let answer = send(&app, get_with(&other, lines)).await;
            assert_eq!(answer.x_cache(), "HIT", "{other} {lines:?}");
            assert_eq!(answer.text(), get_text(uri, lines), "{other} {lines:?}");
        }
    }
}

fn get_text(uri: &str, lines: &[(&str, &str)]) -> String {
    let asked = get_with(uri, lines);
    let sent = |name| sent(asked.headers(), name);
    format!(
        "{} {} {} {}",
        asked.uri().path(),
        sent("host"),
        sent("x-tenant"),
        sent("accept-language")
    )
}

#[tokio::test]
async fn a_query_reads_as_no_other_where_parameters_are_ignored() {
    const QUERIES: [&str; 8] = [
        "a=1&b=2",
        "a=1%26b=2",
        "a%3D1&b=2",
        "a==1",
        "a%3D=1",
        "a=1;b=2",
        "a=%1E",
        "a=%1F",
    ];
    for profile in PROFILES {
        let app = origin(gateway(&larder(), profile), |parts| {
            let lines = [FRESH, ("no-vary-search", "key-order, params=(\"x\")")];
            answer(200, &lines, parts.uri.query().unwrap_or_default())
        });
        for x in ["", "&x=1", "&x=2"] {
            for query in QUERIES {
                let got = get(&app, &format!("/?{query}{x}")).await;
                assert_eq!(got.text(), query, "{query}{x}");
            }
        }
    }
}

/// The client's query counts, whatever a layer around made of it: an origin may see either.
#[tokio::test]
async fn what_ignores_its_query_was_asked_by_the_clients_query() {
    let handler = |OriginalUri(uri): OriginalUri| async move {
        answer(
            200,
            &[FRESH, ("no-vary-search", "params=(\"x\")")],
            uri.to_string(),
        )
    };
    let rewrite = tower::util::MapRequestLayer::new(|mut request: Request| {
        *request.uri_mut() = http::Uri::from_static("/same");
        request
    });
    let layer = gateway(&larder(), Profile::Rfc);
    let app = Router::new().fallback(handler).layer(layer).layer(rewrite);
    for uri in ["/page?a=evil", "/page?a=1", "/page"] {
        assert_eq!(get(&app, uri).await.text(), uri);
    }
}

/// An entry from before its origin said `No-Vary-Search` does not stand in the way of those from after.
#[tokio::test]
async fn an_old_entry_does_not_hide_one_that_answers_more_queries() {
    let (larder, clock) = support::cache(16 << 20);
    let runs = Calls::default();
    let app = origin(gateway(&larder, Profile::Safe), move |_| match runs.next() {
        1 => answer(200, &[FRESH], "old"),
        _ => answer(200, &[FRESH, ("no-vary-search", "params")], "new"),
    });
    assert_eq!(get(&app, "/?a").await.text(), "old");
    clock.advance(Duration::from_secs(61));
    for x_cache in ["MISS", "HIT", "HIT"] {
        let new = get(&app, "/?a").await;
        assert_eq!((new.text(), new.x_cache()), ("new", x_cache));
    }
}

#[tokio::test]
async fn a_flood_of_marks_rules_groups_and_mutations_stays_in_its_bounds() {
    const FLOOD: usize = if cfg!(debug_assertions) { 1500 } else { 30_000 };
    const HOT: usize = 20;
    let (larder, _) = support::cache(4 << 20);
    let app = origin(gateway(&larder, Profile::Rfc), |parts| {
        let query = parts.uri.query().unwrap_or_default();
        if parts.method == "POST" {
            let named = format!("\"x{query}\", \"y{query}\"");
            return answer(
                200,
                &[("cache-group-invalidation", &named), ("location", "/x?y")],
                "",
            );
        }
        if parts.uri.path() == "/hot" {
            return answer(200, &[FRESH], "hot");
        }
        let long = "n".repeat(100);
        let many = |from: &str| {
            (0..60)
                .map(|n| format!("\"{from}{n}{long}\""))
                .collect::<Vec<_>>()
        };
        let groups = many(query).join(", ");
        let rule = format!("params=({})", many(query).join(" "));
        let vary = format!("x-{query}, accept-language");
        let lines = [
            FRESH,
            ("cache-groups", &*groups),
            ("no-vary-search", &rule),
            ("vary", &vary),
        ];
        answer(200, &lines, "x".repeat(100))
    });
    for hot in 0..HOT * 3 {
        get(&app, &format!("/hot?{}", hot % HOT)).await;
    }
    let mut hits = 0;
    for unique in 0..FLOOD {
        // One path gathers rules, and each of the others marks of its own.
        let target = format!("/{}?{unique}", if unique % 2 == 0 { unique } else { 1 });
        get(&app, &target).await;
        send(&app, request("POST", &format!("/post/{unique}?{unique}"), &[])).await;
        hits += usize::from(get(&app, &format!("/hot?{}", unique % HOT)).await.x_cache() == "HIT");
        if unique % 250 == 0 {
            let size = larder.size();
            assert!(
                size.bytes <= size.capacity && size.capacity <= 4 << 20,
                "{size:?}"
            );
            assert!(size.entries < 4000 && size.tags < 40_000, "{size:?}");
        }
    }
    assert!(hits * 10 >= FLOOD * 9, "{hits} of {FLOOD} for the hot");
}

#[tokio::test]
async fn forgetting_what_nobody_keeps_leaves_nothing_behind() {
    let larder = larder();
    let app = origin(gateway(&larder, Profile::Safe), |parts| {
        let query = parts.uri.query().unwrap_or_default();
        answer(
            200,
            &[
                ("cache-group-invalidation", &format!("\"{query}\"")),
                ("location", "/x"),
            ],
            "",
        )
    });
    for unique in 0..2000 {
        send(&app, request("POST", &format!("/{unique}?{unique}"), &[])).await;
    }
    assert_eq!((larder.size().tags, larder.size().entries), (0, 0));
}

/// A store around another one: it counts what is looked up, and may answer what it was never given.
#[derive(Debug, Clone)]
struct Odd {
    inner: Arc<MemoryStore>,
    lookups: Calls,
    poison: Option<Poison>,
}

#[derive(Debug, Clone, Copy)]
enum Poison {
    Variants,
    Searches,
}

impl Odd {
    fn new(poison: Option<Poison>) -> Self {
        Self {
            inner: Arc::new(MemoryStore::with_capacity(16 << 20)),
            lookups: Calls::default(),
            poison,
        }
    }
}

impl Store for Odd {
    fn name(&self) -> &'static str {
        "odd"
    }

    fn lookup(&self, key: &[u8]) -> store::Answer<Result<Lookup, StoreError>> {
        self.lookups.next();
        let content = match self.poison {
            None => return self.inner.lookup(key),
            Some(Poison::Variants) => {
                let names: VaryNames = vec![http::header::ACCEPT].into();
                Content::Variants([names].into())
            }
            Some(Poison::Searches) => Content::Searches([SearchVariance::default()].into()),
        };
        let lifetime = Lifetime::fresh(Timestamp::from_millis(0), Duration::MAX);
        let entry = Arc::new(Entry::new(lifetime, content, Vec::new()));
        store::Answer::Ready(Ok(Lookup::Found(entry)))
    }

    fn capture(&self, tags: &[Tag]) -> store::Answer<Result<Capture, StoreError>> {
        self.inner.capture(tags)
    }

    fn put(&self, key: Key, entry: Entry, capture: Capture) -> store::Answer<Put> {
        self.inner.put(key, entry, capture)
    }

    fn validity(&self, entry: &SharedEntry) -> store::Answer<Result<Validity, StoreError>> {
        self.inner.validity(entry)
    }

    fn forget(&self, tags: &[Tag], strength: Strength) -> store::Answer<Result<Forgotten, StoreError>> {
        self.inner.forget(tags, strength)
    }

    fn forget_everything(&self, strength: Strength) -> store::Answer<Result<Forgotten, StoreError>> {
        self.inner.forget_everything(strength)
    }

    fn size(&self) -> Size {
        self.inner.size()
    }
}

#[tokio::test]
async fn a_store_that_answers_what_it_was_not_given_costs_a_miss() {
    for poison in [Poison::Variants, Poison::Searches] {
        for profile in PROFILES {
            let larder = Larder::new(Odd::new(Some(poison)));
            let app = origin(gateway(&larder, profile), |_| answer(200, &[FRESH], "own"));
            for _ in 0..2 {
                let own = get(&app, "/").await;
                assert_eq!((own.text(), own.x_cache()), ("own", "MISS"), "{poison:?}");
            }
        }
    }
}

/// Each list of names in `Vary` and each rule in `No-Vary-Search` is one place more to look at, for everybody.
#[tokio::test]
async fn many_marks_do_not_make_looking_long() {
    for profile in PROFILES {
        let store = Odd::new(None);
        let app = origin(gateway(&Larder::new(store.clone()), profile), |parts| {
            let query = parts.uri.query().unwrap_or_default();
            let (vary, rule) = query.split_once('=').unwrap_or_default();
            let vary = format!("accept-{vary}, accept-language");
            let rule = format!("params=(\"{rule}\")");
            answer(200, &[FRESH, ("vary", &vary), ("no-vary-search", &rule)], "x")
        });
        let lists = ["charset", "encoding", "language"];
        for nth in 0..60 {
            get(&app, &format!("/?{}={nth}", lists[nth % lists.len()])).await;
        }
        let before = store.lookups.count();
        get(&app, "/?new").await;
        let lookups = store.lookups.count() - before;
        assert!(lookups < 60, "{lookups}");
    }
}

fn says_of_itself(answer: &Answer) -> Vec<String> {
    let own = ["cache-status", "x-cache", "x-cache-age", "age"];
    own.iter()
        .map(|name| answer.header(name).to_owned())
        .filter(|value| !value.is_empty())
        .collect()
}

#[tokio::test]
async fn what_the_cache_says_of_itself_never_names_the_key_and_can_be_silenced() {
    let page = |_: Parts| answer(200, &[FRESH], "x");
    for profile in PROFILES {
        let app = origin(gateway(&larder(), profile), page);
        let asks: [Request; 5] = [
            get_with("/secret?token=1", &[]),
            get_with("/secret?token=1", &[]),
            get_with("/secret?token=2", &[("range", "bytes=0-0")]),
            request("POST", "/secret?token=1", &[]),
            get_with("/secret?token=1", &[("authorization", "secret")]),
        ];
        for ask in asks {
            let said = send(&app, ask).await.cache_status().to_owned();
            assert!(said.starts_with("larder; "), "{said}");
            assert!(
                !said.contains("key") && !said.contains("secret") && !said.contains("token"),
                "{said}"
            );
        }
        let silent = gateway(&larder(), profile)
            .x_cache_header(false)
            .cache_status_header(false)
            .age_header(false);
        let app = origin(silent, page);
        for lines in [
            &[][..],
            &[],
            &[("range", "bytes=0-0")],
            &[("if-none-match", "\"x\"")],
        ] {
            let answer = send(&app, get_with("/", lines)).await;
            assert_eq!(says_of_itself(&answer), Vec::<String>::new(), "{lines:?}");
        }
        assert_eq!(
            says_of_itself(&send(&app, request("POST", "/", &[])).await),
            Vec::<String>::new()
        );
    }
}
