//! The metrics: each of them is counted, with no other labels than it declares, and each request has one outcome.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support_flows;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use larder::{ActionRule, Actions, CacheLayer, Identity, InvalidateLayer, Larder, MemoryStore, Profile};
use larder_testkit::{Call, FailingStore, Mode};
use metrics_util::MetricKind;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use support_flows::*;
use tower::ServiceExt;
use tower_layer::Layer;

const SECOND: Duration = Duration::from_secs(1);

/// The layers of this suite, and `-` for what belongs to none.
const CACHES: &[&str] = &["shared", "user", "small", "gateway"];
const TIERS: &[&str] = &["l1"];

/// A metric and the values that each of its labels may have.
struct Declared(
    MetricKind,
    &'static str,
    &'static [(&'static str, &'static [&'static str])],
);

use MetricKind::{Counter, Gauge, Histogram};

const OUTCOMES: &[&str] = &[
    "hit_l1",
    "hit_l2",
    "revalidated",
    "coalesced",
    "stale_swr",
    "stale_error",
    "miss",
    "bypass",
    "uncacheable",
    "unsatisfied",
];
const BYPASSES: &[&str] = &[
    "method",
    "head",
    "authorization",
    "identity_header",
    "cookie",
    "no_identity",
    "range",
    "no_store",
    "body",
    "upgrade",
    "host",
    "rule",
    "disabled",
];
const UNCACHEABLE: &[&str] = &[
    "status",
    "set_cookie",
    "private",
    "no_store",
    "authorization",
    "no_cache",
    "no_lifetime",
    "vary_star",
    "groups",
    "hidden_vary",
    "too_large",
    "streaming",
    "incomplete",
    "validator",
    "head",
    "hint",
    "unresolved_tag",
    "stamp",
    "store_error",
];
const KEPT: &[&str] = &["stored", "rejected_stamp", "rejected_size", "error"];

const DECLARED: &[Declared] = &[
    Declared(
        Counter,
        "larder_cache_requests_total",
        &[("cache", CACHES), ("outcome", OUTCOMES)],
    ),
    Declared(
        Counter,
        "larder_cache_time_saved_milliseconds_total",
        &[("cache", CACHES)],
    ),
    Declared(
        Counter,
        "larder_cache_bytes_saved_total",
        &[("cache", CACHES), ("kind", &["hit", "not_modified"])],
    ),
    Declared(
        Counter,
        "larder_cache_conditional_total",
        &[("cache", CACHES), ("result", &["not_modified", "modified"])],
    ),
    Declared(
        Histogram,
        "larder_cache_lookup_duration_seconds",
        &[("cache", CACHES), ("tier", TIERS), ("result", &["hit"])],
    ),
    Declared(
        Histogram,
        "larder_cache_hit_age_seconds",
        &[("cache", CACHES), ("tier", TIERS)],
    ),
    Declared(Gauge, "larder_cache_load_inflight", &[("cache", CACHES)]),
    Declared(
        Counter,
        "larder_cache_miss_total",
        &[
            ("cache", CACHES),
            (
                "reason",
                &[
                    "absent",
                    "expired",
                    "tag",
                    "vary",
                    "request",
                    "epoch",
                    "schema",
                    "decode",
                    "intent",
                    "tier_error",
                    "breaker",
                ],
            ),
        ],
    ),
    Declared(
        Counter,
        "larder_cache_bypass_total",
        &[("cache", CACHES), ("reason", BYPASSES)],
    ),
    Declared(
        Counter,
        "larder_cache_uncacheable_total",
        &[("cache", CACHES), ("reason", UNCACHEABLE)],
    ),
    Declared(
        Histogram,
        "larder_cache_load_duration_seconds",
        &[
            ("cache", CACHES),
            ("mode", &["foreground", "background"]),
            ("result", &["ok", "error", "error_status"]),
        ],
    ),
    Declared(
        Histogram,
        "larder_cache_coalesced_wait_seconds",
        &[
            ("cache", CACHES),
            ("scope", &["local"]),
            ("result", &["value", "leader_failed", "released", "timeout"]),
        ],
    ),
    Declared(
        Counter,
        "larder_cache_refresh_total",
        &[
            ("cache", CACHES),
            ("trigger", &["swr", "early"]),
            ("result", &["ok", "error", "refused"]),
        ],
    ),
    Declared(
        Histogram,
        "larder_cache_stale_served_age_seconds",
        &[("cache", CACHES), ("cause", &["swr", "error"])],
    ),
    Declared(
        Counter,
        "larder_cache_store_total",
        &[("cache", CACHES), ("tier", TIERS), ("result", KEPT)],
    ),
    Declared(Counter, "larder_cache_fill_race_total", &[("cache", CACHES)]),
    Declared(Histogram, "larder_cache_value_bytes", &[("cache", CACHES)]),
    Declared(Gauge, "larder_cache_entries", &[("tier", TIERS)]),
    Declared(Gauge, "larder_cache_bytes", &[("tier", TIERS)]),
    Declared(Gauge, "larder_cache_capacity_bytes", &[("tier", TIERS)]),
    Declared(
        Counter,
        "larder_cache_evictions_total",
        &[("cache", CACHES), ("cause", &["size"])],
    ),
    Declared(
        Counter,
        "larder_backend_errors_total",
        &[
            ("backend", &["failing"]),
            ("kind", &["timeout", "io", "protocol", "unavailable"]),
        ],
    ),
    Declared(
        Counter,
        "larder_invalidations_total",
        &[
            ("kind", &["tag", "prefix", "key", "all"]),
            ("source", &["api", "action", "http_method", "replay"]),
            ("mode", &["hard", "soft"]),
            ("result", &["ok", "error", "unresolved"]),
        ],
    ),
    Declared(Gauge, "larder_invalidations_pending", &[]),
    Declared(
        Histogram,
        "larder_invalidation_duration_seconds",
        &[("kind", &["tag", "prefix", "key", "all"])],
    ),
];

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

