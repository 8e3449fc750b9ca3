//! The layers on the memory store: each way that a request can take.

use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use larder::{ActionRule, Actions, CacheLayer, Identity, InvalidateLayer, Larder, MemoryStore, Profile};
use larder_testkit::{Call, FailingStore, Mode};
use tower::ServiceExt;
use tower_layer::Layer;

use crate::support_flows::*;

const SECOND: Duration = Duration::from_secs(1);

/// Drives all of it, and answers how many requests there were.
pub(crate) async fn drive() -> usize {
    let mut drive = Drive::new();
    drive.plain().await;
    drive.bypasses().await;
    drive.unkept().await;
    drive.flights().await;
    drive.stale().await;
    drive.gateway().await;
    drive.invalidations().await;
    drive.mutations().await;
    drive.stores().await;
    drive.requests
}

/// What the suite drives: each answer counts as a request.
struct Drive {
    larder: Larder,
    clock: larder::FakeClock,
    store: FailingStore,
    shared: App,
    user: App,
    gate: Gate,
    runs: Count,
    requests: usize,
}

impl Drive {
    fn new() -> Self {
        let store = FailingStore::new(MemoryStore::with_capacity(8 << 20));
        let (larder, clock) = with_store(store.clone(), |limits| limits.background_fills = 1);
        let (runs, gate) = (Count::default(), Gate::default());
        let layer = shared(&larder);
        let shared = fallible(&layer, handler(&clock, &runs, &gate));
        let layer = larder.user_cache("user", |parts: &http::request::Parts| {
            let user = parts.headers.get("authorization").cloned();
            async move { user.map(|user| Identity::new(user.to_str().unwrap())) }
        });
        let user = fallible(&layer, handler(&clock, &runs, &gate));
        Self {
            larder,
            clock,
            store,
            shared,
            user,
            gate,
            runs,
            requests: 0,
        }
    }

    async fn send(&mut self, request: Request<Body>) -> String {
        self.requests += 1;
        match in_time(spawn(&self.shared, request)).await.unwrap() {
            Ok(answer) => seen(answer).await.0,
            Err(error) => error.to_string(),
        }
    }

    async fn see(&mut self, uri: &str) -> String {
        self.send(get(uri)).await
    }

    /// Misses, hits, conditions, and all that is not kept.
    async fn plain(&mut self) {
        for (uri, expected) in [
            ("/secret-path", "MISS"),
            ("/no-store", "MISS"),
            ("/broken", "the service failed"),
        ] {
            assert_eq!(self.see(uri).await, expected);
        }
        // One hit in 64 is timed.
        for _ in 0..2000 {
            assert_eq!(self.see("/secret-path").await, "HIT");
        }
        for tag in ["*", "\"other\""] {
            self.send(get_with("/secret-path", "if-none-match", tag)).await;
        }
        for name in ["authorization", "cookie", "x-api-key", "upgrade"] {
            let request = get_with("/secret-path", name, "secret-user");
            assert_eq!(self.send(request).await, "BYPASS");
        }
        assert_eq!(
            self.send(get_with("/unknown", "range", "bytes=0-1")).await,
            "BYPASS"
        );
        assert_eq!(
            self.send(get_with("/broken", "cookie", "secret-user")).await,
            "the service failed"
        );
        for language in ["en", "de"] {
            self.send(get_with("/varied", "accept-language", language)).await;
        }
        for user in [Some("secret-user"), Some("secret-user"), None] {
            self.requests += 1;
            let request = user.map_or_else(|| get("/"), |user| get_with("/", "authorization", user));
            text(ask(&self.user, request).await).await;
        }
    }

    /// Requests that the cache has no part in for what the layer was told.
    async fn bypasses(&mut self) {
        let layer = self
            .larder
            .cache("shared")
            .share_name()
            .ttl(SECOND)
            .hosts(["here.example"]);
        let layer = layer.bypass_if(|request| request.uri.path() == "/rule");
        let app = app(&layer, |_| async { ok("body") });
        let at = |uri: &str| get_with(uri, "host", "here.example");
        let mut head = at("/never");
        *head.method_mut() = http::Method::HEAD;
        let mut body = at("/body");
        *body.body_mut() = "body".into();
        let mut token = at("/token");
        token
            .headers_mut()
            .insert("cookie", http::HeaderValue::from_static("larder-read=bypass"));
        let off = at("/off");
        for (request, reason) in [
            (get_with("/", "host", "secret.example"), "host"),
            (at("/rule"), "rule"),
            (head, "head"),
            (body, "body"),
            (token, "read_token"),
            (off, "disabled"),
        ] {
            self.larder.set_enabled(reason != "disabled");
            self.requests += 1;
            let answer = ask(&app, request).await;
            assert!(
                cache_status(&answer).contains(&format!("detail={reason}")),
                "{}",
                cache_status(&answer)
            );
        }
        self.larder.set_enabled(true);
    }

