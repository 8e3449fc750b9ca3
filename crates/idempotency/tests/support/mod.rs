//! What several suites need: a handler that counts and waits, requests, answers, and records that fail as they are told.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "helpers of tests; each suite uses a part of them"
)]

use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use larder_idempotency::{
    Claim, Claimed, Execution, FencingToken, Finish, Hold, IdempotencyLayer, MemoryRecords, Outcome, Problem,
    Records, RecordsError, RecordsErrorKind, RecordsFuture, Release, Renewal, Spend, Spent,
};
use tokio::sync::Semaphore;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};

pub type Asked = Request<Full<Bytes>>;
pub type App = BoxCloneSyncService<Asked, Response<larder_idempotency::Body<Full<Bytes>>>, Infallible>;

/// Ends a wait that would otherwise hang the suite.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(value) => value,
        Err(_) => panic!("nothing happened for a minute"),
    }
}

/// Waits until `condition` holds.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    soon(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    assert!(condition(), "{what}");
}

/// A handler: it counts its runs, waits at a gate, and answers with the number of the run.
#[derive(Clone)]
pub struct Shop {
    pub runs: Arc<AtomicUsize>,
    pub ends: Arc<AtomicUsize>,
    pub tokens: Arc<Mutex<Vec<FencingToken>>>,
    pub downstream: Arc<Mutex<Vec<String>>>,
    gate: Arc<Semaphore>,
}

impl Shop {
    pub fn open() -> Self {
        let shop = Self::closed();
        shop.let_through(1 << 20);
        shop
    }

    /// Each run waits until it is let through.
    pub fn closed() -> Self {
        Self {
            runs: Arc::default(),
            ends: Arc::default(),
            tokens: Arc::default(),
            downstream: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
        }
    }

    pub fn let_through(&self, runs: usize) {
        self.gate.add_permits(runs);
    }

    pub fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    pub fn ends(&self) -> usize {
        self.ends.load(Ordering::SeqCst)
    }

    async fn serve(self, request: Asked) -> Result<Response<Full<Bytes>>, Infallible> {
        let run = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(execution) = request.extensions().get::<Execution>() {
            self.tokens.lock().unwrap().push(execution.fencing_token());
            self.downstream.lock().unwrap().push(execution.downstream_key());
        }
        self.gate.acquire().await.unwrap().forget();
        if request.uri().path() == "/panic" {
            panic!("the handler panics");
        }
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let text = format!("run {run}: {}", String::from_utf8_lossy(&body));
        self.ends.fetch_add(1, Ordering::SeqCst);
        let response = Response::builder()
            .status(StatusCode::CREATED)
            .header("location", format!("/{run}"))
            .header("set-cookie", "session=secret")
            .header("date", "now");
        Ok(response.body(Full::new(Bytes::from(text))).unwrap())
    }

    pub fn behind(&self, layer: &IdempotencyLayer) -> App {
        let shop = self.clone();
        let handler = service_fn(move |request| shop.clone().serve(request));
        BoxCloneSyncService::new(layer.layer(handler))
    }
}

pub fn memory() -> MemoryRecords {
    MemoryRecords::with_capacity(64 << 20)
}

pub fn post(key: &str, body: &'static str) -> Asked {
    post_to("/pay?x=1", key, body)
}

pub fn post_to(target: &str, key: &str, body: &'static str) -> Asked {
    let request = Request::post(target).header("content-type", "text/plain");
    let request = request.header("idempotency-key", key);
    request
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .unwrap()
}

/// An answer that has been read.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
    pub outcome: Option<Outcome>,
    pub problem: Option<Problem>,
}

impl Answer {
    pub async fn of<B>(response: Response<B>) -> Self
    where
        B: http_body::Body,
        B::Error: fmt::Debug,
    {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
            outcome: parts.extensions.get().copied(),
            problem: parts.extensions.get().copied(),
        }
    }

    pub fn replayed(&self) -> bool {
        self.headers
            .get("idempotency-replayed")
            .is_some_and(|value| value == "true")
    }
}

pub async fn ask(app: &App, request: Asked) -> Answer {
    soon(async { Answer::of(app.clone().oneshot(request).await.unwrap()).await }).await
}

/// Asks in a task, until it is known that a run has begun.
pub async fn begin(app: &App, shop: &Shop, request: Asked) -> tokio::task::JoinHandle<Answer> {
    let (app, before) = (app.clone(), shop.runs());
    let task = tokio::spawn(async move { ask(&app, request).await });
    until("the handler runs", || shop.runs() > before).await;
    task
}

/// How [`Faulty`] records treat a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Fails at once, and nothing is done.
    Down,
    /// Never answers, and nothing is done.
    Hung,
    /// Does what it is asked, and never answers.
    Mute,
}

/// Records in memory that fail as they are told.
#[derive(Debug, Clone)]
pub struct Faulty {
    pub records: MemoryRecords,
    fault: Arc<Mutex<Fault>>,
    pub releases: Arc<AtomicUsize>,
    pub renewals: Arc<AtomicUsize>,
}

impl Faulty {
    pub fn new(records: MemoryRecords) -> Self {
        Self {
            records,
            fault: Arc::new(Mutex::new(Fault::None)),
            releases: Arc::default(),
            renewals: Arc::default(),
        }
    }

    pub fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    fn faulty<'a, T: Send + 'a>(&self, step: RecordsFuture<'a, T>) -> RecordsFuture<'a, T> {
        match *self.fault.lock().unwrap() {
            Fault::None => step,
            Fault::Down => Box::pin(async { Err(RecordsError::new(RecordsErrorKind::Unavailable, "down")) }),
            Fault::Hung => Box::pin(std::future::pending()),
            Fault::Mute => Box::pin(async {
                let _ = step.await;
                std::future::pending().await
            }),
        }
    }
}

impl Records for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn claim<'a>(&'a self, claim: &'a Claim) -> RecordsFuture<'a, Claimed> {
        self.faulty(self.records.claim(claim))
    }

    fn renew<'a>(&'a self, renewal: &'a Renewal) -> RecordsFuture<'a, Hold> {
        self.renewals.fetch_add(1, Ordering::SeqCst);
        self.faulty(self.records.renew(renewal))
    }

    fn finish<'a>(&'a self, finish: &'a Finish) -> RecordsFuture<'a, Hold> {
        self.faulty(self.records.finish(finish))
    }

    fn release<'a>(&'a self, release: &'a Release) -> RecordsFuture<'a, Hold> {
        self.releases.fetch_add(1, Ordering::SeqCst);
        self.faulty(self.records.release(release))
    }

    fn spend<'a>(&'a self, spend: &'a Spend) -> RecordsFuture<'a, Spent> {
        self.faulty(self.records.spend(spend))
    }
}