/// What was counted: by name, the labels and the value of each series.
type Seen = BTreeMap<String, Vec<(MetricKind, BTreeMap<String, String>, f64)>>;

#[allow(clippy::cast_precision_loss, reason = "small numbers")]
fn seen_by(snapshotter: &Snapshotter) -> Seen {
    let mut all = Seen::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let (kind, key) = key.into_parts();
        let labels = key
            .labels()
            .map(|label| (label.key().to_owned(), label.value().to_owned()));
        let value = match value {
            DebugValue::Counter(count) => count as f64,
            DebugValue::Gauge(value) => value.into_inner(),
            DebugValue::Histogram(values) => values.len() as f64,
        };
        all.entry(key.name().to_owned())
            .or_default()
            .push((kind, labels.collect(), value));
    }
    all
}

async fn drive() -> (Seen, usize) {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _installed = metrics::set_default_local_recorder(&recorder);
    let mut drive = Drive::new();
    drive.plain().await;
    drive.flights().await;
    drive.stale().await;
    drive.gateway().await;
    drive.invalidations().await;
    drive.mutations().await;
    drive.stores().await;
    (seen_by(&snapshotter), drive.requests)
}

#[tokio::test(start_paused = true)]
async fn every_metric_is_counted_with_the_labels_that_it_declares() {
    let (seen, requests) = drive().await;
    let declared: BTreeSet<_> = DECLARED
        .iter()
        .map(|Declared(_, name, _)| (*name).to_owned())
        .collect();
    let names: BTreeSet<_> = seen.keys().cloned().collect();
    assert_eq!(names, declared);
    for Declared(kind, name, labels) in DECLARED {
        let series = &seen[*name];
        let counted = series.iter().any(|(_, _, value)| *value > 0.0);
        // What runs or waits now is nothing, after all.
        assert!(
            counted || ["larder_cache_load_inflight", "larder_invalidations_pending"].contains(name),
            "{name} was never counted"
        );
        for (seen_kind, seen_labels, _) in series {
            assert_eq!(seen_kind, kind, "{name}");
            let keys: Vec<_> = seen_labels.keys().map(String::as_str).collect();
            let expected: BTreeSet<_> = labels.iter().map(|(key, _)| *key).collect();
            assert_eq!(keys, Vec::from_iter(expected), "{name}");
            for (key, values) in *labels {
                let value = &*seen_labels[*key];
                assert!(values.contains(&value), "{name}: {key} is {value:?}");
            }
        }
    }
    assert!(
        !format!("{seen:?}").contains("secret"),
        "nothing of a request is in a label"
    );
    assert_eq!(
        total(&seen, "larder_cache_requests_total", &[]),
        requests,
        "one outcome for each"
    );
}

