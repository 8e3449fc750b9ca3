//! Signed requests: both ends agree, each part counts, and each signature is accepted once.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use larder_idempotency::replay::{
    ReplayProtection, ReplayProtectionLayer, SignLayer, Signer, SigningKey, SigningKeys, Verified,
};
use larder_idempotency::{IdempotencyLayer, MemoryRecords, Principal, Problem};
use larder_store::FakeClock;
use proptest::prelude::*;
use support::{Answer, Asked, Fault, Faulty, Shop};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

fn key(id: &str, secret: u8) -> SigningKey {
    SigningKey::new(id, &[secret; 32]).unwrap()
}

/// A server and what its clients need to know.
struct Ends {
    clock: FakeClock,
    records: Faulty,
    keys: SigningKeys,
    layer: ReplayProtectionLayer,
}

impl Ends {
    fn new() -> Self {
        let clock = FakeClock::new();
        let records = Faulty::new(MemoryRecords::with_clock(1 << 20, clock.clock()));
        // What is signed before the memory began is refused.
        clock.advance(Duration::from_secs(1000));
        let keys = SigningKeys::from(key("k1", 1));
        let layer = ReplayProtectionLayer::new(records.clone(), keys.clone()).clock(clock.clock());
        Self {
            clock,
            records,
            keys,
            layer,
        }
    }

    fn signer(&self) -> Signer {
        Signer::new(key("k1", 1)).clock(self.clock.clock())
    }

    async fn answer(&self, request: Asked) -> Answer {
        let handler = service_fn(|request: Asked| async move {
            let who = request
                .extensions()
                .get::<Verified>()
                .unwrap()
                .key_id()
                .to_owned();
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let text = [who.as_bytes(), b": ", &body].concat();
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
        });
        Answer::of(self.layer.layer(handler).oneshot(request).await.unwrap()).await
    }

    /// What becomes of a request that is signed by `signer`.
    async fn signed(&self, signer: &Signer) -> Answer {
        let mut request = pay();
        signer.sign(&mut request, b"5 EUR").unwrap();
        self.answer(request).await
    }
}

/// What somebody does to a request on its way.
type Change = fn(&mut Asked);

fn pay() -> Asked {
    Request::post("/pay?x=1")
        .header("host", "shop.example")
        .header("content-type", "text/plain")
        .header("idempotency-key", "order-7")
        .body(Full::new(Bytes::from_static(b"5 EUR")))
        .unwrap()
}

#[tokio::test]
async fn a_signed_request_passes_once_and_says_who_signed_it() {
    let ends = Ends::new();
    let mut request = pay();
    ends.signer().sign(&mut request, b"5 EUR").unwrap();
    let answer = ends.answer(request.clone()).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "k1: 5 EUR"));
    let replayed = ends.answer(request.clone()).await;
    assert_eq!(
        (replayed.status, replayed.problem),
        (401, Some(Problem::SignatureRejected))
    );
    assert_eq!(replayed.headers["www-authenticate"], "Larder-Signature");
    // Until it is too old anyway.
    for _ in 0..5 {
        ends.clock.advance(Duration::from_secs(50));
        assert_eq!(
            ends.answer(request.clone()).await.problem,
            Some(Problem::SignatureRejected)
        );
    }
    ends.clock.advance(Duration::from_secs(51));
    assert_eq!(
        ends.answer(request).await.problem,
        Some(Problem::SignatureOutdated)
    );
}

#[tokio::test]
async fn each_part_counts() {
    let changes: [(&str, Change); 12] = [
        ("method", |request| {
            *request.method_mut() = Method::PUT;
        }),
        ("path", |request| {
            *request.uri_mut() = "/pa?x=1".parse().unwrap();
        }),
        ("query", |request| {
            *request.uri_mut() = "/pay?x=2".parse().unwrap();
        }),
        ("body", |request| {
            *request.body_mut() = Full::new(Bytes::from_static(b"9 EUR"));
        }),
        ("host", |request| {
            set(request, "host", "other.example");
        }),
        ("content type", |request| {
            set(request, "content-type", "text/html");
        }),
        ("no content type", |request| {
            request.headers_mut().remove("content-type");
        }),
        ("idempotency key", |request| {
            set(request, "idempotency-key", "order-8");
        }),
        ("no idempotency key", |request| {
            request.headers_mut().remove("idempotency-key");
        }),
        ("nonce", |request| {
            set(request, "larder-nonce", "0123456789abcdef");
        }),
        ("key id", |request| {
            set(request, "larder-key-id", "k2");
        }),
        ("time", |request| {
            let time = request.headers()["larder-timestamp"].to_str().unwrap();
            let later = time.parse::<u64>().unwrap() + 1;
            set(request, "larder-timestamp", &later.to_string());
        }),
    ];
    let ends = Ends::new();
    // The same secret under another id.
    ends.keys.add(key("k2", 1));
    for (what, change) in changes {
        let mut request = pay();
        ends.signer().sign(&mut request, b"5 EUR").unwrap();
        let untouched = request.clone();
        change(&mut request);
        let answer = ends.answer(request).await;
        assert_eq!(answer.problem, Some(Problem::SignatureRejected), "{what}");
        // And the nonce of the right one is not spent by it.
        assert_eq!(ends.answer(untouched).await.status, 200, "{what}");
    }
}