    /// Answers that are not kept for what they say.
    async fn unkept(&mut self) {
        let groups = (0..65)
            .map(|group| format!("\"{group}\""))
            .collect::<Vec<_>>()
            .join(", ");
        for (reason, name, value) in [
            ("private", "cache-control", "private"),
            ("set_cookie", "set-cookie", "secret=1"),
            ("no_cache", "cache-control", "no-cache"),
            ("no_lifetime", "cache-control", "max-age=0"),
            ("vary_star", "vary", "*"),
            ("hidden_vary", "vary", "x-hidden"),
            ("streaming", "content-type", "text/event-stream"),
            ("incomplete", "content-length", "100"),
            ("groups", "cache-groups", &*groups),
            ("unresolved_tag", "x-any", "any"),
        ] {
            let layer = match reason {
                "groups" => self.larder.gateway_cache("gateway", Profile::Rfc).share_name(),
                "unresolved_tag" => shared(&self.larder).share_name().tag("secret:{query.none}"),
                _ => shared(&self.larder).share_name(),
            };
            let (name, value) = (name.to_owned(), value.to_owned());
            let app = app(&layer, move |_| {
                let headers = [(&*name, &*value), ("cache-control", "max-age=60")];
                let alone = name == "cache-control";
                let answer = response(200, &headers[..2 - usize::from(alone)], "body");
                async { answer }
            });
            self.requests += 1;
            let answer = ask(&app, get(&format!("/unkept/{reason}"))).await;
            let status = cache_status(&answer).to_owned();
            assert!(
                status.ends_with(&format!("detail={reason}")),
                "{reason}: {status}"
            );
        }
        self.wrong_validator().await;
    }

    /// An origin that says that something else has not changed.
    async fn wrong_validator(&mut self) {
        let origin = |request: Request<Body>| async move {
            let asked = request.headers().contains_key("if-none-match");
            let tag = if asked { "\"other\"" } else { "\"one\"" };
            let headers = [("etag", tag), ("cache-control", "max-age=1")];
            response(if asked { 304 } else { 200 }, &headers, "")
        };
        let app = app(
            &self.larder.gateway_cache("gateway", Profile::Rfc).share_name(),
            origin,
        );
        for _ in 0..2 {
            self.requests += 1;
            text(ask(&app, get("/wrong-validator")).await).await;
            self.clock.advance(SECOND * 2);
        }
    }

    /// Many at a time: who waits, and how the wait ends.
    async fn flights(&mut self) {
        for uri in ["/gated", "/gated-no-store", "/gated-hang"] {
            self.requests += 3;
            let before = self.runs.get();
            let leader = spawn(&self.shared, get(uri));
            self.runs.reach(before + 1).await;
            let waiters = [0, 1].map(|_| spawn(&self.shared, get(uri)));
            settle().await;
            match uri {
                "/gated-hang" => {
                    // One more leads in its place, and is not answered either: they count as no request.
                    leader.abort();
                    self.runs.reach(before + 2).await;
                    tokio::time::sleep(SECOND * 6).await;
                    self.requests -= 3;
                }
                _ => self.gate.open(),
            }
            for waiter in waiters {
                if uri == "/gated-hang" {
                    waiter.abort();
                } else {
                    in_time(waiter).await.unwrap().unwrap();
                }
            }
            self.gate.close();
        }
    }

    /// Stale answers, early refreshes, and what becomes of the fills behind them.
    async fn stale(&mut self) {
        self.gate.open();
        for uri in ["/gated-stale", "/stale", "/sometimes", "/if-error"] {
            assert_eq!(self.see(uri).await, "MISS");
        }
        self.gate.close();
        self.clock.advance(SECOND * 10);
        assert_eq!(self.see("/gated-stale").await, "STALE");
        // The one fill that may be under way in the background is that of the other.
        assert_eq!(self.see("/stale").await, "STALE");
        self.gate.open();
        self.larder.idle().await;
        self.gate.close();
        assert_eq!(self.see("/sometimes").await, "STALE");
        self.larder.idle().await;
        self.clock.advance(SECOND * 10);
        assert_eq!(self.see("/if-error").await, "STALE");
        let early = fallible(
            &shared(&self.larder).share_name().early_refresh(1e12),
            handler(&self.clock, &self.runs, &self.gate),
        );
        for expected in ["MISS", "HIT"] {
            self.requests += 1;
            assert_eq!(see(&early, "/early").await.0, expected);
        }
        self.larder.idle().await;
    }