/// The sum of a metric's series with these labels.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small whole numbers"
)]
fn total(seen: &Seen, name: &str, labels: &[(&str, &str)]) -> usize {
    let fits = |own: &BTreeMap<String, String>| labels.iter().all(|(key, value)| own[*key] == *value);
    let values = seen[name].iter().filter(|(_, own, _)| fits(own));
    values.map(|(_, _, value)| value).sum::<f64>() as usize
}

/// A metric, one of its labels, and the values of it that the suite brings about.
const PATHS: &[(&str, &str, &[&str])] = &[
    (
        "larder_cache_requests_total",
        "outcome",
        &[
            "hit_l1",
            "coalesced",
            "stale_swr",
            "stale_error",
            "miss",
            "bypass",
            "uncacheable",
            "revalidated",
            "unsatisfied",
        ],
    ),
    (
        "larder_cache_miss_total",
        "reason",
        &["absent", "expired", "tag", "vary", "request", "tier_error"],
    ),
    (
        "larder_cache_bypass_total",
        "reason",
        &[
            "authorization",
            "cookie",
            "identity_header",
            "no_identity",
            "range",
            "upgrade",
            "method",
            "no_store",
        ],
    ),
    (
        "larder_cache_uncacheable_total",
        "reason",
        &[
            "no_store",
            "stamp",
            "store_error",
            "too_large",
            "authorization",
            "head",
        ],
    ),
    (
        "larder_cache_conditional_total",
        "result",
        &["not_modified", "modified"],
    ),
    ("larder_cache_bytes_saved_total", "kind", &["hit", "not_modified"]),
    (
        "larder_cache_load_duration_seconds",
        "mode",
        &["foreground", "background"],
    ),
    (
        "larder_cache_load_duration_seconds",
        "result",
        &["ok", "error", "error_status"],
    ),
    (
        "larder_cache_coalesced_wait_seconds",
        "result",
        &["value", "released", "timeout", "leader_failed"],
    ),
    (
        "larder_cache_refresh_total",
        "result",
        &["ok", "error", "refused"],
    ),
    ("larder_cache_refresh_total", "trigger", &["swr", "early"]),
    (
        "larder_cache_stale_served_age_seconds",
        "cause",
        &["swr", "error"],
    ),
    ("larder_cache_store_total", "result", KEPT),
    ("larder_backend_errors_total", "kind", &["timeout", "io"]),
    (
        "larder_invalidations_total",
        "kind",
        &["tag", "prefix", "key", "all"],
    ),
    (
        "larder_invalidations_total",
        "source",
        &["api", "action", "http_method", "replay"],
    ),
    ("larder_invalidations_total", "mode", &["hard", "soft"]),
    (
        "larder_invalidations_total",
        "result",
        &["ok", "error", "unresolved"],
    ),
];

#[tokio::test(start_paused = true)]
async fn every_path_is_counted_where_it_belongs() {
    let (seen, _) = drive().await;
    for (name, label, values) in PATHS {
        for value in *values {
            assert!(
                total(&seen, name, &[(label, value)]) > 0,
                "{name}: {label} {value}"
            );
        }
    }
    // A bypass has one reason, and nothing runs any more.
    assert_eq!(
        total(&seen, "larder_cache_bypass_total", &[]),
        total(&seen, "larder_cache_requests_total", &[("outcome", "bypass")])
    );
    assert_eq!(total(&seen, "larder_cache_load_inflight", &[]), 0);
}