fn set(request: &mut Asked, name: &'static str, value: &str) {
    request.headers_mut().insert(name, value.parse().unwrap());
}

#[tokio::test]
async fn what_is_not_signed_or_signed_twice_is_refused() {
    let ends = Ends::new();
    assert_eq!(ends.answer(pay()).await.problem, Some(Problem::SignatureMissing));
    for name in [
        "larder-nonce",
        "larder-signature",
        "host",
        "content-type",
        "idempotency-key",
    ] {
        let mut request = pay();
        ends.signer().sign(&mut request, b"5 EUR").unwrap();
        request.headers_mut().append(name, "1".parse().unwrap());
        let answer = ends.answer(request.clone()).await;
        assert_eq!(
            (answer.status, answer.problem),
            (400, Some(Problem::SignatureMalformed)),
            "{name}"
        );
        if !name.starts_with("larder") {
            assert!(ends.signer().sign(&mut request, b"5 EUR").is_err(), "{name}");
        }
    }
}

#[tokio::test]
async fn the_time_is_within_five_minutes() {
    for (ahead, status) in [(300, 200), (301, 401)] {
        let ends = Ends::new();
        let theirs = FakeClock::new();
        theirs.advance(Duration::from_secs(2000));
        let signer = Signer::new(key("k1", 1)).clock(theirs.clock());
        // Whole seconds, so that the limit can be met.
        let to = theirs.clock().now().as_millis() / 1000 * 1000 - ahead * 1000;
        let by = to - ends.clock.clock().now().as_millis();
        ends.clock.advance(Duration::from_millis(by));
        assert_eq!(ends.signed(&signer).await.status, status, "{ahead} s ahead");
        let to = theirs.clock().now().as_millis() / 1000 * 1000 + ahead * 1000;
        let by = to - ends.clock.clock().now().as_millis();
        ends.clock.advance(Duration::from_millis(by));
        assert_eq!(ends.signed(&signer).await.status, status, "{ahead} s behind");
    }
}

#[tokio::test]
async fn keys_are_changed_while_requests_come() {
    let ends = Ends::new();
    let old = ends.signer();
    let new = Signer::new(key("k2", 2)).clock(ends.clock.clock());
    let unknown = ends.signed(&new).await;
    assert_eq!(unknown.problem, Some(Problem::SignatureRejected));
    ends.keys.add(key("k2", 2));
    assert_eq!(ends.signed(&old).await.status, 200);
    assert_eq!(ends.signed(&new).await.status, 200);
    // Two secrets of one id.
    ends.keys.add(key("k1", 3));
    assert_eq!(ends.signed(&old).await.status, 200);
    assert!(ends.keys.retire("k1"));
    assert_eq!(ends.signed(&old).await.status, 401);
    assert_eq!(ends.signed(&new).await.status, 200);
}