    /// What only a layer in front of an origin does: it validates, and obeys what a request asks for.
    async fn gateway(&mut self) {
        let origin = |request: Request<Body>| async move {
            let known = request
                .headers()
                .get("if-none-match")
                .is_some_and(|tag| tag == "\"a\"");
            let headers = [("etag", "\"a\""), ("cache-control", "max-age=10")];
            match request.method().as_str() {
                "HEAD" => response(200, &[("etag", "\"b\""), headers[1]], ""),
                _ => response(if known { 304 } else { 200 }, &headers, ""),
            }
        };
        let gateway = app(&self.larder.gateway_cache("gateway", Profile::Rfc), origin);
        for (method, directives) in [
            ("GET", "only-if-cached"),
            ("GET", "no-store"),
            ("GET", "max-age=100"),
            ("GET", "no-cache"),
            ("HEAD", "no-cache"),
            ("POST", ""),
        ] {
            self.requests += 1;
            let mut request = get_with("/secret-path", "cache-control", directives);
            *request.method_mut() = method.parse().unwrap();
            text(ask(&gateway, request).await).await;
            self.clock.advance(SECOND);
        }
        self.requests += 1;
        let request = get_with("/secret-path/own", "authorization", "secret-user");
        text(ask(&gateway, request).await).await;
    }

    /// Invalidations, one of them while a fill is under way.
    async fn invalidations(&mut self) {
        assert_eq!(self.see("/forgotten").await, "MISS");
        self.larder.invalidate_tag("secret-tag").await.unwrap();
        assert_eq!(self.see("/forgotten").await, "MISS");
        let before = self.runs.get();
        self.requests += 1;
        let racing = spawn(&self.shared, get("/gated-race"));
        self.runs.reach(before + 1).await;
        self.larder.invalidate_prefix("/gated-race").await.unwrap();
        self.gate.open();
        in_time(racing).await.unwrap().unwrap();
        self.larder
            .invalidate_uri("/secret-path?secret-query")
            .await
            .unwrap();
        self.larder.invalidate_identity("secret-user").await.unwrap();
        self.larder.invalidate_all().await.unwrap();
        self.larder.invalidate_tag("secret-tag").soft().await.unwrap();
        self.store.set(Call::Forget, Mode::Error);
        self.larder.invalidate_tag("secret-tag").await.unwrap_err();
        self.store.set(Call::Forget, Mode::Ok);
    }

    /// Requests that change something, in front of a store that fails once.
    async fn mutations(&mut self) {
        let action = ActionRule::new("secret.action").tag("secret:{user}");
        let larder = self.larder.clone().with_actions(Actions::new().with(action));
        let changes = |layer: InvalidateLayer| {
            layer.layer(tower::service_fn(|_: Request<()>| async {
                Ok::<_, std::convert::Infallible>(Response::new(()))
            }))
        };
        let post = || Request::post("/secret-path").body(()).unwrap();
        let unresolved = changes(larder.invalidates("secret.action"));
        unresolved.oneshot(post()).await.unwrap();
        self.store.set(Call::Forget, Mode::Error);
        changes(larder.invalidate_layer()).oneshot(post()).await.unwrap();
        self.store.set(Call::Forget, Mode::Ok);
        tokio::time::sleep(SECOND).await;
    }

    /// A store that fails, and one that is too small.
    async fn stores(&mut self) {
        for (call, mode) in [
            (Call::Lookup, Mode::Error),
            (Call::Capture, Mode::Hang),
            (Call::Put, Mode::Error),
        ] {
            self.store.set(call, mode);
            assert_eq!(self.see("/secret-path/failing").await, "MISS");
            self.store.set_all(Mode::Ok);
        }
        let (small, _) = with_store(MemoryStore::with_capacity(64 << 10), |_| {});
        let small = app(&small.cache("small").ttl(SECOND), |request| async move {
            let length = if request.uri() == "/large" {
                40 << 10
            } else {
                4 << 10
            };
            ok("x".repeat(length))
        });
        for key in 0..40 {
            self.requests += 1;
            see(&small, &format!("/secret-path/{key}")).await;
        }
        self.requests += 1;
        see(&small, "/large").await;
    }
}

fn shared(larder: &Larder) -> CacheLayer {
    larder
        .cache("shared")
        .ttl(SECOND * 10)
        .stale_while_revalidate(SECOND * 5)
        .stale_if_error(SECOND * 60)
        .tag("secret-tag")
}

type Made = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

fn handler(
    clock: &larder::FakeClock,
    runs: &Count,
    gate: &Gate,
) -> impl Fn(Request<Body>) -> Made + Clone + use<> {
    let (clock, runs, gate) = (clock.clone(), runs.clone(), gate.clone());
    let again = Count::default();
    move |request| {
        let (clock, runs, gate, again) = (clock.clone(), runs.clone(), gate.clone(), again.clone());
        Box::pin(async move {
            runs.add();
            let path = request.uri().path().to_owned();
            // What it took is what a hit saves.
            clock.advance(Duration::from_millis(3));
            if path.starts_with("/gated") {
                gate.pass().await;
            }
            let failing = ["/sometimes", "/if-error"].contains(&&*path) && again.add() > 2;
            Ok(match &*path {
                "/broken" => return Err("the service failed".into()),
                "/no-store" | "/gated-no-store" => response(200, &[("cache-control", "no-store")], "body"),
                "/varied" => response(200, &[("vary", "accept-language")], "body"),
                _ if failing => response(503, &[], "failed"),
                _ => ok("body"),
            })
        })
    }
}
