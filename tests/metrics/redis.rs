//! The layers and functions over a real server: two instances, and a server that stops, is emptied and is killed.

use std::time::Duration;

use axum::body::Body;
use axum::response::IntoResponse;
use http::{Request, Response};
use larder::{CacheHints, CacheLayer, Coherence, FillPolicy, Larder, Limits, OneFill, RedisStore, Values};
use larder_testkit::RedisServer;
use tokio::sync::Semaphore;

use crate::record::Recording;
use crate::support_flows::*;

const SECOND: Duration = Duration::from_secs(1);

/// A page that takes until it is let go on.
#[derive(Clone, Default)]
struct Gated {
    runs: Count,
    gate: Gate,
}

/// One instance.
struct Instance {
    larder: Larder,
    store: RedisStore,
    app: App,
}

impl Instance {
    async fn new(builder: larder::RedisBuilder, gate: &Gated) -> Self {
        // Whatever else the machine does: what is to be late here hangs.
        let store = builder
            .budget(SECOND / 2)
            .invalidation_budget(SECOND)
            .connect()
            .await
            .unwrap();
        let mut limits = Limits::default();
        limits.store_timeout = SECOND * 5;
        limits.invalidation_timeout = SECOND * 5;
        let larder = Larder::builder(store.clone()).limits(limits).build();
        let app = app(&layer(&larder), handler(larder.clone(), gate.clone()));
        Self { larder, store, app }
    }

    /// What `X-Cache` and `Cache-Status` say.
    async fn see(&self, uri: &str) -> String {
        let answer = ask(&self.app, get(uri)).await;
        let status = format!("{} {}", x_cache(&answer), cache_status(&answer));
        text(answer).await;
        self.store.flush().await;
        status
    }
}

fn layer(larder: &Larder) -> CacheLayer {
    let layer = larder.cache("shared").ttl(SECOND * 60).tag("secret-tag");
    layer.one_fill(OneFill::Everywhere)
}

fn handler(
    larder: Larder,
    gate: Gated,
) -> impl Fn(Request<Body>) -> std::pin::Pin<Box<dyn Future<Output = Response<Body>> + Send>> + Clone {
    move |request| {
        let (larder, gate) = (larder.clone(), gate.clone());
        Box::pin(async move {
            let own = CacheHints::new().tag("secret-own");
            match request.uri().path() {
                "/own" => (own, "body").into_response(),
                "/overtaken" => {
                    larder.invalidate_tag("secret-own").await.unwrap();
                    (own, "body").into_response()
                }
                "/gated" => {
                    gate.runs.add();
                    gate.gate.pass().await;
                    ok("body")
                }
                "/large" => ok("x".repeat(100 << 10)),
                _ => ok("body"),
            }
        })
    }
}

fn numbers() -> Values<u64> {
    FillPolicy::new("function").ttl(SECOND * 60).json()
}

async fn number(instance: &Instance) -> u64 {
    let Ok(number) = instance
        .larder
        .get_or_fill("secret", &numbers(), || async {
            Ok::<_, std::convert::Infallible>(7)
        })
        .await;
    instance.store.flush().await;
    number
}

pub(crate) async fn drive(recording: &mut Recording) {
    let (mut server, gate) = (RedisServer::start(), Gated::default());
    let here = Instance::new(RedisStore::builder(server.url()), &gate).await;
    let there = Instance::new(
        RedisStore::builder(server.url()).memory(0).largest(64 << 10),
        &gate,
    )
    .await;
    shared(&here, &there).await;
    recording.look();
    let overtaken = recording.seen.total("larder_cache_fill_race_total", &[]);
    // By an invalidation, and by a change that was announced.
    assert_eq!(overtaken, 2, "what is overtaken counts once, whoever finds out");
    together(&here, &there, &server, &gate, recording).await;
    functions(&here, &there, &server).await;
    turns(&here, &there, recording).await;
    faults(&here, &server, recording).await;
    bounded(&mut server, recording).await;
}

async fn shared(here: &Instance, there: &Instance) {
    assert!(here.see("/").await.starts_with("MISS"));
    assert!(here.see("/").await.starts_with("HIT"));
    // Nothing is in memory there; one hit in 64 is timed.
    for _ in 0..1500 {
        assert!(there.see("/").await.starts_with("HIT"));
    }
    assert!(here.see("/own").await.contains("stored"));
    assert!(here.see("/overtaken").await.contains("detail=stamp"));
    assert!(there.see("/large").await.contains("detail=too_large"));
    there.larder.invalidate_tag("secret-tag").await.unwrap();
    assert!(here.see("/").await.contains("detail=tag"));
    let intent = there.larder.intend(["secret-tag"], SECOND * 60).await.unwrap();
    assert!(here.see("/").await.contains("detail=intent"));
    intent.finish().await.unwrap();
    assert!(here.see("/").await.contains("stored"));
}

