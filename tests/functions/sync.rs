//! `#[cached(blocking)]` on functions that are not async: from where they can be called, and what they say where they cannot.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use larder::{Larder, TimedOut, cached, invalidates};
use tokio::runtime::{Builder, Runtime};

use crate::support::{cache, soon};

#[derive(Debug, PartialEq)]
struct Failure;

impl From<TimedOut> for Failure {
    fn from(_: TimedOut) -> Self {
        Self
    }
}

/// It cannot be cloned, and does not leave its thread.
#[derive(Default)]
struct Rows {
    runs: AtomicUsize,
    own: std::marker::PhantomData<*const ()>,
}

impl Rows {
    fn run(&self) -> usize {
        self.runs.fetch_add(1, Ordering::SeqCst) + 1
    }
}

#[cached(key = "{id}", skip(rows), tags = ["rows", "row:{id}"], blocking)]
fn row(larder: &Larder, id: u8, rows: &Rows) -> Result<usize, Failure> {
    if id == 0 {
        return Err(Failure);
    }
    Ok(rows.run())
}

/// One calls another.
#[cached(key = "{id}", skip(rows), tags = ["rows"], blocking)]
fn twice(larder: &Larder, id: u8, rows: &Rows) -> Result<usize, Failure> {
    Ok(2 * row(larder, id, rows)?)
}

fn many() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

fn single() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A cache that is made in `runtime`.
fn within(runtime: &Runtime) -> Larder {
    let _within = runtime.enter();
    cache(1 << 20).0
}

/// A miss and a hit, of a function that calls another.
fn works(larder: &Larder) {
    let rows = Rows::default();
    assert_eq!(twice(larder, 1, &rows), Ok(2));
    assert_eq!(twice(larder, 1, &rows), Ok(2));
    assert_eq!(row(larder, 1, &rows), Ok(1));
    assert_eq!(row(larder, 0, &rows), Err(Failure));
    assert_eq!(rows.runs.load(Ordering::SeqCst), 1);
}

/// What it says as it panics.
fn words<T>(called: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(called)).err().unwrap();
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap()
}

#[test]
fn from_a_plain_thread_it_is_called_as_any_function() {
    let runtime = many();
    works(&within(&runtime));
    let _within = runtime.enter();
    works(&cache(1 << 20).0);
}

#[test]
fn it_is_called_where_a_thread_may_block() {
    for runtime in [many(), single()] {
        let larder = within(&runtime);
        runtime.block_on(async {
            soon(tokio::task::spawn_blocking(move || works(&larder)))
                .await
                .unwrap();
        });
    }
}

/// The runtime has one worker: were it held up, the other task would not go on.
#[test]
fn a_worker_of_several_hands_its_tasks_over() {
    let runtime = many();
    let larder = within(&runtime);
    let (begun, go) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    runtime.block_on(async {
        let caller = tokio::spawn({
            let (larder, begun, go) = (larder.clone(), Arc::clone(&begun), Arc::clone(&go));
            async move {
                works(&larder);
                meets(&larder, 1, &begun, &go)
            }
        });
        let other = tokio::spawn(async move {
            tokio::task::spawn_blocking(move || begun.wait()).await.unwrap();
            go.wait();
        });
        soon(other).await.unwrap();
        assert_eq!(soon(caller).await.unwrap(), 1);
    });
    // The thread that has the runtime run is no worker, and may block too.
    runtime.block_on(async { works(&cache(1 << 20).0) });
}

#[cached(key = "{id}", skip(begun, go), blocking)]
fn meets(larder: &Larder, id: u8, begun: &Barrier, go: &Barrier) -> u8 {
    begun.wait();
    go.wait();
    id
}