#[tokio::test]
async fn a_nonce_is_remembered_as_long_as_it_could_be_used() {
    let ends = Ends::new();
    assert_eq!(ends.signed(&ends.signer()).await.status, 200);
    let taken = ends.records.records.bytes();
    assert!(taken > 0);
    // A minute more than twice the window.
    ends.clock.advance(Duration::from_secs(659));
    assert_eq!(ends.records.records.bytes(), taken);
    ends.clock.advance(Duration::from_secs(1));
    assert_eq!(ends.records.records.bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_records_nothing_passes() {
    let ends = Ends::new();
    for fault in [Fault::Down, Fault::Hung] {
        ends.records.set(fault);
        let begun = tokio::time::Instant::now();
        let answer = ends.signed(&ends.signer()).await;
        assert_eq!((answer.status, answer.problem), (503, Some(Problem::Unavailable)));
        assert!(begun.elapsed() <= Duration::from_secs(2));
    }
    // What is refused before costs the records nothing.
    ends.records.set(Fault::Hung);
    let forger = Signer::new(key("k1", 9)).clock(ends.clock.clock());
    assert_eq!(ends.signed(&forger).await.status, 401);
}

#[tokio::test]
async fn what_was_signed_before_the_memory_began_is_refused() {
    let clock = FakeClock::new();
    let mut request = pay();
    let signer = Signer::new(key("k1", 1)).clock(clock.clock());
    signer.sign(&mut request, b"5 EUR").unwrap();
    clock.advance(Duration::from_secs(2));
    let records = MemoryRecords::with_clock(1 << 20, clock.clock());
    let layer = ReplayProtectionLayer::new(records, key("k1", 1)).clock(clock.clock());
    let handler =
        service_fn(|_: Asked| async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) });
    let service: ReplayProtection<_> = layer.layer(handler);
    let answer = Answer::of(service.clone().oneshot(request.clone()).await.unwrap()).await;
    assert_eq!(answer.problem, Some(Problem::SignatureOutdated));
    signer.sign(&mut request, b"5 EUR").unwrap();
    assert_eq!(service.oneshot(request).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_body_above_the_limit_is_refused() {
    let mut ends = Ends::new();
    ends.layer = ends.layer.max_body(4);
    let answer = ends.signed(&ends.signer()).await;
    assert_eq!(
        (answer.status, answer.problem),
        (413, Some(Problem::BodyTooLarge))
    );
    let small = SignLayer::new(ends.signer()).max_body(4);
    let client = small.layer(service_fn(|_: Asked| async { Ok::<_, Infallible>(()) }));
    assert!(client.oneshot(pay()).await.is_err());
}

/// A retry is signed anew and has the same idempotency key: it gets the answer of the first. A replay gets nothing.
#[tokio::test]
async fn a_retry_is_no_replay() {
    let ends = Ends::new();
    let shop = Shop::open();
    let idempotent = IdempotencyLayer::per_principal(MemoryRecords::with_capacity(1 << 20), |parts| {
        let verified = parts.extensions.get::<Verified>()?;
        Some(Principal::new(verified.key_id()))
    });
    let server = ServiceBuilder::new()
        .layer(ends.layer.clone())
        .service(shop.behind(&idempotent));
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let client = SignLayer::new(ends.signer()).layer(service_fn(move |request: Asked| {
        counted.fetch_add(1, Ordering::SeqCst);
        server.clone().oneshot(request)
    }));
    let first = Answer::of(client.clone().oneshot(pay()).await.unwrap()).await;
    let second = Answer::of(client.oneshot(pay()).await.unwrap()).await;
    assert_eq!((first.status, second.status), (201, 201));
    assert!(!first.replayed() && second.replayed());
    assert_eq!((sent.load(Ordering::SeqCst), shop.runs()), (2, 1));
}

#[tokio::test]
async fn a_server_behind_a_proxy_is_told_its_host() {
    let mut ends = Ends::new();
    ends.layer = ends.layer.host("Shop.example:443");
    let mut request = pay();
    ends.signer().sign(&mut request, b"5 EUR").unwrap();
    set(&mut request, "host", "10.0.0.1:3000");
    assert_eq!(ends.answer(request).await.status, 200);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Both ends make the same text of any request.
    #[test]
    fn both_ends_agree(
        method in "(GET|POST|PATCH|DELETE|M-SEARCH)",
        path in "(/[a-z0-9%2F.~!$&'()*+,;=:@-]{0,12}){1,3}",
        query in proptest::option::of("[a-z0-9=&%?/+:-]{0,20}"),
        host in "[A-Za-z0-9-]{1,10}(\\.[a-z]{2,3})?(:[1-9][0-9]{0,3})?",
        absolute in any::<bool>(),
        content_type in proptest::option::of("[!-~]{0,20}"),
        idempotency_key in proptest::option::of("\"[a-z ]{1,20}\""),
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        // A percent sign that begins no escape is no matter to either end.
        let query = query.map_or(String::new(), |query| format!("?{query}"));
        let uri = if absolute { format!("http://{host}{path}{query}") } else { format!("{path}{query}") };
        let mut request = Request::builder().method(method.as_str()).uri(uri);
        if !absolute {
            request = request.header("host", &host);
        }
        for (name, value) in [("content-type", content_type), ("idempotency-key", idempotency_key)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let request = request.body(Full::new(Bytes::from(body.clone())));
        prop_assume!(request.is_ok());
        let mut request = request.unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (status, sent) = runtime.block_on(async {
            let ends = Ends::new();
            ends.signer().sign(&mut request, &body).unwrap();
            // As a server gets what a client sends over HTTP/1.1.
            if absolute {
                set(&mut request, "host", &host);
                let target = request.uri().path_and_query().unwrap().as_str().parse().unwrap();
                *request.uri_mut() = target;
            }
            let answer = ends.answer(request).await;
            (answer.status, answer.body)
        });
        prop_assert_eq!(status, 200, "{}", sent);
    }
}