/// One fills, and the other waits for it: again until it is told how that ended, for it may not listen yet.
async fn together(
    here: &Instance,
    there: &Instance,
    server: &RedisServer,
    gate: &Gated,
    recording: &mut Recording,
) {
    let is_waited_for = || {
        let leases = server.cli(&["KEYS", "*:f1:*"]);
        let mut leases = leases.lines().filter(|lease| !lease.is_empty());
        leases.any(|lease| server.cli(&["STRLEN", lease]).trim() == "17")
    };
    let mut round = 0;
    let elsewhere = [("scope", "cluster")];
    let both = async || {
        round += 1;
        gate.gate.close();
        let uri = format!("/gated?{round}");
        let fills = spawn(&here.app, get(&uri));
        gate.runs.reach(round).await;
        let waits = spawn(&there.app, get(&uri));
        let end = tokio::time::Instant::now() + SECOND * 30;
        // That another waits is written into the lease.
        while !is_waited_for() {
            assert!(tokio::time::Instant::now() < end, "nobody waits");
            tokio::time::sleep(SECOND / 200).await;
        }
        gate.gate.open();
        for answer in [fills, waits] {
            text(in_time(answer).await.unwrap().unwrap()).await;
        }
        round = gate.runs.get();
    };
    recording
        .until("larder_cache_coalesced_wait_seconds", &elsewhere, 1, both)
        .await;
}

async fn functions(here: &Instance, there: &Instance, server: &RedisServer) {
    assert_eq!((number(here).await, number(there).await), (7, 7));
    let local: Values<u64> = FillPolicy::new("local").in_process(|_| 8);
    let local = here
        .larder
        .get_or_fill("secret", &local, || async { Ok::<_, ()>(1) });
    assert_eq!(local.await, Ok(1));
    // Something else writes to the server.
    for key in server.cli(&["KEYS", "*:e1:*"]).lines() {
        server.cli(&["SET", key, "junk"]);
    }
    assert_eq!(number(there).await, 7);
    server.cli(&["FLUSHALL"]);
    assert!(here.see("/").await.contains("detail=epoch"));
}

/// One runs, and the other waits for it.
async fn turns(here: &Instance, there: &Instance, recording: &mut Recording) {
    let values: Values<u64> = FillPolicy::new("function").one_fill(OneFill::Everywhere).json();
    let (began, open) = (Semaphore::new(0), Semaphore::new(0));
    let runs = here.larder.get_or_fill("turn", &values, || async {
        began.add_permits(1);
        drop(open.acquire().await.unwrap());
        Ok::<_, ()>(1)
    });
    let waits = async {
        drop(began.acquire().await.unwrap());
        let other = || async { Ok::<_, ()>(2) };
        there.larder.get_or_fill("turn", &values, other).await
    };
    let opens = async {
        // The second time it is told of the end.
        let others = [("whose", "others")];
        recording
            .until("larder_turns_total", &others, 2, async || {})
            .await;
        open.add_permits(1);
    };
    let (ran, waited, ()) = tokio::join!(runs, waits, opens);
    assert_eq!((ran, waited), (Ok(1), Ok(1)));
}

async fn faults(here: &Instance, server: &RedisServer, recording: &mut Recording) {
    server.stop();
    here.larder.invalidate_tag("secret-tag").await.unwrap_err();
    recording
        .until(
            "larder_cache_miss_total",
            &[("reason", "breaker")],
            1,
            async || {
                here.see("/").await;
            },
        )
        .await;
    server.cont();
    recording
        .until(
            "larder_invalidations_total",
            &[("source", "replay")],
            1,
            async || {
                here.see("/").await;
            },
        )
        .await;
    recording
        .until(
            "larder_cache_requests_total",
            &[("outcome", "miss")],
            1,
            async || {
                here.see("/").await;
            },
        )
        .await;
}

/// Hits that ask nobody, until the server is not heard.
async fn bounded(server: &mut RedisServer, recording: &mut Recording) {
    let builder = RedisStore::builder(server.url()).coherence(Coherence::Bounded(SECOND / 5));
    let listening = Instance::new(builder, &Gated::default()).await;
    let look = async || {
        listening.see("/").await;
    };
    recording
        .until("larder_coherence_lag_seconds", &[], 3, look)
        .await;
    listening.larder.invalidate_tag("secret-tag").await.unwrap();
    recording
        .until("larder_invalidation_received_total", &[], 1, look)
        .await;
    server.stop();
    let silent = [("reason", "heartbeat")];
    recording
        .until("larder_coherence_lapses_total", &silent, 1, look)
        .await;
    server.cont();
    recording.look();
    let before = recording.seen.total("larder_coherence_lag_seconds", &[]);
    recording
        .until("larder_coherence_lag_seconds", &[], before + 1, look)
        .await;
    server.kill();
    let cut = [("reason", "disconnect")];
    recording
        .until("larder_coherence_lapses_total", &cut, 1, look)
        .await;
}
