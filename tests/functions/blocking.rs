//! `#[cached(blocking)]`: bodies that hold up their thread.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use larder::{Larder, TimedOut, cached};

use crate::support::{cache, soon};

#[derive(Debug, PartialEq)]
struct Failure;

impl From<TimedOut> for Failure {
    fn from(_: TimedOut) -> Self {
        Self
    }
}

/// A body that begins, and ends when it is told to.
#[derive(Clone)]
struct Gate {
    runs: Arc<AtomicUsize>,
    open: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Gate {
    fn new() -> (Self, mpsc::Sender<()>) {
        let (sender, open) = mpsc::channel();
        let gate = Self {
            runs: Arc::default(),
            open: Arc::new(Mutex::new(open)),
        };
        (gate, sender)
    }

    fn pass(&self) -> usize {
        let run = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        let patience = Duration::from_secs(20);
        self.open.lock().unwrap().recv_timeout(patience).unwrap();
        run
    }

    async fn has_begun(&self, runs: usize) {
        soon(async {
            while self.runs.load(Ordering::SeqCst) < runs {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[cached(key = "{id}", skip(gate), blocking)]
async fn gated(larder: &Larder, id: &str, gate: &Gate) -> Result<usize, Failure> {
    let run = gate.pass();
    if id == "fails" { Err(Failure) } else { Ok(run) }
}

#[cached(blocking)]
async fn where_it_runs(larder: &Larder, mut text: String) -> (String, bool) {
    text.push_str(&format!(" {:?}", std::thread::current().id()));
    let within = larder.size().entries == 0;
    (text, within)
}

#[tokio::test]
async fn the_body_runs_once_and_on_a_thread_of_its_own() {
    let (larder, _) = cache(1 << 20);
    let own: ThreadId = std::thread::current().id();
    let first = where_it_runs(&larder, "on".to_owned()).await;
    assert!(
        first.1 && first.0.starts_with("on Thread") && first.0 != format!("on {own:?}"),
        "{first:?}"
    );
    assert_eq!(where_it_runs(&larder, "on".to_owned()).await, first);
}

/// The runtime has one thread: were it held up, nobody would open the gate.
#[tokio::test]
async fn a_thousand_calls_are_one_run_while_the_thread_goes_on() {
    let (larder, _) = cache(1 << 20);
    let (gate, open) = Gate::new();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let (larder, gate) = (larder.clone(), gate.clone());
        calls.spawn(async move { gated(&larder, "1", &gate).await });
    }
    gate.has_begun(1).await;
    open.send(()).unwrap();
    while let Some(call) = soon(calls.join_next()).await {
        assert_eq!(call.unwrap(), Ok(1));
    }
    assert_eq!(gate.runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_has_begun_is_kept_though_its_caller_left() {
    let (larder, _) = cache(1 << 20);
    let (gate, open) = Gate::new();
    let call = {
        let (larder, gate) = (larder.clone(), gate.clone());
        tokio::spawn(async move { gated(&larder, "1", &gate).await })
    };
    gate.has_begun(1).await;
    let waiting = {
        let (larder, gate) = (larder.clone(), gate.clone());
        tokio::spawn(async move { gated(&larder, "1", &gate).await })
    };
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    open.send(()).unwrap();
    assert_eq!(soon(waiting).await.unwrap(), Ok(1), "not a second run");
    soon(larder.idle()).await;
    assert_eq!(gated(&larder, "1", &gate).await, Ok(1), "it was kept");
}

#[tokio::test]
async fn an_error_is_its_callers_and_those_who_wait_try_for_themselves() {
    let (larder, _) = cache(1 << 20);
    let (gate, open) = Gate::new();
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let (larder, gate) = (larder.clone(), gate.clone());
            tokio::spawn(async move { gated(&larder, "fails", &gate).await })
        })
        .collect();
    gate.has_begun(1).await;
    for _ in 0..3 {
        open.send(()).unwrap();
    }
    for call in calls {
        assert_eq!(soon(call).await.unwrap(), Err(Failure));
    }
    assert_eq!(gate.runs.load(Ordering::SeqCst), 3);
}

#[cached(blocking)]
async fn panics(larder: &Larder) -> u8 {
    panic!("the body's own words");
}

#[tokio::test]
async fn a_panic_is_the_callers() {
    let (larder, _) = cache(1 << 20);
    let called = tokio::spawn(async move { panics(&larder).await });
    let panic = soon(called).await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"the body's own words"));
}

#[cached(
    key = "{id}",
    skip(gate),
    ttl = "1m",
    stale_while_revalidate = "1m",
    timeout = "10ms",
    blocking
)]
async fn limited(larder: &Larder, id: u8, gate: Option<Gate>) -> Result<usize, Failure> {
    Ok(gate.map_or(usize::from(id), |gate| gate.pass()))
}

#[tokio::test]
async fn limits_and_stale_results_are_as_for_other_functions() {
    let (larder, clock) = cache(1 << 20);
    let (gate, open) = Gate::new();
    assert_eq!(
        limited(&larder, 1, Some(gate.clone())).await,
        Err(Failure),
        "too late"
    );
    open.send(()).unwrap();
    assert_eq!(limited(&larder, 7, None).await, Ok(7));
    clock.advance(Duration::from_secs(70));
    open.send(()).unwrap();
    let stale = limited(&larder, 7, Some(gate.clone())).await;
    assert_eq!(stale, Ok(7));
    soon(larder.idle()).await;
    assert_eq!(
        limited(&larder, 7, None).await,
        Ok(2),
        "made anew in the background"
    );
}

#[test]
fn from_a_thread_of_its_own_it_is_called_by_the_handle() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (larder, _) = cache(1 << 20);
    let handle = runtime.handle().clone();
    let called = std::thread::spawn(move || handle.block_on(where_it_runs(&larder, String::new())));
    assert!(called.join().unwrap().1);
}