#[test]
fn on_the_only_thread_of_a_runtime_it_says_what_to_do() {
    let runtime = single();
    let larder = within(&runtime);
    let rows = Rows::default();
    runtime.block_on(async {
        let words = words(|| row(&larder, 1, &rows));
        assert!(
            words.contains("call it in `tokio::task::spawn_blocking`"),
            "{words}"
        );
    });
    assert_eq!(rows.runs.load(Ordering::SeqCst), 0);
    // The flight of the refused call is over.
    assert_eq!(row(&larder, 1, &rows), Ok(1));
    runtime.block_on(async { assert_eq!(row(&larder, 1, &rows), Ok(1), "a hit waits for nothing") });
}

/// A service that was made without a cache.
struct Bare(Option<Larder>);

impl Bare {
    #[cached(key = "{id}", larder = self.0, skip(self), blocking)]
    fn twice(&self, id: u64) -> u64 {
        2 * id
    }
}

#[test]
fn without_a_cache_it_is_the_function_alone_and_needs_no_runtime() {
    assert_eq!(Bare(None).twice(4), 8);
    assert_eq!(many().block_on(async { Bare(None).twice(4) }), 8);
}

#[test]
fn without_a_runtime_it_says_what_to_do() {
    let (larder, _) = cache(1 << 20);
    let rows = Rows::default();
    let words = words(|| row(&larder, 1, &rows));
    assert!(words.contains("make its Larder within one"), "{words}");
    let runtime = many();
    let _within = runtime.enter();
    assert_eq!(row(&larder, 1, &rows), Ok(1));
}

#[cached(key = "{id}", skip(runs), blocking)]
fn counted(larder: &Larder, id: usize, runs: &AtomicUsize) -> usize {
    // The others come meanwhile.
    thread::sleep(Duration::from_millis(20));
    id + runs.fetch_add(1, Ordering::SeqCst)
}

#[test]
fn all_threads_that_ask_at_once_are_one_run() {
    let runtime = many();
    let larder = within(&runtime);
    let (runs, all) = (AtomicUsize::new(0), Barrier::new(32));
    thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                all.wait();
                assert_eq!(counted(&larder, 1, &runs), 1);
            });
        }
    });
}

#[cached(key = "{id}", skip(larder), blocking)]
fn panics(larder: &Larder, id: u8) -> u8 {
    assert!(id != 1, "the body's own words");
    id
}

#[test]
fn a_panic_is_the_callers_own() {
    let runtime = many();
    let larder = within(&runtime);
    for _ in 0..2 {
        assert_eq!(words(|| panics(&larder, 1)), "the body's own words");
    }
    assert_eq!(panics(&larder, 2), 2);
}

#[cached(
    key = "{id}",
    skip(runs),
    ttl = "1m",
    stale_while_revalidate = "1m",
    timeout = "20ms",
    blocking
)]
fn limited(larder: &Larder, id: u64, runs: Arc<AtomicUsize>) -> Result<usize, Failure> {
    thread::sleep(Duration::from_millis(id));
    Ok(runs.fetch_add(1, Ordering::SeqCst) + 1)
}

#[test]
fn limits_and_stale_results_are_as_for_other_functions() {
    let runtime = many();
    let _within = runtime.enter();
    let (larder, clock) = cache(1 << 20);
    let runs = Arc::new(AtomicUsize::new(0));
    let call = |id| limited(&larder, id, Arc::clone(&runs));
    assert_eq!(call(200), Err(Failure), "too late");
    assert_eq!(call(0), Ok(1));
    clock.advance(Duration::from_secs(70));
    assert_eq!(call(0), Ok(1), "stale");
    runtime.block_on(soon(larder.idle()));
    assert_eq!(call(0), Ok(2), "made anew in the background");
}

#[invalidates("row:{id}")]
async fn change(larder: &Larder, id: u8) {}

#[test]
fn what_it_keeps_is_forgotten_as_all_else() {
    let runtime = many();
    let larder = within(&runtime);
    let rows = Rows::default();
    assert_eq!(row(&larder, 1, &rows), Ok(1));
    runtime.block_on(change(&larder, 1));
    assert_eq!(row(&larder, 1, &rows), Ok(2));
}
